"""Suites: folders of scenes, each asked in several traditions and languages, read into prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.errors import FileFormatError, RequestError
from bench.questions import QuestionFile, QuestionsFile
from bench.reading import ID_PATTERN, ROOT, FileModel, canonical_hash, check, read_yaml
from bench.records import NEUTRAL, Diagnosticity, Modality, Prompt

Id = str
Text = dict[str, str]


class SceneFile(FileModel):
    """One scene as the file gives it: `prompts` maps target → language → text."""

    id: Id = Field(pattern=ID_PATTERN)
    genre: str = ""
    tags: tuple[str, ...] = ()
    core: Text = Field(default_factory=dict)
    stratum: str = ""
    diagnosticity: Diagnosticity = ""
    frames: int | None = Field(default=None, ge=1)
    propositions: tuple[Text, ...] = ()
    notes: Text = Field(default_factory=dict)
    prompts: dict[str, Text] = Field(min_length=1)


class ScenesFile(FileModel):
    """A `scenes-*.yaml` beside `suite.yaml`."""

    scenes: list[SceneFile]


class SuiteFile(FileModel):
    """The header in `suite.yaml`, with scenes or questions where the suite is one file.

    `works`, of a suite of questions, is the suite whose `references.yaml` lists what is asked about.
    """

    suite: Id = Field(pattern=ID_PATTERN)
    version: int = Field(ge=1)
    modality: Modality
    home: Id = Field(pattern=ID_PATTERN)
    traditions: list[Id] = Field(min_length=1)
    least_per_genre: int = Field(default=1, ge=1)
    scenes: tuple[SceneFile, ...] = ()
    works: Id = ""
    questions: tuple[QuestionFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """A checked suite. `hash` is that of its content; `content` its form as one YAML.

    `folder` is where its files lie; `scene_files` are its scenes as the files give them. Of a suite
    of `questions` each is a scene with one text that names no tradition, asked of the works that the
    suite `works` lists.
    """

    name: str
    version: int
    modality: Modality
    home: str
    traditions: tuple[str, ...]
    prompts: Mapping[str, Prompt]
    hash: str
    content: Mapping[str, Any]
    folder: Path
    scene_files: tuple[SceneFile, ...]
    least_per_genre: int
    questions: tuple[QuestionFile, ...] = ()
    works: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which every prompt has a text, sorted."""
        shared = set.intersection(*(set(prompt.text) for prompt in self.prompts.values()))
        return tuple(sorted(shared))

    @property
    def scenes(self) -> tuple[str, ...]:
        """Scene ids in the file's order."""
        return tuple(dict.fromkeys(prompt.scene for prompt in self.prompts.values()))

    def as_dict(self) -> dict[str, Any]:
        """Return the suite as a run's `run.yaml` names it."""
        names = ("name", "version", "hash", "home")
        return {name: getattr(self, name) for name in names} | {"traditions": list(self.traditions)}


def load_suite(name: str) -> Suite:
    """Return the suite of that name in `prompts/`, in that folder, or in that one YAML.

    Raises:
        RequestError: there is no such suite.
        FileFormatError: unknown key, duplicate scene, empty text, unknown target or home; names the
            place.
    """
    path = _find(name)
    header = check(read_yaml(path), SuiteFile, path)
    if header.home not in header.traditions:
        raise FileFormatError(
            f"{path}: home {header.home!r} is not one of the traditions: "
            f"{', '.join(header.traditions)}"
        )
    scenes = [(path, scene) for scene in header.scenes]
    if path.name == "suite.yaml":
        for more in sorted(path.parent.glob("scenes-*.yaml")):
            scenes += [(more, scene) for scene in check(read_yaml(more), ScenesFile, more).scenes]
    questions = _questions_of(header, path, scenes)
    scenes += [(path, _as_scene(question)) for question in questions]
    if not scenes:
        raise FileFormatError(f"{path}: the suite has no scenes")
    prompts: dict[str, Prompt] = {}
    places: dict[str, Path] = {}
    for where, scene in scenes:
        if scene.id in places:
            first = places[scene.id]
            raise FileFormatError(f"{where}: scene {scene.id!r} is there twice (first in {first})")
        places[scene.id] = where
        prompts |= {prompt.id: prompt for prompt in _prompts_of(scene, header, where)}
    listed = tuple(scene for _, scene in scenes)
    own = {"questions": questions} if questions else {"scenes": listed}
    content = header.model_copy(update=own).model_dump(mode="json", exclude_defaults=True)
    return Suite(
        name=header.suite,
        version=header.version,
        modality=header.modality,
        home=header.home,
        traditions=tuple(header.traditions),
        prompts=prompts,
        hash=canonical_hash(content),
        content=content,
        folder=path.parent,
        scene_files=listed,
        least_per_genre=header.least_per_genre,
        questions=questions,
        works=header.works,
    )


def select(
    suite: Suite,
    languages: Sequence[str],
    *,
    targets: Sequence[str] = (),
    limit: int | None = None,
    scenes: Sequence[str] = (),
) -> list[Prompt]:
    """Return the suite's prompts for these targets and scenes, all by default; at most `limit`.

    Raises:
        RequestError: an unknown target or scene, or a prompt without a text in a language asked for.
    """
    known = {prompt.target for prompt in suite.prompts.values()}
    for target in targets:
        if target not in known:
            there = ", ".join(sorted(known))
            raise RequestError(
                f"suite {suite.name} asks nothing of target {target!r}; it has: {there}"
            )
    wanted = set(scenes)
    if unknown := sorted(wanted.difference(suite.scenes)):
        raise RequestError(f"suite {suite.name} has no scene {unknown[0]!r}")
    chosen = [
        prompt
        for prompt in suite.prompts.values()
        if (not targets or prompt.target in targets) and (not wanted or prompt.scene in wanted)
    ]
    chosen = chosen[:limit]
    for prompt in chosen:
        for language in languages:
            if language not in prompt.text:
                raise RequestError(
                    f"suite {suite.name}: {prompt.id} has no text in {language!r}; it has: "
                    f"{', '.join(sorted(prompt.text))}"
                )
    return chosen


def only_grew(before: Suite, now: Suite) -> bool:
    """Say whether a suite has further scenes, and all that it had as they were and in their order."""
    had = [prompt for prompt in now.prompts.values() if prompt.scene in set(before.scenes)]
    return (before.name, before.home, before.traditions, list(before.prompts.values())) == (
        now.name,
        now.home,
        now.traditions,
        had,
    )


def list_suites() -> list[str]:
    """Return the names of the suites in `prompts/`."""
    return sorted(file.parent.name for file in (ROOT / "prompts").glob("*/suite.yaml"))


def _find(name: str) -> Path:
    for path in (Path(name), ROOT / "prompts" / name):
        if path.is_dir():
            if not (path / "suite.yaml").is_file():
                raise RequestError(f"{path} has no suite.yaml: it is not a suite")
            return path / "suite.yaml"
        if path.is_file():
            return path
    raise RequestError(
        f"no suite named {name!r}: give a folder, a YAML, or one of: {', '.join(list_suites())}"
    )


def _questions_of(
    header: SuiteFile, path: Path, scenes: Sequence[object]
) -> tuple[QuestionFile, ...]:
    """Return a suite's questions, in its header or in the `questions.yaml` beside it."""
    questions = header.questions
    beside = path.parent / "questions.yaml"
    if path.name == "suite.yaml" and not questions and beside.is_file():
        questions = tuple(check(read_yaml(beside), QuestionsFile, beside).questions)
    asked = header.modality == "understanding"
    if asked and (scenes or not questions):
        raise FileFormatError(f"{path}: a suite of understanding has questions, and no scenes")
    if not asked and (questions or header.works):
        raise FileFormatError(f"{path}: questions and works are for suites of understanding only")
    return questions


def _as_scene(question: QuestionFile) -> SceneFile:
    return SceneFile(id=question.id, notes=question.notes, prompts={NEUTRAL: question.text})


def _prompts_of(scene: SceneFile, header: SuiteFile, where: Path) -> list[Prompt]:
    if scene.frames and header.modality != "video":
        raise FileFormatError(f"{where}: scene {scene.id!r}: frames are for suites of video only")
    for target, texts in scene.prompts.items():
        if target not in {*header.traditions, NEUTRAL}:
            known = ", ".join([*header.traditions, NEUTRAL])
            raise FileFormatError(
                f"{where}: scene {scene.id!r}: unknown target {target!r}; the suite's are {known}"
            )
        if not texts:
            raise FileFormatError(f"{where}: {scene.id}/{target} has no text in any language")
        for language, text in texts.items():
            if not text.strip():
                raise FileFormatError(
                    f"{where}: {scene.id}/{target}: the text in {language!r} is empty"
                )
    return [
        Prompt(
            id=f"{scene.id}/{target}",
            suite=header.suite,
            scene=scene.id,
            target=target,
            modality=header.modality,
            text=texts,
            genre=scene.genre,
            tags=scene.tags,
            notes=scene.notes,
            stratum=scene.stratum,
            diagnosticity=scene.diagnosticity,
            frames=scene.frames,
        )
        for target, texts in scene.prompts.items()
    ]

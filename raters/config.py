"""What an organiser writes: `configs/studies/*.yaml`, which pictures are asked of whom and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.reading import FileModel, check, find_config, read_yaml

RoomLanguage = Literal["zh", "en"]
"""Languages in which the rating room speaks."""

Names = list[str]
Text = dict[RoomLanguage, str]


class Select(FileModel):
    """Which outputs of the runs are taken; what is left out takes all.

    `scenes_per_target` draws so many scenes of each target that it names (other targets are left
    out), spread over genres, of those that every model has made. Other traditions draw theirs from
    the home tradition's scenes, since indices pair them; the neutral target, where it can, does
    not, so that few scenes come back to a rater. `per_cell` takes the first so many seeds of every
    model, prompt and language.
    """

    targets: Names | None = Field(default=None, min_length=1)
    languages: Names | None = Field(default=None, min_length=1)
    seeds: list[int] | None = Field(default=None, min_length=1)
    models: Names | None = Field(default=None, min_length=1)
    scenes: Names | None = Field(default=None, min_length=1)
    scenes_per_target: dict[str, int] | None = Field(default=None, min_length=1)
    per_cell: int | None = Field(default=None, ge=1)


class Single(FileModel):
    """Single items, first judged alone: how many raters attribute each."""

    raters_per_item: int = Field(ge=1)


class Scales(FileModel):
    """Of which single items the scales are asked, in phase two, and of how many of their raters.

    `targets` holds targets of outputs and true traditions of references alike; left out, it is the
    home tradition. `scenes` and `references` draw so many; left out, all. `raters_per_item` left
    out: all who attribute it.
    """

    targets: Names | None = None
    scenes: int | None = Field(default=None, ge=1)
    references: int | None = Field(default=None, ge=0)
    raters_per_item: int | None = Field(default=None, ge=1)


class Pairs(FileModel):
    """Pairs of two models' outputs: votes per pair, and of which targets (left out: home).

    Where the scales are asked of some scenes only, the pairs are of those scenes.
    """

    votes_per_pair: int = Field(ge=1)
    targets: Names | None = Field(default=None, min_length=1)


class Analyses(FileModel):
    """Pairs of two models' answers about one work, where the runs are of understanding.

    An analysis is a model's answers to `questions`, in this order, each under its question.
    """

    questions: Names = Field(default=["overview"], min_length=1)
    votes_per_pair: int = Field(ge=1)


class References(FileModel):
    """How many references of each tradition are drawn; left out, all.

    `foils` names the traditions beside the suite's of which works are shown too, and how many of
    each at most; 0 leaves those of the folder out. They are attributed and nothing else.
    """

    per_tradition: int | None = Field(default=None, ge=1)
    foils: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class Ask(FileModel):
    """Which questions are asked beside attribution, scales and pairs.

    Of a single picture: `traces` of another tradition and how strong, and whether this very work
    was `recognised`. With the scales: `flags`, faults placed by a click. In a short closing series:
    `human`, made by a person or by a model, and whether the program was recognised. Everywhere:
    a free `remark`.
    """

    traces: bool = True
    recognised: bool = True
    human: bool = True
    flags: bool = True
    remark: bool = True


class WarmUps(FileModel):
    """Items shown first and discarded: of the first session, and of each later one (BT.500)."""

    first: int = Field(default=5, ge=0)
    later: int = Field(default=3, ge=0)


class Example(FileModel):
    """One training item: a picture of its own (a path beside the YAML), and what is said of it.

    With `scales` its scales are asked too, and `caption` is then the scene's text.
    """

    picture: str
    manner: str
    things: str
    explain: Text
    scales: dict[str, int] = Field(default_factory=dict)
    caption: Text = Field(default_factory=dict)


class Box(FileModel):
    """A box in shares of the picture's width and height, from its upper left corner."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)
    width: float = Field(gt=0, le=1)
    height: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.x + self.width > 1 + 1e-9 or self.y + self.height > 1 + 1e-9:
            raise ValueError("the box reaches beyond the picture")
        return self


class Option(FileModel):
    """One answer that a question offers."""

    id: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    label: Text


class Question(FileModel):
    """What raters are asked about themselves; without options it takes a line of text."""

    id: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    question: Text
    options: list[Option] = Field(default_factory=list)
    required: bool = False


class Seconds(FileModel):
    """Seconds per task where the pilot found others than the table's."""

    attribution: float | None = Field(default=None, gt=0)
    scale: float | None = Field(default=None, gt=0)
    pair: float | None = Field(default=None, gt=0)
    detection: float | None = Field(default=None, gt=0)


class StudyFile(FileModel):
    """A study as its organiser asks for it."""

    study: str = Field(pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1)
    rubric: str = "core"
    languages: list[RoomLanguage] = Field(default=["zh", "en"], min_length=1)
    labels: list[str] = Field(default_factory=list)
    seed: int = Field(ge=0)
    raters: int = Field(ge=1)
    select: Select = Select()
    single: Single = Single(raters_per_item=1)
    scales: Scales = Scales()
    pairs: Pairs | None = None
    analyses: Analyses | None = None
    references: References = References()
    ask: Ask = Ask()
    anchors: int = Field(default=0, ge=0)
    repeats: float = Field(default=0.07, ge=0, le=0.5)
    warm_ups: WarmUps = WarmUps()
    attention: int = Field(default=0, ge=0)
    detections: int = Field(default=12, ge=0)
    training: list[Example] = Field(default_factory=list)
    mask: Box | None = None
    sessions: int | None = Field(default=None, ge=1)
    budget_hours: float | None = Field(default=None, gt=0)
    seconds: Seconds = Seconds()
    debriefing: Text = Field(default_factory=dict)
    background: list[Question] = Field(default_factory=list)
    simulated: bool = False

    @model_validator(mode="after")
    def _shows_pictures_or_answers(self) -> Self:
        of_pictures = self.model_fields_set & {"single", "scales", "pairs", "anchors", "training"}
        if self.analyses is None and "single" not in self.model_fields_set:
            raise ValueError("say what raters see: `single` for pictures, `analyses` for answers")
        if self.analyses and of_pictures:
            raise ValueError(f"a study of answers has no {min(of_pictures)}")
        if self.analyses and self.analyses.votes_per_pair > self.raters:
            raise ValueError(
                f"votes_per_pair {self.analyses.votes_per_pair} exceeds raters {self.raters}"
            )
        return self

    @model_validator(mode="after")
    def _there_are_raters_enough(self) -> Self:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("a language is given twice")
        each = self.single.raters_per_item
        if each > self.raters:
            raise ValueError(f"raters_per_item {each} exceeds raters {self.raters}")
        if self.pairs and self.pairs.votes_per_pair > self.raters:
            raise ValueError(
                f"votes_per_pair {self.pairs.votes_per_pair} exceeds raters {self.raters}"
            )
        if (self.scales.raters_per_item or 0) > each:
            raise ValueError(
                f"scales.raters_per_item {self.scales.raters_per_item} exceeds the "
                f"raters_per_item {each} of single items: whoever rates a picture attributes it first"
            )
        return self

    @model_validator(mode="after")
    def _labels_are_ids(self) -> Self:
        for label in self.labels:
            if not label.replace("_", "").replace("-", "").isalnum() or not label.islower():
                raise ValueError(f"the label {label!r} is no id: use a-z, 0-9, _ and -")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label is given twice")
        asked = [question.id for question in self.background]
        if len(set(asked)) < len(asked):
            raise ValueError("a question of the background is given twice")
        return self

    @model_validator(mode="after")
    def _texts_are_in_every_language(self) -> Self:
        texts = [("debriefing", self.debriefing)] if self.debriefing else []
        for number, example in enumerate(self.training, 1):
            texts.append((f"training {number}: explain", example.explain))
            if example.scales or example.caption:
                texts.append((f"training {number}: caption", example.caption))
        for question in self.background:
            texts.append((f"background {question.id}", question.question))
            texts += [(f"background {question.id}", one.label) for one in question.options]
        for name, text in texts:
            for language in self.languages:
                if not text.get(language):
                    raise ValueError(f"{name} lacks a text in {language!r}")
        return self


def load_config(name: str | Path) -> StudyFile:
    """Return the study of that name in `configs/studies/`, or at that path.

    Raises:
        RequestError: there is none.
        FileFormatError: the file breaks the schema.
    """
    path = find_config("studies", str(name))
    return check(read_yaml(path), StudyFile, path)

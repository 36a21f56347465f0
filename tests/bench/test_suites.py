from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.errors import FileFormatError, RequestError
from bench.suites import list_suites, load_suite, select
from tests.conftest import suite_content, write_yaml


def load(tmp_path: Path, content: dict[str, Any]) -> Any:
    return load_suite(str(write_yaml(tmp_path / "suite-under-test.yaml", content)))


def test_prompts_carry_what_the_scene_says(tmp_path: Path) -> None:
    suite = load(tmp_path, suite_content())
    prompt = suite.prompts["boat-1/chinese"]
    assert (prompt.scene, prompt.target, prompt.genre) == ("boat-1", "chinese", "landscape")
    assert prompt.text["zh"] == "一幅中国画：秋江孤舟"
    assert suite.languages == ("en", "zh")
    assert suite.scenes == ("boat-0", "boat-1")


def test_the_hash_is_that_of_the_content_and_survives_the_single_file_form(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    content = suite_content()
    scenes = content.pop("scenes")
    write_yaml(folder / "suite.yaml", content)
    write_yaml(folder / "scenes-a.yaml", {"scenes": scenes})
    split = load_suite(str(folder))
    whole = load(tmp_path, dict(split.content))
    assert whole.hash == split.hash
    changed = deepcopy(suite_content())
    changed["scenes"][0]["prompts"]["none"]["en"] += " at dusk"
    assert load(tmp_path, changed).hash != split.hash


def change(path: list[Any], value: Any) -> dict[str, Any]:
    content = deepcopy(suite_content())
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (change(["colour"], "red"), "colour: unknown key"),
        (change(["scenes", 0, "mood"], "calm"), "scenes.0 ('boat-0').mood: unknown key"),
        (change(["scenes", 1, "id"], "boat-0"), "'boat-0' is there twice"),
        (
            change(["scenes", 0, "id"], "Boat--One"),
            "scenes.0 ('Boat--One').id: write lower-case letters, digits and single hyphens",
        ),
        (change(["scenes", 1, "frames"], 0), "scenes.1 ('boat-1').frames: "),
        (change(["scenes", 0, "prompts", "none", "en"], "  "), "the text in 'en' is empty"),
        (change(["scenes", 0, "prompts", "none"], {}), "no text in any language"),
        (change(["scenes", 0, "prompts", "martian"], {"en": "a"}), "unknown target 'martian'"),
        (change(["scenes"], []), "no scenes"),
        (change(["modality"], "smell"), "modality"),
        (change(["version"], 0), "version"),
        (change(["home"], "martian"), "home 'martian' is not one of the traditions"),
    ],
)
def test_a_faulty_suite_is_refused_naming_the_place(
    tmp_path: Path, content: dict[str, Any], says: str
) -> None:
    with pytest.raises(FileFormatError) as caught:
        load(tmp_path, content)
    assert says in str(caught.value)
    assert "suite-under-test.yaml" in str(caught.value)


def test_yaml_that_is_none_or_gives_a_key_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("suite: a\nsuite: b\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="'suite' is given twice"):
        load_suite(str(path))
    path.write_text("suite: [a\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="not valid YAML"):
        load_suite(str(path))
    path.write_bytes("suite: 画\n".encode("gbk"))
    with pytest.raises(FileFormatError, match=r"twice\.yaml is not UTF-8: save it as UTF-8"):
        load_suite(str(path))


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="first-look"):
        load_suite("no-such-suite")
    with pytest.raises(RequestError, match=r"no suite\.yaml"):
        load_suite(str(tmp_path))


def test_a_language_that_is_missing_is_named_with_its_prompt(suite_path: Path) -> None:
    suite = load_suite(str(suite_path))
    with pytest.raises(RequestError, match="boat-0/chinese has no text in 'fr'"):
        select(suite, ["zh", "fr"])


def test_select_by_target_and_limit(suite_path: Path) -> None:
    suite = load_suite(str(suite_path))
    assert [prompt.id for prompt in select(suite, ["zh"], targets=["none"])] == [
        "boat-0/none",
        "boat-1/none",
    ]
    assert len(select(suite, ["zh"], limit=3)) == 3
    with pytest.raises(RequestError, match="nothing of target 'japanese'"):
        select(suite, ["zh"], targets=["japanese"])


@pytest.mark.parametrize("name", list_suites())
def test_every_shipped_suite_is_good(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert set(suite.languages) >= {"zh", "en"}
    assert (Path("prompts") / name / "README.md").is_file()

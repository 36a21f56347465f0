from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import FileFormatError, RequestError
from bench.reading import ROOT
from bench.references import load_references
from bench.rubrics import load_rubric
from bench.suites import list_suites, load_suite
from tests.conftest import write_yaml

NAMES = sorted(file.stem for file in (ROOT / "configs" / "rubrics").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_rubric_says_in_both_languages_what_is_visible_at_1_3_and_5(
    name: str,
) -> None:
    rubric = load_rubric(name)
    assert rubric.id == name
    for scale in rubric.scales:
        assert set(scale.anchors) == {1, 3, 5}
        for text in (scale.label, scale.question, scale.example, *scale.anchors.values()):
            assert set(text) == {"zh", "en"}, scale.id
            assert all(part.strip() for part in text.values()), scale.id


def test_scales_apply_to_genres_that_the_suites_or_the_reference_works_have() -> None:
    genres = {scene.genre for name in list_suites() for scene in load_suite(name).scene_files}
    genres |= {work.genre for work in load_references(load_suite("chinese-aesthetics")).references}
    for name in NAMES:
        for scale in load_rubric(name).scales:
            assert set(scale.applies_to) <= genres, (name, scale.id)


def test_the_canons_ask_something_of_every_reference_genre_but_those_with_a_rubric() -> None:
    asked = {genre for scale in load_rubric("six-canons").scales for genre in scale.applies_to}
    works = load_references(load_suite("chinese-aesthetics")).references
    assert {work.genre for work in works} - asked == {"calligraphy-and-seal", "opera"}


@pytest.mark.parametrize("name", NAMES)
def test_experts_may_answer_not_applicable(name: str) -> None:
    # a lay panel is not asked to judge what applies; an analysis can always be judged
    assert load_rubric(name).not_applicable == (name not in {"quick", "understanding"})


def test_the_core_has_its_four_scales() -> None:
    labels = [scale.label["zh"] for scale in load_rubric("core").scales]
    assert labels == ["气韵与意境", "笔墨", "经营与虚实", "形色与题意"]


def scale(**changed: Any) -> dict[str, Any]:
    text = {"zh": "字", "en": "word"}
    anchors = {1: text, 3: text, 5: text}
    return {"id": "spirit", "label": text, "question": text, "anchors": anchors} | changed


@pytest.mark.parametrize(
    ("scales", "says"),
    [
        ([], "scales"),
        ([scale(low=5, high=1)], "low must be less than high"),
        ([scale(high=4)], "anchor 5 lies off the scale 1 to 4"),
        ([scale(), scale()], "two scales have one id"),
        ([scale(colour="red")], "colour: unknown key"),
        ([scale(level="nice")], "level"),
    ],
)
def test_a_faulty_rubric_is_refused(
    tmp_path: Path, scales: list[dict[str, Any]], says: str
) -> None:
    path = write_yaml(tmp_path / "r.yaml", {"rubric": "r", "version": 1, "scales": scales})
    with pytest.raises(FileFormatError, match=says):
        load_rubric(str(path))


def test_weights_are_read_and_change_the_hash(tmp_path: Path) -> None:
    content = {"rubric": "r", "version": 1, "scales": [scale(), scale(id="brush")]}
    plain = load_rubric(str(write_yaml(tmp_path / "plain.yaml", content)))
    weights = {"spirit": 3, "brush": 1}
    weighed = load_rubric(str(write_yaml(tmp_path / "r.yaml", content | {"weights": weights})))
    assert (plain.weights, weighed.weights) == ({}, weights)
    assert plain.hash != weighed.hash


def test_a_rubric_that_says_nothing_of_later_keys_keeps_the_hash_that_responses_carry() -> None:
    frozen = "7feb26f0745e47a30878eb307af80c7a27ac3bb7cd22eea387371155cb9f32cd"
    assert load_rubric("quick").hash == frozen


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"spirit": 1}, "every scale and nothing else: see 'brush'"),
        ({"spirit": 1, "brush": 1, "ink": 1}, "see 'ink'"),
        ({"spirit": -1, "brush": 2}, "must not be negative"),
        ({"spirit": 0, "brush": 0}, "not all be 0"),
        ({"spirit": float("nan"), "brush": 1}, "weights"),
    ],
)
def test_faulty_weights_are_refused(tmp_path: Path, weights: dict[str, float], says: str) -> None:
    content = {"rubric": "r", "version": 1, "scales": [scale(), scale(id="brush")]}
    path = write_yaml(tmp_path / "r.yaml", content | {"weights": weights})
    with pytest.raises(FileFormatError, match=says):
        load_rubric(str(path))


def test_an_unknown_rubric_lists_what_there_is() -> None:
    with pytest.raises(RequestError, match="core"):
        load_rubric("no-such-rubric")

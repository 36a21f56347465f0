"""Plans from configs: what is selected, whether thirty experts can finish it, what is warned of."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import FileFormatError, RequestError
from bench.reading import check
from bench.records import FOIL
from bench.rubrics import load_rubric
from raters.config import Scales, Select, StudyFile, load_config
from raters.create import refuse_over_budget
from raters.design import blocks
from raters.material import put_together, rules_for
from raters.selection import selected, with_scales
from raters.sources import Candidate, Sources
from raters.summary import plan_summary

TRADITIONS = ("chinese", "japanese", "western")
GENRES = ("ink", "fine-colour", "woodblock", "open")


def output(model: str, scene: str, target: str, *, genre: str = "", seed: int = 0) -> Candidate:
    key = {
        "suite": "tiny", "language": "zh", "seed": seed, "genre": genre, "stratum": "",
        "prompt": f"{scene}/{target}", "key": f"{model} {scene} {target} {seed}",
        "synthetic": False, "status": "ok",
    }  # fmt: skip
    return Candidate(Path(), "", "output", model, scene, target, {}, size=(64, 64), key=key)


def reference(tradition: str, number: int, diagnosticity: str = "distinct") -> Candidate:
    key = {
        "suite": "tiny", "language": "", "seed": None, "genre": "", "stratum": f"s{number % 4}",
        "prompt": f"{tradition}-{number}", "key": "", "synthetic": False, "status": "ok",
        "diagnosticity": diagnosticity,
    }  # fmt: skip
    scene = f"reference/{tradition}-{number}"
    return Candidate(Path(), "", "reference", "reference", scene, tradition, {}, key=key)


def outputs(models: int, scenes: int, **changes: Any) -> list[Candidate]:
    return [
        output(f"m{model}", f"scene-{scene:02}", target, genre=GENRES[scene % 4], **changes)
        for model, scene, target in product(range(models), range(scenes), (*TRADITIONS, "none"))
    ]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scenes_of(found: list[Candidate], target: str) -> set[str]:
    return {one.scene for one in found if one.target == target}


def test_scenes_are_drawn_per_target_and_paired_where_indices_pair_them() -> None:
    select = Select(scenes_per_target={"chinese": 12, "japanese": 6, "none": 6, "western": 4})
    found = selected(outputs(3, 20), select, "chinese", rng())
    home = scenes_of(found, "chinese")
    assert len(home) == 12
    assert scenes_of(found, "japanese") < home
    assert scenes_of(found, "western") < home
    assert not scenes_of(found, "japanese") & scenes_of(found, "western")
    assert len(scenes_of(found, "none")) == 6
    assert not scenes_of(found, "none") & home
    genres = Counter(one.key["genre"] for one in found if one.target == "chinese")
    assert set(genres.values()) == {9}


def test_scenes_that_a_model_lacks_are_not_drawn_and_too_few_are_refused() -> None:
    there = [one for one in outputs(2, 6) if (one.model, one.scene) != ("m0", "scene-03")]
    found = selected(there, Select(scenes_per_target={"chinese": 5}), "chinese", rng())
    assert "scene-03" not in scenes_of(found, "chinese")
    with pytest.raises(RequestError, match="asks for 6 scenes of chinese, and all models have 5"):
        selected(there, Select(scenes_per_target={"chinese": 6}), "chinese", rng())
    with pytest.raises(RequestError, match="no output has 'korean'"):
        selected(there, Select(scenes_per_target={"korean": 1}), "chinese", rng())


def test_the_first_seeds_of_every_cell_are_taken() -> None:
    there = outputs(2, 2, seed=4) + outputs(2, 2, seed=1) + outputs(2, 2, seed=7)
    found = selected(there, Select(per_cell=2, scenes=["scene-01"]), "chinese", rng())
    assert {one.key["seed"] for one in found} == {1, 4}
    assert {one.scene for one in found} == {"scene-01"}


def test_scales_are_asked_of_so_many_scenes_and_references() -> None:
    there = outputs(2, 8) + [reference(name, n) for name in TRADITIONS for n in range(8)]
    scaled = with_scales(there, Scales(scenes=4, references=3), "chinese", rng())
    chosen = [one for one, has in zip(there, scaled, strict=True) if has]
    assert {one.target for one in chosen} == {"chinese"}
    assert Counter(one.kind for one in chosen) == {"output": 2 * 4, "reference": 3}
    for wrong, words in (({"scenes": 9}, "there are 8"), ({"references": 9}, "there are 8")):
        with pytest.raises(RequestError, match=words):
            with_scales(there, Scales(**wrong), "chinese", rng())


@pytest.fixture(scope="module")
def confirmatory() -> tuple[StudyFile, dict[str, Any], dict[str, int]]:
    """The shipped default on eight models and a suite of 72 scenes, without any pictures."""
    # simulated: so that opaque names, and with them ties, are the same every time
    file = load_config("confirmatory").model_copy(update={"simulated": True})
    sources = Sources("chinese", TRADITIONS, {}, "image", tuple(outputs(8, 72)), ())
    chosen = selected(sources.outputs, file.select, "chinese", rng())
    chosen += [reference(name, n) for name in TRADITIONS for n in range(64)]
    foils = file.references.foils
    chosen += [reference(name, n, FOIL) for name, most in foils.items() for n in range(most)]
    rubric = load_rubric(file.rubric)
    material = put_together(file, sources, chosen, [], [], rubric=rubric, rng=rng(1))
    rules = rules_for(file, material)
    planned = blocks(material.items, material.pairs, rules, rng(2))
    found = plan_summary(planned, material.items, material.pairs, rules)
    counts = {
        "items": len(material.items),
        "pairs": len(material.pairs),
        "scaled": sum(item.scaled for item in material.items),
    }
    return file, found, counts


def test_the_shipped_study_is_what_was_promised(
    confirmatory: tuple[StudyFile, dict[str, Any], dict[str, int]],
) -> None:
    _, found, counts = confirmatory
    assert counts == {
        "items": (48 + 24 + 24) * 8 + 3 * 64 + 12 + 6,
        "pairs": 24 * 8 * 7 // 2,
        "scaled": 24 * 8 + 24,
    }
    checks = found["check"]
    assert checks["raters_per_item"] == [6, 6]
    assert checks["raters_per_scaled_item"] == [5, 5]
    assert checks["votes_per_pair"] == [2, 2]
    assert (checks["anchors"], checks["raters_per_anchor"]) == (20, [30, 30])
    assert found["raters"] == 30


def test_the_shipped_study_is_balanced(
    confirmatory: tuple[StudyFile, dict[str, Any], dict[str, int]],
) -> None:
    checks = confirmatory[1]["check"]

    def width(name: str) -> float:
        return checks[name][1] - checks[name][0]

    assert width("items_per_rater") <= 1
    assert checks["sides"] <= 1
    assert checks["twice"]["singles"] == 0
    assert checks["repeats_apart"] >= 1
    assert checks["pairs_connected"]
    left = checks["without_two_raters"]
    assert (left["raters_per_item"], left["pairs_connected"], left["raters_connected"]) == (
        4, True, True,
    )  # fmt: skip
    differ = checks["raters_differ_by"]
    assert differ["of_a_scene"] <= 1
    assert differ["of_a_model"] <= 2
    assert differ["of_a_target"] <= 2
    assert differ["references_of_a_tradition"] <= 2
    least, most = checks["carry_over"]
    assert least >= 0.85
    assert most <= 1.15
    least, most = checks["share_of_references_in_a_session"]
    assert least > 0.12
    assert most < 0.28


def test_thirty_experts_can_finish_the_shipped_study(
    confirmatory: tuple[StudyFile, dict[str, Any], dict[str, int]],
) -> None:
    file, found, _ = confirmatory
    refuse_over_budget(file, found)
    assert found["sessions_per_rater"] == 4
    assert found["check"]["session_minutes"][1] <= 30
    assert found["hours_per_rater"] <= 2
    # facts: k = 5, R = 30 detects .52 with 24 scenes
    assert found["detectable_difference"] == 0.52


def test_a_plan_over_its_budget_is_refused(
    confirmatory: tuple[StudyFile, dict[str, Any], dict[str, int]],
) -> None:
    file, found, _ = confirmatory
    with pytest.raises(RequestError, match=r"budget_hours is 1\.5: take fewer"):
        refuse_over_budget(file.model_copy(update={"budget_hours": 1.5}), found)
    long = {**found, "check": {**found["check"], "session_minutes": [20, 41.5]}}
    with pytest.raises(RequestError, match=r"takes 41\.5 minutes"):
        refuse_over_budget(file, long)
    free = file.model_copy(update={"budget_hours": None, "sessions": None})
    refuse_over_budget(free, long)


BASE: dict[str, Any] = {
    "study": "s", "version": 1, "seed": 1, "raters": 4, "single": {"raters_per_item": 2},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["Other Asian"]}, "is no id"),
        ({"labels": ["a", "a"]}, "given twice"),
        ({"scales": {"raters_per_item": 3}}, "attributes it first"),
        ({"ask": {"colour": True}}, "ask.colour: unknown key"),
        ({"repeats": 0.9}, "repeats"),
        ({"mask": {"x": 0.9, "y": 0, "width": 0.2, "height": 0.1}}, "beyond the picture"),
        ({"debriefing": {"en": "only"}}, "debriefing lacks a text in 'zh'"),
        (
            {"training": [{"picture": "p", "manner": "a", "things": "b", "explain": {"zh": "x"}}]},
            "training 1: explain lacks a text in 'en'",
        ),
        ({"seconds": {"attribution": 0}}, "seconds.attribution"),
        ({"sessions": 0}, "sessions"),
        ({"budget_hours": -1}, "budget_hours"),
        ({"select": {"per_cell": 0}}, "select.per_cell"),
    ],
)
def test_bad_configs_are_refused_in_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(FileFormatError, match=words):
        check({**BASE, **change}, StudyFile, Path("study.yaml"))


@pytest.mark.parametrize("name", ["first-look", "demo", "confirmatory"])
def test_shipped_configs_are_read(name: str) -> None:
    assert load_config(name).study == name

"""Works of traditions that are not compared, from the config to the table: attributed, no more."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import RequestError
from bench.join import read_key
from bench.records import FOIL, REFERENCE
from bench.reporting import report_labels
from bench.scoring import study_tables
from raters.create import create
from raters.design import blocks, further_block
from raters.report import report
from raters.simulated import simulate
from raters.study import status
from raters.tasks import Item, Rules
from tests.raters.material import (
    look,
    picture,
    save,
    write_config,
    write_references,
    write_rows,
)


def museum(folder: Path, *traditions: str, each: int = 2, **changes: str) -> Path:
    """Write a folder of references of the suite's traditions, and foils beside them."""
    write_references(folder, each=3)
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for number in range(each * len(traditions)):
        tradition = traditions[number % len(traditions)]
        name = f"{tradition}-foil{number}.png"
        sha256 = save(picture(5000 + number, (60, 40), 0.5), folder / name, "a scan")
        own = {"file_name": name, "id": f"museum-{tradition}-foil{number}", "tradition": tradition}
        rows.append({**rows[0], **own, "sha256": sha256, "diagnosticity": FOIL, **changes})
    write_rows(folder, rows)
    return folder


def made(tmp_path: Path, run: Path, folder: Path, **changes: Any) -> tuple[Path, dict[str, Any]]:
    asked = {"traces": False, "recognised": False, "human": True, "flags": False}
    config = write_config(tmp_path / "config", ask=asked, detections=8, **changes)
    summary = create(config, [run], references=folder, out=tmp_path / "study")
    return tmp_path / "study", summary


def test_foils_are_shown_attributed_and_nothing_else(tmp_path: Path, run: Path) -> None:
    folder = museum(tmp_path / "museum", "korean", "vietnamese", each=4)
    foils = {"korean": 4, "vietnamese": 2}
    study, summary = made(
        tmp_path, run, folder, references={"foils": foils}, labels=["korean"], anchors=12
    )
    assert (summary["references"], summary["foils"]) == (9, foils)
    key = read_key(study)
    foil = key[key["diagnosticity"] == FOIL]
    assert Counter(foil["target"]) == foils
    assert set(foil["model"]) == {REFERENCE}
    assert not foil["anchor"].any()
    simulate(study, look=look, rng=np.random.default_rng(0), count=7)  # one more than planned
    tables = study_tables(study)
    seen = tables["attributions"]
    assert set(seen.loc[seen["diagnosticity"] == FOIL, "item"]) == set(foil.index)
    for name in ("ratings", "detections"):
        assert len(tables[name])
        assert not set(tables[name]["item"]) & set(foil.index), name
    assert report_labels([study])["vietnamese"] == {"en": "Vietnamese", "zh": "越南"}
    told = report(study)
    assert "9 references and 6 foils of other traditions" in told["en"]
    assert "另有邻近传统的陪衬作品 6 件" in told["zh"]
    assert status(study)["responses"]


def test_nothing_outside_the_seal_says_which_work_is_of_which_foil(
    tmp_path: Path, run: Path
) -> None:
    folder = museum(tmp_path / "museum", "vietnamese")
    study, _ = made(tmp_path, run, folder, references={"foils": {"vietnamese": 2}})
    for file in study.rglob("*"):
        if file.is_file() and "sealed" not in file.parts:
            assert b"vietnamese" not in file.read_bytes(), file


def test_what_is_drawn_of_the_suites_traditions_does_not_depend_on_foils(
    tmp_path: Path, run: Path
) -> None:
    folder = museum(tmp_path / "museum", "korean", each=6)
    own = {"per_tradition": 2}
    drawn = []
    for number, foils in enumerate(({"korean": 0}, {"korean": 3})):
        study, _ = made(tmp_path / str(number), run, folder, references={**own, "foils": foils})
        key = read_key(study)
        drawn.append(set(key.loc[key["diagnosticity"] != FOIL, "prompt"]))
    assert drawn[0] == drawn[1]
    assert len([name for name in drawn[0] if name.startswith("museum-")]) == 6


def test_a_folder_without_foils_is_as_before_and_a_foil_that_is_not_there_is_said(
    tmp_path: Path, run: Path, references: Path
) -> None:
    _, summary = made(tmp_path, run, references, references={"foils": {"koraen": 3, "indian": 0}})
    assert (summary["references"], summary["foils"]) == (9, {})
    assert "no reference is a foil of 'koraen', which references.foils names" in summary["warnings"]
    assert not any("indian" in warning for warning in summary["warnings"])


@pytest.mark.parametrize(
    ("row", "config", "says"),
    [
        ({"tradition": "koraen"}, {}, "museum-koraen-foil0: a foil of 'koraen', which the study"),
        ({"tradition": "korean"}, {}, "enter it under references.foils, with 0 to leave it out"),
        (
            {"tradition": "korean", "diagnosticity": "distinct"},
            {},
            "unknown tradition 'korean'; the suite's are chinese, japanese, western",
        ),
        ({"tradition": "korean", "diagnosticity": "fiol"}, {}, "diagnosticity"),
        ({"tradition": "japanese"}, {}, "'japanese' cannot be a foil"),
        (
            {"tradition": "korean"},
            {"references": {"foils": {"japanese": 3, "korean": 3}}},
            "references.foils: 'japanese' is asked of models",
        ),
        (
            {"tradition": "korean"},
            {"references": {"foils": {"korean": -1}}},
            r"references\.foils\.korean",
        ),
        (
            {"tradition": "korean"},
            {"references": {"foils": {"korean": 2}}, "scales": {"targets": ["korean"]}},
            "scales.targets: 'korean' is a foil: foils are attributed and no more",
        ),
    ],
)
def test_a_foil_that_is_none_leaves_no_study_behind(
    tmp_path: Path, run: Path, row: dict[str, str], config: dict[str, Any], says: str
) -> None:
    tradition = row["tradition"]
    more = {name: value for name, value in row.items() if name != "tradition"}
    folder = museum(tmp_path / "museum", tradition, each=1, **more)
    with pytest.raises(RequestError, match=says):
        made(tmp_path, run, folder, **config)
    assert not (tmp_path / "study").exists()


def items() -> list[Item]:
    own = [Item(f"o{n}", f"s{n}", f"m{n % 2}", "t0") for n in range(12)]
    works = [Item(f"w{n}", f"w{n}", "ref", f"t{n % 3}", reference=True) for n in range(9)]
    foils = [Item(f"f{n}", f"f{n}", "ref", "t9", reference=True, foil=True) for n in range(6)]
    return [*own, *works, *foils]


def test_blocks_hold_equal_numbers_of_foils_and_none_in_the_closing_series() -> None:
    rules = Rules(raters=9, raters_per_item=3, scales_per_item=0, votes_per_pair=0, detections=8)
    planned = blocks(items(), [], rules, np.random.default_rng(0))
    counts = [Counter(task.kind for task in block) for block in planned]
    assert {count["foil"] for count in counts} == {2}
    assert {count["reference"] for count in counts} == {3}
    further = further_block(
        items(),
        [],
        {},
        {},
        rules=rules,
        singles=9,
        scaled=0,
        duels=0,
        rng=np.random.default_rng(0),
    )
    for block in [*planned, further]:
        closing = {task.stimuli[0] for task in block if task.kind == "detection"}
        assert closing
        assert not any(name.startswith("f") for name in closing)


def test_more_anchors_than_there_are_items_but_foils_are_refused(tmp_path: Path, run: Path) -> None:
    folder = museum(tmp_path / "museum", "korean", each=3)
    with pytest.raises(RequestError, match="anchors: 118 are asked for, and there are 117 items"):
        made(tmp_path, run, folder, references={"foils": {"korean": 3}}, anchors=118)

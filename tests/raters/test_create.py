from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.join import read_key, reveal
from bench.media import plain_srgb
from bench.reading import ROOT
from raters.config import load_config
from raters.create import create
from raters.export import tables
from raters.simulated import simulate
from raters.stimuli import fitted
from raters.study import criterion_labels, invite, levels, status
from tests.raters.material import (
    UNSPEAKABLE,
    look,
    write_config,
    write_references,
    write_rows,
    write_run,
)


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metadata.jsonl").read_text().splitlines()]


def key_of(study: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (study / "sealed" / "key.jsonl").read_text().splitlines()]


def test_the_shipped_study_is_read() -> None:
    config = load_config(ROOT / "configs" / "studies" / "first-look.yaml")
    assert (config.raters, config.single.raters_per_item) == (24, 6)
    assert config.pairs.votes_per_pair == 4


def test_a_study_may_have_no_pairs(make_study: Callable[..., Path]) -> None:
    study = make_study(raters=2, single={"raters_per_item": 1}, pairs=None)
    simulate(study, look=look, rng=np.random.default_rng(0), count=3)  # one more than planned
    found = tables(study)
    assert len(found["votes"]) == 0
    assert set(found["attributions"]["rater"]) == {"r001", "r002", "r003"}


def test_a_study_counts_what_it_holds(tmp_path: Path, run: Path, references: Path) -> None:
    config = write_config(tmp_path / "config")
    summary = create(config, [run], references=references, out=tmp_path / "study")
    # 3 models × 3 scenes × 3 targets × 2 languages × 2 seeds, and 3 references of each tradition
    assert (summary["outputs"], summary["references"]) == (108, 9)
    assert summary["with_scales"] == 36 + 3
    assert summary["pairs"] == 3 * 2 * 2 * 3
    assert summary["singles_per_rater"] == [39, 39]
    assert summary["pairs_per_rater"] == [12, 12]
    # 39 × 15 s, about 13 × two scales of 10 s, 12 × 20 s
    assert 0.25 < summary["hours_per_rater"] < 0.4
    assert summary["stand_ins"] == 9
    assert summary["cues"] == {"another size or shape than most": 9}


def test_copies_are_clean_and_alike(study: Path) -> None:
    files = sorted((study / "stimuli").iterdir())
    assert len(files) == 117
    for file in files:
        with Image.open(file) as image:
            assert image.format == "WEBP"
            assert not {"exif", "xmp", "icc_profile"} & set(image.info)
        content = file.read_bytes()
        assert not any(name.encode() in content for name in UNSPEAKABLE)
    assert len({file.stat().st_mtime for file in files}) == 1


def test_copies_keep_every_pixel(study: Path, run: Path) -> None:
    for row in key_of(study)[:20]:
        if row["kind"] == "output":
            with (
                Image.open(study / "stimuli" / f"{row['stimulus']}.webp") as copy,
                Image.open(run / row["file_name"]) as original,
            ):
                assert (np.asarray(copy) == np.asarray(original)).all()


def test_the_key_is_sealed_and_says_all(study: Path, run: Path) -> None:
    rows = key_of(study)
    assert stat.S_IMODE((study / "sealed").stat().st_mode) == 0o700
    output = next(row for row in rows if row["kind"] == "output")
    assert set(output) == {
        "stimulus", "kind", "suite", "home", "model", "prompt", "scene", "target", "language",
        "seed", "genre", "stratum", "diagnosticity", "work", "run", "key", "file_name", "synthetic",
        "status", "anchor",
    }  # fmt: skip
    assert output["run"] == run.name
    reference = next(row for row in rows if row["kind"] == "reference")
    assert reference["model"] == "reference"
    assert reference["prompt"] == f"museum-{reference['target']}-{reference['prompt'][-1]}"
    assert reference["synthetic"] is True


def test_nothing_outside_the_seal_names_a_model_or_a_path(study: Path, tmp_path: Path) -> None:
    for file in study.rglob("*"):
        if file.is_file() and "sealed" not in file.parts:
            content = file.read_bytes()
            assert not any(name.encode() in content for name in UNSPEAKABLE), file
            assert str(tmp_path).encode() not in content, file
    assert str(tmp_path) not in (study / "sealed" / "key.jsonl").read_text()


def test_a_study_can_be_moved(study: Path, tmp_path: Path) -> None:
    shutil.move(study, tmp_path / "elsewhere")
    assert invite(tmp_path / "elsewhere", 1, base_url="http://localhost")
    assert status(tmp_path / "elsewhere")["invited"] == 1


def test_the_scene_is_told_without_its_tradition(study: Path) -> None:
    with closing(sqlite3.connect(study / "ratings.db")) as database:
        captions = {
            json.dumps(json.loads(row[0]))
            for row in database.execute("select captions from stimulus")
        }
    shown = " ".join(json.loads(caption)["en"] for caption in captions)
    assert "a picture of a heron" in shown
    assert "Chinese" not in shown
    assert "Japanese" not in shown


def test_a_scene_without_a_neutral_text_is_counted_as_a_cue(tmp_path: Path, run: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(run, plain)
    suite = yaml.safe_load((plain / "suite.yaml").read_text())
    for scene in suite["scenes"]:
        del scene["prompts"]["none"]
    (plain / "suite.yaml").write_text(yaml.safe_dump(suite, allow_unicode=True))
    rows = rows_of(plain)
    rows = [row for row in rows if not row["prompt"].endswith("/none")]
    write_rows(plain, rows)
    config = write_config(tmp_path / "config")
    summary = create(config, [plain], references=None, out=tmp_path / "study")
    assert summary["cues"] == {"caption names the target": 72}


def test_pictures_are_brought_to_the_smallest_outputs_size(tmp_path: Path, run: Path) -> None:
    other = write_run(tmp_path / "bigger", models=("gnu-large",), seeds=(0,))
    rows = rows_of(other)
    for row in rows:
        path = other / row["file_name"]
        with Image.open(path) as image:
            bigger = image.resize((96, 96))
        bigger.save(path)
        row["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_rows(other, rows)
    config = write_config(tmp_path / "config")
    summary = create(config, [run, other], references=None, out=tmp_path / "study")
    assert summary["size"] == [48, 48]
    assert summary["cues"] == {}


def test_fitting_keeps_proportions() -> None:
    assert fitted(Image.new("RGB", (60, 40)), (48, 48)).size == (48, 32)
    assert fitted(Image.new("RGB", (20, 40)), (48, 48)).size == (24, 48)


def test_transparency_palettes_are_made_plain() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert plain_srgb(clear).getpixel((0, 0)) == (255, 255, 255)
    assert plain_srgb(Image.new("P", (4, 4))).mode == "RGB"
    assert plain_srgb(Image.new("L", (4, 4), 7)).getpixel((0, 0)) == (7, 7, 7)


def test_simulated_studies_made_twice_are_the_same(
    tmp_path: Path, run: Path, references: Path
) -> None:
    found = []
    for name in ("one", "two"):
        config = write_config(tmp_path / f"{name}-config", simulated=True)
        create(config, [run], references=references, out=tmp_path / name)
        simulate(tmp_path / name, look=look, rng=np.random.default_rng(1), count=2)
        found.append(tables(tmp_path / name))
    for name, table in found[0].items():
        assert table.equals(found[1][name])


def test_studies_of_people_are_named_anew_each_time(make_study: Callable[..., Path]) -> None:
    one, two = make_study("one"), make_study("two")
    assert not {row["stimulus"] for row in key_of(one)} & {row["stimulus"] for row in key_of(two)}


def test_levels_and_labels_come_from_the_frozen_rubric(study: Path) -> None:
    assert levels(study) == {"ink": "ordinal", "form": "ordinal"}
    assert criterion_labels(study)["ink"] == {"zh": "笔墨", "en": "Brush"}


def test_names_come_back_only_by_the_key(study: Path) -> None:
    simulate(study, look=look, rng=np.random.default_rng(1), count=2)
    revealed = reveal(tables(study), read_key(study))
    assert set(revealed["votes"]["left"]) <= {"zebra-diffusion", "okapi-flow", "quagga-dit"}
    assert set(revealed["attributions"]["model"]) > {"zebra-diffusion", "reference"}


def test_scales_are_asked_of_the_genres_that_they_apply_to(tmp_path: Path, run: Path) -> None:
    config = write_config(tmp_path / "config")
    rubric = yaml.safe_load((tmp_path / "config" / "small.yaml").read_text())
    rubric["scales"][0]["applies_to"] = ["figure"]
    rubric["scales"][1]["applies_to"] = ["figure", "landscape"]
    (tmp_path / "config" / "small.yaml").write_text(yaml.safe_dump(rubric, allow_unicode=True))
    create(config, [run], references=None, out=tmp_path / "study")
    simulate(tmp_path / "study", look=look, rng=np.random.default_rng(0), count=1)
    assert set(tables(tmp_path / "study")["ratings"]["criterion"]) == {"form"}


# What is refused, with a sentence that names it; and nothing is left behind


@pytest.fixture
def refuse(tmp_path: Path, run: Path, references: Path) -> Callable[..., None]:
    def check(
        error: type[Exception],
        words: str,
        *,
        runs: list[Path] | None = None,
        refs: Path | None = references,
        **changes: Any,
    ) -> None:
        config = write_config(tmp_path / "config", **changes)
        with pytest.raises(error, match=words):
            create(config, runs or [run], references=refs, out=tmp_path / "made" / "study")
        made = tmp_path / "made"
        assert not made.exists() or not list(made.iterdir())

    return check


def test_an_existing_folder_is_refused(tmp_path: Path, run: Path) -> None:
    config = write_config(tmp_path / "config")
    (tmp_path / "study").mkdir()
    with pytest.raises(ConflictError, match="exists already"):
        create(config, [run], references=None, out=tmp_path / "study")


def test_what_is_no_run_is_refused(refuse: Callable[..., None], tmp_path: Path) -> None:
    refuse(RequestError, "not a run folder", runs=[tmp_path])


def test_a_run_given_twice_is_refused(refuse: Callable[..., None], run: Path) -> None:
    refuse(RequestError, "given twice", runs=[run, run])


def test_conflicting_revisions_are_refused(
    refuse: Callable[..., None], tmp_path: Path, run: Path
) -> None:
    other = write_run(tmp_path / "other", revision="d" * 40, seeds=(9,))
    refuse(ConflictError, "different revisions of model zebra-diffusion", runs=[run, other])


def test_one_model_with_and_without_speedups_is_refused(
    refuse: Callable[..., None], tmp_path: Path, run: Path
) -> None:
    other = write_run(tmp_path / "other", seeds=(9,))
    header = yaml.safe_load((other / "run.yaml").read_text())
    header["models"][0]["speedups"] = {"weights": "fp8"}
    (other / "run.yaml").write_text(yaml.safe_dump(header))
    refuse(ConflictError, "with and without speed-ups that change its pictures", runs=[run, other])


def test_conflicting_suites_are_refused(
    refuse: Callable[..., None], tmp_path: Path, run: Path
) -> None:
    other = write_run(tmp_path / "other", models=("gnu",), seeds=(9,))
    header = yaml.safe_load((other / "run.yaml").read_text())
    header["suite"]["hash"] = "f" * 64
    (other / "run.yaml").write_text(yaml.safe_dump(header))
    refuse(ConflictError, "different versions of suite tiny", runs=[run, other])


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ({"targets": ["korean"]}, "no output has 'korean'"),
        ({"models": ["zebra"]}, "no output has 'zebra'"),
        ({"seeds": [7]}, "no output has 7"),
        ({"languages": ["fr"]}, "no output has 'fr'"),
    ],
)
def test_unknown_names_in_select_are_refused(
    refuse: Callable[..., None], select: dict[str, Any], words: str
) -> None:
    refuse(RequestError, words, select=select)


def test_more_raters_per_item_than_raters_are_refused(refuse: Callable[..., None]) -> None:
    refuse(FileFormatError, "exceeds raters", single={"raters_per_item": 7})


def test_an_unknown_key_is_refused(refuse: Callable[..., None]) -> None:
    refuse(FileFormatError, "unknown key", colour="grey")


def test_scales_for_an_unknown_target_are_refused(refuse: Callable[..., None]) -> None:
    refuse(
        RequestError,
        "no picture has 'korean'",
        scales={"targets": ["korean"]},
    )


def damaged(run: Path, tmp_path: Path, how: str) -> tuple[Path, str]:
    other = tmp_path / "damaged"
    shutil.copytree(run, other)
    row = rows_of(other)[0]
    file = other / row["file_name"]
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:200])
    return other, row["file_name"]


@pytest.mark.parametrize("how", ["missing", "torn"])
def test_missing_and_torn_files_are_refused_by_name(
    refuse: Callable[..., None], tmp_path: Path, run: Path, how: str
) -> None:
    other, name = damaged(run, tmp_path, how)
    refuse(RequestError, name, runs=[other])


def test_a_file_outside_its_folder_is_refused(
    refuse: Callable[..., None], tmp_path: Path, run: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    rows = rows_of(other)
    rows[0]["file_name"] = "../../secret.png"
    write_rows(other, rows)
    refuse(FileFormatError, "lies outside the folder", runs=[other])


def test_references_of_an_unknown_tradition_are_refused(
    refuse: Callable[..., None], tmp_path: Path
) -> None:
    folder = write_references(tmp_path / "museum", each=1)
    rows = rows_of(folder)
    rows[0]["tradition"] = "korean"
    write_rows(folder, rows)
    refuse(FileFormatError, "unknown tradition 'korean'", refs=folder)


def test_suspect_outputs_are_taken_and_counted(tmp_path: Path, run: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    rows = rows_of(other)
    rows[0]["status"] = "suspect"
    write_rows(other, rows)
    config = write_config(tmp_path / "config")
    summary = create(config, [other], references=None, out=tmp_path / "study")
    assert (summary["outputs"], summary["suspect"]) == (108, 1)


def test_an_unwritable_place_is_refused(tmp_path: Path, run: Path) -> None:
    config = write_config(tmp_path / "config")
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write into"):
        create(config, [run], references=None, out=tmp_path / "file" / "study")


def test_fixed_times_do_not_tell_the_order_of_making(study: Path) -> None:
    assert {file.stat().st_mtime for file in (study / "stimuli").iterdir()} == {946_684_800.0}

"""Judges: tiny real models whose replies are flagged, and a server whose replies are right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench import manifest
from bench.cli import main
from bench.errors import ConflictError, RequestError
from bench.files import append_rows, read_rows
from bench.judging.names import REPLIES, REPORT, TABLE, scale_labels
from bench.judging.questions import pairs_of, scales_for
from bench.judging.rows import NOT_NOTED
from bench.judging.run import judge
from bench.judging.seats import Judging
from bench.probing.items import Item
from bench.records import CUE, Rubric, Scale
from bench.understanding.served import Server
from leaderboard.judgements import check_judgements
from leaderboard.judges import judge_scores
from tests.bench.judging.material import MANNERS, SCALES, judged_run, rubric_file, tasteful
from tests.bench.probing.material import painted_run
from tests.bench.serving_model import Model, serving, text_of
from tests.conftest import write_yaml
from tests.tiny_readers import make_reader

OUTPUTS, PAIRS = 12, 6


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as served:
        served.says = tasteful
        yield served


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return judged_run(tmp_path / "made")


def asked(tmp_path: Path, served: Model | None = None, **more: Any) -> Judging:
    server = Server(served.url, concurrency=4, tries=3, pause=0.01) if served else None
    rubric = str(rubric_file(tmp_path))
    return replace(Judging("owner/judge", rubric, server=server, batch_size=4), **more)


def table(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / TABLE)


@pytest.mark.parametrize("family", ["llava", "gemma3", "idefics3"])
def test_a_tiny_judges_garbage_is_kept_flagged_and_counted(
    run: Path, tmp_path: Path, family: str
) -> None:
    reader = make_reader(tmp_path / f"tiny-{family}", family)
    more = {"model": str(reader), "arguments": {"longest": 6}, "pairs": 1}
    done = judge(run, asked(tmp_path, **more))
    assert (done.planned, done.made, done.failed) == (OUTPUTS + 2, OUTPUTS + 2, 0)
    assert done.unread == done.made
    assert (done.judge, done.temperature) == (f"tiny-{family}", 0.0)
    rows = list(read_rows(run / REPLIES))
    assert all(set(row["flags"]) & {"no JSON", "empty"} for row in rows)
    assert {len(row["pictures"]) for row in rows} == {1, 2}
    found = table(run)
    scales = found[found["kind"] == "scale"]
    assert len(scales) == OUTPUTS * len(SCALES)
    assert scales["value"].isna().all()
    assert (scales["flags"] != "").all()
    report = json.loads((run / REPORT).read_text())["judges"][f"tiny-{family}"]
    assert sum(report["flags"].values()) >= done.made
    assert manifest.verify(run) == []
    assert (
        len(datasets.load_dataset(str(run), cache_dir=str(tmp_path / "cache"))["train"]) == OUTPUTS
    )


def test_a_judge_that_replies_well_gives_scores_reasons_and_pairs_both_ways(
    run: Path, tmp_path: Path, model: Model
) -> None:
    done = judge(run, asked(tmp_path, model, price=(1.0, 10.0)))
    assert (done.made, done.failed, done.unread) == (OUTPUTS + 2 * PAIRS, 0, 0)
    assert done.cost == pytest.approx(24 * (100 * 1.0 + 10 * 10.0) / 1e6)
    found = table(run)
    scales, pairs = (found[found["kind"] == kind] for kind in ("scale", "pair"))
    assert Counter(scales["criterion"]) == dict.fromkeys(SCALES, OUTPUTS)
    assert set(scales["value"]) <= {1, 2, 3, 4, 5}
    assert set(scales["reason"]) == {"pale"}
    assert len(pairs) == 2 * PAIRS
    shown = set(zip(pairs["output"], pairs["against_output"], strict=True))
    assert {(second, first) for first, second in shown} == shown
    assert {(one, other) for one, other in zip(pairs["model"], pairs["against"], strict=True)} == {
        ("balanced", "west"), ("west", "balanced"),
    }  # fmt: skip
    same = pairs.merge(found[["output", "prompt", "language", "seed"]].drop_duplicates(),
                       left_on="against_output", right_on="output")  # fmt: skip
    for column in ("prompt", "language", "seed"):
        assert (same[f"{column}_x"] == same[f"{column}_y"]).all()
    # neither a model's name nor a file's reaches the judge, and no tradition does
    for request in model.asked:
        told = text_of(request).lower()
        assert not {"balanced", "west", ".png", "chinese"} & set(told.replace(",", " ").split())
        assert "a painting none" in told


def test_a_caption_that_names_the_tradition_is_noted(tmp_path: Path, model: Model) -> None:
    run = painted_run(
        tmp_path / "made", MANNERS, scenes=3, seeds=2, targets=("chinese",),
        without_neutral=("scene-1",),
    )  # fmt: skip
    assert judge(run, asked(tmp_path, model)).made == OUTPUTS + 2 * PAIRS
    told = [text_of(request) for request in model.asked]
    assert sum("a painting chinese" in one for one in told) == (OUTPUTS + 2 * PAIRS) / 3
    by_key = {row["key"]: row["prompt"] for row in manifest.read_outputs(run)}
    for row in read_rows(run / REPLIES):
        named = by_key[row["outputs"][0]] == "scene-1/chinese"
        assert row["cue"] == (CUE if named else "")
    found = table(run)
    assert set(zip(found["prompt"], found["cue"], strict=True)) == {
        ("scene-0/chinese", ""), ("scene-1/chinese", CUE), ("scene-2/chinese", ""),
    }  # fmt: skip
    scores = judge_scores(
        check_judgements(found, "t"), study="run", rng=np.random.default_rng(0), resamples=20
    )
    assert all(
        "in en; caption names the target for 4 of 12 outputs" in one.method for one in scores
    )
    # of rows that were written before the cue was noted nothing is said that is not known
    rows = list(read_rows(run / REPLIES))
    for row in rows:
        del row["cue"]
    (run / REPLIES).unlink()
    append_rows(run / REPLIES, rows)
    assert judge(run, asked(tmp_path, model)).made == 0
    assert set(table(run)["cue"]) == {NOT_NOTED}


def test_only_what_is_new_is_asked(run: Path, tmp_path: Path, model: Model) -> None:
    judge(run, asked(tmp_path, model, pairs=2))
    before = len(model.asked)
    rows = (run / REPLIES).read_bytes().splitlines(keepends=True)
    again = judge(run, asked(tmp_path, model, pairs=2))
    assert (again.made, again.there_before, len(model.asked)) == (0, before, before)
    # killed in the middle of a row
    (run / REPLIES).write_bytes(b"".join(rows[:5]) + rows[5][:30])
    resumed = judge(run, asked(tmp_path, model, pairs=2))
    assert (resumed.made, resumed.there_before) == (before - 5, 5)
    more = judge(run, asked(tmp_path, model))
    assert (more.made, more.there_before) == (2 * (PAIRS - 2), before)
    # another judge stands beside the first
    other = judge(run, asked(tmp_path, model, model="second-judge", pairs=0))
    assert other.made == OUTPUTS
    assert Counter(table(run).drop_duplicates(["judge", "output", "kind"])["judge"]).keys() == {
        "judge", "second-judge",
    }  # fmt: skip


def test_seeds_languages_and_temperature(run: Path, tmp_path: Path, model: Model) -> None:
    warm = {"temperature": 0.7}
    with pytest.raises(RequestError, match="decodes greedily"):
        judge(run, asked(tmp_path, model, seeds=(0, 1)))
    more = asked(tmp_path, model, seeds=(0, 1), languages=("en", "zh"), arguments=warm, pairs=0)
    assert judge(run, more).made == OUTPUTS * 4
    assert {request["temperature"] for request in model.asked} == {0.7}
    assert {request["seed"] for request in model.asked} == {0, 1}
    found = table(run)
    assert Counter(zip(found["judge_language"], found["judge_seed"], strict=True)) == dict.fromkeys(
        [("en", "0"), ("en", "1"), ("zh", "0"), ("zh", "1")], OUTPUTS * len(SCALES)
    )
    assert any("请只凭画面所见" in text_of(request) for request in model.asked)


def test_what_fails_is_told_and_asked_again(run: Path, tmp_path: Path, model: Model) -> None:
    model.always = "400"
    done = judge(run, asked(tmp_path, model, pairs=0))
    assert (done.made, done.failed) == (0, OUTPUTS)
    # a sentence for each kind of failure, and not one for each picture
    (fault,) = done.faults
    assert fault.startswith(f"not judged, {OUTPUTS} of {OUTPUTS}: the server refuses the request")
    assert "status 400" in fault
    assert not (run / TABLE).exists()
    model.always = ""
    assert judge(run, asked(tmp_path, model, pairs=0)).made == OUTPUTS


def test_a_changed_file_is_not_judged_and_its_judgements_leave_the_table(
    run: Path, tmp_path: Path, model: Model
) -> None:
    judge(run, asked(tmp_path, model, pairs=0))
    row = manifest.read_outputs(run)[0]
    Image.new("RGB", (64, 64)).save(run / row["file_name"])
    done = judge(run, asked(tmp_path, model, pairs=0))
    assert any("does not have its hash" in fault for fault in done.faults)
    assert row["key"] not in set(table(run)["output"])
    assert len(list(read_rows(run / REPLIES))) == OUTPUTS


def test_of_two_replies_to_one_question_the_last_stands_in_the_table(
    run: Path, tmp_path: Path, model: Model
) -> None:
    judge(run, asked(tmp_path, model, pairs=0))
    row = next(iter(read_rows(run / REPLIES)))
    again = {**row, "key": "of another version's words", "scores": dict.fromkeys(SCALES, 1)}
    append_rows(run / REPLIES, [again])
    judge(run, asked(tmp_path, model, pairs=0))
    found = table(run)
    assert not found.duplicated(["output", "criterion"]).any()
    assert set(found[found["output"] == row["outputs"][0]]["value"]) == {1}
    assert len(check_judgements(found, "t")) == OUTPUTS * len(SCALES)
    assert set(scale_labels(run)) == set(SCALES)


def test_a_judge_that_is_not_what_it_was_is_refused(
    run: Path, tmp_path: Path, model: Model
) -> None:
    judge(run, asked(tmp_path, model, pairs=0))
    with pytest.raises(ConflictError, match=r"judge has judged .* with arguments"):
        judge(run, asked(tmp_path, model, arguments={"temperature": 1}))
    rubric_file(tmp_path, version=2)
    other = replace(asked(tmp_path, model), rubric=str(rubric_file(tmp_path, version=2)))
    with pytest.raises(ConflictError, match="with rubric_hash"):
        judge(run, other)
    (run / REPORT).write_text("{torn")
    with pytest.raises(RequestError, match="is no JSON object"):
        judge(run, asked(tmp_path, model))


def test_scales_are_asked_where_they_apply() -> None:
    everywhere = Scale("spirit", "ordinal", 1, 5, {}, {}, {})
    of_landscape = replace(everywhere, id="brush", applies_to=("landscape",))
    rubric = Rubric("small", 1, (everywhere, of_landscape), "")
    asked_of = {
        genre: [scale.id for scale in scales_for(rubric, genre)]
        for genre in ("landscape", "figure", "")
    }
    assert asked_of == {
        "landscape": ["spirit", "brush"], "figure": ["spirit"], "": ["spirit", "brush"],
    }  # fmt: skip


def outputs_of(**seeds: tuple[int, ...]) -> list[Item]:
    """One prompt's outputs of models, each with the seeds that are told of it."""
    told = {"prompt": "scene-0/chinese", "language": "en"}
    return [
        Item(Path(), "", {**told, "model": name, "seed": str(seed), "output": f"{name}{seed}"})
        for name, of_model in seeds.items()
        for seed in of_model
    ]


@pytest.mark.parametrize(
    ("one", "other", "paired"),
    [
        ((0, 1, 2), (0, 1, 2), {(0, 0), (1, 1), (2, 2)}),
        # an output that failed moves no other pair
        ((0, 1, 2), (1, 2), {(1, 1), (2, 2)}),
        ((0, 10, 9), (10,), {(10, 10)}),
        # what was made elsewhere with other seeds is paired nevertheless
        ((0, 1), (7, 9), {(0, 7), (1, 9)}),
        ((0, 1, 2), (1, 5), {(1, 1), (0, 5)}),
        ((0,), (), set()),
    ],
)
def test_pairs_are_of_one_seed_where_there_is_one(
    one: tuple[int, ...], other: tuple[int, ...], paired: set[tuple[int, int]]
) -> None:
    for outputs in (outputs_of(one=one, other=other), outputs_of(one=one, other=other)[::-1]):
        found = list(pairs_of(outputs, None))
        assert len(found) == len(paired)
        assert {(int(a.row["seed"]), int(b.row["seed"])) for a, b in found} == paired
        assert all((a.row["model"], b.row["model"]) == ("one", "other") for a, b in found)


def test_the_command_line(
    run: Path, tmp_path: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    rubric = str(rubric_file(tmp_path))
    usual = ["probe", str(run), "--judge", "owner/judge", "--rubric", rubric, "--pairs", "1"]
    served = [*usual, "--engine", "openai", "--base-url", model.url]
    assert main(served) == 0
    said = capsys.readouterr().out
    assert "judge (greedy): 14 replies, 0 there before, 0 failed, 0 not read whole" in said
    assert TABLE in said
    for wrong, says in (
        ([*served, "--languages", "fr"], "judges are asked in en or zh, not in 'fr'"),
        ([*served, "--network", "none"], "--network is for networks"),
        ([*usual, "--engine", "openai"], "belong together"),
        (["probe", str(run), "--pairs", "0"], "--pairs wants --judge"),
        (["probe", str(run), "--seeds", "0-2"], "--seeds wants --judge"),
        ([*usual[:-4], "--rubric", "nobodys"], "no rubric named 'nobodys'"),
    ):
        assert main(wrong) == 2, wrong
        assert says in capsys.readouterr().err
    model.always = "400"
    assert main([*served, "--pairs", "2"]) == 1
    assert "not judged, " in capsys.readouterr().err


def test_runs_without_pictures_are_refused(tmp_path: Path, model: Model) -> None:
    run = judged_run(tmp_path / "made", scenes=1, seeds=1)
    content = manifest.read_run(run) | {"modality": "video"}
    write_yaml(run / "run.yaml", content)
    with pytest.raises(RequestError, match=r"judges look at pictures, and .* holds video"):
        judge(run, asked(tmp_path, model))


def test_one_model_alone_has_no_pairs(tmp_path: Path, model: Model) -> None:
    manners = {"alone": {"chinese": "chinese"}}
    run = painted_run(tmp_path / "made", manners, scenes=2, seeds=1, targets=("chinese",))
    assert judge(run, asked(tmp_path, model)).planned == 2


def test_a_judge_at_a_server_needs_no_torch(run: Path, tmp_path: Path, model: Model) -> None:
    command = ["probe", str(run), "--judge", "owner/judge", "--rubric", str(rubric_file(tmp_path))]
    command += ["--engine", "openai", "--base-url", model.url]
    script = (
        "import sys\nfrom bench.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "print(code, sorted({'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert len(list(read_rows(run / REPLIES))) == OUTPUTS + 2 * PAIRS

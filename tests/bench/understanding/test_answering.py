"""Answers by real tiny models: batches, resume, failures, flags, and the run as a dataset."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import datasets
import pytest
from PIL import Image

from bench import manifest
from bench.cli import main
from bench.errors import ConflictError, RequestError
from bench.request import Request
from bench.suites import load_suite
from bench.understanding import works as works_module
from bench.understanding.answering import AnswerSummary, answer
from bench.understanding.asking import Asking
from bench.understanding.jobs import Asked
from bench.understanding.working import MOST_PADDING, batches_by_length
from bench.understanding.works import read_works, shown
from tests.bench.understanding.material import suite_of_questions, works_folder
from tests.tiny_readers import make_reader


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_reader(tmp_path_factory.mktemp("readers") / "tiny-llava", "llava")


@pytest.fixture
def suite(tmp_path: Path) -> str:
    return str(suite_of_questions(tmp_path / "suite.yaml"))


@pytest.fixture
def works(tmp_path: Path) -> Path:
    return works_folder(tmp_path / "works")


def asked(suite: str, *models: Path, **more: object) -> Request:
    wanted = {"languages": ("zh", "en"), "seeds": (0, 1), "batch_size": 4} | more
    wanted.setdefault("arguments", {"temperature": 1})
    return Request(suite, tuple(map(str, models)), **wanted)  # type: ignore[arg-type]


def rows_of(run: Path) -> dict[str, dict[str, object]]:
    return {row["key"]: row for row in manifest.read_outputs(run)}


def test_a_run_of_answers_is_a_dataset_and_verifies(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = answer(asked(suite, llava), Asking(works), run)
    # two questions of three works and one more of the print, two languages, two seeds
    assert (done.planned, done.made, done.failed) == (28, 28, 0)
    assert done.padding_share <= MOST_PADDING
    assert manifest.verify(run) == []
    rows = datasets.load_dataset(str(run), cache_dir=str(tmp_path / "cache"))["train"]
    assert rows.column_names[:8] == [
        "file_name", "key", "model", "prompt", "language", "text", "seed", "width",
    ]  # fmt: skip
    row = next(row for row in rows if row["prompt"] == "early-spring/depicted")
    assert (row["width"], row["height"], row["target"]) == (90, 140, "chinese")
    assert not list((run / "outputs").iterdir())
    assert {row["prompt"] for row in rows if "printing" in row["prompt"]} == {"a-print/printing"}
    assert main(["verify", str(run)]) == 0


def test_an_answer_depends_on_its_seed_and_on_no_neighbour(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    answer(asked(suite, llava), Asking(works), tmp_path / "four")
    answer(asked(suite, llava, batch_size=1), Asking(works), tmp_path / "one")
    together, alone = rows_of(tmp_path / "four"), rows_of(tmp_path / "one")
    assert {key: row["answer"] for key, row in together.items()} == {
        key: row["answer"] for key, row in alone.items()
    }
    by_seed = {
        seed: [row["answer"] for row in together.values() if row["seed"] == seed] for seed in (0, 1)
    }
    assert by_seed[0] != by_seed[1]


def test_what_is_missing_is_answered_again_and_nothing_else(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    answer(asked(suite, llava), Asking(works), whole)
    shutil.copytree(whole, run)
    lines = (run / "metadata.jsonl").read_text().splitlines(keepends=True)
    kept = lines[:9]
    (run / "metadata.jsonl").write_text("".join(kept) + lines[9][:40])  # torn by a kill
    done = answer(asked(suite, llava), Asking(works), run)
    assert (done.there_before, done.made) == (9, 19)
    assert {k: row["answer"] for k, row in rows_of(run).items()} == {
        k: row["answer"] for k, row in rows_of(whole).items()
    }
    again = answer(asked(suite, llava), Asking(works), run)
    assert (again.made, again.there_before) == (0, 28)


def test_more_questions_languages_and_models_become_new_parts(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    answer(asked(suite, llava, languages=("zh",)), Asking(works, ("tradition",)), run)
    done = answer(asked(suite, llava), Asking(works), run)
    assert (done.there_before, done.made, done.planned) == (6, 22, 28)
    other = make_reader(tmp_path / "tiny-gemma", "gemma3")
    done = answer(asked(suite, other, seeds=(0,), languages=("en",)), Asking(works), run)
    assert (done.made, done.planned) == (7, 35)
    content = manifest.read_run(run)
    assert [model["pipeline"] for model in content["models"]] == [
        "LlavaForConditionalGeneration",
        "Gemma3ForConditionalGeneration",
    ]


def test_a_work_without_a_picture_fails_alone_and_is_asked_when_it_is_there(
    llava: Path, suite: str, tmp_path: Path
) -> None:
    folder, run = works_folder(tmp_path / "works", without="wind-in-pines"), tmp_path / "run"
    done = answer(asked(suite, llava, seeds=(0,)), Asking(folder), run)
    assert (done.made, done.failed) == (10, 4)
    failures = manifest.read_failures(run)
    assert {row["work"] for row in failures} == {"wind-in-pines"}
    assert "wind-in-pines has no picture" in failures[0]["error"]
    Image.new("RGB", (70, 50), "white").save(folder / "wind-in-pines.png")
    done = answer(asked(suite, llava, seeds=(0,)), Asking(folder), run)
    assert (done.made, done.failed) == (4, 0)
    assert manifest.read_failures(run) == []


def test_a_picture_that_was_exchanged_is_asked_about_anew_and_its_old_answers_stay(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    answer(asked(suite, llava, seeds=(0,)), Asking(works), run)
    Image.new("RGB", (70, 50), "white").save(works / "wind-in-pines.png")
    done = answer(asked(suite, llava, seeds=(0,)), Asking(works), run)
    assert (done.made, len(rows_of(run))) == (4, 18)


def test_a_large_picture_is_brought_down_and_its_rows_say_so(
    llava: Path, suite: str, works: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works_module, "LONGEST_SIDE", 100)
    (work,) = (w for w in read_works(works, load_suite(suite)) if w.id == "early-spring")
    assert shown(works, work).size == (64, 100)
    answer(asked(suite, llava, seeds=(0,)), Asking(works), tmp_path / "run")
    notes = {row["work"]: row["note"] for row in rows_of(tmp_path / "run").values()}
    assert notes["early-spring"] == "the picture was brought from 90×140 to 64×100"
    assert notes["wind-in-pines"] == ""


def test_a_picture_that_leaves_no_room_for_an_answer_fails_with_a_sentence(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small-llava"
    shutil.copytree(llava, small)
    config = json.loads((small / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 60
    (small / "config.json").write_text(json.dumps(config))
    done = answer(asked(suite, small, seeds=(0,)), Asking(works), tmp_path / "run")
    # the longer question does not fit in English; in Chinese, and the others, there is room
    assert 0 < done.failed < done.planned
    failures = manifest.read_failures(tmp_path / "run")
    assert {row["prompt"].partition("/")[2] for row in failures} >= {"depicted"}
    for row in failures:
        assert (
            "more than the 60 that small-llava reads at once: bring the picture down"
            in row["error"]
        )


def test_flags_are_kept_and_counted(llava: Path, suite: str, works: Path, tmp_path: Path) -> None:
    done = answer(asked(suite, llava), Asking(works), tmp_path / "run")
    rows = rows_of(tmp_path / "run").values()
    # random weights hardly ever stop
    assert done.flags["cut"] == sum("cut" in row["flags"] for row in rows) > 0  # type: ignore[operator]
    assert all((row["status"] == "suspect") == bool(row["flags"]) for row in rows)


def test_a_model_that_does_not_load_fails_and_the_next_one_answers(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(llava, broken)
    (broken / "model.safetensors").write_bytes(b"torn")
    done = answer(asked(suite, broken, llava, seeds=(0,)), Asking(works), tmp_path / "run")
    assert (done.made, done.failed) == (14, 14)
    assert "broken does not load" in manifest.read_failures(tmp_path / "run")[0]["error"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arguments": {"temprature": 1}}, "no argument 'temprature' for answers"),
        ({"arguments": {"temperature": "hot"}}, "temperature must be a number from 0 to 5"),
        ({"arguments": {"temperature": 1, "longest": 1.5}}, "whole number of tokens"),
        ({"arguments": {}}, "decodes greedily, and every seed would give the same answer"),
        ({"languages": ("fr",)}, "has no questions in 'fr'; it has: en, zh"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_begun(
    llava: Path, suite: str, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    works = works_folder(tmp_path / "works")
    with pytest.raises(RequestError, match=says):
        answer(asked(suite, llava, **change), Asking(works), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_decoding_in_one_run_is_refused(
    llava: Path, suite: str, works: Path, tmp_path: Path
) -> None:
    answer(asked(suite, llava), Asking(works, ("tradition",)), tmp_path / "run")
    hotter = asked(suite, llava, arguments={"temperature": 2})
    with pytest.raises(ConflictError, match="model tiny-llava with arguments"):
        answer(hotter, Asking(works), tmp_path / "run")


def test_the_command_line_says_what_is_wanted(
    llava: Path, suite: str, works: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ["generate", "--suite", suite, "--models", str(llava), "--languages", "en"]
    usual += ["--out", str(tmp_path / "run")]
    assert main(usual) == 2
    assert "give --works" in capsys.readouterr().err
    assert main([*usual, "--works", str(works), "--engine", "openai"]) == 2
    assert "belong together" in capsys.readouterr().err
    assert main([*usual, "--works", str(works), "--questions", "smell"]) == 2
    assert "has no question 'smell'" in capsys.readouterr().err
    assert main([*usual, "--works", str(works), "--targets", "chinese"]) == 2
    assert main([*usual, "--works", str(works), "--dry-run"]) == 0
    assert "7 answers of 1 models on 3 works; nothing was written" in capsys.readouterr().out
    assert main([*usual, "--works", str(works)]) == 0
    assert "7 answered, 0 there before, 0 failed" in capsys.readouterr().out
    assert main(["score", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"tradition_confusion", "misreading_gap"} <= {score["metric"] for score in found}
    assert {score["source"] for score in found} == {"probe"}
    assert not any("not there yet" in score["method"] for score in found)
    rows = tmp_path / "run" / "metadata.jsonl"
    rows.write_text("".join(rows.read_text("utf-8").splitlines(keepends=True)[:-2]), "utf-8")
    assert main(["score", str(tmp_path / "run"), "--json"]) == 0
    told = capsys.readouterr()
    assert "2 of 7 planned answers are not there yet: generate again" in told.err
    *others, missing = json.loads(told.out)
    assert all("2 of 7 planned answers" in score["method"] for score in others)
    assert (missing["metric"], missing["value"], missing["n_values"]) == ("missing_answers", 2, 7)
    assert main(["score", str(tmp_path / "run"), "--out", str(tmp_path / "report")]) == 0
    for name, says in (
        ("index.html", "2 of 7 planned answers are not there yet"),
        ("index.zh.html", "计划 7 个回答，尚缺 2 个"),
    ):
        assert says in (tmp_path / "report" / name).read_text(encoding="utf-8")
    assert main([*usual, "--works", str(works)]) == 0
    capsys.readouterr()
    assert main(["score", str(tmp_path / "run"), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "not there yet" not in page


def test_batches_follow_from_the_jobs_and_hold_little_padding() -> None:
    jobs = [
        Asked(f"{n:03d}", "w/q", "en", "", "m", 0, "w", "p", "q", 10 if n % 2 else 20)
        for n in range(60)
    ]
    lengths = {job.key: 20 + 7 * (int(job.key) % 13) for job in jobs}
    cut = list(batches_by_length(jobs, lengths, 8))
    assert sorted(job.key for batch in cut for job in batch) == [job.key for job in jobs]
    assert cut == list(batches_by_length(jobs[::-1], lengths, 8))
    for batch in cut:
        own = [lengths[job.key] for job in batch]
        assert len(batch) <= 8
        assert len({job.longest for job in batch}) == 1
        assert max(own) * len(own) - sum(own) <= MOST_PADDING * max(own) * len(own)


def test_a_summary_without_tokens_has_no_padding() -> None:
    assert AnswerSummary(0, 0).padding_share == 0

"""`pinlu probe`: what it writes, what it resumes, what it refuses; and the parts it is made of."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from bench.cli import main
from bench.errors import ConflictError, FileFormatError, RequestError, WorkError
from bench.files import append_rows, file_hash, read_rows
from bench.probing import faults, style, video
from bench.probing.cache import Cache
from bench.probing.diversity import vendi, vendi_of_samples
from bench.probing.embeddings import Network, load_network
from bench.probing.environments import UNKNOWN, environments_of
from bench.probing.items import Item, items_of_references, items_of_run, worked_ahead
from bench.probing.looking import caches_of, look
from bench.probing.run import Probing, probe
from bench.probing.texts import read_probe_texts
from bench.suites import load_suite
from tests.bench.probing.material import noise, painted_run, references, suite, tiny_network
from tests.conftest import write_yaml

FAITHFUL = {"chinese": "chinese", "none": "chinese"}
DRIFTING = {"chinese": "western", "none": "western"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("probed")
    run = painted_run(folder, {"faithful": FAITHFUL, "drifting": DRIFTING})
    works = references(folder / "references")
    assert main(["probe", str(run), "--network", "atelier-probe", "--references", str(works)]) == 0
    return run, works


def test_every_output_and_reference_has_one_row_per_probe(made: tuple[Path, Path]) -> None:
    run, _ = made
    table = pd.read_parquet(run / "probes.parquet")
    outputs, references_ = len(list(read_rows(run / "metadata.jsonl"))), 24
    assert not table.duplicated(["output", "model", "probe"]).any()
    assert set(table["probe"]) == {"faults", "trained:atelier-probe", "linear:atelier-probe"}
    for name in ("trained:atelier-probe", "linear:atelier-probe"):
        rows = table[table["probe"] == name]
        assert len(rows) == outputs + references_
        chances = rows[["p_chinese", "p_japanese", "p_western"]]
        assert np.allclose(chances.sum(axis=1), 1)
        asked = rows[rows["target"] == "chinese"].groupby("model")["p_western"].mean()
        assert asked["drifting"] > 0.7
        assert asked["faithful"] < 0.2
    assert len(table[table["probe"] == "faults"]) == outputs


def test_the_report_says_what_each_probe_is_worth_on_references(made: tuple[Path, Path]) -> None:
    run, _ = made
    report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
    assert report["network"] == "atelier-probe"
    assert "no text side" in report["not_computed"]["zero-shot"]
    for one in report["probes"]:
        assert one["accuracy"] > 0.9
        for tradition, row in one["confusion"].items():
            assert sum(row.values()) == pytest.approx(1, abs=1e-3)
            assert max(row, key=lambda name: row[name]) == tradition
        assert sum(bin_["number"] for bin_ in one["calibration"]) == 24


def test_a_second_call_looks_at_nothing_and_gives_the_same(made: tuple[Path, Path]) -> None:
    run, works = made
    before = pd.read_parquet(run / "probes.parquet")
    again = probe(run, Probing(network="atelier-probe", references=works))
    assert again.new == 0
    assert again.forward_seconds == 0
    pd.testing.assert_frame_equal(pd.read_parquet(run / "probes.parquet"), before)


def test_new_outputs_alone_are_looked_at(tmp_path: Path) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL})
    assert probe(run, Probing(network="atelier-probe")).new == 16
    more = painted_run(tmp_path / "more", {"other": DRIFTING})
    given = tmp_path / "more" / "made-other"
    assert more
    assert main(["import", str(given), "--model", "other", "--run", str(run)]) == 0
    found = probe(run, Probing(network="atelier-probe"))
    assert (found.outputs, found.new) == (32, 16)


def test_a_cache_keeps_arrays_of_several_shapes_and_writes_over_no_part(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "kept")
    cache.add({"a": np.zeros(3, np.float32), "b": np.ones((2, 4)), "c": np.ones(3, np.float32)})
    cache.add({})
    cache.add({"d": np.full(3, 2, np.int8)})
    assert sorted(Cache(tmp_path / "kept").there) == ["a", "b", "c", "d"]
    (tmp_path / "kept" / "part-00000.npz").unlink()
    Cache(tmp_path / "kept").add({"e": np.zeros(1)})
    found = Cache(tmp_path / "kept").there
    assert sorted(found) == ["b", "d", "e"]
    assert found["d"].dtype == np.int8
    assert (found["b"] == 1).all()


def test_a_part_of_the_cache_that_cannot_be_read_is_looked_at_anew(
    made: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(made[0], tmp_path / "run"))
    before = pd.read_parquet(run / "probes.parquet")
    parts = sorted((run / ".state" / "probe").glob("network-*/part-*.npz"))
    parts[0].write_bytes(parts[0].read_bytes()[:200])
    assert probe(run, Probing(network="atelier-probe", references=made[1])).new == len(
        {*before.loc[before["kind"] == "style", "output"]}
    )
    assert [one.getMessage() for one in caplog.records] == [
        f"{parts[0]} is torn: its files are looked at anew"
    ]
    pd.testing.assert_frame_equal(pd.read_parquet(run / "probes.parquet"), before)


@pytest.mark.parametrize("broken_off_at", ["probes.parquet", "diversity.parquet", "probe.json"])
def test_a_call_killed_between_its_tables_is_gone_on_with_and_read_by_nobody(
    broken_off_at: str,
    made: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Path(shutil.copytree(made[0], tmp_path / "run"))
    whole = [(run / name).read_bytes() for name in ("probes.parquet", "probe.json")]
    rename = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name == broken_off_at:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            probe(run, Probing(network="atelier-probe"))
    capsys.readouterr()
    assert main(["score", "--run", str(run)]) == 2
    told = capsys.readouterr().err
    assert "was broken off" in told
    assert len(told.strip().splitlines()) == 1
    assert probe(run, Probing(network="atelier-probe", references=made[1])).new == 0
    assert [(run / name).read_bytes() for name in ("probes.parquet", "probe.json")] == whole
    assert main(["score", "--run", str(run)]) == 0


def test_what_one_network_saw_is_not_taken_for_what_another_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL}, seeds=1, scenes=2)
    items = items_of_run(run, load_suite(str(run / "suite.yaml")))
    network = load_network(str(tiny_network("clip", tmp_path / "tiny")))
    assert network.dtype == "float32"

    def looked_at(seer: Network) -> int:
        caches = caches_of(run, seer)
        return look(caches, caches.wishes(items), seer, 2, 1).new

    assert looked_at(network) == 4
    assert looked_at(network) == 0
    assert looked_at(replace(network, dtype="float16")) == 4
    assert looked_at(replace(network, revision="other")) == 4
    monkeypatch.setattr(video, "SEEN", "other frames")
    assert looked_at(network) == 4


def test_on_what_else_it_is_probed_is_said_and_wants_leave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL}, seeds=1, scenes=2)
    probe(run, Probing("none"))
    (kept,) = caches_of(run, None).folders
    here = environments_of([kept])
    report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
    assert here.items() <= report.items()
    assert here["mixed"] == []
    assert set(here["environment"]) == {"device", "threads", "python", "versions"}
    # as if half of it had been seen elsewhere
    first = {**here["environment"], "device": "cuda (another)"}
    (kept / "environments.json").write_text(json.dumps({"environment": first, "mixed": []}))
    for part in kept.glob("part-*"):
        part.unlink()
    command = ["probe", str(run), "--network", "none"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "the run was probed on another device or under other versions" in said
    assert main([*command, "--allow-mixed"]) == 0
    report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
    assert (report["environment"], report["mixed"]) == (first, [here["environment"]])
    assert main(command) == 0  # nothing is new, and both are known


def test_what_was_seen_before_environments_were_kept_counts_as_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL}, seeds=1, scenes=2)
    probe(run, Probing("none"))
    (kept,) = caches_of(run, None).folders
    here = environments_of([kept])["environment"]
    (kept / "environments.json").unlink()

    def said() -> tuple[Any, Any]:
        probe(run, Probing("none"))
        report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
        return report["environment"], report["mixed"]

    assert said() == (None, [UNKNOWN])  # and nothing is new
    rows = list(read_rows(run / "metadata.jsonl"))
    noise(7).save(run / rows[0]["file_name"])
    changed = file_hash(run / rows[0]["file_name"])
    lines = [{**row, "sha256": changed} if row == rows[0] else row for row in rows]
    (run / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    caplog.clear()
    assert said() == (here, [UNKNOWN])
    assert "on what is unknown" in caplog.text
    assert said() == (here, [UNKNOWN])


def test_all_that_a_probe_reads_is_named_with_its_environment(tmp_path: Path) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL}, seeds=1, scenes=2)
    probe(run, Probing("none"))
    (facts,) = caches_of(run, None).folders
    here = environments_of([facts])["environment"]
    other = {**here, "device": "cuda (another)"}
    (facts / "environments.json").write_text(json.dumps({"environment": other, "mixed": []}))
    asked = Probing(str(tiny_network("clip", tmp_path / "tiny")))
    with pytest.raises(ConflictError, match="under other versions"):
        probe(run, asked)
    probe(run, asked, allow_mixed=True)
    report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
    assert (report["environment"], report["mixed"]) == (here, [other])  # the network's first
    assert environments_of([facts])["mixed"] == []  # nothing was seen there anew


def test_an_output_changed_or_removed_since_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL})
    assert main(["probe", str(run), "--network", "atelier-probe"]) == 0
    rows = list(read_rows(run / "metadata.jsonl"))
    (run / rows[0]["file_name"]).unlink()
    noise(1).save(run / rows[1]["file_name"])
    capsys.readouterr()
    assert main(["probe", str(run), "--network", "atelier-probe"]) == 1
    said = capsys.readouterr()
    told = said.err
    assert said.out.splitlines()[-1].startswith("2 files were lost or changed and left out")
    assert f"missing: {rows[0]['file_name']}" in told
    assert f"changed or torn: {rows[1]['file_name']}" in told
    table = pd.read_parquet(run / "probes.parquet")
    assert not {rows[0]["key"], rows[1]["key"]} & set(table["output"])
    assert table["output"].nunique() == len(rows) - 2


def test_without_references_there_is_no_head_and_the_excess_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL}, seeds=1)
    assert main(["probe", str(run), "--network", "atelier-probe"]) == 0
    assert "linear: not computed: no references" in capsys.readouterr().out
    assert main(["score", "--run", str(run), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    by_metric = {row["metric"]: row for row in scores if row["group"] in {"western", "within"}}
    assert by_metric["raw_leak"]["value"] is not None
    assert by_metric["excess_leak"]["reason"] == "no references"
    assert by_metric["diversity"]["value"] is None
    assert by_metric["diversity"]["reason"] == "one picture per prompt"
    assert {row["source"] for row in scores} == {"probe", "run"}


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2-naflex", "chinese-clip"])
def test_clip_like_checkpoints_load_from_their_folder_and_tell_styles(
    kind: str, tmp_path: Path
) -> None:
    run = painted_run(tmp_path, {"faithful": FAITHFUL}, scenes=2)
    works = references(tmp_path / "references", 6)
    network = tiny_network(kind, tmp_path / f"tiny-{kind}")
    texts = tmp_path / "suite" / "probe.yaml"
    found = probe(run, Probing(network=str(network), references=works, texts=texts, batch_size=5))
    assert not found.faults
    assert found.report["not_computed"] == {}
    table = pd.read_parquet(run / "probes.parquet")
    zero_shot = table[table["probe"] == f"zero-shot:tiny-{kind}"]
    assert np.allclose(
        zero_shot[["p_chinese", "p_japanese", "p_western", "p_other"]].sum(axis=1), 1
    )
    assert f"linear:tiny-{kind}" in set(table["probe"])


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2-naflex"])
def test_a_text_too_long_for_a_network_is_refused_and_never_cut(kind: str, tmp_path: Path) -> None:
    network = load_network(str(tiny_network(kind, tmp_path / "tiny")))
    assert network.read is not None
    assert network.read(["月下孤松", "a lone boat"]).shape[0] == 2
    with pytest.raises(RequestError, match="takes 64 tokens of a text, and '月下孤松月"):
        network.read(["月下孤松", "月下孤松" * 40])


def test_batches_embed_as_single_pictures_do(tmp_path: Path) -> None:
    network = load_network(str(tiny_network("clip", tmp_path / "tiny")))
    prepared = [network.prepare(noise(seed)) for seed in range(6)]
    together = network.see(prepared)
    alone = np.concatenate([network.see([one]) for one in prepared])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_pictures_of_unlike_proportions_share_a_batch_where_a_network_keeps_them(
    tmp_path: Path,
) -> None:
    network = load_network(str(tiny_network("siglip2-naflex", tmp_path / "tiny")))
    shapes = [(64, 64), (96, 32), (40, 120)]
    prepared = [network.prepare(noise(seed).resize(size)) for seed, size in enumerate(shapes)]
    assert len({tuple(one["spatial_shapes"][0].tolist()) for one in prepared}) == 3
    together = network.see(prepared)
    alone = np.concatenate([network.see([one]) for one in prepared])
    assert np.allclose(together, alone, atol=1e-5)
    squeezed = network.see([network.prepare(noise(1).resize((96, 32)).resize((64, 64)))])
    assert not np.allclose(together[1], squeezed[0], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-such-thing", "no probe network"),
        ("nobody/nothing-at-all", "cannot be loaded"),
    ],
)
def test_a_network_that_is_not_there_is_one_sentence(
    name: str, says: str, made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", str(made[0]), "--network", name]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1


def test_foils_among_the_references_are_passed_over(tmp_path: Path) -> None:
    works = references(tmp_path / "works", 2)
    rows = list(read_rows(works / "metadata.jsonl"))
    foil = {**rows[0], "id": "foil", "tradition": "korean", "diagnosticity": "foil"}
    append_rows(works / "metadata.jsonl", [foil])
    asked = load_suite(suite(tmp_path / "suite"))
    assert [one.row["output"] for one in items_of_references(works, asked)] == [
        row["id"] for row in rows
    ]
    append_rows(works / "metadata.jsonl", [foil | {"diagnosticity": ""}])
    with pytest.raises(FileFormatError, match=r"line 8: unknown tradition 'korean'"):
        items_of_references(works, asked)


def test_a_network_with_code_of_its_own_is_never_run(tmp_path: Path) -> None:
    folder = tiny_network("clip", tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoModel": "modeling.Own"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "modeling.py").write_text("raise SystemExit('it was run')", encoding="utf-8")
    with pytest.raises(RequestError, match="code of its own"):
        load_network(str(folder))


def test_a_texts_file_must_know_every_tradition(made: tuple[Path, Path], tmp_path: Path) -> None:
    texts = tmp_path / "probe.yaml"
    texts.write_text("ensembles: {chinese: {en: [a]}, japanese: {en: [b]}}", encoding="utf-8")
    network = tiny_network("clip", tmp_path / "tiny")
    assert main(["probe", str(made[0]), "--network", str(network), "--texts", str(texts)]) == 2


def test_only_the_languages_that_a_network_reads_are_read_to_it(tmp_path: Path) -> None:
    known = load_suite(suite(tmp_path))
    path = tmp_path / "probe.yaml"
    both = {name: {"zh": ["甲"], "en": [f"a {name}"]} for name in known.traditions}
    write_yaml(path, {"ensembles": both})
    assert set(read_probe_texts(path, known)["chinese"]) == {"甲", "a chinese"}
    assert read_probe_texts(path, known, ["en"])["chinese"] == ("a chinese",)
    with pytest.raises(FileFormatError, match="has no text in fr"):
        read_probe_texts(path, known, ["fr"])


def test_works_that_do_not_tell_traditions_apart_teach_no_head(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made[1], tmp_path / "works"))
    rows = list(read_rows(folder / "metadata.jsonl"))
    shared = [row | {"diagnosticity": "shared"} for row in rows if row["tradition"] == "western"]
    rest = [row for row in rows if row["tradition"] != "western"]
    (folder / "metadata.jsonl").unlink()
    append_rows(folder / "metadata.jsonl", [*rest, *shared])
    run = Path(shutil.copytree(made[0], tmp_path / "run"))
    done = probe(run, Probing(network="atelier-probe", references=folder))
    assert "0 references of western" in done.report["not_computed"]["linear"]
    (told,) = (one for one in done.report["probes"] if one["probe"].startswith("trained"))
    assert told["references"] == len(rest)
    table = pd.read_parquet(run / "probes.parquet")
    assert (table["diagnosticity"] == "shared").any()


def test_few_pictures_are_decoded_ahead_however_many_there_are() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def work(item: Item) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        if item.sha256 == "7":
            raise WorkError("torn")
        return int(item.sha256)

    items = [Item(Path("x"), str(number)) for number in range(2000)]
    found = []
    for item, made_of in worked_ahead(work, items, workers=4):
        with lock:
            inside -= 1
        found.append((item.sha256, made_of))
    assert most <= 60
    assert [name for name, _ in found] == [item.sha256 for item in items]
    assert isinstance(found[7][1], WorkError)


def test_a_clip_counts_as_many_pictures_when_reading_ahead() -> None:
    begun, lock = 0, threading.Lock()

    def work(_: Item) -> None:
        nonlocal begun
        with lock:
            begun += 1

    clips = [Item(Path("x"), str(number), frames=24) for number in range(40)]
    for workers, most in ((2, 3), (8, 8)):
        begun = 0
        for number, _ in enumerate(worked_ahead(work, clips, workers)):
            with lock:
                assert begun <= number + most


def test_vendi_counts_what_is_different() -> None:
    assert vendi(np.tile(np.ones(8), (5, 1))) == pytest.approx(1)
    assert vendi(np.eye(6)) == pytest.approx(6)
    # two groups of equal pictures, 3 and 1: exp(H(3/4, 1/4))
    rows = np.eye(2)[[0, 0, 0, 1]]
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert vendi(rows) == pytest.approx(np.exp(entropy))
    wide = np.random.default_rng(0).normal(size=(5, 40))
    kernel = (wide / np.linalg.norm(wide, axis=1, keepdims=True)) @ (
        wide / np.linalg.norm(wide, axis=1, keepdims=True)
    ).T
    shares = np.linalg.eigvalsh(kernel / 5)
    assert vendi(wide) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert vendi_of_samples(np.eye(4), 5, 3, np.random.default_rng(0)) == []


def test_a_linear_head_is_judged_on_works_it_did_not_see_and_is_calibrated() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(3, 16))
    classes = np.repeat(np.arange(3), 60)
    rows = centres[classes] + rng.normal(0, 1.6, (180, 16))
    groups = [f"w{number // 2}" for number in range(180)]
    fitted = style.fit_linear_head(rows, classes, groups=groups)
    right = (fitted.held_out.argmax(axis=1) == classes).mean()
    assert 0.6 < right < 0.99
    assert style.calibration_error(style.calibration(fitted.held_out, classes)) < 0.1
    folds = style.stratified_folds(classes, groups, 0)
    for fold in range(style.FOLDS):
        assert set(np.bincount(classes[folds == fold], minlength=3)) == {12}
    assert all(folds[2 * k] == folds[2 * k + 1] for k in range(90))
    # a work of two traditions is never taught and judged at once, whatever it is called in each
    shared = [f"w{number % 20}" for number in range(60)]
    dealt = style.stratified_folds(np.repeat(np.arange(3), 20), shared, 0)
    assert all(len({*dealt[number::20]}) == 1 for number in range(20))
    some = [f"w{number}" for number in [*range(20), *range(15, 35)]]
    dealt = style.stratified_folds(np.repeat([0, 1], 20), some, 0)
    assert all(dealt[15 + number] == dealt[20 + number] for number in range(5))
    assert {*np.bincount(dealt[:20]), *np.bincount(dealt[20:])} == {4}
    # labels that say nothing cannot be told, however wide the embedding is
    shuffled = style.fit_linear_head(
        rng.normal(size=(60, 100)), np.repeat(np.arange(3), 20), groups=[str(n) for n in range(60)]
    )
    assert shuffled.held_out.max(axis=1).mean() < 0.6


def test_zero_shot_takes_the_class_whose_texts_are_nearest() -> None:
    texts = [np.eye(4)[:2], np.eye(4)[2:]]
    chances = style.zero_shot(np.eye(4)[[0, 3]], texts, 20.0)
    assert chances.argmax(axis=1).tolist() == [0, 1]
    assert np.allclose(chances.sum(axis=1), 1)


def marked(image: Image.Image, text: str = "STOCKPIX HH") -> Image.Image:
    made = image.resize((256, 256))
    ImageDraw.Draw(made).text((8, 8), text, fill=(255, 255, 255))
    return made


def test_blank_doubles_and_marks_are_found_and_nothing_else() -> None:
    flat = np.full((80, 80, 3), 90, np.uint8)
    flat[::7, ::5] += 1
    assert faults.is_blank(flat)
    assert not faults.is_blank(np.asarray(noise(0)))
    pictures = [noise(seed, 128) for seed in range(20)]
    pictures[11] = pictures[3].resize((200, 200)).resize((128, 128))
    found = np.stack([faults.features(np.asarray(one)) for one in pictures])
    scenes, keys = [f"s{number}" for number in range(20)], [f"k{number}" for number in range(20)]
    doubles = faults.near_duplicates(found, scenes, keys)
    assert {place: name for place, name in enumerate(doubles) if name} == {11: "k3"}
    assert not any(faults.near_duplicates(found, ["one"] * 20, keys))
    assert not any(faults.repeated_corners(found))
    stamped = [
        marked(one) if number % 4 else one.resize((256, 256)) for number, one in enumerate(pictures)
    ]
    found = np.stack([faults.features(np.asarray(one)) for one in stamped])
    told = faults.repeated_corners(found)
    assert [bool(one) for one in told] == [number % 4 != 0 for number in range(20)]
    assert set(told) == {"", "top left"}
    assert not any(faults.repeated_corners(found[:5]))


def test_a_frame_round_every_picture_is_no_mark() -> None:
    framed = []
    for seed in range(12):
        image = noise(seed, 128)
        ImageDraw.Draw(image).rectangle((4, 4, 123, 123), outline=(20, 20, 20), width=2)
        framed.append(faults.features(np.asarray(image)))
    assert not any(faults.repeated_corners(np.stack(framed)))

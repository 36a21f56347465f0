"""Probes by several workers: the tables of one process, whoever is killed and whoever goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from bench import manifest, pipelines
from bench.cli import main
from bench.crew import slurm, slurm_tasks
from bench.crew.crafts import read_pieces, write_pieces
from bench.crew.driving import drive
from bench.crew.local import LocalCrew
from bench.crew.slurm import drive_by_slurm
from bench.crew.slurm_work import Work
from bench.crew.worker import Worker, code_hash
from bench.environments import versions
from bench.errors import ConflictError, RequestError, WorkError
from bench.files import read_rows
from bench.probing import looking
from bench.probing.by_workers import PIECES, Probes, probe_by_workers
from bench.probing.cache import Cache
from bench.probing.environments import environments_of
from bench.probing.items import Item
from bench.probing.looking import Wish, chunks
from bench.probing.run import Probing, probe
from bench.request import SlurmOptions
from tests.bench.crew.crews import begun, fill_a_disk, killer, left_over, meanwhile
from tests.bench.probing.material import noise, painted_run, references, tiny_network

TWO = partial(drive, crew_of=partial(LocalCrew, ["cpu", "cpu"]))
TASK = slurm_tasks.SlurmTask("slurm-a", "1_0", "none", {})
TABLES = ("probes.parquet", "diversity.parquet")

Made = tuple[Path, Path, Probing]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run that nobody has looked at, the same run probed by one process, and with what."""
    folder = tmp_path_factory.mktemp("seen")
    manners = {"one": {"chinese": "chinese", "none": "chinese"}}
    manners["two"] = {"chinese": "western", "none": "western"}
    run = painted_run(folder, manners, seeds=12)
    rows = list(read_rows(run / "metadata.jsonl"))
    (run / rows[3]["file_name"]).unlink()
    noise(1).save(run / rows[70]["file_name"])
    network = tiny_network("clip", folder / "tiny-clip")
    asked = Probing(
        str(network),
        references=references(folder / "works"),
        texts=folder / "suite" / "probe.yaml",
        batch_size=5,
    )
    whole = Path(shutil.copytree(run, folder / "whole"))
    assert probe(whole, asked).new == 216
    return run, whole, asked


def fresh(made: Made, place: Path) -> Path:
    return Path(shutil.copytree(made[0], place))


def same_tables(run: Path, whole: Path) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(
            pd.read_parquet(run / name), pd.read_parquet(whole / name), check_exact=True
        )
    reports = [json.loads((one / "probe.json").read_text(encoding="utf-8")) for one in (run, whole)]
    assert reports[0] == reports[1]


def test_two_workers_write_the_tables_of_one_process(made: Made, tmp_path: Path) -> None:
    run = fresh(made, tmp_path / "run")
    done = probe_by_workers(TWO, run, made[2])
    assert (done.outputs, done.references, done.new) == (192, 24, 216)
    assert len(done.faults) == 2
    assert 0 < done.forward_seconds < done.looking_seconds
    same_tables(run, made[1])
    assert left_over(run) == []
    again = probe_by_workers(TWO, run, made[2])
    assert again.new == 2  # the two that nobody can see
    same_tables(run, made[1])
    assert probe(run, made[2]).new == 2  # and one process finds all that they saw
    same_tables(run, made[1])


def test_a_worker_that_is_killed_changes_nothing(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in range(3):  # on a busy machine the killer may come when all is seen
        run = fresh(made, tmp_path / f"run-{attempt}")
        capsys.readouterr()
        with meanwhile(killer(run, lambda chunks_: len(chunks_) >= 1, most=1)):
            probe_by_workers(TWO, run, made[2])
        same_tables(run, made[1])
        if "is lost (killed by SIGKILL)" in (told := capsys.readouterr().err):
            break
    assert "is lost (killed by SIGKILL)" in told


def test_a_full_disk_stops_one_worker_and_changes_nothing(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in range(3):  # as above
        run = fresh(made, tmp_path / f"run-{attempt}")
        capsys.readouterr()
        with meanwhile(partial(fill_a_disk, run)):
            done = probe_by_workers(TWO, run, made[2])
        assert len(done.faults) == 2
        same_tables(run, made[1])
        assert left_over(run) == []
        if "File too large" in (told := capsys.readouterr().err):
            break
    assert "is lost (cannot write into " in told


def test_a_chunk_that_kills_its_workers_is_left_out_and_named(made: Made, tmp_path: Path) -> None:
    for attempt in range(3):  # as above
        run = fresh(made, tmp_path / f"run-{attempt}")
        with meanwhile(killer(run, lambda chunks_: chunks_[-1:] == [1], most=9)):
            done = probe_by_workers(TWO, run, made[2])
        if len(done.faults) > 2:
            break
    _, pieces = read_pieces(run, PIECES)
    lost = sum("its workers die (killed by SIGKILL)" in one for one in done.faults)
    assert lost == len(pieces[1]["jobs"])
    for job in pieces[1]["jobs"]:
        assert any(f"{job['row']['file_name']} of " in one for one in done.faults)
    assert probe(run, made[2]).new == lost + 1  # one of the lost files lies in that chunk
    same_tables(run, made[1])


def test_another_engine_goes_on_where_one_was_broken_off(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.1)
    run = fresh(made, tmp_path / "run")
    craft, worker = Probes(made[2]), Worker("first")
    craft.settle(run, allow_mixed=False)
    about, pieces = read_pieces(run, PIECES)
    worker.begin(craft, run, "")
    worker.work(about["network"], {0: None, 2: None})  # and then it was gone
    assert begun(run, "first") == [0, 2]
    options = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)
    done = probe_by_workers(partial(drive_by_slurm, options=options), run, made[2])
    seen = sum(len(pieces[index]["jobs"]) for index in (0, 2))
    assert done.new == 216 - seen + 1  # one of the lost files lies in the first chunk
    same_tables(run, made[1])
    assert left_over(run) == []


def test_a_task_put_back_into_the_queue_keeps_what_it_saw(made: Made, tmp_path: Path) -> None:
    runs = [fresh(made, tmp_path / name) for name in ("one", "two")]
    asked = Probing("none", batch_size=32)
    assert probe(runs[0], asked).new == 192
    run, craft, worker = runs[1], Probes(asked), Worker("slurm-a")
    (run / manifest.STATE).mkdir(exist_ok=True)
    slurm_tasks.write(run, slurm_tasks.Submitted(marker="here", tasks=[TASK]))
    craft.settle(run, allow_mixed=False)
    _, pieces = read_pieces(run, PIECES)
    worker.begin(craft, run, "")
    worker.work("none", {0: None})  # and then its time was up
    whole = {piece["index"]: None for piece in pieces}
    told = (craft, run, "slurm-a", "none", whole, code_hash(), "here", False, {})
    found = Work()(*told)
    assert "error" not in found
    kept = run / manifest.STATE / "probe" / "facts-1"
    assert len(looking.caches_of(run, None).facts.there) == 190  # two files are lost
    for part in sorted(kept.iterdir())[1:]:
        part.unlink()  # what is not kept is looked at where the tables are written
    craft.finish(run, {})
    tables = [pd.read_parquet(one / "probes.parquet") for one in runs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_outputs_that_came_since_the_tasks_were_submitted_are_seen_too(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.1)
    runs = [fresh(made, tmp_path / name) for name in ("one", "two")]
    probe(runs[0], Probing("none"))
    run, craft, worker = runs[1], Probes(Probing("none")), Worker("slurm-a")
    (run / manifest.STATE).mkdir(exist_ok=True)
    lines = (run / "metadata.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metadata.jsonl").write_bytes(b"".join(lines[10:]))
    craft.settle(run, allow_mixed=False)
    _, pieces = read_pieces(run, PIECES)
    whole = {piece["index"]: None for piece in pieces}
    worker.begin(craft, run, "")
    worker.work("none", whole)
    task = slurm_tasks.SlurmTask("slurm-a", str(2**22 + 1), "none", whole)  # no such process
    slurm_tasks.write(run, slurm_tasks.Submitted("Probes", None, [task]))
    (run / "metadata.jsonl").write_bytes(b"".join(lines))
    options = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)
    done = probe_by_workers(partial(drive_by_slurm, options=options), run, Probing("none"))
    assert (done.outputs, done.new, len(done.faults)) == (192, 10 + 1, 2)  # one of the ten is lost
    tables = [pd.read_parquet(one / "probes.parquet") for one in runs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    reports = [json.loads((one / "probe.json").read_text(encoding="utf-8")) for one in runs]
    assert reports[0] == reports[1]


def test_while_slurm_tasks_are_at_work_nobody_else_probes(made: Made, tmp_path: Path) -> None:
    run = fresh(made, tmp_path / "run")
    (run / manifest.STATE).mkdir(exist_ok=True)
    task = slurm_tasks.SlurmTask("slurm-a", "12_3", "none", {0: None})
    slurm_tasks.write(run, slurm_tasks.Submitted("Probes", None, [task]))
    with pytest.raises(ConflictError, match="12_3"):
        probe(run, Probing("none"))


def test_what_a_worker_does_not_see_is_left_to_others(made: Made, tmp_path: Path) -> None:
    run, asked = fresh(made, tmp_path / "run"), made[2]
    works = Path(shutil.copytree(str(asked.references), tmp_path / "works"))
    craft, worker = Probes(replace(asked, network="none", references=works)), Worker("w")
    craft.settle(run, allow_mixed=False)
    _, pieces = read_pieces(run, PIECES)
    whole = {piece["index"]: None for piece in pieces}
    last = works / pieces[-1]["jobs"][-1]["row"]["file_name"]
    worker.begin(craft, run, "")
    content = last.read_bytes()
    last.write_bytes(b"")
    assert f"changed or torn: {last.name}" in worker.work("none", whole)["cannot_load"]
    last.unlink()
    assert f"missing: {last.name}" in worker.work("none", whole)["cannot_load"]
    last.write_bytes(content)
    assert "cannot_load" not in worker.work("none", whole)
    works.rename(tmp_path / "gone")
    with pytest.raises(WorkError, match=r"does not see .*works.metadata\.jsonl as it was"):
        Worker("late").begin(craft, run, "")


def test_devices_that_are_mixed_in_are_named_in_the_report(made: Made, tmp_path: Path) -> None:
    run, craft = fresh(made, tmp_path / "run"), Probes(Probing("none"))
    (run / manifest.STATE).mkdir(exist_ok=True)
    craft.settle(run, allow_mixed=False)
    plan = craft.plan(run, None)
    other = {**plan.environments[0], "device": "cuda (another)"}
    plan.mix(other)
    assert plan.environments == [plan.environments[0], other]
    craft.finish(run, {})
    report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
    assert (report["environment"], report["mixed"]) == (plan.environments[0], [other])
    # a task on such a node is let in, one with other versions than who settled the work is not
    slurm_tasks.write(run, slurm_tasks.Submitted(marker="here", tasks=[TASK]))
    here = versions()
    about, *rows = read_rows(run / manifest.STATE / f"{PIECES}.jsonl")
    own = about["environments"][0]
    third = {**other, "device": "cuda (a third)"}
    third["versions"] = {**third["versions"], "torch": "2.0.0"}
    for known, settled, mixed, error in (
        ([third], here, True, ""),
        ([third], here, False, "device"),
        ([third, own], here, False, ""),
        # versions that were mixed once let nobody in
        ([third, own], {**here, "torch": "2.0.0"}, True, f"torch {here['torch']}, not 2.0.0"),
    ):
        write_pieces(run, PIECES, {**about, "environments": known}, rows)
        told = (craft, run, "slurm-a", "none", {0: None}, code_hash(), "here", mixed, settled)
        found = Work()(*told)
        assert error in found.get("error", "")
        assert found.get("unfit", False) == bool(error)


def test_on_what_the_last_worker_sees_files_is_named_too(made: Made, tmp_path: Path) -> None:
    run, craft = fresh(made, tmp_path / "run"), Probes(Probing("none"))
    (run / manifest.STATE).mkdir(exist_ok=True)
    craft.settle(run, allow_mixed=True)
    (folder,) = looking.caches_of(run, None).folders
    here = environments_of([folder])["environment"]
    other = {**here, "device": "cuda (another)"}
    (folder / "environments.json").write_text(json.dumps({"environment": other, "mixed": []}))
    craft.finish(run, {})  # nobody has seen anything
    report = json.loads((run / "probe.json").read_text(encoding="utf-8"))
    assert (report["environment"], report["mixed"]) == (other, [here])


def test_the_last_worker_mixes_no_environments_without_leave(made: Made, tmp_path: Path) -> None:
    run, craft = fresh(made, tmp_path / "run"), Probes(Probing("none"))
    (run / manifest.STATE).mkdir(exist_ok=True)
    craft.settle(run, allow_mixed=False)
    (folder,) = looking.caches_of(run, None).folders
    here = environments_of([folder])["environment"]
    other = {**here, "device": "cuda (another)"}
    (folder / "environments.json").write_text(json.dumps({"environment": other, "mixed": []}))
    with pytest.raises(ConflictError, match="--allow-mixed goes on anyway"):
        craft.finish(run, {})
    assert environments_of([folder])["mixed"] == []
    assert not (run / "probe.json").exists()


def test_pieces_that_an_earlier_version_cut_are_read(made: Made, tmp_path: Path) -> None:
    run, craft = fresh(made, tmp_path / "run"), Probes(Probing("none"))
    (run / manifest.STATE).mkdir(exist_ok=True)
    craft.settle(run, allow_mixed=False)
    about, pieces = read_pieces(run, PIECES)
    (first,) = about.pop("environments")
    del about["kept"], about["kept_anew"]
    write_pieces(run, PIECES, {**about, "environment": first}, pieces)
    plan = craft.plan(run, None)
    assert plan.environments == [first]
    plan.mix({**first, "device": "cuda (another)"})
    assert Worker("w").begin(craft, run, "") == first
    craft.finish(run, {})


def test_workers_that_would_leave_gpus_idle_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipelines, "count_gpus", lambda: 2)
    assert main(["probe", str(tmp_path), "--network", "none", "--workers", "8"]) == 2
    assert "say --devices 0,1 (or cpu,cpu)" in capsys.readouterr().err


def test_faults_alone_want_no_network(made: Made, tmp_path: Path) -> None:
    runs = [fresh(made, tmp_path / name) for name in ("one", "two")]
    probe(runs[0], Probing("none"))
    probe_by_workers(TWO, runs[1], Probing("none"))
    tables = [pd.read_parquet(run / "probes.parquet") for run in runs]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_another_network_than_was_settled_is_not_taken(made: Made, tmp_path: Path) -> None:
    run = fresh(made, tmp_path / "run")
    network = Path(shutil.copytree(str(made[2].network), tmp_path / "tiny-clip"))
    craft, worker = Probes(Probing(str(network))), Worker("w")
    craft.settle(run, allow_mixed=False)
    worker.begin(craft, run, "")
    config = network / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    found = worker.work(str(network), {0: None})
    assert "is another network than was asked for" in found["cannot_load"]
    shutil.rmtree(network)
    assert "no probe network" in worker.work(str(network), {0: None})["cannot_load"]


def test_chunks_follow_from_the_files_and_hold_whole_batches() -> None:
    pictures = [Item(Path("x"), str(number)) for number in range(150)]
    clips = [Item(Path("x"), f"c{number}", frames=24) for number in range(9)]

    def cut(batch_size: int, *, seen: bool) -> list[int]:
        wishes = [Wish(item, facts=not seen, network=False) for item in [*pictures, *clips]]
        return list(map(len, chunks(wishes, batch_size)))

    assert cut(32, seen=False) == [64, 64, 22 + 2, 4, 3]
    assert cut(5, seen=False) == [65, 65, 20 + 2, 4, 3]
    assert cut(5, seen=True) == cut(5, seen=False)
    assert cut(200, seen=False)[0] == 150 + 3
    assert chunks([], 32) == []


def test_what_workers_keep_has_names_of_its_own(made: Made, tmp_path: Path) -> None:
    run = fresh(made, tmp_path / "run")
    for writer in ("a", "b"):
        caches = looking.caches_of(run, None, writer=writer)
        caches.facts.add({writer: pd.Series([1.0]).to_numpy()})
    assert set(looking.caches_of(run, None).facts.there) == {"a", "b"}


def test_what_the_file_system_does_not_give_is_not_put_away(tmp_path: Path) -> None:
    kept = pd.Series([1.0]).to_numpy()
    Cache(tmp_path, writer="a").add({"a": kept})
    Cache(tmp_path, writer="b").add({"b": kept})
    ours, theirs = sorted(tmp_path.iterdir())
    content = theirs.read_bytes()
    theirs.unlink()
    theirs.mkdir()  # so that the system refuses to read it
    with pytest.raises(
        WorkError, match=rf"cannot read .*{theirs.name}: Is a directory; nothing is"
    ):
        Cache(tmp_path)
    assert theirs.exists()
    theirs.rmdir()
    theirs.write_bytes(content[:-30])
    assert Cache(tmp_path).there.keys() == {"a"}
    assert list(tmp_path.iterdir()) == [ours]  # a torn one is put away
    theirs.symlink_to(tmp_path / "gone")  # as one that another put away meanwhile
    assert Cache(tmp_path).there.keys() == {"a"}


def test_the_command_line_takes_workers_for_probes(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = fresh(made, tmp_path / "run")
    monkeypatch.setattr(pipelines, "count_gpus", lambda: 0)
    asked = made[2]
    command = ["probe", str(run), "--network", str(asked.network), "--batch-size", "5"]
    command += ["--references", str(asked.references), "--texts", str(asked.texts)]
    assert main([*command, "--workers", "2", "--threads", "1", "--json"]) == 1
    said = capsys.readouterr()
    last = json.loads(said.out.splitlines()[-1])
    assert (last["event"], last["done"], last["failed"]) == ("last", 214, 2)
    assert "2 files were lost or changed and left out" in said.err
    same_tables(run, made[1])
    assert main([*command, "--devices", "0,0"]) == 2
    assert main([*command, "--run-yaml", "x.yaml"]) == 2
    assert "wants --engine slurm" in capsys.readouterr().err
    assert main([*command, "--engine", "openai"]) == 2


def test_a_run_behind_a_url_is_probed_by_workers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINLU_STAGING", str(tmp_path / "staging"))
    run = painted_run(tmp_path, {"one": {"chinese": "chinese", "none": "western"}})
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    probe(whole, Probing("none"))
    assert main(["probe", f"file://{run}", "--network", "none", "--devices", "cpu,cpu"]) == 0
    tables = [pd.read_parquet(one / "probes.parquet") for one in (run, whole)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_wrong_requests_leave_a_run_as_it_is(made: Made, tmp_path: Path) -> None:
    run = fresh(made, tmp_path / "run")
    with pytest.raises(RequestError, match="no probe network 'nothing'"):
        probe_by_workers(TWO, run, Probing("nothing"))
    assert not (run / "probes.parquet").exists()
    with pytest.raises(RequestError, match=r"no run\.yaml"):
        probe_by_workers(TWO, tmp_path / "no-run", Probing("none"))
    assert not (tmp_path / "no-run").exists()

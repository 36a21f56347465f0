"""Slurm's nodes that lack something: they are passed over, as workers of the other engines are.

Tasks are processes of submitit's local executor, each told by its environment which node it is on. As with
Slurm an idle node gets the next task, unless it is excluded: here the first that is not.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")

from bench import manifest
from bench.crew import slurm, slurm_nodes, slurm_tasks, slurm_work
from bench.crew.pictures import Pictures
from bench.crew.slurm import drive_by_slurm
from bench.crew.slurm_jobs import executor_of, result_of
from bench.crew.worker import code_hash
from bench.errors import NotHereError, RequestError, WorkError
from bench.generate import generate
from bench.request import Request, SlurmOptions
from tests import tiny
from tests.bench.crew.crews import asked, meanwhile, pixels_of, wait_for

LOCAL = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)
SLURM = LOCAL.model_copy(update={"cluster": "slurm"})
COMMIT = "a" * 40


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.25)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Request]:
    folder = tmp_path_factory.mktemp("whole")
    request = asked(folder, tiny_checkpoint, scenes=1)
    assert generate(request, folder / "run").made == 8
    return folder / "run", request


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's cache that holds `owner/cached-sd`."""
    there = tmp_path_factory.mktemp("there")
    checkpoint = there / "models--owner--cached-sd"
    tiny.save("stable-diffusion", checkpoint / "snapshots" / COMMIT, seed=1)
    (checkpoint / "refs").mkdir()
    (checkpoint / "refs" / "main").write_text(COMMIT)
    return there


Cluster = Callable[..., list[str]]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    """Make a cluster of nodes, each with a cache of the hub's; return where tasks were submitted to."""

    def made(**caches: Path) -> list[str]:
        submitted_to: list[str] = []

        def executor(folder: Path, options: SlurmOptions) -> Any:
            excluded = str(options.parameters.get("exclude", "")).split(",")
            free = [node for node in caches if node not in excluded]
            monkeypatch.setenv("SLURMD_NODENAME", free[0] if free else "")
            monkeypatch.setenv("HF_HUB_CACHE", str(caches[free[0]] if free else tmp_path))
            real = executor_of(folder, LOCAL)
            for name in ("submit", "map_array"):
                monkeypatch.setattr(real, name, _noted(getattr(real, name), free, submitted_to))
            return real

        monkeypatch.setattr(slurm, "executor_of", executor)
        return submitted_to

    return made


def _noted(submit: Any, free: list[str], submitted_to: list[str]) -> Any:
    def noted(*told: Any) -> Any:
        if not free:  # as sbatch says it
            raise RuntimeError("Requested node configuration is not available")
        submitted_to.append(free[0])
        return submit(*told)

    return noted


def test_a_node_without_the_models_files_is_passed_over(
    whole: tuple[Path, Request],
    cache: Path,
    cluster: Cluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    request = replace(whole[1], models=("owner/cached-sd", *whole[1].models))
    (tmp_path / "empty").mkdir()
    nodes = cluster(lacking=tmp_path / "empty", there=cache)
    done = drive_by_slurm(Pictures(request), tmp_path / "run", SLURM)
    assert (done.made, done.failed) == (16, 0)
    # who settles, then all tasks, then those again that the first node could not do
    assert nodes[:2] == ["lacking", "there"]
    assert nodes[2:-1] == ["lacking"] * (len(nodes) - 3)
    assert nodes[-1] == "there"
    said = capsys.readouterr().err
    assert "it is tried again elsewhere" in said
    assert "lacking is left out from now on for tasks of cached-sd" in said
    assert pixels_of(whole[0]).items() <= pixels_of(tmp_path / "run").items()
    assert slurm_tasks.read(tmp_path / "run").tasks == []


def test_where_no_node_has_the_files_the_command_ends_and_names_the_nodes(
    whole: tuple[Path, Request], cluster: Cluster, tmp_path: Path
) -> None:
    request = replace(whole[1], models=("owner/cached-sd",))
    nodes = cluster(a=tmp_path, b=tmp_path)  # and for a third time Slurm has none
    with pytest.raises(NotHereError, match=r"'owner/cached-sd'.* \(a, b were asked in turn\)"):
        drive_by_slurm(Pictures(request), tmp_path / "run", SLURM)
    assert nodes == ["a", "b"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"languages": ("fr",)}, "no text in 'fr'"), ({"models": ("sdlx",)}, "no model named 'sdlx'")],
)
def test_a_request_that_is_wrong_everywhere_is_asked_of_one_node(
    whole: tuple[Path, Request],
    cluster: Cluster,
    tmp_path: Path,
    wrong: dict[str, tuple[str]],
    said: str,
) -> None:
    nodes = cluster(a=tmp_path, b=tmp_path)
    with pytest.raises(RequestError, match=said):
        drive_by_slurm(Pictures(replace(whole[1], **wrong)), tmp_path / "run", SLURM)  # type: ignore[arg-type]
    assert nodes == ["a"]  # and no other is asked


def test_a_model_that_loads_on_no_node_is_set_aside_and_the_rest_is_made(
    whole: tuple[Path, Request], cluster: Cluster, tmp_path: Path
) -> None:
    torn = tiny.save("stable-diffusion", tmp_path / "torn-sd", seed=1)
    weights = torn / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    request = replace(whole[1], models=(str(torn), *whole[1].models))
    nodes = cluster(a=tmp_path, b=tmp_path)
    done = drive_by_slurm(Pictures(request), tmp_path / "run", SLURM)
    assert (done.made, done.failed) == (8, 8)
    assert pixels_of(tmp_path / "run") == pixels_of(whole[0])
    assert set(nodes) == {"a", "b"}
    errors = {row["error"] for row in manifest.read_failures(tmp_path / "run")}
    assert len(errors) == 1
    assert errors.pop().endswith(" (tried on a, b)")


def test_pieces_are_given_up_after_so_many_nodes_or_on_one_that_cannot_be_avoided() -> None:
    kept_off, wanted = slurm_nodes.KeptOff(), {1: None, 2: None}
    lacking = {"cannot_load": "m does not load"}
    for number in range(slurm_nodes.NODES):
        assert kept_off.nodes("m") == tuple(f"n{one}" for one in range(number))
        task = slurm_tasks.SlurmTask("t", "1", "m", wanted, kept_off.nodes("m"))
        found = {**lacking, "node": f"n{number}"}
        assert kept_off.note(task, found) == f"n{number}"
        lost = kept_off.lost(task, found, wanted)
    assert lost == [1, 2]
    assert kept_off.nodes("other") == ()
    stale = {"error": "Stale file handle", "node": "n8"}
    assert kept_off.note(replace(task, job="7_1"), stale) == ""
    assert kept_off.note(replace(task, job="7_2"), stale) == ""  # of the same array
    assert kept_off.note(task, {"error": "other code", "unfit": True, "node": "n9"}) == "n9"
    assert kept_off.nodes("other") == ("n9",)
    assert kept_off.note(replace(task, job="8_1"), stale) == "n8"
    assert kept_off.nodes("other") == ("n9", "n8")
    fell_again = replace(task, without=("n0",))
    assert kept_off.note(fell_again, {**lacking, "node": "n0"}) == ""
    assert kept_off.lost(fell_again, {**lacking, "node": "n0"}, [7]) == [7]
    assert kept_off.lost(task, {**lacking, "node": "n8"}, [8]) == []
    assert kept_off.try_once_more([8], ["m"], ["n0", "n1", "n2", "n9"])
    assert (kept_off.nodes("m"), kept_off.nodes("other")) == (("n8",), ("n8",))
    assert kept_off.lost(task, {**lacking, "node": "n8"}, [8, 9]) == [8]
    assert not kept_off.try_once_more([8], ["m"])


def test_slurm_is_told_which_nodes_to_leave_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "srun").touch(mode=0o755)  # submitit asks only whether there is one
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    theirs = SlurmOptions(
        parameters={"exclude": "node[1-3]", "qos": "long"},
        partition="gpu",
        account="ink",
        minutes=90,
        gpus=2,
        cpus=6,
        memory_gb=64,
        requeues=7,
        jobs=4,
    )

    def told(options: SlurmOptions) -> list[str]:
        real = executor_of(tmp_path / "logs", options)._executor
        assert real.max_num_timeout == options.requeues
        real.parameters["map_count"] = 9  # as of an array of nine tasks
        text: str = real._make_submission_file_text("command", "1")
        return [line.removeprefix("#SBATCH --") for line in text.splitlines()]

    def script(options: SlurmOptions) -> list[str]:
        return [line for line in told(options) if line.startswith(("exclude", "qos"))]

    whole = {"partition=gpu", "account=ink", "time=90", "gpus-per-node=2", "cpus-per-task=6"}
    assert whole | {"mem=64GB", "array=0-8%4", "job-name=pinlu"} <= set(told(theirs))
    qos = "qos=long"
    own = slurm_nodes.excluding(theirs, ["node7", "node9"])
    assert script(own) == ["exclude='node[1-3],node7,node9'", qos]
    assert script(slurm_nodes.excluding(theirs, [])) == ["exclude='node[1-3]'", qos]
    assert script(slurm_nodes.excluding(SlurmOptions(), ["node7"])) == ["exclude=node7"]
    assert script(slurm_nodes.excluding(SlurmOptions(), [])) == []


@dataclass(frozen=True)
class Slow:
    """A craft that takes long to settle, and writes when it begins and when it has ended.

    One that `stays` does not end because its driver is gone.
    """

    stays: bool = False

    def settle(self, folder: Path, *, allow_mixed: bool) -> None:
        del allow_mixed
        if self.stays:
            os._exit = lambda _: None  # type: ignore[assignment,misc] # in a task's process alone
        (folder / "began").write_text(str(os.getpid()))
        threading.Event().wait(600)
        (folder / "ended").touch()


@pytest.fixture
def ctrl_c() -> Any:
    """A test run in the background ignores Ctrl-C, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def settling(run: Path) -> psutil.Process:
    began = run / "began"
    wait_for(lambda: began.exists() and began.read_text())
    return psutil.Process(int(began.read_text()))


@pytest.mark.usefixtures("ctrl_c")
# on a busy machine submitit's process is not waited for to its end
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_the_first_task_is_awaited_cancels_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from submitit.local.local import LocalJob  # noqa: PLC0415 - an extra

    run, tasks, cancelled = tmp_path / "run", list[psutil.Process](), list[str]()
    cancel = LocalJob.cancel

    def noted(job: Any, check: bool = True) -> None:
        cancelled.append(job.job_id)
        cancel(job, check=check)

    def interrupt(stop: threading.Event) -> None:
        del stop
        tasks.append(settling(run))
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(LocalJob, "cancel", noted)
    with pytest.raises(KeyboardInterrupt), meanwhile(interrupt):
        drive_by_slurm(Slow(stays=True), run, LOCAL)  # type: ignore[arg-type] # it is only settled
    assert len(cancelled) == 1
    _, alive = psutil.wait_procs(tasks, timeout=60)
    for one in alive:
        one.kill()
    assert alive == []  # and by nothing else
    assert not (run / "ended").exists()


def test_a_first_task_whose_driver_is_gone_ends_by_itself(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with manifest.opened(run) as token:
        slurm_tasks.write(run, slurm_tasks.Submitted(marker=token))
        told = ("settle", Slow(), run, False, code_hash(), 0, token)
        job = executor_of(run / manifest.STATE / "slurm", LOCAL).submit(slurm_work.call, *told)
        task = settling(run)
    assert psutil.wait_procs([task], timeout=60)[1] == []
    assert "died" in result_of(job)
    assert not (run / "ended").exists()


def test_a_task_on_a_node_that_sees_another_folder_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_work, "SEEN_WITHIN", 0.0)
    told = ("settle", Slow(), tmp_path, False, code_hash(), 0)
    with manifest.opened(tmp_path) as token:
        slurm_tasks.write(tmp_path, slurm_tasks.Submitted(marker="of an older copy"))
        assert "must lie on a file system that all share" in slurm_work.call(*told, token)["error"]
        task = (Slow(), tmp_path, "slurm-a", "m", {0: None}, code_hash(), token, False, {})
        assert "must lie on a file system that all share" in slurm_work.Work()(*task)["error"]
        slurm_tasks.write(tmp_path, slurm_tasks.Submitted(marker="another"))
        assert "nobody waits for this task" in slurm_work.call(*told, "another")["error"]
    assert not (tmp_path / "began").exists()


def test_a_task_that_is_not_among_those_submitted_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_work, "SEEN_WITHIN", 0.0)
    (tmp_path / manifest.STATE).mkdir()
    taken = slurm_tasks.SlurmTask("slurm-b", "2_0", "m", {0: None})
    slurm_tasks.write(tmp_path, slurm_tasks.Submitted(marker="here", tasks=[taken]))
    told = ("m", {0: None}, code_hash(), "here", False, {})
    found = slurm_work.Work()(Slow(), tmp_path, "slurm-a", *told)
    assert "was submitted once more under another name" in found["error"]
    found = slurm_work.Work()(Slow(), tmp_path, "slurm-b", *told)  # it begins, though with no desk
    assert "has no attribute 'desk'" in found["error"]


def test_a_read_that_the_file_system_does_not_give_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, asked_for = slurm_tasks.read, list[Path]()

    def stale(run: Path) -> slurm_tasks.Submitted:
        asked_for.append(run)
        if len(asked_for) == 1:
            raise OSError(116, "Stale file handle")
        return read(run)

    (tmp_path / manifest.STATE).mkdir()
    slurm_tasks.write(tmp_path, slurm_tasks.Submitted(marker="here"))
    monkeypatch.setattr(slurm_tasks, "read", stale)
    task = (Slow(), tmp_path, "slurm-a", "m", {0: None}, "of others", "here", False, {})
    found = slurm_work.Work()(*task)
    assert "another version of Pinlu's code" in found["error"]
    assert (found["unfit"], len(asked_for)) == (True, 2)


def test_a_node_that_sees_nothing_of_the_folder_is_named_as_such(tmp_path: Path) -> None:
    job = executor_of(tmp_path, LOCAL).submit(os.getpid)
    wait_for(job.done)
    job.paths.result_pickle.unlink()
    for log in (job.paths.stdout, job.paths.stderr):
        log.unlink()
    found = result_of(job)
    assert "it must lie on a file system that all share" in found["error"]
    assert found["died"]


def test_what_slurm_does_not_take_is_said_in_a_sentence(
    whole: tuple[Path, Request], cluster: Cluster, tmp_path: Path
) -> None:
    cluster()
    with pytest.raises(WorkError, match="Slurm takes no such task: Requested node config"):
        drive_by_slurm(Pictures(whole[1]), tmp_path / "run", SLURM)

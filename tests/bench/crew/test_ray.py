"""Ray: workers are killed, a node is removed, the driver dies; the outputs stay those of one process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import psutil
import pytest

pytest.importorskip("ray", reason="Ray is an extra: pip install 'pinlu[ray]'")

from ray.cluster_utils import Cluster

from bench import manifest
from bench.cli import main
from bench.crew.driving import _Driver, drive
from bench.crew.pictures import Pictures
from bench.crew.ray_actors import RayCrew
from bench.errors import RequestError
from bench.generate import generate
from bench.probing.by_workers import probe_by_workers
from bench.probing.run import Probing, probe
from bench.request import Request
from bench.understanding.answering import answer
from bench.understanding.asking import Asking
from bench.understanding.by_workers import answer_by_workers
from tests import tiny
from tests.bench.crew.crews import (
    asked,
    begun,
    left_over,
    meanwhile,
    pids_of,
    pixels_of,
    start,
    wait_for,
)
from tests.bench.probing.material import painted_run, tiny_network
from tests.bench.understanding.material import suite_of_questions, works_folder
from tests.tiny_readers import make_reader

pytestmark = [
    # Ray's own: it leaves sockets and files to the collector, and warns of its future
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Request]:
    folder = tmp_path_factory.mktemp("whole")
    request = asked(folder, tiny_checkpoint)
    assert generate(request, folder / "run").made == 32
    return folder / "run", request


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head that works for nobody, and three nodes with a place each."""
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - its name; else workers yield to all
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(3):
        nodes.add_node(num_cpus=1, num_gpus=0)
    yield nodes
    nodes.shutdown()


def test_killed_actors_and_a_removed_node_change_nothing(
    cluster: Cluster,
    whole: tuple[Path, Request],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, request = tmp_path / "run", whole[1]
    dead: set[str] = set()
    titles: set[str] = set()

    def chaos(stop: threading.Event) -> None:
        while not stop.wait(0.01) and len(dead) < 2:
            for name, pid in pids_of(run).items():
                if name in dead or len(dead) == 2 or not begun(run, name):
                    continue
                with suppress(psutil.Error):  # it may have died with its node
                    titles.update(psutil.Process(pid).cmdline())
                    psutil.Process(pid).kill()
                if not dead:
                    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
                dead.add(name)

    with meanwhile(chaos):
        done = drive(Pictures(request), run, partial(RayCrew, cluster.address, None, 0))
    assert len(dead) == 2
    assert done.failed == 0
    assert pixels_of(run) == pixels_of(whole[0])
    assert manifest.verify(run) == []
    assert left_over(run) == []
    assert "is lost (" in capsys.readouterr().err
    assert any(title.startswith("ray::tiny-sd, batch") for title in titles)


def test_the_driver_is_killed_and_the_next_goes_on(
    cluster: Cluster, whole: tuple[Path, Request], tmp_path: Path
) -> None:
    run, request = tmp_path / "run", whole[1]
    first = start(request, run, "--engine", "ray", "--address", cluster.address)
    wait_for(lambda: any(len(begun(run, name)) > 1 for name in pids_of(run)))
    actors = [psutil.Process(pid) for pid in pids_of(run).values()]
    first.kill()
    first.communicate()
    assert psutil.wait_procs(actors, timeout=60)[1] == []
    done = drive(Pictures(request), run, partial(RayCrew, cluster.address, 2, None))
    assert done.there_before > 0
    assert done.made + done.there_before == 32
    assert pixels_of(run) == pixels_of(whole[0])
    assert manifest.verify(run) == []


def test_ctrl_c_ends_a_run_and_another_engine_goes_on(
    cluster: Cluster, whole: tuple[Path, Request], tmp_path: Path
) -> None:
    for attempt in range(5):  # on a busy machine all may be made before it is struck
        run, request = tmp_path / f"run-{attempt}", whole[1]
        first = start(request, run, "--engine", "ray", "--address", cluster.address)
        wait_for(lambda run=run: any(len(begun(run, name)) > 1 for name in pids_of(run)))
        actors = [psutil.Process(pid) for pid in pids_of(run).values()]
        first.send_signal(signal.SIGINT)
        told = first.communicate(timeout=300)[1]
        if first.returncode == 130 and len(manifest.read_outputs(run)) < 32:
            break
    assert first.returncode == 130
    assert "stopped; what was finished is kept" in told
    assert psutil.wait_procs(actors, timeout=60)[1] == []
    assert left_over(run) == []
    done = generate(request, run)
    assert 0 < done.there_before < 32
    assert done.made + done.there_before == 32
    assert pixels_of(run) == pixels_of(whole[0])
    assert manifest.verify(run) == []


def test_answers_by_actors_are_those_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    llava = make_reader(tmp_path / "tiny-llava", "llava")
    suite = suite_of_questions(tmp_path / "suite.yaml")
    request = Request(str(suite), (str(llava),), ("zh",), (0,), batch_size=2)
    asking = Asking(works_folder(tmp_path / "works"))
    answer(request, asking, tmp_path / "one")
    workers = partial(drive, crew_of=partial(RayCrew, cluster.address, 2, None))
    done = answer_by_workers(workers, request, asking, tmp_path / "run")
    assert (done.made, done.failed) == (7, 0)
    texts = [
        {row["key"]: row["answer"] for row in manifest.read_outputs(tmp_path / run)}
        for run in ("one", "run")
    ]
    assert texts[0] == texts[1]
    assert left_over(tmp_path / "run") == []


def test_probes_by_actors_are_those_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    run = painted_run(tmp_path, {"one": {"chinese": "chinese", "none": "western"}}, seeds=10)
    asked = Probing(str(tiny_network("clip", tmp_path / "tiny-clip")), batch_size=8)
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    probe(whole, asked)
    workers = partial(drive, crew_of=partial(RayCrew, cluster.address, 2, None))
    assert probe_by_workers(workers, run, asked).new == 80
    tables = [pd.read_parquet(one / "probes.parquet") for one in (run, whole)]
    # Ray gives its workers other threads for what is fitted; what the network sees is the same
    pd.testing.assert_frame_equal(*tables)
    assert left_over(run) == []


def test_a_model_that_a_node_lacks_is_made_by_others_and_the_rest_goes_on(
    whole: tuple[Path, Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One node has a model of the hub in its cache, the other has not; nobody reaches the hub."""
    commit = "a" * 40
    there, lacking, run = tmp_path / "there", tmp_path / "lacking", tmp_path / "run"
    checkpoint = there / "models--owner--cached-sd"
    tiny.save("stable-diffusion", checkpoint / "snapshots" / commit, seed=1)
    (checkpoint / "refs").mkdir()
    (checkpoint / "refs" / "main").write_text(commit)
    lacking.mkdir()
    request = replace(whole[1], models=("owner/cached-sd", *whole[1].models))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(there))
    alone = start(request, tmp_path / "alone")
    assert alone.communicate(timeout=300)
    assert alone.returncode == 0
    said: list[str] = []
    say = _Driver.say
    monkeypatch.setattr(_Driver, "say", lambda self, text: (said.append(text), say(self, text)))

    def hold(stop: threading.Event) -> None:
        """Have who has the model wait until the other was offered it."""
        held: dict[str, psutil.Process] = {}
        while not stop.wait(0.01) and not any("is left to other workers" in one for one in said):
            for name, pid in pids_of(run).items():
                if name not in held and max(begun(run, name), default=99) < 11:  # the first model's
                    held[name] = psutil.Process(pid)
                    held[name].suspend()
        for process in held.values():
            process.resume()

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for cache in (lacking, there):
            nodes.add_node(num_cpus=1, num_gpus=0, env_vars={"HF_HUB_CACHE": str(cache)})
        with meanwhile(hold):
            done = drive(Pictures(request), run, partial(RayCrew, nodes.address, None, 0))
    finally:
        nodes.shutdown()
    assert any("cached-sd does not load" in one and "is left to other" in one for one in said)
    assert (done.made, done.failed) == (64, 0)
    assert pixels_of(run) == pixels_of(tmp_path / "alone")
    assert {row["model"] for row in manifest.read_outputs(run)} == {"cached-sd", "tiny-sd"}


def test_a_place_that_the_cluster_does_not_have_is_refused(
    cluster: Cluster, whole: tuple[Path, Request], tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match="no place for a worker with 1 GPUs: it has 0 GPUs and"):
        drive(Pictures(whole[1]), tmp_path / "run", partial(RayCrew, cluster.address, None, 1))
    assert not (tmp_path / "run").exists()


def test_an_address_where_nobody_answers_is_said_in_a_sentence(
    whole: tuple[Path, Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = ["generate", "--suite", whole[1].suite, "--models", whole[1].models[0]]
        command += ["--languages", "zh", "--out", str(tmp_path / "run"), "--engine", "ray"]
        assert main([*command, "--address", address]) == 2
    assert f"no Ray cluster answers at {address}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

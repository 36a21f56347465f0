"""What Slurm or its nodes refuse, and what the driver makes of it.

The driver is real; tasks are stand-ins that answer at once: what a node says of itself cannot be had otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")

from bench import parts
from bench.crew import slurm, slurm_tasks
from bench.crew.crafts import Piece, Plan
from bench.errors import WorkError
from bench.files import append_rows
from bench.request import SlurmOptions

NO_NODE = (
    "sbatch: error: Batch job submission failed: Requested node configuration is not available"
)
TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
VERSIONS = {"python": "3", "torch": "2"}
OTHER_CODE = {"error": "it has another version of Pinlu's code", "unfit": True}
NO_MODEL = {"cannot_load": "m does not load"}
"""As a worker says it before anything is begun."""
UNSEEN = {"error": "it does not see the references: they must lie where all see them"}
STALE = {"error": "cannot read part-1: Stale file handle"}

Found = Mapping[str, Any] | None
"""What a task returns; None where it makes everything."""


@dataclass
class Ended:
    """A job that has ended."""

    job_id: str
    found: Mapping[str, Any]
    state: str = "DONE"

    @property
    def paths(self) -> Any:
        return self

    @property
    def result_pickle(self) -> Path:
        return Path(__file__)  # it is there

    def result(self) -> Mapping[str, Any]:
        return self.found


@dataclass
class Pieces:
    """Four pieces of one model; what of them was made, and what failed with which error."""

    made: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        del folder, settled, under_way

        def enter(rows: Sequence[Mapping[str, Any]]) -> None:
            self.made.update(row["output"]["key"] for row in rows if "output" in row)
            lost = [row["failure"] for row in rows if "failure" in row]
            self.failed.update((row["key"], row["error"]) for row in lost)

        return Plan(
            doing="generate",
            unit="images",
            pieces=[Piece(index, "m", (f"k{index}",)) for index in range(4)],
            finished=set(self.made),
            environments=[{}],
            planned=4,
            there_before=0,
            enter=enter,
            failures=lambda _, keys, why: [{"key": key, "error": why} for key in keys],
        )


@dataclass
class Cluster:
    """Nodes of which an idle one gets the next array; `of_task` says what comes of one there."""

    run: Path
    monkeypatch: pytest.MonkeyPatch
    craft: Pieces = field(default_factory=Pieces)
    submitted: list[str] = field(default_factory=list)
    """By submission the node that it fell to, or why it was refused."""
    before: list[int] = field(default_factory=list)
    """What a task has begun before it was queued once more."""
    old: dict[str, Ended] = field(default_factory=dict)

    def drive(
        self,
        nodes: Sequence[str],
        of_task: Callable[[str, int, int], Found],
        *,
        refused: Mapping[int, str] = MappingProxyType({}),
        cluster: str = "slurm",
        jobs: int = 16,
    ) -> None:
        """Drive the work; `of_task` is told node, number of the submission and piece."""
        driven, run = self, self.run

        class Executor:
            def __init__(self, folder: Path, options: SlurmOptions) -> None:
                del folder
                without = str(options.parameters.get("exclude", "")).split(",")
                self.free = [node for node in nodes if node not in without]

            def map_array(self, _: Any, *columns: Sequence[Any]) -> list[Ended]:
                number = len(driven.submitted)
                why = refused.get(number, "" if self.free else NO_NODE)
                driven.submitted.append((why and "refused") or self.free[0])
                if why:
                    raise RuntimeError(why)
                rows = zip(*columns, strict=True)
                return [self.ended(number, row[2], row[4]) for row in rows]

            def ended(self, number: int, name: str, wanted: Collection[int]) -> Ended:
                node, part = self.free[0], parts.folder_of(run) / f"{name}.jsonl"
                append_rows(part, [{"begun": index} for index in driven.before])
                found: Found = None
                for index in wanted:
                    found = of_task(node, number, index)
                    if found and ("cannot_load" not in found or found is NO_MODEL):
                        break
                    append_rows(part, [{"begun": index}])
                    if found:
                        break
                    append_rows(part, [{"output": {"key": f"k{index}", "seconds": 1.0}}])
                found = found or {"loaded": 1.0, "cut": 0}
                more = {"rows_before": len(driven.before), "node": node}
                return Ended(str(number), {**found, **more})

        self.monkeypatch.setattr(slurm, "executor_of", Executor)
        self.monkeypatch.setattr(slurm, "job_of", lambda _, job: self.old[job])
        self.monkeypatch.setattr(slurm, "answer_of", lambda *_, **__: SETTLED)
        options = SlurmOptions(gpus=0, cluster=cluster, jobs=jobs)
        slurm.drive_by_slurm(self.craft, run, options)  # type: ignore[arg-type] # only its plan is asked for

    def submitted_before(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Have tasks of an earlier call end so, each on its node."""
        self.old = {
            f"old-{node}": Ended(node, {**one, "node": node}) for node, one in found.items()
        }
        tasks = [
            slurm_tasks.SlurmTask(f"slurm-{node}", f"old-{node}", "m", {number: None})
            for number, node in enumerate(found)
        ]
        slurm_tasks.write(self.run, slurm_tasks.Submitted("Pieces", None, tasks))


SETTLED = {"answer": None, "versions": VERSIONS}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.0)
    monkeypatch.setattr(slurm, "AGAIN_AFTER", 0.0)
    parts.folder_of(tmp_path / "run").mkdir(parents=True)
    return Cluster(tmp_path / "run", monkeypatch)


def test_what_tasks_of_before_met_leaves_no_node_out(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.submitted_before({"a": OTHER_CODE, "b": NO_MODEL})
    cluster.drive("ab", lambda *_: None)
    assert (len(cluster.craft.made), cluster.craft.failed) == (4, {})
    assert cluster.submitted == ["a"]
    assert "is left out" not in capsys.readouterr().err


@pytest.mark.parametrize("nodes", ["a", "ab"])
def test_what_goes_wrong_once_leaves_no_node_out(cluster: Cluster, nodes: str) -> None:
    cluster.drive(nodes, lambda _, number, __: None if number else STALE)
    assert (len(cluster.craft.made), cluster.craft.failed) == (4, {})
    assert cluster.submitted == ["a", "a"]


def test_a_node_that_says_the_same_of_two_arrays_is_left_out(cluster: Cluster) -> None:
    cluster.drive("ab", lambda node, *_: UNSEEN if node == "a" else None)
    assert (len(cluster.craft.made), cluster.craft.failed) == (4, {})
    assert cluster.submitted == ["a", "a", "b"]


@pytest.mark.parametrize("found", [OTHER_CODE, NO_MODEL])
def test_where_no_node_is_left_all_are_tried_once_more(cluster: Cluster, found: Found) -> None:
    cluster.drive("ab", lambda _, number, __: found if number < 2 else None)
    assert (len(cluster.craft.made), cluster.craft.failed) == (4, {})
    assert cluster.submitted == ["a", "b", "refused", "a"]


def test_where_no_node_is_fit_nothing_is_set_aside(cluster: Cluster) -> None:
    with pytest.raises(WorkError, match="another version of Pinlu's code"):
        cluster.drive("a", lambda *_: OTHER_CODE)
    assert (cluster.craft.made, cluster.craft.failed) == (set(), {})
    assert cluster.submitted == ["a", "refused", "a", "refused"]


def test_a_piece_that_no_node_can_make_leaves_the_others_alone(cluster: Cluster) -> None:
    lacking = {"cannot_load": "changed or torn: 2.png"}
    cluster.drive("ab", lambda _, __, index: lacking if index == 2 else None)
    assert cluster.craft.made == {"k0", "k1", "k3"}
    assert cluster.craft.failed == {"k2": "set aside: changed or torn: 2.png (tried on a, b)"}


def test_a_requeued_task_is_to_blame_for_what_it_began_last(cluster: Cluster) -> None:
    cluster.before = [3]  # begun, and then back in the queue
    lacking = {"cannot_load": "changed or torn: 2.png"}
    cluster.drive("ab", lambda _, __, index: lacking if index == 2 else None, jobs=1)
    assert cluster.craft.made == {"k0", "k1", "k3"}
    assert set(cluster.craft.failed) == {"k2"}


@pytest.mark.parametrize("before", [True, False])
def test_what_slurm_does_not_take_once_is_submitted_again(cluster: Cluster, before: bool) -> None:
    refused = {1 if before else 0: TIMED_OUT}
    cluster.drive(
        "ab", lambda node, *_: NO_MODEL if before and node == "a" else None, refused=refused
    )
    assert (len(cluster.craft.made), cluster.craft.failed) == (4, {})


def test_what_slurm_takes_no_more_sets_nothing_aside(cluster: Cluster) -> None:
    refused = dict.fromkeys(range(1, 9), TIMED_OUT)
    with pytest.raises(WorkError, match=r"Slurm takes no such task: .*Socket timed out"):
        cluster.drive("ab", lambda *_: NO_MODEL, refused=refused)
    assert (cluster.craft.failed, len(cluster.submitted)) == ({}, 3)


def test_without_slurm_nothing_is_said_to_be_left_out(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.drive("a", lambda *_: NO_MODEL, cluster="local")
    assert set(cluster.craft.failed.values()) == {"set aside: m does not load (tried on a)"}
    assert "is left out" not in capsys.readouterr().err


def test_where_an_array_is_not_taken_it_is_said_that_the_others_go_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_and_no_more(driver: Any, shares: Sequence[Any]) -> None:
        driver.submit_array(shares[:1], (), 1)
        raise WorkError("Slurm takes no such task: as many as may be")

    monkeypatch.setattr(slurm._Driver, "submit", one_and_no_more)
    with pytest.raises(WorkError, match=r"as many as may be; the Slurm tasks go on \(0"):
        cluster.drive("a", lambda *_: None)

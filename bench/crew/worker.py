"""A worker: makes batches of one model after another, and enters them in a part of its own.

The same on every engine: a process on this host, a Ray actor, a task of a Slurm array. It is asked by
name (`Worker.probe`, `settle`, `begin`, `work`, `end`) and answers with plain data, so that answers
travel anywhere. Imports torch through `bench.model_work`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench
from bench import errors, holding, manifest
from bench.checkpoints import folder_revision
from bench.errors import PinluError, WorkError
from bench.keeper import Keeper
from bench.model_work import ModelWork, missing_of, sentence
from bench.parts import Part, Wanted
from bench.pipelines import settle_threads
from bench.records import ModelSpec
from bench.request import Request
from bench.run import Run, environment_of, planned_run, run_on_disk, settle, versions

if TYPE_CHECKING:
    from bench.crew.shares import Share


class Worker:
    """One worker, on one device. `name` is that of its part. Call it from one thread."""

    def __init__(self, name: str) -> None:
        """Be ready to be probed; nothing is read yet."""
        self.name = name
        self._run: Run | None = None
        self._work: ModelWork | None = None
        self._part: Part | None = None
        self._followed = False

    def probe(self, marker: Path) -> dict[str, Any]:
        """Say who and where this is, what it runs, and what the marker file says that it sees."""
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "code": code_hash(),
            "versions": versions(),
            "marker": marker.read_text(encoding="utf-8") if marker.is_file() else None,
        }

    def settle(self, request: Request, folder: Path, *, allow_mixed: bool) -> list[str]:
        """Plan and settle the run, as the device here has it; return the ids of the models asked.

        Dtypes and environment are those of whoever makes the pixels, not of whoever drives.

        Raises:
            RequestError: as `planned_run` and `settle` do.
        """
        run = settle(planned_run(request, folder), allow_mixed=allow_mixed)
        return sorted(run.asked)

    def begin(self, folder: Path, token: str) -> dict[str, Any]:
        """Read a settled run and open the part; return the environment here, threads as the run's.

        `token` is that of who holds the run: when it does no longer, this process ends; "" where
        nobody is followed.
        """
        run = self._run = run_on_disk(folder, frozenset())
        self._part = Part(folder, self.name)
        self._part.path.parent.mkdir(parents=True, exist_ok=True)
        self._part.here(socket.gethostname(), os.getpid())
        if token:
            state = folder / manifest.STATE
            threading.Thread(target=_end_with, args=(state, token), daemon=True).start()
        return environment_of(settle_threads(run.content["environment"]["threads"]))

    def work(self, model: str, wanted: Wanted) -> dict[str, Any]:
        """Make batches of one model; their rows are in the part when this returns.

        Returns:
            `loaded`, the seconds that loading took (None where the model was there), and `cut`, how
            many jobs' prompts were cut; or `cannot_load`, a sentence, where it does not load here;
            or `stopped`, a sentence, where this worker can do nothing more: its device is lost, and
            another process may find it (`again`), or the disk is full.
        """
        if self._run is None or self._part is None:
            msg = "work before begin"
            raise RuntimeError(msg)
        loaded = None
        try:
            if self._work is None or self._work.spec.id != model:
                self.end()
                self._work = self._load(self._run, self._part, self._run.models[model])
                loaded = self._work.load_seconds
            batches = [self._run.batches[index] for index in sorted(wanted)]
            missing = missing_of(batches, set())
            for index, keys in wanted.items():
                if keys is not None:
                    missing[index] = [job for job in missing[index] if job.key in set(keys)]
            cut = self._work.cut
            self._work.work(batches, missing, self._part.begun)
            return {"loaded": loaded, "cut": self._work.cut - cut}
        except errors.LoadError as error:
            return {"cannot_load": str(error)}
        except WorkError as error:
            return {"stopped": str(error), "again": isinstance(error, errors.DeviceLostError)}
        except OSError as error:  # of the part itself
            return {"stopped": f"cannot write into {self._part.path}: {error}", "again": False}

    def do(self, share: Share, folder: Path, token: str) -> dict[str, Any]:
        """Do a share of work that needs no schedule (`bench.crew.shares`).

        `token` is as for `begin`.
        """
        if token and not self._followed:
            state = folder / manifest.STATE
            threading.Thread(target=_end_with, args=(state, token), daemon=True).start()
            self._followed = True
        return share.work(self.name)

    def end(self) -> None:
        """Put the model away, and enter how fast it was."""
        if self._work is not None and self._part is not None:
            self._part.speed(self._work.close())
        self._work = None

    def _load(self, run: Run, part: Part, spec: ModelSpec) -> ModelWork:
        host = socket.gethostname()
        if os.path.isdir(spec.source) and folder_revision(Path(spec.source)) != spec.revision:  # noqa: PTH112
            raise errors.LoadError(
                f"on {host}, {spec.source} holds another checkpoint than the run's"
            )
        try:
            return ModelWork(run, spec, Keeper(run, set(), _Said(part), part))
        except errors.DeviceLostError:
            raise
        except Exception as error:
            raise errors.LoadError(f"{sentence(error)} (on {host})") from error


class _Said:
    """Where a worker's keeper reports to: who drives counts by the parts."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def advance(self, count: int, note: str = "") -> None:
        """Say nothing: the rows say it."""

    def say(self, text: str) -> None:
        """Have a line printed by whoever drives."""
        self._part.said(text)


def answer(worker: Worker, method: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """Ask a worker; return its `answer`, or the `error` with its `kind` and sentence."""
    try:
        named = {}
        if method == "settle":
            *arguments, allow_mixed = arguments
            named = {"allow_mixed": allow_mixed}
        return {"answer": getattr(worker, method)(*arguments, **named)}
    except PinluError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - whatever it is, who drives must hear of it
        return {"error": sentence(error), "kind": "WorkError"}


def code_hash() -> str:
    """Return the hash of Pinlu's own code as it lies here."""
    package = Path(bench.__file__).parent
    total = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        total.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def _end_with(state: Path, token: str) -> None:
    holding.follow(state, token)
    os._exit(70)  # whoever drove is dead or gone: nothing more may be written

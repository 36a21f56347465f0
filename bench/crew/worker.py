"""A worker: makes pieces of one model after another, and enters them in a part of its own.

The same on every engine: a process on this host, a Ray actor, a task of a Slurm array. It is asked by
name (`Worker.probe`, `settle`, `begin`, `work`, `end`, `finish`) and answers with plain data, so that answers
travel anywhere. Imports torch through `bench.model_work`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub.constants import HF_HUB_CACHE

import bench
from bench import errors, holding, manifest
from bench.crew.crafts import Craft, Desk
from bench.environments import versions
from bench.errors import PinluError, WorkError
from bench.files import cut_torn_line
from bench.model_work import sentence
from bench.parts import Part, Wanted


class Worker:
    """One worker, on one device. `name` is that of its part. Call it from one thread."""

    def __init__(self, name: str) -> None:
        """Be ready to be probed; nothing is read yet."""
        self.name = name
        self.desk: Desk | None = None
        self._part: Part | None = None
        self._model = ""

    def probe(self, marker: Path) -> dict[str, Any]:
        """Say who and where this is, what it runs, and what the marker file says that it sees."""
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "code": code_hash(),
            "versions": versions(),
            "hub_cache": HF_HUB_CACHE,
            "marker": marker.read_text(encoding="utf-8") if marker.is_file() else None,
        }

    def settle(self, craft: Craft, folder: Path, allow_mixed: bool) -> Any:
        """Settle a work as the device here has it: dtypes are those of whoever works, not who drives."""
        return craft.settle(folder, allow_mixed=allow_mixed)

    def finish(self, craft: Craft, folder: Path, told: Sequence[Any]) -> Any:
        """Do what is left of a work when all pieces are made."""
        self.end()
        return craft.finish(folder, *told)

    def begin(self, craft: Craft, folder: Path, token: str) -> dict[str, Any]:
        """Read a settled work and open the part; return the environment here.

        `token` is that of who holds the run: when it does no longer, this process ends; "" where
        nobody is followed.
        """
        self._part = Part(folder, self.name)
        self._part.path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_line(self._part.path)
        self._part.here(socket.gethostname(), os.getpid())
        self.desk = craft.desk(folder, self._part)
        if token:
            state = folder / manifest.STATE
            threading.Thread(target=end_with, args=(state, token), daemon=True).start()
        return dict(self.desk.environment)

    def work(self, model: str, wanted: Wanted) -> dict[str, Any]:
        """Make pieces of one model; their rows are in the part when this returns.

        Returns:
            `loaded`, the seconds that loading took (None where the model was there), and `cut`, how
            many jobs' prompts were cut; or `cannot_load`, a sentence, where it does not load here;
            or `stopped`, a sentence, where this worker can do nothing more: its device is lost, and
            another process may find it (`again`), or the disk is full.
        """
        if self.desk is None or self._part is None:
            msg = "work before begin"
            raise RuntimeError(msg)
        loaded = None
        try:
            if self._model != model:
                self.end()
                loaded = self.desk.load(model)
                self._model = model
            return {"loaded": loaded, "cut": self.desk.make(wanted)}
        except errors.LoadError as error:
            return {"cannot_load": str(error)}
        except WorkError as error:
            return {"stopped": str(error), "again": isinstance(error, errors.DeviceLostError)}
        except OSError as error:  # of the part itself
            return {"stopped": f"cannot write into {self._part.path}: {error}", "again": False}

    def end(self) -> None:
        """Put the model away, and enter how fast it was."""
        if self.desk is not None:
            self.desk.put_away()
        self._model = ""


def answer(worker: Worker, method: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """Ask a worker; return its `answer`, or the `error` with its `kind` and sentence."""
    try:
        return {"answer": getattr(worker, method)(*arguments)}
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


def end_with(state: Path, token: str) -> None:
    """End this process when the holder of this token no longer holds the run."""
    holding.follow(state, token)
    os._exit(70)  # whoever drove is dead or gone: nothing more may be written

"""How a model is run on a device: batch size and compilation, measured once, fixed by each run."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.files import write_whole
from bench.plan import call_arguments
from bench.records import ModelSpec

DEFAULT_BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a model is run. Both can change pixels by rounding, so a run keeps what it began with.

    `compile` compiles the denoiser's repeated blocks and the decoder of pictures, and lays
    convolutions out channels last.
    """

    batch_size: int = DEFAULT_BATCH_SIZE
    compile: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What `pinlu profile` measured of one tuning: seconds per output, and to compile."""

    tuning: Tuning
    seconds: float
    compile_seconds: float

    def seconds_for(self, outputs: int) -> float:
        """Return the time that so many outputs take; the last batch is padded."""
        size = self.tuning.batch_size
        return self.compile_seconds + math.ceil(outputs / size) * size * self.seconds


def choose(options: Sequence[Measured], outputs: int) -> Tuning:
    """Return the tuning with which so many outputs are made soonest."""
    return min(options, key=lambda option: option.seconds_for(outputs)).tuning


def stored(spec: ModelSpec, device: str) -> list[Measured]:
    """Return what was measured of this model, called like this, on this kind of device."""
    return [
        Measured(Tuning(**option["tuning"]), option["seconds"], option["compile_seconds"])
        for option in _read().get(_place(spec, device), ())
    ]


def store(spec: ModelSpec, device: str, options: Sequence[Measured]) -> Path:
    """Keep what was measured, in the place of what was measured before; return the file."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**_read(), _place(spec, device): [asdict(option) for option in options]}
    write_whole(path, json.dumps(content, indent=1).encode())
    return path


def _path() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "pinlu" / "profiles.json"


def _read() -> Mapping[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(_path().read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _place(spec: ModelSpec, device: str) -> str:
    """Return the name of a measurement: the model, for people, and a hash of all that it holds for.

    Of the call's arguments those that give outputs their shape: the others change all tunings alike.
    """
    arguments = call_arguments(spec)
    holds = {
        "revision": spec.revision,
        "dtype": dict(spec.dtype),
        "shape": [arguments.get(name) for name in ("width", "height", "num_frames")],
        "device": device,
        **({"speedups": dict(spec.speedups)} if spec.speedups else {}),
        **({"context_parallel": spec.context_parallel} if spec.context_parallel > 1 else {}),
    }
    text = json.dumps(holds, sort_keys=True)
    return f"{spec.id} on {device} ({hashlib.sha256(text.encode()).hexdigest()[:12]})"

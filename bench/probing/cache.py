"""What was seen of files, kept by their hash: a second call looks at new outputs alone."""

from __future__ import annotations

import hashlib
import logging
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.files import written_whole

log = logging.getLogger(__name__)


class Cache:
    """Arrays by file hash, in a folder of whole parts; what one call wrote the next one finds.

    Several may write into one folder at once if each is a `writer` with a name. The name may come again:
    a task that was put back into the queue adds to what it kept before.
    """

    def __init__(self, folder: Path, *, writer: str = "", read: bool = True) -> None:
        """Read what is there; a part that cannot be read is put away, and its files looked at anew.

        Only a `writer` may leave out to `read`: its parts are its own.
        """
        self.folder = folder
        self._writer = f"{writer}-{uuid.uuid4().hex[:8]}." if writer else ""
        self.there: dict[str, npt.NDArray[Any]] = {}
        self._next = 0
        for part in sorted(folder.glob("part-*.npz")) if read else ():
            number = part.stem.removeprefix("part-")
            if number.isdecimal() and not self._writer:
                self._next = int(number) + 1
            try:
                with part.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                    found = dict(zip(arrays["keys"].tolist(), arrays["values"], strict=True))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                log.warning("%s cannot be read: its files are looked at anew", part)
                part.unlink(missing_ok=True)
                continue
            self.there.update(found)

    def add(self, found: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep arrays, in one whole file for each shape and type: clips have another than pictures."""
        alike: dict[tuple[Any, ...], dict[str, npt.NDArray[Any]]] = {}
        for key, array in found.items():
            alike.setdefault((array.shape, array.dtype.str), {})[key] = array
        self.folder.mkdir(parents=True, exist_ok=True)
        for some in alike.values():
            with (
                written_whole(
                    self.folder / f"part-{self._writer}{self._next:05d}.npz"
                ) as unfinished,
                unfinished.open("wb") as file,
            ):
                np.savez(file, keys=np.array(list(some)), values=np.stack(list(some.values())))
            self._next += 1
        self.there.update(found)


def folder_name(*decides: str) -> str:
    """Return the name of the folder for what these together decide: a network, its dtype, and so on."""
    return hashlib.sha256("\0".join(decides).encode()).hexdigest()[:24]

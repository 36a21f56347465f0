"""What was seen of files, kept by their hash: a second call looks at new outputs alone."""

from __future__ import annotations

import hashlib
import io
import logging
import time
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import WorkError
from bench.files import written_whole

log = logging.getLogger(__name__)

TRIES = 3
"""How often a part is read that the file system does not give at once."""

PAUSE = 0.2
"""Seconds between two of these times."""


class Cache:
    """Arrays by file hash, in a folder of whole parts; what one call wrote the next one finds.

    Several may write into one folder at once if each is a `writer` with a name. The name may come again:
    a task that was put back into the queue adds to what it kept before.
    """

    def __init__(self, folder: Path, *, writer: str = "", read: bool = True) -> None:
        """Read what is there; a part that is torn is put away, and its files looked at anew.

        Only a `writer` may leave out to `read`: its parts are its own.

        Raises:
            WorkError: the file system does not give a part that is there; it is left as it is.
        """
        self.folder = folder
        self._writer = f"{writer}-{uuid.uuid4().hex[:8]}." if writer else ""
        self.there: dict[str, npt.NDArray[Any]] = {}
        self._next = 0
        for part in sorted(folder.glob("part-*.npz")) if read else ():
            number = part.stem.removeprefix("part-")
            if number.isdecimal() and not self._writer:
                self._next = int(number) + 1
            content = _content(part)
            if content is None:
                continue
            try:
                found = _arrays(content)
            except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
                log.warning("%s is torn: its files are looked at anew", part)
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


def _content(part: Path) -> bytes | None:
    """Return what a part holds, None where another has put it away; asked again where it is not given."""
    for _ in range(TRIES):
        try:
            return part.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:  # network file systems lose hold of files now and then
            trouble = error
            time.sleep(PAUSE)
    raise WorkError(
        f"cannot read {part}: {trouble.strerror or trouble}; nothing is lost, run again"
    ) from trouble


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(zip(arrays["keys"].tolist(), arrays["values"], strict=True))


def folder_name(*decides: str) -> str:
    """Return the name of the folder for what these together decide: a network, its dtype, and so on."""
    return hashlib.sha256("\0".join(decides).encode()).hexdigest()[:24]

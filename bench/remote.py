"""A run behind a URL (`s3://…`, `hf://…`, whatever fsspec knows): worked on in a staging folder, sent as it grows.

What a manifest names is there: files are sent first, each whole or not at all, and then the rows that
name them. The staging folder keeps what is not sent yet, so that a cut connection costs nothing: the
next call sends it, unless another host has gone on meanwhile; then it is put aside, and said. Files
that arrived leave the staging folder, which therefore stays small.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import holding, manifest
from bench.errors import FileFormatError, RequestError, WorkError
from bench.files import write_whole
from bench.stores import Store, opened, sentence

EVERY = 10.0
"""Seconds between two times that what is new is sent; more where sending takes longer than a tenth of it."""

SMALL = 1_000_000
"""Bytes up to which a table is sent whenever it has changed."""

GROWN, LATEST = 1.02, 300.0
"""A larger one is sent when it has grown by this factor since it was sent, or after so many seconds."""

AT_ONCE = 8
"""Files on their way at one time."""

SENT = "sent.json"
"""In the state folder: by name, the hashes of the tables as the store has them from here."""

_FILE = re.compile(rf"(?:{manifest.OUTPUTS}|{manifest.MASTERS})/[A-Za-z0-9][A-Za-z0-9._-]*")
_TABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_url(out: str) -> bool:
    """Say whether a run folder is named by a URL."""
    return "://" in out


@contextmanager
def worked_in(out: str, *, whole: bool = False, write: bool = True) -> Iterator[Path]:
    """Give the folder in which a run is worked on; one behind a URL is fetched, held and sent.

    Args:
        out: a folder, or a URL that fsspec knows.
        whole: fetch the outputs too, for whoever reads them, and keep them in the staging folder.
        write: send what becomes new; without it all is fetched into a folder that goes away.

    Raises:
        RequestError: nobody answers at the URL, or what reads such URLs is not installed.
        ConflictError: another process works on the run behind the URL.
        WorkError: something could not be sent; it lies in the staging folder, and the next call sends it.
    """
    if not is_url(out):
        yield Path(out)
        return
    store = opened(out)
    if not write:
        with tempfile.TemporaryDirectory(prefix="pinlu-") as place:
            mirror = _Mirror(store, Path(place) / store.name, keep=whole, write=False)
            mirror.fetch(whole=whole)
            yield mirror.folder
        return
    mirror = _Mirror(store, staging_of(store.url), keep=whole)
    lock = mirror.folder.parent / "lock"
    lock.mkdir(parents=True, exist_ok=True)
    with holding.held(lock), store.held(str(mirror.folder)):
        mirror.fetch(whole=whole)
        with mirror.sending():
            yield mirror.folder


class _Mirror:
    """A run's staging folder and what the store has of it.

    `there` are the outputs that arrived and that a row here names. Others may lie there, of a host that
    was lost before it sent their rows: they count for nothing, and are sent over where they are made anew.
    """

    def __init__(self, store: Store, folder: Path, *, keep: bool, write: bool = True) -> None:
        self.store, self.folder, self.keep, self.write = store, folder, keep, write
        self.state = folder / manifest.STATE
        self.there: set[str] = set()
        self.sent: dict[str, str] = {}
        self.looked_at: dict[str, tuple[int, float]] = {}
        self.read = self.inode = 0

    def fetch(self, *, whole: bool) -> None:
        """Bring the run's tables here, unless those here are newer; put aside what contradicts them."""
        self.state.mkdir(parents=True, exist_ok=True)
        names = self.store.names()
        tables = {
            name: self.store.content(name)
            for name in names
            if "/" not in name and _TABLE.fullmatch(name)
        }
        theirs = {name: _hash(content) for name, content in tables.items()}
        if (self.state / SENT).exists():
            self.sent = json.loads((self.state / SENT).read_text(encoding="utf-8"))
        ours = {path.name: _hash(path.read_bytes()) for path in self.tables()}
        unsent: set[str] = set()
        if theirs == self.sent:
            unsent = self.unsent()
        else:  # another host has written there since, or somebody deleted
            if ours != self.sent:
                self.put_aside()
            for name in self.unsent():  # their rows may come, with files of their own
                (self.folder / name).unlink()
            for path in self.tables():
                path.unlink()
            for name, content in tables.items():
                write_whole(self.folder / name, content, self.state)
            self.note(theirs)
        (self.folder / manifest.OUTPUTS).mkdir(exist_ok=True)
        files = {name for name in names if _FILE.fullmatch(name)}
        rows, _ = self.new_rows()
        self.there = files.intersection(_files_in(rows)) - unsent
        if whole:
            lacking = [
                name
                for name in sorted(self.there if self.write else self.not_under_way(files))
                if not (self.folder / name).is_file()
            ]
            for name in lacking:
                (self.folder / name).parent.mkdir(exist_ok=True)
            self.each(lambda name: self.store.bring(name, self.folder / name, self.state), lacking)
        write_whole(
            self.state / manifest.ELSEWHERE, "\n".join(sorted(self.there)).encode(), self.state
        )

    def unsent(self) -> set[str]:
        """Return the files here that never arrived: what lies there under their names another host made."""
        path = self.state / manifest.ELSEWHERE
        arrived = path.read_text(encoding="utf-8").split() if path.exists() else []
        folders = (self.folder / name for name in (manifest.OUTPUTS, manifest.MASTERS))
        return {
            str(file.relative_to(self.folder)) for one in folders for file in one.glob("*")
        }.difference(arrived)

    def not_under_way(self, files: set[str]) -> set[str]:
        """Return files without those that somebody may have sent before their rows."""
        held = self.store.is_held()
        return {
            name
            for name in files
            if name in self.there or not (held and manifest.is_of_a_job(Path(name)))
        }

    def put_aside(self) -> None:
        """Keep what was made here and never sent, in a folder beside, and begin anew."""
        aside = self.folder.with_name(f"{self.folder.name}.unsent-{int(time.time())}")
        self.folder.rename(aside)
        self.state.mkdir(parents=True)
        _say(
            f"another host has gone on with {self.store.url} since this one was cut off: what this "
            f"one had not sent is kept in {aside}"
        )

    def tables(self) -> list[Path]:
        """Return the files of the run that lie in no folder."""
        return [
            path
            for path in sorted(self.folder.iterdir())
            if _TABLE.fullmatch(path.name) and path.is_file()
        ]

    def note(self, sent: Mapping[str, str]) -> None:
        """Keep what the store has from here."""
        self.sent = dict(sent)
        write_whole(self.state / SENT, json.dumps(self.sent).encode(), self.state)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send what becomes new, now and then, and the rest at the end whatever happens."""
        stop = threading.Event()
        thread = threading.Thread(target=self.send_now_and_then, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            if (self.folder / "run.yaml").exists():
                try:
                    self.send(last=True)
                except RequestError as error:
                    raise WorkError(
                        f"cannot send: {error}; what was made lies in {self.folder}, run again to "
                        "send it"
                    ) from error

    def send_now_and_then(self, stop: threading.Event) -> None:
        """Send until told to stop; what cannot be sent is told once and tried again."""
        pause, told = EVERY, False
        while not stop.wait(pause):
            began = time.monotonic()
            try:
                self.send()
            except Exception as error:  # noqa: BLE001 - whatever it is, the last sending says it
                if not told:
                    _say(f"cannot send to {self.store.url} yet ({sentence(error)})")
                told = True
            pause = max(EVERY, 10 * (time.monotonic() - began))

    def send(self, *, last: bool = False) -> None:
        """Send new files, then the tables that are due, at `last` all: no row goes before its file.

        Raises:
            ConflictError: another host holds the run now.
            RequestError: the store does not take it.
        """
        self.store.still_ours()
        rows, length = self.new_rows()
        self.send_files([name for row in rows for name in _named(row)])
        self.read = length
        for path in self.tables():
            size = length if path.name == manifest.METADATA else path.stat().st_size
            if not last and not self.is_due(path.name, size):
                continue
            content = path.read_bytes()
            if path.name == manifest.METADATA:
                content = content[:length]
            if self.sent.get(path.name) != (hash_ := _hash(content)):
                self.store.put_content(path.name, content)
                self.note({**self.sent, path.name: hash_})
            self.looked_at[path.name] = (len(content), time.monotonic())

    def send_files(self, named: Sequence[str]) -> None:
        """Send files that rows name; those that arrived leave the staging folder."""
        here = [name for name in named if (self.folder / name).is_file()]
        new = [name for name in here if name not in self.there]
        self.each(lambda name: self.store.put(name, self.folder / name), new)
        self.there.update(new)
        if new:
            with (self.state / manifest.ELSEWHERE).open("a", encoding="utf-8") as file:
                file.write("".join(f"\n{name}" for name in new))
        for name in () if self.keep else here:
            (self.folder / name).unlink(missing_ok=True)

    def is_due(self, name: str, size: int) -> bool:
        """Say whether a table is to be sent now: it goes whole, so a large one not for every row."""
        if name not in self.looked_at or size <= SMALL:
            return True
        before, when = self.looked_at[name]
        return not before <= size < GROWN * before or time.monotonic() - when >= LATEST

    def new_rows(self) -> tuple[list[dict[str, Any]], int]:
        """Return the rows entered since the last time that they were sent, and where they end."""
        path = self.folder / manifest.METADATA
        if not path.exists():
            return [], 0
        with path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != self.inode:  # written anew
                self.inode, self.read = inode, 0
            file.seek(self.read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], self.read + len(whole)

    def each(self, work: Callable[[str], None], names: Iterable[str]) -> None:
        """Do this for all, some at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(work, names))


def staging_of(url: str) -> Path:
    """Return where a run behind a URL is worked on here: a shared folder where several hosts do.

    Under `PINLU_STAGING`, by default `~/.cache/pinlu/runs`; the last folder has the run's name.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(os.environ.get("PINLU_STAGING") or home / "pinlu" / "runs")
    return base / hashlib.sha256(url.encode()).hexdigest()[:16] / url.rpartition("/")[2]


def _named(row: Mapping[str, Any]) -> list[str]:
    """Return the files that a row of the manifest names; an answer has none.

    Raises:
        FileFormatError: it names a file that does not lie in the run.
    """
    names = [str(name) for name in (row["file_name"], row.get("master")) if name]
    for name in names:
        if not _FILE.fullmatch(name):
            raise FileFormatError(f"a row of {manifest.METADATA} names {name!r}: no file of a run")
    return names


def _files_in(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what rows of the manifest name."""
    for row in rows:
        yield from filter(None, (row.get("file_name"), row.get("master")))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _say(text: str) -> None:
    sys.stderr.write(f"pinlu: {text}\n")

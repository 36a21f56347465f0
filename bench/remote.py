"""A run behind a URL (`s3://…`, `hf://…`, whatever fsspec knows): worked on in a staging folder, sent as it grows.

What a manifest names is there: files are sent first, each whole or not at all, and then the rows that
name them. The staging folder keeps what is not sent yet, so that a cut connection costs nothing: the
next call sends it. Files that arrived leave the staging folder, which therefore stays small.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench import holding, manifest
from bench.errors import ConflictError, PinluError, RequestError, WorkError
from bench.files import read_rows, write_whole

EVERY = 10.0
"""Seconds between two times that what is new is sent; each also raises the holder's beat."""

PATIENCE = 4 * EVERY
"""Seconds after which a holder whose beat stands still counts as dead, by the clock of who waits."""

AT_ONCE = 8
"""Files on their way at one time."""

HOLDER = f"{manifest.STATE}/holder.json"

_FILES = (f"{manifest.OUTPUTS}/", f"{manifest.MASTERS}/")
_WHOLE_BY_THEMSELVES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "oss", "hf"}
"""Stores whose objects appear when they are complete; elsewhere a file is sent, then renamed."""


def is_url(out: str) -> bool:
    """Say whether a run folder is named by a URL."""
    return "://" in out


@contextmanager
def worked_in(out: str, *, whole: bool = False, write: bool = True) -> Iterator[Path]:
    """Give the folder in which a run is worked on; one behind a URL is fetched, held and sent.

    Args:
        out: a folder, or a URL that fsspec knows.
        whole: fetch the outputs too, for whoever reads them, and keep them in the staging folder.
        write: send what becomes new; without it nothing is held and nothing sent.

    Raises:
        RequestError: nobody answers at the URL, or what reads such URLs is not installed.
        ConflictError: another process works on the run behind the URL.
        WorkError: something could not be sent; it lies in the staging folder, and the next call sends it.
    """
    if not is_url(out):
        yield Path(out)
        return
    mirror = _Mirror(out, keep=whole)
    with holding.held(mirror.lock):
        if not write:
            mirror.fetch(whole=whole)
            yield mirror.folder
            return
        with mirror.held():
            mirror.fetch(whole=whole)
            with mirror.sending():
                yield mirror.folder


T = TypeVar("T")


class _Mirror:
    """A run's staging folder and what the store has of it. `there` are the outputs that arrived."""

    def __init__(self, url: str, *, keep: bool) -> None:
        self.files, self.root = _opened(url)
        self.url, self.keep = url.rstrip("/"), keep
        self.folder = staging_of(self.url)
        self.lock = self.folder.parent / "lock"
        self.lock.mkdir(parents=True, exist_ok=True)
        self.token = uuid.uuid4().hex
        self.beat = 0
        self.there: set[str] = set()
        self.sent: dict[str, str] = {}
        self.read = 0
        self.inode = 0

    def fetch(self, *, whole: bool) -> None:
        """Bring the run's tables here, joined to what an earlier call could not send."""
        state = self.folder / manifest.STATE
        state.mkdir(parents=True, exist_ok=True)
        (self.folder / manifest.OUTPUTS).mkdir(exist_ok=True)
        ours = [row for row in read_rows(self.folder / manifest.METADATA) if self.here(row)]
        names = self.answered(self.listed)
        for name in names:
            if "/" not in name:
                content = self.answered(partial(self.files.cat_file, self.place(name)))
                write_whole(self.folder / name, content, state)
                self.sent[name] = hashlib.sha256(content).hexdigest()
        self.there = {name for name in names if name.startswith(_FILES)}
        self.join(ours)
        if whole:
            lacking = [name for name in self.there if not (self.folder / name).is_file()]
            self.answered(lambda: self.each(self.bring, lacking))
        write_whole(state / manifest.ELSEWHERE, "\n".join(sorted(self.there)).encode(), state)

    def join(self, ours: Iterable[dict[str, Any]]) -> None:
        """Enter our unsent rows behind those that were fetched."""
        theirs = {row["key"] for row in read_rows(self.folder / manifest.METADATA)}
        new = [row for row in ours if row["key"] not in theirs]
        if new:
            path = self.folder / manifest.METADATA
            text = path.read_bytes() if theirs else b""
            text += b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in new)
            write_whole(path, text, self.folder / manifest.STATE)

    def here(self, row: dict[str, Any]) -> bool:
        return all((self.folder / name).is_file() for name in _named(row))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run behind the URL, beside every other host."""
        before = self.holder()
        if before and before.get("staging") != self.mine()["staging"]:
            _say(f"{before['host']} was at work on {self.url}: looking whether it still is")
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                time.sleep(min(1.0, PATIENCE / 4))
                now = self.holder()
                if now and (now["token"], now["beat"]) != (before["token"], before["beat"]):
                    raise ConflictError(
                        f"{now['host']} (process {now['pid']}) works on {self.url}: one at a time"
                    )
        self.answered(self.raise_beat)
        now = self.holder()
        if not now or now["token"] != self.token:
            who = now["host"] if now else "nobody"
            raise ConflictError(f"{self.url} was taken by {who} at the same time: run again")
        try:
            yield
        finally:
            if (last := self.holder()) and last["token"] == self.token:
                self.answered(lambda: self.files.rm_file(self.place(HOLDER)))

    def holder(self) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            self.files.invalidate_cache()
            try:
                found: dict[str, Any] = json.loads(self.files.cat_file(self.place(HOLDER)))
            except FileNotFoundError:
                return None
            return found

        return self.answered(read)

    def mine(self) -> dict[str, Any]:
        staging = f"{socket.gethostname()}:{self.folder}"
        here = {"host": socket.gethostname(), "pid": os.getpid(), "staging": staging}
        return {**here, "token": self.token, "beat": self.beat}

    def raise_beat(self) -> None:
        self.beat += 1
        self.put_content(HOLDER, json.dumps(self.mine()).encode())

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send what becomes new, now and then, and the rest at the end whatever happens."""
        stop = threading.Event()
        trouble: list[Exception] = []

        def now_and_then() -> None:
            while not stop.wait(EVERY):
                try:
                    self.raise_beat()
                    self.send()
                    trouble.clear()
                except Exception as error:  # noqa: BLE001 - told once, tried again
                    if not trouble:
                        _say(f"cannot send to {self.url} ({_sentence(error)}): trying on")
                    trouble[:] = [error]

        thread = threading.Thread(target=now_and_then, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            if (self.folder / "run.yaml").exists():
                self.last()

    def last(self) -> None:
        try:
            self.send()
        except Exception as error:
            raise WorkError(
                f"cannot send to {self.url}: {_sentence(error)}; what was made lies in "
                f"{self.folder}, run again to send it"
            ) from error

    def send(self) -> None:
        """Send new files, then the tables: no row goes before its file."""
        rows, length = self.new_rows()
        new = [name for row in rows for name in _named(row) if name not in self.there]
        self.each(self.put, [name for name in new if (self.folder / name).is_file()])
        self.there.update(new)
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                content = path.read_bytes()
                if path.name == manifest.METADATA:
                    content = content[:length]
                if self.sent.get(path.name) != (hash_ := hashlib.sha256(content).hexdigest()):
                    self.put_content(path.name, content)
                    self.sent[path.name] = hash_
        self.read = length
        if new and not self.keep:
            with (self.folder / manifest.STATE / manifest.ELSEWHERE).open("a") as file:
                file.write("".join(f"\n{name}" for name in new))
            for name in new:
                (self.folder / name).unlink(missing_ok=True)

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

    def listed(self) -> list[str]:
        """Return the names of what is there, relative to the run; nothing where there is no run."""
        self.files.invalidate_cache()
        try:
            found = self.files.find(self.root)
        except FileNotFoundError:
            return []
        names = (name.removeprefix(self.root).lstrip("/") for name in found)
        return [name for name in names if not name.startswith(".")]

    def put(self, name: str) -> None:
        """Send a file, whole or not at all."""
        with self.arriving(name) as place:
            self.files.put_file(str(self.folder / name), place)

    def put_content(self, name: str, content: bytes) -> None:
        """Send what a file holds, whole or not at all."""
        with self.arriving(name) as place:
            self.files.pipe_file(place, content)

    @contextmanager
    def arriving(self, name: str) -> Iterator[str]:
        """Give the place to send to; on stores that show what is half there, another and rename."""
        if _WHOLE_BY_THEMSELVES.intersection(_protocols(self.files)):
            yield self.place(name)
            return
        under_way = self.place(f"{manifest.STATE}/{Path(name).name}.tmp")
        self.files.makedirs(self.place(manifest.STATE), exist_ok=True)
        self.files.makedirs(self.place(str(Path(name).parent)), exist_ok=True)
        yield under_way
        self.files.mv(under_way, self.place(name))

    def bring(self, name: str) -> None:
        """Fetch a file, whole or not at all."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        temporary = self.folder / manifest.STATE / f"{Path(name).name}.tmp"
        self.files.get_file(self.place(name), str(temporary))
        temporary.replace(self.folder / name)

    def each(self, work: Callable[[str], None], names: Iterable[str]) -> None:
        """Do this for all, some at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(work, names))

    def place(self, name: str) -> str:
        """Return where the store has a file of the run."""
        return f"{self.root}/{name}"

    def answered(self, ask: Callable[[], T]) -> T:
        """Ask the store; whatever goes wrong becomes one sentence."""
        try:
            return ask()
        except PinluError:
            raise
        except Exception as error:
            raise RequestError(f"{self.url}: {_sentence(error)}") from error


def staging_of(url: str) -> Path:
    """Return where a run behind a URL is worked on here: a shared folder where several hosts do.

    Under `PINLU_STAGING`, by default `~/.cache/pinlu/runs`; the last folder has the run's name.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(os.environ.get("PINLU_STAGING") or home / "pinlu" / "runs")
    return base / hashlib.sha256(url.encode()).hexdigest()[:16] / url.rpartition("/")[2]


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the run's place in it."""
    import fsspec  # noqa: PLC0415 - only where a run is behind a URL

    scheme = url.partition("://")[0]
    try:
        files, root = fsspec.url_to_fs(url)
    except ImportError as error:
        raise RequestError(f"{scheme}:// wants a package more: {_sentence(error)}") from error
    except ValueError as error:
        raise RequestError(f"{url}: {_sentence(error)}") from error
    if not root.strip("/") or root.rstrip("/").count("/") < 1:
        raise RequestError(f"{url} names no folder: write {scheme}://BUCKET/RUN")
    return files, root.rstrip("/")


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _named(row: Mapping[str, Any]) -> list[str]:
    """Return the files that a row of the manifest names; an answer has none."""
    return [name for name in (row["file_name"], row.get("master")) if name]


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _say(text: str) -> None:
    sys.stderr.write(f"pinlu: {text}\n")

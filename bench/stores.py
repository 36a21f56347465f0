"""Stores behind URLs, as fsspec knows them: files sent whole, and one host at a time on a run."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from bench import holding, manifest
from bench.errors import ConflictError, PinluError, RequestError

BEAT = 10.0
"""Seconds between two beats of whoever holds a run."""

PATIENCE = 4 * BEAT
"""Seconds after which a holder whose beat stands still counts as dead, by the clock of who waits."""

SETTLED = 1.0
"""Seconds after which two that took a run at the same time both see whose it is."""

HOLDER = f"{manifest.STATE}/holder.json"

_WHOLE_BY_THEMSELVES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "oss", "hf"}
"""Stores whose objects appear when they are complete; elsewhere a file is sent, then renamed."""

T = TypeVar("T")


def opened(url: str) -> Store:
    """Return what a URL names.

    Raises:
        RequestError: no such kind of URL, a package is wanted, or it names no folder.
    """
    import fsspec  # noqa: PLC0415 - only where a run is behind a URL

    scheme = url.partition("://")[0]
    try:
        files, root = fsspec.url_to_fs(url)
    except ImportError as error:
        raise RequestError(f"{scheme}:// wants a package more: {sentence(error)}") from error
    except ValueError as error:
        raise RequestError(f"{url}: {sentence(error)}") from error
    root = root.rstrip("/")
    if "/" not in root.strip("/") and scheme != "file":
        raise RequestError(f"{url} names no folder: write {scheme}://BUCKET/RUN")
    return Store(url.rstrip("/"), files, root)


class Store:
    """A run's place in a store. Whatever the store says is wrong becomes a `RequestError`."""

    def __init__(self, url: str, files: Any, root: str) -> None:
        """Look at nothing yet; `root` is the place as `files` names it."""
        self.url, self._files, self._root = url, files, root
        self.name = url.rpartition("/")[2]
        self._ours = {
            "host": socket.gethostname(),
            "boot": holding.boot(),
            "pid": os.getpid(),
            "token": uuid.uuid4().hex,
        }

    def names(self) -> list[str]:
        """Return the names of what is there, relative to the run; nothing where there is no run."""

        def listed() -> list[str]:
            self._files.invalidate_cache()
            try:
                found: list[str] = self._files.find(self._root)
            except FileNotFoundError:
                return []
            return [name.removeprefix(self._root).lstrip("/") for name in found]

        return self._answered(listed)

    def content(self, name: str) -> bytes:
        """Return what a file holds."""
        content: bytes = self._answered(lambda: self._files.cat_file(self._place(name)))
        return content

    def bring(self, name: str, to: Path, scratch: Path) -> None:
        """Fetch a file, whole or not at all."""

        def brought() -> None:
            temporary = scratch / f"{to.name}.tmp"
            self._files.get_file(self._place(name), str(temporary))
            temporary.replace(to)

        self._answered(brought)

    def put(self, name: str, path: Path) -> None:
        """Send a file, whole or not at all."""
        self._arrive(name, lambda place: self._files.put_file(str(path), place))

    def put_content(self, name: str, content: bytes) -> None:
        """Send what a file is to hold, whole or not at all."""
        self._arrive(name, lambda place: self._files.pipe_file(place, content))

    @contextmanager
    def held(self, staging: str) -> Iterator[None]:
        """Hold the run beside every other host; `staging` tells a process killed here before.

        Raises:
            ConflictError: another host is at work on it.
        """
        self._ours["staging"] = staging
        if before := self._holder():
            self._wait_for_the_dead(before)
        self._beat(0)
        time.sleep(SETTLED)
        self.still_ours()
        stop = threading.Event()
        thread = threading.Thread(target=self._beat_on, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with suppress(PinluError):  # a store that is gone: the beat will stand still
                if (last := self._holder()) and last["token"] == self._ours["token"]:
                    self._answered(lambda: self._files.rm_file(self._place(HOLDER)))

    def is_held(self) -> bool:
        """Say whether somebody works on the run, or was lost while doing so."""
        return self._holder() is not None

    def still_ours(self) -> None:
        """Refuse to go on where another host holds the run now."""
        now = self._holder()
        if not now or now["token"] != self._ours["token"]:
            who = f"{now['host']} (process {now['pid']})" if now else "nobody"
            raise ConflictError(f"{self.url} is held by {who} now: one at a time")

    def _wait_for_the_dead(self, before: dict[str, Any]) -> None:
        """Watch a holder; refuse while it is alive."""
        if all(before.get(name) == self._ours[name] for name in ("boot", "staging")):
            return  # of this very folder, which we hold: it was killed
        sys.stderr.write(
            f"pinlu: {before['host']} was at work on {self.url}: looking whether it still is\n"
        )
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            time.sleep(min(1.0, PATIENCE / 4))
            now = self._holder()
            if now and (now["token"], now["beat"]) != (before["token"], before["beat"]):
                raise ConflictError(
                    f"{now['host']} (process {now['pid']}) works on {self.url}: one at a time"
                )

    def _holder(self) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            self._files.invalidate_cache()
            try:
                found: dict[str, Any] = json.loads(self._files.cat_file(self._place(HOLDER)))
            except FileNotFoundError:
                return None
            return found

        return self._answered(read)

    def _beat(self, number: int) -> None:
        self.put_content(HOLDER, json.dumps({**self._ours, "beat": number}).encode())

    def _beat_on(self, stop: threading.Event) -> None:
        """Raise the beat while the run is ours; a store that is away is tried again."""
        number = 0
        while not stop.wait(BEAT):
            number += 1
            try:
                self.still_ours()
                self._beat(number)
            except ConflictError:
                return  # nothing is sent any more: `still_ours` is asked before
            except RequestError:
                continue

    def _arrive(self, name: str, send: Callable[[str], None]) -> None:
        """Send to the place itself, or where half a file would show to another, and rename."""

        def arrived() -> None:
            known = self._files.protocol
            if _WHOLE_BY_THEMSELVES.intersection([known] if isinstance(known, str) else known):
                send(self._place(name))
                return
            self._files.makedirs(self._place(manifest.STATE), exist_ok=True)
            self._files.makedirs(str(Path(self._place(name)).parent), exist_ok=True)
            under_way = self._place(
                f"{manifest.STATE}/{Path(name).name}.{uuid.uuid4().hex[:8]}.tmp"
            )
            send(under_way)
            self._files.mv(under_way, self._place(name))

        self._answered(arrived)

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _answered(self, ask: Callable[[], T]) -> T:
        """Ask the store; whatever goes wrong becomes one sentence."""
        try:
            return ask()
        except PinluError:
            raise
        except Exception as error:
            raise RequestError(f"{self.url}: {sentence(error)}") from error


def sentence(error: Exception) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__

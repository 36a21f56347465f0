"""Every error that a user can cause, in one place.

PinluError                 one sentence that says what to do
├── RequestError           the request was wrong: exit status 2
│   ├── FileFormatError    a file does not say what it should: names file, place and value
│   ├── ConflictError      the request contradicts what is already on disk
│   └── NotHereError       what it names is not on this host, or no use here; another host may have it
└── WorkError              the work failed, wholly or in part: exit status 1
    ├── DeviceLostError    the device answers no more: nothing further can be done in this process
    └── LoadError          a model does not load on this worker; another may have its files
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class PinluError(Exception):
    """Base of all errors that the command line turns into one sentence."""

    exit_status = 1


class RequestError(PinluError):
    """The request was wrong; nothing was begun."""

    exit_status = 2


class FileFormatError(RequestError):
    """A file has an unknown key, a missing column, a duplicate or a value off its range."""


class ConflictError(RequestError):
    """The request contradicts what an existing run or study was made with."""


class NotHereError(RequestError):
    """What the request names is not on this host, or is no use here; another host may have it."""


@contextmanager
def perhaps_elsewhere(*, unread: bool = False) -> Iterator[None]:
    """Have a request that cannot be met here count as one that another host may meet.

    Args:
        unread: only where something could not be read: what was read and is wrong is wrong everywhere.
    """
    try:
        yield
    except (ConflictError, FileFormatError):
        raise
    except RequestError as error:
        if unread and error.__cause__ is None:
            raise
        raise NotHereError(str(error)) from error


class WorkError(PinluError):
    """The work failed in part or whole; what was finished is kept."""


class DeviceLostError(WorkError):
    """The device answers no more; what was finished is kept."""


class LoadError(WorkError):
    """A model does not load here; what others make is not touched."""


def first_line(error: BaseException) -> str:
    """Return an exception as one short line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__

"""Working off questions about pictures: by a model loaded here, batch by batch, or at a server.

Whoever asks (`answering`, `bench.judging`) says what is to be asked and keeps what comes back.
Imports torch through `bench.understanding.reader` where a model runs here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from PIL import Image

from bench.errors import DeviceLostError, LoadError, WorkError, first_line
from bench.records import ModelSpec
from bench.understanding.served import Server

if TYPE_CHECKING:
    from bench.understanding.reader import Reader

MOST_PADDING = 0.15
"""Of a batch's tokens, the share that may be padding; a batch is closed before it is exceeded."""


class Question(Protocol):
    """One question about one picture or more, as engines take it."""

    @property
    def key(self) -> str:
        """The hash of everything that decides the answer."""

    @property
    def text(self) -> str:
        """What is asked."""

    @property
    def seed(self) -> int:
        """Of the sampling."""

    @property
    def longest(self) -> int:
        """Tokens that an answer may have."""

    @property
    def pictures(self) -> tuple[str, ...]:
        """The ids of what is shown with the question, in their order."""


Asked = TypeVar("Asked", bound=Question)
Asked_contra = TypeVar("Asked_contra", bound=Question, contravariant=True)
Picture = Callable[[str], Image.Image]
"""Gives a picture by its id."""


@dataclass(frozen=True, slots=True)
class Text:
    """What came back for a question, from whichever engine."""

    text: str
    asked_tokens: int | None
    tokens: int | None
    cut: bool
    seconds: float
    batch_size: int


class Keeper(Protocol[Asked_contra]):
    """Who keeps answers as they come, and knows which are there."""

    @property
    def finished(self) -> Collection[str]:
        """Keys of the questions that need no answer any more."""

    def keep(self, jobs: Sequence[Asked_contra], texts: Sequence[Text]) -> None:
        """Enter answers."""

    def fail(self, jobs: Sequence[Asked_contra], error: str) -> None:
        """Enter questions that found no answer."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What it took: seconds without loading, seconds of loading, tokens of padding and of questions."""

    seconds: float = 0.0
    load_seconds: float = 0.0
    padding: int = 0
    asked_tokens: int = 0

    @property
    def padding_share(self) -> float:
        """The share of padding among the tokens that went in."""
        return self.padding / max(self.padding + self.asked_tokens, 1)


def work_off(
    spec: ModelSpec,
    parts: Sequence[Sequence[Asked]],
    picture: Picture,
    keeper: Keeper[Asked],
    *,
    server: Server | None,
    batch_size: int,
) -> Worked:
    """Have one model answer whatever of the parts has no answer yet.

    Args:
        spec: the model, its arguments settled.
        parts: questions; batches are cut within a part, from all of it and not from what is left.
        picture: gives what is shown.
        keeper: takes each answer as soon as it is there.
        server: who runs the model; None: it is loaded here.
        batch_size: questions at once, where it is loaded here.
    """
    if all(job.key in keeper.finished for jobs in parts for job in jobs):
        return Worked()
    if server is None:
        return _read_here(spec, parts, picture, keeper, batch_size=batch_size)
    from bench.understanding.asked_server import ask_server  # noqa: PLC0415 - only where asked

    ask_server(server, spec, [job for jobs in parts for job in jobs], picture, keeper)
    return Worked()


def _read_here(
    spec: ModelSpec,
    parts: Sequence[Sequence[Asked]],
    picture: Picture,
    keeper: Keeper[Asked],
    *,
    batch_size: int,
) -> Worked:
    """Load a model and have it answer batch by batch."""
    from bench.understanding.reader import Reader  # noqa: PLC0415 - torch

    began = time.perf_counter()
    try:
        reader = Reader(spec, spec.arguments, picture)
    except WorkError as error:
        keeper.fail([job for jobs in parts for job in jobs], str(error))
        return Worked()
    loaded = time.perf_counter()
    padding = asked = 0
    for jobs in parts:
        lengths, faults = lengths_of(reader, jobs)
        for job in jobs:
            if job.key in faults:
                keeper.fail([job], faults[job.key])
        there = [job for job in jobs if job.key in lengths]
        for batch in batches_by_length(there, lengths, batch_size):
            if all(job.key in keeper.finished for job in batch):
                continue
            if read_batch(reader, batch, batch, keeper):
                padding += padding_of([lengths[job.key] for job in batch])
                asked += sum(lengths[job.key] for job in batch)
    seconds = time.perf_counter() - loaded
    reader.close()
    return Worked(seconds, loaded - began, padding, asked)


def lengths_of(reader: Reader, jobs: Sequence[Asked]) -> tuple[dict[str, int], dict[str, str]]:
    """Return by key how many tokens go in for each job, and why those cannot be asked that have none."""
    lengths, faults = {}, {}
    for job in jobs:
        try:
            lengths[job.key] = reader.length(job)
        except Exception as error:  # noqa: BLE001 - its sentence is entered for this job
            faults[job.key] = _sentence(error)
    return lengths, faults


def read_batch(
    reader: Reader, batch: Sequence[Asked], wanted: Sequence[Asked], keeper: Keeper[Asked]
) -> bool:
    """Have a batch answered, keep what is wanted of it, and say whether it was."""
    started = time.perf_counter()
    try:
        drawn = reader.answer(batch)
    except (DeviceLostError, LoadError):
        raise
    except Exception as error:  # noqa: BLE001 - its sentence is entered for these jobs
        keeper.fail(wanted, _sentence(error))
        return False
    each = (time.perf_counter() - started) / len(batch)
    texts = {
        job.key: Text(one.text, one.asked_tokens, one.tokens, one.cut, each, len(batch))
        for job, one in zip(batch, drawn, strict=True)
    }
    keeper.keep(wanted, [texts[job.key] for job in wanted])
    return True


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, WorkError) else first_line(error)


def batches_by_length(
    jobs: Sequence[Asked], lengths: Mapping[str, int], size: int
) -> Iterator[list[Asked]]:
    """Cut jobs into batches of at most `size`, alike in how long answers may be and in tokens in.

    The cut follows from the jobs alone, and not from what is left of them: resume makes the same
    batches. No batch has more than `MOST_PADDING` of padding.
    """
    order = sorted(jobs, key=lambda job: (job.longest, lengths[job.key], job.pictures, job.key))
    batch: list[Asked] = []
    for job in order:
        own = [lengths[one.key] for one in [*batch, job]]
        if batch and (
            len(batch) == size
            or job.longest != batch[0].longest
            or padding_of(own) > MOST_PADDING * max(own) * len(own)
        ):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def padding_of(lengths: Sequence[int]) -> int:
    """Return how many tokens fill a batch up."""
    return max(lengths) * len(lengths) - sum(lengths)

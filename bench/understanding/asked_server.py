"""Working off a model's jobs at a server: bounded concurrency, each answer kept as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import lru_cache

import numpy as np

from bench.errors import WorkError
from bench.media import encode_png
from bench.records import ModelSpec
from bench.understanding.answering import Text, Writer
from bench.understanding.asking import Asking
from bench.understanding.jobs import Asked
from bench.understanding.served import Served, ask
from bench.understanding.works import shown

_PICTURES_HELD = 32


def ask_server(
    asking: Asking,
    spec: ModelSpec,
    jobs: Sequence[Asked],
    writer: Writer,
) -> None:
    """Ask a server for the answers that have no row yet; each is entered as soon as it is there.

    Broken off by a signal or a full disk, it waits for no further try; what was answered is kept.
    """
    server = asking.server
    if server is None:
        raise WorkError("no server was named")
    stop, works = threading.Event(), writer.run.here

    @lru_cache(maxsize=_PICTURES_HELD)
    def picture(work: str) -> bytes:
        return encode_png(np.asarray(shown(asking.works, works[work])))

    def one(job: Asked) -> tuple[Served, float]:
        began = time.perf_counter()
        shown_as = picture(job.work)
        answered = ask(server, spec.source, job, shown_as, arguments=spec.arguments, stop=stop)
        return answered, time.perf_counter() - began

    left = [job for job in jobs if job.key not in writer.finished]
    pool = ThreadPoolExecutor(server.concurrency)
    try:
        # works one after the other, so that few pictures are held
        asked: dict[Future[tuple[Served, float]], Asked] = {
            pool.submit(one, job): job for job in left
        }
        for future in as_completed(asked):
            job = asked[future]
            try:
                found, seconds = future.result()
            except WorkError as error:
                writer.fail([job], str(error))
                continue
            text = Text(found.text, found.asked_tokens, found.tokens, found.cut, seconds, 1)
            writer.keep([job], [text])
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)

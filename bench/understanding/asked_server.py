"""Working off a model's jobs at a server: bounded concurrency, each answer kept as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import lru_cache

import numpy as np

from bench.errors import PinluError
from bench.media import encode_png
from bench.records import ModelSpec
from bench.understanding.served import Served, Server, ask
from bench.understanding.working import Asked, Keeper, Picture, Text

_PICTURES_HELD = 32


def ask_server(
    server: Server,
    spec: ModelSpec,
    jobs: Sequence[Asked],
    picture: Picture,
    keeper: Keeper[Asked],
) -> None:
    """Ask a server for the answers that are not there yet; each is entered as soon as it is there.

    Broken off by a signal or a full disk, it waits for no further try; what was answered is kept.
    """
    stop = threading.Event()

    @lru_cache(maxsize=_PICTURES_HELD)
    def encoded(name: str) -> bytes:
        return encode_png(np.asarray(picture(name)))

    def one(job: Asked) -> tuple[Served, float]:
        began = time.perf_counter()
        shown = [encoded(name) for name in job.pictures]
        answered = ask(server, spec.source, job, shown, arguments=spec.arguments, stop=stop)
        return answered, time.perf_counter() - began

    left = [job for job in jobs if job.key not in keeper.finished]
    pool = ThreadPoolExecutor(server.concurrency)
    try:
        # in their order, so that few pictures are held
        asked: dict[Future[tuple[Served, float]], Asked] = {
            pool.submit(one, job): job for job in left
        }
        for future in as_completed(asked):
            job = asked[future]
            try:
                found, seconds = future.result()
            except PinluError as error:
                keeper.fail([job], str(error))
                continue
            text = Text(found.text, found.asked_tokens, found.tokens, found.cut, seconds, 1)
            keeper.keep([job], [text])
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)

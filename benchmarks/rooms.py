"""The rooms under load: many raters over loopback, with real HTTP clients and real pictures.

First ten raters work, then `--raters` at once; the ratio of their 95th percentiles from submit to
acknowledged is what is looked at. Each rater has cookies, connections and an outbox of their own and
goes the way of the room's page (`rooms_page.py`): twenty steps and their pictures ahead, answers in
one request with what waits, sent again with their ids until they are acknowledged.

With `--kill N` the server is killed (SIGKILL) and started again N times meanwhile; with
`--backups N` the database is copied N times, and every copy checked. Of a run with kills the
percentile is told twice: of all answers, and of those under way while nothing had to be sent again,
which leaves out waiting for the server's return. `--postgresql` starts a PostgreSQL of its own for
the study. At the end every acknowledged answer must be in the database once, and nothing else. The
server's memory is told as it was before, after each minute, at most and at the end, and what of the
processor's time server and clients took per answer, pictures included. The last line is JSON; the exit
status is 1 where something was lost or doubled.

    python benchmarks/rooms.py --minutes 10
    python benchmarks/rooms.py --minutes 6 --kill 50
    python benchmarks/rooms.py --minutes 3 --postgresql
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import insert, select

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.rooms_page import CONNECTIONS, Tally, rate  # noqa: E402
from raters import tables as t  # noqa: E402
from raters.database import back_up  # noqa: E402
from raters.people import enrol  # noqa: E402
from raters.study import create, open_study  # noqa: E402
from tests import postgresql  # noqa: E402
from tests.raters.material import write_config, write_references, write_run  # noqa: E402

PICTURE_BYTES = 300_000
OURS = {"sec-fetch-site": "same-origin"}
NO_TLS = ssl.create_default_context()
"""Never used, over loopback; else every client would load the authorities' certificates anew."""


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return round(1000 * float(np.quantile(seconds, 0.95)), 1) if seconds else float("nan")


def by_minute(tally: Tally, began: float) -> list[float]:
    """Return the percentile of the answers that were acknowledged in each minute, NaN without any.

    What ends after the last whole minute has an entry of its own.
    """
    minutes: dict[int, list[float]] = {}
    for ended, seconds in zip(tally.ended, tally.seconds, strict=True):
        minutes.setdefault(int((ended - began) / 60), []).append(seconds)
    return [p95(minutes.get(minute, [])) for minute in range(max(minutes, default=-1) + 1)]


def per_answer(seconds: float, answers: int) -> float:
    """Return milliseconds per answer, NaN where there is none."""
    return round(1000 * seconds / answers, 2) if answers else float("nan")


class Server:
    """The rating server in a process of its own, which can be killed and started again."""

    def __init__(self, study: Path) -> None:
        self.study = study
        self.before = 0.0  # seconds of processor time that killed processes had used
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "bench", "rate", str(self.study), "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def wait(self) -> None:
        while not self.answers():
            time.sleep(0.2)

    def kill(self) -> None:
        self.before = self.busy()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def busy(self) -> float:
        """Return the seconds of processor time of the server, of its killed processes too."""
        used = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").split()[13:15]
        return self.before + sum(map(int, used)) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def make_study(folder: Path, raters: int, database: str | None) -> tuple[Path, list[str]]:
    """Make a study with pictures of a usual size and return it with a link for each rater.

    Twelve blocks are planned; the raters after them get copies of these. Balance is not what is
    measured, and planning hundreds of blocks takes minutes.
    """
    run = write_run(folder / "run")
    references = write_references(folder / "references")
    each = {"raters_per_item": 6}
    config = write_config(folder / "config", raters=12, single=each, pairs=None)
    study = folder / "study"
    create(config, [run], references=references, database=database, out=study)
    for file in (study / "stimuli").iterdir():
        file.write_bytes(os.urandom(PICTURE_BYTES))
    tokens = [secrets.token_urlsafe(16) for _ in range(raters)]
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        planned = connection.execute(select(t.assignment)).mappings().all()
        copies = [
            {**row, "id": secrets.token_hex(12), "block": block}
            for block in range(12, raters)
            for row in planned
            if row["block"] == block % 12
        ]
        if copies:
            connection.execute(insert(t.assignment), copies)
        for block, token in enumerate(tokens):
            enrol(connection, block, protocol, token=token, group="", simulated=False)
    return study, [f"/i/{token}" for token in tokens]


async def work(link: str, server: Server, think: float, tally: Tally) -> None:
    """Be one rater, with cookies and connections of one's own."""
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=server.address, timeout=30, headers=OURS, verify=NO_TLS, limits=limits
    ) as client:
        await rate(link, client, think, tally)


async def phase(
    server: Server, links: list[str], seconds: float, options: argparse.Namespace, *, trouble: bool
) -> Tally:
    """Let so many raters work at once; with trouble, kill the server and copy its database.

    They go on until the time is up and all the trouble was made.
    """
    tally = Tally()
    working = [asyncio.create_task(work(link, server, options.think, tally)) for link in links]
    working.append(asyncio.create_task(weigh(server, tally)))
    during = [asyncio.sleep(seconds)]
    if trouble:
        during += [kills(server, options.kill, seconds), copies(server, options.backups, seconds)]
    await asyncio.gather(*during)
    tally.going = False
    await asyncio.gather(*working)
    return tally


async def weigh(server: Server, tally: Tally) -> None:
    """Note the server's memory every five seconds; one that was just killed has none."""
    while tally.going:
        await asyncio.sleep(5)
        try:
            tally.megabytes.append(server.megabytes())
        except (OSError, IndexError):
            continue


async def kills(server: Server, number: int, seconds: float) -> None:
    for done in range(number):
        await asyncio.sleep(random.uniform(0.2, 1.0) * seconds / number / 2)  # noqa: S311
        server.kill()
        server.start()
        await asyncio.to_thread(server.wait)
        print(f"killed and started again: {done + 1} of {number}", flush=True)


async def copies(server: Server, number: int, seconds: float) -> None:
    with open_study(server.study) as (_, engine):
        for done in range(number):
            await asyncio.sleep(seconds / (number + 1))
            copy = server.study.parent / f"copy-{done}.db"
            told = await asyncio.to_thread(back_up, engine, copy)
            print(
                f"copy {done + 1}: {told['responses']} responses, {told['integrity']}", flush=True
            )


def check(study: Path, tallies: list[Tally]) -> dict[str, int]:
    """Compare what was acknowledged with what is stored."""
    e = t.response_event.c
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        stored = Counter(connection.scalars(select(e.event_id)))
        numbers = {row[0]: row[1] for row in connection.execute(select(e.event_id, e.number))}
        broken = t.broken_line(connection)
    acknowledged = {event: n for tally in tallies for event, n in tally.acknowledged.items()}
    sent = {event for tally in tallies for event in tally.sent}
    return {
        "sent": len(sent),
        "acknowledged": len(acknowledged),
        "stored": sum(stored.values()),
        "lost": sum(numbers.get(event) != number for event, number in acknowledged.items()),
        "doubled": sum(count > 1 for count in stored.values()),
        "never_acknowledged": len(sent - set(acknowledged)),
        "foreign": len(set(stored) - sent),
        "audit_log_broken": int(broken is not None),
    }


@contextmanager
def database(options: argparse.Namespace, folder: str) -> Iterator[str | None]:
    """Give the URL of an empty PostgreSQL database, or None for SQLite."""
    if not options.postgresql:
        yield None
        return
    place = Path(folder) / "pg"
    place.mkdir()
    Path(folder).chmod(0o755)  # as root, PostgreSQL runs under another account
    with postgresql.running(place) as started:
        started.execute("CREATE DATABASE rooms")
        yield started.url("rooms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--raters", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--think", type=float, default=10.0, help="mean seconds before an answer")
    parser.add_argument("--kill", type=int, default=0, help="how often the server is killed")
    parser.add_argument("--backups", type=int, default=5, help="how often the database is copied")
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, database(options, folder) as url:
        began = time.perf_counter()
        study, links = make_study(Path(folder), options.raters + 10, url)
        print(f"a study and its links: {time.perf_counter() - began:.0f} s", flush=True)
        server = Server(study)
        server.wait()
        few = asyncio.run(
            phase(server, links[:10], min(80, options.minutes * 30), options, trouble=False)
        )
        before, load, busy = server.megabytes(), os.getloadavg()[0], server.busy()
        print(f"10 raters: {len(few.seconds)} answers, p95 {p95(few.seconds):.0f} ms", flush=True)
        own, began = time.process_time(), time.perf_counter()
        many = asyncio.run(phase(server, links[10:], options.minutes * 60, options, trouble=True))
        wall = time.perf_counter() - began
        after, busy, own = server.megabytes(), server.busy() - busy, time.process_time() - own
        server.stop()
        found = check(study, [few, many])
        copies_made = len(list(Path(folder).glob("copy-*.db")))
    errors = few.errors + many.errors
    result = {
        "raters": options.raters,
        "database": "PostgreSQL" if options.postgresql else "SQLite",
        "seconds": round(wall),
        "answers": len(many.seconds),
        "requests": many.requests,
        "answers_per_second": round(len(many.seconds) / wall, 1),
        "pictures": many.media,
        "p95_10_ms": p95(few.seconds),
        "p95_ms": p95(many.seconds),
        "ratio": round(p95(many.seconds) / p95(few.seconds), 2),
        "p95_by_minute_ms": by_minute(many, began),
        # with pictures, arrivals and, of a server that was killed, its starts
        "server_ms_per_answer": per_answer(busy, len(many.seconds)),
        "clients_ms_per_answer": per_answer(own, len(many.seconds)),
        "answers_at_once": len(many.at_once),
        "p95_at_once_ms": p95(many.at_once),
        "ratio_at_once": round(p95(many.at_once) / p95(few.seconds), 2),
        "megabytes_before": round(before),
        "megabytes_by_minute": [round(one) for one in many.megabytes[11::12]],
        "megabytes_most": round(max(many.megabytes)),
        "megabytes_after": round(after),
        "load_average": [round(one, 1) for one in (load, os.getloadavg()[0])],
        "kills": options.kill,
        "copies_checked": copies_made,
        "resent": many.resent,
        "errors": dict(errors),
        **found,
    }
    for name, value in result.items():
        print(f"{name}: {value}")
    print(json.dumps(result))
    wrong = ("lost", "doubled", "never_acknowledged", "foreign", "audit_log_broken")
    return int(bool(errors) or any(found[name] for name in wrong))


if __name__ == "__main__":
    sys.exit(main())

"""What a run behind a URL sends of its tables: 100,000 rows, under a virtual clock.

    python benchmarks/remote.py [--rows 100000] [--seconds 1.0]

The code that sends is `bench.remote`'s own, on a store that counts what it is given; outputs come one in
so many seconds, with rows of the size that runs have, and it is sent every ten seconds. The baseline
sends each table whole whenever it has grown. Sending takes no time here; in a run it takes at most
a tenth of it, which makes both send less.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench import manifest, remote
from bench.remote import _Mirror


class Counting:
    """A store that takes everything and keeps nothing."""

    def __init__(self) -> None:
        self.bytes = self.times = 0

    def still_ours(self) -> None: ...

    def put(self, name: str, path: Path) -> None: ...

    def put_content(self, name: str, content: bytes) -> None:
        if name == manifest.METADATA:
            self.bytes += len(content)
            self.times += 1


def row_of(number: int) -> bytes:
    key = f"{number:064x}"
    row = {"file_name": f"outputs/{key}.png", "key": key, "model": "stable-diffusion-xl-base"}
    row |= {
        "prompt": "heron-in-reeds/chinese",
        "language": "zh",
        "text": "芦苇丛中的白鹭，水墨" * 4,
    }
    row |= {"sha256": key, "pixel_sha256": key, "suite_hash": key, "rest": "x" * 220}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=1.0, help="an output in so many")
    asked = parser.parse_args()
    store, now, clock = Counting(), 0.0, SimpleNamespace(now=0.0)
    real, remote.time = remote.time, SimpleNamespace(monotonic=lambda: clock.now)  # type: ignore[assignment]
    whole = 0
    with tempfile.TemporaryDirectory() as place:
        mirror: Any = _Mirror(store, Path(place) / "run", keep=False)  # type: ignore[arg-type]
        (mirror.state).mkdir(parents=True)
        made, latest = 0, 0.0
        with (mirror.folder / manifest.METADATA).open("ab") as table:
            while made < asked.rows:
                now += remote.EVERY
                clock.now = now
                more = min(int(now / asked.seconds), asked.rows) - made
                table.write(b"".join(row_of(made + one) for one in range(more)))
                table.flush()
                made += more
                whole += table.tell() if more else 0
                before = store.times
                mirror.send()
                latest = max(
                    latest,
                    0 if store.times > before else now - mirror.looked_at[manifest.METADATA][1],
                )
            mirror.send(last=True)
            size = table.tell()
    remote.time = real
    print(f"{asked.rows} rows, {size / 1e6:.0f} MB, one in {asked.seconds:g} s: {now / 3600:.1f} h")
    print(f"whenever it has grown: {whole / 1e9:.1f} GB")
    print(
        f"bench.remote: {store.bytes / 1e9:.1f} GB in {store.times} times, a row at most {latest:.0f} s late"
    )
    print(json.dumps({
        "rows": asked.rows, "table_bytes": size, "sent_bytes": store.bytes, "times": store.times,
        "baseline_bytes": whole, "ratio": round(whole / store.bytes, 1), "latest_s": latest,
    }))  # fmt: skip


if __name__ == "__main__":
    main()

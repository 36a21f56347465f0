"""Plain lines of progress: tenths of long work, and nothing of work that is over at once."""

from __future__ import annotations

import io

import pytest

from bench.progress import progress


def lines(seconds: float, total: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is said of `total` pieces of work that take so many seconds each."""
    clock = [0.0]
    monkeypatch.setattr("bench.progress.time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    with progress("paint", "pictures", total, stream) as reported:
        for _ in range(total):
            clock[0] += seconds
            reported.advance(1)
    return stream.getvalue().splitlines()


def test_work_that_is_over_at_once_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(0.1, 12, monkeypatch) == []


def test_long_work_is_told_by_tenths(monkeypatch: pytest.MonkeyPatch) -> None:
    said = lines(1.0, 100, monkeypatch)
    assert [line.split()[1] for line in said] == [f"{done}/100" for done in range(10, 101, 10)]
    assert said[0] == "paint: 10/100 pictures, 1.00 pictures/s, 90 s left"


def test_lines_are_not_told_too_often_and_the_last_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = lines(0.5, 10, monkeypatch)
    assert [line.split()[1] for line in said] == ["4/10", "8/10", "10/10"]


def test_slow_work_is_told_twice_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    said = lines(20.0, 100, monkeypatch)
    assert [line.split()[1] for line in said][:3] == ["2/100", "4/100", "6/100"]

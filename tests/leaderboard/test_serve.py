"""The app to filter: its handler as a plain function."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.records import Score
from leaderboard.pictures import LowPicture, Picture, Pictures, embedded
from leaderboard.serve import serve, shown, slices_of, style_within
from leaderboard.site import style_sheet
from leaderboard.words import words_in
from tests.leaderboard.rich import rich_scores

LABELS = {"brush": {"en": "Brush and ink", "zh": "笔墨"}}


def scores() -> list[Score]:
    part = rich_scores(models=("a", "b"), slice_="language=zh")
    return [*rich_scores(), *(replace(s, value=s.value + 0.25) for s in part)]


def test_the_handler_shows_the_slice_that_is_asked_for() -> None:
    whole = shown(scores(), LABELS, "", "", "en")
    part = shown(scores(), LABELS, "", "language=zh", "zh")
    assert "4.00" in whole
    assert 'lang="en"' in whole
    assert "4.25" in part
    assert "题目语言：中文" in part
    assert "笔墨" in part
    assert "figures/" not in whole + part
    assert "还没有评判" in shown(scores(), LABELS, "", "language=nn", "zh")


def test_a_slice_of_simulated_raters_says_so() -> None:
    simulated = [replace(s, method="simulated raters") for s in scores()]
    assert 'class="simulated"' in shown(simulated, {}, "", "", "en")
    assert "Simulated raters" not in shown(scores(), {}, "", "", "en")


def test_pictures_are_shown_with_the_whole_and_come_from_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(b"x")
    there = Picture("a.webp", "a", "s/ours", {"en": "a boat"})
    gone = Picture("gone.webp", "b", "s/ours", {"en": "a boat"})
    pictures = embedded(Pictures([there, gone], [LowPicture(there, 1.5, 1.0, 3)]), tmp_path)
    whole = shown(scores(), {}, "", "", "en", pictures=pictures)
    assert whole.count('src="data:image/webp;base64,eA=="') == 2
    assert "gone" not in whole
    assert "data:" not in shown(scores(), {}, "", "language=zh", "en", pictures=pictures)


def test_slices_are_named() -> None:
    assert slices_of(scores(), words_in("en")) == [
        ("everything", ""),
        ("language: Chinese", "language=zh"),
    ]


def test_the_style_reaches_nothing_outside_the_page() -> None:
    css = style_within(style_sheet())
    assert ":root" not in css
    assert "\nbody {" not in css
    assert css.startswith(".pinlu {")


def test_no_scores_nothing_to_serve() -> None:
    with pytest.raises(RequestError, match="empty"):
        serve([], {}, Pictures(), host="127.0.0.1", port=0)

"""Works that mix two traditions must be seen between both."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from bench.records import REFERENCE, Score
from leaderboard.hybrids import APART
from leaderboard.style import style
from leaderboard.tables import check_attributions


def seen(hybrids: float, *, poles: tuple[float, float] = (0.1, 0.9), n: int = 20) -> pd.DataFrame:
    """Attributions of one model and of references; `poles` is how often each is called western."""
    rng = np.random.default_rng(0)
    rows = []
    kinds = [
        ("c", REFERENCE, "chinese", "distinct", poles[0]),
        ("w", REFERENCE, "western", "distinct", poles[1]),
        ("h", REFERENCE, "chinese", "hybrid", hybrids),
        ("m", "a", "chinese", "distinct", 0.3),
    ]
    for name, model, target, diagnosticity, taken in kinds:
        for k in range(n):
            prompt = f"s{k}/chinese" if model == "a" else ""
            for rater in range(6):
                said = "western" if rng.random() < taken else "chinese"
                about = (f"{name}{k}", model, target, prompt, diagnosticity)
                rows.append((f"r{rater}", said, *about))
    columns = ["rater", "attribution", "item", "model", "target", "prompt", "diagnosticity"]
    return check_attributions(pd.DataFrame(rows, columns=pd.Index(columns)), "t")


def positions(frame: pd.DataFrame) -> list[Score]:
    found = style(frame, home="chinese", rng=np.random.default_rng(1), resamples=300)
    return [s for s in found if s.metric == "hybrid_position"]


def test_hybrids_between_the_poles_are_put_where_they_stand() -> None:
    (found,) = positions(seen(0.5))
    assert (found.criterion, found.model, found.group) == ("manner", REFERENCE, "western")
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert found.low < found.value < found.high
    assert (found.n_items, found.n_raters) == (20, 6)
    shares = [float(one) for one in re.findall(r"\d\.\d\d", found.method.split(";")[0])]
    assert shares == pytest.approx([0.5, 0.1, 0.9], abs=0.1)
    assert APART not in found.method


@pytest.mark.parametrize(("hybrids", "side"), [(0.97, "above"), (0.0, "below")])
def test_hybrids_beyond_a_pole_are_said_to_be(hybrids: float, side: str) -> None:
    (found,) = positions(seen(hybrids, poles=(0.2, 0.8)))
    assert (found.value > 1) == (side == "above")
    assert f"{APART}, {side} by the whole interval" in found.method
    (near,) = positions(seen(0.22 if side == "below" else 0.83, poles=(0.25, 0.8)))
    assert "by the whole interval" not in near.method


def test_without_hybrids_no_row_and_without_poles_a_reason() -> None:
    frame = seen(0.5)
    assert positions(frame[frame["diagnosticity"] != "hybrid"]) == []
    (found,) = positions(frame[(frame["target"] != "western")])
    assert np.isnan(found.value)
    assert found.reason == "no references"
    (blind,) = positions(seen(0.5, poles=(0.4, 0.6)))
    assert blind.reason == "panel cannot tell"


def test_indices_do_not_move_with_hybrids() -> None:
    frame = seen(0.5)
    rng = [np.random.default_rng(1) for _ in range(2)]
    with_them = style(frame, home="chinese", rng=rng[0], resamples=100)
    without = style(
        frame[frame["diagnosticity"] != "hybrid"], home="chinese", rng=rng[1], resamples=100
    )
    own = [s for s in with_them if s.metric not in {"hybrid_position", "share_apart"}]
    assert own == without

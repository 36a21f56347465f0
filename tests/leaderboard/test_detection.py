"""Human or model: by hand, a planted d′, and what cannot be said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bench.errors import FileFormatError
from bench.records import REFERENCE, Score
from leaderboard.detection import detection
from leaderboard.tables import check_detections, read_detections


def answers(shares: dict[str, float], *, items: int = 200, raters: int = 5) -> pd.DataFrame:
    """Answers of independent raters, each calling so large a share of each model's items human."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "rater": f"r{rater}",
            "item": f"{model}{item}",
            "model": model,
            "prompt": "" if model == REFERENCE else f"s{item}/home",
            "seen_as": "human" if rng.random() < share else "model",
        }
        for model, share in shares.items()
        for item in range(items)
        for rater in range(raters)
    ]
    return check_detections(pd.DataFrame(rows), "memory")


def scores_of(frame: pd.DataFrame) -> dict[tuple[str, str], Score]:
    found = detection(frame, rng=np.random.default_rng(0), resamples=300)
    return {(s.metric, s.model): s for s in found}


def test_a_planted_sensitivity_is_found() -> None:
    found = scores_of(answers({REFERENCE: 0.8, "a": 0.2, "b": 0.8}))
    true = norm.ppf(0.8) - norm.ppf(0.2)
    score = found["d_prime", "a"]
    assert score.low < true < score.high
    assert found["response_criterion", "a"].value == pytest.approx(0, abs=0.1)
    assert found["d_prime", "b"].value == pytest.approx(0, abs=0.2)
    assert found["called_human", REFERENCE].value == pytest.approx(0.8, abs=0.04)
    assert found["d_prime", "a"].value > found["d_prime", ""].value > found["d_prime", "b"].value


def test_by_hand_with_the_log_linear_correction() -> None:
    rows = [("r", f"i{n}", "a", "human" if n < 1 else "model") for n in range(4)]
    rows += [("r", f"w{n}", REFERENCE, "human") for n in range(4)]
    frame = pd.DataFrame(rows, columns=["rater", "item", "model", "seen_as"])
    found = scores_of(check_detections(frame, "memory"))
    hit, false = norm.ppf(4.5 / 5), norm.ppf(1.5 / 5)
    assert found["d_prime", "a"].value == pytest.approx(hit - false)
    assert found["response_criterion", "a"].value == pytest.approx(-(hit + false) / 2)
    assert "for these raters alone" in found["d_prime", "a"].method


def test_one_answer_and_no_references() -> None:
    frame = pd.DataFrame([{"rater": "r", "item": "i", "model": "a", "seen_as": "human"}])
    found = scores_of(check_detections(frame, "memory"))
    share = found["called_human", "a"]
    assert share.value == 1
    assert math.isnan(share.low)
    assert share.reason.startswith("no interval")
    assert found["d_prime", "a"].reason == "no references"


def test_an_unknown_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "detections.csv"
    path.write_text("rater,item,model,seen_as\nr,i,m,human\nr,j,m,人\n", encoding="utf-8")
    with pytest.raises(
        FileFormatError, match=r"line 3: .*unknown label '人': give one of human, model"
    ):
        read_detections([path])

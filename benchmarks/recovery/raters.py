"""A panel of simulated raters: they see a picture's pixels, confuse, doubt, and have habits.

What they see is what the shipped network sees of the pixels; each rater then has a confusion, a doubt
and habits of his own, drawn as in `raters.simulated`. Severity is drawn there too, and has no part in
an attribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.atelier import MANNERS
from leaderboard.tables import CANNOT_TELL, check_attributions

Array = npt.NDArray[np.float64]
LABELS = (*MANNERS, CANNOT_TELL)


@dataclass(frozen=True)
class Panel:
    """How a panel judges: shares are of answers."""

    raters: int = 6
    confusion: Mapping[tuple[str, str], float] = field(
        default_factory=lambda: {("chinese", "japanese"): 0.15, ("japanese", "chinese"): 0.1}
    )
    """(truly, seen as) → share: Chinese and Japanese art are confused even when both are real."""
    blur: float = 0.08
    """Mean share of answers given at random, drawn per rater."""
    doubt: float = 0.05
    habit: Mapping[str, float] = field(default_factory=dict)
    """Label → share of answers that are this label whatever is shown."""

    def matrix(self, blur: float) -> Array:
        """Return what a rater answers by what is there, (3, 4)."""
        rows = np.zeros((len(MANNERS), len(LABELS)))
        for place, manner in enumerate(MANNERS):
            rows[place, place] = 1.0
            for (true, seen), share in self.confusion.items():
                if true == manner:
                    rows[place, MANNERS.index(seen)] += share
                    rows[place, place] -= share
        rows[:, :3] = (1 - blur) * rows[:, :3] + blur / 3
        rows *= 1 - self.doubt
        rows[:, 3] = self.doubt
        for label, share in self.habit.items():
            rows *= 1 - share
            rows[:, LABELS.index(label)] += share
        return rows

    def chances(self, rows: pd.DataFrame) -> Array:
        """Return what the mean rater answers to each picture, (n, 4)."""
        seen: Array = rows[[f"p_{manner}" for manner in MANNERS]].to_numpy(dtype=np.float64)
        found: Array = seen @ self.matrix(self.blur)
        return found


def judge(rows: pd.DataFrame, panel: Panel, rng: np.random.Generator) -> pd.DataFrame:
    """Return the attributions of a panel, each rater judging every picture once, blind to its model."""
    seen = rows[[f"p_{manner}" for manner in MANNERS]].to_numpy(dtype=np.float64)
    parts = []
    for number in range(panel.raters):
        chances = seen @ panel.matrix(float(rng.beta(2, 2 / panel.blur - 2)))
        drawn = (rng.random((len(rows), 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
        labels = np.array(LABELS)[np.minimum(drawn, len(LABELS) - 1)]
        parts.append(
            pd.DataFrame(
                {
                    "rater": f"r{number}",
                    "item": rows["model"] + "/" + rows["output"],
                    "model": rows["model"],
                    "prompt": rows["prompt"],
                    "target": rows["target"],
                    "attribution": labels,
                    "language": rows["language"],
                    "seed": rows["seed"],
                    "work": rows["work"],
                    "home": "chinese",
                }
            )
        )
    return check_attributions(pd.concat(parts, ignore_index=True), "the panel", labels=MANNERS)

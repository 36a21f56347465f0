"""Do raters put works that mix two traditions between both, as they must?

Where the panel does not, either its eye or the list of hybrids is wrong, and no index of style can
mend that. Which tradition a hybrid took up stands in no table: of the others it is as far as home.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.records import REFERENCE, Score
from leaderboard.drawing import Array, facets
from leaderboard.leaks import CANNOT_TELL_APART, LEAST_DISCRIMINATION, NO_REFERENCES
from leaderboard.percentiles import with_interval
from leaderboard.selection import confirmatory
from leaderboard.shares import counted, shares_of

HYBRID = "hybrid"
"""In `diagnosticity`; here also the class of these works, beside the traditions."""

APART = "not between the poles"

BETWEEN, CHANCE, BEYOND = "between", "chance", "beyond"
"""Where hybrids stand to the poles."""


def hybrid_positions(
    seen: pd.DataFrame,
    traditions: Sequence[str],
    rng: np.random.Generator,
    resamples: int,
    blank: Score,
) -> Iterator[Score]:
    """Yield `hybrid_position` per other tradition l: [H(l) − M(C, l)] / [M(l, l) − M(C, l)].

    H(l) is the share of hybrid works of the home tradition that raters attribute to l, 0 the pole of
    home and 1 that of l. Nothing is yielded where no such work was shown.

    Args:
        seen: attributions of one aspect of one study.
        traditions: home first.
        rng: draws works and raters.
        resamples: how many.
        blank: carries study, slice, criterion and confidence.
    """
    home, *others = traditions
    works = seen[seen["model"] == REFERENCE]
    hybrid = (works["diagnosticity"] == HYBRID) & (works["target"] == home)
    if not hybrid.any():
        return
    chosen = works.assign(target=works["target"].mask(hybrid, HYBRID))
    chosen = chosen[hybrid.to_numpy() | confirmatory(works)]
    shares = shares_of(chosen, traditions, rng, resamples, confidence=blank.confidence)
    over = facets(shares.n_seeds, shares.n_raters, "works")
    for other in others:
        at = replace(blank, metric="hybrid_position", model=REFERENCE, group=other)
        at = counted(at, shares.counts[REFERENCE, HYBRID])
        ends = [shares.share(REFERENCE, target, other) for target in (HYBRID, home, other)]
        draws = [one for one in ends if one is not None]
        if len(draws) < len(ends):
            yield replace(at, reason=NO_REFERENCES)
        elif draws[2][0] - draws[1][0] < LEAST_DISCRIMINATION:
            yield replace(at, reason=CANNOT_TELL_APART)
        else:
            told = "attributed {:.2f}, poles {:.2f} and {:.2f}".format(*(one[0] for one in draws))
            parts = [((REFERENCE, target), other) for target in (HYBRID, home, other)]
            found = with_interval(at, shares.combined(parts, _position).draws)
            where = _outside(found)
            said = f"percentile bootstrap ({resamples}) over {over}"
            yield replace(found, method="; ".join(filter(None, [told, where, said])))


def _position(part: Array) -> Array:
    apart = part[2] - part[1]
    result: Array = np.full_like(apart, np.nan)
    np.divide(part[0] - part[1], apart, out=result, where=apart > 0)
    return result


def stand(score: Score) -> str:
    """Return `BETWEEN` the poles, `BEYOND` them, or `CHANCE` where the interval reaches back."""
    if 0 <= score.value <= 1:
        return BETWEEN
    return BEYOND if score.low > 1 or score.high < 0 else CHANCE


def _outside(score: Score) -> str:
    where = stand(score)
    if where == BETWEEN:
        return ""
    side = "above" if score.value > 1 else "below"
    return (
        f"{APART}, {side} {'by the whole interval' if where == BEYOND else 'and maybe by chance'}"
    )

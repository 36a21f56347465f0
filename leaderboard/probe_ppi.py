"""Raters and a probe together: the outputs that raters judged correct the probe on the rest (PPI++).

As in `leaderboard.ppi`, with Y the share of an output's raters who gave a label and f the probe's
probability of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.errors import RequestError
from bench.records import REFERENCE, Score
from leaderboard.common_outputs import OF_OUTPUT, in_suites, refuse_twice, scenes_of
from leaderboard.leaks import CANNOT_TELL_APART, LEAST_DISCRIMINATION, NO_REFERENCES
from leaderboard.ppi import (
    FROM_BOTH,
    TOO_FEW_SCENES,
    Estimate,
    estimate_of,
    over_raters,
    reach_of,
    rectifiers,
)
from leaderboard.probes import STYLE
from leaderboard.selection import confirmatory, distinct, first_time, is_simulated, say_simulated
from leaderboard.share_intervals import difference_interval, share_interval
from leaderboard.shares import find_home, find_traditions
from leaderboard.tables import ASPECTS

PROBE_ONLY = "probe only: no output of it was judged"

_P = "p_"


def combine(
    attributions: pd.DataFrame,
    probes: pd.DataFrame,
    *,
    home: str | None = None,
    confidence: float = 0.95,
) -> list[Score]:
    """Return `raw_leak` and `excess_leak` from raters and probe, and the test of the rectifier.

    Args:
        attributions: a checked table of one study; hidden repeats are left out.
        probes: as `probes.check_probes` returns it, of the run that the study drew on.
        home: the tradition under test; see `shares.find_home`.
        confidence: of the intervals.

    Raises:
        RequestError: study and run have no output in common.
    """
    rows = first_time(attributions)
    rows = rows[rows["aspect"] == ASPECTS[0]]
    traditions = find_traditions(rows, find_home(rows, home))
    rows = rows[confirmatory(rows)]
    of_style = probes[(probes["kind"] == STYLE) & confirmatory(probes)]
    scores: list[Score] = []
    for study in distinct(rows["study"]):
        own = rows[rows["study"] == study]
        for probe in distinct(of_style["probe"]):
            blank = Score(study=study, source=FROM_BOTH, criterion=probe, confidence=confidence)
            found = _combine(own, of_style[of_style["probe"] == probe], traditions, blank)
            scores += say_simulated(found) if is_simulated(own) else found
    return scores


def _combine(
    rows: pd.DataFrame, seen: pd.DataFrame, traditions: Sequence[str], blank: Score
) -> list[Score]:
    home = traditions[0]
    asked = rows[(rows["model"] != REFERENCE) & (rows["target"] == home)]
    outputs = seen[(seen["model"] != REFERENCE) & (seen["target"] == home)]
    refuse_twice(outputs)
    asked = in_suites(asked, outputs)
    outputs = outputs.set_index(OF_OUTPUT)
    scenes = scenes_of(outputs.index)
    common = set(map(tuple, asked[OF_OUTPUT].drop_duplicates().to_numpy())) & set(outputs.index)
    if not common:
        raise RequestError(
            "the study and the run have no output in common: --with-probe wants the run that the "
            "study drew on"
        )
    scores: list[Score] = []
    for other in traditions[1:]:
        if f"{_P}{other}" not in outputs:
            continue
        estimates = {}
        for model in distinct(outputs.reset_index()["model"]):
            own = outputs.xs(model, level="model", drop_level=False)[f"{_P}{other}"]
            judged = asked[asked["model"] == model]
            at = replace(blank, model=model, group=other, n_items=len(own))
            given = np.asarray(judged["attribution"] == other, dtype=np.float64)
            found = estimate_of(judged, given, own, scenes)
            if found is None:
                scores += _probe_only(own, seen, traditions, at)
                continue
            estimate, raters, labelled, jackknife = found
            estimates[model] = (estimate, labelled)
            at = replace(at, n_raters=raters, n_values=labelled)
            scores += _leaks(rows, estimate, jackknife, at, (home, other))
        scores += rectifiers(estimates, replace(blank, group=other))
    return scores


def _leaks(
    rows: pd.DataFrame,
    estimate: Estimate,
    raters: float,
    at: Score,
    pair: tuple[str, str],
) -> Iterator[Score]:
    home, other = pair
    method = (
        f"PPI++, λ {estimate.weight:.2f}, {at.n_values} of {at.n_items} outputs judged; variance over "
        f"{estimate.scenes} scenes{over_raters(at.n_raters)}, Wilson's interval"
    )
    raw = replace(at, metric="raw_leak", value=estimate.value, method=method)
    share = estimate.value, estimate.variance + raters
    parts = (estimate.variance, estimate.scenes, (raters, at.n_raters))
    reach = reach_of(raw, *parts)
    if reach is None:
        raw = replace(raw, reason=TOO_FEW_SCENES)
    else:
        low, high = share_interval(*share, reach)
        raw = replace(raw, low=low, high=high)
    yield raw
    right = _reference_share(rows, other, other)
    wrong = _reference_share(rows, home, other)
    excess = replace(at, metric="excess_leak", method=method)
    if right is None or wrong is None:
        yield replace(excess, reason=NO_REFERENCES)
    elif right[0] - wrong[0] < LEAST_DISCRIMINATION:
        yield replace(excess, reason=CANNOT_TELL_APART)
    else:
        excess = replace(
            excess,
            value=estimate.value - wrong[0],
            method=f"{method}; references by raters alone",
        )
        reach = reach_of(excess, *parts, wrong[1:])
        if reach is None:
            yield replace(excess, reason=TOO_FEW_SCENES)
        else:
            low, high = difference_interval(share, wrong[:2], reach)
            yield replace(excess, low=low, high=high)


def _reference_share(
    rows: pd.DataFrame, target: str, label: str
) -> tuple[float, float, int] | None:
    """Return M(target, label) over works, its variance and their number; None without any."""
    own = rows[(rows["model"] == REFERENCE) & (rows["target"] == target)]
    if not len(own):
        return None
    work = own["work"].where(own["work"] != "", own["item"])
    shares = (own["attribution"] == label).groupby(work).mean().to_numpy(dtype=np.float64)
    # Agresti and Coull: without a single confusion the variance is not nothing
    n = len(shares)
    shrunk = (shares.sum() + 1) / (n + 2)
    floor = shrunk * (1 - shrunk) / (n + 2)
    spread = float(shares.var(ddof=1)) / n if n > 1 else floor
    variance = max(spread, floor) if shares.mean() in {0.0, 1.0} else spread
    return float(shares.mean()), variance, max(n, 2)


def _probe_only(
    own: pd.Series, seen: pd.DataFrame, traditions: Sequence[str], at: Score
) -> Iterator[Score]:
    """Yield what the probe says of a model that nobody judged, labelled so."""
    works = seen[(seen["model"] == REFERENCE) & (seen["target"] == traditions[0])]
    column = f"{_P}{at.group}"
    at = replace(at, method=PROBE_ONLY, reason=f"no interval: {PROBE_ONLY}")
    yield replace(at, metric="raw_leak", value=float(own.mean()))
    if len(works):
        value = float(own.mean() - works[column].mean())
        yield replace(at, metric="excess_leak", value=value)
    else:
        yield replace(at, metric="excess_leak", reason=NO_REFERENCES)

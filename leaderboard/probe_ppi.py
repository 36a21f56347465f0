"""Raters and a probe together: the outputs that raters judged correct the probe on the rest (PPI++).

As in `leaderboard.ppi`, with Y the share of an output's raters who gave a label and f the probe's
probability of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from bench.errors import RequestError
from bench.records import REFERENCE, Score
from leaderboard.common_outputs import OF_OUTPUT, codes_of, in_suites, refuse_twice, scenes_of
from leaderboard.leaks import CANNOT_TELL_APART, LEAST_DISCRIMINATION, NO_REFERENCES
from leaderboard.ppi import (
    FROM_BOTH,
    LEAST_SCENES,
    TOO_FEW_SCENES,
    Estimate,
    Judged,
    estimate_of,
    over_raters,
    reach_of,
    rectifiers,
)
from leaderboard.probe_excess import Excess, excess_of, works_of
from leaderboard.probes import STYLE
from leaderboard.selection import confirmatory, distinct, first_time, is_simulated, say_simulated
from leaderboard.share_intervals import difference_of_bounds, share_interval
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
        estimates: dict[str, tuple[Estimate, int]] = {}
        for model in distinct(outputs.reset_index()["model"]):
            own = outputs.xs(model, level="model", drop_level=False)[f"{_P}{other}"]
            judged = asked[asked["model"] == model]
            at = replace(blank, model=model, group=other, n_items=len(own))
            given = np.asarray(judged["attribution"] == other, dtype=np.float64)
            found = estimate_of(judged, given, own, scenes)
            if found is None:
                scores += _probe_only(own, seen, traditions, at)
                continue
            estimates[model] = (found.estimate, found.labelled)
            at = replace(at, n_raters=found.n_raters, n_values=found.labelled)
            strata = _strata(outputs.loc[own.index], asked)
            scores += _leaks(rows, found, at, (home, other), (strata, codes_of(own.index, scenes)))
        scores += rectifiers(estimates, replace(blank, group=other))
    return scores


def _strata(outputs: pd.DataFrame, asked: pd.DataFrame) -> NDArray[np.str_]:
    """Return the stratum of every output; where the run names none, the study's of its prompt."""
    names = zip(asked["suite"], asked["prompt"], strict=True)
    of_prompt = dict(zip(names, asked["stratum"], strict=True))
    told = zip(outputs.index, outputs["stratum"], strict=True)
    return np.array(
        [one or of_prompt.get((key[0], key[2]), "") for key, one in told], dtype=np.str_
    )


def _leaks(
    rows: pd.DataFrame,
    judged: Judged,
    at: Score,
    pair: tuple[str, str],
    outputs: tuple[NDArray[np.str_], NDArray[np.int64]],
) -> Iterator[Score]:
    (home, other), estimate = pair, judged.estimate
    method = (
        f"PPI++, λ {estimate.weight:.2f}, {at.n_values} of {at.n_items} outputs judged; variance over "
        f"{estimate.scenes} scenes{over_raters(at.n_raters)}, Wilson's interval"
    )
    raw = replace(at, metric="raw_leak", value=estimate.value, method=method)
    reach = reach_of(raw, estimate.variance, estimate.scenes, (judged.spread, at.n_raters))
    if reach is None:
        yield replace(raw, reason=TOO_FEW_SCENES)
    else:
        low, high = share_interval(estimate.value, estimate.variance + judged.spread, reach)
        yield replace(raw, low=low, high=high)
    right, wrong = works_of(rows, other, other), works_of(rows, home, other)
    excess = replace(at, metric="excess_leak", method=method)
    if right is None or wrong is None:
        yield replace(excess, reason=NO_REFERENCES)
    elif right.mean - wrong.mean < LEAST_DISCRIMINATION:
        yield replace(excess, reason=CANNOT_TELL_APART)
    else:
        yield _excess(excess, excess_of(judged, wrong, *outputs), estimate.scenes)


def _excess(score: Score, found: Excess, scenes: int) -> Score:
    said = f"{score.method}, of the difference Newcombe's; references by raters alone{found.note}"
    score = replace(score, value=found.value, method=said)
    if scenes < LEAST_SCENES:
        return replace(score, reason=TOO_FEW_SCENES)
    reach = float(t.ppf(0.5 + score.confidence / 2, found.freedom))
    leak, real = ((one[0], *share_interval(*one, reach)) for one in (found.leak, found.standard))
    low, high = difference_of_bounds(leak, real, found.correlation)
    return replace(score, low=low, high=high)


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

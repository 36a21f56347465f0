"""Each index of style bias, from the shares of attributions; see `style`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.drawing import LEAST_RATERS, Array
from leaderboard.leaks import CANNOT_TELL_APART, LEAST_DISCRIMINATION, NO_REFERENCES
from leaderboard.mixture import corrected_mixture
from leaderboard.percentiles import with_interval
from leaderboard.share_cells import Cell
from leaderboard.share_scores import difference_score, share_score
from leaderboard.shares import Counts, Shares, counted

LEAST_REFERENCES = 30

LARGEST_CONDITION = 5.0


def _of_few(shares: Shares, *cells: Cell) -> str:
    """Say so where some of these cells were judged by too few raters to draw them."""
    fewest = min(shares.counts[cell[:2]].raters for cell in cells)
    few = fewest < LEAST_RATERS <= shares.n_raters
    return f"; {fewest} of {shares.n_raters} raters alone judged a part" if few else ""


def discrimination(shares: Shares, other: str, blank: Score) -> Score:
    """D_l = M(l, l) − M(C, l)."""
    counts = shares.counts.get((REFERENCE, other), Counts())
    score = counted(replace(blank, metric="discrimination", group=other), counts)
    right, wrong = (REFERENCE, other), (REFERENCE, shares.home)
    if right not in shares.of or wrong not in shares.of:
        return replace(score, reason=NO_REFERENCES)
    return difference_score(shares, score, (right, other), [(1.0, wrong, other)])


def raw_leak(shares: Shares, score: Score) -> Score:
    """q_C(l)."""
    score = replace(score, metric="raw_leak")
    if (score.model, shares.home) not in shares.of:
        return _not_asked(score, shares.home)
    return share_score(shares, score, (score.model, shares.home), score.group)


def excess_leak(shares: Shares, score: Score) -> Score:
    """E_l = q_C(l) − M(C, l); with strata g, M(C, l) = Σ_g w_g M(C, l given g), w from outputs.

    A stratum with fewer than two references takes M(C, l) of all of them, and the method says so.
    """
    score = replace(score, metric="excess_leak")
    own, wrong = (score.model, shares.home), (REFERENCE, shares.home)
    if own not in shares.of:
        return _not_asked(score, shares.home)
    if refused := cannot_tell(shares, shares.home, score.group):
        return replace(score, reason=refused)
    cells, note = _stratified(shares, score.model, score.group)
    parts = [(weight, cell, score.group) for cell, weight in cells.items()]
    found = difference_score(shares, score, (own, score.group), parts)
    return replace(found, method=f"{found.method}{note}{_of_few(shares, own, wrong)}")


def cannot_tell(shares: Shares, asked: str, seen: str) -> str:
    """Return why no leak from `asked` towards `seen` can be told from a confusion; "" if it can."""
    right = shares.share(REFERENCE, seen, seen)
    wrong = shares.share(REFERENCE, asked, seen)
    if right is None or wrong is None:
        return NO_REFERENCES
    return "" if right[0] - wrong[0] >= LEAST_DISCRIMINATION else CANNOT_TELL_APART


def leaks_elsewhere(shares: Shares, blank: Score) -> Iterator[Score]:
    """Yield E of targets other than home: q_J(W) − M(J, W), `group` being "asked:seen"."""
    for asked in shares.traditions[1:]:
        own = (blank.model, asked)
        if own not in shares.of:
            continue
        for seen in shares.traditions:
            if seen == asked:
                continue
            score = replace(blank, metric="excess_leak_elsewhere", group=f"{asked}:{seen}")
            score = counted(score, shares.counts[own])
            if refused := cannot_tell(shares, asked, seen):
                yield replace(score, reason=refused)
            else:
                wrong = (REFERENCE, asked)
                yield difference_score(shares, score, (own, seen), [(1.0, wrong, seen)])


def _stratified(shares: Shares, model: str, other: str) -> tuple[dict[Cell, float], str]:
    """Return the cells whose mean is M(C, other) with the model's own mix of strata, by weight.

    The second says what was done; the mix is that of the outputs, and is not drawn.
    """
    home, label = shares.home, shares.labels.index(other)
    every: Cell = (REFERENCE, home)
    asked = shares.strata(model)
    # a single reference has no resamples, and would take the interval of the whole with it
    known = [
        stratum
        for stratum in shares.strata(REFERENCE)
        if np.isfinite(shares.of[REFERENCE, home, "stratum", stratum][label, 1:]).any()
    ]
    matched = [stratum for stratum in asked if stratum in known]
    if not matched:
        note = "; not stratified: no references of its strata" if asked and known else ""
        return {every: 1.0}, note
    total = float(shares.mass[model, home][0])
    mass = {one: float(shares.mass[model, home, "stratum", one][0]) for one in asked}
    weights: dict[Cell, float] = {
        (REFERENCE, home, "stratum", stratum): mass[stratum] / total for stratum in matched
    }
    lacking = [stratum for stratum in asked if stratum not in known]
    if sum(mass.values()) < total - 1e-9:
        lacking.append("outputs of no stratum")
    note = f"; stratified, all references for {', '.join(lacking)}" if lacking else "; stratified"
    rest = 1 - sum(weights.values())
    return weights | ({every: rest} if rest > 1e-9 else {}), note


def mirror_asymmetry(shares: Shares, score: Score) -> Score:
    """[q_C(l) − q_l(C)] − [M(C, l) − M(l, C)]."""
    score = replace(score, metric="mirror_asymmetry")
    home, other = shares.home, score.group
    for target in (home, other):
        if (score.model, target) not in shares.of:
            return _not_asked(score, target)
    if any((REFERENCE, target) not in shares.of for target in (home, other)):
        return replace(score, reason=NO_REFERENCES)
    parts = [
        ((model, asked), seen)
        for model in (score.model, REFERENCE)
        for asked, seen in ((home, other), (other, home))
    ]
    found = shares.combined(parts, lambda part: (part[0] - part[1]) - (part[2] - part[3]))
    return with_interval(score, found.draws)


def choice_model(shares: Shares, score: Score) -> Iterator[Score]:
    """Choice bias ½ ln[q_C(l) q_l(l) / (q_C(C) q_l(C))] and blur ½ ln[q_C(l) q_l(C) / (q_C(C) q_l(l))].

    Each less the same of the references (Luce 1963); shares become counts of items, plus ½.
    """
    home, other = shares.home, score.group
    cells = [(model, target) for model in (score.model, REFERENCE) for target in (home, other)]
    parts = [(cell, label) for cell in cells for label in (other, home)]
    for metric, sign in (("choice_bias", 1.0), ("excess_blur", -1.0)):
        at = replace(score, metric=metric)
        missing = [target for model, target in cells[:2] if (model, target) not in shares.of]
        if missing:
            yield _not_asked(at, missing[-1])
        elif any(cell not in shares.of for cell in cells[2:]):
            yield replace(at, reason=NO_REFERENCES)
        else:
            items = np.array([shares.counts[cell].items for cell, _ in parts])[:, None]
            signs = np.array([1, -1, sign, -sign, -1, 1, -sign, sign])[:, None] / 2

            def of(part: Array, items: Array = items, signs: Array = signs) -> Array:
                # a slope is looked for at 0 too, from both sides
                logs = np.log(np.maximum(items * part + 0.5, 0.25))
                return np.asarray((signs * logs).sum(axis=0), dtype=np.float64)

            yield with_interval(at, shares.combined(parts, of).draws)


def neutral_default(shares: Shares, score: Score) -> Score:
    """N_l = [q_N(l) − q_N(C)] / [q_N(l) + q_N(C)]."""
    score = replace(score, metric="neutral_default")
    cell = (score.model, NEUTRAL)
    if cell not in shares.of:
        return _not_asked(score, NEUTRAL)
    score = counted(score, shares.counts[cell])
    parts = [(cell, score.group), (cell, shares.home)]
    if not any(shares.of[cell][shares.labels.index(label), 0] > 0 for _, label in parts):
        return replace(score, reason="neither tradition was seen")
    found = shares.combined(parts, _balance)
    return with_interval(score, np.clip(found.draws, -1.0, 1.0))


def _balance(part: Array) -> Array:
    total = part[0] + part[1]
    result: Array = np.full_like(total, np.nan)
    np.divide(part[0] - part[1], total, out=result, where=total > 0)
    return result


def mixture_scores(shares: Shares, others: Sequence[str], score: Score) -> Iterator[Score]:
    """Yield the corrected mixture, a sensitivity analysis with conditions of its own."""
    cells = [(REFERENCE, tradition) for tradition in shares.traditions]
    seen = shares.of.get((score.model, shares.home))
    fewest = min(shares.counts.get(cell, Counts()).items for cell in cells)
    reason = ""
    draws: Array = np.empty((0, 0))
    if seen is None:
        reason = f"not asked for {shares.home}"
    elif not fewest:
        reason = NO_REFERENCES
    elif fewest < LEAST_REFERENCES:
        reason = f"under {LEAST_REFERENCES} references per class"
    else:
        confusion = np.stack([shares.of[cell] for cell in cells])
        condition = float(np.linalg.cond(confusion[:, :, 0]))
        if condition > LARGEST_CONDITION:
            reason = f"condition number of the references' confusion above 5: {condition:.1f}"
        else:
            # Half a work more per label, so that none is impossible
            sizes = np.array([shares.counts[cell].items for cell in cells])[:, None, None]
            confusion = (sizes * confusion + 0.5) / (sizes + 0.5 * len(shares.labels))
            items = shares.counts[score.model, shares.home].items
            draws = corrected_mixture(items * seen, confusion)
    for other in others:
        at = replace(score, metric="corrected_mixture", group=other)
        if reason:
            yield replace(at, reason=reason)
        else:
            yield with_interval(at, draws[shares.traditions.index(other)])


def _not_asked(score: Score, target: str) -> Score:
    if target == NEUTRAL:
        return replace(score, reason="no prompt left the tradition open")
    return replace(score, reason=f"not asked for {target}")

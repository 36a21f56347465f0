"""The excess leak by raters and probe together: the leak less what real works are taken for.

E = q − Σ_g w_g M(C, l given g), w being the strata of the model's outputs, as in
`leaderboard.indices`. q is the estimate of `leaderboard.ppi`; M comes from raters alone, for they
judge references too, and how sharply they see moves both. What leaving a rater out moves is
therefore taken of the difference: V = B_scenes + B_works + max(B_raters − B_judgements, 0), as in
`leaderboard.variance`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from bench.records import REFERENCE
from leaderboard.drawing import LEAST_RATERS, Array
from leaderboard.influences import Influences, Linear, influences
from leaderboard.ppi import Judged

_WORK = ["suite", "work", "stratum"]
"""What names a work, as in `leaderboard.shares`."""


class Works(NamedTuple):
    """What raters said of the references of one tradition: j judgements of items of k works."""

    item: NDArray[np.int64]
    """Of each judgement, (j,)."""
    rater: NDArray[np.str_]
    said: Array
    """1 where the label was given, (j,)."""
    work: NDArray[np.int64]
    """Of each item, (items,)."""
    stratum: NDArray[np.str_]
    """Of each work, (k,)."""
    of_item: Array
    share: Array
    """Of each work, its items weighing alike, (k,)."""

    @property
    def mean(self) -> float:
        """M of all works."""
        return float(self.share.mean())


class Standard(NamedTuple):
    """M in the outputs' own mix of strata."""

    value: float
    variance: float
    """Over works."""
    freedom: int
    weight: Array
    """Of each work, summing to 1, (k,)."""
    of_output: Array
    """M of each output's stratum, (outputs,)."""
    note: str
    """For `method`."""


class Excess(NamedTuple):
    """E with all that its interval wants."""

    value: float
    leak: tuple[float, float]
    """q and its variance."""
    standard: tuple[float, float]
    """M and its variance."""
    correlation: float
    """Of the errors of both."""
    freedom: float
    """Satterthwaite's."""
    note: str


def works_of(rows: pd.DataFrame, target: str, label: str) -> Works | None:
    """Return what raters said of the references of a tradition; None without any."""
    own = rows[(rows["model"] == REFERENCE) & (rows["target"] == target)]
    if not len(own):
        return None
    own = own.assign(work=own["work"].where(own["work"] != "", own["item"]))
    item = pd.factorize(own["item"])[0].astype(np.int64)
    said = np.asarray(own["attribution"] == label, dtype=np.float64)
    items = own.assign(code=item).drop_duplicates("code").sort_values("code")
    work, works = pd.factorize(pd.MultiIndex.from_frame(items[_WORK]))
    of_item = np.bincount(item, said) / np.bincount(item)
    share = np.bincount(work, of_item) / np.bincount(work)
    stratum = np.array([name[2] for name in works], dtype=np.str_)
    names = own["rater"].to_numpy(dtype=np.str_)
    return Works(item, names, said, work.astype(np.int64), stratum, of_item, share)


def standard_of(works: Works, strata: NDArray[np.str_]) -> Standard:
    """Return M weighed by the strata of a model's outputs, (outputs,), "" where one has none.

    A stratum of fewer than two works takes all, and the note says so.
    """
    asked = [name for name in dict.fromkeys(strata.tolist()) if name]
    known = [name for name in asked if (works.stratum == name).sum() > 1]
    everywhere = np.ones(len(works.share), dtype=bool)
    parts = [(strata == name, works.stratum == name) for name in known]
    rest = ~np.isin(strata, known)
    if rest.any():
        parts.append((rest, everywhere))
    weight, moved, variance = np.zeros(len(works.share)), np.zeros(len(works.share)), 0.0
    of_output: Array = np.zeros(len(strata))
    for outputs, there in parts:
        heavy, n = float(outputs.mean()), int(there.sum())
        mean = float(works.share[there].mean())
        of_output[outputs] = mean
        weight[there] += heavy / n
        moved[there] += heavy * (works.share[there] - mean) / math.sqrt(n * max(n - 1, 1))
        if n == 1 or mean in {0.0, 1.0}:
            # Agresti and Coull: without a single confusion the variance is not nothing
            shrunk = (mean * n + 1) / (n + 2)
            variance += heavy**2 * shrunk * (1 - shrunk) / (n + 2)
    variance += float(moved @ moved)
    freedom = max(int((weight > 0).sum()) - len(parts), 1)
    note = _note(strata, asked, known, set(works.stratum.tolist()))
    return Standard(float(of_output.mean()), variance, freedom, weight, of_output, note)


def _note(strata: NDArray[np.str_], asked: list[str], known: list[str], of_works: set[str]) -> str:
    if not known:
        there = bool(asked) and bool(of_works - {""})
        return "; not stratified: no references of its strata" if there else ""
    lacking = [name for name in asked if name not in known]
    if (strata == "").any():
        lacking.append("outputs of no stratum")
    return f"; stratified, all references for {', '.join(lacking)}" if lacking else "; stratified"


def excess_of(
    judged: Judged, works: Works, strata: NDArray[np.str_], scene: NDArray[np.int64]
) -> Excess:
    """Return E of one model.

    Args:
        judged: its leak.
        works: the references of the home tradition, and how often they were given the label.
        strata: of all its outputs, judged or not, (outputs,).
        scene: codes of theirs, in the numbering of `judged`.
    """
    estimate, standard = judged.estimate, standard_of(works, strata)
    # the mix of strata is the scenes' too
    tilt = (standard.of_output - standard.value) / len(strata)
    of_mix = np.bincount(scene, tilt, len(estimate.moved))
    moved = estimate.moved - of_mix
    of_scenes = float(moved @ moved)
    found, lacking = _over_raters(judged, works, standard)
    alone, between = found.between(), found.between_pairs([(0, 1)])
    own = np.maximum(alone.raters - alone.judgements, 0)[:, 0]
    both = float(np.maximum(between.raters - between.judgements, 0)[0, 0])
    leak, real = estimate.variance + float(own[0]), standard.variance + float(own[1])
    whole = of_scenes + standard.variance + both
    mix = float(of_mix @ of_mix)
    spread = math.sqrt(leak * (real + mix))
    correlation = (leak + real + mix - whole) / (2 * spread) if spread > 0 else 0.0
    uncertain = of_scenes**2 / (estimate.scenes - 2) + standard.variance**2 / standard.freedom
    if both > 0:
        units = float(between.n_raters[0, 0])
        uncertain += float(between.raters[0, 0]) ** 2 / max(units - 1, 1)
    return Excess(
        value=estimate.value - standard.value,
        leak=(estimate.value, leak),
        standard=(standard.value, real + mix),
        correlation=min(max(correlation, -1.0), 1.0),
        freedom=max(whole**2 / uncertain, 1.0) if uncertain > 0 else estimate.scenes - 2,
        note=f"{standard.note}{lacking}",
    )


def _over_raters(judged: Judged, works: Works, standard: Standard) -> tuple[Influences, str]:
    """Return what raters move q and M by, and what to say where they are too few for one of these.

    λ is held: what a rater says of an output moves the mean of labels alone.
    """
    n, count = judged.labelled, len(works.work)
    _, rater = np.unique(np.concatenate([judged.rater, works.rater]), return_inverse=True)
    n_raters = int(rater.max()) + 1
    item = np.concatenate([judged.item, works.item + n])
    of_output = np.bincount(judged.item, judged.said, n) / np.bincount(judged.item, minlength=n)
    shift = judged.estimate.weight * judged.seen
    of_item = np.concatenate([of_output, works.of_item])
    away = np.concatenate([judged.said, works.said]) - of_item[item]
    of_item[:n] -= shift
    own_items = np.bincount(works.work)
    averaging = (1 / own_items[works.work], (works.work, np.arange(count)))
    k = len(works.share)
    of_prompt = np.concatenate([of_item[:n], works.share])
    weights = np.zeros((2, n + k))
    weights[0, :n], weights[1, n:] = 1 / n, standard.weight
    scenes = int(judged.scene.max()) + 1
    found = influences(
        Linear(
            item=item,
            rater=rater.astype(np.int64),
            weight=np.ones(len(item)),
            away=away[:, None],
            n_raters=n_raters,
            of_item=of_item[:, None],
            of_prompt=of_prompt[:, None],
            of_cell=(weights @ of_prompt)[:, None],
            members=sparse.csr_array(
                sparse.block_diag(
                    [sparse.eye_array(n), sparse.csr_array(averaging, shape=(k, count))]
                )
            ),
            cells=sparse.csr_array(weights),
            cluster_of_prompt=np.concatenate([judged.scene, scenes + np.arange(k)]),
            prompt_of_item=np.concatenate([np.arange(n), n + works.work]),
            seed=np.full(n + count, -1),
            fitted=False,
        )
    )
    return _drawn(found, judged, works)


def _drawn(found: Influences, judged: Judged, works: Works) -> tuple[Influences, str]:
    """Leave out the raters of outputs, or of references, that are too few to speak of another."""
    own, theirs = judged.n_raters, len(np.unique(works.rater))
    kept = np.array([own >= LEAST_RATERS, theirs >= LEAST_RATERS])
    share = found.share if kept.all() or not kept.any() else found.share[[kept.argmax()] * 2]
    said = "; references for their raters alone" if kept[0] and not kept[1] else ""
    return (
        found._replace(
            raters=found.raters * kept[:, None, None],
            share=share,
            judgements=sparse.csr_array(
                sparse.diags_array(kept.astype(np.float64)) @ found.judgements
            ),
        ),
        said,
    )

"""Scores from probes: the same indices as from raters, from the probabilities that a network gave.

Everything is computed from two plain tables, as `pinlu probe` writes them into a run; `source` is
`probe`, and `criterion` names the probe, since there may be several. Each has its own confusion
matrix, from the references that it saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench.errors import FileFormatError, RequestError
from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.percentiles import with_interval
from leaderboard.selection import distinct, scenes_of_rows
from leaderboard.shares import CHANCE
from leaderboard.sources import read_source
from leaderboard.style import style
from leaderboard.tables import OTHER, check_attributions

FROM_PROBE = "probe"
"""The `source` of these scores."""
STYLE, FAULTS, VIDEO = "style", "faults", "video"
KINDS = (STYLE, FAULTS, VIDEO)
MEASURES = ("subject_steadiness", "background_steadiness", "flicker", "style_drift", "motion")
ONE_SEED = "one picture per prompt"
FEW_FRAMES = "too few frames"
LEAST_FRAMES = 4
_P = "p_"
_TEXTS = (
    "output", "model", "prompt", "target", "language", "seed", "genre", "stratum", "diagnosticity",
    "work", "home", "suite", "kind", "probe",
)  # fmt: skip


def read_probes(path: Path) -> pd.DataFrame:
    """Return the table of probes in a file.

    Raises:
        RequestError: it is not there.
        FileFormatError: a column is missing, a kind unknown, or a probability none.
    """
    if not path.is_file():
        raise RequestError(f"{path} is not there: run pinlu probe first")
    return check_probes(read_source(path).frame, str(path))


def check_probes(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a checked copy; `where` names it in errors."""
    for column in _TEXTS:
        if column not in frame:
            raise FileFormatError(f"{where}: the column {column!r} is missing")
    found = frame.copy()
    for column in _TEXTS:
        found[column] = found[column].fillna("").astype("str")
    odd = ~found["kind"].isin(KINDS)
    if odd.any():
        raise FileFormatError(
            f"{where}, row {int(odd.to_numpy().argmax()) + 1}: column 'kind' says "
            f"{found.loc[odd, 'kind'].iloc[0]!r}; it is one of {', '.join(KINDS)}"
        )
    twice = found.duplicated(["output", "model", "probe"])
    if twice.any():
        row = found[twice].iloc[0]
        raise FileFormatError(
            f"{where}, row {int(twice.to_numpy().argmax()) + 1}: output {row['output']!r} has the "
            f"probe {row['probe']!r} twice"
        )
    of_style = found["kind"] == STYLE
    chances = found.loc[of_style, _chances(found)].fillna(0.0).to_numpy(dtype=np.float64)
    if len(chances) and not (
        (chances >= -1e-9).all() and np.allclose(chances.sum(axis=1), 1, atol=1e-3)
    ):
        row_number = int((~np.isclose(chances.sum(axis=1), 1, atol=1e-3)).argmax())
        row = found[of_style].iloc[row_number]
        raise FileFormatError(
            f"{where}: the probabilities of output {row['output']!r} are none, or do not sum to 1"
        )
    return found


def probe_scores(
    probes: pd.DataFrame,
    diversity: pd.DataFrame | None,
    *,
    study: str,
    home: str | None = None,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return every score that the tables of a probed run allow.

    Args:
        probes: as `check_probes` returns it.
        diversity: Vendi scores by prompt, as `pinlu probe` writes them; None without a network.
        study: where the scores belong.
        home: the tradition under test; by default the table's.
        rng: draws the resamples.
        confidence: of the intervals.
        resamples: how many.
        by: columns to slice the indices of style by.
    """
    blank = Score(study=study, source=FROM_PROBE, confidence=confidence)
    children = rng.spawn(3)
    scores: list[Score] = []
    of_style = probes[probes["kind"] == STYLE]
    for probe in distinct(of_style["probe"]):
        told = [name.removeprefix(_P) for name in _told(of_style[of_style["probe"] == probe])]
        found = style(
            as_attributions(of_style[of_style["probe"] == probe], study),
            home=home,
            rng=children[0],
            confidence=confidence,
            resamples=resamples,
            by=by,
            known=[name for name in told if name != OTHER],
        )
        scores += [as_probe(score, probe) for score in found if _is_told(score, told)]
    scores += _faults(probes[probes["kind"] == FAULTS], blank)
    scores += _video(probes[probes["kind"] == VIDEO], blank, children[1], resamples)
    if diversity is not None and len(diversity):
        scores += diversity_scores(diversity, blank, children[2], resamples)
    return scores


def as_attributions(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Turn a probe's rows into attributions by one judge, with its probabilities beside them."""
    columns = _told(rows)
    chances = rows[columns].fillna(0.0).to_numpy(dtype=np.float64)
    labels = [name.removeprefix(_P) for name in columns]
    frame = rows[list(_TEXTS[1:12])].assign(
        rater=rows["probe"],
        item=rows["model"] + "/" + rows["output"],
        attribution=[labels[place] for place in chances.argmax(axis=1)],
        study=study,
    )
    for label, column in zip(labels, columns, strict=True):
        frame[f"{CHANCE}{label}"] = rows[column].fillna(0.0)
    traditions = {*distinct(frame["target"], without={NEUTRAL}), OTHER}
    return check_attributions(
        frame, "the probes", labels=[label for label in labels if label not in traditions]
    )


def as_probe(score: Score, probe: str) -> Score:
    """Label a score of style as a probe's."""
    method = score.method.replace("; for these raters alone", "")
    return replace(
        score, source=FROM_PROBE, criterion=probe, n_raters=0, method=f"{method}; probabilities"
    )


def diversity_scores(
    table: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield `diversity`: the mean Vendi score within prompts per model, between models, of references.

    Beside each stands that of as many references (`model` is `reference`), since the score grows
    with the number of pictures.
    """
    network = str(table["network"].iloc[0]) if "network" in table else ""
    blank = replace(blank, metric="diversity", criterion=network)
    within = table[table["kind"] == "within"]
    between = table[table["kind"] == "between"]
    for model in distinct(within["model"]):
        rows = within[within["model"] == model]
        yield _vendi(rows, replace(blank, model=model, group="within"), rng, resamples)
    if len(between) and len(distinct(within["model"])) > 1:
        yield _vendi(between, replace(blank, group="between"), rng, resamples)
    for group, rows in (("within", within), ("between", between)):
        several = rows.loc[rows["n"] > 1, "n"]
        if not len(several):
            continue
        size = int(several.mode().iloc[0])
        drawn = table[(table["kind"] == "references") & (table["n"] == size)]["vendi"]
        score = replace(blank, model=REFERENCE, group=group)
        if len(drawn):
            method = f"mean Vendi score of {len(drawn)} samples of {size} references of home"
            yield replace(score, value=float(drawn.mean()), n_items=size, method=method)
        else:
            yield replace(score, reason=f"too few references: fewer than {size}")


def _vendi(rows: pd.DataFrame, score: Score, rng: np.random.Generator, resamples: int) -> Score:
    several = rows[rows["n"] > 1]
    if not len(several):
        return replace(score, n_items=len(rows), reason=ONE_SEED)
    sizes = sorted(set(several["n"]))
    pictures = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    score = replace(
        score,
        n_items=int(several["n"].sum()),
        n_values=len(several),
        method=f"mean Vendi score of {pictures} pictures; percentile bootstrap ({resamples}) over scenes",
    )
    return with_interval(score, bootstrap_mean(several, "vendi", rng, resamples))


def bootstrap_mean(
    rows: pd.DataFrame, column: str, rng: np.random.Generator, resamples: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the mean over rows, then the means as scenes are drawn again, (1 + resamples,)."""
    per_scene = (
        rows.assign(scene=scenes_of_rows(rows)).groupby("scene")[column].agg(["sum", "count"])
    )
    sums, counts = per_scene["sum"].to_numpy(float), per_scene["count"].to_numpy(float)
    if len(sums) < 2:
        draws = np.full(1 + resamples, np.nan)
    else:
        drawn = rng.integers(len(sums), size=(resamples, len(sums)))
        draws = np.concatenate([[0.0], sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)])
    draws[0] = sums.sum() / counts.sum()
    return draws


def _faults(rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    """Yield the shares of outputs that are blank, shown before, or marked in a corner."""
    for model in distinct(rows["model"]):
        own = rows[rows["model"] == model]
        found = {
            "blank": own["blank"].fillna(value=False).astype(bool),
            "near_duplicate": own["duplicate_of"].fillna("") != "",
            "watermark": own["watermark"].fillna("") != "",
        }
        for name, flags in found.items():
            score = replace(
                blank, metric="fault_share", criterion=FAULTS, model=model, group=name,
                n_items=len(own), n_values=len(own),
            )  # fmt: skip
            if name == "watermark" and not own["watermark_known"].fillna(value=True).all():
                yield replace(score, reason="fewer than eight outputs: nothing can repeat")
                continue
            interval = binomtest(int(flags.sum()), len(own)).proportion_ci(
                confidence_level=blank.confidence, method="wilson"
            )
            yield replace(
                score,
                value=float(flags.mean()),
                low=float(interval.low),
                high=float(interval.high),
                method="share of outputs; Wilson interval",
            )


def _video(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield the mean of every measure of clips per model."""
    for model in distinct(rows["model"]):
        own = rows[rows["model"] == model]
        read = ", ".join(distinct(own["frames_from"]))
        for measure in MEASURES:
            score = replace(blank, metric="video", criterion=measure, model=model)
            known = own[own[measure].notna()] if measure in own else own[:0]
            if not len(known):
                yield replace(score, n_items=len(own), reason=_why_not(own, measure))
                continue
            left_out = f"; {len(own) - len(known)} clips left out" if len(known) < len(own) else ""
            score = replace(
                score,
                n_items=len(known),
                n_values=len(known),
                method=f"mean over clips, frames of {read}; percentile bootstrap ({resamples}) over "
                f"scenes{left_out}",
            )
            yield with_interval(score, bootstrap_mean(known, measure, rng, resamples))


def _why_not(clips: pd.DataFrame, measure: str) -> str:
    """Say why no clip has a measure."""
    if (clips["frames"] < LEAST_FRAMES).all():
        return FEW_FRAMES
    return "nothing stands still" if measure == "flicker" else "no network looked"


def _told(rows: pd.DataFrame) -> list[str]:
    """Return the columns of the classes that a probe tells."""
    return [name for name in _chances(rows) if rows[name].notna().any()]


def _is_told(score: Score, told: Sequence[str]) -> bool:
    """Say whether a score speaks of labels that the probe can give."""
    if score.metric not in {"attribution_share", "share_apart", "share_covariance"}:
        return True
    return set(score.group.split(":")[1:]) <= set(told)


def _chances(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if str(name).startswith(_P)]

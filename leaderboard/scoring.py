"""Tables to scores: the whole of what a study says, in one list.

`score` calls the measures one after the other: agreement, mean scores, repeats, votes and style
bias; then it counts the rows, so that a reader sees that none was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.errors import RequestError
from bench.records import FOIL, Score
from leaderboard.agreement import agreement
from leaderboard.applicability import applicability, never_scored, say_left_out
from leaderboard.detection import detection
from leaderboard.joint import joint
from leaderboard.languages import leak_gaps, score_gaps
from leaderboard.panel import ordinal_check, rater_scores, repeats
from leaderboard.quality import MEAN_SCORE, mean_scores
from leaderboard.ranking import rank
from leaderboard.scales import scale_structure
from leaderboard.schools import schools
from leaderboard.selection import (
    applicable,
    confirmatory,
    distinct,
    first_time,
    has_values,
    is_simulated,
    parts,
    say_simulated,
    stream,
)
from leaderboard.style import style
from leaderboard.tables import ASPECTS

TABLES = ("ratings", "votes", "attributions", "detections")


class Options(NamedTuple):
    """What every measure is told."""

    confidence: float
    resamples: int
    by: Sequence[str]


def score(
    tables: Mapping[str, pd.DataFrame],
    *,
    levels: Mapping[str, str] | str = "ordinal",
    home: str | None = None,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    declared: Mapping[str, Sequence[str]] | None = None,
) -> list[Score]:
    """Return every score that the tables allow, study by study.

    Args:
        tables: checked tables under the names of `TABLES`; any may be missing.
        levels: of the criteria; see `agreement`.
        home: the tradition under test; see `shares.find_home`.
        rng: every part draws from a stream of its own (`selection.stream`), so that no table or
            study changes another's scores.
        confidence: of all intervals.
        resamples: of each bootstrap.
        by: columns to slice by, beside the whole.
        weights: of the criteria in the overall score, see `weighting.weights_among`.
        declared: the languages that each model says it knows, for language gaps; all it was asked
            in where not said.

    Raises:
        RequestError: no table, an unknown one, an unclear home or an unknown level.
    """
    unknown = sorted(set(tables) - set(TABLES))
    if unknown or not tables:
        raise RequestError(f"give tables among {', '.join(TABLES)}; found {unknown or 'none'}")
    _refuse_shared_names(tables)
    _refuse_no_slice(tables, by)
    scores: list[Score] = []
    options = Options(confidence, resamples, by)
    given, votes = tables.get("ratings"), tables.get("votes")
    ratings = None if given is None else applicable(given)
    if given is not None and ratings is not None:
        own = _own(by, ratings)
        scores += agreements(given, levels=levels, confidence=confidence, by=own)
        quality = list(_quality(ratings, rng, options._replace(by=own), weights))
        scores += [*never_scored(scores), *say_left_out(quality, scores)]
    if votes is not None:
        scores += rank(
            votes, rng=rng, confidence=confidence, resamples=resamples, by=_own(by, votes)
        )
    if ratings is not None and votes is not None:
        scores += joint(
            ratings,
            votes,
            rng=rng,
            confidence=confidence,
            resamples=resamples,
            by=_own(_own(by, ratings), votes),
            weights=weights,
        )
    if (attributions := tables.get("attributions")) is not None:
        scores += _agreement_on_labels(attributions, confidence, _own(by, attributions))
        scores += style(
            attributions,
            home=home,
            rng=rng,
            confidence=confidence,
            resamples=resamples,
            by=_own(by, attributions),
        )
    scores += _gaps(tables, rng, options, home=home, declared=declared)
    if (detections := tables.get("detections")) is not None:
        scores += detection(
            detections,
            rng=rng,
            confidence=confidence,
            resamples=resamples,
            by=_own(by, detections),
        )
    for name in TABLES:
        if name in tables:
            scores += count_rows(tables[name], name)
    return _with_notice(scores, tables)


def agreements(
    ratings: pd.DataFrame,
    *,
    levels: Mapping[str, str] | str = "ordinal",
    confidence: float = 0.95,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return what raters agree on, with each other and, in hidden repeats, with themselves.

    Args:
        ratings: a checked table, as it was read.
        levels: of the criteria; see `agreement`.
        confidence: of the intervals.
        by: columns to slice by, beside the whole.

    Raises:
        RequestError: an unknown level or column.
    """
    scores = agreement(applicable(ratings), levels=levels, confidence=confidence, by=by)
    scores = [*applicability(ratings, confidence, by), *scores]
    for study, slice_, rows in parts(ratings, by):
        scores += repeats(rows, Score(study=study, slice=slice_, confidence=confidence))
    return scores


def _gaps(
    tables: Mapping[str, pd.DataFrame],
    rng: np.random.Generator,
    options: Options,
    *,
    home: str | None,
    declared: Mapping[str, Sequence[str]] | None,
) -> Iterator[Score]:
    """Yield what the language of the prompt changes, in scores and in leaks."""
    told = {**options._asdict(), "declared": declared, "rng": rng}
    if (given := tables.get("ratings")) is not None:
        ratings = applicable(given)
        yield from score_gaps(ratings, **{**told, "by": _own(options.by, ratings)})
    if (attributions := tables.get("attributions")) is not None:
        told["by"] = _own(options.by, attributions)
        yield from leak_gaps(attributions, home=home, **told)


def _own(by: Sequence[str], table: pd.DataFrame) -> list[str]:
    """Return the columns that this table can be sliced by."""
    return [column for column in by if has_values(table, column)]


def _refuse_no_slice(tables: Mapping[str, pd.DataFrame], by: Sequence[str]) -> None:
    """A column by which no table can be sliced would slice nothing unsaid."""
    for column in by:
        if not any(has_values(table, column) for table in tables.values()):
            there = any(column in table for table in tables.values())
            what = "no row has anything in that column" if there else "no table has such a column"
            raise RequestError(f"cannot slice by {column!r}: {what}")


def count_rows(frame: pd.DataFrame, table: str, *, of_models: bool = True) -> list[Score]:
    """Return `rows` per study: the rows of a table (`criterion`), and by use (`group`).

    Args:
        frame: a checked table, as it was read.
        table: its name among `TABLES`.
        of_models: whether scores of models were asked for, to which ratings without a model add
            nothing; for agreement alone they are used like others.

    The groups add up to the whole, which has no group: `used`, `repeats` (for agreement with
    oneself alone), `without_model` (for agreement alone), `not_applicable`, `both_bad` (counted
    apart), `not_distinct` (scenes and works that do not tell traditions apart, in `share_apart`) and
    `foils` (works of traditions that are not compared, there too).
    """
    scores = []
    for study, _, rows in parts(frame):
        first = first_time(rows)
        apart = {"repeats": len(rows) - len(first)}
        if table == "ratings":
            used = applicable(first)
            apart["not_applicable"] = len(first) - len(used)
            if of_models:
                apart["without_model"] = int((used["model"] == "").sum())
        if table == "votes":
            apart["both_bad"] = int((first["winner"] == "both_bad").sum())
        if table in {"attributions", "detections"}:
            apart["foils"] = int((first["diagnosticity"] == FOIL).sum())
        if table == "attributions":
            apart["not_distinct"] = int((~confirmatory(first)).sum()) - apart["foils"]
        counts = {"": len(rows), "used": len(rows) - sum(apart.values()), **apart}
        scores += [
            Score(
                study=study,
                metric="rows",
                criterion=table,
                group=use,
                value=float(count),
                n_values=count,
                method="count",
            )
            for use, count in counts.items()
        ]
    return scores


def _quality(
    ratings: pd.DataFrame,
    rng: np.random.Generator,
    options: Options,
    weights: Mapping[str, float] | None,
) -> Iterator[Score]:
    for study, slice_, rows in parts(first_time(ratings), options.by):
        blank = Score(study=study, slice=slice_, confidence=options.confidence)
        own = stream(rng, "ratings", study, slice_)
        named = rows[rows["model"] != ""]
        means: list[Score] = []
        if len(named):
            means = list(mean_scores(named, blank, own, options.resamples, weights))
            yield from means
        simulated = is_simulated(rows)
        beside = [
            *scale_structure(rows, blank, own, options.resamples),
            *schools(rows, blank, own, options.resamples),
        ]
        yield from say_simulated(beside) if simulated else beside
        for criterion in distinct(rows["criterion"]):
            at = replace(blank, criterion=criterion)
            chosen = rows[rows["criterion"] == criterion]
            yield from rater_scores(chosen, at)
            of = [s for s in means if (s.metric, s.criterion) == (MEAN_SCORE, criterion)]
            yield from ordinal_check(chosen[chosen["model"] != ""], of, at)


def _agreement_on_labels(
    attributions: pd.DataFrame, confidence: float, by: Sequence[str]
) -> list[Score]:
    """Return nominal agreement on the attributions, foils not; the criterion is the aspect."""
    scores: list[Score] = []
    compared = attributions[attributions["diagnosticity"] != FOIL]
    for aspect in ASPECTS:
        chosen = compared[compared["aspect"] == aspect]
        labels = chosen["attribution"].astype("category").cat.codes.astype("float64")
        frame = chosen.assign(criterion=aspect, value=labels, not_applicable="")
        scores += agreement(frame, levels="nominal", confidence=confidence, by=_own(by, frame))
    defined = {"alpha", "alpha_without", "percent_agreement"}
    return [found for found in scores if found.metric in defined]


def _refuse_shared_names(tables: Mapping[str, pd.DataFrame]) -> None:
    """A criterion named like an aspect would give two scores of one name."""
    if {"ratings", "attributions"} <= set(tables):
        shared = [name for name in distinct(tables["ratings"]["criterion"]) if name in ASPECTS]
        if shared:
            raise RequestError(
                f"the ratings have a criterion {shared[0]!r}, which is the name of an aspect of the"
                " attributions: rename the criterion"
            )


def _with_notice(scores: Sequence[Score], tables: Mapping[str, pd.DataFrame]) -> list[Score]:
    """Say "simulated raters" of every score of a study in which any rater was simulated."""
    simulated = {
        study for frame in tables.values() for study, _, rows in parts(frame) if is_simulated(rows)
    }
    return [say_simulated([found])[0] if found.study in simulated else found for found in scores]

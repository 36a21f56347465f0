"""Scores of every kind that a page shows, made up: for what a page does with them, not for measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, combinations_with_replacement

import numpy as np

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.weighting import weight_scores


def rich_scores(
    *,
    models: Sequence[str] = ("a", "b", "c"),
    traditions: Sequence[str] = ("ours", "theirs", "others"),
    criteria: Sequence[str] = ("brush", "form"),
    study: str = "",
    slice_: str = "",
) -> list[Score]:
    """Return scores of one study in which the first model is best and leaks least."""
    blank = Score(study=study, slice=slice_, n_items=10, n_raters=4, n_values=40)

    def made(metric: str, value: float, half: float = 0.1, **columns: str) -> Score:
        low, high = value - half, value + half
        return replace(blank, metric=metric, value=value, low=low, high=high, **columns)

    scores: list[Score] = []
    for place, model in enumerate(models):
        quality = 4.0 - 0.5 * place
        scores += [made("mean_score", quality, criterion=name, model=model) for name in criteria]
        scores += [made("joint_score", quality, criterion=name, model=model) for name in criteria]
        scores += [made("rating_vote_gap", 0.2, criterion=name, model=model) for name in criteria]
        scores += [
            made("language_gap", 0.1, criterion=criteria[0], model=model, group="zh-en"),
            made(
                "language_gap", 0.1, criterion="manner", model=model, group=f"zh-en:{traditions[1]}"
            ),
            made("overall_score", quality, model=model),
            made("strength", 1.0 - place, model=model),
            made("p_first", float(place == 0), model=model),
            made("called_human", 0.3, model=model),
            made("d_prime", 1.0, model=model),
            made("school_gap", 0.4, criterion=criteria[0], model=model, group="painters:critics"),
            made("room_language_gap", 0.3, criterion=criteria[0], model=model, group="zh:en"),
            replace(made("device_seconds", 1.5, model=model), source="run"),
            replace(made("failure_share", 0.01, 0.01, model=model), source="run"),
        ]
        for metric, group in (("mean_score", criteria[0]), ("overall_score", ""), ("", "")):
            rank = replace(blank, metric="rank", criterion=group, model=model, group=metric)
            scores.append(replace(rank, value=1.0 + place, low=1, high=len(models)))
    for one, (model, against) in enumerate(combinations(models, 2)):
        for metric, name in (("mean_score", criteria[0]), ("overall_score", ""), ("", "")):
            columns = {"criterion": name, "model": model, "against": against, "group": metric}
            scores.append(made("ranked_above", float(one == 1), 0.0, **columns))
        for name in criteria:
            columns = {"criterion": name, "model": model, "against": against}
            scores.append(made("score_difference", 0.5, **columns))
        for other in traditions[1:]:
            columns = {"criterion": "manner", "model": model, "against": against, "group": other}
            scores.append(made("leak_difference", -0.2, **columns))
    scores += [made("mean_score", 4.5, criterion=name, model=REFERENCE) for name in criteria]
    scores.append(made("called_human", 0.8, model=REFERENCE))
    scores += _of_raters(blank, criteria)
    scores += _of_manner(blank, models, traditions)
    return scores + ([] if slice_ else weight_scores(scores))


def _of_raters(blank: Score, criteria: Sequence[str]) -> list[Score]:
    scores = [replace(blank, metric="rows", criterion="ratings", value=9.0)]
    scores.append(replace(blank, metric="rows", criterion="ratings", group="used", value=9.0))
    for name in criteria:
        at = replace(blank, criterion=name)
        scores += [
            replace(at, metric="alpha", value=0.7, low=0.6, high=0.8),
            replace(at, metric="icc_2_k", value=0.9),
            replace(at, metric="missing_share", value=0.25),
            replace(at, metric="dif", group="painters:critics", value=0.3, low=0.1, high=0.5),
            replace(at, metric="room_language_dif", group="zh:en", value=0.2, low=0.0, high=0.4),
            *(replace(at, metric="marginal", group=str(v), value=0.2) for v in (10, 9, 1)),
            replace(at, metric="rating_vote_fit", value=0.0004),
        ]
        for rater in range(4):
            group = f"r{rater}"
            scores += [
                replace(at, metric="rater_bias", group=group, value=rater - 1.5),
                replace(at, metric="rater_inconsistency", group=group, value=0.5),
                replace(at, metric="bt500_rejected", group=group, value=float(rater == 3)),
            ]
    for first, second in combinations(criteria, 2):
        at = replace(blank, metric="scale_correlation", criterion=first, group=second)
        scores.append(replace(at, value=0.6, low=0.5, high=0.7))
    return [*scores, replace(blank, metric="first_factor_share", value=0.8)]


def _of_manner(blank: Score, models: Sequence[str], traditions: Sequence[str]) -> list[Score]:
    labels = [*traditions, "other", "cannot_tell"]
    manner = replace(blank, criterion="manner")
    scores: list[Score] = []
    for model in [*models, REFERENCE]:
        for asked in [*traditions, *([] if model == REFERENCE else [NEUTRAL])]:
            near = 0.9 if model == REFERENCE else 0.6
            shares = {label: (1 - near) / (len(labels) - 1) for label in labels}
            shares[asked if asked != NEUTRAL else traditions[0]] = near
            spread = (np.diag(list(shares.values())) - np.outer(*[list(shares.values())] * 2)) / 50
            at = replace(manner, model=model)
            scores += [
                replace(at, metric="attribution_share", group=f"{asked}:{label}", value=share)
                for label, share in shares.items()
            ]
            for one, two in combinations_with_replacement(range(len(labels)), 2):
                group = f"{asked}:{labels[one]}:{labels[two]}"
                value = float(spread[one, two])
                scores.append(replace(at, metric="share_covariance", group=group, value=value))
        if model != REFERENCE:
            for other in traditions[1:]:
                at = replace(manner, model=model, group=other, value=0.1, low=0.0, high=0.2)
                scores += [replace(at, metric=metric) for metric in ("raw_leak", "excess_leak")]
    scores += [
        replace(manner, metric="share_apart", model=model, group=f"hybrid:{traditions[0]}:{label}")
        for model in (models[0], REFERENCE)
        for label in labels
    ]
    mixed = replace(manner, metric="hybrid_position", model=REFERENCE, group=traditions[1])
    scores += (
        [
            replace(mixed, value=0.4, low=0.2, high=0.6),
            replace(mixed, group=traditions[2], value=-0.2, low=-0.3, high=-0.1),
        ]
        if len(traditions) > 2
        else []
    )
    scores += [
        replace(manner, metric="discrimination", group=other, value=0.8, low=0.7, high=0.9)
        for other in traditions[1:]
    ]
    return scores

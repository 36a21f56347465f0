"""What a page shows of one study: its scores, found again by what they speak of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.costs import FROM_RUN
from leaderboard.selection import SIMULATED_RATERS
from leaderboard.tables import ASPECTS, CANNOT_TELL, OTHER
from leaderboard.weighting import (
    DECLARED,
    FROM_STUDY,
    OVERALL,
    WEIGHT,
    equal_weights,
    weighted_mean,
)

Labels = Mapping[str, Mapping[str, str]]
"""Id of a criterion, tradition or model → language → what is shown."""

HEADLINE_ASPECT = ASPECTS[0]


@dataclass(frozen=True, slots=True)
class Board:
    """The scores of one study, whole or in one slice, and the order in which things are shown."""

    study: str
    scores: Sequence[Score]
    index: Mapping[tuple[str, ...], Score]
    """By metric, criterion, model, against and group."""
    models: Sequence[str]
    """Best first; references are none of them."""
    criteria: Sequence[str]
    weights: Mapping[str, float]
    """Of the criteria, summing to 1."""
    declared: bool
    """Whether the weights were declared; otherwise they are equal."""
    home: str
    others: Sequence[str]
    """The traditions other than home."""
    labels: Sequence[str]
    """Of attributions: home, the others, declared ones, `other`, `cannot_tell`."""
    simulated: bool
    of_answers: bool
    """Whether raters read what models say of works, and looked at no pictures by models; a slice is
    of what the whole study is."""
    slice: str = ""

    def find(self, metric: str, **columns: str) -> Score | None:
        """Return the score with this metric and these columns; the others are empty."""
        names = ("criterion", "model", "against", "group")
        return self.index.get((metric, *(columns.get(name, "") for name in names)))

    def all_of(self, metric: str) -> list[Score]:
        """Return the scores of one metric in the order of the table."""
        return [score for score in self.scores if score.metric == metric]

    def text(self, key: str) -> str:
        """Return the key of a text as it suits what was judged: pictures, or texts about works."""
        return f"{key}_of_answers" if self.of_answers else key

    def overall(self, model: str) -> Score | None:
        """Return the weighted mean of a model's criteria, computed here where no row has it.

        None where there is one criterion or none, and so nothing to weigh.
        """
        if len(self.criteria) < 2:
            return None
        found = self.find(OVERALL, model=model)
        means = {
            name: self.find("mean_score", criterion=name, model=model) for name in self.criteria
        }
        return found or weighted_mean(means, self.weights, model)


def boards(scores: Sequence[Score], order: Sequence[str] = (), slice_: str = "") -> list[Board]:
    """Return one board per study, in the order of their names.

    What raters said and what the runs cost is taken, of the whole or of one slice; criteria come
    as in `order`, the rest after them by name.
    """
    chosen = [
        score
        for score in scores
        if score.source in {"raters", FROM_RUN, FROM_STUDY}
        and (score.slice == slice_ or score.metric == WEIGHT)
    ]
    judged = {score.study for score in chosen if score.source != FROM_RUN}
    answers = {score.study for score in scores if score.metric == "marked_per_1000"}
    # of a run that probes alone looked at there is nothing to say of raters
    probed = {score.study for score in scores if score.source in {"probe", "judge"}} - judged
    return [
        _board(
            study,
            [score for score in chosen if score.study == study],
            order,
            slice_,
            of_answers=study in answers,
        )
        for study in sorted({score.study for score in chosen if score.metric != WEIGHT} - probed)
    ]


def _board(
    study: str, scores: Sequence[Score], order: Sequence[str], slice_: str, *, of_answers: bool
) -> Board:
    found = _unique(s.criterion for s in scores if s.metric == "mean_score")
    criteria = [*(c for c in order if c in found), *(c for c in found if c not in order)]
    leaks = [s for s in scores if s.metric == "raw_leak"]
    others = _unique(s.group for s in leaks)
    shares = [s.group.partition(":") for s in scores if s.metric == "attribution_share"]
    home = next((asked for asked, _, _ in shares if asked not in {*others, NEUTRAL}), "")
    seen = _unique(label for _, _, label in shares)
    declared = [label for label in seen if label not in {home, *others, OTHER, CANNOT_TELL}]
    models = [
        m
        for m in _unique(m for s in scores for m in (s.model, s.against))
        if m not in {"", REFERENCE}
    ]
    told = {s.criterion: s for s in scores if s.metric == WEIGHT}
    weights = {name: told[name].value for name in criteria if name in told}
    if set(weights) != set(criteria):
        weights = equal_weights(criteria)
    board = Board(
        study=study,
        scores=scores,
        index={(s.metric, s.criterion, s.model, s.against, s.group): s for s in scores},
        models=models,
        criteria=criteria,
        weights=weights,
        declared=any(score.method == DECLARED for score in told.values()),
        home=home,
        others=others,
        labels=[home, *others, *declared, OTHER, CANNOT_TELL],
        simulated=any(SIMULATED_RATERS in score.method for score in scores),
        of_answers=of_answers,
        slice=slice_,
    )
    return replace(board, models=_ordered(board))


def _ordered(board: Board) -> list[str]:
    """Order by the weighted mean of the criteria; by strength without ratings; then by name."""

    def height(score: Score | None) -> float:
        return score.value if score and math.isfinite(score.value) else -math.inf

    def place(model: str) -> tuple[float, float, str]:
        mean = board.overall(model) or board.find(
            "mean_score", criterion="".join(board.criteria), model=model
        )
        strength = next((s for s in board.all_of("strength") if s.model == model), None)
        return -height(mean), -height(strength), model

    return sorted(board.models, key=place)


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))

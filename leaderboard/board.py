"""What a page shows of one study: its scores, found again by what they speak of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.selection import SIMULATED_RATERS
from leaderboard.tables import ASPECTS, CANNOT_TELL, OTHER

Labels = Mapping[str, Mapping[str, str]]
"""Id of a criterion, tradition or model → language → what is shown."""

HEADLINE_ASPECT = ASPECTS[0]


@dataclass(frozen=True, slots=True)
class Board:
    """The scores of one study without slices, and the order in which things are shown."""

    study: str
    scores: Sequence[Score]
    index: Mapping[tuple[str, ...], Score]
    """By metric, criterion, model, against and group."""
    models: Sequence[str]
    """Best first; references are none of them."""
    criteria: Sequence[str]
    home: str
    others: Sequence[str]
    """The traditions other than home."""
    labels: Sequence[str]
    """Of attributions: home, the others, declared ones, `other`, `cannot_tell`."""
    simulated: bool

    def find(self, metric: str, **columns: str) -> Score | None:
        """Return the score with this metric and these columns; the others are empty."""
        names = ("criterion", "model", "against", "group")
        return self.index.get((metric, *(columns.get(name, "") for name in names)))

    def all_of(self, metric: str) -> list[Score]:
        """Return the scores of one metric in the order of the table."""
        return [score for score in self.scores if score.metric == metric]


def boards(scores: Sequence[Score], order: Sequence[str] = ()) -> list[Board]:
    """Return one board per study, in the order of their names.

    Only what raters said of the whole is taken, not slices; criteria come as in `order`, the
    rest after them by name.
    """
    whole = [score for score in scores if not score.slice and score.source == "raters"]
    return [
        _board(study, [score for score in whole if score.study == study], order)
        for study in sorted({score.study for score in whole})
    ]


def _board(study: str, scores: Sequence[Score], order: Sequence[str]) -> Board:
    found = _unique(s.criterion for s in scores if s.metric == "mean_score")
    criteria = [*(c for c in order if c in found), *(c for c in found if c not in order)]
    leaks = [s for s in scores if s.metric == "raw_leak"]
    others = _unique(s.group for s in leaks)
    shares = [s.group.partition(":") for s in scores if s.metric == "attribution_share"]
    home = next((asked for asked, _, _ in shares if asked not in {*others, NEUTRAL}), "")
    seen = _unique(label for _, _, label in shares)
    declared = [label for label in seen if label not in {home, *others, OTHER, CANNOT_TELL}]
    models = [m for m in _unique(s.model for s in scores) if m not in {"", REFERENCE}]
    return Board(
        study=study,
        scores=scores,
        index={(s.metric, s.criterion, s.model, s.against, s.group): s for s in scores},
        models=_ordered(models, scores),
        criteria=criteria,
        home=home,
        others=others,
        labels=[home, *others, *declared, OTHER, CANNOT_TELL],
        simulated=any(SIMULATED_RATERS in score.method for score in scores),
    )


def _ordered(models: Sequence[str], scores: Sequence[Score]) -> list[str]:
    """Order by the plain mean of the criteria; by strength without ratings; then by name."""

    def height(model: str, metric: str) -> float:
        values = [
            score.value
            for score in scores
            if score.metric == metric and score.model == model and math.isfinite(score.value)
        ]
        return sum(values) / len(values) if values else -math.inf

    return sorted(models, key=lambda m: (-height(m, "mean_score"), -height(m, "strength"), m))


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))

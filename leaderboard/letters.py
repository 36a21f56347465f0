"""Significance letters: a compact display of which models differ.

Two models share a letter if and only if their difference is not significant. "Not different" is not
transitive, so a model may bear several letters and nobody is put into tiers.
"""

from __future__ import annotations

import math
import string
from collections.abc import Collection, Iterator, Sequence
from itertools import count

from leaderboard.board import Board

_ALPHABET = string.ascii_lowercase + string.ascii_uppercase


def letters_of(board: Board, criterion: str, of: str = "mean_score") -> dict[str, str]:
    """Return each model's significance letters on a criterion.

    Which models differ is what the simultaneous ranks rest on, so that letters and ranks never
    contradict each other. Empty where the scores do not say it.

    Args:
        board: the scores.
        criterion: of the means or votes; empty for the overall score.
        of: the `group` of the ranks: a metric's name, empty for votes.
    """
    pairs = [
        score
        for score in board.all_of("ranked_above")
        if (score.criterion, score.group) == (criterion, of)
    ]
    different = {frozenset((score.model, score.against)) for score in pairs if score.value}
    places = {model: place for place, model in enumerate(board.models)}
    models = {model for score in pairs for model in (score.model, score.against)}

    def height(model: str) -> tuple[float, float]:
        found = board.find("rank", criterion=criterion, model=model, group=of)
        ranked = found is not None and math.isfinite(found.value)
        return (found.value if found and ranked else math.inf, places[model])

    return letters(sorted(models, key=height), different) if models else {}


def letters(order: Sequence[str], different: Collection[frozenset[str]]) -> dict[str, str]:
    """Return the letters of each model: insert and absorb (Piepho 2004, J. Comput. Graph. Stat. 13).

    Args:
        order: the models, best first, so that the best bears "a".
        different: pairs whose difference is significant; all other pairs share a letter.
    """
    place = {model: index for index, model in enumerate(order)}

    def places(models: frozenset[str]) -> list[int]:
        return sorted(place[model] for model in models)

    groups = [frozenset(order)]
    for pair in sorted(different, key=places):
        kept = [group for group in groups if not pair <= group]
        split = dict.fromkeys(
            group - {model} for group in groups if pair <= group for model in pair
        )
        others = [*kept, *split]
        groups = kept + [
            group
            for group in split
            if group not in kept and not any(group < other for other in others)
        ]
    groups.sort(key=places)
    signs = dict(zip(groups, _signs(), strict=False))
    return {
        model: "".join(sign for group, sign in signs.items() if model in group) for model in order
    }


def _signs() -> Iterator[str]:
    """Yield a to Z, then a2, b2 and so on."""
    yield from _ALPHABET
    for number in count(2):
        yield from (f"{letter}{number}" for letter in _ALPHABET)

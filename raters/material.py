"""From candidates to the items and pairs that a design deals out, under opaque codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from bench.records import Rubric
from raters.config import StudyFile
from raters.sources import Candidate
from raters.tasks import Item, Pair


def items_of(
    candidates: Sequence[Candidate],
    names: Sequence[str],
    scaled: Sequence[bool],
    naming: np.random.Generator,
) -> list[Item]:
    """Return the single item of every candidate, in their order; `scaled` ones have scales."""
    scenes = _codes([_scene(candidate) for candidate in candidates], naming)
    makers = _codes([candidate.model for candidate in candidates], naming)
    targets = _codes([candidate.target for candidate in candidates], naming)
    return [
        Item(
            id=name,
            scene=scenes[_scene(candidate)],
            maker=makers[candidate.model],
            asked=targets[candidate.target],
            reference=candidate.kind != "output",
            scaled=has_scales,
        )
        for candidate, name, has_scales in zip(candidates, names, scaled, strict=True)
    ]


def _scene(candidate: Candidate) -> str:
    return f"{candidate.key['suite']}/{candidate.scene}"


def _codes(values: Sequence[str], naming: np.random.Generator) -> dict[str, str]:
    """Return an opaque code for every value: a number that says nothing of it."""
    known = sorted(set(values))
    return {
        value: str(code) for value, code in zip(known, naming.permutation(len(known)), strict=True)
    }


def pairs_of(
    candidates: Sequence[Candidate], items: Sequence[Item], file: StudyFile, home: str
) -> list[Pair]:
    """Pair the outputs of two models of one scene, target and language, seed by seed in order.

    Where the scales are asked of some scenes only, the pairs are of those.
    """
    targets = set((file.pairs and file.pairs.targets) or [home])
    few = file.scales.scenes is not None
    cells: dict[tuple[str, ...], dict[str, list[tuple[int, Item]]]] = defaultdict(dict)
    for candidate, item in zip(candidates, items, strict=True):
        if candidate.kind == "output" and candidate.target in targets and (item.scaled or not few):
            key = candidate.key
            cell = (key["suite"], candidate.scene, candidate.target, key["language"])
            cells[cell].setdefault(item.maker, []).append((key["seed"], item))
    pairs = []
    for makers in cells.values():
        for one, other in combinations(sorted(makers), 2):
            mine, theirs = (
                sorted(makers[maker], key=lambda pair: pair[0]) for maker in (one, other)
            )
            pairs += [
                Pair(first.id, second.id, first.scene, (one, other))
                for (_, first), (_, second) in zip(
                    mine, theirs, strict=False
                )  # the shorter decides
            ]
    return pairs


def scales_for(candidate: Candidate, rubric: Rubric) -> list[str]:
    """Return the ids of the scales that a rubric asks of a picture of this genre.

    A scale that names no genres is asked of all; where the picture's genre is not known, all are.
    """
    genre = candidate.key["genre"]
    return [
        scale.id
        for scale in rubric.scales
        if not genre or not scale.applies_to or genre in scale.applies_to
    ]

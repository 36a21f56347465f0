"""A plan checked before anyone starts: counts, balance, connectivity, and what two losses cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from raters.tasks import SINGLES, Block, Item, Pair, Rules, Task, seconds_of

FIRST_LOOKS = (*SINGLES, "repeat")


def checked(
    planned: Sequence[Block], items: Sequence[Item], pairs: Sequence[Pair], rules: Rules
) -> dict[str, Any]:
    """Return what a plan holds, each span as [least, most].

    `raters_differ_by` says by how much two raters' numbers of outputs of one model, target or scene
    differ at the most, and of references of one tradition; `sides` is the largest surplus of one
    side; `carry_over` how often one model came right after another one, 1 being chance; `twice` how
    often a scene came again within a session; `repeats_apart` how many sessions a hidden repeat
    comes after its first time, at the least; `without_two_raters` the worst that is left when any
    two raters drop out. What a study has no task for is None.
    """
    by_id = {item.id: item for item in items}
    own = [[by_id[task.stimuli[0]] for task in block if _counts(task)] for block in planned]
    judged = _judges(planned)
    anchors = {item.id for item in items if item.anchor}
    return {
        "raters_per_item": _span(
            len(judged[item.id]) for item in items if any(own) and item.id not in anchors
        ),
        "anchors": len(anchors) if any(own) else None,
        "raters_per_anchor": _span(len(judged[name]) for name in anchors),
        "raters_per_scaled_item": _span(_scale_counts(planned, items)),
        "items_per_rater": _span(len(block) for block in own if any(own)),
        "raters_differ_by": {
            "of_a_model": _difference(own, lambda item: item.maker),
            "of_a_target": _difference(own, lambda item: item.asked),
            "of_a_scene": _difference(own, lambda item: item.scene),
            "references_of_a_tradition": _difference(own, lambda item: item.asked, references=True),
        },
        "share_of_references_in_a_session": _share_span(planned, by_id),
        "items_shared_by_two_raters": _shared(own),
        "votes_per_pair": _span(_votes(planned, pairs).values()),
        "sides": _side_surplus(planned, pairs),
        "carry_over": _carry_over(planned, by_id),
        "twice": _scenes_twice(planned, by_id, singles=any(own), pairs=bool(pairs)),
        "repeats_apart": _repeats_apart(planned),
        "session_minutes": _session_minutes(planned, rules),
        "pairs_connected": _connects(pairs, [pair.makers for pair in pairs]),
        "without_two_raters": _without_two(planned, items, pairs),
    }


def connected(vertices: Iterable[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> bool:
    """Tell whether every vertex can be reached from every other."""
    parent = {vertex: vertex for vertex in vertices}

    def root(vertex: Hashable) -> Hashable:
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    for one, other in edges:
        parent[root(one)] = root(other)
    return len({root(vertex) for vertex in parent}) <= 1


def _connects(pairs: Sequence[Pair], edges: Iterable[tuple[str, str]]) -> bool | None:
    """Tell whether edges connect all makers that are paired, None where nothing is."""
    return connected(_makers(pairs), edges) if pairs else None


def _counts(task: Task) -> bool:
    return task.kind in SINGLES


def _span(values: Iterable[float]) -> list[float] | None:
    found = list(values)
    return [min(found), max(found)] if found else None


def _judges(planned: Sequence[Block]) -> dict[str, set[int]]:
    judges: dict[str, set[int]] = defaultdict(set)
    for rater, block in enumerate(planned):
        for task in block:
            if _counts(task):
                judges[task.stimuli[0]].add(rater)
    return judges


def _scale_counts(planned: Sequence[Block], items: Sequence[Item]) -> list[int]:
    rated = Counter(
        task.stimuli[0] for block in planned for task in block if _counts(task) and task.scales
    )
    return [rated[item.id] for item in items if item.scaled and not item.anchor]


def _difference(
    own: Sequence[Sequence[Item]], kind: Callable[[Item], str], *, references: bool = False
) -> int | None:
    """Return by how much two raters' numbers of items of one kind differ at the most."""
    kinds = {kind(item) for block in own for item in block if item.reference == references}
    counts = [
        Counter(kind(item) for item in block if item.reference == references) for block in own
    ]
    return max(
        (max(c[one] for c in counts) - min(c[one] for c in counts) for one in kinds), default=None
    )


def _share_span(planned: Sequence[Block], by_id: Mapping[str, Item]) -> list[float] | None:
    """Return the least and the most share of references among a session's first judgements.

    Sessions of fewer than ten are left out where there are longer ones: theirs says little.
    """
    sessions: list[list[bool]] = []
    for block in planned:
        kinds: dict[int, list[bool]] = defaultdict(list)
        for task in block:
            if _counts(task):
                kinds[task.session].append(by_id[task.stimuli[0]].reference)
        sessions += kinds.values()
    long = [own for own in sessions if len(own) >= 10] or sessions
    return _span(round(sum(own) / len(own), 3) for own in long)


def _shared(own: Sequence[Sequence[Item]]) -> list[float] | None:
    held = [{item.id for item in block} for block in own if any(own)]
    return _span(len(one & other) for one, other in combinations(held, 2))


def _votes(planned: Sequence[Block], pairs: Sequence[Pair]) -> dict[frozenset[str], int]:
    votes = Counter(
        frozenset(task.stimuli) for block in planned for task in block if task.kind == "pair"
    )
    return {frozenset((p.first, p.second)): votes[frozenset((p.first, p.second))] for p in pairs}


def _side_surplus(planned: Sequence[Block], pairs: Sequence[Pair]) -> int | None:
    """Return the largest surplus of a side, of any pair, and of any rater and two makers."""
    of = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    surplus: Counter[Hashable] = Counter()
    for rater, block in enumerate(planned):
        for task in block:
            if task.kind == "pair":
                pair = of[frozenset(task.stimuli)]
                step = 1 if task.stimuli[0] == pair.first else -1
                surplus[pair.first, pair.second] += step
                surplus[rater, pair.makers] += step
    return max((abs(value) for value in surplus.values()), default=None)


def _carry_over(planned: Sequence[Block], by_id: Mapping[str, Item]) -> list[float] | None:
    """Return the least and the most that one model came right after another, as shares of chance.

    By chance, what follows a model is another one in proportion to how often that one follows any.
    """
    after: Counter[tuple[str, str]] = Counter()
    for block in planned:
        looks = [task for task in block if task.kind in FIRST_LOOKS]
        for task, following in pairwise(looks):
            pair = by_id[task.stimuli[0]].maker, by_id[following.stimuli[0]].maker
            if task.session == following.session and pair[0] != pair[1]:
                after[pair] += 1
    first, second = Counter[str](), Counter[str]()
    for (one, other), count in after.items():
        first[one] += count
        second[other] += count
    makers = sorted({item.maker for item in by_id.values() if not item.reference})
    ratios = []
    for one in makers:
        for other in makers:
            chance = first[one] * second[other] / max(second.total() - second[one], 1)
            if one != other and chance:
                ratios.append(round(after[one, other] / chance, 2))
    return _span(ratios)


def _scenes_twice(
    planned: Sequence[Block], by_id: Mapping[str, Item], *, singles: bool, pairs: bool
) -> dict[str, int | None]:
    def twice(kinds: Sequence[str]) -> int:
        return sum(
            count - 1
            for block in planned
            for count in Counter(
                (task.session, by_id[task.stimuli[0]].scene) for task in block if task.kind in kinds
            ).values()
        )

    return {
        "singles": twice((*FIRST_LOOKS, "warm_up", "attention")) if singles else None,
        "pairs": twice(("pair",)) if pairs else None,
    }


def _repeats_apart(planned: Sequence[Block]) -> int | None:
    gaps = []
    for block in planned:
        first = {task.stimuli[0]: task.session for task in block if _counts(task)}
        gaps += [task.session - first[task.stimuli[0]] for task in block if task.kind == "repeat"]
    return min(gaps, default=None)


def _session_minutes(planned: Sequence[Block], rules: Rules) -> list[float] | None:
    minutes = []
    for block in planned:
        for number in {task.session for task in block}:
            own = [task for task in block if task.session == number]
            minutes.append(round(seconds_of(own, rules) / 60, 1))
    return _span(minutes)


def _makers(pairs: Sequence[Pair]) -> set[str]:
    return {maker for pair in pairs for maker in pair.makers}


def _without_two(
    planned: Sequence[Block], items: Sequence[Item], pairs: Sequence[Pair]
) -> dict[str, Any]:
    """Return the worst that is left of the plan when any two raters drop out."""
    number = {item.id: place for place, item in enumerate(items)}
    judged = np.zeros((len(planned), len(items)), int)
    for name, raters in _judges(planned).items():
        judged[list(raters), number[name]] = 1
    of = {frozenset((pair.first, pair.second)): pair.makers for pair in pairs}
    place = {pair: index for index, pair in enumerate(of)}
    voted = np.zeros((len(planned), len(of)), int)
    for rater, block in enumerate(planned):
        for task in block:
            if task.kind == "pair":
                voted[rater, place[frozenset(task.stimuli)]] += 1
    shown = [[pair for pair, index in place.items() if row[index]] for row in voted]
    edges = [{of[pair] for pair in own} for own in shown]
    singles = bool(judged.any())
    # where nothing is looked at singly, raters meet in what they compare
    held: list[set[Hashable]] = [
        set(np.flatnonzero(row)) if singles else {name for pair in own for name in pair}
        for row, own in zip(judged, shown, strict=True)
    ]
    votes = voted.sum(axis=0)
    total, least, fewest, linked = judged.sum(axis=0), len(planned), len(planned), True
    whole: bool | None = True if pairs else None
    for one, other in combinations(range(len(planned)), 2):
        left = total - judged[one] - judged[other]
        least = min(least, int(left.min(initial=len(planned))))
        kept = votes - voted[one] - voted[other]
        fewest = min(fewest, int(kept.min(initial=len(planned))))
        rest = [rater for rater in range(len(planned)) if rater not in {one, other}]
        whole = whole and _connects(pairs, [edge for rater in rest for edge in edges[rater]])
        linked = linked and connected(
            rest, [pair for pair in combinations(rest, 2) if held[pair[0]] & held[pair[1]]]
        )
    return {
        "raters_per_item": least if singles else None,
        "votes_per_pair": fewest if pairs else None,
        "pairs_connected": whole,
        "raters_connected": linked,
    }

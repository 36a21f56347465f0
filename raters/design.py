"""Who sees what, in which order and on which side: pure functions of items and a generator.

A block is what one rater is given. Single items (references among them) come first and pairs
after them, because a pair shows the scene's text, and whoever has read it would no longer judge
the picture alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.records import AssignmentKind


@dataclass(frozen=True, slots=True)
class Item:
    """A single picture. `maker` and `asked` are opaque codes of its model and its target."""

    id: str
    scene: str
    maker: str
    asked: str
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures of one scene by two makers; `first` and `second` say nothing of sides."""

    first: str
    second: str
    scene: str
    makers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that a rater is asked; for a pair `stimuli` is left, then right."""

    kind: AssignmentKind
    stimuli: tuple[str, ...]


Block = list[Task]


def blocks(
    items: Sequence[Item],
    pairs: Sequence[Pair],
    *,
    raters: int,
    raters_per_item: int,
    votes_per_pair: int,
    rng: np.random.Generator,
) -> list[Block]:
    """Return one block per planned rater.

    Every item has `raters_per_item` raters and every pair `votes_per_pair`. Raters' numbers of
    singles differ by one at most, and so do their numbers of pairs. For every pair, and for every
    rater and two makers, the sides differ by one at most.
    """
    of_item = spread(
        [(item.maker, item.asked) for item in items],
        [item.scene for item in items],
        raters=raters,
        each=raters_per_item,
        rng=rng,
    )
    of_pair = spread(
        [pair.makers for pair in pairs],
        [pair.scene for pair in pairs],
        raters=raters,
        each=votes_per_pair,
        rng=rng,
    )
    edges = [(rater, index) for index, chosen in enumerate(of_pair) for rater in chosen]
    first_left = sides(
        [((rater, pairs[index].makers), index) for rater, index in edges],
        rng,
    )
    given_items: list[list[Item]] = [[] for _ in range(raters)]
    for item, chosen in zip(items, of_item, strict=True):
        for rater in chosen:
            given_items[rater].append(item)
    given_pairs: list[list[tuple[Pair, bool]]] = [[] for _ in range(raters)]
    for (rater, index), left in zip(edges, first_left, strict=True):
        given_pairs[rater].append((pairs[index], left))
    return [
        in_order(own_items, own_pairs, rng)
        for own_items, own_pairs in zip(given_items, given_pairs, strict=True)
    ]


def further_block(
    items: Sequence[Item],
    pairs: Sequence[Pair],
    judged: Mapping[str, int],
    votes: Mapping[tuple[str, str], int],
    *,
    singles: int,
    duels: int,
    rng: np.random.Generator,
) -> Block:
    """Return a block for one rater beyond the plan: the least judged first, in the plan's shares.

    Args:
        items: all single items of the study.
        pairs: all pairs of the study.
        judged: how often each item was judged or given away so far; missing means never.
        votes: the same by (left, right).
        singles: how many single items the block holds, at most.
        duels: how many pairs the block holds, at most.
        rng: decides ties and order.
    """
    chosen_items = [
        items[index]
        for index in least_first(
            [(item.maker, item.asked) for item in items],
            [judged.get(item.id, 0) for item in items],
            singles,
            rng,
        )
    ]
    lefts = [votes.get((pair.first, pair.second), 0) for pair in pairs]
    rights = [votes.get((pair.second, pair.first), 0) for pair in pairs]
    chosen = least_first(
        [pair.makers for pair in pairs],
        [left + right for left, right in zip(lefts, rights, strict=True)],
        duels,
        rng,
    )
    own: Counter[tuple[str, str]] = Counter()
    chosen_pairs = []
    for index in chosen:
        makers = pairs[index].makers
        behind = lefts[index] - rights[index] or own[makers]
        left = behind < 0 if behind else bool(rng.integers(2))
        own[makers] += 1 if left else -1
        chosen_pairs.append((pairs[index], left))
    return in_order(chosen_items, chosen_pairs, rng)


def spread(
    cells: Sequence[Hashable],
    scenes: Sequence[str],
    *,
    raters: int,
    each: int,
    rng: np.random.Generator,
) -> list[list[int]]:
    """Return for every item the `each` raters (0 to raters - 1) who judge it.

    Items are dealt cell by cell to the raters with the least load, so loads in
    all stay within one of each other, and within a cell nearly so; among equals those go first who have seen the scene least.
    """
    if not scenes:
        return []
    if not 1 <= each <= raters:
        raise ValueError(f"{each} raters for each item out of {raters} cannot be")
    load = np.zeros(raters)
    seen: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(raters))
    result: list[list[int]] = [[] for _ in cells]
    for index in _cell_by_cell(cells, rng):
        scene = seen[scenes[index]]
        order = np.lexsort((rng.random(raters), scene, load))
        chosen = order[:each]
        load[chosen] += 1
        scene[chosen] += 1
        result[index] = sorted(int(rater) for rater in chosen)
    return result


def sides(edges: Sequence[tuple[Hashable, Hashable]], rng: np.random.Generator) -> list[bool]:
    """Give every edge of a bipartite graph a side, balanced within one at every vertex.

    Vertices of odd degree are tied to one extra vertex, so that all degrees are even; the edges
    then fall into closed walks, and walking along an edge from its first end to its second, or
    back, is its side. Every vertex is entered as often as it is left.
    """
    ends: list[tuple[Hashable, Hashable]] = [(("a", a), ("b", b)) for a, b in edges]
    degree = Counter(vertex for edge in ends for vertex in edge)
    ends += [(vertex, "extra") for vertex, count in degree.items() if count % 2]
    at: dict[Hashable, list[int]] = defaultdict(list)
    for index in rng.permutation(len(ends)):
        for vertex in ends[index]:
            at[vertex].append(int(index))
    used: set[int] = set()
    forward = [False] * len(ends)
    for start in list(at):
        while walk := _closed_walk(start, ends, at, used):
            turned = bool(rng.integers(2))
            for index, along in walk:
                forward[index] = along != turned
    return forward[: len(edges)]


def apart(scenes: Sequence[str], rng: np.random.Generator, after: str = "") -> list[int]:
    """Return a random order of the indices in which equal scenes are not neighbours, where possible.

    `after` is the scene that came before the first.
    """
    waiting: dict[str, list[int]] = defaultdict(list)
    for index in rng.permutation(len(scenes)):
        waiting[scenes[index]].append(int(index))
    order: list[int] = []
    last = after
    while waiting:
        left = sum(len(indices) for indices in waiting.values())
        fullest = max(waiting, key=lambda scene: len(waiting[scene]))
        if 2 * len(waiting[fullest]) > left and fullest != last:
            scene = fullest  # put off any longer, it would end up beside itself
        else:
            free = [scene for scene in waiting if scene != last] or list(waiting)
            weights = np.array([len(waiting[scene]) for scene in free], dtype=float)
            scene = free[int(rng.choice(len(free), p=weights / weights.sum()))]
        order.append(waiting[scene].pop())
        if not waiting[scene]:
            del waiting[scene]
        last = scene
    return order


def in_order(
    items: Sequence[Item], pairs: Sequence[tuple[Pair, bool]], rng: np.random.Generator
) -> Block:
    """Return one rater's block: singles with references spread evenly among them, then pairs."""
    outputs = [item for item in items if not item.reference]
    references = [item for item in items if item.reference]
    outputs = [outputs[index] for index in apart([item.scene for item in outputs], rng)]
    references = [references[index] for index in rng.permutation(len(references))]
    singles = _interleave(outputs, references, rng)
    tasks = [Task("reference" if item.reference else "single", (item.id,)) for item in singles]
    last = singles[-1].scene if singles else ""
    for index in apart([pair.scene for pair, _ in pairs], rng, after=last):
        pair, first_left = pairs[index]
        shown = (pair.first, pair.second) if first_left else (pair.second, pair.first)
        tasks.append(Task("pair", shown))
    return tasks


def least_first(
    cells: Sequence[Hashable], counts: Sequence[int], size: int, rng: np.random.Generator
) -> list[int]:
    """Return `size` indices: from every cell its share, and within a cell the lowest counts."""
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index in rng.permutation(len(cells)):
        members[cells[index]].append(int(index))
    for indices in members.values():
        indices.sort(key=lambda index: counts[index])
    # an item's place within its cell, as a share of the cell: the lowest places of all are taken
    place = {
        index: ((rank + float(rng.random())) / len(indices), counts[index])
        for indices in members.values()
        for rank, index in enumerate(indices)
    }
    return sorted(place, key=lambda index: place[index])[:size]


def _closed_walk(
    start: Hashable,
    ends: Sequence[tuple[Hashable, Hashable]],
    at: Mapping[Hashable, list[int]],
    used: set[int],
) -> list[tuple[int, bool]]:
    """Walk unused edges from `start` until stuck, which with even degrees is at `start` again."""
    walk: list[tuple[int, bool]] = []
    vertex = start
    while at[vertex]:
        index = at[vertex].pop()
        if index in used:
            continue
        used.add(index)
        along = ends[index][0] == vertex
        walk.append((index, along))
        vertex = ends[index][1] if along else ends[index][0]
    return walk


def _cell_by_cell(cells: Sequence[Hashable], rng: np.random.Generator) -> list[int]:
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index in rng.permutation(len(cells)):
        members[cells[index]].append(int(index))
    groups = list(members.values())
    return [index for group in rng.permutation(len(groups)) for index in groups[group]]


def _interleave(
    outputs: Sequence[Item], references: Sequence[Item], rng: np.random.Generator
) -> list[Item]:
    total, count = len(outputs) + len(references), len(references)
    # the block is cut into as many stretches as there are references: one at random in each
    places = {
        int(rng.integers(number * total // count, (number + 1) * total // count)): reference
        for number, reference in enumerate(references)
    }
    rest = iter(outputs)
    return [places[place] if place in places else next(rest) for place in range(total)]

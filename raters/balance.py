"""Balance: which rater gets which item, on which side a pair stands, who comes first of equals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Traits = tuple[Hashable, ...]
"""What an item counts for in the balance, such as its model, its target, and both together."""

_PASSES = 3


def spread(
    traits: Sequence[Traits],
    scenes: Sequence[str],
    *,
    raters: int,
    each: Sequence[int],
    rng: np.random.Generator,
) -> list[list[int]]:
    """Return for every item the raters (0 to `raters` - 1) who judge it, `each` of them.

    Raters' numbers of items differ by one at most, and so do their numbers of items of one scene.
    Their numbers of items of one trait are brought as close as exchanges between two raters can.

    Args:
        traits: what every item counts for.
        scenes: the scene of every item.
        raters: how many raters there are.
        each: how many raters judge each item.
        rng: decides ties.

    Raises:
        ValueError: an item would need more raters than there are.
    """
    if not scenes:
        return []
    if not 1 <= min(each) <= max(each) <= raters:
        raise ValueError(f"{max(each)} raters for each item out of {raters} cannot be")
    scene_of = numbered(scenes)
    given = _dealt(traits, scene_of, raters=raters, each=each, rng=rng)
    _level(given, scene_of, rng)
    exchange(given, scene_of, marked(traits), shares=np.full(raters, 1 / raters))
    return [sorted(map(int, np.flatnonzero(given[:, item]))) for item in range(len(scenes))]


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


def numbered(scenes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a number for every scene, the same for equal ones."""
    known = {name: place for place, name in enumerate(dict.fromkeys(scenes))}
    return np.array([known[scene] for scene in scenes], np.int64)


def marked(traits: Sequence[Traits]) -> npt.NDArray[np.int64]:
    """Return items × traits: 1 where an item has the trait."""
    known = {
        trait: place for place, trait in enumerate({one: 0 for all_ in traits for one in all_})
    }
    marks = np.zeros((len(traits), len(known)), np.int64)
    for item, own in enumerate(traits):
        marks[item, [known[trait] for trait in own]] = 1
    return marks


def _dealt(
    traits: Sequence[Traits],
    scene_of: npt.NDArray[np.int64],
    *,
    raters: int,
    each: Sequence[int],
    rng: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Deal items cell by cell to those who have had least of the scene, then least of the cell.

    Among equals go those who have shared fewest items with those chosen already, so that the panel
    does not fall into groups that never meet.
    """
    load, shared = np.zeros(raters), np.zeros((raters, raters))
    in_scene = np.zeros((scene_of.max() + 1, raters))
    in_cell: dict[Traits, npt.NDArray[np.float64]] = defaultdict(lambda: np.zeros(raters))
    given = np.zeros((raters, len(traits)), bool)
    cells: dict[Traits, list[int]] = defaultdict(list)
    for index in rng.permutation(len(traits)):
        cells[traits[index]].append(int(index))
    groups = list(cells.values())
    for group in rng.permutation(len(groups)):
        for item in groups[group]:
            scene, cell = in_scene[scene_of[item]], in_cell[traits[item]]
            chosen: list[int] = []
            free = np.ones(raters, bool)
            for _ in range(each[item]):
                met = shared[chosen].sum(axis=0)
                order = np.lexsort((rng.random(raters), load, met, cell, scene, ~free))
                chosen.append(int(order[0]))
                free[order[0]] = False
            shared[np.ix_(chosen, chosen)] += 1
            given[chosen, item] = True
            for count in (load, scene, cell):
                count[chosen] += 1
    return given


def _level(
    given: npt.NDArray[np.bool_], scene_of: npt.NDArray[np.int64], rng: np.random.Generator
) -> None:
    """Move items from the fullest to the emptiest rater until loads are within one.

    A fuller rater has more of some scene, and of that scene an item that the other has not:
    moving it leaves the counts of the scene within one of each other.
    """
    in_scene = _in_scene(given, scene_of)
    while True:
        load = given.sum(axis=1)
        full, empty = int(load.argmax()), int(load.argmin())
        if load[full] - load[empty] <= 1:
            return
        more = (in_scene[full] > in_scene[empty])[scene_of]
        item = int(rng.choice(np.flatnonzero(given[full] & ~given[empty] & more)))
        given[full, item], given[empty, item] = False, True
        in_scene[full, scene_of[item]] -= 1
        in_scene[empty, scene_of[item]] += 1


def exchange(
    given: npt.NDArray[np.bool_],
    scene_of: npt.NDArray[np.int64],
    marks: npt.NDArray[np.int64],
    *,
    shares: npt.NDArray[np.float64],
) -> None:
    """Exchange items between two takers while that brings their traits closer to their shares.

    With d the difference of two takers' excess over their shares and x, y the marks of the items
    given and taken, the sum of the squared excesses falls by 2 [(x - y)·d - |x - y|²]. No exchange
    makes the counts of a scene less even.

    Args:
        given: takers (raters, or one rater's sessions) × items; changed in place.
        scene_of: the number of every item's scene.
        marks: items × traits, 1 where an item has the trait.
        shares: what share of all that is given should be each taker's.
    """
    in_scene = _in_scene(given, scene_of)
    counts = given.astype(np.int64) @ marks
    excess = counts - shares[:, None] * counts.sum(axis=0)
    for _ in range(_PASSES):
        better = False
        for one in range(len(given)):
            for other in range(one):
                while swap := _best_swap(
                    given, in_scene, scene_of, excess, marks, pair=(one, other)
                ):
                    better = True
                    gives, takes = swap
                    for taker, loses, gains in ((one, gives, takes), (other, takes, gives)):
                        given[taker, loses], given[taker, gains] = False, True
                        excess[taker] += marks[gains] - marks[loses]
                        in_scene[taker, scene_of[loses]] -= 1
                        in_scene[taker, scene_of[gains]] += 1
        if not better:
            return


def _best_swap(
    given: npt.NDArray[np.bool_],
    in_scene: npt.NDArray[np.int64],
    scene_of: npt.NDArray[np.int64],
    excess: npt.NDArray[np.float64],
    marks: npt.NDArray[np.int64],
    *,
    pair: tuple[int, int],
) -> tuple[int, int] | None:
    """Return the items that `pair` should exchange, None where no exchange brings them closer."""
    one, other = pair
    apart = excess[one] - excess[other]
    if abs(apart).max(initial=0) <= 1:
        return None
    mine = np.flatnonzero(given[one] & ~given[other])
    theirs = np.flatnonzero(given[other] & ~given[one])
    if not len(mine) or not len(theirs):
        return None
    size = marks.sum(axis=1)
    distance = size[mine][:, None] + size[theirs][None, :] - 2 * marks[mine] @ marks[theirs].T
    gain = (marks[mine] @ apart)[:, None] - (marks[theirs] @ apart)[None, :] - distance
    more = in_scene[one] - in_scene[other]
    same = scene_of[mine][:, None] == scene_of[theirs][None, :]
    fair = (more[scene_of[mine]] > 0)[:, None] & (more[scene_of[theirs]] < 0)[None, :]
    gain = np.where(same | fair, gain, 0)
    best = int(gain.argmax())
    if gain.flat[best] <= 1e-9:
        return None
    return int(mine[best // len(theirs)]), int(theirs[best % len(theirs)])


def _in_scene(
    given: npt.NDArray[np.bool_], scene_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return raters × scenes: how many items of each scene each rater has."""
    one_hot = np.eye(int(scene_of.max()) + 1, dtype=np.int64)[scene_of]
    return given.astype(np.int64) @ one_hot


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

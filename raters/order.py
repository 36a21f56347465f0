"""Order: which session an item falls into, and what comes after what within it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from raters.balance import exchange, marked, numbered

_EVENNESS = 0.5
"""How much an even flow of the models through a session weighs beside balanced carry-over."""


@dataclass
class CarryOver:
    """How often each maker has come right after each other one, over all raters so far.

    `shares` holds every maker's share of all that is shown.
    """

    shares: dict[str, float]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)

    def lack(self, last: str, maker: str) -> float:
        """Return by how much `maker` has come after `last` more often than its share of times."""
        expected = self.shares[maker] / max(1.0 - self.shares.get(last, 0.0), 1e-9)
        return self.counts[last, maker] - expected * self.after[last]

    def add(self, last: str, maker: str) -> None:
        """Count one more time that `maker` came after `last`."""
        if last and last != maker:
            self.counts[last, maker] += 1
            self.after[last] += 1


def dealt_to_sessions(
    traits: Sequence[tuple[Hashable, ...]],
    scenes: Sequence[str],
    shares: Sequence[float],
    rng: np.random.Generator,
) -> list[int]:
    """Return the session (0, 1, …) of every item: equal shares of each trait, no scene twice.

    Where a scene has more items than there are sessions, it comes twice in as few as can be.

    Args:
        traits: what every item counts for; a session has its share of each.
        scenes: the scene of every item.
        shares: what share of the items each session takes, summing to one.
        rng: decides ties.
    """
    if not traits:
        return []
    totals = Counter(trait for own in traits for trait in own)
    open_to = [number for number, share in enumerate(shares) if share > 0]
    held: list[Counter[Hashable]] = [Counter() for _ in shares]
    there: list[Counter[str]] = [Counter() for _ in shares]
    result = [0] * len(traits)

    def fullness(number: int, item: int) -> float:
        own = traits[item]
        return sum(
            (held[number][trait] + 0.5 - shares[number] * totals[trait])
            / (shares[number] * totals[trait])
            for trait in own
        )

    crowded = Counter(scenes)
    shuffled = [int(item) for item in rng.permutation(len(traits))]
    # what is hardest to place comes first
    for item in sorted(shuffled, key=lambda item: -crowded[scenes[item]]):
        least = min(there[number][scenes[item]] for number in open_to)
        free = [number for number in open_to if there[number][scenes[item]] == least]
        best = min(free, key=lambda number: fullness(number, item))
        result[item] = best
        held[best].update(traits[item])
        there[best][scenes[item]] += 1
    given = np.zeros((len(open_to), len(result)), bool)
    given[[open_to.index(number) for number in result], range(len(result))] = True
    kept = np.array([shares[number] for number in open_to])
    exchange(given, numbered(scenes), marked(traits), shares=kept)
    return [open_to[int(row)] for row in given.argmax(axis=0)]


def sequence(
    makers: Sequence[str],
    scenes: Sequence[str],
    carry_over: CarryOver,
    rng: np.random.Generator,
    *,
    after: tuple[str, str] = ("", ""),
) -> list[int]:
    """Return an order of the items in which no scene and no maker follows itself, where possible.

    The maker that comes next is the one that has followed the last one least, over all raters so
    far (first-order carry-over; E. J. Williams 1949 balances it in full squares, which blocks of
    different items cannot have), and each maker flows evenly through the order. `carry_over` is
    brought up to date. `after` is the maker and the scene that came before.
    """
    waiting: dict[str, list[int]] = defaultdict(list)
    for index in rng.permutation(len(makers)):
        waiting[makers[index]].append(int(index))
    totals = {maker: len(own) for maker, own in waiting.items()}
    left_of_scene = Counter(scenes)
    order: list[int] = []
    last, last_scene = after
    while len(order) < len(makers):
        left = len(makers) - len(order)
        scene, most = left_of_scene.most_common(1)[0]
        # put off any longer, it would end up beside itself
        pressing = 2 * most > left and scene != last_scene
        free = [
            index
            for own in waiting.values()
            for index in own
            if scenes[index] != last_scene and (not pressing or scenes[index] == scene)
        ] or [index for own in waiting.values() for index in own]
        costs = {
            maker: (
                maker == last,
                carry_over.lack(last, maker)
                - _EVENNESS * (len(own) - totals[maker] * left / len(makers)),
                rng.random(),
            )
            for maker, own in waiting.items()
        }
        maker = min(dict.fromkeys(makers[index] for index in free), key=costs.__getitem__)
        best = next(index for index in free if makers[index] == maker)
        waiting[maker].remove(best)
        if not waiting[maker]:
            del waiting[maker]
        left_of_scene[scenes[best]] -= 1
        carry_over.add(last, maker)
        order.append(best)
        last, last_scene = maker, scenes[best]
    return order

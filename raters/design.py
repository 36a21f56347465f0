"""Who sees what: pure functions of items, pairs, rules and a generator.

A block is what one rater is given. Single items (references among them) come first and pairs
after them, because a pair shows the scene's text, and whoever has read it would no longer judge
the picture alone. Whether a person or a program made a picture is asked last of all, in a closing
series of pictures seen before: asked earlier, it would prime the attributions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from raters.balance import least_first, sides, spread
from raters.compose import composed, nothing_yet, sessions_needed
from raters.tasks import Block, Item, Pair, Rules, Share


def blocks(
    items: Sequence[Item], pairs: Sequence[Pair], rules: Rules, rng: np.random.Generator
) -> list[Block]:
    """Return one block per planned rater.

    Every item has `raters_per_item` raters (an anchor all), every scaled one `scales_per_item` who
    rate it (an anchor all), and every pair `votes_per_pair`. Raters' numbers of singles differ by
    one at most, and so do their numbers of pairs. For every pair, and for every rater and two
    makers, the sides differ by one at most.
    """
    shares = _shares(items, pairs, rules, rng)
    count = rules.sessions or sessions_needed(shares, rules)
    so_far = nothing_yet(items, rules)
    return [
        composed(share, (items, pairs), rules=rules, count=count, so_far=so_far, rng=rng)
        for share in shares
    ]


def further_block(
    items: Sequence[Item],
    pairs: Sequence[Pair],
    judged: Mapping[str, int],
    votes: Mapping[tuple[str, str], int],
    *,
    rules: Rules,
    singles: int,
    scaled: int,
    duels: int,
    rng: np.random.Generator,
) -> Block:
    """Return a block for one rater beyond the plan: the least judged first, in the plan's shares.

    Args:
        items: all single items of the study.
        pairs: all pairs of the study.
        judged: how often each item was judged or given away so far; missing means never.
        votes: the same by (left, right).
        rules: those of the plan; `sessions` is set.
        singles: how many single items the block holds, at most; anchors come before all others.
        scaled: on how many of them the scales are asked, at most.
        duels: how many pairs the block holds, at most.
        rng: decides ties and order.
    """
    anchors = [item for item in items if item.anchor]
    others = [item for item in items if not item.anchor]
    chosen_items = anchors + [
        others[index]
        for index in least_first(
            [item.traits for item in others],
            [judged.get(item.id, 0) for item in others],
            max(singles - len(anchors), 0),
            rng,
        )
    ]
    with_scales = [item.id for item in chosen_items if item.scaled][:scaled]
    chosen_items = [replace(item, scaled=item.id in with_scales) for item in chosen_items]
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
    share = Share(chosen_items, chosen_pairs)
    count = rules.sessions or sessions_needed([share], rules)
    return composed(
        share, (items, pairs), rules=rules, count=count, so_far=nothing_yet(items, rules), rng=rng
    )


def drawn_anchors(items: Sequence[Item], count: int, rng: np.random.Generator) -> set[str]:
    """Return the ids of `count` anchors: every model and target in its share, scenes apart."""
    order = least_first([item.traits for item in items], [0] * len(items), len(items), rng)
    chosen: list[int] = []
    scenes: set[str] = set()
    for index in order[:count]:
        alike = [one for one in order if items[one].traits == items[index].traits]
        free = [one for one in alike if one not in chosen]
        best = next((one for one in free if items[one].scene not in scenes), free[0])
        chosen.append(best)
        scenes.add(items[best].scene)
    return {items[index].id for index in chosen}


def _shares(
    items: Sequence[Item], pairs: Sequence[Pair], rules: Rules, rng: np.random.Generator
) -> list[Share]:
    raters = rules.raters
    of_item = spread(
        [item.traits for item in items],
        [item.scene for item in items],
        raters=raters,
        each=[raters if item.anchor else rules.raters_per_item for item in items],
        rng=rng,
    )
    shares = [Share([], []) for _ in range(raters)]
    rated = Counter[int]()
    for index in rng.permutation(len(items)):
        item, chosen = items[index], of_item[index]
        few = len(chosen) if item.anchor else rules.scales_per_item
        by_load = sorted(chosen, key=lambda rater: (rated[rater], rng.random()))
        with_scales = set(by_load[:few]) if item.scaled else set()
        rated.update(with_scales)
        for rater in chosen:
            shares[rater].items.append(replace(item, scaled=rater in with_scales))
    of_pair = spread(
        [(pair.makers, *pair.makers) for pair in pairs],
        [pair.scene for pair in pairs],
        raters=raters,
        each=[rules.votes_per_pair] * len(pairs),
        rng=rng,
    )
    edges = [(rater, index) for index, chosen in enumerate(of_pair) for rater in chosen]
    first_left = sides([((rater, pairs[index].makers), index) for rater, index in edges], rng)
    for (rater, index), left in zip(edges, first_left, strict=True):
        shares[rater].pairs.append((pairs[index], left))
    return shares

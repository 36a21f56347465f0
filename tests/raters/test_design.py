from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raters.design import Block, Item, Pair, apart, blocks, further_block, sides, spread

plans = st.fixed_dictionaries(
    {
        "makers": st.integers(1, 4),
        "scenes": st.integers(1, 6),
        "references": st.integers(0, 9),
        "raters": st.integers(1, 9),
        "seed": st.integers(0, 2**32),
    }
)


def material(makers: int, scenes: int, references: int) -> tuple[list[Item], list[Pair]]:
    items = [
        Item(f"{maker}-{scene}-{asked}", f"s{scene}", f"m{maker}", f"t{asked}")
        for maker in range(makers)
        for scene in range(scenes)
        for asked in range(2)
    ]
    items += [
        Item(f"ref{n}", f"r{n}", "ref", f"t{n % 2}", reference=True) for n in range(references)
    ]
    pairs = [
        Pair(f"{one}-{scene}-0", f"{other}-{scene}-0", f"s{scene}", (f"m{one}", f"m{other}"))
        for scene in range(scenes)
        for one in range(makers)
        for other in range(one + 1, makers)
    ]
    return items, pairs


def singles(block: Block) -> list[str]:
    return [task.stimuli[0] for task in block if task.kind != "pair"]


@settings(deadline=None, max_examples=60)
@given(plans, st.data())
def test_every_item_and_pair_has_its_raters_and_loads_are_within_one(
    plan: dict[str, int], data: st.DataObject
) -> None:
    raters = plan["raters"]
    each = data.draw(st.integers(1, raters))
    votes = data.draw(st.integers(1, raters))
    items, pairs = material(plan["makers"], plan["scenes"], plan["references"])
    made = blocks(
        items,
        pairs,
        raters=raters,
        raters_per_item=each,
        votes_per_pair=votes,
        rng=np.random.default_rng(plan["seed"]),
    )
    assert len(made) == raters
    judged = Counter(item for block in made for item in singles(block))
    assert judged == {item.id: each for item in items}
    assert all(len(set(singles(block))) == len(singles(block)) for block in made)
    loads = [len(singles(block)) for block in made]
    assert max(loads) - min(loads) <= 1
    duels = [len(block) - load for block, load in zip(made, loads, strict=True)]
    assert max(duels) - min(duels) <= 1

    first = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    left_of_pair: Counter[frozenset[str]] = Counter()
    seen: Counter[frozenset[str]] = Counter()
    for block in made:
        left_of_makers: Counter[tuple[str, str]] = Counter()
        for task in block:
            if task.kind == "pair":
                name = frozenset(task.stimuli)
                pair = first[name]
                seen[name] += 1
                step = 1 if task.stimuli[0] == pair.first else -1
                left_of_pair[name] += step
                left_of_makers[pair.makers] += step
        assert all(abs(value) <= 1 for value in left_of_makers.values())
    assert seen == dict.fromkeys(first, votes)
    assert all(abs(value) <= 1 for value in left_of_pair.values())


@settings(deadline=None, max_examples=40)
@given(plans)
def test_singles_come_before_pairs_and_references_are_spread(plan: dict[str, int]) -> None:
    items, pairs = material(plan["makers"], plan["scenes"], plan["references"])
    made = blocks(
        items,
        pairs,
        raters=plan["raters"],
        raters_per_item=1,
        votes_per_pair=1,
        rng=np.random.default_rng(plan["seed"]),
    )
    for block in made:
        kinds = [task.kind for task in block]
        count = sum(kind != "pair" for kind in kinds)
        assert "pair" not in kinds[:count]
        references = [place for place, kind in enumerate(kinds) if kind == "reference"]
        for number, place in enumerate(references):
            stretch = count / len(references)
            assert int(number * count // len(references)) <= place < (number + 1) * stretch + 1


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=40), st.integers(0, 2**32))
def test_no_scene_beside_itself_where_that_can_be(scenes: list[str], seed: int) -> None:
    order = apart(scenes, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(scenes)))
    most = max(Counter(scenes).values(), default=0)
    if most <= (len(scenes) + 1) // 2:
        shown = [scenes[index] for index in order]
        assert all(one != other for one, other in pairwise(shown))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60), st.integers(0, 2**32)
)
def test_sides_balance_at_every_vertex(edges: list[tuple[int, int]], seed: int) -> None:
    given_sides = sides(edges, np.random.default_rng(seed))
    for end in (0, 1):
        balance: Counter[int] = Counter()
        for edge, side in zip(edges, given_sides, strict=True):
            balance[edge[end]] += 1 if side else -1
        assert all(abs(value) <= 1 for value in balance.values())


def test_a_panel_does_not_fall_apart_into_groups() -> None:
    # with 24 raters and six an item, dealing in turn would make four panels that never meet
    dealt = spread(["cell"] * 60, ["scene"] * 60, raters=24, each=6, rng=np.random.default_rng(0))
    met = {frozenset((one, other)) for chosen in dealt for one in chosen for other in chosen}
    assert len(met) > 24 * 23 / 2 * 0.8


def test_every_rater_gets_every_cell_alike() -> None:
    items, _ = material(3, 6, 12)
    dealt = spread(
        [(item.maker, item.asked) for item in items],
        [item.scene for item in items],
        raters=6,
        each=3,
        rng=np.random.default_rng(1),
    )
    for cell in {(item.maker, item.asked) for item in items}:
        loads = Counter(
            rater
            for item, chosen in zip(items, dealt, strict=True)
            if (item.maker, item.asked) == cell
            for rater in chosen
        )
        assert max(loads.values()) - min(loads.get(rater, 0) for rater in range(6)) <= 2


def test_two_raters_see_different_orders_and_a_seed_gives_the_same_again() -> None:
    items, pairs = material(3, 4, 4)

    def make(seed: int) -> list[Block]:
        return blocks(
            items,
            pairs,
            raters=2,
            raters_per_item=2,
            votes_per_pair=2,
            rng=np.random.default_rng(seed),
        )

    one, other = make(5)
    assert singles(one) != singles(other)
    assert make(5) == [one, other]
    assert make(6) != [one, other]


def test_a_further_block_takes_the_least_judged_of_every_cell_and_evens_the_sides() -> None:
    items, pairs = material(2, 6, 0)
    judged = {item.id: 0 if item.scene in {"s1", "s4"} else 3 for item in items}
    votes = {(pair.first, pair.second): 2 for pair in pairs}
    block = further_block(
        items, pairs, judged, votes, singles=8, duels=3, rng=np.random.default_rng(0)
    )
    assert all(judged[item] == 0 for item in singles(block))
    by_id = {item.id: item for item in items}
    cells = Counter((by_id[item].maker, by_id[item].asked) for item in singles(block))
    assert set(cells.values()) == {2}
    second = {pair.second for pair in pairs}
    assert all(task.stimuli[0] in second for task in block if task.kind == "pair")

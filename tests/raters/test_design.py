from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raters.balance import sides, spread
from raters.checks import checked, connected
from raters.design import blocks, drawn_anchors, further_block
from raters.order import CarryOver, dealt_to_sessions, sequence
from raters.summary import plan_warnings
from raters.tasks import Block, Item, Pair, Rules, Task, seconds_of

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
        Item(f"{maker}-{scene}-{asked}", f"s{scene}", f"m{maker}", f"t{asked}", scaled=not asked)
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


def rules(**changes: Any) -> Rules:
    usual: dict[str, Any] = {
        "raters": 6,
        "raters_per_item": 2,
        "scales_per_item": 2,
        "votes_per_pair": 2,
    }
    return Rules(**{**usual, **changes})


def made(items: list[Item], pairs: list[Pair], seed: int = 0, **changes: Any) -> list[Block]:
    return blocks(items, pairs, rules(**changes), np.random.default_rng(seed))


def singles(block: Block) -> list[str]:
    return [task.stimuli[0] for task in block if task.kind in {"single", "reference"}]


@settings(deadline=None, max_examples=60)
@given(plans, st.data())
def test_every_item_and_pair_has_its_raters_and_loads_are_within_one(
    plan: dict[str, int], data: st.DataObject
) -> None:
    raters = plan["raters"]
    each = data.draw(st.integers(1, raters))
    rated = data.draw(st.integers(1, each))
    votes = data.draw(st.integers(1, raters))
    items, pairs = material(plan["makers"], plan["scenes"], plan["references"])
    planned = made(
        items,
        pairs,
        plan["seed"],
        raters=raters,
        raters_per_item=each,
        scales_per_item=rated,
        votes_per_pair=votes,
        repeats=0.07,
        warm_ups=(2, 1),
        detections=3,
    )
    assert len(planned) == raters
    judged = Counter(item for block in planned for item in singles(block))
    assert judged == {item.id: each for item in items}
    scaled = Counter(
        task.stimuli[0] for block in planned for task in block if task.scales and not task.occasion
    )
    assert scaled == {item.id: rated for item in items if item.scaled}
    loads = [len(singles(block)) for block in planned]
    assert max(loads) - min(loads) <= 1
    assert all(len(set(singles(block))) == len(singles(block)) for block in planned)
    found = checked(planned, items, pairs, rules(raters=raters))
    assert found["raters_per_item"] == [each, each]
    assert found["sides"] <= 1 if pairs else found["sides"] is None
    if pairs:
        assert found["votes_per_pair"] == [votes, votes]
    for block in planned:
        for scene in {item.scene for item in items if not item.reference}:
            counts = [sum(f"-{scene[1:]}-" in name for name in singles(one)) for one in planned]
            assert max(counts) - min(counts) <= 1
        detections = [task.stimuli[0] for task in block if task.kind == "detection"]
        assert set(detections) <= set(singles(block))
        assert len(set(detections)) == len(detections) == min(3, len(singles(block)))


@settings(deadline=None, max_examples=40)
@given(plans)
def test_singles_come_before_pairs_and_the_closing_series_last(plan: dict[str, int]) -> None:
    items, pairs = material(plan["makers"], plan["scenes"], plan["references"])
    for block in made(
        items,
        pairs,
        plan["seed"],
        raters=plan["raters"],
        raters_per_item=1,
        scales_per_item=1,
        votes_per_pair=1,
        detections=2,
    ):
        place = {"single": 0, "reference": 0, "pair": 1, "detection": 2}
        order = [place[task.kind] for task in block]
        assert order == sorted(order)
        sessions = [task.session for task in block]
        assert sessions == sorted(sessions)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=40), st.integers(0, 2**32))
def test_no_scene_beside_itself_where_that_can_be(scenes: list[str], seed: int) -> None:
    carry_over = CarryOver({"": 1.0})
    order = sequence([""] * len(scenes), scenes, carry_over, np.random.default_rng(seed))
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
    dealt = spread(
        [("cell",)] * 60, ["scene"] * 60, raters=24, each=[6] * 60, rng=np.random.default_rng(0)
    )
    met = {frozenset((one, other)) for chosen in dealt for one in chosen for other in chosen}
    assert len(met) == 24 * 23 / 2 + 24


def test_every_rater_gets_every_cell_alike() -> None:
    items, _ = material(3, 6, 12)
    dealt = spread(
        [item.traits for item in items],
        [item.scene for item in items],
        raters=6,
        each=[3] * len(items),
        rng=np.random.default_rng(1),
    )
    for trait in {trait for item in items for trait in item.traits}:
        loads = Counter(
            rater
            for item, chosen in zip(items, dealt, strict=True)
            if trait in item.traits
            for rater in chosen
        )
        assert max(loads.values()) - min(loads.get(rater, 0) for rater in range(6)) <= 1


def test_more_raters_for_an_item_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        spread([("a",)], ["s"], raters=2, each=[3], rng=np.random.default_rng(0))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32))
def test_a_scene_comes_once_in_a_session_where_that_can_be(
    scenes: int, times: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    named = [f"s{number}" for number in range(scenes) for _ in range(times)]
    traits = [(int(rng.integers(3)), int(rng.integers(2))) for _ in named]
    sessions = dealt_to_sessions(traits, named, [0.4, 0.3, 0.2, 0.1], rng)
    seen = Counter(zip(named, sessions, strict=True))
    assert set(seen.values()) == {1}


def test_sessions_hold_equal_shares_of_every_trait() -> None:
    rng = np.random.default_rng(0)
    traits = [(f"target {number % 3}", f"maker {number % 4}") for number in range(120)]
    scenes = [f"s{number}" for number in range(120)]
    sessions = dealt_to_sessions(traits, scenes, [0.5, 0.25, 0.25], rng)
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for own, session in zip(traits, sessions, strict=True):
        for trait in own:
            counts[trait][session] += 1
    for trait, found in counts.items():
        each = 120 / (3 if trait.startswith("target") else 4)
        for session, share in enumerate([0.5, 0.25, 0.25]):
            assert abs(found[session] - share * each) <= 1


def test_anchors_are_seen_by_all_and_spread_over_models_and_targets() -> None:
    items, pairs = material(4, 8, 16)
    chosen = drawn_anchors(items, 8, np.random.default_rng(0))
    by_id = {item.id: item for item in items}
    assert len({by_id[name].scene for name in chosen}) == 8
    assert Counter(by_id[name].reference for name in chosen)[True] in {1, 2, 3}
    items = [replace(item, anchor=item.id in chosen) for item in items]
    planned = made(items, pairs)
    assert all(chosen <= set(singles(block)) for block in planned)
    found = checked(planned, items, pairs, rules())
    assert found["raters_per_anchor"] == [6, 6]
    assert found["raters_per_item"] == [2, 2]


def test_hidden_repeats_come_at_least_one_break_later_with_the_same_questions() -> None:
    items, pairs = material(3, 8, 8)
    planned = made(items, pairs, repeats=0.2)
    assert checked(planned, items, pairs, rules())["repeats_apart"] >= 1
    for block in planned:
        first = {task.stimuli: task for task in block if task.kind in {"single", "reference"}}
        repeats = [task for task in block if task.kind == "repeat"]
        assert len(repeats) == round(0.2 * len(first))
        for task in repeats:
            assert task.occasion == 1
            assert task.scales == first[task.stimuli].scales
            assert task.session > first[task.stimuli].session


def test_warm_ups_and_attention_items_are_none_of_the_raters_own() -> None:
    items, pairs = material(3, 40, 8)
    for block in made(items, pairs, warm_ups=(3, 2), attention=1, sessions=2):
        extra = [task.stimuli[0] for task in block if task.kind in {"warm_up", "attention"}]
        assert len(set(extra)) == len(extra) == 3 + 2 + 2
        assert not set(extra) & set(singles(block))
        for number in (1, 2):
            kinds = [task.kind for task in block if task.session == number]
            assert kinds.index("single") > max(
                place for place, kind in enumerate(kinds) if kind == "warm_up"
            )


def test_a_session_without_singles_warms_up_on_pairs() -> None:
    items, pairs = material(6, 8, 0)
    planned = made(items[:24], pairs, sessions=4, warm_ups=(2, 2), votes_per_pair=3)
    last = [task for task in planned[0] if task.session == 4]
    assert [task.kind for task in last[:3]] == ["warm_up", "warm_up", "pair"]
    assert len(last[0].stimuli) == 2


def test_training_comes_first_and_once() -> None:
    items, pairs = material(2, 4, 4)
    for block in made(items, pairs, training=("one", "two"), scale_count={"two": 1}, sessions=2):
        assert [task.stimuli for task in block[:2]] == [("one",), ("two",)]
        assert [task.scales for task in block[:2]] == [False, True]
        assert sum(task.kind == "training" for task in block) == 2


def test_the_closing_series_shows_references_and_outputs_alike() -> None:
    items, pairs = material(3, 8, 12)
    for block in made(items, pairs, detections=4):
        closing = [task.stimuli[0] for task in block if task.kind == "detection"]
        assert sum(name.startswith("ref") for name in closing) == 2


def test_carry_over_is_balanced_over_the_panel() -> None:
    items, pairs = material(4, 12, 0)
    found = checked(made(items, pairs, raters=8, raters_per_item=4), items, pairs, rules())
    least, most = found["carry_over"]
    assert least >= 0.8
    assert most <= 1.2


def test_two_raters_see_different_orders_and_a_seed_gives_the_same_again() -> None:
    items, pairs = material(3, 4, 4)
    how: dict[str, Any] = {"raters": 2}
    one, other = made(items, pairs, 5, **how)
    assert singles(one) != singles(other)
    assert made(items, pairs, 5, **how) == [one, other]
    assert made(items, pairs, 6, **how) != [one, other]


def test_seconds_follow_the_table() -> None:
    own = rules(scale_count={"a": 4})
    block = [
        Task("single", ("a",), scales=True),
        Task("single", ("a",)),
        Task("pair", ("a", "b")),
        Task("warm_up", ("a", "b")),
        Task("detection", ("a",)),
    ]
    assert seconds_of(block, own) == 15 + 40 + 15 + 20 + 20 + 8


def test_a_plan_tells_what_two_losses_cost() -> None:
    items, pairs = material(3, 6, 6)
    strong = checked(made(items, pairs, raters_per_item=4), items, pairs, rules())
    assert strong["without_two_raters"]["raters_per_item"] == 2
    assert strong["without_two_raters"]["pairs_connected"]
    weak = checked(made(items, pairs, raters_per_item=2, votes_per_pair=1), items, pairs, rules())
    assert weak["without_two_raters"]["raters_per_item"] == 0
    lone = checked(made(items, pairs[:1], raters=3, votes_per_pair=1), items, pairs[:1], rules())
    assert lone["pairs_connected"]
    assert not lone["without_two_raters"]["pairs_connected"]
    assert plan_warnings({"check": strong}) == []
    assert plan_warnings({"check": lone})[-1].startswith(
        "if two raters drop out, the plan may fall"
    )


def test_pairs_alone_are_checked_by_their_votes() -> None:
    items, pairs = material(3, 6, 0)
    own = checked(made([], pairs, votes_per_pair=3), items, pairs, rules())
    assert own["without_two_raters"]["raters_per_item"] is None
    assert own["without_two_raters"]["votes_per_pair"] == 1
    assert plan_warnings({"check": own}) == []


def test_the_share_of_references_is_told_of_short_sessions_where_there_are_no_longer_ones() -> None:
    items, pairs = material(makers=2, scenes=2, references=4)
    few = rules(raters=4, raters_per_item=1, votes_per_pair=1)
    planned = blocks(items, pairs, few, np.random.default_rng(0))
    assert all(
        sum(task.kind in {"single", "reference"} for task in block) < 10 for block in planned
    )
    assert (
        checked(planned, items, pairs, few)["share_of_references_in_a_session"]
        == [pytest.approx(1 / 3, abs=0.01)] * 2
    )


def test_connected_finds_a_gap() -> None:
    assert connected("abc", [("a", "b"), ("c", "b")])
    assert not connected("abcd", [("a", "b"), ("c", "d")])
    assert connected("", [])


def test_a_further_block_takes_the_least_judged_of_every_cell_and_evens_the_sides() -> None:
    items, pairs = material(2, 6, 0)
    items[0] = replace(items[0], anchor=True)
    judged = {item.id: 0 if item.scene in {"s1", "s4"} else 3 for item in items}
    votes = {(pair.first, pair.second): 2 for pair in pairs}
    block = further_block(
        items,
        pairs,
        judged,
        votes,
        rules=rules(sessions=1),
        singles=9,
        scaled=3,
        duels=3,
        rng=np.random.default_rng(0),
    )
    assert items[0].id in singles(block)
    assert all(judged[name] == 0 for name in singles(block) if name != items[0].id)
    by_id = {item.id: item for item in items}
    others = [name for name in singles(block) if name != items[0].id]
    cells = Counter((by_id[name].maker, by_id[name].asked) for name in others)
    assert set(cells.values()) == {2}
    assert sum(task.scales for task in block) == 3
    second = {pair.second for pair in pairs}
    assert all(task.stimuli[0] in second for task in block if task.kind == "pair")

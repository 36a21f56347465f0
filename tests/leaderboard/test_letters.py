"""Significance letters: two models share one if and only if they do not differ."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from leaderboard.letters import letters


@st.composite
def differences(draw: st.DrawFn) -> tuple[list[str], set[frozenset[str]]]:
    models = [f"m{number}" for number in range(draw(st.integers(1, 8)))]
    pairs = [frozenset(pair) for pair in combinations(models, 2)]
    return models, set(draw(st.lists(st.sampled_from(pairs))) if pairs else [])


@given(differences())
def test_a_letter_is_shared_exactly_where_models_do_not_differ(
    world: tuple[list[str], set[frozenset[str]]],
) -> None:
    models, different = world
    found = letters(models, different)
    for one, other in combinations(models, 2):
        share = bool(set(found[one]) & set(found[other]))
        assert share == (frozenset((one, other)) not in different)
    assert all(found.values())
    assert found[models[0]].startswith("a")


@given(differences())
def test_no_letter_could_be_left_out_for_a_larger_one(
    world: tuple[list[str], set[frozenset[str]]],
) -> None:
    models, different = world
    found = letters(models, different)
    groups = [
        {model for model in models if sign in found[model]}
        for sign in sorted(set("".join(found.values())))
    ]
    assert not [(a, b) for a in groups for b in groups if a < b]


def test_the_classic_chain_that_is_not_transitive() -> None:
    found = letters(["first", "second", "third"], {frozenset(("first", "third"))})
    assert found == {"first": "a", "second": "ab", "third": "b"}


def test_many_groups_have_letters_of_their_own() -> None:
    models = [f"m{number}" for number in range(60)]
    found = letters(models, {frozenset(pair) for pair in combinations(models, 2)})
    assert len(set(found.values())) == 60
    assert found["m0"] == "a"
    assert found["m59"] == "h2"

"""A judge's reply is taken as it stands, or flagged: nothing in it is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.judging import replies
from bench.judging.replies import read_pair, read_scales
from bench.records import NOT_APPLICABLE, Rubric, Scale

RUBRIC = Rubric(
    "small", 1, tuple(Scale(name, "ordinal", 1, 5, {}, {}, {}) for name in ("spirit", "brush")),
    "", not_applicable=True,
)  # fmt: skip
BOTH = ("spirit", "brush")
UNREAD = (
    replies.EMPTY, replies.THINKING, replies.NO_JSON, replies.SEVERAL, replies.MISSING,
    replies.OFF_SCALE, replies.NO_WINNER,
)  # fmt: skip
"""The flags with which there is no value; a cut reply or a missing reason is told beside one."""
GOOD = '{"spirit": {"reason": "alive", "score": 4}, "brush": {"reason": "limp", "score": 2}}'


@pytest.mark.parametrize(
    ("reply", "scores", "flags"),
    [
        (GOOD, {"spirit": 4, "brush": 2}, ()),
        (f"Here it is:\n```json\n{GOOD}\n```", {"spirit": 4, "brush": 2}, ()),
        (f"<think>{GOOD.replace('4', '1')}</think>{GOOD}", {"spirit": 4, "brush": 2}, ()),
        (f"<think>{GOOD} but no, the second", {"spirit": None, "brush": None}, ("unfinished thoughts",)),
        (f"<think>fine</think>{GOOD}<think>{GOOD}", {"spirit": None, "brush": None}, ("unfinished thoughts",)),
        ("<think>", {"spirit": None, "brush": None}, ("unfinished thoughts",)),
        (f"{GOOD} and again {GOOD}", {"spirit": 4, "brush": 2}, ()),
        (f"{GOOD} or rather {GOOD.replace('4', '3')}", {"spirit": None, "brush": None}, ("several answers",)),
        (GOOD.replace("4", '"4"'), {"spirit": 4, "brush": 2}, ()),
        (GOOD.replace("4", '"04"'), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", f'"{"9" * 5000}"'), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", "9" * 4000), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", "9" * 5000), {"spirit": None, "brush": None}, ("no JSON",)),
        (GOOD.replace("4", "1e400"), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", "4.0"), {"spirit": 4, "brush": 2}, ()),
        (GOOD.replace("4", "4.5"), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", '"four"'), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", "true"), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", "NaN"), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", "6"), {"spirit": None, "brush": 2}, ("off the scale",)),
        (GOOD.replace("4", f'"{NOT_APPLICABLE}"'), {"spirit": NOT_APPLICABLE, "brush": 2}, ()),
        ('{"spirit": {"score": 4}, "brush": 3}', {"spirit": 4, "brush": None}, ("no reason", "missing")),
        (GOOD[:-1], {"spirit": None, "brush": None}, ("no JSON",)),
        ('{"spirit": {"score": 3, "score": 4}, "brush": {}}', {"spirit": None, "brush": None}, ("no JSON",)),
        ("spirit: 4, brush: 2", {"spirit": None, "brush": None}, ("no JSON",)),
        ("  ", {"spirit": None, "brush": None}, ("empty",)),
        ("[" * 100_000, {"spirit": None, "brush": None}, ("no JSON",)),
    ],
)  # fmt: skip
def test_scales(reply: str, scores: dict[str, object], flags: tuple[str, ...]) -> None:
    read = read_scales(reply, RUBRIC, BOTH, cut=False)
    assert (dict(read.scores), read.flags) == (scores, flags)


def test_a_rubric_that_always_applies_takes_no_other_answer() -> None:
    rubric = Rubric(RUBRIC.id, 1, RUBRIC.scales, "")
    reply = GOOD.replace("4", f'"{NOT_APPLICABLE}"')
    assert read_scales(reply, rubric, BOTH, cut=False).scores["spirit"] is None


def test_a_number_may_have_as_many_digits_as_its_scale() -> None:
    wide = Rubric("wide", 1, (Scale("spirit", "ordinal", 0, 100, {}, {}, {}),), "")
    for number, read in (("7", 7), ("085", 85), (" 100 ", 100), ("0100", None), ("101", None)):
        reply = f'{{"spirit": {{"reason": "alive", "score": "{number}"}}}}'
        assert read_scales(reply, wide, ("spirit",), cut=False).scores["spirit"] == read


def test_a_cut_reply_says_so_also_where_it_could_be_read() -> None:
    assert read_scales(GOOD, RUBRIC, BOTH, cut=True).flags == ("cut",)
    assert read_scales(GOOD[:40], RUBRIC, BOTH, cut=True).flags == ("cut", "no JSON")


@pytest.mark.parametrize(
    ("reply", "winner", "flags"),
    [
        ('{"reason": "finer", "winner": "second"}', "second", ()),
        ('{"winner": "tie"}', "tie", ("no reason",)),
        ('{"reason": "finer", "winner": "the left one"}', "", ("no winner",)),
        ('{"reason": "finer", "winner": ["first"]}', "", ("no winner",)),
        (
            '<think>A draft would be {"winner":"first"} but no, the second is clearly',
            "",
            ("unfinished thoughts",),
        ),
        ('<think>{"winner":"first"}</think>{"reason": "finer", "winner": "second"}', "second", ()),
        ("The first is better.", "", ("no JSON",)),
        ("", "", ("empty",)),
    ],
)
def test_pairs(reply: str, winner: str, flags: tuple[str, ...]) -> None:
    read = read_pair(reply, cut=False)
    assert (read.winner, read.flags) == (winner, flags)


@given(st.text(alphabet='{}[]":,spiritbcoe01459.-\\\n ', max_size=80))
def test_whatever_comes_is_a_value_on_the_scale_or_a_flag(reply: str) -> None:
    read = read_scales(reply, RUBRIC, BOTH, cut=False)
    for name, value in read.scores.items():
        assert (value is None) == (read.faults.get(name) in UNREAD)
        assert value is None or value == NOT_APPLICABLE or 1 <= int(value) <= 5


def test_every_flag_is_documented(request: pytest.FixtureRequest) -> None:
    text = (Path(request.config.rootpath) / "docs" / "judges.md").read_text(encoding="utf-8")
    for flag in UNREAD:
        assert f"`{flag}`" in text

"""Works of traditions that are not compared: in no index, and reported apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bench.cli import main
from bench.errors import FileFormatError
from bench.records import FOIL, REFERENCE, Score
from leaderboard.board import boards
from leaderboard.details import tables_of
from leaderboard.scoring import score
from leaderboard.style import style
from leaderboard.tables import check_attributions, check_detections
from leaderboard.words import words_in
from tests.leaderboard.rich import rich_scores
from tests.leaderboard.simulation import World

FOILS = ("korean", "vietnamese")
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
SMALL = World(
    models={"one": {"japanese": 0.4, "western": 0.1}, "two": {"japanese": 0.1, "western": 0.1}},
    scenes=4,
    languages=("zh", "en"),
    raters=4,
    references=5,
)


def foils(seen: Sequence[str], *, tradition: str = "korean", raters: int = 4) -> pd.DataFrame:
    """Works of a foil, the n-th seen by all raters as the n-th label, in manner and in things."""
    rows = [
        {
            "rater": f"r{rater}",
            "item": f"{tradition}{number}",
            "model": REFERENCE,
            "prompt": "",
            "target": tradition,
            "attribution": label,
            "aspect": aspect,
            "home": "chinese",
            "diagnosticity": FOIL,
        }
        for number, label in enumerate(seen)
        for rater in range(raters)
        for aspect in ("manner", "things")
    ]
    return pd.DataFrame(rows)


def with_foils(frame: pd.DataFrame, *more: pd.DataFrame) -> pd.DataFrame:
    return check_attributions(pd.concat([frame, *more]), "a table", labels=FOILS)


def both_aspects(seed: int) -> pd.DataFrame:
    manner = SMALL.attributions(np.random.default_rng(seed))
    return pd.concat([manner, manner.assign(aspect="things")], ignore_index=True)


def scores_of(frame: pd.DataFrame, detections: pd.DataFrame | None = None) -> list[Score]:
    tables = {"attributions": frame}
    if detections is not None:
        tables["detections"] = detections
    return score(tables, rng=np.random.default_rng(5), resamples=20, by=["language"])


def told(scores: Sequence[Score]) -> list[str]:
    """All scores as text (NaN is not equal to itself), but what tells of foils and counts rows."""
    return [
        str(found)
        for found in scores
        if found.metric != "rows"
        and not (found.metric == "share_apart" and found.group.startswith(f"{FOIL}:"))
    ]


labels = st.sampled_from(["chinese", "japanese", "western", *FOILS, "other", "cannot_tell"])


@settings(deadline=None, max_examples=8, phases=NO_SHRINKING)
@given(
    st.integers(0, 2**32),
    st.lists(labels, min_size=1, max_size=4),
    st.lists(labels, max_size=3),
    st.integers(1, 6),
)
def test_no_index_changes_when_foils_are_added(
    seed: int, korean: list[str], vietnamese: list[str], raters: int
) -> None:
    plain = both_aspects(seed)
    more = [foils(korean, raters=raters), foils(vietnamese, tradition="vietnamese", raters=raters)]
    made = scores_of(with_foils(plain, *more))
    assert told(made) == told(scores_of(check_attributions(plain, "a table", labels=FOILS)))
    assert any(found.group.startswith(f"{FOIL}:korean:") for found in made)
    rows = {found.group: found.value for found in made if found.metric == "rows"}
    assert rows["foils"] == sum(len(frame) for frame in more)
    assert rows.pop("") == sum(rows.values())


def test_other_shares_apart_and_detections_do_not_change_either() -> None:
    plain = both_aspects(3)
    plain["diagnosticity"] = ["shared" if item == "i0" else "distinct" for item in plain["item"]]
    asked = plain.drop_duplicates(["item", "rater"])[["rater", "item", "model", "prompt"]]
    seen = asked.assign(seen_as=np.where(asked["model"] == REFERENCE, "human", "model"))
    more = foils(["korean", "chinese"])
    closing = more[more["aspect"] == "manner"].assign(seen_as="model")
    both = pd.concat([seen, closing[["rater", "item", "model", "diagnosticity", "seen_as"]]])
    with_them = scores_of(with_foils(plain, more), check_detections(both, "closing"))
    without = scores_of(
        check_attributions(plain, "a table", labels=FOILS), check_detections(seen, "closing")
    )
    assert told(with_them) == told(without)
    counts = {
        s.group: s.value for s in with_them if (s.metric, s.criterion) == ("rows", "detections")
    }
    assert counts["foils"] == len(closing)


def test_shares_of_a_foil_are_those_of_its_works_with_an_interval() -> None:
    frame = with_foils(both_aspects(1), foils(["chinese", "chinese", "korean", "other"]))
    scores = style(frame, rng=np.random.default_rng(0), resamples=400)
    shares = {
        found.group: found
        for found in scores
        if found.metric == "share_apart" and found.criterion == "manner"
    }
    chinese = shares["foil:korean:chinese"]
    assert (chinese.model, chinese.value, chinese.n_items, chinese.n_raters) == (
        REFERENCE,
        0.5,
        4,
        4,
    )
    assert 0 <= chinese.low < 0.5 < chinese.high <= 1
    assert shares["foil:korean:korean"].value == 0.25
    assert shares["foil:korean:japanese"].value == 0
    assert {found.group for found in scores if found.metric == "raw_leak"} == {
        "japanese",
        "western",
    }
    assert not any(found.group == "korean" for found in scores if found.metric == "discrimination")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"target": "koraen"}, "row 2: column 'target' has the unknown foil 'koraen': declare it"),
        ({"target": "none"}, "row 2: column 'target' has the unknown foil 'none'"),
        (
            {"target": "japanese"},
            "row 2: column 'target' has 'japanese' for a foil, and other rows",
        ),
        ({"model": "one", "prompt": "s1/korean"}, "row 2: .* 'foil' of an output of 'one'"),
        ({"attribution": "koraen"}, "row 2: column 'attribution' has the unknown label 'koraen'"),
        ({"diagnosticity": "fiol"}, "row 2: column 'diagnosticity' has the unknown label 'fiol'"),
    ],
)
def test_a_foil_that_is_none_is_refused_by_row_and_value(row: dict[str, str], says: str) -> None:
    own = {"rater": "r", "item": "i", "model": "one", "prompt": "s/chinese", "target": "chinese"}
    more = {
        "model": REFERENCE,
        "prompt": "",
        "target": "korean",
        "item": "w",
        "diagnosticity": FOIL,
    }
    frame = pd.DataFrame([own, {**own, **more, **row}]).fillna("")
    if row.get("target") == "japanese":
        frame = pd.concat([frame, frame.iloc[[0]].assign(item="j", target="japanese")])
    frame["attribution"] = frame.get("attribution", pd.Series("", index=frame.index))
    frame["attribution"] = frame["attribution"].replace("", "chinese")
    with pytest.raises(FileFormatError, match=says):
        check_attributions(frame, "a table", labels=FOILS)


def test_a_foil_of_one_study_may_be_compared_in_another() -> None:
    first = SMALL.attributions(np.random.default_rng(0)).assign(study="first")
    second = first.assign(study="second", home="korean", target="korean")
    second["attribution"] = "korean"
    frame = with_foils(first, foils(["chinese"]).assign(study="first"), second)
    assert set(frame.loc[frame["diagnosticity"] == FOIL, "study"]) == {"first"}


def test_a_table_from_elsewhere_declares_foils_with_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "attributions.csv"
    plain = SMALL.attributions(np.random.default_rng(0)).drop(columns="occasion")
    pd.concat([plain, foils(["japanese"])]).to_csv(table, index=False)
    assert main(["style", str(table)]) == 2
    assert "has the unknown foil 'korean': declare it as a label" in capsys.readouterr().err
    assert main(["style", str(table), "--labels", "korean", "--json"]) == 0
    assert '"group": "foil:korean:japanese"' in capsys.readouterr().out


def test_the_page_tells_foils_in_a_table_of_their_own() -> None:
    blank = Score(metric="share_apart", criterion="manner", model=REFERENCE, n_items=6, n_raters=4)
    more = [
        replace(blank, group=f"foil:korean:{label}", value=0.5, low=0.25, high=0.75)
        for label in ("ours", "theirs", "korean", "other", "cannot_tell")
    ]
    (board,) = boards([*rich_scores(), *more])
    tables = {table.title: table for table in tables_of(board, words_in("en"))}
    found = tables["Neighbours, as they were seen"]
    assert list(found.heads) == [
        "True tradition", "Ours", "Theirs", "Korean", "Other", "Cannot tell", "Works, raters",
    ]  # fmt: skip
    assert list(found.rows[0].cells) == ["Korean", *["0.50 [0.25, 0.75]"] * 5, "6, 4"]
    assert all(row.cells[1] != FOIL for row in tables["Between the traditions"].rows)
    (chinese,) = [
        table
        for table in tables_of(board, words_in("zh", {"korean": {"zh": "韩国"}}))
        if table.title == "邻近传统的作品被看成什么"
    ]
    assert chinese.rows[0].cells[0] == "韩国"

"""What people send: every fault a sentence with its place, every lack a NaN with a reason."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.cli import main
from bench.errors import FileFormatError
from bench.records import REFERENCE, Score
from leaderboard.scoring import score
from leaderboard.sources import read_source
from leaderboard.tables import (
    check_attributions,
    check_ratings,
    check_votes,
    read_attributions,
    read_ratings,
    read_votes,
)
from tests.leaderboard.simulation import World

Reader = Callable[[list[Path]], pd.DataFrame]
RATINGS = "rater,item,criterion,value\nr1,画一,气韵,3\nr2,画一,气韵,4\n"
VOTES = "rater,prompt,left,right,winner\nr,p,a,b,left\n"
LABELS = "rater,item,model,prompt,target,attribution\nr,i,m,s/中国,中国,中国\n"


@pytest.mark.parametrize(
    ("reader", "text", "sentence"),
    [
        (read_ratings, RATINGS + "r1,画一,气韵,5\n", r"line 4: repeats .*line 2: rater 'r1', item '画一'"),
        (read_ratings, RATINGS + "r3,画一,气韵,NaN\n", r"line 4: .*'value' is not a finite number: 'NaN'"),
        (read_ratings, RATINGS + "r3,画一,气韵,nan\n", r"line 4: .*not a finite number: 'nan'"),
        (read_ratings, RATINGS + "r3,画一,气韵,inf\n", r"line 4: .*not a finite number: 'inf'"),
        (read_ratings, RATINGS + "r3,画一,气韵,\n", r"line 4: .*'value' is empty"),
        (read_ratings, RATINGS + "r3,画一,气韵,四\n", r"line 4: .*not a finite number: '四'"),
        (read_ratings, RATINGS + "NaN,画一,气韵,4\n", r"line 4: column 'rater' says 'NaN', which stands for"),
        (read_ratings, RATINGS + "r3,nan,气韵,4\n", r"line 4: column 'item' says 'nan', which stands for"),
        (read_votes, VOTES + "r,p,a,<NA>,tie\n", r"line 3: column 'right' says '<NA>', which stands"),
        (read_ratings, RATINGS + ",画一,气韵,4\n", r"line 4: column 'rater' is empty"),
        (read_votes, VOTES + "r,p,a,a,tie\n", r"line 3: .*not compared with itself"),
        (read_votes, VOTES + "r,p,a,b,平\n", r"line 3: .*unknown label '平'"),
        (read_attributions, LABELS + "r,k,m,s/中国,中国,日本\n", r"line 3: .*unknown label '日本'.*declare it with --labels"),
    ],
)  # fmt: skip
def test_faults_name_file_line_and_value(
    tmp_path: Path, reader: Reader, text: str, sentence: str
) -> None:
    path = tmp_path / "表.csv"
    path.write_text(text, encoding="utf-8-sig")
    with pytest.raises(FileFormatError, match=sentence) as caught:
        reader([path])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_what_stands_for_an_empty_cell_is_no_name_in_any_kind_of_column(kind: str) -> None:
    frame = pd.DataFrame({"rater": ["a", "b"], "item": "i", "criterion": "c", "value": 3})
    frame["model"] = pd.Series(["m", "nan"]).astype(kind)  # type: ignore[call-overload]
    with pytest.raises(FileFormatError, match=r"memory, row 2: column 'model' says 'nan'"):
        check_ratings(frame, "memory")


def test_a_table_given_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Equal votes are two votes; the same file is not."""
    path = tmp_path / "votes.csv"
    path.write_text(VOTES, encoding="utf-8")
    again = tmp_path / "." / "votes.csv"
    assert main(["rank", str(path), str(again)]) == 2
    assert "is given twice: its rows would count twice" in capsys.readouterr().err


def test_mixed_types_name_the_row() -> None:
    frame = pd.DataFrame({"rater": ["a", 2], "item": ["i", "i"], "criterion": "c", "value": 3})
    with pytest.raises(FileFormatError, match=r"memory, row 2: column 'rater' mixes text and num"):
        check_ratings(frame, "memory")


def test_values_off_the_scale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS + "r3,画一,气韵,9\n", encoding="utf-8")
    assert main(["agreement", str(path), "--scale", "1-5"]) == 2
    assert "line 4: column 'value' is off the scale 1–5: 9" in capsys.readouterr().err
    assert main(["agreement", str(path), "--scale", "1-9"]) == 0


def test_two_gigabytes_of_text_are_refused_with_their_size(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(RATINGS.encode())
        file.truncate(2_000_000_000)  # a hole: no disk is filled
    with pytest.raises(FileFormatError, match=r"large.csv: is 2.0 GB, more than .* as Parquet"):
        read_source(path)


def scores_of(**tables: pd.DataFrame) -> list[Score]:
    return score(tables, rng=np.random.default_rng(0), resamples=100)


def assert_honest(scores: list[Score]) -> None:
    """No value is missing without a reason, and no interval has no width."""
    assert scores
    for s in scores:
        assert s.reason or math.isfinite(s.value), s
        if math.isnan(s.low) and s.metric not in {"alpha_without", "rows", "p_first"}:
            assert s.reason or "no interval" in s.method or "diagnostic" in s.method, s
        if s.metric != "rank" and math.isfinite(s.low):
            assert s.low <= s.value <= s.high, s
            assert s.high > s.low, s


def one_rating() -> dict[str, pd.DataFrame]:
    row = {"rater": "r", "item": "i", "criterion": "c", "value": 3, "model": "m", "prompt": "s/h"}
    return {"ratings": check_ratings(pd.DataFrame([row]), "memory")}


def one_rater_of_a_criterion() -> dict[str, pd.DataFrame]:
    frame = World(scenes=6).ratings(np.random.default_rng(0))
    return {"ratings": frame[(frame["criterion"] != "brush") | (frame["rater"] == "r0")]}


def a_rater_with_one_item() -> dict[str, pd.DataFrame]:
    frame = World(scenes=6).ratings(np.random.default_rng(0))
    return {"ratings": frame[(frame["rater"] != "r0") | (frame["item"] == "japan-1")]}


def all_equal() -> dict[str, pd.DataFrame]:
    return {"ratings": World(scenes=6).ratings(np.random.default_rng(0)).assign(value=4.0)}


def one_vote() -> dict[str, pd.DataFrame]:
    row = {"rater": "r", "prompt": "p", "left": "a", "right": "b", "winner": "left"}
    return {"votes": check_votes(pd.DataFrame([row]), "memory")}


def ties_only() -> dict[str, pd.DataFrame]:
    return {"votes": World(scenes=6).votes(np.random.default_rng(0)).assign(winner="tie")}


def a_model_never_compared() -> dict[str, pd.DataFrame]:
    frame = World(scenes=8).votes(np.random.default_rng(0))
    alone = (frame["left"] == "west") | (frame["right"] == "west")
    frame.loc[alone, "winner"] = "both_bad"
    ratings = World(scenes=8).ratings(np.random.default_rng(0))
    return {"votes": frame, "ratings": ratings}


def one_attribution() -> dict[str, pd.DataFrame]:
    row = {"rater": "r", "item": "i", "model": "m", "prompt": "s/h", "target": "h",
           "attribution": "h"}  # fmt: skip
    return {"attributions": check_attributions(pd.DataFrame([row]), "memory")}


def no_references() -> dict[str, pd.DataFrame]:
    frame = World(scenes=8).attributions(np.random.default_rng(0))
    return {"attributions": frame[frame["model"] != REFERENCE]}


def only_home_and_no_references() -> dict[str, pd.DataFrame]:
    frame = no_references()["attributions"]
    return {"attributions": frame[frame["target"] == "chinese"].reset_index(drop=True)}


def one_reference_class_missing() -> dict[str, pd.DataFrame]:
    frame = World(scenes=8).attributions(np.random.default_rng(0))
    return {"attributions": frame[(frame["model"] != REFERENCE) | (frame["target"] != "western")]}


def everything_the_same_label() -> dict[str, pd.DataFrame]:
    frame = World(scenes=8).attributions(np.random.default_rng(0))
    return {"attributions": frame.assign(attribution="chinese")}


@pytest.mark.parametrize(
    "tables",
    [
        one_rating, one_rater_of_a_criterion, a_rater_with_one_item, all_equal, one_vote, ties_only,
        a_model_never_compared, one_attribution, no_references, only_home_and_no_references, one_reference_class_missing,
        everything_the_same_label,
    ],
)  # fmt: skip
def test_lacks_have_reasons_and_counts_add_up(
    tables: Callable[[], dict[str, pd.DataFrame]],
) -> None:
    given = tables()
    scores = scores_of(**given)
    assert_honest(scores)
    for name, frame in given.items():
        rows = {s.group: s.value for s in scores if s.metric == "rows" and s.criterion == name}
        assert rows.pop("") == len(frame) == sum(rows.values())
    json.dumps([s.reason for s in scores])


def test_without_references_every_leak_says_so() -> None:
    for tables in (no_references(), only_home_and_no_references()):
        scores = scores_of(**tables)
        for other in ("japanese", "western"):
            leaks = [s for s in scores if s.group == other and s.metric.endswith("_leak")]
            raw = {s.model: s for s in leaks if s.metric == "raw_leak"}
            excess = {s.model: s for s in leaks if s.metric == "excess_leak"}
            assert set(raw) == set(excess) == {"balanced", "japan", "west"}
            assert all(math.isfinite(s.value) for s in raw.values())
            assert {s.reason for s in excess.values()} == {"no references"}


def test_merging_tables_equals_scoring_the_union(tmp_path: Path) -> None:
    frame = World(scenes=12).ratings(np.random.default_rng(0))
    halves = [frame.iloc[: len(frame) // 3], frame.iloc[len(frame) // 3 :]]
    paths = []
    for place, half in enumerate(halves):
        paths.append(tmp_path / f"{place}.csv")
        half.to_csv(paths[-1], index=False)
    assert repr(scores_of(ratings=read_ratings(paths))) == repr(scores_of(ratings=frame))


def test_relabelling_raters_and_items_changes_no_score() -> None:
    tables = World(scenes=10).tables(0)
    renamed = {name: frame.copy() for name, frame in tables.items()}
    for frame in renamed.values():
        # the order of names stays, so the same units are drawn
        frame["rater"] = "z" + frame["rater"]
        if "item" in frame:
            frame["item"] = "y" + frame["item"]
    of_rater = re.compile(r"z?r\d+")
    old = [s for s in scores_of(**tables) if not of_rater.fullmatch(s.group)]
    new = [s for s in scores_of(**renamed) if not of_rater.fullmatch(s.group)]
    assert [(s.metric, s.model, s.group) for s in old] == [
        (s.metric, s.model, s.group) for s in new
    ]
    for before, after in zip(old, new, strict=True):
        assert after.value == pytest.approx(before.value, nan_ok=True, abs=1e-9)
        assert after.low == pytest.approx(before.low, nan_ok=True, abs=1e-9)


def _values_behind(table: str, found: list[dict[str, Any]]) -> int:
    """Return the judgements that a command's own scores say they were made of."""
    if table == "ratings":
        return sum(row["n_values"] for row in found if row["metric"] == "alpha")
    if table == "votes":  # both models of a vote count it; both bad is counted apart
        return sum(row["n_values"] for row in found if row["metric"] == "strength") // 2
    cells = {
        (row["model"], row["group"].partition(":")[0]): row["n_values"]
        for row in found
        if row["metric"] == "attribution_share"
    }
    return sum(cells.values())


def test_agreement_on_a_plain_table_uses_all_its_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table without models: `used` is what α was made of, and no mean or rank is spoken of."""
    path = tmp_path / "plain.csv"
    rows = [
        f"r{rater},i{item},c,{1 + (item + rater) % 3}" for rater in range(3) for item in range(3)
    ]
    path.write_text("\n".join(["rater,item,criterion,value", *rows, ""]), encoding="utf-8")
    assert main(["agreement", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    counts = {row["group"]: row["value"] for row in found if row["metric"] == "rows"}
    assert counts["used"] == _values_behind("ratings", found) == len(rows)
    assert "without_model" not in counts


def test_agreement_speaks_of_no_mean_or_rank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "never.csv"
    rows = [f"r{rater},m{item},m,s{item},c,,true" for rater in range(3) for item in range(3)]
    rows += [
        f"r{rater},n{item},n,s{item},c,{item + 1},false" for rater in range(3) for item in range(3)
    ]
    header = "rater,item,model,prompt,criterion,value,not_applicable"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    assert main(["agreement", str(path), "--json"]) == 0
    alone = {row["metric"] for row in json.loads(capsys.readouterr().out)}
    assert "not_applicable_share" in alone
    assert not alone & {"mean_score", "rank"}
    assert main(["score", str(path), "--json"]) == 0
    refused = {
        (row["metric"], row["model"])
        for row in json.loads(capsys.readouterr().out)
        if row["reason"] == "never applicable"
    }
    assert refused == {("mean_score", "m"), ("rank", "m")}


def test_every_scorer_counts_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, table in World(scenes=6).tables(0).items():
        path = tmp_path / f"{name}.parquet"
        again = table.head(5).assign(occasion=1) if name != "votes" else table.head(0)
        pd.concat([table, again], ignore_index=True).to_parquet(path)
        command = {"ratings": "agreement", "votes": "rank", "attributions": "style"}[name]
        assert main([command, str(path), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        counts = {row["group"]: row["value"] for row in found if row["metric"] == "rows"}
        assert counts.pop("") == sum(counts.values()) == len(table) + len(again)
        assert counts["repeats"] == len(again)
        assert counts["used"] == _values_behind(name, found)
        repeated = {row["metric"] for row in found} & {"intra_rater", "intra_rater_kappa"}
        assert len(repeated) == 2 * (name == "ratings")


def test_the_terminal_says_why_there_is_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(VOTES + "r,q,a,b,left\n", encoding="utf-8")
    assert main(["rank", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    (strength,) = [line for line in said if line.startswith("strength  a:")]
    assert strength.endswith("(no interval: undefeated: a; winless: b)")
    assert "rows  votes: 2" in said

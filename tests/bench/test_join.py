from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import FileFormatError, RequestError
from bench.join import read_key, reveal


def key_row(stimulus: str, model: str, prompt: str = "boat/chinese") -> dict[str, object]:
    return {
        "stimulus": stimulus,
        "model": model,
        "prompt": prompt,
        "target": "chinese",
        "language": "zh",
        "genre": "landscape",
        "seed": 0,
        "stratum": "ink",
        "suite": "tiny",
        "home": "chinese",
    }


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "sealed").mkdir()
    rows = [key_row("aa", "one"), key_row("bb", "two"), key_row("cc", "two", "moon/chinese")]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "sealed" / "key.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_names_are_added_to_items_and_put_in_place_of_sides(study: Path) -> None:
    ratings = pd.DataFrame({"rater": ["r"], "item": ["bb"], "criterion": ["c"], "value": [3]})
    votes = pd.DataFrame({"rater": ["r"], "left": ["bb"], "right": ["aa"], "winner": ["left"]})
    named = reveal({"ratings": ratings, "votes": votes}, read_key(study))
    assert named["ratings"].iloc[0][["item", "model", "prompt"]].tolist() == [
        "bb",
        "two",
        "boat/chinese",
    ]
    vote = named["votes"].iloc[0]
    assert vote[["left", "right", "prompt"]].tolist() == ["two", "one", "boat/chinese"]


def test_a_key_of_an_earlier_version_lacks_names_that_came_later(study: Path) -> None:
    ratings = pd.DataFrame({"rater": ["r"], "item": ["bb"], "criterion": ["c"], "value": [3]})
    named = reveal({"ratings": ratings}, read_key(study))["ratings"].iloc[0]
    assert named[["stratum", "diagnosticity", "work"]].tolist() == ["ink", "", ""]


def test_seeds_stay_whole_though_references_have_none(study: Path, tmp_path: Path) -> None:
    path = study / "sealed" / "key.jsonl"
    work = json.dumps(key_row("dd", "reference") | {"seed": None}) + "\n"
    path.write_text(path.read_text(encoding="utf-8") + work, encoding="utf-8")
    ratings = pd.DataFrame({"rater": "r", "item": ["aa", "dd"], "criterion": "c", "value": 3})
    named = reveal({"ratings": ratings}, read_key(study))["ratings"]
    named.to_csv(tmp_path / "ratings.csv", index=False)
    assert pd.read_csv(tmp_path / "ratings.csv", dtype="str")["seed"].tolist()[0] == "0"
    assert named["seed"].isna().tolist() == [False, True]


def test_a_stimulus_that_the_key_does_not_know_is_an_error(study: Path) -> None:
    ratings = pd.DataFrame({"rater": ["r"], "item": ["zz"], "criterion": ["c"], "value": [3]})
    with pytest.raises(FileFormatError, match="'zz' is not in the study's key"):
        reveal({"ratings": ratings}, read_key(study))


def test_a_pair_of_two_prompts_is_an_error(study: Path) -> None:
    votes = pd.DataFrame({"rater": ["r"], "left": ["aa"], "right": ["cc"], "winner": ["tie"]})
    with pytest.raises(FileFormatError, match="not of one prompt"):
        reveal({"votes": votes}, read_key(study))


def test_a_study_without_its_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="where the key lies"):
        read_key(tmp_path)

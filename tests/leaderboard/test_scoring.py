"""The whole: severity, mean scores, repeats, counts of rows, and one list of unique scores."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import RequestError
from bench.records import REFERENCE, SIMULATED, Score
from leaderboard.additive import fit_additive
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.files import read_scores, write_scores
from leaderboard.quality import mean_scores
from leaderboard.ranking import rank
from leaderboard.scoring import score
from leaderboard.style import style
from leaderboard.tables import check_attributions, check_ratings, check_votes
from tests.leaderboard.simulation import World


def scores_of(tables: dict[str, pd.DataFrame], seed: int = 0, **options: object) -> list[Score]:
    return score(tables, rng=np.random.default_rng(seed), resamples=200, **options)  # type: ignore[arg-type]


def test_the_additive_model_finds_severity_with_gaps() -> None:
    rng = np.random.default_rng(0)
    quality, severity = rng.normal(3, 1, 50), np.array([-0.5, 0.0, 0.2, 0.3])
    item, rater = np.nonzero(rng.random((50, 4)) < 0.6)
    fit = fit_additive(
        np.unique(item, return_inverse=True)[1], rater, quality[item] + severity[rater]
    )
    assert fit.connected
    assert fit.bias == pytest.approx(severity - severity.mean(), abs=1e-9)
    assert fit.residual_sum == pytest.approx(0, abs=1e-12)


def test_a_harsh_rater_of_one_model_does_not_lower_it() -> None:
    rows = []
    for number in range(20):
        for model in ("a", "b"):
            raters = {"fair": 0.0, "harsh": -2.0} if model == "a" or number < 10 else {"fair": 0.0}
            rows += [
                {
                    "rater": rater,
                    "item": f"{model}{number}",
                    "criterion": "c",
                    "value": 4.0 + bias,
                    "model": model,
                    "prompt": f"p{number}",
                }
                for rater, bias in raters.items()
            ]
    found = scores_of({"ratings": check_ratings(pd.DataFrame(rows), "memory")})
    means = {s.model: s.value for s in found if s.metric == "mean_score"}
    assert means["a"] == pytest.approx(means["b"])


def test_not_applicable_enters_no_mean_and_is_counted() -> None:
    rows = [
        {
            "rater": rater,
            "item": f"{model}{number}",
            "criterion": "c",
            "value": 2.0 + number % 3,
            "model": model,
            "prompt": f"p{number}",
        }
        for rater in ("r", "s")
        for model in ("a", "b")
        for number in range(9)
    ]
    plain = check_ratings(pd.DataFrame(rows), "memory")
    lacking = {"criterion": "c", "not_applicable": True, "model": "a"}
    more = [{**lacking, "rater": rater, "item": "a9", "prompt": "p9"} for rater in ("r", "s")]
    frame = check_ratings(pd.DataFrame([*rows, *more]), "memory")
    scores = scores_of({"ratings": frame})
    apart = [s for s in scores if s.metric in {"rows", "not_applicable_share"}]
    said = "; 10% of answers not applicable"
    rest = [replace(s, method=s.method.removesuffix(said)) for s in scores if s not in apart]
    without = [s for s in scores_of({"ratings": plain}) if s.metric != "rows"]
    assert list(map(str, rest)) == list(map(str, without))
    assert [s.model for s in scores if s.method.endswith(said)] == ["a"]
    shares = {s.model: s.value for s in apart if s.metric == "not_applicable_share"}
    assert shares == {"a": pytest.approx(2 / 20), "b": 0}
    rows_of = {s.group: s.value for s in apart if s.metric == "rows"}
    assert (rows_of[""], rows_of["used"], rows_of["not_applicable"]) == (38, 36, 2)


def test_a_model_never_applicable_is_named_and_refused() -> None:
    rows = [
        {
            "rater": rater,
            "item": f"{model}{number}",
            "criterion": criterion,
            "value": None if (model, criterion) == ("a", "y") else 2.0 + number % 3,
            "not_applicable": (model, criterion) == ("a", "y"),
            "model": model,
            "prompt": f"p{number}",
        }
        for rater in ("r", "s")
        for model in ("a", "b")
        for criterion in ("x", "y")
        for number in range(6)
    ]
    frame = check_ratings(pd.DataFrame(rows), "memory")
    scores = scores_of({"ratings": frame})
    reasons = {
        (s.metric, s.group): s.reason
        for s in scores
        if (s.criterion, s.model) == ("y", "a") and s.metric in {"mean_score", "rank"}
    }
    assert reasons == {
        ("mean_score", ""): "never applicable",
        ("rank", "mean_score"): "never applicable",
    }
    nowhere = frame[frame["criterion"] == "y"].assign(not_applicable="true", value=np.nan)
    scores = scores_of({"ratings": pd.concat([frame[frame["criterion"] == "x"], nowhere])})
    (alpha,) = [s for s in scores if (s.metric, s.criterion) == ("alpha", "y")]
    assert alpha.reason == "never applicable"


def test_a_repeat_that_becomes_not_applicable_is_a_disagreement() -> None:
    rows = [
        {
            "rater": "r",
            "item": item,
            "criterion": "c",
            "value": value,
            "not_applicable": value is None,
            "model": "a",
            "prompt": item,
            "occasion": occasion,
        }
        for item, values in {"1": (3, None), "2": (None, None), "3": (2, 2), "4": (4, 5)}.items()
        for occasion, value in enumerate(values)
    ]
    scores = scores_of({"ratings": check_ratings(pd.DataFrame(rows), "memory")})
    (again,) = [s for s in scores if s.metric == "intra_rater" and s.group == ""]
    assert (again.value, again.n_values) == (0.5, 4)


def test_mean_scores_and_ranks_find_the_planted_order() -> None:
    world = World(scenes=60)
    found = scores_of({"ratings": world.ratings(np.random.default_rng(5), per_item=4)})
    for criterion in world.criteria:
        ranks = {s.model: s.value for s in found if s.metric == "rank" and s.criterion == criterion}
        assert ranks == {"balanced": 1, "japan": 2, "west": 3}
    means = [s for s in found if s.metric == "mean_score"]
    assert {s.model for s in means} == {*world.models, REFERENCE}
    assert all(s.low < s.value < s.high for s in means)
    assert all("severity removed" in s.method for s in means)


def _on_scenes(scenes: dict[str, range], better: dict[str, float]) -> list[Score]:
    """Scores of models rated on these scenes, each scene harder than the one before."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "rater": f"r{rater}",
            "item": f"{model}{scene}",
            "model": model,
            "prompt": f"s{scene}/x",
            "criterion": "beauty",
            "value": 7 - 0.15 * scene + better[model] + rng.normal(0, 0.1),
        }
        for model, there in scenes.items()
        for scene in there
        for rater in range(4)
    ]
    return scores_of({"ratings": check_ratings(pd.DataFrame(rows), "memory")})


def test_ranks_do_not_contradict_differences_where_scenes_differ() -> None:
    """B saw the harder scenes, and is better on every scene that both have."""
    scores = _on_scenes({"a": range(20), "b": range(10, 30)}, {"a": 0.0, "b": 0.5})
    (difference,) = (s for s in scores if s.metric == "score_difference")
    assert difference.high < 0
    ranks = {s.model: (s.value, s.low, s.high) for s in scores if s.metric == "rank"}
    assert ranks == {"a": (2, 2, 2), "b": (1, 1, 1)}
    assert [s.value for s in scores if s.metric == "ranked_above"] == [-1]


def test_a_model_without_common_scenes_has_no_rank() -> None:
    there = {"a": range(10), "b": range(10), "c": range(10, 20)}
    scores = _on_scenes(there, {"a": 0.0, "b": 0.5, "c": 3.0})
    ranks = {s.model: s for s in scores if s.metric == "rank"}
    assert math.isnan(ranks["c"].value)
    assert ranks["c"].reason == "no common scenes with a, b"
    assert ranks["a"].reason == "no common scenes with c"
    verdicts = {(s.model, s.against): s.value for s in scores if s.metric == "ranked_above"}
    assert verdicts["a", "b"] == -1
    assert verdicts["a", "c"] == 0


def _seeded(rng: np.random.Generator, n_seeds: int) -> pd.DataFrame:
    """Ratings of one model on 20 scenes by five raters, each seed favoured alike in all scenes."""
    shape = (5, 20, n_seeds)
    value = 4 + rng.normal(0, 0.5, n_seeds) + rng.normal(0, 0.3, 20)[:, None]
    value = value + rng.normal(0, 0.3, shape)
    rater, scene, seed = (part.ravel().astype(str) for part in np.indices(shape))
    return check_ratings(
        pd.DataFrame(
            {
                "rater": rater,
                "item": np.char.add(np.char.add(scene, "-"), seed),
                "model": "m",
                "prompt": np.char.add(scene, "/x"),
                "seed": seed,
                "criterion": "beauty",
                "value": value.ravel(),
            }
        ),
        "memory",
    )


def test_four_seeds_are_drawn_and_fewer_are_taken_for_all() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        found = mean_scores(_seeded(rng, 4), Score(), np.random.default_rng(1), 300)
        (mean,) = [score for score in found if score.metric == "mean_score"]
        held += mean.low <= 4 <= mean.high
        assert "over scenes, seeds, raters" in mean.method
    assert held >= 52
    for few in (2, 3):
        found = mean_scores(_seeded(rng, few), Score(), np.random.default_rng(1), 300)
        (mean,) = [score for score in found if score.metric == "mean_score"]
        assert f"over scenes, raters; for these {few} seeds alone" in mean.method


def test_two_raters_that_are_not_drawn_add_no_width() -> None:
    """What the interval says, "for these raters alone", it also does."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(3, 0.5, 30)[:, None], 2, axis=1)
    values[:, 1] += np.where(np.arange(30) < 15, 1.0, -1.0)
    rows = [
        {
            "rater": f"r{rater}",
            "item": f"{model}{scene}",
            "model": model,
            "prompt": f"s{scene}/x",
            "criterion": "beauty",
            "value": values[scene, rater]
            + (0.8 if model == "a" and rater else 0.0)
            + rng.normal(0, 0.1),
        }
        for model in ("a", "b")
        for scene in range(30)
        for rater in range(2)
    ]
    scores = scores_of({"ratings": check_ratings(pd.DataFrame(rows), "memory")})
    (difference,) = [s for s in scores if s.metric == "score_difference"]
    # both models are the same but for what one rater always adds
    assert difference.high - difference.low < 0.2


def test_a_single_rater_and_unconnected_raters_say_so() -> None:
    frame = World(scenes=4, raters=1).ratings(np.random.default_rng(0))
    means = [s for s in scores_of({"ratings": frame}) if s.metric == "mean_score"]
    assert all("one rater: severity not removed" in s.method for s in means)
    rows = [
        {"rater": rater, "item": item, "criterion": "c", "value": 3, "model": "m", "prompt": item}
        for rater, item in [("r", "i"), ("s", "j")]
    ]
    (mean,) = [
        s
        for s in scores_of({"ratings": check_ratings(pd.DataFrame(rows), "memory")})
        if s.metric == "mean_score"
    ]
    assert "not connected" in mean.method
    assert mean.value == 3


def test_all_equal_ratings() -> None:
    frame = World(scenes=4).ratings(np.random.default_rng(0)).assign(value=3.0)
    found = scores_of({"ratings": frame})
    means = [s for s in found if s.metric == "mean_score"]
    assert all(s.value == 3 for s in means)
    assert all(math.isnan(s.low) and s.reason == NOTHING_VARIES for s in means)
    ranks = [s for s in found if s.metric == "rank"]
    assert all((s.value, s.low, s.high) == (1, 1, 3) for s in ranks)
    assert all(s.reason == "no variation" for s in found if s.metric in {"alpha", "icc_2_1"})


def test_repeats_give_agreement_with_oneself() -> None:
    frame = World(scenes=4, criteria=["brush"]).ratings(np.random.default_rng(0))
    again = frame.iloc[:8].assign(occasion=1)
    again.loc[again.index[:2], "value"] += 1
    found = scores_of({"ratings": pd.concat([frame, again], ignore_index=True)})
    (whole,) = [s for s in found if s.metric == "intra_rater" and not s.group]
    assert whole.value == 0.75
    assert whole.n_values == 8
    rows = {(s.criterion, s.group): s.value for s in found if s.metric == "rows"}
    assert rows["ratings", ""] == len(frame) + 8
    assert rows["ratings", "used"] == len(frame)
    assert rows["ratings", "repeats"] == 8


def test_rows_in_equal_rows_used_and_set_aside(tmp_path: Path) -> None:
    tables = World(scenes=6).tables(1)
    nameless = tables["ratings"].iloc[:3].assign(model="", prompt="", item=["x", "y", "z"])
    tables["ratings"] = pd.concat([tables["ratings"], nameless], ignore_index=True)
    found = scores_of(tables)
    for name, frame in tables.items():
        rows = {s.group: s.value for s in found if s.metric == "rows" and s.criterion == name}
        assert rows.pop("") == len(frame) == sum(rows.values())
    assert all(s.reason for s in found if math.isnan(s.value))
    write_scores(found, tmp_path)
    assert repr(read_scores(tmp_path)) == repr(found)


def test_one_table_never_changes_the_scores_of_another() -> None:
    tables = World(scenes=4).tables(1)
    alone = scores_of({"attributions": tables["attributions"]})
    together = {repr(s) for s in scores_of(tables)}
    assert {repr(s) for s in alone} <= together


def test_studies_are_apart_and_simulated_is_said_of_the_whole_study() -> None:
    tables = World(scenes=4).tables(1)
    second = {name: frame.assign(study="two") for name, frame in tables.items()}
    second["ratings"] = second["ratings"].assign(rater_group=SIMULATED)
    both = {name: pd.concat([tables[name], second[name]], ignore_index=True) for name in tables}
    found = scores_of(both)
    for s in found:
        assert s.method.endswith("simulated raters") == (s.study == "two")
    first = [s for s in found if not s.study and s.metric == "mean_score"]
    again = [s for s in scores_of(tables) if s.metric == "mean_score"]
    assert [s.value for s in first] == [s.value for s in again]


def test_slices_and_levels() -> None:
    tables = World(scenes=6).tables(1)
    found = scores_of(tables, by=["language"], levels={"brush": "interval"})
    assert any(s.slice == "language=zh" and s.metric == "excess_leak" for s in found)
    levels = {s.criterion: s.level for s in found if s.metric == "alpha"}
    assert levels["brush"] == "interval"
    assert levels["spirit"] == "ordinal"
    assert levels["manner"] == "nominal"


def test_faults_of_the_request() -> None:
    with pytest.raises(
        RequestError, match="give tables among ratings, votes, attributions, detections"
    ):
        scores_of({})
    with pytest.raises(RequestError, match=r"found .'pairs'"):
        scores_of({"pairs": pd.DataFrame()})


def test_a_criterion_named_like_an_aspect_is_refused() -> None:
    tables = World(scenes=2).tables(1)
    tables["ratings"] = tables["ratings"].replace({"criterion": {"brush": "manner"}})
    with pytest.raises(RequestError, match="a criterion 'manner', which is the name of an aspect"):
        scores_of(tables)


def test_tables_without_rows_give_no_scores() -> None:
    empty = {name: frame.iloc[:0] for name, frame in World(scenes=2).tables(1).items()}
    checks = {"ratings": check_ratings, "votes": check_votes, "attributions": check_attributions}
    checked = {name: checks[name](frame, "memory") for name, frame in empty.items()}
    assert scores_of(checked) == []


def test_importing_the_package_is_light() -> None:
    code = "import sys, leaderboard; print(sorted({'torch', 'gradio', 'pandas', 'raters'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_every_module_but_the_app_needs_neither_torch_nor_gradio() -> None:
    code = (
        "import importlib, pkgutil, sys, leaderboard\n"
        "names = {m.name for m in pkgutil.iter_modules(leaderboard.__path__)} - {'serve'}\n"
        "[importlib.import_module(f'leaderboard.{name}') for name in sorted(names)]\n"
        "print(sorted({'torch', 'gradio', 'diffusers', 'raters'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["votes", "attributions"])
def test_one_table_alone_gives_the_numbers_of_all_together(kind: str) -> None:
    """Neither what else is scored nor how it is sliced moves what is drawn from the same seed."""
    tables = World(scenes=8).tables(1)
    together = {repr(s) for s in scores_of(tables, by=["language"])}
    rng = np.random.default_rng(0)
    alone = (
        rank(tables["votes"], rng=rng, resamples=200)
        if kind == "votes"
        else style(tables["attributions"], rng=rng, resamples=200)
    )
    assert alone
    assert {repr(s) for s in alone} <= together


def test_a_study_has_the_same_numbers_beside_another() -> None:
    first, other = World(scenes=8).tables(1), World(scenes=5).tables(2)
    both = {
        name: pd.concat([frame, other[name].assign(study="b")], ignore_index=True)
        for name, frame in first.items()
    }
    together = [repr(s) for s in scores_of(both) if not s.study]
    assert together == [repr(s) for s in scores_of(first)]


def test_a_slice_that_no_row_has_is_refused() -> None:
    tables = World(scenes=4).tables(1)
    for column, said in (("genre", "no row has anything"), ("colour", "no table has such")):
        with pytest.raises(RequestError, match=f"cannot slice by '{column}': {said}"):
            scores_of(tables, by=[column])
    with pytest.raises(RequestError, match="cannot slice by 'genre': no row has anything"):
        rank(tables["votes"], rng=np.random.default_rng(0), by=["genre"])
    # the attributions alone have a language: the other tables have no slices of it
    sliced = {s.metric for s in scores_of(tables, by=["language"]) if s.slice}
    assert "excess_leak" in sliced
    assert "strength" not in sliced

"""Planning: planted components found with cells missing, the figures of the method, and votes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.cli import main
from bench.errors import RequestError
from bench.records import Score
from leaderboard.planning import (
    _promises,
    plan_ratings,
    plan_votes,
    rows_of_pilot,
    variance_components,
)
from leaderboard.tables import check_ratings, check_votes
from tests.leaderboard import coverage
from tests.leaderboard.simulation import World

PLANTED = {
    "model": 0.2, "prompt": 0.1, "rater": 0.15, "model:prompt": 0.25, "model:rater": 0.05,
    "prompt:rater": 0.02, "residual": 0.64,
}  # fmt: skip


def pilot(
    seed: int, *, missing: float = 0.0, shape: tuple[int, int, int] = (8, 60, 12)
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    m, p, r = shape
    sizes = {
        "model": (m, 1, 1), "prompt": (1, p, 1), "rater": (1, 1, r), "model:prompt": (m, p, 1),
        "model:rater": (m, 1, r), "prompt:rater": (1, p, r), "residual": shape,
    }  # fmt: skip
    value = sum(rng.normal(0, PLANTED[name] ** 0.5, size) for name, size in sizes.items())
    where = np.argwhere(rng.random(shape) >= missing)
    frame = pd.DataFrame(where, columns=["model", "prompt", "rater"]).astype(str)
    frame["item"] = frame["model"] + "-" + frame["prompt"]
    return check_ratings(
        frame.assign(criterion="c", value=np.broadcast_to(value, shape)[tuple(where.T)]), "memory"
    )


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_planted_components_are_found_on_average(missing: float) -> None:
    found = pd.DataFrame([variance_components(pilot(seed, missing=missing)) for seed in range(30)])
    for name, planted in PLANTED.items():
        error = found[name].std() / 30**0.5
        assert abs(found[name].mean() - planted) < 4 * error + 0.005, name


def test_complete_tables_give_the_analysis_of_variance() -> None:
    frame = pilot(1, shape=(3, 5, 4))
    grid = frame["value"].to_numpy().reshape(3, 5, 4)
    residual = grid.copy()
    for axis in range(3):
        residual = residual - residual.mean(axis=axis, keepdims=True)
    mean_square = (residual**2).sum() / (2 * 4 * 3)
    assert variance_components(frame)["residual"] == pytest.approx(mean_square)


@pytest.mark.parametrize(
    ("prompts", "raters", "gap"), [(50, 5, 0.53), (100, 10, 0.36), (200, 24, 0.23)]
)
def test_the_figures_of_the_method(prompts: int, raters: int, gap: float) -> None:
    found = {s.metric: s.value for s in _promises(PLANTED, prompts, raters, None, Score())}
    assert found["detectable_gap"] == pytest.approx(gap, abs=0.006)
    assert 0 < found["phi"] < found["e_rho2"] < 1


@pytest.mark.parametrize(("scenes", "gap"), [(48, 0.39), (24, 0.52)])
def test_incomplete_blocks(scenes: int, gap: float) -> None:
    found = {s.metric: s.value for s in _promises(PLANTED, scenes, 30, 5, Score())}
    assert found["detectable_gap"] == pytest.approx(gap, abs=0.006)


def test_a_plan_names_every_pair_of_numbers() -> None:
    scores = plan_ratings(pilot(0), prompts=[50, 100], raters=[5, 10])
    groups = {s.group for s in scores if s.metric == "detectable_gap"}
    assert groups == {f"prompts={p} raters={r}" for p in (50, 100) for r in (5, 10)}
    assert all(s.reason for s in scores)


def test_what_a_pilot_cannot_tell() -> None:
    one_rater = pilot(0, shape=(3, 6, 1))
    scores = plan_ratings(one_rater, prompts=[50], raters=[5])
    (gap,) = [s for s in scores if s.metric == "detectable_gap"]
    assert np.isnan(gap.value)
    assert "model:rater" in gap.reason
    with pytest.raises(RequestError, match="7 raters per item are more than a panel of 5"):
        plan_ratings(one_rater, prompts=[50], raters=[5], per_item=7)
    nameless = one_rater.assign(model="")
    with pytest.raises(RequestError, match="name no model and prompt"):
        plan_ratings(nameless, prompts=[50], raters=[5])


def test_the_rows_of_a_pilot_are_counted_by_use() -> None:
    world = World(scenes=6)
    rng = np.random.default_rng(0)
    ratings = world.ratings(rng)
    again, nameless = ratings.head(3).assign(occasion=1), ratings.tail(2).assign(model="", item="x")
    ratings = pd.concat([ratings, again, nameless], ignore_index=True)
    pilot = {"ratings": ratings, "votes": world.votes(rng), "attributions": world.attributions(rng)}
    scores = rows_of_pilot(pilot)
    for name, table in pilot.items():
        counts = {s.group: s.value for s in scores if s.criterion == name}
        assert counts.pop("") == len(table) == sum(counts.values())
    counts = {s.group: s.value for s in scores if s.criterion == "ratings"}
    planned = plan_ratings(ratings, prompts=[50], raters=[5])
    components = [s for s in planned if (s.metric, s.group) == ("variance_component", "model")]
    assert counts["used"] == sum(s.n_values for s in components)
    assert (counts["repeats"], counts["without_model"]) == (3, 2)
    assert counts["references"] == 6 * 4 * 8
    (left,) = [s for s in scores if s.group == "not_planned_from"]
    assert (left.criterion, left.value) == ("attributions", len(pilot["attributions"]))


def test_models_that_do_not_differ_have_no_generalisability() -> None:
    found = {s.metric: s for s in _promises({**PLANTED, "model": -0.01}, 50, 5, None, Score())}
    assert found["detectable_gap"].value > 0
    for metric in ("e_rho2", "phi"):
        assert np.isnan(found[metric].value)
        assert found[metric].reason == "models do not differ in the pilot"


def test_the_votes_planned_for_give_the_width_wished_for() -> None:
    world = World(scenes=60, raters=8)
    (pairs,) = plan_votes(
        world.votes(np.random.default_rng(0)), precision=0.15, rng=np.random.default_rng(0)
    )
    per_scene = int(pairs.value / (8 * 60)) + 1
    assert per_scene >= 1
    design = coverage.Design(raters=20, scenes=200, severity=0.0)
    votes = coverage.voted(design, np.random.default_rng(0))
    frame = pd.DataFrame(
        {
            "rater": votes.rater.astype(str),
            "prompt": votes.prompt.astype(str),
            "left": np.array(votes.models)[votes.left],
            "right": np.array(votes.models)[votes.right],
            "winner": np.array(["left", "right", "tie"])[votes.winner],
        }
    )
    checked = check_votes(frame, "memory")
    found = coverage.of_votes(design, np.random.default_rng(0), 500)
    _, low, high = found["difference of strengths"]
    (needed,) = plan_votes(checked, precision=(high - low) / 2, rng=np.random.default_rng(0))
    assert needed.value == pytest.approx(len(votes.left), rel=0.25)
    with pytest.raises(RequestError, match="not above 0"):
        plan_votes(checked, precision=0, rng=np.random.default_rng(0))


def test_the_command_plans_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ratings, votes = tmp_path / "ratings.csv", tmp_path / "votes.csv"
    pilot(0, shape=(3, 12, 6)).to_csv(ratings, index=False)
    World(scenes=20).votes(np.random.default_rng(0)).to_csv(votes, index=False)
    command = ["study", "plan", "--pilot", str(ratings), "--pilot", str(votes), "--json"]
    assert main([*command, "--prompts", "40", "--raters", "6,12", "--per-item", "3"]) == 0
    metrics = {row["metric"] for row in json.loads(capsys.readouterr().out)}
    forecast = {"variance_component", "detectable_gap", "e_rho2", "phi", "pairs_needed"}
    assert metrics == forecast | {"rows"}
    assert main(["study", "plan", "--pilot", str(ratings), "--raters", "2", "--per-item", "3"]) == 2
    assert "more than a panel of 2" in capsys.readouterr().err
    assert main(["study", "plan", "--pilot", str(votes), "--prompts", "40", "--per-item", "3"]) == 2
    assert "--prompts, --per-item: asks about ratings, and the pilot has" in capsys.readouterr().err
    assert main(["study", "plan", "--pilot", str(ratings), "--precision", "0.1"]) == 2
    assert "--precision: asks about votes" in capsys.readouterr().err

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.join import read_key
from raters.export import tables
from raters.simulated import Look, simulate
from raters.study import create, invite, status
from raters.temper import draw_temper, vote
from tests.raters.material import look, write_config

Simulated = tuple[Path, int, list[int], list[tuple[int, int]]]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, run: Path, references: Path) -> Simulated:
    folder = tmp_path_factory.mktemp("simulated")
    study = folder / "study"
    create(write_config(folder, simulated=True), [run], references=references, out=study)
    heard: list[int] = []
    looked: list[tuple[int, int]] = []

    def look_and_count(image: Image.Image) -> Look:
        looked.append(image.size)
        return look(image)

    given = simulate(study, look=look_and_count, rng=np.random.default_rng(2), advance=heard.append)
    return study, given, heard, looked


def test_simulated_raters_do_the_whole_plan_through_the_store(simulated: Simulated) -> None:
    study, given, heard, looked = simulated
    found = status(study)
    assert found["finished"] == found["planned"] == 6
    assert found["responses"] == given
    assert heard == [1] * 6
    assert len(looked) == 117  # once per picture
    assert found["coverage"]["items"]["least"] == 2


def test_every_table_made_from_them_says_simulated(simulated: Simulated) -> None:
    found = tables(simulated[0])
    assert {name: len(table) for name, table in found.items()} == {
        "ratings": 39 * 2 * 2,
        "votes": 36 * 2,
        "attributions": 117 * 2 * 2,
        **dict.fromkeys(("detections", "flags", "marks", "passages", "remarks", "skips"), 0),
    }
    for table in (found["ratings"], found["votes"], found["attributions"]):
        assert set(table["rater_group"]) == {"simulated"}
        assert set(table["occasion"]) == {0}


def test_a_person_in_the_same_study_is_not_called_simulated(
    simulated: Simulated, tmp_path: Path
) -> None:
    study = shutil.copytree(simulated[0], tmp_path / "study")
    invite(study, 1, base_url="")
    assert status(study)["raters"][-1]["group"] == ""


def test_they_see_what_is_in_the_pixels(simulated: Simulated) -> None:
    study = simulated[0]
    models = read_key(study)["model"]
    found = tables(study)
    ratings = found["ratings"].join(models, on="item")
    means = ratings.groupby("model")["value"].mean()
    # the fixture's pictures grow colder from model to model, and warmth is what its look sees
    assert means["zebra-diffusion"] > means["okapi-flow"] > means["quagga-dit"]
    manner = found["attributions"].query("aspect == 'manner'").join(models, on="item")
    chinese = (manner["attribution"] == "chinese").groupby(manner["model"]).mean()
    assert chinese["zebra-diffusion"] > chinese["quagga-dit"]
    assert "cannot_tell" in set(found["attributions"]["attribution"])


def test_a_look_that_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="no probabilities"):
        Look({"chinese": 0.8, "japanese": 0.8}, 0.5)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        Look({"chinese": 0.8}, 1.5)


def test_votes_know_ties_and_both_bad() -> None:
    rng = np.random.default_rng(0)
    temper = draw_temper(rng)
    alike = [vote(0.6, 0.6, temper, rng) for _ in range(300)]
    assert 0.05 < alike.count("tie") / 300 < 0.6
    assert abs(alike.count("left") - alike.count("right")) < 80
    poor = [vote(0.05, 0.05, temper, rng) for _ in range(300)]
    assert poor.count("both_bad") > 60
    clear = [vote(0.95, 0.1, temper, rng) for _ in range(300)]
    assert clear.count("left") > 240

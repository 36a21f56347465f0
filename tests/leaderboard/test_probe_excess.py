"""The excess leak by raters and probe together: strata, and raters who see leak and works alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.records import REFERENCE, Score
from leaderboard.probe_ppi import combine
from leaderboard.probes import check_probes
from leaderboard.share_intervals import difference_of_bounds
from leaderboard.style import style
from leaderboard.tables import check_attributions

_INK, _COLOUR = 0.4, 0.0
"""How often Chinese works are taken for Japanese, by stratum."""


def painted(rng: np.random.Generator, strata: tuple[str, ...], *, raters: int = 6) -> pd.DataFrame:
    """Attributions of a model no more Japanese than works are, its scenes in `strata` by turns."""
    rows = []

    def show(taken: float, *about: str) -> None:
        for rater in range(raters):
            said = "japanese" if rng.random() < taken else "chinese"
            rows.append((f"r{rater}", said, *about))

    for k in range(30):
        show(_INK, f"ink{k}", REFERENCE, "chinese", "", "ink", "")
        show(_COLOUR, f"colour{k}", REFERENCE, "chinese", "", "colour", "")
        show(0.95, f"j{k}", REFERENCE, "japanese", "", "ink", "")
    for scene in range(40):
        stratum = strata[scene % len(strata)]
        taken = _INK if stratum == "ink" else _COLOUR
        show(taken, f"o{scene}", "a", "chinese", f"s{scene}/chinese", stratum, "0")
    columns = ["rater", "attribution", "item", "model", "target", "prompt", "stratum", "seed"]
    made = pd.DataFrame(rows, columns=pd.Index(columns))
    return check_attributions(made.assign(suite="s", language="en"), "t")


def probed(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A probe of the outputs that says nothing of them."""
    outputs = frame[frame["model"] != REFERENCE].drop_duplicates("item")
    japanese = rng.uniform(0.2, 0.6, len(outputs))
    columns = ["model", "prompt", "target", "language", "seed", "stratum", "suite", "genre"]
    columns += ["diagnosticity", "work"]
    told = outputs[columns].assign(output=outputs["item"], kind="style", probe="p", home="chinese")
    return check_probes(told.assign(p_japanese=japanese, p_chinese=1 - japanese), "t")


def excess(scores: list[Score]) -> Score:
    (found,) = [s for s in scores if s.metric == "excess_leak" and s.group == "japanese"]
    return found


def by_both_ways(frame: pd.DataFrame, probes: pd.DataFrame) -> tuple[Score, Score]:
    by_raters = style(frame, home="chinese", rng=np.random.default_rng(1), resamples=200)
    by_manner = [s for s in by_raters if s.criterion == "manner"]
    return excess(by_manner), excess(combine(frame, probes, home="chinese"))


@pytest.mark.parametrize(
    ("strata", "says"),
    [
        (("ink",), "; stratified"),
        (("ink", "colour", "ink"), "; stratified"),
        (("ink", "lacquer", ""), "; stratified, all references for lacquer, outputs of no stratum"),
        (("lacquer",), "; not stratified: no references of its strata"),
        (("",), "references by raters alone"),
    ],
)
def test_where_every_output_is_judged_the_excess_is_the_raters_own(
    strata: tuple[str, ...], says: str
) -> None:
    rng = np.random.default_rng(0)
    frame = painted(rng, strata)
    own, both = by_both_ways(frame, probed(frame, rng))
    assert "λ 0.00" in both.method
    assert both.value == pytest.approx(own.value, abs=1e-12)
    assert both.method.endswith(says)
    assert ("stratified" not in both.method) == ("stratified" not in own.method)
    assert own.method.endswith(says) or not says.startswith(";")


def test_the_medium_is_not_blamed_on_the_model() -> None:
    """Weighed by all works, ink outputs that are taken as ink works are leaked by a fifth."""
    rng = np.random.default_rng(0)
    frame = painted(rng, ("ink",))
    own, both = by_both_ways(frame, probed(frame, rng))
    assert own.low < 0 < own.high
    assert both.low < 0 < both.high


def test_a_run_that_names_no_strata_takes_those_of_the_study() -> None:
    rng = np.random.default_rng(0)
    frame = painted(rng, ("ink", "colour"))
    probes = probed(frame, rng)
    own, both = by_both_ways(frame, probes.assign(stratum=""))
    assert both.value == pytest.approx(own.value, abs=1e-12)
    assert both.method.endswith("; stratified")


def test_outputs_that_nobody_judged_count_in_the_mix_of_strata() -> None:
    rng = np.random.default_rng(0)
    frame = painted(rng, ("ink", "colour", "colour"))
    probes = probed(frame, rng)
    # every colour scene is left to the probe, which is never moved by it
    judged = frame[(frame["model"] == REFERENCE) | (frame["stratum"] == "ink")]
    probes.loc[:, ["p_japanese", "p_chinese"]] = 0.5
    found = excess(combine(judged, probes, home="chinese"))
    works = judged[(judged["model"] == REFERENCE) & (judged["target"] == "chinese")]
    taken = (works["attribution"] == "japanese").groupby(works["stratum"]).mean()
    asked = judged[judged["model"] != REFERENCE]
    leak = (asked["attribution"] == "japanese").mean()
    mixed = (14 * taken["ink"] + 26 * taken["colour"]) / 40
    assert found.value == pytest.approx(leak - mixed, abs=1e-12)


def habitual(rng: np.random.Generator, spread: float) -> pd.DataFrame:
    """Attributions by raters who take outputs and works alike for Japanese, each by a habit."""
    frame = painted(rng, ("ink",), raters=8)
    habit = dict(zip(sorted(frame["rater"].unique()), rng.normal(0, spread, 8), strict=True))
    share = 1 / (1 + np.exp(1.0 - frame["rater"].map(habit).to_numpy(dtype=np.float64)))
    japanese = np.where(frame["target"] == "japanese", 0.95, share)
    said = np.where(rng.random(len(frame)) < japanese, "japanese", "chinese")
    return frame.assign(attribution=pd.Series(said, index=frame.index, dtype="str"), stratum="")


def test_what_raters_do_to_works_and_outputs_alike_is_not_in_the_width() -> None:
    """A habit makes every share uncertain, and none of their difference: it cancels."""
    widths, of_leaks, held = [], [], []
    for rng in np.random.default_rng(4).spawn(40):
        frame = habitual(rng, 1.5)
        scores = combine(frame, probed(frame, rng), home="chinese")
        found = excess(scores)
        (leak,) = [s for s in scores if s.metric == "raw_leak" and s.group == "japanese"]
        if np.isfinite(found.low):
            widths.append(found.high - found.low)
            of_leaks.append(leak.high - leak.low)
            held.append(found.low <= 0 <= found.high)
    assert len(held) > 20
    assert np.mean(held) > 0.85
    assert np.mean(widths) < 0.6 * np.mean(of_leaks)


def test_references_of_one_rater_are_for_that_rater_alone() -> None:
    rng = np.random.default_rng(0)
    frame = painted(rng, ("ink",))
    few = frame[(frame["model"] != REFERENCE) | (frame["rater"] == "r0")]
    probes = probed(frame, rng)
    assert "alone" in excess(combine(few, probes, home="chinese")).method.rpartition(";")[2]
    assert not excess(combine(frame, probes, home="chinese")).method.endswith("alone")


def test_errors_that_go_together_make_a_difference_the_surer() -> None:
    first, second = (0.4, 0.3, 0.5), (0.2, 0.1, 0.3)
    apart = difference_of_bounds(first, second)
    alike = difference_of_bounds(first, second, 0.9)
    assert apart[0] < alike[0] < 0.2 < alike[1] < apart[1]
    assert difference_of_bounds(first, first, 1.0) == pytest.approx((0.0, 0.0))

"""Scores from probes, and raters and probe together, against planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm, t

from bench.errors import FileFormatError, RequestError
from bench.records import REFERENCE, Score
from leaderboard.compare import is_loss, is_undecided
from leaderboard.gate import _leak, gate, half_width
from leaderboard.ppi import ppi, rectifiers, with_t_interval
from leaderboard.probe_ppi import combine
from leaderboard.probes import bootstrap_mean, check_probes, diversity_scores, probe_scores
from leaderboard.share_intervals import difference_of_bounds, share_interval
from leaderboard.tables import check_attributions

TRADITIONS = ["chinese", "japanese", "western"]
COLUMNS = [f"p_{name}" for name in TRADITIONS]
CONFUSION = np.array([[0.8, 0.15, 0.05], [0.2, 0.75, 0.05], [0.05, 0.05, 0.9]])
"""What the probe says, on average, of a picture that is truly of each tradition."""


def seen(rng: np.random.Generator, true: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rng.dirichlet(6 * CONFUSION[true])


def table(
    rng: np.random.Generator,
    mixes: dict[str, list[float]],
    *,
    scenes: int = 20,
    seeds: int = 4,
    references: int = 60,
) -> pd.DataFrame:
    """Probe rows of models that paint, asked for Chinese, by `mixes`; neutral likewise."""
    rows = []
    for model, mix in mixes.items():
        for scene in range(scenes):
            tilt = rng.dirichlet(20 * np.array(mix) + 1e-3)
            for target in ("chinese", "none"):
                for seed in range(seeds):
                    true = int(rng.choice(3, p=tilt))
                    key = f"{model}-{scene}-{target}-{seed}"
                    rows.append(
                        (
                            key,
                            model,
                            f"s{scene}/{target}",
                            target,
                            str(seed),
                            true,
                            *seen(rng, true),
                        )
                    )
    for number in range(references * 3):
        name, true = f"w{number}", number % 3
        rows.append((name, REFERENCE, name, TRADITIONS[true], "", true, *seen(rng, true)))
    columns = ["output", "model", "prompt", "target", "seed", "true", *COLUMNS]
    frame = pd.DataFrame(rows, columns=pd.Index(columns))
    frame = frame.assign(kind="style", probe="p:net", home="chinese", language="en", suite="s")
    return frame.assign(genre="", stratum="", diagnosticity="", work="")


def pick(scores: list[Score], metric: str, model: str = "", group: str = "") -> Score:
    (found,) = [
        s for s in scores if (s.metric, s.model, s.group, s.slice) == (metric, model, group, "")
    ]
    return found


def test_the_indices_come_from_probabilities_with_the_probes_own_confusion_out() -> None:
    rng = np.random.default_rng(4)
    frame = table(rng, {"faithful": [1, 0, 0], "japan": [0.4, 0.6, 0]}, scenes=60)
    scores = probe_scores(
        check_probes(frame, "t"), None, study="run", rng=np.random.default_rng(0), resamples=300
    )
    assert {s.source for s in scores} == {"probe"}
    assert {s.criterion for s in scores} == {"p:net"}
    true = 0.6 * (CONFUSION[1, 1] - CONFUSION[0, 1])
    japan = pick(scores, "excess_leak", "japan", "japanese")
    assert japan.low < true < japan.high
    assert japan.value == pytest.approx(true, abs=0.08)
    assert pick(scores, "raw_leak", "japan", "japanese").value > japan.value + 0.1
    faithful = pick(scores, "excess_leak", "faithful", "japanese")
    assert faithful.low < 0 < faithful.high
    assert pick(scores, "neutral_default", "japan", "japanese").value > 0
    assert "rater" not in japan.method


def test_without_references_the_excess_is_refused_and_the_raw_leak_stands() -> None:
    frame = table(np.random.default_rng(0), {"a": [0.5, 0.5, 0]}, references=0)
    scores = probe_scores(check_probes(frame, "t"), None, study="r", rng=np.random.default_rng(0))
    assert pick(scores, "excess_leak", "a", "japanese").reason == "no references"
    assert 0.3 < pick(scores, "raw_leak", "a", "japanese").value < 0.7


def test_a_slice_has_its_own_indices() -> None:
    frame = table(np.random.default_rng(0), {"a": [1, 0, 0]})
    frame.loc[frame["prompt"].str.contains("s1"), "language"] = "zh"
    scores = probe_scores(
        check_probes(frame, "t"), None, study="r", rng=np.random.default_rng(0), by=["language"],
        resamples=50,
    )  # fmt: skip
    assert {"", "language=en", "language=zh"} == {s.slice for s in scores}


def test_diversity_stands_beside_as_many_references_and_says_why_it_cannot() -> None:
    rows = [
        {"kind": "within", "model": m, "prompt": f"s{k}/chinese", "language": "en", "n": 3, "vendi": v + 0.01 * k}
        for m, v in (("mould", 1.05), ("rich", 2.4))
        for k in range(6)
    ]  # fmt: skip
    rows += [
        {"kind": "between", "model": "", "prompt": f"s{k}/chinese", "language": "en", "n": 2, "vendi": 1.5 + k / 10}
        for k in range(6)
    ]  # fmt: skip
    rows += [{"kind": "references", "model": "", "prompt": "", "n": 3, "vendi": 2.0}] * 5
    blank = Score(study="r", source="probe")
    found = list(diversity_scores(pd.DataFrame(rows), blank, np.random.default_rng(0), 200))
    assert pick(found, "diversity", "mould", "within").high < 1.2
    assert pick(found, "diversity", "rich", "within").low > 2.3
    assert pick(found, "diversity", "", "between").value == pytest.approx(1.75)
    assert pick(found, "diversity", REFERENCE, "within").value == pytest.approx(2.0)
    assert (
        "too few references: fewer than 2" in pick(found, "diversity", REFERENCE, "between").reason
    )
    single = pd.DataFrame(
        [
            {
                "kind": "within",
                "model": "m",
                "prompt": "s/c",
                "language": "en",
                "n": 1,
                "vendi": np.nan,
            }
        ]
    )
    (score,) = diversity_scores(single, blank, np.random.default_rng(0), 10)
    assert np.isnan(score.value)
    assert score.reason == "one picture per prompt"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f.drop(columns="target"), "'target' is missing"),
        (lambda f: f.assign(kind="odd"), "'odd'"),
        (lambda f: f.assign(p_chinese=f["p_chinese"] + 0.5), "do not sum to 1"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "twice"),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(spoil: object, says: str) -> None:
    frame = table(np.random.default_rng(0), {"a": [1, 0, 0]}, scenes=2)
    with pytest.raises(FileFormatError, match=says):
        check_probes(spoil(frame), "probes.parquet")  # type: ignore[operator]


def test_the_weight_is_the_published_one_where_outputs_are_independent() -> None:
    """λ = Cov(Y, f) / [(1 + n/N) Var f] (Angelopoulos et al. 2023, example 6.1), each output a scene."""
    rng = np.random.default_rng(8)
    f = rng.random(6000)
    y = (rng.random(6000) < f).astype(float)
    n, rest = 2000, 4000
    found = ppi(y[:n], f[:n], np.arange(n), f[n:], np.arange(n, 6000))
    wanted = np.cov(y[:n], f[:n])[0, 1] / ((1 + n / rest) * f.var())
    assert found.weight == pytest.approx(wanted, rel=0.05)
    assert found.value == pytest.approx(y[:n].mean() + found.weight * (f[n:].mean() - f[:n].mean()))
    assert found.variance < y[:n].var() / n
    alone = ppi(y[:n], f[:n], np.arange(n), f[:0], np.arange(0))
    assert (alone.value, alone.weight) == (y[:n].mean(), 0.0)


def judged(
    rng: np.random.Generator, frame: pd.DataFrame, share: float, raters: int = 6
) -> pd.DataFrame:
    """Raters see what is truly there but for one in ten; a random share of the outputs is judged."""
    rows = []
    for row in frame.itertuples():
        if row.model != REFERENCE and rng.random() > share:
            continue
        for rater in range(raters):
            right = rng.random() > 0.1
            label = TRADITIONS[row.true] if right else TRADITIONS[int(rng.integers(3))]
            rows.append(
                (f"r{rater}", row.output, row.model, row.prompt, row.target, label, row.seed)
            )
    columns = ["rater", "item", "model", "prompt", "target", "attribution", "seed"]
    made = pd.DataFrame(rows, columns=pd.Index(columns)).assign(language="en", home="chinese")
    return check_attributions(made, "t")


def test_combined_intervals_hold_the_truth_and_are_narrower_than_the_judged_alone() -> None:
    """A short run of the coverage that docs/validation.md reports."""
    rng = np.random.default_rng(2)
    truth = 0.9 * 0.35 + 0.1 / 3
    held, widths, alone = [], [], []
    for _ in range(40):
        frame = table(rng, {"a": [0.65, 0.35, 0.0], "b": [0.9, 0.1, 0.0]}, scenes=30)
        ratings = judged(rng, frame, 0.25)
        scores = combine(ratings, check_probes(frame, "t"))
        found = pick(scores, "raw_leak", "a", "japanese")
        held.append(found.low <= truth <= found.high)
        widths.append(found.high - found.low)
        judged_only = check_probes(frame[frame["output"].isin(set(ratings["item"]))], "t")
        few = pick(combine(ratings, judged_only), "raw_leak", "a", "japanese")
        alone.append(few.high - few.low)
    assert np.mean(held) >= 0.85
    assert np.mean(widths) < 0.9 * np.mean(alone)


def test_a_shares_interval_is_wilsons_where_outputs_are_independent() -> None:
    for hits, n in ((1, 30), (9, 30), (28, 30)):
        share = hits / n
        wanted = binomtest(hits, n).proportion_ci(0.95, method="wilson")
        found = share_interval(share, share * (1 - share) / n, float(norm.ppf(0.975)))
        assert found == pytest.approx((wanted.low, wanted.high))
    assert share_interval(-0.02, 0.0001, 2.0) == pytest.approx((-0.04, 0.0))
    assert share_interval(0.3, 0.0, 2.0) == (0.3, 0.3)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # his table II, contrast (a): 56/70 − 48/80
    first, second = (56 / 70, 56 / 70 * 14 / 70 / 70), (48 / 80, 48 / 80 * 32 / 80 / 80)
    reach = float(norm.ppf(0.975))
    one, other = ((share[0], *share_interval(*share, reach)) for share in (first, second))
    assert difference_of_bounds(one, other) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_rectifier_tells_whether_the_probe_sees_models_with_different_eyes() -> None:
    rng = np.random.default_rng(5)
    frame = table(rng, {"a": [0.7, 0.3, 0.0], "b": [0.7, 0.3, 0.0]}, scenes=40)
    ratings = judged(rng, frame, 0.5)
    fair = pick(combine(ratings, check_probes(frame, "t")), "rectifier_p", "", "japanese")
    assert fair.value > 0.01
    partial = frame.copy()
    own = (partial["model"] == "b") & (partial["target"] != "japanese")
    moved = 0.5 * partial.loc[own, "p_chinese"]
    partial.loc[own, "p_chinese"] -= moved
    partial.loc[own, "p_japanese"] += moved
    scores = combine(ratings, check_probes(partial, "t"))
    assert pick(scores, "rectifier_p", "", "japanese").value < 0.001
    # the judged outputs correct what the probe is wrong by
    a, b = (pick(scores, "raw_leak", model, "japanese") for model in "ab")
    assert abs(a.value - b.value) < 0.15


@pytest.mark.parametrize(("scenes", "models"), [(6, 3), (12, 3), (12, 6)])
def test_the_rectifiers_test_rejects_equal_models_as_often_as_it_says(
    scenes: int, models: int
) -> None:
    rng = np.random.default_rng(21)
    blank = Score(source="combined")
    own, nothing = np.arange(scenes), np.empty(0)
    rejected = []
    for _ in range(1000):
        hard = rng.normal(0, 1, scenes)  # a scene's part in the error, whichever model painted it
        wrong = hard + rng.normal(0, 1, (models, scenes))
        estimates = {
            str(k): (ppi(one, np.zeros(scenes), own, nothing, nothing.astype(np.int64)), scenes)
            for k, one in enumerate(wrong)
        }
        rejected.append(pick(list(rectifiers(estimates, blank)), "rectifier_p").value < 0.05)
    assert 0.03 <= np.mean(rejected) <= 0.07


def test_too_few_scenes_refuse_the_test_of_rectifiers() -> None:
    rng = np.random.default_rng(22)
    blank = Score(source="combined")

    def tested(scenes: int, unjudged: int = 0) -> Score:
        rest = rng.random(unjudged)
        codes = np.arange(scenes + unjudged)
        estimates = {
            name: (
                ppi(rng.random(scenes), rng.random(scenes), codes[:scenes], rest, codes[scenes:]),
                scenes,
            )
            for name in "abcd"
        }
        return pick(list(rectifiers(estimates, blank)), "rectifier_p")

    assert tested(3, unjudged=20).reason == "too few scenes for so many models"
    enough = tested(4)
    assert 0 <= enough.value <= 1
    assert "Hotelling's T² over scenes" in enough.method


def test_a_model_nobody_judged_is_probe_only() -> None:
    rng = np.random.default_rng(6)
    frame = table(rng, {"a": [0.7, 0.3, 0.0], "b": [0.7, 0.3, 0.0]})
    ratings = judged(rng, frame[frame["model"] != "b"], 0.5)
    scores = combine(ratings, check_probes(frame, "t"))
    assert pick(scores, "raw_leak", "b", "japanese").reason.startswith("no interval: probe only")
    with pytest.raises(RequestError, match="no output in common"):
        combine(ratings, check_probes(frame[frame["model"] != "a"], "t"))


def gated(frame: pd.DataFrame, model: str = "new") -> dict[tuple[str, str], str]:
    verdicts = gate(
        check_probes(frame, "t"), None, model=model, baseline="old", home="chinese",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert half_width(verdicts, "leak") > 0
    return {(one.difference.criterion, one.difference.group): one.outcome for one in verdicts}


def test_the_gate_finds_a_leak_in_its_direction_and_no_other() -> None:
    rng = np.random.default_rng(3)
    frame = table(rng, {"old": [0.9, 0.05, 0.05], "new": [0.5, 0.45, 0.05]}, scenes=30)
    found = gated(frame)
    assert found["leak", "japanese"] == "worse"
    assert found["leak", "western"] == "no difference shown"
    assert found["diversity", ""] == found["faults", ""] == "not comparable"
    turned = frame.replace({"model": {"old": "new", "new": "old"}})
    assert gated(turned)["leak", "japanese"] == "better"


def test_the_gate_calls_equal_models_a_loss_no_more_often_than_it_says() -> None:
    rng = np.random.default_rng(9)
    losses = 0
    for _ in range(30):
        frame = table(
            rng, {"old": [0.7, 0.2, 0.1], "new": [0.7, 0.2, 0.1]}, scenes=15, seeds=4, references=0
        )
        losses += "worse" in gated(frame).values()
    assert losses <= 3


def test_the_gate_sees_a_language_gap_that_only_the_new_model_has() -> None:
    rng = np.random.default_rng(1)
    frame = table(rng, {"old": [0.8, 0.1, 0.1], "new": [0.8, 0.1, 0.1]}, scenes=40, references=0)
    other = table(rng, {"old": [0.8, 0.1, 0.1], "new": [0.2, 0.7, 0.1]}, scenes=40, references=0)
    other = other.assign(language="zh", output=other["output"] + "-zh")
    assert gated(pd.concat([frame, other]))["language_gap", "japanese"] == "worse"


def test_of_few_scenes_or_seeds_the_gate_says_that_they_are_too_few() -> None:
    rng = np.random.default_rng(3)
    mixes = {"old": [0.9, 0.05, 0.05], "new": [0.2, 0.75, 0.05]}
    for scenes, seeds in ((5, 4), (6, 3), (1, 2), (1, 1)):
        frame = check_probes(table(rng, mixes, scenes=scenes, seeds=seeds, references=0), "t")
        drawn = np.random.default_rng(0)
        found = gate(frame, None, model="new", baseline="old", home="chinese", rng=drawn)
        leaks = [one for one in found if one.difference.criterion == "leak"]
        assert {one.outcome for one in leaks} == {"too few to tell"}
        assert np.isnan([one.difference.low for one in leaks]).all()
        assert not is_loss(found)
        assert is_undecided(found)


def test_the_gates_interval_of_few_scenes_and_seeds_holds_the_truth() -> None:
    rng = np.random.default_rng(12)
    held = []
    for _ in range(150):
        scene, seed = rng.normal(0, 0.1, 6), rng.normal(0, 0.1, 4)
        rows = [
            {"prompt": f"s{s}/chinese", "language": "en", "seed": k, "probe": "zero-shot:n",
             "kind": "style", "target": "chinese", "model": model, "p_western":
             0.3 + (model == "new") * (scene[s] + seed[k]) + rng.normal(0, 0.05)}
            for s in range(6) for k in range(4) for model in ("old", "new")
        ]  # fmt: skip
        pairs = pd.DataFrame(rows)
        blank = Score(metric="gate", criterion="leak", model="new", against="old")
        found, _ = _leak(pairs, "p_western", blank, rng)
        held.append(found.low <= 0 <= found.high)
    assert np.mean(held) >= 0.92


def test_two_suites_with_prompts_of_one_name_are_not_mixed() -> None:
    """A probe that is right in both was said to be wrong, each suite's labels meeting the other's."""
    rng = np.random.default_rng(11)
    found = []
    for suite, mix in (("s", [1.0, 0.0, 0.0]), ("t", [0.0, 1.0, 0.0])):
        frame = table(rng, {"a": mix}).assign(suite=suite)
        frame[COLUMNS] = np.eye(3)[frame["true"].to_numpy()]
        frame["output"] = suite + frame["output"]
        frame.loc[frame["model"] == REFERENCE, "work"] = frame["output"]
        found.append(frame)
    both = pd.concat(found, ignore_index=True)
    labels = both.assign(
        rater="r", item=both["output"], attribution=np.array(TRADITIONS)[both["true"].to_numpy()]
    )
    told = [
        "rater",
        "item",
        "suite",
        "model",
        "prompt",
        "target",
        "attribution",
        "seed",
        "language",
    ]
    ratings = check_attributions(labels[[*told, "home"]], "t")
    scores = combine(ratings, check_probes(both, "t"))
    for other in ("japanese", "western"):
        assert pick(scores, "rectifier", "a", other).value == pytest.approx(0, abs=1e-9)
    assert pick(scores, "raw_leak", "a", "japanese").value == pytest.approx(0.5)
    with pytest.raises(RequestError, match="name no suite, and the run has several"):
        combine(ratings.assign(suite=""), check_probes(both, "t"))
    alone = both[both["suite"] == "s"]
    of_one = combine(ratings[ratings["suite"] == "s"].assign(suite=""), check_probes(alone, "t"))
    assert pick(of_one, "rectifier", "a", "japanese").value == pytest.approx(0, abs=1e-9)


def test_scenes_of_two_suites_are_drawn_apart() -> None:
    """Two scenes that share a name are not one: their mean varies as that of two."""
    rows = pd.DataFrame({"prompt": ["x/c", "x/c"], "value": [0.0, 1.0], "suite": ["s", "s"]})
    one = bootstrap_mean(rows, "value", np.random.default_rng(0), 50)
    assert np.isnan(one[1:]).all()
    two = bootstrap_mean(rows.assign(suite=["s", "t"]), "value", np.random.default_rng(0), 50)
    assert set(two[1:]) == {0.0, 0.5, 1.0}


def test_two_outputs_of_one_name_are_refused() -> None:
    frame = table(np.random.default_rng(1), {"a": [1, 0, 0]})
    ratings = judged(np.random.default_rng(2), frame, 0.5)
    again = frame.head(1).assign(output="again")
    with pytest.raises(RequestError, match="two outputs of suite 's', model 'a'"):
        combine(ratings, check_probes(pd.concat([frame, again]), "t"))


def test_the_freedom_of_few_raters_counts_and_two_are_heard_for_themselves() -> None:
    blank = Score(confidence=0.95)
    alone = with_t_interval(blank, 0.0, 1.0, 30)
    assert alone.high == pytest.approx(t.ppf(0.975, 28))
    both = with_t_interval(blank, 0.0, 1.0, 30, (4.0, 3))
    assert both.high == pytest.approx(5**0.5 * t.ppf(0.975, 25 / (1 / 28 + 16 / 2)))
    frame = table(np.random.default_rng(1), {"a": [0.7, 0.3, 0]})
    for raters, says in ((2, "; for these raters alone"), (3, " and by jackknife over raters")):
        ratings = judged(np.random.default_rng(2), frame, 0.5, raters=raters)
        scores = combine(ratings, check_probes(frame, "t"))
        assert f"scenes{says}, Wilson" in pick(scores, "raw_leak", "a", "japanese").method


def test_three_raters_who_differ_hold_the_truth() -> None:
    """With Student's t of the scenes alone 87 % of such intervals held it."""
    rng, held = np.random.default_rng(20), []
    for _ in range(60):
        frame = table(rng, {"a": [0.7, 0.3, 0.0]}, scenes=30, seeds=1, references=2)
        frame = frame[frame["target"] != "none"]
        rows = []
        for rater, habit in enumerate(rng.normal(0.3, 0.15, 3).clip(0, 1)):
            said = np.where(rng.random(len(frame)) < habit, "japanese", "chinese")
            rows.append(frame.assign(rater=f"r{rater}", item=frame["output"], attribution=said))
        told = ["rater", "item", "suite", "model", "prompt", "target", "attribution", "seed"]
        ratings = pd.concat(rows, ignore_index=True)[[*told, "language", "home"]]
        scores = combine(
            check_attributions(ratings, "t"),
            check_probes(frame.assign(p_western=0.0, p_japanese=0.5, p_chinese=0.5), "t"),
        )
        given = pick(scores, "raw_leak", "a", "japanese")
        held.append(given.low <= 0.3 <= given.high)
    assert np.mean(held) >= 0.9

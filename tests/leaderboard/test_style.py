"""Style bias: worked by hand, planted truth found again, and refusals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from bench.errors import FileFormatError, RequestError
from bench.records import NEUTRAL, REFERENCE, SIMULATED, Score
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.mixture import corrected_mixture
from leaderboard.style import INDICES, style
from leaderboard.tables import check_attributions
from leaderboard.words import words_in
from tests.leaderboard.simulation import World


def scores_of(frame: pd.DataFrame, home: str | None = None, by: Sequence[str] = ()) -> list[Score]:
    return style(frame, home=home, rng=np.random.default_rng(0), resamples=200, by=by)


def one(scores: Sequence[Score], metric: str, model: str = "", group: str = "") -> Score:
    (found,) = [
        score
        for score in scores
        if (score.metric, score.model, score.group) == (metric, model, group)
        and not score.slice
        and score.criterion == "manner"
    ]
    return found


def seen(
    cell: str, item: str, labels: str, *, prompt: str = "", stratum: str = ""
) -> list[dict[str, str]]:
    """One item seen by as many raters as `labels` has letters: p, m, o (persian, mughal, other).

    `cell` is "model target".
    """
    words = {"p": "persian", "m": "mughal", "o": "other"}
    model, target = cell.split()
    return [
        {
            "rater": f"r{rater}",
            "item": item,
            "model": model,
            "prompt": prompt,
            "target": target,
            "attribution": words[letter],
            "stratum": stratum,
        }
        for rater, letter in enumerate(labels)
    ]


def by_hand() -> pd.DataFrame:
    rows = [
        # Prompt 1 has two items: shares of mughal 1/2 and 0, mean 1/4; prompt 2 has 1
        *seen("a persian", "1", "pm", prompt="s1/persian"),
        *seen("a persian", "2", "po", prompt="s1/persian"),
        *seen("a persian", "3", "mm", prompt="s2/persian"),
        *seen("a mughal", "4", "mp", prompt="s1/mughal"),
        *seen("a none", "5", "mm", prompt="s1/none"),
        *seen("a none", "6", "po", prompt="s2/none"),
        *seen("reference persian", "7", "pp"),
        *seen("reference persian", "8", "pm"),
        *seen("reference mughal", "9", "mm"),
    ]
    return check_attributions(pd.DataFrame(rows), "by hand")


def test_worked_by_hand() -> None:
    scores = scores_of(by_hand(), home="persian")
    leak = (0.25 + 1) / 2
    assert one(scores, "raw_leak", "a", "mughal").value == pytest.approx(leak)
    assert one(scores, "discrimination", "", "mughal").value == pytest.approx(1 - 0.25)
    assert one(scores, "excess_leak", "a", "mughal").value == pytest.approx(leak - 0.25)
    asymmetry = (leak - 0.5) - (0.25 - 0)
    assert one(scores, "mirror_asymmetry", "a", "mughal").value == pytest.approx(asymmetry)
    assert one(scores, "neutral_default", "a", "mughal").value == pytest.approx((0.5 - 0.25) / 0.75)
    # Counts of items with ½ added: asked for persian 3 items, of mughal 1; references 2 and 1
    to_home = (0.5 + 0) / 2
    bias = math.log((3 * leak + 0.5) * (0.5 + 0.5) / ((3 * to_home + 0.5) * (0.5 + 0.5)))
    bias -= math.log((0.5 + 0.5) * (1 + 0.5) / ((1.5 + 0.5) * (0 + 0.5)))
    assert one(scores, "choice_bias", "a", "mughal").value == pytest.approx(bias / 2)
    blur = math.log((3 * leak + 0.5) / (3 * to_home + 0.5))
    blur -= math.log((0.5 + 0.5) * (0 + 0.5) / ((1.5 + 0.5) * (1 + 0.5)))
    assert one(scores, "excess_blur", "a", "mughal").value == pytest.approx(blur / 2)
    assert one(scores, "attribution_share", "a", "persian:other").value == pytest.approx(0.125)
    assert one(scores, "attribution_share", REFERENCE, "persian:persian").value == 0.75
    assert one(scores, "corrected_mixture", "a", "mughal").reason == "under 30 references per class"
    assert one(scores, "raw_leak", "a", "mughal").n_items == 3


def of_diagnosticity(kind: str) -> pd.DataFrame:
    """The table worked by hand, and beside it a scene and a reference of another diagnosticity."""
    own = by_hand().assign(diagnosticity="distinct")
    more = pd.DataFrame(
        [
            *seen("a persian", "20", "mm", prompt="s9/persian"),
            *seen("reference persian", "21", "mp"),
        ]
    ).assign(diagnosticity=kind)
    return check_attributions(pd.concat([own, more]), "by hand")


@pytest.mark.parametrize("kind", ["shared", "hybrid", "not-applicable"])
def test_what_does_not_tell_traditions_apart_is_reported_apart(kind: str) -> None:
    scores = scores_of(of_diagnosticity(kind), home="persian")
    beside = {"share_apart", "hybrid_position"}
    confirmatory = [score for score in scores if score.metric not in beside]
    assert list(map(str, confirmatory)) == list(map(str, scores_of(by_hand(), home="persian")))
    apart = [score for score in scores if score.metric == "share_apart"]
    shares = {(score.model, score.group): score.value for score in apart}
    assert shares["a", f"{kind}:persian:mughal"] == 1
    assert shares[REFERENCE, f"{kind}:persian:mughal"] == 0.5
    assert one(scores, "raw_leak", "a", "mughal").value == pytest.approx(0.625)
    assert one(scores, "excess_leak", "a", "mughal").value == pytest.approx(0.375)
    assert one(scores, "raw_leak", "a", "mughal").n_items == 3


def test_a_slice_by_diagnosticity_takes_each_as_it_is() -> None:
    scores = scores_of(of_diagnosticity("hybrid"), home="persian", by=["diagnosticity"])
    (leak,) = [
        score
        for score in scores
        if (score.metric, score.slice) == ("excess_leak", "diagnosticity=hybrid")
    ]
    assert leak.reason == "no references"
    (raw,) = [
        score
        for score in scores
        if (score.metric, score.slice) == ("raw_leak", "diagnosticity=hybrid")
    ]
    assert raw.value == 1


def test_a_model_without_a_distinct_scene_is_refused_and_named() -> None:
    frame = by_hand()
    frame.loc[frame["model"] != REFERENCE, "diagnosticity"] = "shared"
    scores = scores_of(frame, home="persian")
    assert one(scores, "excess_leak", "a", "mughal").reason == "none of its scenes is distinct"
    for metric in INDICES:
        assert one(scores, metric, "a", "mughal").reason == "none of its scenes is distinct"
    assert one(scores, "discrimination", "", "mughal").value == pytest.approx(0.75)


def test_an_unknown_diagnosticity_names_file_row_and_value() -> None:
    frame = by_hand().assign(diagnosticity="maybe")
    with pytest.raises(FileFormatError, match=r"by hand, row 1.*maybe"):
        check_attributions(frame, "by hand")


def test_variants_of_one_work_count_as_one_work() -> None:
    rows = [
        *seen("a persian", "1", "pm", prompt="s1/persian"),
        *[{**row, "work": "w1"} for row in seen("reference persian", "7", "pp")],
        *[{**row, "work": "w1"} for row in seen("reference persian", "7--masked", "pm")],
        *[{**row, "work": "w2"} for row in seen("reference persian", "8", "mm")],
        *seen("reference mughal", "9", "mm"),
    ]
    scores = scores_of(check_attributions(pd.DataFrame(rows), "by hand"), home="persian")
    confused = one(scores, "attribution_share", REFERENCE, "persian:mughal")
    assert confused.value == pytest.approx((0.25 + 1) / 2)
    assert confused.n_items == 2


def test_planted_leaks_lie_in_their_intervals_and_order_the_models() -> None:
    world = World(scenes=60, references=80)
    scores = scores_of(world.attributions(np.random.default_rng(11)))
    for score in scores:
        if score.metric == "excess_leak":
            truth = world.true_excess(score.model, score.group)
            assert score.low - 0.02 < truth < score.high + 0.02
            assert score.low < score.value < score.high
    for other in ("japanese", "western"):
        leaks = {m: one(scores, "excess_leak", m, other).value for m in world.models}
        assert (
            max(leaks, key=lambda model: leaks[model])
            == {"japanese": "japan", "western": "west"}[other]
        )
    difference = next(
        score
        for score in scores
        if score.metric == "leak_difference"
        and (score.model, score.against, score.group) == ("balanced", "west", "western")
    )
    assert difference.high < 0
    mixture = one(scores, "corrected_mixture", "west", "western")
    assert mixture.low < 0.45 < mixture.high


def test_any_number_of_traditions_with_any_names() -> None:
    world = World(
        traditions=("persian", "mughal", "ottoman", "mamluk"),
        models={"a": {"mughal": 0.3}, "b": {}},
        scenes=8,
    )
    scores = scores_of(world.attributions(np.random.default_rng(0)))
    groups = {score.group for score in scores if score.metric == "excess_leak"}
    assert groups == {"mughal", "ottoman", "mamluk"}
    two = World(traditions=("persian", "mughal"), models={"a": {"mughal": 0.3}}, scenes=8)
    scores = scores_of(two.attributions(np.random.default_rng(0)))
    assert one(scores, "excess_leak", "a", "mughal").value > 0.1


def test_references_scored_as_a_model_leak_no_more_than_references() -> None:
    frame = World(models={"a": {}}).attributions(np.random.default_rng(3))
    copies = frame[frame["model"] == REFERENCE].copy()
    copies["model"] = "copy"
    copies["prompt"] = copies["item"]
    copies["item"] += "-copy"
    scores = scores_of(pd.concat([frame, copies], ignore_index=True))
    for other in ("japanese", "western"):
        score = one(scores, "excess_leak", "copy", other)
        assert score.value == pytest.approx(0, abs=1e-9)
        assert score.low <= 0 <= score.high


def test_without_references_the_raw_leak_stands_alone() -> None:
    frame = World().attributions(np.random.default_rng(0))
    scores = scores_of(frame[frame["model"] != REFERENCE])
    assert one(scores, "raw_leak", "west", "western").value > 0.2
    corrected = [
        "excess_leak",
        "mirror_asymmetry",
        "choice_bias",
        "excess_blur",
        "corrected_mixture",
    ]
    for metric in corrected:
        score = one(scores, metric, "west", "western")
        assert math.isnan(score.value)
        assert score.reason == "no references"
    assert one(scores, "discrimination", "", "western").reason == "no references"


def test_one_reference_class_missing() -> None:
    frame = World().attributions(np.random.default_rng(0))
    frame = frame[(frame["model"] != REFERENCE) | (frame["target"] != "western")]
    scores = scores_of(frame)
    assert one(scores, "excess_leak", "west", "western").reason == "no references"
    assert not one(scores, "excess_leak", "west", "japanese").reason


def test_a_panel_that_cannot_tell_gives_no_excess() -> None:
    frame = World(right=0.45).attributions(np.random.default_rng(0))
    scores = scores_of(frame)
    assert one(scores, "discrimination", "", "japanese").value < 0.5
    assert one(scores, "excess_leak", "japan", "japanese").reason == "panel cannot tell"


def test_a_mixture_is_refused_where_the_references_look_alike() -> None:
    world = World(traditions=("persian", "mughal"), models={"a": {}}, right=0.36, scenes=4)
    scores = scores_of(world.attributions(np.random.default_rng(0)))
    assert "condition number" in one(scores, "corrected_mixture", "a", "mughal").reason


def test_strata_weigh_the_references_like_the_outputs() -> None:
    rows = [
        *seen("a persian", "1", "pm", prompt="s1/persian", stratum="ink"),
        *seen("a persian", "2", "pm", prompt="s2/persian", stratum="ink"),
        *seen("a persian", "3", "pp", prompt="s3/persian", stratum="ink"),
        *seen("a persian", "4", "pp", prompt="s4/persian", stratum="oil"),
        *seen("a mughal", "5", "mm", prompt="s1/mughal", stratum="ink"),
        *seen("reference persian", "6", "pm", stratum="ink"),
        *seen("reference persian", "10", "pm", stratum="ink"),
        *seen("reference persian", "7", "pp", stratum="oil"),
        *seen("reference persian", "8", "pp", stratum="oil"),
        *seen("reference mughal", "9", "mm", stratum="ink"),
    ]
    frame = check_attributions(pd.DataFrame(rows), "by hand")
    score = one(scores_of(frame, home="persian"), "excess_leak", "a", "mughal")
    assert score.value == pytest.approx(0.25 - (0.75 * 0.5 + 0.25 * 0))
    assert score.method.endswith("; stratified")
    is_reference = frame["model"] == REFERENCE
    silk = frame["stratum"].mask(is_reference & (frame["item"] == "8"), "silk")
    lacking = frame.assign(stratum=silk)[~is_reference | (frame["item"] != "7")]
    score = one(scores_of(lacking, home="persian"), "excess_leak", "a", "mughal")
    assert score.value == pytest.approx(0.25 - (0.75 * 0.5 + 0.25 / 3))
    assert score.method.endswith("; stratified, all references for oil")
    single = frame[~is_reference | (frame["item"] != "7")]
    score = one(scores_of(single, home="persian"), "excess_leak", "a", "mughal")
    assert score.value == pytest.approx(0.25 - (0.75 * 0.5 + 0.25 / 3))
    assert score.method.endswith("; stratified, all references for oil")
    assert score.low < score.high
    other = frame.assign(stratum=frame["stratum"].mask(is_reference, "silk"))
    score = one(scores_of(other, home="persian"), "excess_leak", "a", "mughal")
    assert score.method.endswith("not stratified: no references of its strata")


def test_models_are_compared_on_their_common_scenes_only() -> None:
    rows = [
        *seen("a persian", "1", "mm", prompt="s1/persian"),
        *seen("a persian", "2", "pp", prompt="s2/persian"),
        *seen("b persian", "3", "mp", prompt="s1/persian"),
        *seen("c persian", "4", "mp", prompt="s9/persian"),
        *seen("reference mughal", "5", "mm"),
    ]
    scores = scores_of(check_attributions(pd.DataFrame(rows), "by hand"))
    found = {(s.model, s.against): s for s in scores if s.metric == "leak_difference"}
    assert found["a", "b"].value == pytest.approx(1 - 0.5)
    assert found["a", "c"].reason == "no common scenes"


def test_the_home_tradition_is_told_or_clear() -> None:
    frame = World(models={"a": {}}, scenes=2).attributions(np.random.default_rng(0)).assign(home="")
    with pytest.raises(
        RequestError, match=r"several traditions .chinese, japanese, western.*--home"
    ):
        scores_of(frame)
    with pytest.raises(RequestError, match="no model was asked for 'korean'"):
        scores_of(frame, home="korean")
    assert one(scores_of(frame, home="western"), "raw_leak", "a", "chinese").value >= 0
    mixed = frame.assign(home=["chinese", "western"] * (len(frame) // 2))
    with pytest.raises(RequestError, match=r"several home traditions .chinese, western"):
        scores_of(mixed)
    assert scores_of(mixed, home="chinese")
    only = frame[frame["target"].isin(["chinese", "none"])]
    assert one(scores_of(only), "attribution_share", "a", "chinese:chinese").value > 0.5
    references = frame[frame["model"] == REFERENCE]
    with pytest.raises(RequestError, match="no model was asked for any tradition"):
        scores_of(references)


def test_slices_keep_the_references_and_aspects_are_apart() -> None:
    frame = World(scenes=6).attributions(np.random.default_rng(0))
    frame.loc[frame["model"] == REFERENCE, "language"] = ""
    frame = pd.concat([frame, frame.assign(aspect="things")], ignore_index=True)
    scores = scores_of(frame, by=["language"])
    leaks = [
        s for s in scores if (s.metric, s.model, s.group) == ("excess_leak", "west", "western")
    ]
    assert {(s.slice, s.criterion) for s in leaks} == {
        (slice_, aspect)
        for slice_ in ("", "language=en", "language=zh")
        for aspect in ("manner", "things")
    }
    assert all(math.isfinite(score.value) for score in leaks)


def test_a_slice_in_which_home_was_not_asked_says_so() -> None:
    frame = World(scenes=6).attributions(np.random.default_rng(0))
    frame["genre"] = np.where(frame["target"] == "chinese", "landscape", "portrait")
    frame.loc[frame["model"] == REFERENCE, "genre"] = ""
    scores = scores_of(frame, by=["genre"])
    portraits = [s for s in scores if s.slice == "genre=portrait" and s.metric == "raw_leak"]
    assert {score.reason for score in portraits} == {"not asked for chinese"}
    named = scores_of(frame[frame["target"] != NEUTRAL])
    reasons = {score.reason for score in named if score.metric == "neutral_default"}
    assert reasons == {"no prompt left the tradition open"}
    assert words_in("zh").reason(reasons.pop()) == "没有未限定传统的提示"


def test_repeats_are_set_aside_and_simulated_raters_are_said() -> None:
    frame = World(scenes=3).attributions(np.random.default_rng(0))
    again = frame.assign(occasion=1, attribution="other")
    assert repr(scores_of(pd.concat([frame, again]))) == repr(scores_of(frame))
    said = scores_of(frame.assign(rater_group=SIMULATED))
    assert all(score.method.endswith("simulated raters") for score in said)


def test_the_corrected_mixture_recovers_what_was_mixed() -> None:
    confusion = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])[:, :, None]
    true = np.array([0.35, 0.65])
    counts = 1000 * (true @ confusion[:, :, 0])[:, None]
    assert corrected_mixture(counts, confusion)[:, 0] == pytest.approx(true, abs=1e-6)


def test_one_rater_and_one_item_still_give_values() -> None:
    rows = [*seen("a persian", "1", "p", prompt="p"), *seen("reference mughal", "2", "m")]
    scores = scores_of(check_attributions(pd.DataFrame(rows), "by hand"))
    assert one(scores, "raw_leak", "a", "mughal").value == 0
    assert "for these raters alone" in one(scores, "raw_leak", "a", "mughal").method


def test_the_noise_of_a_seed_that_all_prompts_share_widens_the_interval() -> None:
    rows = [
        {
            "rater": f"r{rater}",
            "item": f"{scene}-{seed}",
            "model": "m",
            "prompt": f"scene-{scene}/home",
            "target": "home",
            "attribution": "home" if seed % 2 else "other",
            "seed": str(seed),
        }
        for scene in range(20)
        for seed in range(6)
        for rater in range(4)
    ]

    def share(frame: pd.DataFrame) -> Score:
        scores = style(
            check_attributions(frame, "here", labels=("home",)), rng=np.random.default_rng(1)
        )
        (found,) = [
            score
            for score in scores
            if (score.metric, score.group) == ("attribution_share", "home:home")
        ]
        assert found.value == 0.5
        return found

    frame = pd.DataFrame(rows)
    found = share(frame)
    assert found.high - found.low > 0.5
    assert share(frame.assign(seed="")).reason == NOTHING_VARIES


def traced() -> pd.DataFrame:
    """By hand, with a clear trace of Mughal in one output and one recognised reference."""
    frame = by_hand()
    frame.loc[(frame["item"] == "3") & (frame["rater"] == "r0"), "attribution"] = "persian"
    at = (frame["item"] == "3") & (frame["rater"] == "r0")
    frame.loc[at, ["trace", "trace_strength"]] = ["mughal", "clear"]
    frame.loc[(frame["item"] == "8") & (frame["rater"] == "r1"), "recognised"] = "true"
    return frame


def test_traces_count_by_their_strength() -> None:
    scores = scores_of(traced(), home="persian")
    # prompt 1 as before 1/4; prompt 2: (0.3 + 1) / 2
    leak = (0.25 + 0.65) / 2
    assert one(scores, "graded_raw_leak", "a", "mughal").value == pytest.approx(leak)
    graded = one(scores, "graded_excess_leak", "a", "mughal")
    assert graded.value == pytest.approx(leak - 0.25)
    assert graded.method.startswith("graded traces; ")
    assert one(scores, "raw_leak", "a", "mughal").value == pytest.approx((0.25 + 0.5) / 2)
    assert not [s for s in scores_of(by_hand(), home="persian") if s.metric.startswith("graded")]


def test_recognised_works_are_left_out_beside() -> None:
    scores = scores_of(traced(), home="persian")
    leak = (0.25 + 0.5) / 2
    assert one(scores, "excess_leak", "a", "mughal").value == pytest.approx(leak - 0.25)
    without = one(scores, "excess_leak_unrecognised", "a", "mughal")
    assert without.value == pytest.approx(leak - 0)
    assert without.method.startswith("without 1 judgements of recognised works")


def test_leaks_of_other_targets_than_home() -> None:
    frame = World(scenes=12).attributions(np.random.default_rng(0))
    scores = scores_of(frame)
    share = {
        s.group: s.value for s in scores if (s.metric, s.model) == ("attribution_share", "west")
    }
    real = {
        s.group: s.value for s in scores if (s.metric, s.model) == ("attribution_share", REFERENCE)
    }
    found = one(scores, "excess_leak_elsewhere", "west", "japanese:western")
    assert found.value == pytest.approx(share["japanese:western"] - real["japanese:western"])
    groups = {s.group for s in scores if s.metric == "excess_leak_elsewhere"}
    assert groups == {
        "japanese:chinese", "japanese:western", "western:chinese", "western:japanese"
    }  # fmt: skip


def test_differences_hold_at_once_and_have_a_p_of_their_own() -> None:
    scores = scores_of(World(scenes=40).attributions(np.random.default_rng(0)))
    pairs = [s for s in scores if s.metric == "leak_difference"]
    assert len(pairs) == 6
    assert all("simultaneous over 6 differences" in s.method for s in pairs)
    p = {(s.model, s.against, s.group): s.value for s in scores if s.metric == "leak_difference_p"}
    assert p["japan", "west", "japanese"] < 1e-6
    assert p["balanced", "japan", "western"] > 0.01
    alone = {(s.model, s.group): s for s in scores if s.metric == "raw_leak"}
    for s in pairs:
        difference = alone[s.model, s.group].value - alone[s.against, s.group].value
        assert s.value == pytest.approx(difference)


def test_shares_that_sum_to_one_have_covariances_that_sum_to_nothing() -> None:
    world = World(scenes=30, right=0.7, models={"a": {"japanese": 0.3, "western": 0.3}})
    frame = world.attributions(np.random.default_rng(0))
    for confidence in (0.8, 0.95):
        scores = style(frame, home="chinese", rng=np.random.default_rng(1), confidence=confidence)
        matrix = covariance_of(scores, "a", "chinese")
        assert matrix.shape == (5, 5)
        assert np.abs(matrix.sum(axis=1)).max() < 1e-12
        assert np.linalg.eigvalsh(matrix).min() > -1e-12
        share = one(scores, "attribution_share", "a", "chinese:japanese")
        reach = {0.8: 1.28, 0.95: 1.96}[confidence]
        width = 2 * reach * matrix[1, 1] ** 0.5
        assert share.high - share.low == pytest.approx(width, rel=0.2)


def test_a_share_of_none_has_a_variance_that_the_others_share() -> None:
    rows = [
        row
        for place in range(30)
        for row in seen("a persian", f"{place}", "pm"[place % 2] * 3, prompt=f"s{place}/persian")
    ]
    rows += [row for place in range(9) for row in seen("reference mughal", f"m{place}", "mmm")]
    scores = scores_of(check_attributions(pd.DataFrame(rows), "by hand"), home="persian")
    matrix = covariance_of(scores, "a", "persian")
    assert one(scores, "attribution_share", "a", "persian:cannot_tell").value == 0
    assert matrix[-1, -1] > 0
    assert np.abs(matrix.sum(axis=1)).max() < 1e-12


def covariance_of(scores: list[Score], model: str, asked: str) -> npt.NDArray[np.float64]:
    found = {
        tuple(s.group.split(":")[1:]): s.value
        for s in scores
        if (s.metric, s.model) == ("share_covariance", model) and s.group.startswith(f"{asked}:")
    }
    labels = list(dict.fromkeys(first for first, _ in found))
    return np.array(
        [[found.get((a, b), found.get((b, a), math.nan)) for b in labels] for a in labels]
    )


def test_a_leak_seen_in_no_scene_by_most_is_bounded_by_what_scenes_may_be() -> None:
    """One answer in a hundred says Japanese of every scene: a scene that is so was not met yet."""
    rows = [
        row
        for place in range(50)
        for row in seen(
            "a persian",
            f"{place}",
            "p" * 9 + ("m" if place < 5 else "p"),
            prompt=f"s{place}/persian",
        )
    ]
    rows += [row for place in range(30) for row in seen("reference mughal", f"m{place}", "m" * 10)]
    rows += [row for place in range(30) for row in seen("reference persian", f"p{place}", "p" * 10)]
    scores = scores_of(check_attributions(pd.DataFrame(rows), "by hand"))
    leak, excess = (one(scores, name, "a", "mughal") for name in ("raw_leak", "excess_leak"))
    assert leak.value == excess.value == pytest.approx(0.01)
    assert leak.high > 0.01 + 0.04  # Beta(½, 50½) reaches .048
    assert leak.low < 0.01
    assert excess.high > leak.high - 0.02


def test_what_raters_are_prone_to_say_is_not_counted_twice_in_a_difference() -> None:
    """With habits of SD 1 logit the excess leak stays as sure as its two shares have in common."""
    errors, widths = [], []
    for rng in np.random.default_rng(3).spawn(30):
        habit = rng.normal(0, 1, 6)
        parts = []
        for model, target, base in (
            ("a", "persian", -1.2), ("reference", "persian", -1.8), ("reference", "mughal", 1.8),
        ):  # fmt: skip
            odds = base + rng.normal(0, 0.6, (40, 1)) + habit
            says = np.where(rng.random(odds.shape) < 1 / (1 + np.exp(-odds)), "m", "p")
            for place, answers in enumerate(says):
                name = f"{model}{target}{place}"
                prompt = f"s{place}/persian" if model == "a" else ""
                parts += seen(f"{model} {target}", name, "".join(answers), prompt=prompt)
        scores = style(
            check_attributions(pd.DataFrame(parts), "by hand"),
            home="persian",
            rng=rng,
            resamples=50,
        )
        found = one(scores, "excess_leak", "a", "mughal")
        errors.append(found.value)
        widths.append((found.high - found.low) / 3.92)
    # in some the panel cannot tell
    assert np.isfinite(errors).sum() > 20
    assert np.nanmean(widths) < 1.7 * np.nanstd(errors)


def test_a_share_of_none_is_not_certain() -> None:
    rows = [
        row
        for place in range(30)
        for row in seen("a persian", f"{place}", "pp", prompt=f"s{place}/persian")
    ]
    rows += [row for place in range(30) for row in seen("reference mughal", f"m{place}", "mm")]
    scores = scores_of(check_attributions(pd.DataFrame(rows), "by hand"))
    leak = one(scores, "raw_leak", "a", "mughal")
    assert leak.value == leak.low == 0
    assert 0.03 < leak.high < 0.15
    assert "Jeffreys" in leak.method


def test_one_attribution_has_no_interval() -> None:
    rows = [*seen("a persian", "1", "p", prompt="p"), *seen("reference mughal", "2", "m")]
    for score in scores_of(check_attributions(pd.DataFrame(rows), "by hand")):
        assert math.isnan(score.low)
        assert score.reason

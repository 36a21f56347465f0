"""Scores by judges against planted truth: order, repetition, what was not read, and people beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import FileFormatError, RequestError
from bench.records import CUE, Score
from leaderboard.judge_agreement import agreement_with_raters
from leaderboard.judge_ppi import combine_ratings
from leaderboard.judgements import check_judgements, read_judgements
from leaderboard.judges import judge_scores
from leaderboard.site import write_site
from leaderboard.tables import check_ratings

QUALITY = {"fine": 3.8, "poor": 2.4}
SCENES = 30
COLUMNS = (
    "output", "model", "prompt", "target", "language", "seed", "genre", "kind", "judge",
    "judge_language", "judge_seed", "temperature", "criterion", "value", "not_applicable", "against",
    "against_output", "winner", "cue",
)  # fmt: skip


def truth(rng: np.random.Generator) -> pd.DataFrame:
    """Two models' outputs of `SCENES` scenes, two seeds each, with their quality."""
    rows = [
        (f"{model}-{scene}-{seed}", model, f"s{scene}/chinese", str(seed),
         quality + easy + float(rng.normal(0, 0.5)))
        for scene, easy in enumerate(rng.normal(0, 0.3, SCENES))
        for model, quality in QUALITY.items()
        for seed in range(2)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=pd.Index(["output", "model", "prompt", "seed", "quality"]))


def judged(
    outputs: pd.DataFrame,
    rng: np.random.Generator,
    *,
    bias: Mapping[str, float] | float = 0.0,
    seeds: int = 1,
    noise: float = 0.4,
    order: float = 0.0,
) -> pd.DataFrame:
    """A judge that sees quality with noise, gives `bias` more, and has a lean to what is first."""
    rows = []
    told = {"target": "chinese", "language": "en", "genre": "", "judge": "judge"}
    told |= {"judge_language": "en", "cue": "", "temperature": 0.7 if seeds > 1 else 0.0}
    seen = dict(zip(outputs["output"], outputs["quality"], strict=True))
    for row in outputs.itertuples():
        for seed in range(seeds):
            more = bias if isinstance(bias, float) else bias[str(row.model)]
            value = float(np.clip(np.rint(row.quality + more + rng.normal(0, noise)), 1, 5))
            rows.append(
                {**told, "output": row.output, "model": row.model, "prompt": row.prompt,
                 "seed": row.seed, "kind": "scale", "criterion": "spirit", "value": value,
                 "judge_seed": str(seed)}
            )  # fmt: skip
    fine, poor = (outputs[outputs["model"] == name] for name in QUALITY)
    for one, other in zip(fine.itertuples(), poor.itertuples(), strict=True):
        for first, second in ((one, other), (other, one)):
            for seed in range(seeds):
                gap = seen[first.output] - seen[second.output] + order + rng.normal(0, noise)
                winner = "tie" if abs(gap) < 0.2 else "first" if gap > 0 else "second"
                rows.append(
                    {**told, "output": first.output, "model": first.model, "prompt": first.prompt,
                     "seed": first.seed, "kind": "pair", "against": second.model,
                     "against_output": second.output, "winner": winner, "judge_seed": str(seed)}
                )  # fmt: skip
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS)).assign(not_applicable=False)
    return check_judgements(frame, "judgements")


def rated(
    outputs: pd.DataFrame, rng: np.random.Generator, *, raters: int = 6, group: str = ""
) -> pd.DataFrame:
    rows = [
        {"study": "s", "rater": f"{group}r{rater}", "item": row.output, "criterion": "spirit",
         "value": float(np.clip(np.rint(row.quality + severe + rng.normal(0, 0.5)), 1, 5)),
         "model": row.model, "prompt": row.prompt, "language": "en", "seed": row.seed,
         "rater_group": group}
        for rater, severe in enumerate(rng.normal(0, 0.2, raters))
        for row in outputs.itertuples()
    ]  # fmt: skip
    return check_ratings(pd.DataFrame(rows).assign(target="chinese"), "ratings")


def scored(table: pd.DataFrame, **more: object) -> list[Score]:
    rng = np.random.default_rng(0)
    return judge_scores(table, study="run", rng=rng, resamples=200, **more)  # type: ignore[arg-type]


def pick(scores: list[Score], metric: str, **columns: str) -> Score:
    (found,) = [
        score
        for score in scores
        if score.metric == metric
        and not score.slice
        and all(getattr(score, name) == value for name, value in columns.items())
    ]
    return found


def test_means_are_the_judges_alone_and_say_how_it_judged() -> None:
    rng = np.random.default_rng(1)
    scores = scored(judged(truth(rng), rng))
    assert {score.source for score in scores} == {"judge"}
    assert {score.group for score in scores} == {"judge"}
    fine, poor = (pick(scores, "mean_score", model=name) for name in QUALITY)
    assert fine.low > poor.high
    assert "a model's judgement, greedy, temperature 0, 1 seed, in en" in fine.method
    assert "caption names" not in fine.method
    assert (fine.n_items, fine.n_values) == (2 * SCENES, 2 * SCENES)
    won = pick(scores, "judge_preference", model="fine", against="poor")
    assert won.low > 0.5
    assert won.n_items == 2 * SCENES


@pytest.mark.parametrize(("order", "low", "high"), [(0.0, -0.15, 0.15), (1.5, 0.3, 1.0)])
def test_a_lean_to_what_is_shown_first_is_found_and_moves_no_preference(
    order: float, low: float, high: float
) -> None:
    rng = np.random.default_rng(2)
    scores = scored(judged(truth(rng), rng, order=order))
    effect = pick(scores, "order_effect")
    assert low <= effect.value <= high
    assert (effect.low > 0) == (order > 0)
    assert 0.5 < pick(scores, "judge_preference").value < 1.0
    assert pick(scores, "order_consistency").value < (0.6 if order else 1.0)


def test_a_pair_of_two_seeds_is_read_both_ways_too() -> None:
    rng = np.random.default_rng(2)
    table = judged(truth(rng), rng)
    equal = scored(table)
    table.loc[table["model"] == "poor", "seed"] = "7"
    other = scored(table)
    for metric in ("judge_preference", "order_effect", "order_consistency"):
        one, same = pick(equal, metric), pick(other, metric)
        assert same.n_items == 2 * SCENES
        assert same.value == one.value
        assert np.isfinite(same.low)


def test_a_judge_that_always_says_first_prefers_nobody() -> None:
    rng = np.random.default_rng(3)
    table = judged(truth(rng), rng)
    table.loc[table["kind"] == "pair", "winner"] = "first"
    scores = scored(table)
    assert pick(scores, "order_effect").value == 1
    assert pick(scores, "order_consistency").value == 0
    assert pick(scores, "judge_preference").value == 0.5


def test_repetition_is_measured_where_there_is_any() -> None:
    rng = np.random.default_rng(4)
    outputs = truth(rng)
    alone = pick(scored(judged(outputs, rng)), "self_consistency", criterion="spirit")
    assert np.isnan(alone.value)
    assert alone.reason == "one seed: nothing was repeated"
    steady, shaky = (
        pick(scored(judged(outputs, rng, seeds=3, noise=noise)), "self_consistency", criterion="spirit")
        for noise in (0.01, 1.0)
    )  # fmt: skip
    assert steady.value > 0.9
    assert shaky.value < 0.6
    assert "sampled at temperature 0.7, 3 seeds" in steady.method


def test_what_was_not_read_is_counted_and_enters_nothing() -> None:
    rng = np.random.default_rng(5)
    whole = judged(truth(rng), rng)
    torn = whole.copy()
    of_poor = (torn["model"] == "poor") & (torn["kind"] == "scale")
    torn.loc[torn[of_poor].index[:30], "value"] = np.nan
    torn.loc[torn[torn["kind"] == "pair"].index[:5], "winner"] = ""
    scores = scored(torn)
    assert pick(scores, "unread_share", criterion="scale", model="").value == 0.25
    assert pick(scores, "unread_share", criterion="scale", model="poor").value == 0.5
    assert pick(scores, "unread_share", criterion="scale", model="fine").value == 0
    assert pick(scores, "unread_share", criterion="pair").value == pytest.approx(5 / 120)
    # a pair counts where both ways round were read
    assert pick(scores, "judge_preference").n_items == 60 - 3
    rest = torn[of_poor & torn["value"].notna()]["value"]
    assert pick(scores, "mean_score", model="poor").value == pytest.approx(rest.mean())
    torn.loc[torn["model"] == "poor", "value"] = np.nan
    nothing = pick(scored(torn), "mean_score", model="poor")
    assert (np.isnan(nothing.value), nothing.reason) == (True, "no reply could be read")


def test_a_judge_of_which_no_pair_could_be_read_has_reasons_and_its_scales() -> None:
    rng = np.random.default_rng(5)
    table = judged(truth(rng), rng)
    table.loc[table["kind"] == "pair", "winner"] = ""
    scores = scored(table)
    for metric in ("order_effect", "order_consistency"):
        score = pick(scores, metric)
        assert (np.isnan(score.value), score.n_items) == (True, 0)
        assert score.reason == "no pair was read both ways round"
    assert "judge_preference" not in {score.metric for score in scores}
    assert pick(scores, "unread_share", criterion="pair").value == 1
    assert pick(scores, "mean_score", model="fine").value > 3
    # of nothing that could be read at all neither
    table["value"] = np.nan
    assert {score.metric for score in scored(table) if np.isfinite(score.value)} == {"unread_share"}


def test_agreement_is_told_for_all_raters_and_for_each_group() -> None:
    rng = np.random.default_rng(6)
    outputs = truth(rng)
    table = judged(outputs, rng, bias=0.5)
    blind = outputs.assign(quality=3.0)
    ratings = pd.concat([rated(outputs, rng, group="painters"), rated(blind, rng, group="novices")])
    ratings = check_ratings(ratings.reset_index(drop=True), "ratings")
    scores = agreement_with_raters(ratings, table, rng=np.random.default_rng(0), resamples=200)
    assert {score.source for score in scores} == {"judge"}
    painters = pick(scores, "judge_correlation", group="judge:painters")
    novices = pick(scores, "judge_correlation", group="judge:novices")
    assert painters.low > 0.5
    assert novices.low < 0.1
    assert pick(scores, "judge_correlation", group="judge").value < painters.value
    gap = pick(scores, "judge_gap", group="judge:painters")
    assert gap.value == pytest.approx(0.5, abs=0.2)
    assert gap.low > 0
    assert (gap.n_items, gap.n_raters) == (120, 6)


def test_two_outputs_of_one_name_are_refused_where_raters_could_mean_either() -> None:
    rng = np.random.default_rng(5)
    outputs = truth(rng)
    table, ratings = judged(outputs, rng), rated(outputs, rng)
    again = table[table["kind"] == "scale"].head(1).assign(output="again")
    both = check_judgements(pd.concat([table, again], ignore_index=True), "t")
    with pytest.raises(RequestError, match="two outputs of suite '', model 'fine'"):
        combine_ratings(ratings, both)
    with pytest.raises(RequestError, match="two outputs of suite '', model 'fine'"):
        agreement_with_raters(ratings, both, rng=rng)
    # alone each is an output of its own
    alone = pick(scored(both), "mean_score", model="fine")
    assert alone.n_items == 2 * SCENES + 1


def test_suites_that_share_ids_are_not_mixed() -> None:
    rng = np.random.default_rng(6)
    one = judged(truth(rng), rng)
    other = judged(truth(rng), rng).assign(suite="t")
    for column in ("output", "against_output"):
        other[column] = ("t" + other[column]).where(other[column] != "", "")
    scores = scored(check_judgements(pd.concat([one, other], ignore_index=True), "t"))
    for found in (pick(scores, "mean_score", model="fine"), pick(scores, "order_effect")):
        assert f"over {2 * SCENES} scenes" in found.method
    assert pick(scores, "judge_preference").n_items == 4 * SCENES


def test_ratings_correct_a_judge_that_flatters_one_model() -> None:
    rng = np.random.default_rng(7)
    outputs = truth(rng)
    table = judged(outputs, rng, bias={"fine": 0.0, "poor": 1.2})
    some = outputs[outputs["seed"] == "0"]
    scores = combine_ratings(rated(some, rng, raters=8), table)
    fine, poor = (pick(scores, "mean_score", model=name) for name in QUALITY)
    assert {fine.source, poor.source} == {"combined"}
    assert (poor.n_values, poor.n_items) == (30, 60)
    true = outputs[outputs["model"] == "poor"]["quality"].mean()
    assert poor.low < true + 0.15
    assert poor.high > true - 0.15
    alone = pick(scored(table), "mean_score", model="poor").value
    assert alone > true + 0.8
    assert "PPI++" in poor.method
    assert "a model's judgement" in poor.method
    assert pick(scores, "rectifier", model="poor").value == pytest.approx(-1.2, abs=0.3)
    assert pick(scores, "rectifier_p").value < 0.001


def test_a_model_that_nobody_rated_is_the_judges_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    outputs = truth(rng)
    table = judged(outputs, rng)
    scores = combine_ratings(rated(outputs[outputs["model"] == "fine"], rng), table)
    poor = pick(scores, "mean_score", model="poor")
    assert poor.reason == "judge only: no output of it was rated"
    assert np.isnan(poor.low)
    write_site(scored(table) + scores, tmp_path)
    assert "judge only" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "只有评判模型" in (tmp_path / "index.zh.html").read_text(encoding="utf-8")
    with pytest.raises(RequestError, match="no rated output in common"):
        combine_ratings(rated(outputs.assign(prompt="elsewhere/chinese"), rng), table)


def test_a_slice_and_a_single_scene() -> None:
    rng = np.random.default_rng(9)
    table = judged(truth(rng), rng)
    table["genre"] = np.where(table["prompt"] == "s0/chinese", "figure", "landscape")
    slices = scored(table, by=["genre"])
    assert {score.slice for score in slices} == {"", "genre=figure", "genre=landscape"}
    lone = next(
        score for score in slices if score.slice == "genre=figure" and score.metric == "mean_score"
    )
    assert lone.reason.startswith("no interval")
    for column, says in (("rater_group", "no such column"), ("language", "no row has anything")):
        with pytest.raises(RequestError, match=f"cannot slice by '{column}': .*{says}"):
            scored(table.assign(language=""), by=[column])


def test_a_page_labels_the_judge_and_its_scores_change_no_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    outputs = truth(rng)
    table, ratings = judged(outputs, rng, seeds=2), rated(outputs, rng)
    own = [Score(study="s", metric="mean_score", criterion="spirit", model=m, value=v, low=v, high=v)
           for m, v in QUALITY.items()]  # fmt: skip
    write_site(own, tmp_path / "before")
    more = scored(table) + combine_ratings(ratings, table)
    more += agreement_with_raters(ratings, table, rng=rng, resamples=50)
    write_site([*own, *more], tmp_path / "after")
    for name in ("leaderboard.md", "leaderboard.tex", "leaderboard.zh.md"):
        before, after = ((tmp_path / folder / name).read_text() for folder in ("before", "after"))
        assert before == after
    english = (tmp_path / "after" / "index.html").read_text(encoding="utf-8")
    chinese = (tmp_path / "after" / "index.zh.html").read_text(encoding="utf-8")
    for said in ("What models say as judges", "order effect", "How far the judge agrees with raters",
                 "Raters and judge together", "judge: temperature 0.7, 2 seeds, asked in English"):  # fmt: skip
        assert said in english
        assert said not in (tmp_path / "before" / "index.html").read_text(encoding="utf-8")
    for said in ("模型作评判", "次序效应", "评判模型与评者相合几分", "评者与评判模型合计",
                 "judge：温度 0.7，种子 2 个，以英文提问"):  # fmt: skip
        assert said in chinese


def tags_of(page: Path) -> dict[str, str]:
    """The tag beside each of a page's headings."""
    found = re.findall(r'<h2>([^<]*?) <span class="tag">(.*?)</span></h2>', page.read_text("utf-8"))
    return dict(found)


@pytest.mark.parametrize(
    ("group", "english", "chinese"),
    [("", "Raters and judge", "评者与模型评判"), ("simulated", "Simulated raters and judge", "模拟评者与模型评判")],
)  # fmt: skip
def test_what_raters_had_a_part_in_is_not_labelled_as_the_judges_alone(
    tmp_path: Path, group: str, english: str, chinese: str
) -> None:
    rng = np.random.default_rng(13)
    outputs = truth(rng)
    table, ratings = judged(outputs, rng, seeds=2), rated(outputs, rng, group=group)
    scores = scored(table) + combine_ratings(ratings, table)
    # as in the report of a study, whose name the run does not share
    scores = [replace(score, study="s") for score in scores]
    scores += agreement_with_raters(ratings, table, rng=rng, resamples=50)
    write_site(scores, tmp_path)
    tags = tags_of(tmp_path / "index.html")
    both = {"Raters and judge together", "How far the judge agrees with raters"}
    assert {title for title, tag in tags.items() if tag == english} == both
    assert {title for title, tag in tags.items() if tag == "judge"} == {
        "Scales, as judges see them", "Two pictures of one scene, both ways round",
        "How steady the judge is",
    }  # fmt: skip
    assert tags_of(tmp_path / "index.zh.html")["评者与评判模型合计"] == chinese


def test_a_caption_that_names_the_target_is_told_in_method_and_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    outputs = truth(rng)
    table = judged(outputs, rng)
    table["cue"] = np.where(table["prompt"] == "s0/chinese", "", CUE)
    scores = scored(table) + combine_ratings(rated(outputs, rng), table)
    scores += agreement_with_raters(rated(outputs, rng), table, rng=rng, resamples=50)
    of_judge = [score for score in scores if score.metric not in {"rectifier", "rectifier_p"}]
    assert all("caption names the target for 116 of 120 outputs" in s.method for s in of_judge)
    write_site(scores, tmp_path)
    for name, says in (
        ("index.html", "asked in English, the tradition named in the text of 116 of 120 outputs."),
        ("index.zh.html", "以英文提问，120 件作品中有 116 件所附的文字点明了传统。"),
    ):
        assert says in (tmp_path / name).read_text(encoding="utf-8")


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    table = judged(truth(rng), rng)
    with pytest.raises(RequestError, match="run pinlu probe with --judge first"):
        read_judgements(tmp_path / "judgements.parquet")
    for change, says in (
        (table.drop(columns="winner"), "the column 'winner' is missing"),
        (table.assign(kind="vote"), "'kind' says 'vote'"),
        (table.assign(winner="left"), "'winner' says 'left'"),
        (pd.concat([table, table]), "twice on the same"),
    ):
        with pytest.raises(FileFormatError, match=says):
            check_judgements(change, "t")
    table.to_parquet(tmp_path / "judgements.parquet")
    assert len(read_judgements(tmp_path / "judgements.parquet")) == len(table)

"""Figures of everything a page may hold, for any home and any number of others, or with parts missing."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from bench.records import REFERENCE, Score
from leaderboard.board import boards
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.details import tables_of
from leaderboard.drawing import LEAST_SEEDS, facets
from leaderboard.figures import figures_of
from leaderboard.plots import Row, axis_over, dot_panel
from leaderboard.site import section_html, write_site
from leaderboard.tabulate import headline_table, markdown
from leaderboard.weighting import weight_scores
from leaderboard.words import LANGUAGES, words_in
from tests.leaderboard.rich import rich_scores

NAMES = [
    "scores", "weightings", "strengths", "ratings-and-votes", "attributions", "triangle",
    "excess-leak", "leak-differences", "language-gap", "agreement", "raters", "schools",
    "room-languages", "human-or-model", "costs",
]  # fmt: skip


def drawn(scores: list[Score], language: str = "en") -> dict[str, str]:
    """Figure → all its drawings as one text."""
    (board,) = boards(scores)
    return {
        figure.name: "".join(panel.body for panel in figure.panels)
        for figure in figures_of(board, words_in(language))
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_is_drawn_and_well_formed(language: str) -> None:
    found = drawn(rich_scores(), language)
    assert list(found) == NAMES
    for body in found.values():
        ET.fromstring(f"<svg>{body}</svg>")  # noqa: S314 - our own
        assert "nan" not in body


@pytest.mark.parametrize("traditions", [("ours", "theirs"), tuple("vwxyz")])
def test_nothing_is_written_for_three_traditions(
    traditions: tuple[str, ...], tmp_path: Path
) -> None:
    scores = rich_scores(traditions=traditions)
    found = drawn(scores)
    assert list(found) == NAMES
    # one triangle per other tradition when asked for home, and when asked for none
    whole = 2 * (len(traditions) - 1) + (len(traditions) - 1)
    (board,) = boards(scores)
    triangle = next(f for f in figures_of(board, words_in("en")) if f.name == "triangle")
    assert len(triangle.panels) == whole
    assert found["triangle"].count("everything else") == whole
    write_site(scores, tmp_path)


@pytest.mark.parametrize("metric", sorted({score.metric for score in rich_scores()}))
def test_a_page_is_made_whatever_is_missing(metric: str) -> None:
    missing = [score for score in rich_scores() if score.metric != metric]
    alone = [score for score in rich_scores() if score.metric == metric]
    for scores in (missing, alone):
        for board in boards(scores):
            for language in LANGUAGES:
                page = section_html(board, words_in(language))
                assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_letters_stand_in_table_figure_and_markdown() -> None:
    scores = rich_scores()
    (board,) = boards(scores)
    table = headline_table(board, words_in("en"))
    assert [cells[0].letters for _, cells in table.rows] == ["a", "ab", "b", ""]
    assert [cells[2].letters for _, cells in table.rows] == [""] * 4
    assert "<sup>ab</sup>" in markdown(scores, words_in("en"))
    assert drawn(scores)["scores"].count(">ab</tspan>") == 2
    assert "share a letter" not in markdown(
        [score for score in scores if score.metric != "ranked_above"], words_in("en")
    )


def test_the_order_follows_the_declared_weights() -> None:
    scores = [
        Score(metric="mean_score", criterion=criterion, model=model, value=value)
        for model, values in {"a": (5, 1), "b": (3, 4)}.items()
        for criterion, value in zip(("brush", "form"), values, strict=True)
    ]
    (equal,) = boards(scores + weight_scores(scores))
    assert (equal.models, equal.declared) == (["b", "a"], False)
    (declared,) = boards(scores + weight_scores(scores, {"brush": 9, "form": 1}))
    assert (declared.models, declared.declared) == (["a", "b"], True)
    told = markdown(scores + weight_scores(scores, {"brush": 9, "form": 1}), words_in("en"))
    assert "the rubric declares: brush 90%, form 10%" in told
    ranges = drawn(scores)["weightings"]
    assert ranges.count("(1–2)") == 2


def test_a_model_without_a_criterion_has_no_overall_score_and_stands_last() -> None:
    scores = [s for s in rich_scores() if s.metric != "overall_score"]
    scores = [s for s in scores if (s.metric, s.model, s.criterion) != ("mean_score", "a", "form")]
    (board,) = boards(scores)
    assert list(board.models) == ["b", "c", "a"]
    assert "a criterion is missing" in markdown(scores, words_in("en"))


def test_without_an_excess_the_raw_leak_is_drawn_with_the_reason() -> None:
    scores = [
        replace(s, value=float("nan"), low=float("nan"), high=float("nan"), reason="no references")
        if s.metric == "excess_leak"
        else s
        for s in rich_scores()
    ]
    found = drawn(scores)
    assert "raw-leak" in found
    assert "excess-leak" not in found
    (board,) = boards(scores)
    figure = next(f for f in figures_of(board, words_in("zh")) if f.name == "raw-leak")
    assert "无参照" in figure.caption


def test_many_pairs_are_drawn_against_the_first_alone() -> None:
    models = [f"m{number}" for number in range(8)]
    (board,) = boards(rich_scores(models=models))
    figure = next(f for f in figures_of(board, words_in("en")) if f.name == "leak-differences")
    assert len(figure.scores) == 7 * 2
    assert "against m0 alone" in figure.caption


def test_tables_tell_agreement_and_the_use_of_the_scales_in_the_order_of_values() -> None:
    (board,) = boards(rich_scores())
    tables = {table.title: table for table in tables_of(board, words_in("en"))}
    assert list(tables["How the scales were used"].heads) == ["Criterion", "1", "9", "10"]
    details = tables["Agreement in figures"]
    brush = dict(zip(details.heads, details.rows[0].cells, strict=True))
    assert brush["α"] == "0.70 [0.60, 0.80]"
    assert brush["missing"] == "0.25"
    assert "AC2" not in brush
    apart = tables["Between the traditions"]
    assert apart.rows[0].cells[1] == "hybrid"
    hybrids = tables["Are mixed works seen between their traditions?"]
    assert list(hybrids.heads) == ["Seen as", "Place, 0 to 1", "Verdict", "Works, raters"]
    assert [row.cells[1:] for row in hybrids.rows] == [
        ["0.40 [0.20, 0.60]", "between", "10, 4"],
        ["−0.20 [−0.30, −0.10]", "beyond, whole interval", "10, 4"],
    ]


def test_what_the_scales_have_in_common_is_told_of_three_and_no_fewer() -> None:
    def note(*criteria: str) -> str:
        (board,) = boards(rich_scores(criteria=criteria))
        tables = {table.title: table for table in tables_of(board, words_in("en"))}
        return tables["Are the scales different things?"].note

    assert "81%" not in note("brush", "form", "spirit")
    assert "80%" in note("brush", "form", "spirit")
    assert "One factor" not in note("brush", "form")


@pytest.mark.parametrize(
    ("language", "between", "over"),
    [
        ("en", "Chinese\u00a0−\u00a0English", "Chinese over English"),
        ("zh", "中文\u00a0−\u00a0英文", "中文对英文"),
    ],
)
def test_languages_are_called_as_readers_call_them(language: str, between: str, over: str) -> None:
    (board,) = boards(rich_scores())
    words = words_in(language)
    figures = {figure.name: figure for figure in figures_of(board, words)}
    titles = [
        panel.alt for name in ("language-gap", "room-languages") for panel in figures[name].panels
    ]
    assert sum(between in title for title in titles) == 3  # a scale, a leak, a scale by rooms
    assert sum(over in title for title in titles) == 1
    assert not any("zh" in title for title in titles)
    assert words.slice("room_language=zh").endswith(words.tongue("zh"))
    assert words.tongue("xx") == "xx"


@pytest.mark.parametrize("language", LANGUAGES)
def test_models_that_ranks_order_against_their_means_are_named(language: str) -> None:
    """Of three scored brush 4.0, 3.5, 3.0, the ratings as ranks put the second first."""
    title = words_in(language).say("as_ranks_title")
    found = {
        model: Score(metric="ordinal_location", criterion="brush", model=model, value=value)
        for model, value in (("a", 0.1), ("b", 0.4), ("c", -0.5))
    }
    (board,) = boards([*rich_scores(), *found.values()])
    (table,) = [table for table in tables_of(board, words_in(language)) if table.title == title]
    assert [list(row.cells)[1:] for row in table.rows] == [["b", "a"]]
    found["b"] = replace(found["b"], value=0.0)
    (board,) = boards([*rich_scores(), *found.values()])
    assert title not in [table.title for table in tables_of(board, words_in(language))]


@pytest.mark.parametrize(("low", "one"), [(0.7, False), (0.78, True)])
def test_scales_are_called_one_by_the_lower_end_of_the_interval(low: float, one: bool) -> None:
    scores = [
        replace(score, low=low, high=0.9) if score.metric == "first_factor_share" else score
        for score in rich_scores()
    ]
    third = [score for score in scores if score.metric == "scale_correlation"]
    mean = next(score for score in scores if score.metric == "mean_score")
    scores += [replace(score, group="spirit") for score in third]
    scores.append(replace(mean, criterion="spirit"))
    (board,) = boards(scores)
    tables = {table.title: table for table in tables_of(board, words_in("en"))}
    note = tables["Are the scales different things?"].note
    assert f"80 [{100 * low:.0f}, 90]%" in note
    assert ("a single score says" in note) == one


def test_costs_of_simulated_raters_are_not_called_simulated(tmp_path: Path) -> None:
    scores = [
        s if s.source == "run" else replace(s, method="simulated raters") for s in rich_scores()
    ]
    write_site(scores, tmp_path)
    notes = {
        path.name: "Simulated raters" in path.read_text(encoding="utf-8")
        for path in (tmp_path / "figures").glob("*.en.svg")
    }
    assert notes.pop("costs.en.svg") is False
    assert all(notes.values())


def test_a_board_of_a_slice_has_its_rows_and_the_weights_of_the_whole() -> None:
    whole = rich_scores()
    part = rich_scores(models=("c", "a"), slice_="language=zh")
    (board,) = boards(whole + part, slice_="language=zh")
    assert list(board.models) == ["c", "a"]
    assert board.weights == {"brush": 0.5, "form": 0.5}


def test_a_model_of_ordered_categories_that_orders_otherwise_is_told_of() -> None:
    def caption(locations: dict[str, float]) -> str:
        found = [
            Score(metric="ordinal_location", criterion="form", model=model, value=value)
            for model, value in locations.items()
        ]
        (board,) = boards(rich_scores() + found)
        return next(f for f in figures_of(board, words_in("en")) if f.name == "scores").caption

    assert "orders the models otherwise on: form;" in caption({"a": 0.0, "b": 0.3, "c": -0.3})
    assert "otherwise" not in caption({"a": 0.5, "b": 0.3, "c": -0.3})
    assert "otherwise" not in caption({})


def test_a_share_of_resamples_is_never_told_as_certain() -> None:
    found = drawn(rich_scores())["strengths"]
    assert "&gt; 0.99" in found
    assert "&lt; 0.01" in found
    assert ">1.00<" not in found
    assert "share of resamples" in found


def test_a_model_without_attributions_has_dashes_and_the_reason() -> None:
    scores = rich_scores()
    scores.append(replace(scores[0], model="d", criterion="form"))
    (board,) = boards(scores)
    rows = dict(headline_table(board, words_in("zh")).rows)
    leak = rows["d"][-1]
    assert (leak.value, leak.reason) == ("–", "未作此项评判")
    assert rows[next(name for name in rows if "参照作品" in name)][-1].value == ""
    tables = {table.title: table for table in tables_of(board, words_in("en"))}
    indices = tables["All indices of manner"].rows
    assert [row.cells[2] for row in indices if row.cells[0] == "d"] == ["–\nnot judged on this"] * 2
    assert all(all(row.cells) for row in indices)


def test_shares_of_not_applicable_are_a_table() -> None:
    share = Score(metric="not_applicable_share", criterion="form", model="a", value=0.25)
    never = replace(share, criterion="never", model="b", value=1.0)
    (board,) = boards([*rich_scores(), share, never])
    table = next(t for t in tables_of(board, words_in("en")) if t.title == "Not applicable")
    assert list(table.heads) == ["Criterion", "a", "b"]
    assert [list(row.cells) for row in table.rows] == [
        ["Form", "0.25", "–"],
        ["Never", "–", "1.00"],
    ]


def test_a_coefficient_without_a_value_says_why() -> None:
    scores = [
        replace(s, value=float("nan"), reason="not defined on a nominal scale")
        if (s.metric, s.criterion) == ("icc_2_k", "form")
        else s
        for s in rich_scores()
    ]
    (board,) = boards(scores)
    table = next(t for t in tables_of(board, words_in("zh")) if t.title == "一致性的细目")
    assert "–\n名义尺度上无定义" in table.rows[1].cells


def test_every_diamond_has_its_initial_in_the_key() -> None:
    found = drawn(rich_scores(traditions=("ours", "theirs", "west")))["triangle"]
    for initial in "OTW":
        assert f">◇ {initial} " in found


def test_long_labels_leave_their_values_a_line_of_their_own() -> None:
    rows = [Row("a − b", 0.5, 0.0, 1.0, "0.50 [0.00, 1.00]")]
    long = [*rows, Row("atelier-balanced − atelier-japan", -0.2, -1, 1, "−0.20 [−1.00, 1.00]")]
    axis = axis_over([-1.0, 1.0])
    short, tall = dot_panel("t", rows, axis, ""), dot_panel("t", long, axis, "")
    assert tall.height == short.height + 38 + 2 * 15
    heights = [float(y) for y in re.findall(r'<text x="(?:0|100%)" y="([\d.]+)"', tall.body)][1:]
    assert heights == sorted(heights)
    assert len(set(heights)) == 4


def test_long_titles_are_broken_between_words_or_chinese_letters() -> None:
    axis = axis_over([0.0, 1.0])
    one = dot_panel("Brush and ink", [], axis, "")
    two = dot_panel("Composition, fullness and emptiness, zh\u00a0−\u00a0en", [], axis, "")
    assert two.height == one.height + 18
    assert ">zh\u00a0−\u00a0en</text>" in two.body
    chinese = dot_panel("评者能不能把不同传统的作品分辨清楚，又有多大的把握？", [], axis, "")
    assert chinese.height == one.height + 18


def test_an_interval_beyond_the_scale_does_not_stretch_the_axis() -> None:
    """Two raters' intervals reach far; the axis keeps to 1–10 and says where one goes on."""
    wide = [
        replace(s, low=s.value - 60, high=s.value + 60) if s.metric == "mean_score" else s
        for s in rich_scores()
    ]
    for language, note in (("en", "goes on beyond the axis"), ("zh", "超出坐标轴")):
        (board,) = boards(wide)
        words = words_in(language)
        figures = {figure.name: figure for figure in figures_of(board, words)}
        panel = figures["scores"].panels[1]
        ticks = [float(tick) for tick in re.findall(r">(\d+)</text>", panel.body)]
        assert (min(ticks), max(ticks)) == (0, 10)
        assert panel.runs_out
        assert note in figures["scores"].caption
        # the words keep the whole of it
        assert "4.00 [−56.00, 64.00]" in panel.alt
        assert note not in figures["excess-leak"].caption


def test_a_joint_estimate_says_that_seeds_are_not_drawn_where_means_draw_them() -> None:
    for seeds, told in ((1, False), (LEAST_SEEDS, True)):
        scores = [
            replace(s, method=facets(seeds, 4)) if s.metric == "mean_score" else s
            for s in rich_scores()
        ]
        (board,) = boards(scores)
        figures = figures_of(board, words_in("en"))
        (joint,) = [f for f in figures if f.name == "ratings-and-votes"]
        assert ("Seeds are not drawn here" in joint.caption) == told


def test_a_value_without_an_interval_says_why() -> None:
    lone = [
        replace(s, low=math.nan, high=math.nan, reason=NOTHING_VARIES)
        if s.metric == "leak_difference"
        else s
        for s in rich_scores()
    ]
    (board,) = boards(lone)
    figure = next(f for f in figures_of(board, words_in("zh")) if f.name == "leak-differences")
    assert "−0.20 区间缺：各次重抽毫无变化" in figure.panels[0].alt
    page = section_html(board, words_in("en"))
    assert f'−0.20 <span class="reason">{NOTHING_VARIES}</span>' in page


def test_works_in_their_corners_are_not_told_to_be_elsewhere() -> None:
    def seen(works: float) -> str:
        scores = [
            replace(s, value=works if len(set(s.group.split(":"))) == 1 else (1 - works) / 4)
            if s.metric == "attribution_share" and s.model == REFERENCE
            else s
            for s in rich_scores()
        ]
        (board,) = boards(scores)
        return next(f for f in figures_of(board, words_in("en")) if f.name == "triangle").caption

    assert "Not even real works were put wholly into their corners" in seen(0.9)
    assert "Not even" not in seen(1.0)


def test_reasons_name_criteria_as_the_page_does() -> None:
    words = words_in(
        "zh", {"brush-and-ink": {"zh": "骨法用笔", "en": "Brush"}, "form": {"zh": "应物象形"}}
    )
    assert words.reason("not rated on brush-and-ink, form") == "未评：骨法用笔、应物象形"
    assert words.reason("not rated on something else") == "未评：something else"
    english = words_in("en", {"brush-and-ink": {"en": "Brush"}})
    assert english.reason("not rated on brush-and-ink") == "not rated on Brush"

"""Pages: what must stand on them, what must not, and files that open from a disk."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import FileFormatError, RequestError
from bench.records import SIMULATED, Score
from leaderboard import schools
from leaderboard.applicability import NEVER
from leaderboard.board import boards
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.files import read_labels
from leaderboard.indices import LEAST_REFERENCES
from leaderboard.latex import latex
from leaderboard.passages import NONE_MARKED
from leaderboard.pictures import LowPicture, Picture, Pictures, carry_pictures, read_pictures
from leaderboard.ppi import TOO_FEW_SCENES
from leaderboard.scoring import score
from leaderboard.site import write_site
from leaderboard.tabulate import headline, headline_table, shortened
from leaderboard.words import LANGUAGES, words_in
from raters.protocol import Plan
from tests.leaderboard.rich import rich_scores
from tests.leaderboard.simulation import World

LABELS = {
    "spirit": {"en": "spirit and conception", "zh": "气韵与意境"},
    "chinese": {"en": "Chinese", "zh": "中国"},
    "western": {"en": "Western", "zh": "西方"},
}


def scores_of(world: World, **tables: pd.DataFrame) -> list[Score]:
    chosen = tables or world.tables(1)
    return score(chosen, rng=np.random.default_rng(0), resamples=60)


@pytest.fixture(scope="module")
def simulated() -> list[Score]:
    return scores_of(World(scenes=8, group=SIMULATED))


@pytest.fixture(scope="module")
def people() -> list[Score]:
    return scores_of(World(scenes=8))


def pages(folder: Path) -> dict[str, str]:
    return {
        "en": (folder / "index.html").read_text(encoding="utf-8"),
        "zh": (folder / "index.zh.html").read_text(encoding="utf-8"),
    }


def test_both_pages_say_what_they_must(tmp_path: Path, simulated: list[Score]) -> None:
    index = write_site(simulated, tmp_path, labels=LABELS)
    assert index == tmp_path / "index.html"
    found = pages(tmp_path)
    for words in ("no measure of purity", "borrowed from each other", "Simulated raters", "WBI"):
        assert words in found["en"]
    for words in ("不是“纯正”与否的尺度", "历来互相借鉴", "模拟评者", "气韵与意境", "偏向西方"):
        assert words in found["zh"]
    assert 'href="index.zh.html"' in found["en"]
    assert 'href="index.html"' in found["zh"]
    for page in found.values():
        assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_figures_of_simulated_raters_say_so(tmp_path: Path, simulated: list[Score]) -> None:
    write_site(simulated, tmp_path)
    drawings = sorted((tmp_path / "figures").glob("*.svg"))
    assert drawings
    for path in drawings:
        words = {"en": "Simulated raters", "zh": "模拟评者"}[path.name.split(".")[-2]]
        assert words in path.read_text(encoding="utf-8")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count('class="plot"') == len(drawings) / 2
    # Every heading above something that raters said
    headings = re.findall(r"<h2>.*?</h2>", page)
    untagged = [heading for heading in headings if 'class="tag"' not in heading]
    assert untagged == ["<h2>Method and limits</h2>"]


def test_people_are_not_called_simulated(tmp_path: Path, people: list[Score]) -> None:
    write_site(people, tmp_path)
    for page in pages(tmp_path).values():
        assert "Simulated raters" not in page
        assert "模拟评者" not in page
        assert 'class="simulated"' not in page


def test_nothing_foreign_is_asked_for_and_every_link_is_there(
    tmp_path: Path, people: list[Score]
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"")
    (tmp_path / "pictures" / "low.png").write_bytes(b"")
    captions = {"en": "a lone boat", "zh": "孤舟"}
    picture = Picture("pictures/a.png", "balanced", "s1/chinese", captions)
    low = Picture("pictures/low.png", "west", "s2/chinese")
    lowest = [LowPicture(low, 1.234, 1.0, 12)]
    write_site(people, tmp_path, pictures=Pictures([picture], lowest))
    for page in pages(tmp_path).values():
        assert "//" not in re.sub(r"<!--.*?-->", "", page)
        for link in re.findall(r'(?:href|src)="([^"]+)"', page):
            assert link.startswith("data:") or (tmp_path / link).is_file(), link
    found = pages(tmp_path)
    assert "a lone boat" in found["en"]
    assert "孤舟" in found["zh"]
    assert "scene 1.23, picture 1.00, 12 ratings" in found["en"]
    assert "场景 1.23，此幅 1.00，评分 12 次" in found["zh"]
    assert "west,s2/chinese,1.234,1.0,12,pictures/low.png" in (
        tmp_path / "figures" / "lowest.csv"
    ).read_text(encoding="utf-8")


def test_every_drawing_is_well_formed_and_has_its_data(tmp_path: Path, people: list[Score]) -> None:
    write_site(people, tmp_path)
    for path in (tmp_path / "figures").glob("*.svg"):
        root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
    leaks = pd.read_csv(tmp_path / "figures" / "excess-leak.csv")
    assert set(leaks["metric"]) == {"excess_leak"}
    assert len(leaks) == 6
    for page in pages(tmp_path).values():
        for drawing in re.findall(r"<svg[^>]*role[^>]*>", page):
            assert 'aria-label="' in drawing


def test_the_same_scores_make_the_same_bytes(tmp_path: Path, people: list[Score]) -> None:
    for folder in ("a", "b"):
        write_site(people, tmp_path / folder)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")]
    for name in files:
        if (tmp_path / "a" / name).is_file():
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_names_cannot_put_code_into_the_page(tmp_path: Path) -> None:
    evil = '<script>alert("1")</script>'
    world = World(models={evil: {}, "b": {}}, quality={evil: 3.0, "b": 2.0}, scenes=4)
    write_site(
        scores_of(world), tmp_path, pictures=Pictures([Picture("x.png", evil, evil, {"en": evil})])
    )
    for page in pages(tmp_path).values():
        assert "<script" not in page
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")


def test_values_that_are_missing_are_dashes_with_their_reason(tmp_path: Path) -> None:
    frame = World(scenes=4).attributions(np.random.default_rng(0))
    scores = scores_of(World(), attributions=frame[frame["model"] != "reference"])
    write_site(scores, tmp_path)
    found = pages(tmp_path)
    assert '<span class="value" title="no references">–</span>' in found["en"]
    assert "– no references" in found["en"]
    assert "– 无参照" in found["zh"]


@pytest.mark.parametrize("table", ["ratings", "votes", "attributions"])
def test_a_page_of_one_table_alone(tmp_path: Path, table: str) -> None:
    world = World(scenes=4)
    write_site(scores_of(world, **{table: world.tables(1)[table]}), tmp_path)
    found = pages(tmp_path)["en"]
    assert "balanced" in found
    assert ("no measure of purity" in found.split('class="method"')[0]) == (table == "attributions")
    assert headline(scores_of(world, **{table: world.tables(1)[table]}))


def test_each_study_has_its_section(tmp_path: Path) -> None:
    world = World(scenes=4)
    tables = world.tables(1)
    both = {
        name: pd.concat([frame.assign(study="one"), frame.assign(study="two")], ignore_index=True)
        for name, frame in tables.items()
    }
    write_site(scores_of(world, **both), tmp_path)
    page = pages(tmp_path)["en"]
    assert page.count('class="study-name"') == 2
    assert (tmp_path / "figures" / "2-scores.en.svg").is_file()


def test_notes_and_what_the_references_are(tmp_path: Path, people: list[Score]) -> None:
    labels = {"reference": {"en": "painter's pictures", "zh": "画师之作"}}
    notes = [{"en": "A note.", "zh": "一则说明。"}]
    write_site(people, tmp_path, labels=labels, notes=notes)
    found = pages(tmp_path)
    assert "A note." in found["en"]
    assert "一则说明。" in found["zh"]
    assert "beyond what happens to painter&#39;s pictures" in found["en"]
    assert "real works" not in found["en"]
    assert "扣除了同一批评者看画师之作时" in found["zh"]


def test_texts_of_both_languages_have_the_same_keys_and_braces() -> None:
    english, chinese = (words_in(language).texts for language in LANGUAGES)
    assert list(english) == list(chinese)
    assert list(english["reasons"]) == list(chinese["reasons"])
    for key, text in english.items():
        ours, theirs = (set(re.findall(r"{\w+}", str(each))) for each in (text, chinese[key]))
        assert ours == theirs, key


def test_every_text_is_used() -> None:
    package = Path(__file__).parents[2] / "leaderboard"
    code = "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("*.py", "templates/*")
        for path in package.glob(pattern)
    )
    built = {
        "reference",
        "rows_used",
        "rows_repeats",
        "rows_without_model",
        "rows_both_bad",
        "switch_file",
        "device_seconds_panel",
        "failure_share_panel",
        "rater_bias_panel",
        "rater_inconsistency_panel",
        "d_prime_panel",
        "response_criterion_panel",
        "rows_not_distinct",
        "rows_foils",
        "rows_not_applicable",
        "shared",
        "hybrid",
        "not-applicable",
    }
    families = (
        "as_ranks_", "by_", "hybrids_", "fact_", "fault_", "flag_", "gate_", "index_", "judge_", "protocol_", "video_",
    )  # fmt: skip
    for key in words_in("en").texts:
        assert (
            key.startswith(families)
            or key in built
            or re.search(rf"['\"]{key}['\"]|texts\.{key}\b", code)
            or f'board.text("{key.removesuffix("_of_answers")}")' in code
        ), key


def test_the_headline_for_a_terminal(simulated: list[Score]) -> None:
    text = headline(simulated, labels=LABELS)
    assert text.startswith("Simulated raters")
    lines = text.splitlines()
    assert any(line.startswith("balanced") for line in lines)
    assert "Bias towards Western (WBI)" in text
    assert max(len(line) for line in lines) <= 100
    assert "模拟评者" in headline(simulated, language="zh")


def test_markdown_and_latex(tmp_path: Path, simulated: list[Score]) -> None:
    write_site(simulated, tmp_path, labels=LABELS)
    table = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4
    assert len({line.count("|") for line in rows}) == 1
    assert "Simulated raters" in table
    tex = (tmp_path / "leaderboard.tex").read_text(encoding="utf-8")
    assert "\\toprule" in tex
    assert "Simulated raters" in tex
    odd = [Score(metric="mean_score", criterion="a_b", model="50%_{x}", value=1.0)]
    assert "50\\%\\_\\{x\\} & 1.00" in latex(odd, words_in("en"))
    assert "$-$" in tex
    assert tex.count("\\begin{tabular}") == tex.count("\\end{tabular}")


def test_latex_stacks_the_interval_and_escapes_what_tex_would_take() -> None:
    blank = Score(metric="mean_score", criterion="a<b|c", model="[a] & 5^2~\\x", confidence=0.95)
    scores = [
        replace(blank, value=3.25, low=-1.0, high=4.0),
        replace(blank, metric="rank", group="mean_score", value=1, low=1, high=2),
    ]
    tex = latex(scores, words_in("en"))
    head, row = (line for line in tex.splitlines() if line.endswith(" \\\\"))
    assert "A\\textless{}b\\textbar{}c" in head
    assert row.startswith("{[}a] \\& 5\\textasciicircum{}2\\textasciitilde{}\\textbackslash{}x & ")
    assert "\\stacked{3.25\\\\{\\scriptsize {[}$-$1.00, 4.00]}\\\\{\\scriptsize rank 1--2}}" in row
    # a line of a table that begins with a bracket would be read as an argument of the one before
    assert "\\\\[" not in tex
    assert "\n[" not in tex


def test_a_study_without_a_judgement_says_so(tmp_path: Path) -> None:
    write_site([], tmp_path / "none")
    facts = [Score(study="new", source="study", metric="protocol", group="planned", value=24)]
    write_site(facts, tmp_path / "planned")
    for name in ("none", "planned"):
        found = pages(tmp_path / name)
        assert "Nothing was judged yet" in found["en"]
        assert "还没有评判" in found["zh"]
    assert "raters planned" in pages(tmp_path / "planned")["en"]


def test_every_number_of_a_plan_has_its_words() -> None:
    told = {name for name, field in Plan.model_fields.items() if field.annotation in {int, float}}
    for name in told - {"raters", "minutes"}:
        for language in ("en", "zh"):
            assert f"protocol_{name}" in words_in(language).texts, name


def test_labels_travel_with_the_scores(tmp_path: Path, people: list[Score]) -> None:
    write_site(people, tmp_path, labels=LABELS)
    assert read_labels(tmp_path / "scores.csv") == read_labels(tmp_path) == LABELS
    assert read_labels(tmp_path / "figures" / "scores.csv") == {}
    (tmp_path / "labels.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"labels\.json"):
        read_labels(tmp_path)


def test_pictures_that_lie_beside_the_scores_are_read_again(
    tmp_path: Path, people: list[Score]
) -> None:
    picture = Picture("pictures/a.png", "west", "s1/chinese", {"en": "a boat"}, "one")
    pictures = Pictures([picture], [LowPicture(picture, 1.5, 1.0, 12)])
    write_site(people, tmp_path, pictures=pictures)
    assert read_pictures(tmp_path / "scores.csv") == pictures
    assert read_pictures(tmp_path / "figures") == Pictures()
    assert pictures.of_study("two") == Pictures([], [])
    with pytest.raises(RequestError, match=r"a\.png"):
        carry_pictures(pictures, tmp_path, tmp_path / "other")
    (tmp_path / "pictures.json").write_text('{"shown": [{"model": 1}]}', encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"pictures\.json"):
        read_pictures(tmp_path)


def test_many_models_fold_their_differences(tmp_path: Path) -> None:
    models: dict[str, dict[str, float]] = {f"model-{number}": {} for number in range(6)}
    world = World(models=models, quality=dict.fromkeys(models, 3.0), scenes=3, references=5)
    write_site(scores_of(world), tmp_path)
    assert "<details>" in pages(tmp_path)["en"]


def test_reasons_that_carry_a_limit_are_told_in_chinese() -> None:
    words = words_in("zh")
    partings = (schools.BY_SCHOOL, schools.BY_LANGUAGE)
    for reason in (
        f"under {LEAST_REFERENCES} references per class",
        f"under {schools._FEWEST_JUDGEMENTS} judgements of common items",
        *(getattr(one, why) for one in partings for why in ("not_rated", "too_few")),
        NEVER,
        NOTHING_VARIES,
        TOO_FEW_SCENES,
        NONE_MARKED,
        "not defined on a nominal scale",
        "no interval: leaving any one out changes nothing",
        "no variation or no pairs without this rater",
        "the votes put all models alike: there is no scale to join",
        "condition number of the references' confusion above 5: 7.1",
        "too few references: fewer than 8",
    ):
        assert not re.search("[a-z]", words.reason(reason)), reason


def test_a_reason_is_told_in_the_pages_language_clause_by_clause() -> None:
    told = "no interval: undefeated: a; winless: b"
    assert words_in("zh").reason(told) == "无区间：从未落败：a；从未获胜：b"
    assert words_in("en").reason(told) == told
    assert words_in("zh").reason("severity not removed: raters and items are not connected") == (
        "未扣除评者的宽严：评者与画未能连通"
    )


def test_what_is_too_long_for_a_figure_is_cut_by_columns() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("rather too long", 10) == "rather to…"
    assert shortened("从未落败的模型", 10) == "从未落败…"


def test_latex_keeps_to_the_width_of_a_page() -> None:
    """Five columns at most beside the models' names; long reasons in lines, as headings are."""
    scores = rich_scores(criteria=[f"c{number}" for number in range(8)])
    lacking = "not rated on one criterion or another of a long list"
    scores = [
        replace(s, value=math.nan, low=math.nan, high=math.nan, reason=lacking)
        if (s.metric, s.criterion, s.model) == ("mean_score", "c2", "b")
        else s
        for s in scores
    ]
    (board,) = boards(scores)
    tex = latex(scores, words_in("en"))
    widths = [len(columns) for columns in re.findall(r"begin\{tabular\}\{l(r+)\}", tex)]
    assert sum(widths) == len(headline_table(board, words_in("en")).columns)
    assert widths == [5, 5, 2]  # overall, eight criteria and votes; two biases
    assert "{\\scriptsize not rated on}\\\\{\\scriptsize one criterion}" in tex
    assert tex.count("\\midrule") == 2 * 2 + 1  # references have no bias

"""A study of answers: who sees which, what may be said of them, and that nobody's name is in them."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from bench.cli import main
from bench.errors import ConflictError, FileFormatError, RequestError
from bench.overview import oversee, readable
from bench.scoring import score_studies
from raters import tables as t
from raters.cleaning import GAP, cleaned, names_of
from raters.export import marked_characters, tables
from raters.folder import open_study
from raters.invitations import enrol_raters
from raters.payloads import SIDES, Answer, check_payload
from raters.people import start
from raters.position import position
from raters.room import create_app
from raters.room.texts import catalogue
from raters.simulated import Look, simulate
from raters.simulated_readings import Fault, Reading
from raters.store import owns, respond
from raters.study import create, invite, status
from tests.raters.readings import MODELS, readings_config, readings_run, readings_study

SCALES = ("correct", "deep", "well-founded", "terms")


def reading(winner: str = "left", **more: Any) -> dict[str, Any]:
    scales = {side: dict.fromkeys(SCALES, 4) for side in ("left", "right")}
    marks = [{"side": "left", "section": 0, "start": 0, "end": 9, "kind": "wrong"}]
    return {"winner": winner, "scales": scales, "marks": marks} | more


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return readings_study(tmp_path_factory.mktemp("readings"))


def judge_all(study: Path, raters: int) -> int:
    given = 0
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        rng = np.random.default_rng(0)
        people = enrol_raters(connection, protocol, raters, group="", simulated=False, rng=rng)
        for rater, _ in people:
            start(connection, rater, protocol)
            while here := position(connection, rater, ahead=0).here:
                assert here.phase == "pair"
                assert here.picture not in {"", *(one.id for one in here.stimuli)}
                said = reading(str(rng.choice(["left", "right", "tie", "both_bad"])))
                said["scales"] = {
                    side: {scale: int(rng.integers(1, 6)) for scale in SCALES} for side in SIDES
                }
                payload = check_payload(here.phase, said, protocol)
                event = str(uuid.UUID(int=given + 1, version=4))
                answer = Answer(here.assignment.id, event, "pair", payload, "zh", t.now())
                respond(connection, rater, [answer], protocol, study)
                given += 1
    return given


def test_every_pair_of_models_on_every_work_has_its_votes_and_sides_are_balanced(
    study: Path,
) -> None:
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        rows = connection.execute(t.assignment.select()).fetchall()
    assert {row.kind for row in rows} == {"pair"}
    votes = Counter(frozenset((row.first, row.second)) for row in rows)
    assert len(votes) == 9  # three pairs of models on three works
    assert set(votes.values()) == {2}
    left = Counter(row.first for row in rows)
    assert max(abs(left[row.first] - sum(r.second == row.first for r in rows)) for row in rows) <= 2


def test_who_is_invited_beyond_the_plan_reads_what_has_the_fewest_votes(tmp_path: Path) -> None:
    study = readings_study(tmp_path)
    given = judge_all(study, 4)
    assert len(invite(study, 2, base_url="")) == 2
    rows = {row["rater"]: row for row in status(study)["raters"]}
    assert 4 <= rows["r005"]["total"] <= 5
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        shown = connection.execute(t.assignment.select().where(t.assignment.c.block == 4)).all()
    assert given == 18
    assert {row.kind for row in shown} == {"pair"}
    assert len({row.scene for row in shown}) >= 2
    assert judge_all(study, 1) in {4, 5}


def test_what_a_new_study_is_like_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, works = readings_run(tmp_path)
    config = readings_config(tmp_path)
    command = ["study", "new", str(config), "--run", str(run), "--references", str(works)]
    assert main([*command, "--out", str(tmp_path / "study")]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert "  twice: pairs 6" in lines
    assert "simulated: no" in lines
    assert "pairs per rater: 4 to 5" in lines
    assert not any("_" in line for line in lines)
    # what such a study has no task for is not listed with a nought
    for none in ("singles per rater", "raters per item", "anchors", "carry over", "references of"):
        assert none not in told.out
    for stray in ("{", "[", "None", "True", "False", "'"):
        assert stray not in told.out
    assert not any(
        line.rstrip().endswith(":") and not after.startswith("  ")
        for line, after in pairwise([*lines, ""])
    )
    small = "the plan is small: if two raters drop out, some pairs may have no vote left"
    assert f"Warning: {small}." in told.err.splitlines()
    wide = readings_config(tmp_path, analyses={"questions": ["depicted"], "votes_per_pair": 3})
    plan = create(wide, [run], references=works, out=tmp_path / "wide")
    assert plan["check"]["without_two_raters"]["votes_per_pair"] == 1
    assert small not in plan["warnings"]


def test_nothing_that_a_rater_reads_names_a_model(study: Path) -> None:
    for file in [study / "study.yaml", *(study / "stimuli").glob("*.json")]:
        text = file.read_text(encoding="utf-8")
        for name in (*MODELS, "Qwen", "qwen", "early-spring.png", "metadata"):
            assert name not in text, (file, name)
        if file.suffix == ".json":
            assert GAP in text
    taken_out = (study / "sealed" / "cleaned.csv").read_text(encoding="utf-8-sig")
    assert taken_out.count("Qwen2.5-VL") == 9


def test_a_rater_may_have_the_pictures_of_his_works_alone(study: Path) -> None:
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        rng = np.random.default_rng(1)
        ((name, _),) = enrol_raters(connection, protocol, 1, group="", simulated=False, rng=rng)
        start(connection, name, protocol)
        rater = connection.execute(t.rater.select().where(t.rater.c.id == name)).one()
        here = position(connection, name, ahead=0).here
        assert here is not None
        assert owns(connection, rater, here.picture) == f"stimuli/{here.picture}.webp"
        assert owns(connection, rater, "0" * 16) is None


def test_votes_scales_and_marks_become_scores(tmp_path: Path) -> None:
    study = readings_study(tmp_path)
    given = judge_all(study, 4)
    assert given == 18
    found = tables(study)
    assert len(found["votes"]) == 18
    assert len(found["ratings"]) == 18 * 2 * len(SCALES)
    assert len(found["marks"]) == 18
    assert found["passages"]["wrong"].sum() == 18
    # nine characters each time
    assert found["passages"]["wrong_characters"].sum() == 9 * 18
    assert found["passages"]["invented_characters"].sum() == 0
    assert found["passages"]["characters"].min() > 100
    scores = score_studies([study])
    metrics = {score.metric for score in scores}
    assert {"strength", "mean_score", "alpha", "marked_per_1000"} <= metrics
    by_kind = {
        (s.model, s.criterion): s.value for s in scores if s.metric == "marked_characters_per_1000"
    }
    assert {kind for _, kind in by_kind} == {"wrong", "invented", "all"}
    assert all(by_kind[model, "wrong"] == by_kind[model, "all"] > 0 for model in MODELS)
    marked = [s for s in scores if s.metric == "marked_per_1000" and s.criterion == "wrong"]
    assert {score.model for score in marked} == set(MODELS)
    # an analysis that a rater meets in a second pair is a further occasion, not a second judgement
    assert found["ratings"].duplicated(["rater", "item", "criterion", "occasion"]).sum() == 0
    assert found["ratings"]["occasion"].max() == 1
    first = found["passages"][found["passages"]["occasion"] == 0]
    every = 1000 * first["wrong"].sum() / first["characters"].sum()
    assert min(s.value for s in marked) <= every <= max(s.value for s in marked)
    assert main(["score", str(study), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "index.zh.html").read_text(encoding="utf-8")
    assert "每千字里标出的字数" in page
    assert "并读 3 个模型所写的讲解" in page
    assert "看了 3 个模型的画" not in page
    assert "单幅绝对等级评分" not in page
    assert main(["study", "export", str(study), "--out", str(tmp_path / "tables")]) == 0
    assert status(study)["finished"] == 4


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"winner": "left"}, "a vote must give exactly marks, scales, winner"),
        (reading(winner="third"), "winner must be one of"),
        (reading(scales={"left": {}}), "scales by side must give exactly left, right"),
        (reading(scales={"left": {"correct": 3}, "right": {}}), "the scales asked here are"),
        (reading(marks="all"), "marks must be a list of at most"),
        (reading(marks=[{"side": "left"}]), "a mark must give exactly"),
        (
            reading(marks=[{"side": "up", "section": 0, "start": 0, "end": 1, "kind": "wrong"}]),
            "a mark's side must be one of left, right",
        ),
        (
            reading(marks=[{"side": "left", "section": 0, "start": 5, "end": 5, "kind": "wrong"}]),
            "a mark's end must come after its start",
        ),
        (
            reading(marks=[{"side": "left", "section": -1, "start": 0, "end": 5, "kind": "wrong"}]),
            "a mark's section must be a whole number",
        ),
        (
            reading(marks=[{"side": "left", "section": 0, "start": 0, "end": 5, "kind": "dull"}]),
            "a mark's kind must be one of wrong, invented",
        ),
    ],
)
def test_what_may_not_be_said_is_refused(study: Path, payload: dict[str, Any], says: str) -> None:
    with open_study(study) as (protocol, _), pytest.raises(RequestError, match=says):
        check_payload("pair", payload, protocol)


def marks_of(*places: tuple[str, int, int, int, str]) -> list[dict[str, Any]]:
    names = ("side", "section", "start", "end", "kind")
    return [dict(zip(names, place, strict=True)) for place in places]


def test_a_mark_lies_within_a_text_that_is_there(tmp_path: Path) -> None:
    study = readings_study(tmp_path)
    for file in (study / "stimuli").glob("*.json"):
        sections = json.loads(file.read_text("utf-8"))
        sections[0]["text"] = "𠮷野有雪。"  # five characters, six of JavaScript's
        file.write_text(json.dumps(sections), encoding="utf-8")
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study), headers={"sec-fetch-site": "same-origin"}) as client:
        client.post(link, data={"consent": "yes"})
        client.headers["x-room-token"] = client.get("/room/setup").json()["token"]
        here = client.get("/room/state").json()
        event = {
            "assignment": here["assignment"],
            "event_id": str(uuid.uuid4()),
            "phase": "pair",
            "language": "zh",
            "client_time": t.now(),
        }

        def sent(marks: list[dict[str, Any]]) -> Any:
            return client.post("/room/respond", json={**event, "payload": reading(marks=marks)})

        nowhere = "a mark's section must be one that its analysis has"
        beyond = "a mark must end within its section's text"
        for place, says in (
            (("left", 1, 0, 2, "wrong"), nowhere),
            (("right", 10**30, 0, 2, "wrong"), nowhere),
            (("left", 0, 0, 6, "wrong"), beyond),
            (("right", 0, 5, 6, "invented"), beyond),
        ):
            answer = sent(marks_of(place))
            assert (answer.status_code, answer.json()["error"]) == (400, says)
        twice = sent(marks_of(("left", 0, 0, 2, "wrong"), ("left", 0, 0, 2, "wrong")))
        assert twice.status_code == 400
        assert twice.json()["error"] == "a passage is marked once as what it is"
        whole = ("left", 0, 0, 5, "wrong")
        # wrong and invented may both be said of a passage
        answer = sent(marks_of(whole, ("left", 0, 0, 5, "invented"), ("right", 0, 4, 5, "wrong")))
        assert answer.status_code == 200
    assert tables(study)["marks"]["end"].tolist() == [5, 5, 5]


def test_a_study_that_cannot_be_is_refused(tmp_path: Path) -> None:
    run, works = readings_run(tmp_path)
    out = tmp_path / "study"
    with pytest.raises(RequestError, match="raters see the works too"):
        create(readings_config(tmp_path), [run], references=None, out=out)
    config = readings_config(tmp_path, analyses={"questions": ["smell"], "votes_per_pair": 2})
    with pytest.raises(RequestError, match="has no question 'smell'"):
        create(config, [run], references=works, out=out)
    config = readings_config(tmp_path, analyses={"questions": ["printing"], "votes_per_pair": 2})
    with pytest.raises(RequestError, match="no model has answered the study's questions"):
        create(config, [run], references=works, out=out)
    config = readings_config(tmp_path, analyses={"votes_per_pair": 9})
    with pytest.raises(FileFormatError, match="votes_per_pair 9 exceeds raters 4"):
        create(config, [run], references=works, out=out)
    config = readings_config(tmp_path, single={"raters_per_item": 2})
    with pytest.raises(FileFormatError, match="a study of answers has no single"):
        create(config, [run], references=works, out=out)
    config = readings_config(tmp_path, select={"models": [MODELS[0]]})
    with pytest.raises(RequestError, match="no two models have answered about one work"):
        create(config, [run], references=works, out=out)
    (works / "a-print.png").write_bytes((works / "wind-in-pines.png").read_bytes())
    with pytest.raises(FileFormatError, match="not the picture that the models were shown"):
        create(readings_config(tmp_path), [run], references=works, out=out)
    (works / "a-print.png").unlink()
    with pytest.raises(RequestError, match="the picture of a-print is wanted"):
        create(readings_config(tmp_path), [run], references=works, out=out)
    assert not out.exists()
    with pytest.raises(ConflictError, match="exists already"):
        create(readings_config(tmp_path), [run], references=works, out=works)


@pytest.mark.parametrize(
    ("text", "left", "found"),
    [
        ("As Qwen2.5-VL, I see mist.", f"As {GAP}, I see mist.", ["Qwen2.5-VL"]),
        ("我是通义千问，画中有雾。", f"我是{GAP}，画中有雾。", ["通义千问"]),
        ("my-reader thinks so; MY-READER-2 too.", f"{GAP} thinks so; {GAP} too.",
         ["my-reader", "MY-READER-2"]),
        ("The philosopher holds a scroll; the bugle glows.", None, []),
        ("书生临流，手持竹杖。", None, []),
    ],
)  # fmt: skip
def test_names_are_taken_out_and_words_about_painting_are_not(
    text: str, left: str | None, found: list[str]
) -> None:
    names = names_of([{"id": "my-reader", "source": "owner/other-name"}])
    assert cleaned(text, names) == (left or text, found)


@pytest.mark.parametrize(
    ("marks", "count"),
    [
        ([], 0),
        ([(0, 0, 9)], 9),
        ([(0, 0, 9), (0, 4, 12)], 12),  # an overlap counts once
        ([(0, 4, 12), (0, 0, 20), (0, 6, 7)], 20),
        ([(0, 0, 5), (0, 5, 8), (0, 10, 11)], 9),
        ([(0, 0, 5), (1, 0, 5)], 10),  # other sections are other texts
        ([(0, 95, 4000)], 5),  # nothing lies beyond the text
        ([(0, 200, 300), (7, 0, 9)], 0),
    ],
)
def test_marked_characters_are_counted_once(marks: list[tuple[int, int, int]], count: int) -> None:
    names = ("section", "start", "end")
    told = [dict(zip(names, mark, strict=True)) for mark in marks]
    assert marked_characters(told, [100, 50]) == count


def test_an_analysis_holds_its_text_as_it_is(study: Path) -> None:
    file = next((study / "stimuli").glob("*.json"))
    (section,) = json.loads(file.read_text(encoding="utf-8"))
    assert "<script>alert('x')</script>" in section["text"]
    assert set(section["question"]) == {"zh", "en"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_consent_is_to_reading_analyses_and_to_nothing_else(study: Path, language: str) -> None:
    (link,) = invite(study, 1, base_url="", language=language)
    with TestClient(create_app(study), base_url="https://testserver") as client:
        page = client.get(link).text
        assert client.post(link, data={"consent": "yes"}, follow_redirects=False).is_redirect
        setup = client.get("/room/setup").json()
    does = {
        "zh": ("程序怎样讲画", "讲解", "打分", "说错", "代号", "退出"),
        "en": ("How programs write about paintings", "two analyses", "rate each", "wrong", "code"),
    }
    for said in does[language]:
        assert said in page
    of_pictures, own = catalogue()[language], catalogue("understanding")[language]
    for part in (of_pictures["door"]["title"], of_pictures["door"]["lead"]):
        assert part not in page
    for part in re.split(r"[。；;.]", of_pictures["door"]["sections"][0]["text"]):
        assert not part.strip() or part.strip() not in page
    assert setup["debriefing"][language] == own["debriefing"] != of_pictures["debriefing"]
    assert setup["texts"][language]["room"]["help_text"] == own["room"]["help_text"]
    # what is looked for is not told
    for stray in ("误读", "misread", "传统", "tradition", "西方", "Western"):
        assert stray not in page
        assert stray not in setup["debriefing"][language]


def test_the_organisers_view_and_the_report_speak_of_analyses(tmp_path: Path) -> None:
    study = readings_study(tmp_path)
    judge_all(study, 1)
    found = oversee(study)
    assert found["coverage"]["pairs"]["number"] == 9
    assert "readings" in readable(found)
    assert main(["study", "export", str(study), "--out", str(tmp_path / "tables")]) == 0
    report = next((tmp_path / "tables").glob("report.md")).read_text(encoding="utf-8")
    assert "two models' analyses of it, side by side" in report
    assert "9 analyses of 3 works" in report
    written = (tmp_path / "tables" / "report.zh.md").read_text(encoding="utf-8")
    assert "讲解 9 篇，所讲的作品 3 件" in written
    for text in (report, written):
        for stray in ("hidden references", "first phase", "per item", "混有参照", "每件", "各属"):
            assert stray not in text


def test_simulated_raters_read_what_is_shown_and_say_that_they_are_simulated(
    tmp_path: Path,
) -> None:
    study = readings_study(tmp_path)
    with pytest.raises(RequestError, match="want what reads analyses"):
        simulate(study, look=lambda _: Look({}, 0.5), rng=np.random.default_rng(0))
    read_texts: list[str] = []

    def read(image: Image.Image, sections: Sequence[Mapping[str, Any]]) -> Reading:
        (section,) = sections
        read_texts.append(section["text"])
        assert image.mode == "RGB"
        assert set(section["question"]) == {"zh", "en"}
        poor = section["text"].endswith("2")  # the third model's
        fault = (Fault(0, 5, 25), Fault(0, 10, 30, "invented")) if poor else ()
        return Reading(0.1 if poor else 0.8, fault)

    given = simulate(study, read=read, rng=np.random.default_rng(0))
    assert given == 18
    assert len(read_texts) == 9  # each analysis once
    found = tables(study)
    for name in ("votes", "ratings", "passages", "marks"):
        assert set(found[name]["rater_group"]) == {"simulated"}
    scores = {
        (s.metric, s.criterion, s.model): s for s in score_studies([study]) if s.source == "raters"
    }
    of = {model: scores["strength", "", model].value for model in MODELS}
    assert min(of, key=lambda model: of[model]) == MODELS[2]
    rates = {
        model: scores["marked_characters_per_1000", "invented", model].value for model in MODELS
    }
    assert rates[MODELS[2]] > 10 > max(rates[model] for model in MODELS[:2])
    # both faults together cover 25 characters, not 40; others doubt a sentence beside one fault
    both = found["passages"][found["passages"]["invented"] + found["passages"]["wrong"] == 2]
    assert 25 in set(both["marked_characters"])
    correct = {model: scores["mean_score", "correct", model].value for model in MODELS}
    assert correct[MODELS[2]] < 2.5 < min(correct[model] for model in MODELS[:2])
    assert all("simulated raters" in s.method for s in scores.values() if s.metric == "strength")
    marked = scores["marked_characters_per_1000", "all", MODELS[0]]
    assert "simulated raters" in marked.method


@pytest.mark.parametrize(
    ("merit", "fault", "says"),
    [
        (1.2, (0, 0, 4), "outside 0 to 1"),
        (0.5, (0, 4, 4), "no passage"),
        (0.5, (-1, 0, 4), "no passage"),
        (0.5, (0, 0, 4, "dull"), "no passage"),
    ],
)
def test_a_reading_that_is_none_is_refused(merit: float, fault: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Reading(merit, (Fault(*fault),))

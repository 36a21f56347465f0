"""What a rater is asked and may do: going back, skipping, going ahead, training, attention."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, select

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.join import read_key, reveal
from leaderboard.tables import check_attributions, check_ratings
from raters import tables as t
from raters.config import Ask
from raters.create import create
from raters.export import tables
from raters.payloads import Answer, check_payload
from raters.people import start
from raters.position import Position, Step, position
from raters.protocol import Protocol
from raters.simulated import simulate
from raters.store import respond
from raters.study import (
    attribution_labels,
    invite,
    load_study,
    open_study,
    status,
    tradition_labels,
)
from tests.raters.material import look, picture, save, write_config

EVERYTHING: dict[str, Any] = {
    "ask": Ask().model_dump(),
    "labels": ["korean", "generic_digital"],
    "repeats": 0.07,
    "warm_ups": {"first": 2, "later": 1},
    "attention": 1,
    "detections": 4,
    "anchors": 6,
    "sessions": 3,
}

LOOK = {
    "manner": "chinese",
    "things": "other",
    "trace": "korean",
    "trace_strength": "clear",
    "recognised": False,
}
FLAGS = [{"kind": "over_smooth", "x": 0.25, "y": 0.5}]


def payload_of(step: Step) -> dict[str, Any]:
    return {
        "attribution": LOOK,
        "scales": {"scales": dict.fromkeys(step.scales, 3), "flags": FLAGS},
        "pair": {"winner": "left", "remark": "=1+1"},
        "detection": {"human": "model", "generator_recognised": True, "generator": "that one"},
    }[step.phase]


class Visit:
    """One rater at a study, each call a transaction of its own."""

    def __init__(self, study: Path) -> None:
        invite(study, 1, base_url="")
        self.study = study
        self.name = "r001"
        self.protocol, self.engine = load_study(study)
        self.do(lambda connection, protocol: start(connection, self.name, protocol))

    def do(self, work: Callable[[Connection, Protocol], Any]) -> Any:
        with t.writing(self.engine) as connection:
            return work(connection, self.protocol)

    def where(self, **how: Any) -> Position:
        found: Position = self.do(lambda connection, _: position(connection, self.name, **how))
        return found

    def here(self) -> Step:
        step = self.where().here
        assert step is not None
        return step

    def answer(self, step: Step, payload: Any = None, phase: Any = None) -> None:
        def send(connection: Connection, protocol: Protocol) -> None:
            told = check_payload(phase or step.phase, payload or payload_of(step), protocol)
            event = Answer(
                step.assignment.id, str(uuid.uuid4()), phase or step.phase, told, "zh", ""
            )
            respond(connection, self.name, [event], protocol)

        self.do(send)

    def to(self, wanted: Callable[[Step], bool]) -> Step:
        """Answer until a step is wanted, and return it."""
        while not wanted(step := self.here()):
            self.answer(step)
        return step

    def to_the_end(self) -> list[Step]:
        steps = []
        while step := self.where().here:
            steps.append(step)
            self.answer(step)
        return steps


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, run: Path, references: Path) -> Path:
    folder = tmp_path_factory.mktemp("asking")
    config = write_config(folder, **EVERYTHING)
    create(config, [run], references=references, out=folder / "study")
    return folder / "study"


@pytest.fixture
def visit(asking: Path, tmp_path: Path) -> Iterator[Visit]:
    visit = Visit(shutil.copytree(asking, tmp_path / "study"))
    yield visit
    visit.engine.dispose()


def unscaled(visit: Visit) -> Callable[[Step], bool]:
    """Tell of a step whether it is the first look at a reference on which no scales follow."""
    rows = visit.do(lambda connection, _: list(connection.execute(select(t.assignment))))
    wanted = {row.id for row in rows if row.kind == "reference" and row.last_phase == "attribution"}
    return lambda step: step.assignment.id in wanted


def test_a_rater_is_asked_everything_in_its_order(visit: Visit) -> None:
    steps = visit.to_the_end()
    kinds = {step.assignment.kind for step in steps}
    assert kinds == {
        "warm_up", "single", "reference", "repeat", "attention", "pair", "detection",
    }  # fmt: skip
    phases = [step.phase for step in steps]
    assert set(phases[phases.index("detection") :]) == {"detection"}
    assert [step.assignment.session for step in steps] == sorted(
        step.assignment.session for step in steps
    )
    repeats = [step for step in steps if step.assignment.kind == "repeat"]
    assert repeats
    assert {step.assignment.occasion for step in repeats} == {1}


def test_everything_is_exported_and_scored_with_the_studys_labels(visit: Visit) -> None:
    study = visit.study
    visit.to_the_end()
    found = tables(study)
    assert len(found["detections"]) == 4
    assert set(found["detections"]["seen_as"]) == {"model"}
    assert set(found["detections"]["generator"]) == {"that one"}
    manner = found["attributions"].query("aspect == 'manner'")
    assert set(manner["trace"]) == {"korean"}
    assert set(manner["trace_strength"]) == {"clear"}
    assert not found["attributions"]["recognised"].any()
    assert set(found["attributions"]["occasion"]) == {0, 1}
    assert set(found["flags"]["kind"]) == {"over_smooth"}
    assert set(found["flags"]["x"]) == {0.25}
    assert set(found["remarks"]["remark"]) == {"=1+1"}
    assert (found["remarks"]["against"] != "").all()
    # what is discarded is not in it: so many items as the plan gives one rater, and the repeats
    planned = status(study)["raters"][0]
    assert planned["done"] == planned["total"]
    named = reveal(found, read_key(study))
    assert "zebra-diffusion" in set(named["detections"]["model"]) | set(named["remarks"]["model"])
    assert set(named["remarks"]["against"]) <= {"zebra-diffusion", "okapi-flow", "quagga-dit"}
    labels = attribution_labels(study)
    assert labels[-4:] == ("korean", "generic_digital", "other", "cannot_tell")
    checked = check_attributions(named["attributions"], "study", labels=labels)
    assert set(checked["recognised"]) == {"false"}
    check_ratings(named["ratings"], "study")
    with pytest.raises(FileFormatError, match="korean"):
        check_attributions(named["attributions"], "study")
    assert tradition_labels(study)["generic_digital"]["zh"] == "通用数码画风或商业插画"


def test_simulated_raters_answer_whatever_is_asked(make_study: Callable[..., Path]) -> None:
    study = make_study(**{**EVERYTHING, "simulated": True})
    simulate(study, look=look, rng=np.random.default_rng(0), count=3)
    found = tables(study)
    assert set(found["detections"]["seen_as"]) == {"human", "model"}
    assert "slight" in set(found["attributions"]["trace_strength"])
    assert status(study)["finished"] == 3


def test_an_answer_may_be_changed_until_the_session_is_over(visit: Visit) -> None:
    first = visit.to(unscaled(visit))
    visit.answer(first)
    visit.to(lambda step: step.assignment.session == 2)
    # the first of the next session is shown, and nothing of it answered yet
    assert visit.where().part.break_due
    visit.answer(first, {**LOOK, "manner": "western"}, phase="attribution")
    visit.answer(visit.here())
    with pytest.raises(ConflictError, match="its session is over"):
        visit.answer(first, phase="attribution")
    assert visit.where().back != ()
    with pytest.raises(RequestError, match="cannot be changed any more"):
        visit.where(at=first.assignment.id)
    manner = tables(visit.study)["attributions"].query("aspect == 'manner'").set_index("item")
    assert manner.loc[first.stimuli[0].id, "attribution"] == "western"


def test_going_back_shows_what_was_answered_and_moves_nothing(visit: Visit) -> None:
    first = visit.to(unscaled(visit))
    visit.answer(first)
    while not (found := visit.where()).back:
        visit.answer(visit.here())
    back = visit.where(at=found.back[-1])
    assert back.revisiting
    assert back.here.assignment.id == found.back[-1]
    assert back.here.answer is not None
    assert back.done == found.done
    assert (back.ahead[0].assignment, back.ahead[0].phase) == (
        found.here.assignment, found.here.phase,
    )  # fmt: skip
    assert visit.where() == found
    for foreign in ("0" * 24, found.here.assignment.id):
        with pytest.raises(RequestError, match="cannot be changed"):
            visit.where(at=foreign)


def test_phase_one_stays_locked_when_scales_are_revisited(visit: Visit) -> None:
    step = visit.to(lambda step: step.phase == "scales")
    visit.answer(step)
    again = visit.where(at=step.assignment.id).here
    assert (again.phase, again.earlier) == ("scales", LOOK)
    other = {"scales": dict.fromkeys(step.scales, 5)}
    visit.answer(again, other)
    assert visit.where(at=step.assignment.id).here.answer["scales"] == other["scales"]
    with pytest.raises(ConflictError, match="text has been shown"):
        visit.answer(step, LOOK, phase="attribution")


def test_phase_one_is_locked_when_a_pair_has_shown_its_scene(visit: Visit) -> None:
    def work(connection: Connection, _protocol: Protocol) -> list[Any]:
        return list(connection.execute(select(t.assignment).where(t.assignment.c.block == 0)))

    rows = visit.do(work)
    pair = visit.to(lambda step: step.phase == "pair")
    scene = {row.id: row.scene for row in rows}[pair.assignment.id]
    same = [
        row
        for row in rows
        if row.scene == scene and row.session == pair.assignment.session
        and row.last_phase == "attribution" and row.kind != "training"
        and row.position < pair.assignment.position
    ]  # fmt: skip
    assert same, "the plan of this study has such an item"
    for row in same:
        event = Answer(row.id, str(uuid.uuid4()), "attribution", LOOK, "zh", "")
        with pytest.raises(ConflictError, match="text has been shown"):
            visit.do(lambda c, p, event=event: respond(c, visit.name, [event], p))
        assert row.id not in visit.where().back


@pytest.mark.parametrize("reason", ["does_not_load", "cannot_judge", "disturbing", "other"])
def test_what_is_skipped_is_done_counted_and_exported(visit: Visit, reason: str) -> None:
    step = visit.to(lambda step: step.phase == "attribution" and step.assignment.kind == "single")
    done = visit.where().done
    visit.answer(step, {"skip": reason, "remark": "too dark"})
    assert visit.where().done == done + 1
    assert visit.here().assignment.id != step.assignment.id
    found = tables(visit.study)
    assert found["skips"][["item", "reason"]].to_numpy().tolist() == [[step.stimuli[0].id, reason]]
    assert found["remarks"]["remark"].tolist() == ["too dark"]
    assert step.stimuli[0].id not in set(found["attributions"]["item"])
    # and it may still be answered
    again = visit.where(at=step.assignment.id).here
    assert again.answer["skip"] == reason
    visit.answer(again, LOOK)
    assert len(tables(visit.study)["skips"]) == 0


def test_scales_may_be_skipped_and_the_first_look_stays(visit: Visit) -> None:
    step = visit.to(lambda step: step.phase == "scales" and step.assignment.kind == "single")
    visit.answer(step, {"skip": "cannot_judge"})
    found = tables(visit.study)
    item = step.stimuli[0].id
    assert item in set(found["attributions"]["item"])
    assert item not in set(found["ratings"]["item"])
    assert found["skips"]["phase"].tolist() == ["scales"]


def test_steps_ahead_may_be_answered_before_they_are_shown(visit: Visit) -> None:
    found = visit.where(ahead=20)
    steps = [found.here, *found.ahead]
    assert len(steps) == 21
    phases = [(step.assignment.id, step.phase) for step in steps]
    assert len(set(phases)) == 21
    assert {step.phase for step in steps} == {"attribution", "scales"}
    assert all(step.caption for step in steps if step.phase == "scales")
    assert not any(step.caption for step in steps if step.phase == "attribution")
    for step in steps:
        visit.answer(step)
    assert visit.here().assignment.id not in {step.assignment.id for step in steps[:-1]}


def test_what_lies_too_far_ahead_or_before_its_first_look_is_refused(visit: Visit) -> None:
    found = visit.where(ahead=1000)
    with pytest.raises(ConflictError, match="not been shown yet"):
        visit.answer(found.ahead[-1])
    scales = next(step for step in found.ahead if step.phase == "scales")
    with pytest.raises(ConflictError, match="not been shown yet"):
        visit.answer(scales)
    visit.answer(scales, {"skip": "other"}, phase="attribution")
    with pytest.raises(ConflictError, match="skipped before"):
        visit.answer(scales)


def test_options_come_in_an_order_of_each_raters_own(asking: Path, tmp_path: Path) -> None:
    study = shutil.copytree(asking, tmp_path / "study")
    invite(study, 6, base_url="")
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        orders = [tuple(row.label_order) for row in connection.execute(select(t.rater))]
    assert all(sorted(order) == sorted(protocol.substantive_labels) for order in orders)
    assert len(set(orders)) > 1


def test_an_attention_item_says_what_to_answer(visit: Visit) -> None:
    step = visit.to(lambda step: step.assignment.kind == "attention")
    assert step.expects["manner"] == step.expects["things"]
    assert step.expects["manner"] in {"chinese", "japanese", "western"}
    visit.answer(step)
    found = tables(visit.study)
    assert step.stimuli[0].id not in set(found["attributions"]["item"])


def test_a_session_tells_how_much_is_left_and_when_a_break_is_due(visit: Visit) -> None:
    part = visit.where().part
    assert (part.number, part.of, part.done, part.break_due) == (1, 3, 0, False)
    before = part.seconds_left
    visit.answer(visit.here())
    assert visit.where().part.seconds_left <= before
    visit.to(lambda step: step.assignment.session == 2)
    part = visit.where().part
    assert (part.number, part.done, part.break_due) == (2, 0, True)
    visit.to(lambda _: visit.where().part.done == 1)
    assert not visit.where().part.break_due


# Training


@pytest.fixture
def trained(tmp_path: Path, run: Path) -> Callable[..., Path]:
    def make(**changes: Any) -> Path:
        folder = tmp_path / "trained"
        save(picture(1, (60, 40), 0.9), folder / "first.png", "made by nobody")
        save(picture(2, (60, 40), 0.1), folder / "second.png", "made by nobody")
        explain = {"zh": "皴法如此。", "en": "So the strokes go."}
        one = {"picture": "first.png", "manner": "chinese", "things": "other", "explain": explain}
        two = {
            **one,
            "picture": "second.png",
            "scales": {"ink": 4},
            "caption": {"zh": "孤松", "en": "a pine"},
        }
        config = write_config(folder, training=[one, {**two, **changes}])
        create(config, [run], references=None, out=tmp_path / "study")
        return tmp_path / "study"

    return make


def test_training_is_explained_answered_once_and_never_exported(
    trained: Callable[..., Path], request: pytest.FixtureRequest
) -> None:
    visit = Visit(trained())
    request.addfinalizer(visit.engine.dispose)
    plain = {"manner": "western", "things": "other"}
    first = visit.here()
    assert first.assignment.kind == "training"
    assert first.expects["text"]["zh"] == "皴法如此。"
    visit.answer(first, plain)
    with pytest.raises(ConflictError, match="answered once"):
        visit.answer(first, plain)
    visit.answer(visit.here(), plain)
    second = visit.here()
    assert (second.phase, second.scales, second.caption["en"]) == ("scales", ("ink",), "a pine")
    visit.answer(second, {"scales": {"ink": 2}})
    assert visit.where().back == ()
    assert visit.here().assignment.kind == "single"
    assert all(len(table) == 0 for table in tables(visit.study).values())
    assert "first" not in (visit.study / "sealed" / "key.jsonl").read_text()
    # a rater beyond the plan is trained too
    invite(visit.study, 6, base_url="")
    assert len({row["total"] for row in status(visit.study)["raters"]}) <= 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"picture": "third.png"}, "third.png is not there"),
        ({"manner": "martian"}, "manner 'martian' is none of"),
        ({"scales": {"odd": 1}}, "no scale 'odd'"),
        ({"scales": {"ink": 9}}, "off its scale"),
    ],
)
def test_bad_training_is_refused(
    trained: Callable[..., Path], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        trained(**changes)

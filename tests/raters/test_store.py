from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sqlalchemy import Connection, Engine, select

from bench.errors import ConflictError, FileFormatError, RequestError
from raters import tables as t
from raters.entry import way_of_link
from raters.export import tables
from raters.payloads import Answer
from raters.people import open_session, rater_of_session, start
from raters.position import Step, position
from raters.protocol import Protocol, read_protocol
from raters.simulated import simulate
from raters.store import CHANGES_MOST, owns, respond
from raters.study import invite, lock, open_study, status, withdraw
from tests.raters.material import look

Rater = tuple[Protocol, Engine, str]

ATTRIBUTION = {"manner": "chinese", "things": "other"}
SCALES = {"scales": {"ink": 4, "form": 2}}
PAYLOADS = {"attribution": ATTRIBUTION, "scales": SCALES, "pair": {"winner": "tie"}}


def answer(here: Step, payload: Any = None, event_id: str = "", **changes: Any) -> Answer:
    fields: dict[str, Any] = {
        "assignment": here.assignment.id,
        "event_id": event_id or str(uuid.uuid4()),
        "phase": here.phase,
        "payload": payload or PAYLOADS[here.phase],
        "language": "zh",
        "client_time": "2026-01-01T00:00:00Z",
        **changes,
    }
    return Answer(**fields)


@pytest.fixture
def study(study_on_both: Path) -> Path:
    """Whatever is shown of the store here is shown on SQLite and on PostgreSQL."""
    return study_on_both


@pytest.fixture
def rater(study: Path) -> Iterator[Rater]:
    """A rater who has agreed to take part: the protocol, the engine, the pseudonym."""
    invite(study, 2, base_url="http://localhost")
    with open_study(study) as (protocol, engine):
        with t.writing(engine) as connection:
            start(connection, "r001", protocol)
        yield protocol, engine, "r001"


def at(connection: Connection, rater: str) -> Step:
    """Return the step at which a rater is."""
    here = position(connection, rater).here
    assert here is not None
    return here


def to_phase(connection: Connection, rater: str, protocol: Protocol, phase: str) -> Step:
    """Answer until an assignment in `phase` is shown, and return where that is."""
    while (here := at(connection, rater)).phase != phase:
        respond(connection, rater, [answer(here)], protocol)
    return here


def test_sqlite_is_set_up_to_lose_nothing(template: Path) -> None:
    with open_study(template) as (_, engine), t.reading(engine) as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


def test_a_repeated_event_gets_the_same_acknowledgement_and_is_stored_once(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        one = answer(at(connection, name))
    received = []
    for _ in range(3):
        with t.writing(engine) as connection:
            received += respond(connection, name, [one], protocol)
    assert received[0] == received[1] == received[2]
    with t.reading(engine) as connection:
        assert len(connection.execute(t.response_event.select()).all()) == 1


def test_a_repeat_is_acknowledged_even_after_its_phase_has_closed(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = to_phase(connection, name, protocol, "scales")
        first = connection.execute(
            t.response_event.select().where(t.response_event.c.assignment == here.assignment.id)
        ).one()
        again = answer(here, event_id=first.event_id, phase="attribution", payload=ATTRIBUTION)
        assert respond(connection, name, [again], protocol)[0].number == first.number


def test_the_same_event_with_another_answer_is_an_error(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = at(connection, name)
        one = answer(here)
        respond(connection, name, [one], protocol)
        other = answer(here, {"manner": "western", "things": "other"}, event_id=one.event_id)
        with pytest.raises(ConflictError, match="another answer"):
            respond(connection, name, [other], protocol)


def test_phase_one_closes_when_the_text_has_been_shown(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = to_phase(connection, name, protocol, "scales")
        assert here.caption is not None
        assert here.earlier == ATTRIBUTION
        changed = answer(here, ATTRIBUTION, phase="attribution")
        with pytest.raises(ConflictError, match="closed"):
            respond(connection, name, [changed], protocol)


def test_an_answer_is_changed_so_often_and_no_further(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = to_phase(connection, name, protocol, "pair")
        given = [
            answer(here, {"winner": ("left", "right")[number % 2]})
            for number in range(CHANGES_MOST)
        ]
        respond(connection, name, given, protocol)
        with pytest.raises(ConflictError, match="was changed too often: the last one stands"):
            respond(connection, name, [answer(here)], protocol)
        # what is stored is acknowledged again, and what comes after it is answered
        assert respond(connection, name, [given[-1]], protocol)
        after = at(connection, name)
        assert after.assignment.id != here.assignment.id
        assert respond(connection, name, [answer(after)], protocol)


def test_scales_must_be_complete(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = to_phase(connection, name, protocol, "scales")
        assert here.scales == ("ink", "form")
        with pytest.raises(RequestError, match="scales asked here are ink, form"):
            respond(connection, name, [answer(here, {"scales": {"ink": 3}})], protocol)


def test_phase_one_shows_no_text_and_nothing_that_tells_whether_scales_follow(rater: Rater) -> None:
    _, engine, name = rater
    with t.writing(engine) as connection:
        here = at(connection, name)
    assert here.phase == "attribution"
    assert here.caption is None
    assert here.earlier is None


def test_a_position_is_the_same_until_it_is_answered(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        one, again = position(connection, name), position(connection, name)
        assert one == again
        assert one.ahead
        assert one.here is not None
        respond(connection, name, [answer(one.here)], protocol)
        assert position(connection, name) != one


def test_all_answers_of_a_call_are_stored_or_none(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = at(connection, name)
    wrong = answer(here, {"winner": "tie"}, phase="pair")
    with pytest.raises(RequestError, match="no phase"), t.writing(engine) as connection:
        respond(connection, name, [answer(here), wrong], protocol)
    with t.reading(engine) as connection:
        assert connection.execute(t.response_event.select()).all() == []


def test_another_raters_assignment_does_not_exist(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        start(connection, "r002", protocol)
        theirs = at(connection, "r002")
        with pytest.raises(RequestError, match="no such assignment"):
            respond(connection, name, [answer(theirs)], protocol)


def test_what_was_not_shown_cannot_be_answered(rater: Rater) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        later = connection.execute(
            t.assignment.select().where(t.assignment.c.block == 0, t.assignment.c.kind == "pair")
        ).first()
        early = Answer(later.id, str(uuid.uuid4()), "pair", {"winner": "tie"}, "zh", "")
        with pytest.raises(ConflictError, match="not been shown"):
            respond(connection, name, [early], protocol)


def test_without_consent_there_is_nothing_to_rate(rater: Rater) -> None:
    _, engine, _ = rater
    with t.writing(engine) as connection, pytest.raises(ConflictError, match="not agreed"):
        position(connection, "r002")


def test_stimuli_belong_to_those_who_are_shown_them(rater: Rater) -> None:
    _, engine, name = rater
    with t.writing(engine) as connection:
        here = at(connection, name)
        token_rows = {row.id: row for row in connection.execute(t.rater.select())}
        assert owns(connection, token_rows[name], here.stimuli[0].id)
        blocks = {
            block: set(
                connection.scalars(
                    select(t.assignment.c.first)
                    .where(t.assignment.c.block == block)
                    .union(
                        select(t.assignment.c.second).where(
                            t.assignment.c.block == block, t.assignment.c.second.is_not(None)
                        )
                    )
                )
            )
            for block in (0, 1)
        }
        foreign = min(blocks[1] - blocks[0])
        assert owns(connection, token_rows[name], foreign) is None
        assert owns(connection, token_rows["r002"], foreign)
        assert owns(connection, token_rows[name], "0" * 16) is None


def test_tokens_and_sessions_are_stored_hashed(study: Path) -> None:
    (link,) = invite(study, 1, base_url="https://rooms.example/")
    assert link.startswith("https://rooms.example/i/")
    token = link.rsplit("/", 1)[1]
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        assert way_of_link(connection, token).rater.id == "r001"
        assert way_of_link(connection, token + "x") is None
        secret = open_session(connection, "r001")
        assert rater_of_session(connection, secret).id == "r001"
    for file in study.glob("ratings.db*"):
        content = file.read_bytes()
        assert token.encode() not in content
        assert secret.encode() not in content


def test_withdrawal_erases_answers_and_leaves_tombstones(study: Path) -> None:
    simulate(study, look=look, rng=np.random.default_rng(0), count=2)
    before = status(study)["responses"]
    result = withdraw(study, "r001")
    assert result["erased"] > 40
    e = t.response_event.c
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        erased = select(e.payload, e.payload_hash, e.client_time, e.skip).where(e.rater == "r001")
        rows = connection.execute(erased).all()
    assert {tuple(row) for row in rows} == {(None, "", "", None)}
    after = status(study)
    assert after["responses"] == before
    assert after["withdrawn"] == 1
    assert all("r001" not in set(table["rater"]) for table in tables(study).values())
    with pytest.raises(ConflictError, match="already"):
        withdraw(study, "r001")
    with pytest.raises(RequestError, match="no rater"):
        withdraw(study, "r999")


def test_who_has_withdrawn_can_neither_come_back_nor_answer(study: Path) -> None:
    (link,) = invite(study, 1, base_url="")
    with open_study(study) as (protocol, engine):
        with t.writing(engine) as connection:
            start(connection, "r001", protocol)
            secret = open_session(connection, "r001")
            here = at(connection, "r001")
        withdraw(study, "r001")
        with t.writing(engine) as connection:
            assert way_of_link(connection, link.rsplit("/", 1)[1]) is None
            assert rater_of_session(connection, secret) is None
            with pytest.raises(ConflictError, match="withdrawn"):
                respond(connection, "r001", [answer(here)], protocol)


def test_a_closed_study_takes_no_rater_and_no_answer(rater: Rater, study: Path) -> None:
    protocol, engine, name = rater
    with t.writing(engine) as connection:
        here = at(connection, name)
        stored = answer(here)
        respond(connection, name, [stored], protocol)
        later = answer(at(connection, name))
    lock(study, "the plan is fulfilled")
    with pytest.raises(ConflictError, match="closed"):
        invite(study, 1, base_url="")
    with pytest.raises(ConflictError, match="closed already"):
        lock(study, "again")
    with t.writing(engine) as connection:
        with pytest.raises(ConflictError, match="closed"):
            respond(connection, name, [later], protocol)
        assert respond(connection, name, [stored], protocol)


def test_raters_beyond_the_plan_get_further_balanced_blocks(study: Path) -> None:
    simulate(study, look=look, rng=np.random.default_rng(0))
    assert status(study)["coverage"]["items"] == {"number": 117, "least": 2, "most": 2}
    withdraw(study, "r002")
    assert status(study)["coverage"]["items"]["least"] == 1
    invite(study, 1, base_url="")
    added = status(study)["raters"][-1]
    assert added["total"] == status(study)["raters"][0]["total"]
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        kinds = connection.execute(
            select(t.assignment.c.kind, t.assignment.c.first, t.assignment.c.second).where(
                t.assignment.c.block == 6
            )
        ).all()
        lost = set(
            connection.scalars(
                select(t.assignment.c.first).where(
                    t.assignment.c.block == 1, t.assignment.c.second.is_(None)
                )
            )
        )
    given = {row.first for row in kinds if row.second is None}
    assert len(given & lost) > 0.8 * len(lost)


def test_a_protocol_changed_before_the_first_start_is_used_and_after_it_refused(
    study: Path,
) -> None:
    path = study / "study.yaml"
    content = yaml.safe_load(path.read_text())
    content["version"] = 2
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    invite(study, 1, base_url="")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        start(connection, "r001", protocol)
    content["version"] = 3
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    with pytest.raises(ConflictError, match="changed after the first rater"):
        status(study)


def test_a_rubric_changed_by_hand_is_refused(study: Path) -> None:
    path = study / "study.yaml"
    path.write_text(path.read_text().replace("Brush", "Bristle"))
    with pytest.raises(FileFormatError, match="changed by hand"):
        read_protocol(study)


def test_inviting_nobody_is_refused(study: Path) -> None:
    with pytest.raises(RequestError, match="at least 1"):
        invite(study, 0, base_url="")
    with pytest.raises(RequestError, match="cannot be a group"):
        invite(study, 1, base_url="", group="simulated")

"""A study's life after it was made: invitations, progress, closing, withdrawal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from bench.errors import ConflictError, RequestError
from bench.reading import read_yaml
from bench.records import SIMULATED
from raters import tables as t
from raters.create import create
from raters.database import back_up
from raters.folder import load_study, open_study
from raters.invitations import enrol_raters, invite
from raters.people import erase, pseudonym_of, receipt
from raters.plan import PLANNED
from raters.protocol import read_protocol
from raters.tables import note, now, setting

__all__ = [
    "attribution_labels",
    "backup",
    "create",
    "criterion_labels",
    "enrol_raters",
    "invite",
    "levels",
    "load_study",
    "lock",
    "open_study",
    "status",
    "study_id",
    "tradition_labels",
    "unblind",
    "weights",
    "withdraw",
]


def status(study: Path) -> dict[str, Any]:
    """Return the progress of a study; nothing in it tells models apart."""
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        raters = _raters(connection)
        counts = _judgements(connection)
        return {
            "study": protocol.study,
            "version": protocol.version,
            "simulated": protocol.simulated,
            "planned": protocol.plan.raters,
            "plan": protocol.plan.model_dump(exclude={"raters", "minutes"}),
            "invited": len(raters),
            "started": sum(bool(one["started_at"]) for one in raters),
            "finished": sum(bool(one["finished_at"]) for one in raters),
            "withdrawn": sum(bool(one["withdrawn_at"]) for one in raters),
            "revoked": sum(bool(one["revoked_at"]) for one in raters),
            "locked_at": setting(connection, "locked_at"),
            "frozen": setting(connection, "protocol_hash") is not None,
            "responses": connection.scalar(select(func.count()).select_from(t.response_event)),
            "coverage": counts,
            "audit": _audit(connection),
            "raters": raters,
        }


def lock(study: Path, reason: str) -> dict[str, Any]:
    """Close a study: no further invitation, no further response.

    Raises:
        RequestError: no reason is given.
        ConflictError: the study is closed already.
    """
    if not reason.strip():
        raise RequestError("say why the study is closed: the reason goes into its log")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        before = setting(connection, "locked_at")
        if before is not None:
            raise ConflictError(f"the study is closed already, since {before[:10]}")
        at = now()
        connection.execute(
            insert(t.meta),
            [{"key": "locked_at", "value": at}, {"key": "lock_reason", "value": reason}],
        )
        note(connection, "locked", reason)
        return {"study": protocol.study, "locked_at": at, "reason": reason}


def withdraw(study: Path, rater: str, reason: str = "") -> dict[str, Any]:
    """Erase what a rater answered; tombstones without content stay.

    `rater` is a pseudonym, the receipt's code, or the invitation's link: whatever the rater has.

    Raises:
        RequestError: there is no such rater.
        ConflictError: the rater has withdrawn already.
    """
    with open_study(study) as (protocol, engine):
        with t.writing(engine) as connection:
            rater = pseudonym_of(connection, rater)
            erased = erase(connection, rater, reason)
        t.forget_log(engine)
        return {"study": protocol.study, "rater": rater, "erased": erased}


def backup(study: Path, out: Path) -> dict[str, Any]:
    """Copy a study's database into one SQLite file while it is in use, and check the copy.

    Raises:
        ConflictError: `out` exists.
    """
    with open_study(study) as (_, engine):
        if not out.exists():
            with t.writing(engine) as connection:
                note(connection, "backup", out.name)
        return back_up(engine, out)


def unblind(study: Path, reason: str) -> dict[str, Any]:
    """Record in the audit log, before it happens, that the names are joined to what was judged.

    `locked` in what is returned tells whether the study was closed by then: names that are seen
    before that are a deviation, which the report states.

    Raises:
        RequestError: no reason is given.
    """
    if not reason.strip():
        raise RequestError("say why the names are looked at: the reason goes into the log")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        locked = setting(connection, "locked_at") is not None
        when = "" if locked else ", before the study was closed"
        note(connection, "unblinded", f"{reason}{when}")
        return {"study": protocol.study, "locked": locked, "reason": reason}


def levels(study: Path) -> dict[str, str]:
    """Return the level of measurement of every scale of a study's rubric."""
    return {scale.id: scale.level for scale in read_protocol(study).rubric.scales}


def weights(study: Path) -> dict[str, float]:
    """Return the weights that a study's rubric declares; empty where it declares none."""
    return dict(read_protocol(study).rubric.weights or {})


def study_id(study: Path) -> str:
    """Return the id by which a study's tables and scores go."""
    return read_protocol(study).study


def attribution_labels(study: Path) -> tuple[str, ...]:
    """Return all that a study's raters can attribute a picture to."""
    return read_protocol(study).labels


def tradition_labels(study: Path, more: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Return what the room calls the labels that a study's raters can name, by language.

    `more` are traditions that they cannot name and a report does.
    """
    # read as data: importing the room would bring in its web server
    texts = read_yaml(Path(__file__).parent / "room" / "texts.yaml")
    return {
        name: {language: texts[language]["labels"][name] for language in texts}
        for name in (*read_protocol(study).substantive_labels, *more)
        if all(name in texts[language]["labels"] for language in texts)
    }


def criterion_labels(study: Path) -> dict[str, dict[str, str]]:
    """Return the label of every scale of a study's rubric, by language."""
    return {scale.id: dict(scale.label) for scale in read_protocol(study).rubric.scales}


def _audit(connection: Connection) -> dict[str, Any]:
    """Return how long the audit log is, its last hash, and where its chain is broken, if it is."""
    last = connection.execute(select(t.audit).order_by(t.audit.c.number.desc()).limit(1)).one()
    return {
        "lines": last.number,
        "last_hash": last.hash,
        "broken_line": t.broken_line(connection),
        "unblinded": bool(
            connection.scalar(
                select(func.count()).select_from(t.audit).where(t.audit.c.action == "unblinded")
            )
        ),
    }


def _raters(connection: Connection) -> list[dict[str, Any]]:
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    totals: dict[int, int] = {
        row[0]: row[1]
        for row in connection.execute(select(a.block, func.count()).group_by(a.block))
    }
    done: dict[str, int] = {
        row[0]: row[1]
        for row in connection.execute(
            select(e.rater, func.count(a.id.distinct()))
            .join(t.assignment, a.id == e.assignment)
            .where((e.phase == a.last_phase) | e.skip.is_not(None))
            .group_by(e.rater)
        )
    }
    return [
        {
            "rater": row.id,
            "group": SIMULATED if row.simulated else row.rater_group,
            "language": row.room_language,
            "done": done.get(row.id, 0),
            "total": totals.get(row.block, 0),
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "withdrawn_at": row.withdrawn_at,
            "expires_at": row.expires_at,
            "revoked_at": row.revoked_at,
            "receipt": receipt(row),
        }
        for row in connection.execute(select(t.rater).order_by(r.id))
    ]


def _judgements(connection: Connection) -> dict[str, Any]:
    """Return how many raters have judged the least and the most judged item and pair."""
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    answered = connection.execute(
        select(a.first, a.second, e.rater)
        .join(t.response_event, (e.assignment == a.id) & (e.phase == a.last_phase))
        .join(t.rater, r.id == e.rater)
        .where(r.withdrawn_at.is_(None), e.skip.is_(None), a.kind.in_(PLANNED))
        .distinct()
    ).all()
    asked = connection.execute(
        select(a.first, a.second).where(a.kind.in_(PLANNED)).distinct()
    ).all()
    result = {}
    for name, paired in (("items", False), ("pairs", True)):
        there = {
            frozenset((row.first, row.second))
            for row in asked
            if (row.second is not None) == paired
        }
        counts = dict.fromkeys(there, 0)
        for row in answered:
            if (row.second is not None) == paired:
                counts[frozenset((row.first, row.second))] += 1
        least, most = (min(counts.values()), max(counts.values())) if counts else (0, 0)
        result[name] = {"number": len(counts), "least": least, "most": most}
    return result

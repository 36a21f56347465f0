"""Invitations: listed, revoked, expired; receipts; background; the audit log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, update

from bench.errors import ConflictError, FileFormatError, RequestError
from raters import tables as t
from raters.invitations import Wanted, check_receipt, invite_all, read_wanted, revoke
from raters.people import open_session, rater_of_session, start
from raters.room import create_app
from raters.simulated import simulate
from raters.study import invite, lock, open_study, status, unblind, withdraw
from tests.raters.material import look

OURS = {"sec-fetch-site": "same-origin", "accept-language": "en"}
YEARS = {
    "id": "years",
    "question": {"zh": "从业几年？", "en": "How many years?"},
    "options": [
        {"id": "few", "label": {"zh": "不到十年", "en": "fewer than ten"}},
        {"id": "many", "label": {"zh": "十年以上", "en": "ten or more"}},
    ],
    "required": True,
}
SCHOOL = {"id": "school", "question": {"zh": "师承？", "en": "With whom did you learn?"}}


def test_a_list_of_invitations_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "raters.csv"
    file.write_text("label,group,language\n王老师,painters,zh\nProf. Smith,,en\n", "utf-8-sig")
    assert read_wanted(file) == [
        Wanted("painters", "zh", "王老师"),
        Wanted("", "en", "Prof. Smith"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name\nx\n", "columns are"),
        ("", "columns are"),
        ("group,group\na,b\n", "columns are"),
        ("group,label\na\n", "line 2"),
        ("group\na,b\n", "line 2"),
        ("group\n", "no row"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "raters.csv"
    file.write_text(text)
    with pytest.raises(FileFormatError, match=told):
        read_wanted(file)


def test_invitations_of_a_list_are_made_all_or_none(study: Path) -> None:
    wrong = [Wanted("painters", "zh"), Wanted("painters", "fr")]
    with pytest.raises(RequestError, match="languages"):
        invite_all(study, wrong, base_url="")
    assert status(study)["invited"] == 0
    links = invite_all(study, [Wanted("painters", "en"), Wanted("critics")], base_url="https://r")
    assert links[0].endswith("?language=en")
    assert [one["group"] for one in status(study)["raters"]] == ["painters", "critics"]
    assert withdraw(study, links[0])["rater"] == "r001"


def test_what_the_organiser_calls_a_rater_is_not_stored(study: Path) -> None:
    invite_all(study, [Wanted(label="Wang Laoshi")], base_url="")
    for file in study.glob("ratings.db*"):
        assert b"Wang Laoshi" not in file.read_bytes()


@pytest.mark.parametrize("days", [0, -1, 1e9])
def test_days_are_positive(study: Path, days: float) -> None:
    with pytest.raises(RequestError, match="days"):
        invite(study, 1, base_url="", days=days)


def test_an_expired_link_says_so_and_a_session_that_it_opened_goes_on(study: Path) -> None:
    links = invite(study, 2, base_url="", days=30)
    with TestClient(create_app(study)) as client, TestClient(create_app(study)) as late:
        client.post(links[0], data={"consent": "yes"}, headers=OURS)
        with open_study(study) as (_, engine), t.writing(engine) as connection:
            connection.execute(update(t.rater).values(expires_at="2020-01-01T00:00:00+00:00"))
        page = late.post(links[1], data={"consent": "yes"}, headers=OURS)
        assert page.status_code == 410
        assert "expired" in page.text
        assert not late.cookies
        assert client.get("/room/state").status_code == 200


def test_a_revoked_link_opens_nothing_and_ends_what_it_opened(study: Path) -> None:
    links = invite(study, 2, base_url="")
    with TestClient(create_app(study)) as client:
        client.post(links[0], data={"consent": "yes"}, headers=OURS)
        assert revoke(study, links[0], "sent to a wrong address")["started"]
        assert client.get("/room/state").status_code == 401
        assert client.get(links[0]).status_code == 404
        assert client.post(links[0], data={"consent": "yes"}, headers=OURS).status_code == 404
    with pytest.raises(ConflictError, match="revoked already"):
        revoke(study, "r001", "again")
    with pytest.raises(RequestError, match="say why"):
        revoke(study, "r002", " ")
    assert status(study)["revoked"] == 1


def test_a_link_revoked_before_it_was_used_leaves_its_block_to_another(study: Path) -> None:
    invite(study, 2, base_url="")
    revoke(study, "r001", "declined")
    invite(study, 1, base_url="")
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        blocks = connection.execute(select(t.rater.c.id, t.rater.c.block)).all()
    assert {tuple(row) for row in blocks} == {("r001", None), ("r002", 1), ("r003", 0)}
    assert [one["total"] for one in status(study)["raters"]] == [0, 51, 51]


def test_a_further_block_that_was_left_is_taken_as_it_is(study: Path) -> None:
    planned = status(study)["planned"]
    invite(study, planned + 2, base_url="")
    left, other = (f"r{planned + number:03}" for number in (1, 2))
    revoke(study, left, "declined")
    invite(study, 2, base_url="")
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        blocks = {row.id: row.block for row in connection.execute(select(t.rater))}
    assert blocks[left] is None
    assert blocks[other] == planned + 1
    assert [blocks[f"r{planned + number:03}"] for number in (3, 4)] == [planned, planned + 2]
    assert [one["total"] for one in status(study)["raters"][planned:]] == [0, 51, 51, 51]


def test_a_receipt_is_checked(study: Path) -> None:
    simulate(study, look=look, rng=np.random.default_rng(0), count=1)
    code = status(study)["raters"][0]["receipt"]
    found = check_receipt(study, code.lower())
    assert found["rater"] == "r001"
    assert found["finished_at"]
    assert found["responses"] > 40
    with pytest.raises(RequestError, match="no rater"):
        check_receipt(study, "AAAA-AAAA")


def test_background_is_asked_kept_apart_and_deleted_on_the_way_out(
    make_study: Callable[..., Path],
) -> None:
    study = make_study(background=[YEARS, SCHOOL])
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study)) as client:
        page = client.get(link, headers=OURS)
        assert "How many years?" in page.text
        for about in (
            {},
            {"about-years": "forty"},
            {"about-years": "few", "about-school": "x" * 201},
        ):
            refused = client.post(link, data={"consent": "yes", **about}, headers=OURS)
            assert refused.status_code == 422
            assert "marked with a star" in refused.text
            assert 'value="yes" required checked' in refused.text
            assert refused.text.count("autofocus") == 1
        both = client.post(link, data={}, headers=OURS)
        assert "marked with a star" in both.text
        assert "Please tick the box" in both.text
        about = {"about-years": "many", "about-school": "<b>a master</b>"}
        kept = client.post(link, data=about, headers=OURS)
        assert "&lt;b&gt;a master&lt;/b&gt;" in kept.text
        client.post(link, data={"consent": "yes", **about}, headers=OURS)
        assert client.get("/room/state").status_code == 200
        with open_study(study) as (_, engine), t.reading(engine) as connection:
            rows = connection.execute(select(t.background)).all()
        assert {tuple(row) for row in rows} == {
            ("r001", "years", "many"),
            ("r001", "school", "<b>a master</b>"),
        }
        withdraw(study, "r001")
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        assert connection.execute(select(t.background)).all() == []


def test_a_rater_leaves_without_asking_anybody(study: Path) -> None:
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study)) as client:
        assert client.get("/leave").status_code == 401
        client.post(link, data={"consent": "yes"}, headers=OURS)
        page = client.get("/leave?language=en")
        token = page.text.split('name="token" value="')[1].split('"')[0]
        for data, code in (({}, 403), ({"token": token}, 422), ({"confirm": "yes"}, 403)):
            assert client.post("/leave", data=data, headers=OURS).status_code == code
        foreign = {"sec-fetch-site": "cross-site"}
        sure = {"token": token, "confirm": "yes"}
        assert client.post("/leave", data=sure, headers=foreign).status_code == 403
        assert status(study)["withdrawn"] == 0
        gone = client.post("/leave", data=sure, headers=OURS)
        assert "You have withdrawn" in gone.text
        assert gone.text.count("<script") == 1
        assert gone.headers["content-security-policy"].endswith("; script-src 'self'")
        assert client.get("/room/state").status_code == 401
        assert client.get(link).status_code == 404
    assert status(study)["withdrawn"] == 1


def test_everything_that_matters_is_in_the_log_and_the_log_is_chained(study: Path) -> None:
    invite(study, 3, base_url="", group="painters")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        start(connection, "r001", protocol)
        secret = open_session(connection, "r001")
        assert rater_of_session(connection, secret)
    revoke(study, "r002", "declined")
    withdraw(study, "r001", "asked by letter")
    assert not unblind(study, "a look at the pilot")["locked"]
    lock(study, "enough")
    assert unblind(study, "the analysis")["locked"]
    with open_study(study) as (_, engine):
        with t.reading(engine) as connection:
            lines = connection.execute(select(t.audit.c.action, t.audit.c.detail)).all()
            assert t.broken_line(connection) is None
        assert [tuple(line) for line in lines if line.action not in {"created", "frozen"}] == [
            ("invited", "r001 painters"),
            ("invited", "r002 painters"),
            ("invited", "r003 painters"),
            ("started", "r001"),
            ("revoked", "r002: declined"),
            ("withdrawn", "r001: asked by letter"),
            ("unblinded", "a look at the pilot, before the study was closed"),
            ("locked", "enough"),
            ("unblinded", "the analysis"),
        ]
        assert status(study)["audit"]["broken_line"] is None
        with t.writing(engine) as connection:
            connection.execute(
                update(t.audit).where(t.audit.c.action == "unblinded").values(detail="nothing")
            )
        assert status(study)["audit"]["broken_line"] == 9
        with t.writing(engine) as connection:
            connection.execute(delete(t.audit).where(t.audit.c.number == 2))
        assert status(study)["audit"]["broken_line"] == 3

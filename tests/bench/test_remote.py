"""Runs behind a URL, on a real S3 server: what a manifest names is there, whole, and nothing is made twice."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from bench import manifest, remote, stores
from bench.cli import main
from bench.errors import ConflictError, RequestError, WorkError
from bench.remote import _Mirror, staging_of, worked_in
from tests.bench.crew.crews import asked, pixels_of, wait_for

_NUMBERS = itertools.count()

pytestmark = pytest.mark.filterwarnings(
    "ignore:Boto3 will no longer support:Warning",
    "ignore:datetime.datetime.utc:DeprecationWarning",
)


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of an S3 server on this host, with one empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {
        "AWS_ENDPOINT_URL": store,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PINLU_STAGING": str(tmp_path / "here"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "SETTLED", 0.05)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    fsspec.filesystem("s3").clear_instance_cache()  # it remembers who was asked before
    name = f"bucket-{next(_NUMBERS)}"
    fsspec.filesystem("s3").mkdir(name)
    return name


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Go on as another host would, with nothing in its staging folder."""

    def go(number: int) -> None:
        monkeypatch.setenv("PINLU_STAGING", str(tmp_path / f"elsewhere-{number}"))

    return go


def names_at(url: str) -> list[str]:
    files, root = fsspec.url_to_fs(url)
    files.invalidate_cache()
    found: list[str] = files.find(root)
    return found


def kept_at(url: str) -> dict[str, bytes]:
    """What lies behind a URL, by name; what begins with a dot is left out."""
    files, root = fsspec.url_to_fs(url)
    found = {name.removeprefix(root).lstrip("/"): name for name in names_at(url)}
    return {
        name: files.cat_file(place) for name, place in found.items() if not name.startswith(".")
    }


def rows_at(url: str) -> list[dict[str, Any]]:
    files, root = fsspec.url_to_fs(url)
    if f"{root}/metadata.jsonl" not in names_at(url):
        return []
    return [json.loads(line) for line in files.cat_file(f"{root}/metadata.jsonl").splitlines()]


def consistent(url: str) -> int:
    """Hold every row behind a URL to its file; return how many rows there are."""
    rows, found = rows_at(url), kept_at(url)
    for row in rows:
        assert hashlib.sha256(found[row["file_name"]]).hexdigest() == row["sha256"]
    return len(rows)


@pytest.fixture
def generating(tiny_checkpoint: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """What to type to generate 16 pictures a seed behind a URL."""
    suite = asked(tmp_path, tiny_checkpoint).suite
    arguments = ["num_inference_steps=1", "height=32", "width=32"]
    words = ["generate", "--suite", suite, "--models", str(tiny_checkpoint), "--languages", "zh,en"]
    words += [word for one in arguments for word in ("--set", one)]

    def typed(url: str, seeds: int = 2) -> list[str]:
        return [*words, "--batch-size", "3", "--seeds", f"0-{seeds - 1}", "--out", url]

    return typed


@pytest.fixture(params=["s3", "file"])
def place(request: pytest.FixtureRequest, bucket: str, tmp_path: Path) -> str:
    """A store whose objects are whole by themselves, and one that shows what is half there."""
    return f"s3://{bucket}" if request.param == "s3" else f"file://{tmp_path}/store"


def test_a_run_behind_a_url_is_the_run_of_a_folder(
    place: str,
    elsewhere: Any,
    generating: Callable[..., list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"{place}/first"
    asked_for = generating(url)
    assert main(asked_for) == 0
    assert "made, 0 there before" in capsys.readouterr().out
    there = consistent(url)
    assert main(generating(str(tmp_path / "plain"))) == 0
    plain = pixels_of(tmp_path / "plain")
    assert there == len(plain)
    names = {name for name in kept_at(url) if "/" not in name}
    assert {"run.yaml", "suite.yaml", "metadata.jsonl", "README.md"} <= names
    assert list((staging_of(url) / "outputs").iterdir()) == []  # all of it has arrived

    elsewhere(1)
    capsys.readouterr()
    assert main(asked_for) == 0
    assert f"0 made, {there} there before" in capsys.readouterr().out
    more = generating(url, seeds=3)
    assert main(more) == 0
    assert f"{there // 2} made, {there} there before" in capsys.readouterr().out
    assert consistent(url) == there * 3 // 2

    assert main(["verify", url]) == 0
    assert "nothing wrong" in capsys.readouterr().out
    assert main(["probe", url, "--network", "none"]) == 0
    assert "probes.parquet" in kept_at(url)
    rows = {row["key"]: row["pixel_sha256"] for row in manifest.read_outputs(staging_of(url))}
    assert {key: rows[key] for key in plain} == plain


def started(arguments: list[str]) -> subprocess.Popen[str]:
    """The command, sending five times a second."""
    script = (
        "import sys; from bench import remote; remote.EVERY = 0.2; "
        "from bench.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_killed_run_is_consistent_where_it_lies_and_goes_on_from_another_host(
    bucket: str,
    elsewhere: Any,
    generating: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"s3://{bucket}/killed"
    asked_for = generating(url, seeds=20)
    process = started(asked_for)
    try:
        wait_for(lambda: rows_at(url))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    there = consistent(url)
    assert 0 < there < 320, "the kill came too early or too late"
    elsewhere(1)
    monkeypatch.setattr(stores, "PATIENCE", 0.5)  # whoever was killed raises no beat
    assert main(asked_for) == 0
    told = capsys.readouterr()
    assert f"{320 - there} made, {there} there before" in told.out
    assert "was at work on" in told.err
    assert consistent(url) == 320


def test_what_could_not_be_sent_is_sent_by_the_next_call(
    bucket: str,
    generating: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"s3://{bucket}/cut"
    asked_for = generating(url)
    with monkeypatch.context() as without:
        without.setattr(stores.Store, "put", cut)
        assert main(asked_for) == 1
    told = capsys.readouterr().err
    assert "the line is cut" in told
    assert "run again to send it" in told
    assert consistent(url) == 0  # no row without its file
    assert main(asked_for) == 0
    assert "0 made, 32 there before" in capsys.readouterr().out
    assert consistent(url) == 32


def cut(*_: Any) -> None:
    raise RequestError("the line is cut")


NO_CONTENT = (stores.Store, "put_content", cut)


def work(url: str, name: str, text: str, meanwhile: Callable[[], None]) -> None:
    """Write a file of a run behind a URL, and have something happen before it is sent."""
    with worked_in(url) as folder:
        (folder / name).write_text(text)
        meanwhile()


def test_a_store_that_is_gone_at_the_end_costs_nothing(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{bucket}/gone"

    def gone() -> None:
        for name in ("content", "put", "put_content", "_holder"):
            monkeypatch.setattr(stores.Store, name, cut)

    with pytest.raises(WorkError, match="what was made lies in"):
        work(url, "run.yaml", "run: gone\n", gone)
    assert (staging_of(url) / "run.yaml").exists()


def test_when_another_host_has_gone_on_what_was_not_sent_is_put_aside(
    bucket: str,
    elsewhere: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"s3://{bucket}/aside"
    with worked_in(url) as folder:
        (folder / "run.yaml").write_text("run: aside\n")
    elsewhere(1)
    with monkeypatch.context() as without, pytest.raises(WorkError, match="is cut"):
        work(url, "judgements.jsonl", "{}\n", partial(without.setattr, *NO_CONTENT))
    cut_off = staging_of(url)
    elsewhere(2)
    monkeypatch.setattr(stores, "PATIENCE", 0.1)
    with worked_in(url) as folder:
        (folder / "speed.jsonl").write_text("{}\n")
    monkeypatch.setenv("PINLU_STAGING", str(cut_off.parent.parent))
    with worked_in(url) as folder:
        assert (folder / "speed.jsonl").exists()
        assert not (folder / "judgements.jsonl").exists()
    (aside,) = folder.parent.glob("*.unsent-*")
    assert (aside / "judgements.jsonl").read_text() == "{}\n"
    assert str(aside) in capsys.readouterr().err


def test_what_nobody_else_changed_is_sent_whole_by_the_next_call(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{bucket}/kept"
    with worked_in(url) as folder:
        (folder / "run.yaml").write_text("run: kept\n")
    with monkeypatch.context() as without, pytest.raises(WorkError, match="is cut"):
        work(url, "judgements.jsonl", "{}\n", partial(without.setattr, *NO_CONTENT))
    with worked_in(url):
        pass
    assert kept_at(url)["judgements.jsonl"] == b"{}\n"


def test_a_large_table_is_sent_when_it_has_grown_and_whole_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SETTLED", 0.0)
    monkeypatch.setattr(remote, "SMALL", 100)
    monkeypatch.setattr(remote, "LATEST", 600.0)
    store = stores.opened(f"file://{tmp_path}/there/run")
    mirror = _Mirror(store, tmp_path / "here" / "run", keep=False)
    mirror.state.mkdir(parents=True)
    table = mirror.folder / manifest.METADATA

    def sent(more: int, *, last: bool = False) -> int:
        with table.open("a") as file:
            file.write("".join(f'{{"file_name": "", "key": "{one:064}"}}\n' for one in range(more)))
        mirror.send(last=last)
        return store.content(manifest.METADATA).count(b"\n")

    with store.held("here"):
        assert [sent(1), sent(100), sent(1), sent(0)] == [1, 101, 101, 101]
        assert sent(2) == 104  # as of 101 by more than a fiftieth
        assert [sent(1), sent(1, last=True)] == [104, 106]
        monkeypatch.setattr(remote, "LATEST", 0.0)
        assert sent(1) == 107


@pytest.fixture
def mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], _Mirror]:
    """The mirror of one run on a host of that name; a table of more than 100 bytes is a large one."""
    monkeypatch.setattr(stores, "SETTLED", 0.0)
    monkeypatch.setattr(remote, "SMALL", 100)

    def on(host: str) -> _Mirror:
        store = stores.opened(f"file://{tmp_path}/there/run")
        return _Mirror(store, tmp_path / host / "run", keep=False)

    return on


def make(mirror: _Mirror, *keys: str, content: str = "") -> None:
    """Make outputs on a mirror's host, and enter them."""
    with (mirror.folder / manifest.METADATA).open("a") as file:
        for key in keys:
            made = (content or key).encode()
            (mirror.folder / f"outputs/{key}.png").write_bytes(made)
            row = {"file_name": f"outputs/{key}.png", "key": key}
            file.write(json.dumps({**row, "sha256": hashlib.sha256(made).hexdigest()}) + "\n")


HUNDRED = [f"k{number}" for number in range(100)]


def test_a_file_whose_row_was_lost_with_its_host_is_sent_over(
    mirrored: Callable[[str], _Mirror],
) -> None:
    lost, after = mirrored("a"), mirrored("b")
    with lost.store.held("a"):
        lost.fetch(whole=False)
        make(lost, *HUNDRED)
        lost.send()
        make(lost, "late", content="of the host that is lost")
        lost.send()  # one row more is less than a fiftieth: its file alone goes
    url = lost.store.url
    assert (consistent(url), "outputs/late.png" in kept_at(url)) == (100, True)
    with after.store.held("b"):
        after.fetch(whole=False)
        assert "late" not in manifest.kept(after.folder, masters=False)
        make(after, "late", content="of the next")
        after.send(last=True)
    assert consistent(url) == 101


def test_a_row_comes_with_its_own_file_whatever_another_host_sent_under_that_name(
    mirrored: Callable[[str], _Mirror],
) -> None:
    cut_off, lost, again = mirrored("a"), mirrored("b"), mirrored("a")
    with cut_off.store.held("a"):
        cut_off.fetch(whole=False)
        make(cut_off, *HUNDRED)
        cut_off.send(last=True)
        make(cut_off, "late", content="of the first")
    with lost.store.held("b"):
        lost.fetch(whole=False)
        lost.send()
        make(lost, "late", content="of the host that is lost")
        lost.send()  # its file alone goes
    with again.store.held("a"):
        again.fetch(whole=False)
        again.send(last=True)
    assert consistent(again.store.url) == 101
    assert kept_at(again.store.url)["outputs/late.png"] == b"of the first"
    assert list((again.folder / "outputs").iterdir()) == []


def test_a_file_that_another_host_has_sent_with_its_row_is_not_sent_over(
    mirrored: Callable[[str], _Mirror],
) -> None:
    killed, after, again, later = mirrored("a"), mirrored("b"), mirrored("a"), mirrored("a")
    with killed.store.held("a"):
        killed.fetch(whole=False)
        make(killed, *HUNDRED)
        killed.send(last=True)
        (killed.folder / "outputs" / "late.png").write_text("before its row was entered")
    with after.store.held("b"):
        after.fetch(whole=False)
        make(after, "late", content="with its row")
        after.send(last=True)
    with again.store.held("a"):
        again.fetch(whole=False)  # and killed once more
    with later.store.held("a"):
        later.fetch(whole=False)
        later.send(last=True)
    assert consistent(later.store.url) == 101


def test_a_file_from_before_its_row_is_not_taken_for_another_hosts(
    mirrored: Callable[[str], _Mirror],
) -> None:
    killed, after, again = mirrored("a"), mirrored("b"), mirrored("a")
    with killed.store.held("a"):
        killed.fetch(whole=False)
        make(killed, *HUNDRED)
        killed.send(last=True)
        (killed.folder / "outputs" / "late.png").write_text("before its row was entered")
    with after.store.held("b"):
        after.fetch(whole=False)
        make(after, "late", content="with its row")
        after.send(last=True)
    with again.store.held("a"):
        again.fetch(whole=True)
        assert (again.folder / "outputs" / "late.png").read_text() == "with its row"


def test_what_one_host_has_sent_before_its_row_is_there_for_its_next_call(
    mirrored: Callable[[str], _Mirror],
) -> None:
    first, again = mirrored("a"), mirrored("a")
    with first.store.held("a"):
        first.fetch(whole=False)
        make(first, *HUNDRED)
        first.send()
        make(first, "late")
        first.send()
        assert list((first.folder / "outputs").iterdir()) == []
    with again.store.held("a"):
        again.fetch(whole=False)
        assert "late" in manifest.kept(again.folder, masters=False)
        again.send(last=True)
    assert consistent(first.store.url) == 101


def test_a_sending_that_fails_delays_nothing_once_the_store_is_back(
    mirrored: Callable[[str], _Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = mirrored("a")
    put, url = mirror.store.put_content, mirror.store.url

    def cut_for_rows(name: str, content: bytes) -> None:
        cut() if name == manifest.METADATA else put(name, content)

    with mirror.store.held("a"):
        mirror.fetch(whole=False)
        make(mirror, *HUNDRED)
        (mirror.folder / "failures.jsonl").write_text("{}\n")  # by name it goes before
        with monkeypatch.context() as without:
            without.setattr(mirror.store, "put_content", cut_for_rows)
            with pytest.raises(RequestError, match="is cut"):
                mirror.send()
        assert kept_at(url)["failures.jsonl"] == b"{}\n"
        another_call = mirrored("a")
        another_call.fetch(whole=False)  # had this one been killed: nobody has gone on meanwhile
        assert another_call.folder.is_dir()
        assert list(another_call.folder.parent.glob("*.unsent-*")) == []
        mirror.send()
        assert consistent(url) == 100
        assert list((mirror.folder / "outputs").iterdir()) == []


def test_what_is_under_way_behind_a_url_is_not_foreign(
    tmp_path: Path,
    bucket: str,
    generating: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    del bucket
    url = f"file://{tmp_path}/store/under-way"
    assert main(generating(url)) == 0
    outputs = tmp_path / "store" / "under-way" / "outputs"
    (outputs / f"{'a' * 64}.png").write_bytes(b"its row is to come")
    with stores.opened(url).held("here"):
        assert main(["verify", url]) == 0
        (outputs / "mine.png").write_bytes(b"no row will come")
        capsys.readouterr()
        assert main(["verify", url]) == 1
    told = capsys.readouterr().out
    assert ("outputs/mine.png" in told, "aaa" in told) == (True, False)
    assert main(["verify", url]) == 1
    assert f"foreign: outputs/{'a' * 64}.png" in capsys.readouterr().out


def test_names_that_lie_outside_are_neither_sent_nor_fetched(bucket: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    url = f"s3://{bucket}/outside"
    files, root = fsspec.url_to_fs(url)
    row = {"key": "a", "file_name": str(secret)}
    files.pipe_file(f"{root}/metadata.jsonl", json.dumps(row).encode() + b"\n")
    files.pipe_file(f"{root}/run.yaml", b"run: outside\n")
    files.pipe_file(f"{root}/outputs/../../planted", b"x")
    with pytest.raises(WorkError, match="no file of a run"), worked_in(url, whole=True):
        pass
    assert secret.read_text() == "not yours"
    assert not any("secret" in name for name in names_at(url))
    assert not list(tmp_path.rglob("planted"))


def test_what_is_verified_is_what_lies_there(
    bucket: str, generating: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"s3://{bucket}/verified"
    assert main(generating(url)) == 0
    assert main(["verify", url]) == 0
    files, root = fsspec.url_to_fs(url)
    first, second, *_ = sorted(row["file_name"] for row in rows_at(url))
    files.pipe_file(f"{root}/{first}", b"torn")
    files.rm_file(f"{root}/{second}")
    capsys.readouterr()
    assert main(["verify", url]) == 1
    told = capsys.readouterr().out
    assert f"changed or torn: {first}" in told
    assert f"missing: {second}" in told
    assert main(generating(url)) == 0  # what is gone is made again, and sent
    assert "1 made, 31 there before" in capsys.readouterr().out
    assert second in {row["file_name"] for row in rows_at(url)}
    assert second in kept_at(url)


def test_one_host_at_a_time_and_the_next_when_it_is_dead(
    bucket: str, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "BEAT", 0.05)
    monkeypatch.setattr(stores, "PATIENCE", 20.0)
    url = f"s3://{bucket}/held"
    with worked_in(url) as folder:
        (folder / "run.yaml").write_text("run: held\n")
        with pytest.raises(ConflictError, match="is working on"), worked_in(url):
            pass  # the same host
        elsewhere(1)
        with pytest.raises(ConflictError, match="one at a time"), worked_in(url):
            pass
    left = stores.opened(url)
    left._ours["staging"] = "another's"
    left._beat(7)  # of one who was killed
    monkeypatch.setattr(stores, "PATIENCE", 0.2)
    elsewhere(2)
    with worked_in(url) as folder:
        assert (folder / "run.yaml").read_text() == "run: held\n"
    assert left._holder() is None


def test_who_was_taken_for_dead_sends_nothing_more(bucket: str) -> None:
    url = f"s3://{bucket}/taken"
    with pytest.raises(WorkError, match="one at a time"):  # another host takes it meanwhile
        work(url, "run.yaml", "run: mine\n", lambda: stores.opened(url)._beat(0))
    assert "run.yaml" not in kept_at(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://nobodys-bucket/run", "nobodys-bucket"),
        ("s3://", "names no folder"),
        ("s3://bucket-alone", "names no folder"),
        ("what://bucket/run", "Protocol not known"),
        ("sftp://host/run", "wants a package more"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_a_url_that_means_nothing_is_refused_in_one_sentence(
    url: str,
    told: str,
    generating: Callable[..., list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(generating(url)) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_nobody_answers(
    bucket: str,
    generating: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.filesystem("s3").clear_instance_cache()
    assert main(generating(f"s3://{bucket}/run")) == 2
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_a_dry_run_sends_nothing(
    bucket: str, generating: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"s3://{bucket}/dry"
    assert main([*generating(url), "--dry-run"]) == 0
    assert "32 jobs" in capsys.readouterr().out
    assert kept_at(url) == {}

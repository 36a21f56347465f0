"""Outputs made elsewhere: what is taken in, and everything that is refused, all at once."""

from __future__ import annotations

import io
import json
import resource
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from bench import clips, manifest
from bench.cli import main
from bench.errors import ConflictError, FileFormatError, RequestError
from bench.importing import Imported, import_outputs
from bench.media import read_pixels
from bench.records import ModelSpec
from bench.suites import load_suite, select
from raters.study import create
from tests.conftest import suite_content, write_yaml

CLOSED = ModelSpec("closed-one", "", "2026-11", origin="Somebody, Somewhere", licence="terms")


def picture(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8))


@pytest.fixture
def suite(tmp_path: Path) -> str:
    return str(write_yaml(tmp_path / "tiny.yaml", suite_content()))


@pytest.fixture
def films(tmp_path: Path) -> str:
    return str(write_yaml(tmp_path / "films.yaml", suite_content() | {"modality": "video"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "from-elsewhere"
    made.mkdir()
    for number, language in enumerate(["zh", "en"]):
        for seed in (0, 1):
            path = made / f"boat-0--chinese--{language}--{seed}.png"
            picture(number * 2 + seed).save(path)
    return made


def take(folder: Path, run: Path, suite: str | None = None, **more: Path) -> Imported:
    return import_outputs(folder, CLOSED, run, suite=suite, **more)


def test_files_named_by_what_they_are_become_a_run(
    folder: Path, suite: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = take(folder, run, suite)
    assert (len(done.entered), done.there_before, done.refused) == (4, 0, ())
    assert manifest.verify(run) == []
    rows = {(row["language"], row["seed"]): row for row in manifest.read_outputs(run)}
    row = rows["zh", 1]
    assert (row["model"], row["prompt"], row["text"]) == (
        "closed-one",
        "boat-0/chinese",
        "一幅中国画：秋江孤舟",
    )
    assert "closed-one" not in row["file_name"]
    assert (read_pixels(run / row["file_name"]) == np.asarray(picture(1))).all()
    model = manifest.read_run(run)["models"][0]
    assert (model["id"], model["revision"], model["origin"]) == (
        "closed-one",
        "2026-11",
        "Somebody, Somewhere",
    )
    assert "| closed-one | 2026-11, imported | 4 | 0 | terms |" in (run / "README.md").read_text()


def test_the_same_again_adds_only_what_is_new(folder: Path, suite: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    take(folder, run, suite)
    before = {file.name: file.stat().st_mtime_ns for file in (run / "outputs").iterdir()}
    done = take(folder, run)
    assert (len(done.entered), done.there_before) == (0, 4)
    picture(9).save(folder / "boat-1--none--en--7.jpg")
    done = take(folder, run)
    assert (len(done.entered), done.there_before) == (1, 4)
    after = {file.name: file.stat().st_mtime_ns for file in (run / "outputs").iterdir()}
    assert before.items() <= after.items()
    assert manifest.verify(run) == []


def test_a_changed_file_is_refused(folder: Path, suite: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    take(folder, run, suite)
    picture(77).save(folder / "boat-0--chinese--zh--0.png")
    picture(78).save(folder / "boat-1--none--en--7.png")
    done = take(folder, run)
    assert done.entered == ()
    assert len(done.refused) == 1
    assert "boat-0--chinese--zh--0.png is not the one that the run holds" in done.refused[0]
    assert len(manifest.read_outputs(run)) == 4


def test_a_table_names_the_files_instead(folder: Path, suite: str, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / f"IMG_{number}.png")
    table = folder / "list.csv"
    table.write_text(
        "file,prompt,language,seed\n"
        "IMG_0.png,boat-0/chinese,zh,0\n"
        "IMG_1.png,boat-0/none,zh,0\n"
        "IMG_2.png,boat-9/none,zh,0\n",
        encoding="utf-8-sig",
    )
    done = take(folder, tmp_path / "run", suite, table=table)
    assert done.refused == [
        "list.csv, line 4: IMG_2.png is of the prompt 'boat-9/none', which suite tiny does not have"
    ]
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(lines[:3]), encoding="utf-8")
    done = take(folder, tmp_path / "run", suite, table=table)
    assert len(done.entered) == 2
    assert done.unlisted == ["IMG_2.png", "IMG_3.png"]
    table.write_text("file,prompt,seed\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="no column 'language'"):
        take(folder, tmp_path / "run", table=table)
    table.write_text("file,prompt,language,seed\n../tiny.yaml,boat-0/none,zh,0\n", encoding="utf-8")
    done = take(folder, tmp_path / "run", table=table)
    assert "lies outside the folder" in done.refused[0]


def test_everything_wrong_is_said_at_once_and_nothing_is_entered(
    folder: Path, suite: str, tmp_path: Path
) -> None:
    stem = "boat-1--none--zh--"
    (folder / "boat-0--chinese--fr--0.png").write_bytes(b"x")
    (folder / "boat-0--klingon--zh--0.png").write_bytes(b"x")
    (folder / "boat-0--chinese--zh--one.png").write_bytes(b"x")
    (folder / "boat-0--chinese--zh--00.png").write_bytes(b"x")
    (folder / "holiday.png").write_bytes(b"x")
    (folder / "list.csv").write_text("a", encoding="utf-8")
    (folder / f"{stem}0.png").touch()
    (folder / f"{stem}1.png").mkdir()
    (folder / f"{stem}2.png").symlink_to(folder / "holiday.png")
    (folder / f"{stem}3.txt").write_text("a", encoding="utf-8")
    (folder / f"{stem}4.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    picture(0).save(folder / f"{stem}5.png")
    picture(5, (32, 200)).save(folder / f"{stem}6.png")
    Image.new("1", (20_000, 10_000)).save(folder / f"{stem}7.png")
    frames = [picture(n, (64, 64)) for n in range(3)]
    frames[0].save(folder / f"{stem}8.webp", save_all=True, append_images=frames[1:])
    torn = io.BytesIO()
    picture(8, (640, 640)).save(torn, "PNG")
    (folder / f"{stem}9.png").write_bytes(torn.getvalue()[:-5000])
    (folder / ".DS_Store").write_bytes(b"x")
    done = take(folder, tmp_path / "run", suite)
    assert done.entered == ()
    assert not (tmp_path / "run").exists()
    said = {sentence.split(" ", 1)[0]: sentence.split(" ", 1)[1] for sentence in done.refused}
    first = "boat-0--chinese--zh--0.png"
    expected = {
        "boat-0--chinese--fr--0.png": "is in the language 'fr', in which boat-0/chinese has no text",
        "boat-0--klingon--zh--0.png": "is of the prompt 'boat-0/klingon', which suite tiny does",
        "boat-0--chinese--zh--one.png": "has the seed 'one', which is no whole number",
        "boat-0--chinese--zh--00.png": f"stands for what {first} stands for already",
        "holiday.png": "is not named scene--target--language--seed",
        "list.csv": "is a table: give it with --csv",
        f"{stem}0.png": "is empty",
        f"{stem}1.png": "is a folder, not a file",
        f"{stem}2.png": "is a link",
        f"{stem}3.txt": "is none of .png",
        f"{stem}4.png": "does not decode as a picture",
        f"{stem}5.png": f"holds the very pixels of {first}",
        f"{stem}6.png": "has 32×200 pixels: too small",
        f"{stem}7.png": "has too many pixels",
        f"{stem}8.webp": "moves, or has several pages",
        f"{stem}9.png": "does not decode as a picture",
    }
    assert said.keys() == expected.keys()
    for name, sentence in expected.items():
        assert sentence in said[name]


def test_one_picture_under_two_names_is_refused(folder: Path, suite: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    picture(0).save(folder / "boat-1--none--zh--0.bmp")
    done = take(folder, run, suite)
    assert done.refused == [
        "boat-1--none--zh--0.bmp holds the very pixels of boat-0--chinese--zh--0.png"
    ]
    (folder / "boat-1--none--zh--0.bmp").unlink()
    take(folder, run, suite)
    picture(0).save(folder / "boat-1--none--zh--0.bmp")
    done = take(folder, run)
    assert done.refused == ["boat-1--none--zh--0.bmp holds the very pixels of boat-0/chinese zh 0"]


def test_nothing_but_pixels_comes_through(folder: Path, suite: str, tmp_path: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0131], exif[0x0112] = "closed-one 4.2", 6  # its maker's name, and turned by a quarter
    picture(1).save(folder / "boat-0--none--zh--0.jpg", exif=exif, quality=95)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("parameters", "closed-one 4.2")
    picture(2).save(folder / "boat-0--none--zh--1.png", icc_profile=profile, pnginfo=notes)
    deep = Image.fromarray(rng.integers(0, 65535, (80, 96), np.uint16))
    deep.save(folder / "boat-0--none--zh--2.png")
    picture(3).convert("CMYK").save(folder / "boat-0--none--zh--3.tif")
    picture(4).convert("RGBA").save(folder / "boat-0--none--zh--4.webp", lossless=True)
    picture(5).convert("L").save(folder / "boat-0--none--zh--5.png")
    picture(6).quantize(16).save(folder / "boat-0--none--zh--6.png")
    run = tmp_path / "run"
    done = take(folder, run, suite)
    assert (len(done.entered), done.refused) == (7, ())
    for row in done.entered:
        content = (run / row.file_name).read_bytes()
        assert b"closed-one" not in content
        with Image.open(run / row.file_name) as opened:
            assert (opened.format, opened.mode, opened.info) == ("PNG", "RGB", {})
    turned = done.entered[0]
    assert (turned.width, turned.height) == (80, 96)
    assert manifest.verify(run) == []


def write_clip(path: Path, seed: int, size: tuple[int, int] = (96, 64), **note: str) -> None:
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as to:
        to.metadata.update(note)
        stream = to.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(8):
            frame = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
            to.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        to.mux(stream.encode(None))


def test_clips_are_taken_in_with_their_exact_frames_and_without_their_notes(
    films: str, tmp_path: Path
) -> None:
    folder = tmp_path / "from-elsewhere"
    folder.mkdir()
    write_clip(folder / "boat-0--none--zh--0.mp4", 0, title="closed-one 4.2")
    write_clip(folder / "boat-0--none--zh--1.mkv", 1)
    run = tmp_path / "run"
    done = take(folder, run, films)
    assert done.refused == ()
    row = done.entered[0]
    assert (row.frames, row.fps, row.width, row.height) == (8, 12, 96, 64)
    source = np.stack(list(clips.read_frames(folder / "boat-0--none--zh--0.mp4")))
    kept = np.stack(list(clips.read_frames(run / row.file_name)))
    assert source.shape == kept.shape
    assert b"closed-one" not in (run / row.file_name).read_bytes()
    assert manifest.verify(run) == []
    assert take(folder, run).there_before == 2


def test_clips_that_cannot_be_shown_are_refused_with_the_reason(films: str, tmp_path: Path) -> None:
    folder = tmp_path / "from-elsewhere"
    folder.mkdir()
    stem = "boat-0--none--zh--"
    (folder / f"{stem}0.mp4").write_bytes(b"no clip")
    write_clip(folder / f"{stem}1.mp4", 1)
    whole = (folder / f"{stem}1.mp4").read_bytes()
    at = whole.index(b"mdat") + 400
    (folder / f"{stem}1.mp4").write_bytes(whole[:at] + bytes(2000) + whole[at + 2000 :])
    write_clip(folder / f"{stem}2.mp4", 2, (64, 48))
    picture(3).save(folder / f"{stem}3.gif")
    with av.open(str(folder / f"{stem}4.mp4"), "w") as to:
        sound = to.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        to.mux(sound.encode(frame))
        to.mux(sound.encode(None))
    with av.open(str(folder / f"{stem}5.mkv"), "w") as to:
        stream = to.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = 75, 65, "bgr0"
        odd = av.VideoFrame.from_ndarray(np.zeros((65, 75, 3), np.uint8), format="rgb24")
        to.mux(stream.encode(odd.reformat(format="bgr0")))
        to.mux(stream.encode(None))
    done = take(folder, tmp_path / "run", films)
    said = {sentence.split(" ", 1)[0]: sentence.split(" ", 1)[1] for sentence in done.refused}
    expected = {
        f"{stem}0.mp4": "does not decode as a clip",
        f"{stem}1.mp4": "does not decode",
        f"{stem}2.mp4": "has 64×48 pixels: too small",
        f"{stem}3.gif": "is none of .mp4",
        f"{stem}4.mp4": "has no video in it",
        f"{stem}5.mkv": "75×65 has an odd side",
    }
    assert said.keys() == expected.keys()
    for name, sentence in expected.items():
        assert sentence in said[name]


def test_requests_that_contradict_a_run_are_refused(
    folder: Path, suite: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(RequestError, match="is a new run: say with --suite"):
        take(folder, run)
    take(folder, run, suite)
    content = suite_content(scenes=3)
    content["scenes"][0]["prompts"]["chinese"]["zh"] += "。"
    other = write_yaml(tmp_path / "other.yaml", content)
    with pytest.raises(ConflictError, match="another text of suite tiny, and more than scenes"):
        take(folder, run, str(other))
    later = ModelSpec("closed-one", "", "2026-12")
    with pytest.raises(ConflictError, match="holds closed-one with revision '2026-11'"):
        import_outputs(folder, later, run)
    with pytest.raises(RequestError, match="--model 'a b'"):
        import_outputs(folder, ModelSpec("a b", "", "x"), run)
    with pytest.raises(RequestError, match="nowhere is no folder"):
        take(tmp_path / "nowhere", run)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="lists no file"):
        take(tmp_path / "empty", run)


def test_the_command_says_what_it_did_and_what_it_refused(
    folder: Path, suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = ["import", str(folder), "--model", "closed-one", "--run", str(run)]
    (folder / "holiday.png").touch()
    assert main([*command, "--suite", suite]) == 2
    said = capsys.readouterr().err
    assert "refused: holiday.png is empty" in said
    assert "1 refused, nothing was entered" in said
    (folder / "holiday.png").unlink()
    assert main([*command, "--suite", suite]) == 0
    assert f"{run}: 4 entered, 0 there before, 0 suspect" in capsys.readouterr().out
    assert main(["verify", str(run)]) == 0
    assert f"{run}: 4 outputs, nothing wrong" in capsys.readouterr().out


def test_a_changed_file_is_deleted_and_imported_again(
    folder: Path, suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = ["import", str(folder), "--model", "closed-one", "--run", str(run)]
    assert main([*command, "--suite", suite]) == 0
    changed = run / manifest.read_outputs(run)[1]["file_name"]
    picture(9).save(changed)
    capsys.readouterr()
    assert main(["verify", str(run)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1].endswith("delete each file that is changed or torn, then import again")
    changed.unlink()
    assert main(command) == 0
    assert "1 entered, 3 there before" in capsys.readouterr().out
    assert main(["verify", str(run)]) == 0
    assert len(manifest.read_outputs(run)) == 4


def test_closed_models_alone_make_a_study(tmp_path: Path) -> None:
    prompts = select(load_suite("first-look"), ("zh",), limit=12)
    run = tmp_path / "run"
    for number, name in enumerate(["closed-one", "closed-two"]):
        folder = tmp_path / name
        folder.mkdir()
        for seed, prompt in enumerate(prompts):
            path = folder / f"{prompt.id.replace('/', '--')}--zh--0.png"
            picture(100 * number + seed).save(path)
        done = import_outputs(folder, ModelSpec(name, "", "imported"), run, suite="first-look")
        assert len(done.entered) == len(prompts)
    create("first-look", [run], references=None, out=tmp_path / "study")
    key = (tmp_path / "study" / "sealed" / "key.jsonl").read_text(encoding="utf-8")
    assert {json.loads(line)["model"] for line in key.splitlines()} == {"closed-one", "closed-two"}
    assert manifest.verify(run) == []


def test_clips_from_elsewhere_can_be_studied(films: str, tmp_path: Path) -> None:
    folder = tmp_path / "from-elsewhere"
    folder.mkdir()
    write_clip(folder / "boat-0--none--zh--0.mp4", 0)
    take(folder, tmp_path / "run", films)
    create("first-look", [tmp_path / "run"], references=None, out=tmp_path / "study")
    assert [file.suffix for file in (tmp_path / "study" / "stimuli").iterdir()] == [".mp4"]


def test_a_run_that_was_begun_by_import_can_be_generated_into_and_the_other_way_round(
    folder: Path, suite: str, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    take(folder, run, suite)
    command = ["generate", "--suite", suite, "--models", str(tiny_checkpoint), "--out", str(run)]
    command += ["--languages", "zh", "--set", "num_inference_steps=1"]
    command += ["--set", "height=64", "--set", "width=64", "--batch-size", "3"]
    assert main(command) == 0
    picture(9).save(folder / "boat-1--none--en--7.png")
    assert len(take(folder, run).entered) == 1
    assert main(command) == 0
    assert main(["verify", str(run)]) == 0
    content = manifest.read_run(run)
    assert {model["id"] for model in content["models"]} == {"tiny-sd", "closed-one"}
    assert content["batch_size"] == 3
    assert (
        "4 of 4 planned outputs, and 5 that were made elsewhere" in (run / "README.md").read_text()
    )
    rows = [json.loads(line) for line in (run / "metadata.jsonl").read_text().splitlines()]
    assert sum(row["model"] == "closed-one" for row in rows) == 5
    assert sum(row["model"] == "tiny-sd" for row in rows) == 4
    assert main([*command[:3], "--models", str(folder), *command[5:]]) == 2


def test_a_disk_that_takes_no_more_leaves_nothing_half_entered(
    folder: Path, suite: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    take(folder, run, suite)
    picture(10, (64, 64)).save(folder / "boat-1--none--en--8.png")
    picture(11, (640, 640)).save(folder / "boat-1--none--en--9.png")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            take(folder, run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert manifest.verify(run) == []
    assert len(manifest.read_outputs(run)) == 4
    assert len(take(folder, run).entered) == 2
    assert manifest.verify(run) == []

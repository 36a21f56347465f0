from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bench import manifest
from bench.errors import FileFormatError, RequestError
from bench.files import append_rows, cut_torn_line, read_rows
from bench.media import encode_png, pixel_hash, read_pixels, to_pixels
from bench.records import Output


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with manifest.opened(tmp_path):
        manifest.write_run(tmp_path, {"run": "r"})
        for number in range(3):
            pixels = np.full((4, 5, 3), 40 * number, np.uint8)
            pixels[0, 0] = 200
            content = encode_png(pixels)
            manifest.write_output_file(tmp_path, f"outputs/k{number}.png", content)
            output = Output(
                file_name=f"outputs/k{number}.png",
                key=f"k{number}",
                model="m",
                prompt="boat/none",
                language="zh",
                text="舟",
                seed=number,
                width=5,
                height=4,
                frames=None,
                fps=None,
                sha256=hashlib.sha256(content).hexdigest(),
                pixel_sha256=pixel_hash(pixels),
                status="ok",
                suite="tiny",
                suite_hash="h",
            )
            manifest.append_outputs(tmp_path, [output])
    return tmp_path


def test_a_sound_run_has_no_faults(run: Path) -> None:
    assert manifest.verify(run) == []


def test_what_is_missing_torn_or_foreign_is_named(run: Path) -> None:
    (run / "outputs" / "k0.png").unlink()
    torn = run / "outputs" / "k1.png"
    torn.write_bytes(torn.read_bytes()[:20])
    (run / "outputs" / "mine.png").touch()
    assert manifest.verify(run) == [
        "missing: outputs/k0.png",
        "changed or torn: outputs/k1.png does not have its hash",
        "foreign: outputs/mine.png is in no row",
    ]


def test_what_is_written_and_not_yet_entered_is_no_fault_while_somebody_works(run: Path) -> None:
    (run / "outputs" / f"{'a1' * 32}.png").touch()
    (run / "outputs" / "mine.png").touch()
    with manifest.opened(run):
        assert manifest.verify(run) == ["foreign: outputs/mine.png is in no row"]
    assert len(manifest.verify(run)) == 2


def test_a_file_whose_hash_holds_but_that_does_not_decode_is_named_among_the_faults(
    run: Path,
) -> None:
    rows = list(read_rows(run / "metadata.jsonl"))
    torn = (run / "outputs" / "k1.png").read_bytes()[:40]
    (run / "outputs" / "k1.png").write_bytes(torn)
    rows[1]["sha256"] = hashlib.sha256(torn).hexdigest()
    (run / "metadata.jsonl").unlink()
    append_rows(run / "metadata.jsonl", rows)
    faults = manifest.verify(run)
    assert len(faults) == 1
    assert faults[0].startswith("torn: ")
    assert "k1.png does not decode as a picture" in faults[0]


def test_a_row_twice_or_lame_is_an_error_that_names_the_line(run: Path) -> None:
    rows = list(read_rows(run / "metadata.jsonl"))
    append_rows(run / "metadata.jsonl", [rows[0]])
    with pytest.raises(FileFormatError, match="line 4: k0 is there twice"):
        manifest.read_outputs(run)
    (run / "metadata.jsonl").write_text('{"file_name": "a"}\n', encoding="utf-8")
    with pytest.raises(FileFormatError, match="line 1 lacks 'fps'"):
        manifest.read_outputs(run)
    (run / "metadata.jsonl").write_text("no json\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="line 1 is not JSON"):
        manifest.read_outputs(run)


def test_a_torn_last_line_is_passed_over_and_cut(run: Path) -> None:
    path = run / "metadata.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"file_name": "outp')
    assert len(manifest.read_outputs(run)) == 3
    assert cut_torn_line(path) == 19
    assert path.read_bytes() == whole
    path.write_bytes(b"only a torn line")
    assert cut_torn_line(path) == 16
    assert path.read_bytes() == b""


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not a run folder"):
        manifest.read_run(tmp_path)


def test_pictures_survive_their_file_and_odd_values_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((6, 7, 3))
    pixels, why = to_pixels(image)
    assert why == ""
    (tmp_path / "a.png").write_bytes(encode_png(pixels))
    assert (read_pixels(tmp_path / "a.png") == pixels).all()
    assert pixel_hash(pixels) != pixel_hash(pixels.reshape(7, 6, 3))
    image[0, 0, 0] = np.nan
    assert to_pixels(image)[1] == "values that are not numbers"
    assert to_pixels(np.ones((2, 2, 3)))[1] == "one colour everywhere"


def test_failures_do_not_say_where_a_checkpoint_lies(tmp_path: Path) -> None:
    models = [
        {"id": "folder", "source": "/secret/a-model"},
        {"id": "cached", "source": "owner/a-model"},
    ]
    cached = "/home/me/.cache/huggingface/hub/models--owner--a-model/snapshots/" + "a" * 40
    errors = {
        "folder": "cannot read /secret/a-model/unet",
        "cached": f"cannot read '{cached}/unet', {cached}",
    }
    with manifest.opened(tmp_path):
        manifest.write_run(tmp_path, {"run": "r", "models": models})
        for model, error in errors.items():
            manifest.append_failures(tmp_path, [{"key": "k", "model": model, "error": error}])
    said = [row["error"] for row in manifest.read_failures(tmp_path)]
    assert said == [
        "cannot read a-model/unet",
        "cannot read 'owner/a-model/unet', owner/a-model",
    ]

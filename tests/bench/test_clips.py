"""Clips as files: what is kept, what is lost, and what is found when a file is torn."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bench import clips, manifest
from bench.errors import WorkError
from bench.files import file_hash
from bench.media import pixel_hash
from bench.outputs import write_output
from bench.records import Job


def moving(frames: int = 9, height: int = 48, width: int = 64) -> clips.Frames:
    """A disc that crosses a field of colours, with grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    made = np.zeros((frames, height, width, 3))
    for number in range(frames):
        made[number] = np.stack([x * 3, y * 4, 255 - x * 2], axis=-1)
        made[number][(x - number * 6) ** 2 + (y - 24) ** 2 < 100] = (220, 40, 30)
    return (made + rng.normal(0, 2, made.shape)).clip(0, 255).astype(np.uint8)


def job(key: str = "k") -> Job:
    return Job(key, "boat/none", "zh", "舟", "m", 0)


def test_a_master_gives_back_the_exact_frames_and_h264_nearly(tmp_path: Path) -> None:
    frames = moving()
    clips.write_ffv1(tmp_path / "a.mkv", frames, 16)
    clips.write_h264(tmp_path / "a.mp4", frames, 16)
    assert (np.stack(list(clips.read_frames(tmp_path / "a.mkv"))) == frames).all()
    near = np.stack(list(clips.read_frames(tmp_path / "a.mp4")))
    assert near.shape == frames.shape
    assert np.abs(near.astype(int) - frames).mean() < 4  # the grain is in the colours too


@pytest.mark.parametrize("colour", [(200, 30, 30), (20, 160, 60), (30, 40, 200), (128, 128, 128)])
def test_colours_come_back_from_h264(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    clips.write_h264(tmp_path / "a.mp4", np.full((3, 32, 32, 3), colour, np.uint8), 8)
    back = np.stack(list(clips.read_frames(tmp_path / "a.mp4")))
    assert np.abs(back.astype(int) - colour).max() <= 2


def test_what_browsers_need_and_nothing_of_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    clips.write_h264(path, moving(), 23.976)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert not any(word in content for word in (b"x264", b"Lavf", b"Lavc"))
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.codec_context.colorspace, stream.codec_context.color_primaries) == (1, 1)
        assert float(stream.average_rate or 0) == pytest.approx(23.976)
        assert stream.frames == 9


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    hashes = set()
    for number in range(30):
        _elsewhere_in_memory = np.ones(number * 9973)
        clips.write_h264(tmp_path / "a.mp4", moving(), 16)
        hashes.add(file_hash(tmp_path / "a.mp4"))
    assert len(hashes) == 1


def test_an_odd_side_is_refused_not_padded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="65×48 has an odd side"):
        clips.write_h264(tmp_path / "a.mp4", moving(width=65), 8)


def test_a_clip_becomes_a_row_and_verify_sees_what_is_wrong(tmp_path: Path) -> None:
    frames = moving()
    with manifest.opened(tmp_path):
        manifest.write_run(tmp_path, {"run": "r"})
        for key, master in (("k0", "ffv1"), ("k1", "")):
            row = write_output(
                tmp_path, job(key), frames, suite="s", suite_hash="h", fps=8, master=master
            )
            manifest.append_outputs(tmp_path, [row])
            assert row.pixel_sha256 == pixel_hash(frames)
            assert (row.width, row.height, row.frames, row.fps) == (64, 48, 9, 8)
            assert (row.duration, row.status) == (1.125, "ok")
    assert row.file_name == "outputs/k1.mp4"
    assert manifest.verify(tmp_path) == []
    other = frames.copy()
    other[4, 0, 0, 0] ^= 1
    clips.write_ffv1(tmp_path / "masters" / "k0.mkv", other, 8)
    (tmp_path / "masters" / "mine.mkv").touch()
    assert manifest.verify(tmp_path) == [
        "changed: the pixels of masters/k0.mkv do not have their hash",
        "foreign: masters/mine.mkv is in no row",
    ]
    clips.write_ffv1(tmp_path / "masters" / "k0.mkv", frames[:5], 8)
    (tmp_path / "masters" / "mine.mkv").unlink()
    assert manifest.verify(tmp_path) == [
        "changed: masters/k0.mkv has 5 frames of 64×48, its row says 9 frames of 64×48"
    ]


def test_a_clip_of_one_colour_or_without_numbers_is_suspect(tmp_path: Path) -> None:
    def status(frames: np.ndarray) -> tuple[str, str]:
        with manifest.opened(tmp_path):
            row = write_output(tmp_path, job(), frames, suite="s", suite_hash="h", fps=8)
        return row.status, row.note

    fade = np.linspace(0, 1, 4)[:, None, None, None] * np.ones((4, 32, 32, 3))
    assert status(fade) == ("suspect", "one colour everywhere")
    bright = moving() / 255.0
    bright[2, 3, 4] = np.nan
    assert status(bright) == ("suspect", "values that are not numbers")
    assert status(moving()) == ("ok", "")


def test_what_does_not_decode_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no clip at all")
    with pytest.raises(WorkError, match=r"a\.mp4 does not decode as a clip"):
        list(clips.read_frames(path))
    with pytest.raises(WorkError, match=r"b\.mp4 does not decode as a clip: No such file"):
        list(clips.read_frames(tmp_path / "b.mp4"))

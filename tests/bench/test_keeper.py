"""What happens to outputs behind the device's back, where a writer meets what nobody foresaw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import clips, keeper, manifest
from bench.errors import WorkError
from bench.generate import generate
from bench.request import Request
from bench.transfer import Made, Pending


def asked(suite: Path, model: Path) -> Request:
    return Request(
        str(suite),
        (str(model),),
        ("zh", "en"),
        (0, 1),
        arguments={"num_inference_steps": 1, "height": 64, "width": 64},
        batch_size=4,
    )


def test_a_writer_that_fails_at_anything_stops_the_run_cleanly(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def gives_out(*arguments: Any, **options: Any) -> Any:
        written.append("one")
        if len(written) == 6:
            raise MemoryError("no room for 3 MB")
        return write(*arguments, **options)

    write = keeper.write_output
    request, run = asked(suite_path, tiny_checkpoint), tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(keeper, "write_output", gives_out)
        with pytest.raises(WorkError, match=r"MemoryError: no room for 3 MB\); .* run again"):
            generate(request, run)
    assert not any((run / ".state" / "tmp").iterdir())
    done = generate(request, run)
    assert done.there_before + done.made == 16
    assert manifest.verify(run) == []


def test_frames_that_an_encoder_refuses_are_told_from_a_disk_that_gives_out(
    tmp_path: Path,
) -> None:
    wide = np.zeros((1, 2, 20000, 3), np.uint8)
    with pytest.raises(ValueError, match="cannot be encoded"):
        clips.write_h264(tmp_path / "wide.mp4", wide, 8)
    with pytest.raises(OSError, match="No such file"):
        clips.write_ffv1(tmp_path / "nowhere" / "clip.mkv", wide[:, :, :32], 8)


def test_stages_that_run_side_by_side_hold_the_device_once() -> None:
    picture = {"a": Pending(np.zeros((1, 1, 3), np.uint8))}
    first = Made(picture, 1, "", 1, [("denoise", 0.0, 4.0), ("decode", 4.0, 7.0)])
    beside = Made(picture, 1, "", 1, [("denoise", 4.0, 9.0), ("decode", 9.0, 11.0)])
    later = Made(picture, 1, "", 1, [("denoise", 20.0, 24.0), ("decode", 24.0, 25.0)])
    assert sum(beside.seconds().values()) == 7
    assert first.occupied() == 7
    assert beside.occupied(first.ended) == 4
    assert later.occupied(beside.ended) == 5

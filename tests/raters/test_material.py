"""What becomes a stimulus beside plain pictures: clips, masked marks, anchors of earlier waves."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from bench.clips import read_frames, write_h264
from bench.errors import ConflictError, FileFormatError, RequestError
from bench.join import read_key, showcase
from bench.reading import read_yaml
from raters.clips import Shape, common_shape, measured, write_clip
from raters.config import Box
from raters.create import create
from raters.stimuli import GREY, masked
from raters.study import invite, open_study
from tests.raters.material import (
    UNSPEAKABLE,
    write_config,
    write_references,
    write_rows,
    write_run,
)
from tests.raters.test_create import rows_of

# Masks


@pytest.mark.parametrize("size", [(100, 50), (60, 40), (7, 9)])
def test_a_mask_covers_the_same_share_of_every_picture(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (255, 0, 0))
    box = Box(x=0.8, y=0.9, width=0.2, height=0.1)
    pixels = np.asarray(masked(image, box))
    covered = (pixels == GREY).all(axis=2)
    assert covered[-1, -1]
    assert not covered[0].any()
    assert covered.sum() / covered.size == pytest.approx(0.02, abs=0.03)
    assert np.asarray(masked(image, None)).tolist() == np.asarray(image).tolist()


def test_a_mask_is_on_every_stimulus_and_told_as_a_cue(
    tmp_path: Path, run: Path, references: Path
) -> None:
    config = write_config(tmp_path, mask={"x": 0.5, "y": 0.5, "width": 0.5, "height": 0.5})
    summary = create(config, [run], references=references, out=tmp_path / "study")
    assert summary["cues"]["a mask covers a box of every stimulus"] == 117
    for file in (tmp_path / "study" / "stimuli").iterdir():
        with Image.open(file) as image:
            assert image.convert("RGB").getpixel((image.width - 1, image.height - 1)) == GREY
            assert image.convert("RGB").getpixel((0, 0)) != GREY


# Clips


def clip(path: Path, *, size: tuple[int, int], fps: float, count: int, shade: int = 90) -> str:
    """Write a clip whose frames grow brighter; return its hash."""
    width, height = size
    frames = np.stack(
        [np.full((height, width, 3), shade + 6 * number, np.uint8) for number in range(count)]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_h264(path, frames, fps)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_clips_are_measured(tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", size=(64, 48), fps=8, count=12)
    assert measured(tmp_path / "a.mp4") == Shape(64, 48, 8.0, 1.5)
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    with pytest.raises(FileFormatError, match="does not open as a clip"):
        measured(tmp_path / "b.mp4")


def test_the_common_shape_is_the_least_of_everything() -> None:
    found = common_shape([Shape(64, 48, 8, 2.0), Shape(63, 47, 24, 1.0), Shape(96, 96, 16, 4.0)])
    assert found == Shape(62, 46, 8, 1.0)


def test_a_clip_written_anew_shows_the_frame_of_each_moment(tmp_path: Path) -> None:
    clip(tmp_path / "fast.mp4", size=(64, 48), fps=16, count=16, shade=60)
    size = write_clip(
        tmp_path / "fast.mp4", tmp_path / "slow.mp4", Shape(64, 48, 8, 0.5), lambda frame: frame
    )
    assert size == (64, 48)
    shades = [int(frame.mean()) for frame in read_frames(tmp_path / "slow.mp4")]
    # every other frame of the first half second: 60, 72, 84, 96
    assert shades == pytest.approx([60, 72, 84, 96], abs=2)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of clips of two sizes and rates, each with a note that names its model."""
    run = write_run(
        tmp_path_factory.mktemp("clips") / "run-of-march-hare", languages=("zh",), seeds=(0,)
    )
    header = read_yaml(run / "run.yaml")
    (run / "run.yaml").write_text(yaml.safe_dump({**header, "modality": "video"}))
    rows = rows_of(run)
    for number, row in enumerate(rows):
        fast = row["model"] == "okapi-flow"
        name = row["file_name"].replace(".png", ".mp4")
        plain = run / "plain.mp4"
        size, fps = ((96, 64), 16) if fast else ((64, 48), 8)
        clip(plain, size=size, fps=fps, count=fps, shade=40 + number)
        with av.open(str(plain)) as source, av.open(str(run / name), "w") as target:
            target.metadata["comment"] = f"made by {row['model']}"
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
        (run / row["file_name"]).unlink()
        content = (run / name).read_bytes()
        assert row["model"].encode() in content
        row |= {
            "file_name": name, "sha256": hashlib.sha256(content).hexdigest(),
            "width": size[0], "height": size[1], "frames": fps, "fps": fps,
        }  # fmt: skip
    plain.unlink()
    write_rows(run, rows)
    return run


def test_clips_become_stimuli_that_are_alike_and_tell_nothing(clips: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, ask={"human": False})
    summary = create(config, [clips], references=None, out=tmp_path / "study")
    files = sorted((tmp_path / "study" / "stimuli").iterdir())
    assert len(files) == summary["outputs"] == 27
    # 96 × 64 fits into 64 × 48 as 64 × 42.7, and sides are even
    assert {measured(file) for file in files} == {Shape(64, 48, 8, 1), Shape(64, 42, 8, 1)}
    for file in files:
        content = file.read_bytes()
        assert not any(name.encode() in content for name in (*UNSPEAKABLE, "x264", "Lavf"))
        with av.open(str(file)) as opened:
            assert [stream.type for stream in opened.streams] == ["video"]
            assert opened.streams.video[0].codec_context.name == "h264"
    with open_study(tmp_path / "study") as (protocol, _):
        assert protocol.modality == "video"
        assert protocol.plan.seconds["pair"] == 35
    assert showcase(tmp_path / "study", read_key(tmp_path / "study")) == []


def test_images_and_clips_are_not_mixed(clips: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="hold images and clips"):
        create(write_config(tmp_path), [clips, run], references=None, out=tmp_path / "study")


def test_a_torn_clip_is_refused_by_name(clips: Path, tmp_path: Path) -> None:
    other = shutil.copytree(clips, tmp_path / "run")
    row = rows_of(other)[3]
    file = other / row["file_name"]
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(FileFormatError, match=row["file_name"]):
        create(write_config(tmp_path), [other], references=None, out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


# Waves


@pytest.fixture
def wave(make_study: Callable[..., Path]) -> Path:
    return make_study("wave-one", anchors=8)


def key_of(study: Path, *, anchors: bool) -> set[tuple[str, str, str, int]]:
    key = read_key(study)
    key = key[key["anchor"]] if anchors else key
    return {
        (row.model, row.prompt, row.language, row.seed if row.model != "reference" else -1)
        for row in key.itertuples()
    }


def test_anchors_are_shown_again_in_a_later_wave(
    wave: Path, tmp_path: Path, references: Path
) -> None:
    later = write_run(tmp_path / "later", models=("zebra-diffusion", "gnu-large"), seeds=(5,))
    study = tmp_path / "wave-two"
    summary = create(
        write_config(tmp_path / "two", study="wave-two", anchors=10),
        [later],
        references=references,
        anchors=wave,
        out=study,
    )
    assert key_of(wave, anchors=True) < key_of(study, anchors=True)
    assert summary["check"]["anchors"] == 10
    assert summary["check"]["raters_per_anchor"] == [6, 6]
    # a reference that is an anchor is there once
    names = [row.prompt for row in read_key(study).itertuples() if row.model == "reference"]
    assert len(names) == len(set(names)) == 9
    assert not set(read_key(wave).index) & set(read_key(study).index)
    # an output that is an anchor is not shown a second time either
    again = tmp_path / "again"
    create(
        write_config(tmp_path / "three", anchors=8),
        [tmp_path / "later"],
        references=None,
        anchors=study,
        out=again,
    )
    keys = [row.key for row in read_key(again).itertuples() if row.key]
    assert len(keys) == len(set(keys))
    invite(again, 1, base_url="")


def test_anchors_that_do_not_fit_are_refused(
    wave: Path, run: Path, clips: Path, tmp_path: Path, make_study: Callable[..., Path]
) -> None:
    def refuse(error: type[Exception], words: str, *, study: Path, runs: list[Path]) -> None:
        with pytest.raises(error, match=words):
            create(
                write_config(tmp_path / "config"),
                runs,
                references=None,
                anchors=study,
                out=tmp_path / "refused",
            )
        assert not (tmp_path / "refused").exists()

    other = write_run(tmp_path / "other", revision="d" * 40, seeds=(9,))
    refuse(ConflictError, "different revisions of model", study=wave, runs=[other])
    refuse(ConflictError, "not both of pictures", study=wave, runs=[clips])
    refuse(RequestError, "has no anchors", study=make_study("none"), runs=[run])
    refuse(RequestError, "not a study folder", study=tmp_path, runs=[run])
    unsealed = shutil.copytree(wave, tmp_path / "unsealed")
    (unsealed / "sealed" / "key.jsonl").unlink()
    refuse(RequestError, "where the key lies", study=unsealed, runs=[run])


def test_more_anchors_than_items_are_refused(make_study: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="anchors: 500 are asked for"):
        make_study(anchors=500)


# Warnings


def warned(summary: dict[str, Any], words: str) -> bool:
    return any(words in warning for warning in summary["warnings"])


def test_what_weakens_a_study_is_warned_of(tmp_path: Path, run: Path) -> None:
    other = shutil.copytree(run, tmp_path / "run")
    header = read_yaml(other / "run.yaml")
    (other / "run.yaml").write_text(yaml.safe_dump({**header, "planned": 110}))
    rows = rows_of(other)
    for row in rows:
        if row["model"] == "okapi-flow":
            with Image.open(other / row["file_name"]) as image:
                wide = image.resize((96, 48))
            wide.save(other / row["file_name"])
            content = (other / row["file_name"]).read_bytes()
            row |= {"width": 96, "sha256": hashlib.sha256(content).hexdigest()}
    write_rows(other, rows)
    summary = create(
        write_config(tmp_path / "config"), [other], references=None, out=tmp_path / "study"
    )
    assert warned(summary, "is incomplete: 108 of 110 outputs are there")
    assert warned(summary, "there are no references")
    assert warned(summary, "okapi-flow makes pictures of another aspect (2) than most models (1)")
    assert warned(summary, "no training items")
    assert summary["cues"]["another size or shape than most"] == 36
    kept = read_yaml(tmp_path / "study" / "sealed" / "summary.yaml")
    assert kept["warnings"] == summary["warnings"]
    assert kept["cues"] == summary["cues"]
    public = (tmp_path / "study" / "study.yaml").read_text()
    assert "okapi" not in public


def test_references_without_captions_are_warned_of(tmp_path: Path, run: Path) -> None:
    folder = write_references(tmp_path / "museum")
    rows = rows_of(folder)
    for row in rows[:4]:
        row["caption"] = None
    write_rows(folder, rows)
    summary = create(
        write_config(tmp_path / "config"), [run], references=folder, out=tmp_path / "study"
    )
    assert warned(summary, "4 of 9 references have no caption")


def test_a_session_of_references_is_warned_of(tmp_path: Path, run: Path, references: Path) -> None:
    few = {"targets": ["chinese"], "languages": ["zh"], "seeds": [0]}
    for more, many in ((few, True), ({}, False)):
        select = {"models": ["zebra-diffusion"], "scenes": ["heron"], **more}
        config = write_config(tmp_path / "config", select=select, pairs=None)
        summary = create(config, [run], references=references, out=tmp_path / f"study-{many}")
        share = summary["check"]["share_of_references_in_a_session"][1]
        assert (share > 0.8) == many
        assert warned(summary, "% of the pictures are references") == many


def test_a_whole_study_is_warned_of_nothing_but_what_it_lacks(
    tmp_path: Path, run: Path, references: Path
) -> None:
    config = write_config(tmp_path / "config", single={"raters_per_item": 4}, sessions=4)
    summary = create(config, [run], references=references, out=tmp_path / "study")
    assert [warning.split(":")[0] for warning in summary["warnings"]] == [
        f"a scene comes twice in a session {summary['check']['twice']['singles']} times",
        "there are no training items",
    ]
    minutes = summary["check"]["session_minutes"]
    assert all(one <= other for one, other in pairwise(minutes))

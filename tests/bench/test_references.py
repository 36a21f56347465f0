from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from bench.errors import FileFormatError, RequestError
from bench.files import read_rows
from bench.references import Added, add_references, load_references
from bench.suites import Suite, load_suite
from tests.conftest import suite_content, write_yaml


def work(name: str, tradition: str = "chinese", **more: str) -> dict[str, object]:
    titles = {"en": name, "zh": "画"}
    return {"id": name, "title": titles, "tradition": tradition, "tier": "canonical", **more}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = tmp_path / "suite"
    folder.mkdir()
    write_yaml(folder / "suite.yaml", suite_content())
    works = [work("early-spring", stratum="ink"), work("pine-trees", "japanese", stratum="ink")]
    write_yaml(folder / "references.yaml", {"references": [*works, work("plum", stratum="ink")]})
    return load_suite(str(folder))


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (1000, 800)) -> Path:
    path.parent.mkdir(exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST)
    exif = Image.Exif()
    exif[0x010E] = "taken by someone"
    image.save(path, exif=exif)
    return path


def add(suite: Suite, tmp_path: Path, table: Path | None = None) -> Added:
    return add_references(suite, tmp_path / "mine", tmp_path / "out", size=(64, 64), table=table)


def test_files_are_tied_by_name_cut_to_size_and_stripped(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "early-spring.jpg", 1)
    picture(tmp_path / "mine" / "pine-trees.png", 2)
    added = add(suite, tmp_path)
    assert added.refused == ()
    assert added.missing == {("chinese", "ink"): 1}
    rows = list(read_rows(tmp_path / "out" / "metadata.jsonl"))
    assert [row["id"] for row in rows] == ["early-spring", "pine-trees"]
    assert rows[0]["derivative"] == "cut from the middle, to 64×64"
    with Image.open(tmp_path / "out" / rows[0]["file_name"]) as image:
        assert image.size == (64, 64)
        assert not image.getexif()
    assert (tmp_path / "out" / "originals" / "early-spring.jpg").is_file()


def test_a_table_names_crops_and_masks_and_both_variants_are_kept(
    suite: Suite, tmp_path: Path
) -> None:
    picture(tmp_path / "mine" / "scan 1.png", 1)
    table = tmp_path / "table.csv"
    table.write_text(
        "\ufefffile,id,crop,mask\nscan 1.png,early-spring,0.1 0.1 0.9 0.9,0.3 0.3 0.6 0.6\n",
        encoding="utf-8",
    )
    rows = add(suite, tmp_path, table).rows
    assert [row["file_name"] for row in rows] == ["early-spring.png", "early-spring--masked.png"]
    assert rows[1]["derivative"].endswith("inscription covered")
    with Image.open(tmp_path / "out" / "early-spring--masked.png") as image:
        middle = np.asarray(image)[24:34, 24:34].reshape(-1, 3)
    assert len(np.unique(middle, axis=0)) == 1


def test_what_cannot_be_taken_is_refused_by_name_and_the_rest_goes_on(
    suite: Suite, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    picture(mine / "early-spring.png", 1)
    picture(mine / "plum.png", 1, (640, 640))
    picture(mine / "not-listed.png", 3)
    (mine / "pine-trees.jpg").write_bytes(b"no picture")
    added = add(suite, tmp_path)
    assert [row["id"] for row in added.rows] == ["early-spring"]
    told = "\n".join(added.refused)
    assert "not-listed.png: no work is called 'not-listed'" in told
    assert "pine-trees.jpg: does not decode" in told
    assert "plum.png: shows the same picture as early-spring.png" in told


def test_a_tiny_picture_is_refused(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "plum.png", 1, (400, 900))
    assert "400×900 is too small" in add(suite, tmp_path).refused[0]


def test_wrong_tables_folders_and_lists_are_said(suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no folder of pictures"):
        add(suite, tmp_path)
    (tmp_path / "out2").mkdir()
    table = tmp_path / "table.csv"
    table.write_text("file,id,crop\na.png,plum,0.5 0 0.2 1\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"line 2: .* outside 0 to 1"):
        add_references(suite, tmp_path, tmp_path / "out3", size=(64, 64), table=table)
    with pytest.raises(RequestError, match="exists already"):
        add_references(suite, tmp_path, tmp_path / "out2", size=(64, 64))
    path = suite.folder / "references.yaml"
    write_yaml(path, {"references": [work("plum"), work("plum")]})
    with pytest.raises(FileFormatError, match="'plum' is there twice"):
        load_references(suite)
    write_yaml(path, {"references": [work("plum", "martian")]})
    with pytest.raises(FileFormatError, match="unknown tradition 'martian'"):
        load_references(suite)


def test_rows_are_what_a_study_reads(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "plum.png", 1)
    add(suite, tmp_path)
    row = json.loads((tmp_path / "out" / "metadata.jsonl").read_text(encoding="utf-8"))
    wanted = [
        "file_name",
        "id",
        "tradition",
        "genre",
        "medium",
        "period",
        "stratum",
        "sha256",
        "caption",
        "synthetic",
    ]
    assert list(row)[:10] == wanted


def test_one_work_takes_one_file(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "plum.jpg", 1)
    picture(tmp_path / "mine" / "plum.png", 2)
    added = add(suite, tmp_path)
    assert len(added.rows) == 1
    assert added.refused == ("plum.png: 'plum' has a file already, plum.jpg",)


def test_sixteen_bit_scans_keep_their_levels_and_profiles_do_not_stay(
    suite: Suite, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    levels = np.tile(np.linspace(0, 65535, 800).astype(np.uint16), (600, 1))
    Image.fromarray(levels).save(tmp_path / "mine" / "plum.tif")
    path = picture(tmp_path / "mine" / "pine-trees.png", 2)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(path) as image:
        image.convert("L").save(tmp_path / "mine" / "early-spring.png", icc_profile=profile)
        image.save(path, icc_profile=profile)
    added = add(suite, tmp_path)
    assert "early-spring.png: does not decode: its colour profile does not fit" in added.refused[0]
    with Image.open(tmp_path / "out" / "plum.png") as image:
        assert 100 < np.asarray(image).mean() < 155
    with Image.open(tmp_path / "out" / "pine-trees.png") as image:
        assert "icc_profile" not in image.info


def test_a_crop_that_holds_too_few_pixels_is_refused(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "scan.png", 1)
    table = tmp_path / "table.csv"
    table.write_text("file,id,crop\nscan.png,plum,0.4 0.4 0.42 0.42\n", encoding="utf-8")
    assert "20×16 is too small" in add(suite, tmp_path, table).refused[0]

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from bench.cli import main
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
    listed = {"references": [*works, work("plum", stratum="ink")], "clips": [work("tadpoles")]}
    write_yaml(folder / "references.yaml", listed)
    return load_suite(str(folder))


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (1000, 800)) -> Path:
    path.parent.mkdir(exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.NEAREST)
    exif = Image.Exif()
    exif[0x010E] = "taken by someone"
    image.save(path, exif=exif)
    return path


def table_of(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding=encoding)
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


def with_foils(suite: Suite, *foils: str, **more: str) -> Path:
    path = suite.folder / "references.yaml"
    foil = {"tradition": "korean", "diagnosticity": "foil", "stratum": "ink", **more}
    works = [work("plum"), work("peaks", **foil)]
    write_yaml(path, {"foils": list(foils), "references": works})
    return path


def test_a_foil_goes_into_the_folder_and_says_what_it_is(suite: Suite, tmp_path: Path) -> None:
    with_foils(suite, "korean")
    picture(tmp_path / "mine" / "peaks.png", 1)
    added = add(suite, tmp_path)
    (row,) = read_rows(tmp_path / "out" / "metadata.jsonl")
    assert (row["tradition"], row["diagnosticity"], row["work"]) == ("korean", "foil", "peaks")
    assert added.missing == {("chinese", ""): 1}


@pytest.mark.parametrize(
    ("foils", "more", "says"),
    [
        ([], {}, "peaks: unknown tradition 'korean'; .* declare others as `foils`"),
        (["korean"], {"tradition": "koraen"}, "peaks: unknown tradition 'koraen'"),
        (["korean"], {"diagnosticity": "distinct"}, "'korean' is a foil, and its diag.* distinct"),
        (
            ["korean"],
            {"diagnosticity": ""},
            "'korean' is a foil, and its diagnosticity is not given",
        ),
        (["korean"], {"tradition": "chinese"}, "'chinese' is one of the suite's traditions, and"),
        (["korean", "japanese"], {}, "foils: 'japanese' is one of the suite's traditions"),
        (["korean", "korean"], {}, "foils: 'korean' is there twice"),
        (["korean", "none"], {}, "foils: 'none' is no name for a tradition"),
        (["korean", "Korean art"], {}, "foils: 'Korean art' is no name for a tradition"),
    ],
)
def test_a_foil_that_does_not_fit_is_refused_by_name(
    suite: Suite, foils: list[str], more: dict[str, str], says: str
) -> None:
    path = with_foils(suite, *foils, **more)
    with pytest.raises(FileFormatError, match=says) as caught:
        load_references(suite)
    assert str(path) in str(caught.value)


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


def test_what_lies_in_the_folder_and_is_not_read_is_said(suite: Suite, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for seed, name in enumerate(["a.png", "b.png", "c.png"]):
        picture(mine / name, seed)
    picture(mine / "more" / "d.png", 4)
    picture(mine / "read" / "e.png", 5)
    (mine / ".hidden").write_text("")
    table = table_of(mine, "file,id\na.png,plum\nread/e.png,pine-trees\n")
    added = add(suite, tmp_path, table)
    assert len(added.rows) == 2
    assert added.notes == (
        "not in the table: 2 files (b.png, c.png)",
        "more/: folders are not read",
    )


def test_a_table_that_was_not_named_is_said(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "plum.png", 1)
    table_of(tmp_path / "mine", "file,id\n")
    assert add(suite, tmp_path).notes == ("table.csv: a table is read with --table",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,id,crops\na.png,plum,\n", "unknown column 'crops': file, id, crop, mask"),
        ("file;id\na.png;plum\n", "is separated by ';': save it with commas"),
        ("file\tid\na.png\tplum\n", "is separated by tabs: save it with commas"),
        ("file,id,id\na.png,plum,plum\n", "the column 'id' is there twice"),
        ("file,id\n,plum\n", "line 2: file and id are wanted"),
        ("file,id\na.png,plum,0 0 1 1\n", "line 2: '0 0 1 1' stands under no column"),
        ("file,id,crop\na.png,plum,0 0 1\n", "line 2: '0 0 1' is not"),
        ("file,crop\n", "the columns file and id are wanted"),
        ("", "the columns file and id are wanted"),
        ("file,id\n\n,\n", "has no rows"),
    ],
)
def test_a_table_that_would_be_misread_is_refused(
    suite: Suite, tmp_path: Path, text: str, says: str
) -> None:
    picture(tmp_path / "mine" / "a.png", 1)
    with pytest.raises(RequestError) as caught:
        add(suite, tmp_path, table_of(tmp_path, text))
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_table_as_excel_writes_it_is_read(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "a.png", 1)
    table = table_of(tmp_path, "file, id ,,\r\n a.png , plum,,\r\n,,,\r\n", "utf-8-sig")
    assert [row["id"] for row in add(suite, tmp_path, table).rows] == ["plum"]
    with pytest.raises(FileFormatError, match="not UTF-8: in Excel, save it as 'CSV UTF-8'"):
        add_references(
            suite,
            tmp_path / "mine",
            tmp_path / "more",
            size=(64, 64),
            table=table_of(tmp_path, "file,id\n秋山图.png,plum\n", "gbk"),
        )


def test_an_empty_folder_is_a_wrong_request(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RequestError, match="holds no files"):
        add(suite, tmp_path)


def test_what_a_file_cannot_be_tied_to_is_said(suite: Suite, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    picture(mine / "early-sprang.png", 1)
    picture(mine / "tadpoles.png", 2)
    added = add(suite, tmp_path)
    assert added.rows == ()
    assert added.refused == (
        "early-sprang.png: no work is called 'early-sprang': did you mean 'early-spring'?",
        "tadpoles.png: 'tadpoles' is a clip, and only pictures can be tied",
    )
    assert not (tmp_path / "out").exists()
    absent = table_of(tmp_path, "file,id\nnowhere.png,plum\n")
    assert add(suite, tmp_path, absent).refused == (f"nowhere.png: is not in {mine}",)


def test_an_enlargement_is_recorded_and_said(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "plum.png", 1, (600, 512))
    added = add_references(suite, tmp_path / "mine", tmp_path / "out", size=(1024, 1024))
    assert added.rows[0]["derivative"] == "cut from the middle, to 1024×1024, enlarged 2.00×"
    assert added.notes == ("plum.png: is enlarged 2.00×: a larger file or a wider crop is better",)


@pytest.mark.parametrize(
    ("crop", "mask", "says"),
    [
        ("0 0 0.6 1", "0.7 0 1 1", "the mask lies outside what is cut"),
        # the square in the middle of 1000×800 begins at 0.1
        ("", "0 0 0.1 1", "the mask lies outside what is cut"),
        ("0.1 0.1 0.9 0.9", "0 0 1 1", "the mask covers all of what is cut"),
    ],
)
def test_a_mask_that_misses_or_hides_the_picture_is_refused(
    suite: Suite, tmp_path: Path, crop: str, mask: str, says: str
) -> None:
    picture(tmp_path / "mine" / "a.png", 1)
    table = table_of(tmp_path, f"file,id,crop,mask\na.png,plum,{crop},{mask}\n")
    assert add(suite, tmp_path, table).refused == (f"a.png: {says}",)


def test_a_mask_over_most_of_the_picture_is_said_and_takes_the_colour_round_it(
    suite: Suite, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    pixels = np.full((1000, 1000, 3), 200, np.uint8)
    pixels[:800, :800] = 10
    Image.fromarray(pixels).save(mine / "a.png")
    added = add(suite, tmp_path, table_of(tmp_path, "file,id,mask\na.png,plum,0 0 0.8 0.8\n"))
    assert added.notes == ("a.png: the mask covers 64% of what is cut",)
    with Image.open(tmp_path / "out" / "plum--masked.png") as image:
        assert np.unique(np.asarray(image)).tolist() == [200]


def test_the_works_without_a_file_are_listed(suite: Suite, tmp_path: Path) -> None:
    picture(tmp_path / "mine" / "plum.png", 1)
    add(suite, tmp_path)
    with (tmp_path / "out" / "missing.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["early-spring", "pine-trees"]
    assert rows[0]["title_zh"] == "画"


def test_the_command_tells_notes_refusals_and_what_is_missing(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "mine" / "plum.png", 1, (1024, 1024))
    arguments = ["references", "add", str(tmp_path / "mine"), "--suite", str(suite.folder)]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "without a file: chinese, ink: 1 work of the list\n" in said.out
    assert f"{tmp_path / 'out' / 'missing.csv'}: the works without a file" in said.out
    assert said.out.endswith("1 picture, 0 files refused\n")
    picture(tmp_path / "mine" / "plam.png", 2)
    assert main([*arguments, "--out", str(tmp_path / "more"), "--size", "2048x2048"]) == 1
    said = capsys.readouterr()
    assert "note: plum.png: is enlarged 2.00×" in said.err
    assert "refused: plam.png: no work is called 'plam': did you mean 'plum'?" in said.err

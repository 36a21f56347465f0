from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.cli import main
from bench.errors import ConflictError, RequestError
from bench.suite_export import FORMS, export_notes, export_suite
from bench.suite_versions import references_hash
from bench.suites import load_suite
from tests.conftest import suite_content, write_yaml


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_every_text(form: str, tmp_path: Path) -> None:
    suite = load_suite("first-look-video" if form == "vbench" else "first-look")
    files = export_suite(suite, form, tmp_path)
    written = "".join(path.read_text(encoding="utf-8") for path in files)
    for prompt in suite.prompts.values():
        assert prompt.text["en"] in written
        assert prompt.text["zh"] in written


def test_the_dataset_loads_and_reads_back_as_the_same_suite(tmp_path: Path) -> None:
    suite = load_suite("first-look")
    export_suite(suite, "dataset", tmp_path)
    assert load_suite(str(tmp_path)).hash == suite.hash
    script = (
        "import sys, datasets; d = datasets.load_dataset(sys.argv[1], split='train');"
        "print(len(d), d[0]['prompt'])"
    )
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["128", "boat-on-autumn-river/chinese"]


def test_other_benchmarks_layouts(tmp_path: Path) -> None:
    suite = load_suite("first-look")
    export_suite(suite, "oneig", tmp_path)
    with (tmp_path / "first-look-ZH.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert list(row) == ["category", "id", "prompt_cn"]
    clips = load_suite("first-look-video")
    export_suite(clips, "vbench", tmp_path)
    listed = json.loads((tmp_path / "first-look-video_full_info.json").read_text(encoding="utf-8"))
    assert {"prompt_en", "dimension"} <= listed[0].keys()
    lines = (tmp_path / "first-look-video.zh.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(clips.prompts)


def test_the_table_is_marked_for_excel_and_read_by_others(tmp_path: Path) -> None:
    suite = load_suite("first-look")
    (path,) = export_suite(suite, "csv", tmp_path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    table = pd.read_csv(path)
    assert (table.columns[0], len(table)) == ("prompt", 128)


def test_the_dataset_takes_along_what_the_suite_is_checked_against(tmp_path: Path) -> None:
    suite = load_suite("chinese-aesthetics")
    export_suite(suite, "dataset", tmp_path)
    for name in ("references.yaml", "versions.yaml"):
        assert (tmp_path / name).read_bytes() == (suite.folder / name).read_bytes()
    lexicon = suite.folder.parent / "lexicon.yaml"
    assert (tmp_path / "lexicon.yaml").read_bytes() == lexicon.read_bytes()
    assert references_hash(load_suite(str(tmp_path))) == references_hash(suite)


def test_vbench_takes_clips_and_is_told_of_names_that_are_too_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RequestError, match="first-look asks for images"):
        export_suite(load_suite("first-look"), "vbench", tmp_path)
    content = suite_content() | {"modality": "video"}
    # 256 bytes as `PROMPT-0.mp4` in the one, 255 in the others
    texts = [{"en": "a" * 250, "zh": "画" * 80}, {"en": "a" * 249, "zh": "画" * 83}]
    content["scenes"] = [
        scene | {"prompts": {"none": text}}
        for scene, text in zip(content["scenes"], texts, strict=True)
    ]
    path = write_yaml(tmp_path / "clips.yaml", content)
    suite = load_suite(str(path))
    (note,) = export_notes(suite, "vbench")
    assert "1 of 2 prompts in 'en' are too long" in note
    assert export_notes(suite, "csv") == []
    arguments = ["suites", "export", str(path), "--form", "vbench", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert capsys.readouterr().err == f"note: {note}\n"


def test_a_file_is_no_folder_to_export_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    assert main(["suites", "export", "first-look", "--out", str(path)]) == 2
    assert "is a file: give a folder" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_an_unknown_form_and_a_suites_own_folder_are_refused(tmp_path: Path) -> None:
    suite = load_suite("first-look")
    with pytest.raises(RequestError, match="no form 'xml'"):
        export_suite(suite, "xml", tmp_path)
    with pytest.raises(ConflictError, match="holds a suite"):
        export_suite(suite, "csv", suite.folder)


def test_several_suites_go_into_folders_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["suites", "export", "first-look", "mirror-ukiyo-e", "--out", out]) == 0
    for name in ("first-look", "mirror-ukiyo-e"):
        assert load_suite(f"{out}/{name}").hash == load_suite(name).hash
    assert "first-look" in capsys.readouterr().out

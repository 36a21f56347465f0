from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.errors import ConflictError, RequestError
from bench.suite_export import FORMS, export_suite
from bench.suites import load_suite


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_every_text(form: str, tmp_path: Path) -> None:
    suite = load_suite("first-look")
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
    export_suite(suite, "vbench", tmp_path)
    listed = json.loads((tmp_path / "first-look_full_info.json").read_text(encoding="utf-8"))
    assert {"prompt_en", "dimension"} <= listed[0].keys()
    assert len((tmp_path / "first-look.zh.txt").read_text(encoding="utf-8").splitlines()) == 64


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

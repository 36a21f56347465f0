from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.models import folder_revision, list_models, load_model, load_models
from tests.conftest import write_yaml


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "a-model"))


def test_a_folder_is_named_by_its_base_name_and_pinned_by_its_content(copy: Path) -> None:
    spec = load_model(str(copy))
    assert spec.id == "a-model"
    assert spec.revision == folder_revision(copy)
    elsewhere = copy.parent / "elsewhere" / "a-model"
    shutil.copytree(copy, elsewhere)
    (elsewhere / "README.md").write_text("a card decides no pixels", encoding="utf-8")
    assert load_model(str(elsewhere)).revision == spec.revision
    config = elsewhere / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert load_model(str(elsewhere)).revision != spec.revision


def test_a_yaml_finds_its_folder_and_holds_it_to_the_pinned_content(copy: Path) -> None:
    content = {"model": "pinned", "source": "a-model", "arguments": {"num_inference_steps": 2}}
    spec = load_model(str(write_yaml(copy.parent / "pinned.yaml", content)))
    assert (spec.id, spec.arguments) == ("pinned", {"num_inference_steps": 2})
    wrong = write_yaml(copy.parent / "wrong.yaml", {**content, "revision": "0" * 64})
    with pytest.raises(ConflictError, match="pins"):
        load_model(str(wrong))


def test_a_folder_without_model_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no model_index\.json"):
        load_model(str(tmp_path))


def test_a_model_that_needs_code_of_its_own_is_refused_with_the_reason(copy: Path) -> None:
    index = copy / "model_index.json"
    content = json.loads(index.read_text(encoding="utf-8"))
    index.write_text(
        json.dumps(content | {"_class_name": ["own_pipeline", "Own"]}), encoding="utf-8"
    )
    with pytest.raises(RequestError, match=r"own_pipeline\.py.*runs no code from checkpoints"):
        load_model(str(copy))
    index.write_text(json.dumps(content | {"unet": ["my_unet", "MyUNet"]}), encoding="utf-8")
    (copy / "unet" / "my_unet.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(RequestError, match=r"its unet is my_unet\.py"):
        load_model(str(copy))
    index.write_text(json.dumps(content), encoding="utf-8")
    config = copy / "text_encoder" / "config.json"
    config.write_text('{"auto_map": {}}', encoding="utf-8")
    with pytest.raises(RequestError, match="auto_map"):
        load_model(str(copy))


def test_two_models_of_one_name_are_an_error(copy: Path) -> None:
    other = copy.parent / "other" / "a-model"
    shutil.copytree(copy, other)
    with pytest.raises(ConflictError, match="two models are called 'a-model'"):
        load_models([str(copy), str(other)])


def test_unknown_names_and_keys(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no model named 'nothing'"):
        load_model("nothing")
    path = write_yaml(tmp_path / "odd.yaml", {"model": "odd", "source": "a/b", "stepps": 3})
    with pytest.raises(FileFormatError, match="stepps: unknown key"):
        load_model(str(path))
    path = write_yaml(tmp_path / "lost.yaml", {"model": "lost", "source": "./not-there"})
    with pytest.raises(RequestError, match="no folder and no hub id"):
        load_model(str(path))


def test_a_hub_that_does_not_answer_is_said() -> None:
    with pytest.raises(RequestError, match="the hub did not answer for 'owner/model'"):
        load_model("owner/model")


@pytest.mark.parametrize("name", list_models())
def test_every_shipped_spec_is_good(name: str) -> None:
    spec = load_model(name)
    assert spec.id == name
    assert spec.licence
    assert spec.languages

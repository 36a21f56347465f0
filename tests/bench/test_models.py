from __future__ import annotations

import ast
import inspect
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import diffusers
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from bench import clips, pipelines
from bench.checkpoints import folder_revision
from bench.errors import ConflictError, FileFormatError, NotHereError, RequestError, WorkError
from bench.families import IN_FP32
from bench.kinds import check_call
from bench.models import (
    add_model,
    as_written,
    describe,
    list_models,
    load_model,
    load_models,
    read_model_file,
)
from bench.plan import call_arguments
from bench.understanding.decoding import settled_arguments
from tests import tiny, tiny_video
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
    with pytest.raises(NotHereError, match="pins"):
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


def test_what_another_host_may_have_is_told_from_what_is_wrong_everywhere(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    named = write_yaml(tmp_path / "named.yaml", {"model": "named", "source": gone})
    for name in (gone, str(named), str(tmp_path / "gone.yaml")):
        with pytest.raises(NotHereError):
            load_model(name)
    for name in ("sdlx-base", "./gone", "a/b/c"):
        with pytest.raises(RequestError) as caught:
            load_model(name)
        assert not isinstance(caught.value, NotHereError)


def test_a_folder_that_is_another_here_may_be_whole_elsewhere(copy: Path) -> None:
    revision = folder_revision(copy)
    content = {"model": "m", "source": "a-model", "revision": revision}
    pinned = str(write_yaml(copy.parent / "m.yaml", content))
    assert load_model(pinned).revision == revision
    (copy / "unet" / "further.json").write_text("{}")
    with pytest.raises(NotHereError, match=f"not the {revision[:12]} that its spec pins"):
        load_model(pinned)
    (copy / "model_index.json").unlink()
    for name in (pinned, str(copy)):
        with pytest.raises(NotHereError, match=r"has no model_index\.json: it is not a diffusers"):
            load_model(name)


def test_a_hub_that_does_not_answer_is_said() -> None:
    with pytest.raises(NotHereError, match="the hub did not answer for 'owner/model'"):
        load_model("owner/model")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that answers of `owner/gated` that it is gated, and of all others that there is none."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            gated = "/owner/gated" in self.path
            self.send_response(403 if gated else 404)
            self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield
        server.shutdown()


@pytest.mark.usefixtures("hub")
def test_what_the_hub_does_not_have_is_no_hosts_fault() -> None:
    with pytest.raises(RequestError, match="the hub has no model 'owner/mistypd'") as caught:
        load_model("owner/mistypd")
    assert not isinstance(caught.value, NotHereError)  # no other host is asked
    with pytest.raises(NotHereError, match="the hub gives 'owner/gated' only to"):
        load_model("owner/gated")


def test_pickled_weights_are_refused_unless_asked_for(copy: Path) -> None:
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(
        RequestError, match=r"pickled weights only \(unet/diffusion_pytorch_model\.bin\)"
    ):
        load_model(str(copy))
    content = {"model": "old", "source": "a-model", "pickled_weights": True}
    spec = load_model(str(write_yaml(copy.parent / "old.yaml", content)))
    assert spec.pickled_weights


def test_pickled_weights_load_where_they_are_asked_for(copy: Path) -> None:
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    content = {"model": "old", "source": "a-model", "pickled_weights": True}
    spec = load_model(str(write_yaml(copy.parent / "old.yaml", content)))
    assert pipelines.load(spec, {"default": "float32"}).unet is not None
    with pytest.raises(WorkError, match="old does not load"):
        pipelines.load(replace(spec, pickled_weights=False), {"default": "float32"})


def test_a_spec_that_names_another_class_than_its_checkpoint_is_refused(copy: Path) -> None:
    content = {"model": "m", "source": "a-model", "pipeline": "FluxPipeline"}
    with pytest.raises(ConflictError, match="is of class StableDiffusionPipeline, its spec says"):
        load_model(str(write_yaml(copy.parent / "m.yaml", content)))


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache as it lies after a download of two models."""
    for name in ("owner--model", "Qwen--Qwen-Image"):
        cache = tmp_path / "hub" / f"models--{name}"
        (cache / "snapshots" / COMMIT).mkdir(parents=True)
        (cache / "snapshots" / COMMIT / "model_index.json").write_text("{}", encoding="utf-8")
        (cache / "refs").mkdir()
        (cache / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.mark.usefixtures("downloaded")
def test_without_the_hub_what_was_downloaded_before_is_pinned() -> None:
    assert load_model("owner/model").revision == COMMIT


def test_a_shipped_spec_is_pinned_with_all_that_it_says(downloaded: Path) -> None:
    path = add_model("qwen-image", downloaded / "mine")
    pinned, shipped = read_model_file(str(path)), read_model_file("qwen-image")
    assert pinned
    assert shipped
    assert pinned.revision == COMMIT
    assert "revision" not in pinned.unchecked
    assert pinned.arguments == shipped.arguments
    assert load_model(str(path)).revision == COMMIT
    with pytest.raises(ConflictError, match="there already"):
        add_model("qwen-image", downloaded / "mine")
    with pytest.raises(RequestError, match="only hub models are added"):
        add_model("atelier-west", downloaded / "mine")


def test_a_shipped_spec_is_described_without_the_hub() -> None:
    first, *more = describe("qwen-image")
    assert "revision not pinned" in first
    assert "unchecked: revision" in first
    assert "  true_cfg_scale: 4.0" in more
    with pytest.raises(RequestError, match="the hub did not answer for 'Qwen/Qwen-Image'"):
        load_model("qwen-image")
    assert load_model("qwen-image", {"Qwen/Qwen-Image": "abc"}).revision == "abc"


def test_an_argument_that_the_class_does_not_take_is_found_without_the_hub(tmp_path: Path) -> None:
    content = {"model": "m", "source": "a/b", "pipeline": "FluxPipeline", "width": 64}
    path = write_yaml(tmp_path / "m.yaml", content | {"arguments": {"cfg_scale": 3}})
    for argument in ("prompt_2", "prompt_embeds", "pooled_prompt_embeds", "latents"):
        with pytest.raises(RequestError, match=f"'{argument}' belongs to the plan"):
            check_call("m", "FluxPipeline", {argument: "foo"})
    fine = {"guidance_scale": 4, "negative_prompt_2": "foo", "sigmas": [1.0, 0.5]}
    check_call("m", "FluxPipeline", fine)
    with pytest.raises(RequestError, match="takes true or false for use_resolution_binning"):
        check_call("m", "SanaPipeline", {"use_resolution_binning": "no"})
    with pytest.raises(RequestError, match="m: FluxPipeline takes no argument 'cfg_scale'"):
        pipelines.check_spec(str(path))
    path = write_yaml(tmp_path / "m.yaml", content | {"modality": "video"})
    with pytest.raises(RequestError, match="FluxPipeline makes images, the spec says video"):
        pipelines.check_spec(str(path))
    path = write_yaml(tmp_path / "m.yaml", content | {"pipeline": "NoPipeline"})
    with pytest.raises(RequestError, match="needs NoPipeline, which diffusers"):
        pipelines.check_spec(str(path))


SIDES = {
    # of what a side must be a multiple: the autoencoder's factor times the patch of the denoiser
    "CogVideoXPipeline": 16,
    "CogView4Pipeline": 16,
    "Flux2KleinPipeline": 16,
    "Flux2Pipeline": 16,
    "FluxPipeline": 16,
    "GlmImagePipeline": 32,
    "HunyuanDiTPipeline": 16,
    "HunyuanImagePipeline": 64,
    "HunyuanVideo15Pipeline": 16,
    "KolorsPipeline": 8,
    "LTXPipeline": 32,
    "Lumina2Pipeline": 16,
    "MochiPipeline": 16,
    "PixArtSigmaPipeline": 16,
    "QwenImagePipeline": 16,
    "SanaPipeline": 32,
    "StableDiffusion3Pipeline": 16,
    "StableDiffusionPipeline": 8,
    "StableDiffusionXLPipeline": 8,
    "WanPipeline": 32,
    "ZImagePipeline": 16,
}
FRAMES = {
    "CogVideoXPipeline": 8,
    "HunyuanVideo15Pipeline": 4,
    "LTXPipeline": 8,
    "MochiPipeline": 6,
    "WanPipeline": 4,
}


def call_of(pipeline: str) -> set[str]:
    """The names that a class's call takes; of a stand-in (a package is missing) from its source."""
    found = getattr(diffusers, pipeline)
    if not hasattr(found, "_backends"):
        return set(inspect.signature(found.__call__).parameters)
    family = pipeline.removesuffix("Pipeline").lower()
    source = Path(diffusers.__file__).parent / "pipelines" / family / f"pipeline_{family}.py"
    calls = [
        part
        for whole in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(whole, ast.ClassDef) and whole.name == pipeline
        for part in whole.body
        if isinstance(part, ast.FunctionDef) and part.name == "__call__"
    ]
    return {argument.arg for argument in calls[0].args.args}


@pytest.mark.parametrize("name", list_models())
def test_every_shipped_spec_is_good(name: str) -> None:
    file = read_model_file(name)
    assert file is not None
    assert file.model == name
    assert file.licence
    assert file.languages
    assert file.origin
    assert "negative_prompt" not in file.arguments or not file.arguments["negative_prompt"].strip()
    spec = as_written(name)
    if spec is None:
        assert load_model(name).id == name
        return
    assert file.revision or "revision" in file.unchecked
    if file.modality == "understanding":
        pipelines.check_spec(name)
        assert settled_arguments(spec, {})["temperature"] >= 0
        return
    assert file.width
    assert file.height
    assert file.width % SIDES[file.pipeline] == file.height % SIDES[file.pipeline] == 0
    takes = call_of(file.pipeline)
    assert set(call_arguments(spec)) <= takes
    assert ("num_frames" in takes) == (file.modality == "video")
    assert file.arguments["num_inference_steps"] > 0
    if file.modality == "video":
        assert file.frames
        assert file.frames % FRAMES[file.pipeline] == 1
        assert clips.check_size(file.width, file.height) == ""
        assert file.fps == file.arguments.get("frame_rate", file.fps)
    elif not hasattr(getattr(diffusers, file.pipeline), "_backends"):
        pipelines.check_spec(name)


def test_parts_that_a_family_needs_in_fp32_are_so_without_a_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wan = load_model(str(tiny_video.save("wan", tmp_path / "wan")))
    flux = load_model(str(tiny.save("flux", tmp_path / "flux")))
    assert pipelines.settle_dtype(wan) == {"default": "float32"}  # on a CPU all is
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert pipelines.settle_dtype(wan) == {"default": "bfloat16", "vae": "float32"}
    assert pipelines.settle_dtype(flux) == {"default": "bfloat16"}
    # what a spec states is left as it is
    stated = replace(wan, dtype={"default": "float16"})
    assert pipelines.settle_dtype(stated) == {"default": "float16"}


def test_families_that_need_parts_in_fp32_agree_with_the_shipped_specs() -> None:
    for name in list_models():
        file = read_model_file(name)
        if file and file.pipeline in IN_FP32:
            parts = {part for part, dtype in file.dtype.items() if dtype == "float32"}
            assert parts == set(IN_FP32[file.pipeline]), name
    assert {"SanaPipeline", "WanPipeline"} <= IN_FP32.keys()
    for name, parts in IN_FP32.items():
        assert set(parts) <= inspect.signature(getattr(diffusers, name).__init__).parameters.keys()


def test_there_is_a_spec_for_the_open_models_that_matter() -> None:
    files = [read_model_file(name) for name in list_models()]
    open_models = [file for file in files if file and file.origin != "Pinlu"]
    assert sum(file.modality == "image" for file in open_models) >= 18
    assert sum(file.modality == "video" for file in open_models) >= 9
    assert sum("China" in file.origin for file in open_models) >= 14
    assert sum(file.modality == "understanding" for file in open_models) >= 8


def test_a_reader_that_transformers_does_not_have_is_told(tmp_path: Path) -> None:
    content = {"model": "m", "source": "o/m", "pipeline": "NoSuch", "modality": "understanding"}
    with pytest.raises(RequestError, match="needs NoSuch, which transformers"):
        pipelines.check_spec(str(write_yaml(tmp_path / "m.yaml", content)))

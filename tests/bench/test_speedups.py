"""Step caches and FP8 weights: on request only, in the key, said everywhere, the same again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import cli, manifest, pipelines
from bench.errors import ConflictError, RequestError
from bench.fast import FastPath
from bench.generate import generate
from bench.records import ModelSpec
from bench.request import Request
from bench.speedups import CACHES, check_speedups, described
from tests import tiny_families, tiny_video
from tests.conftest import suite_content, write_yaml

IMAGES, CLIPS = tiny_families.FAMILIES, tiny_video.FAMILIES
TEXTS = ["月下孤松", "月下孤松", "a lone boat on the river"]
STEPS = {"num_inference_steps": 6}
ASKED: dict[str, dict[str, Any]] = {
    "first_block": {"threshold": 0.5},
    "taylorseer": {"cache_interval": 3, "disable_cache_before_step": 1},
    "pyramid_attention": {
        "spatial_attention_block_skip_range": 3,
        "spatial_attention_timestep_skip_range": [-1, 1001],
    },
    "mag": {"threshold": 1.0, "mag_ratios": [1.0] * 6, "retention_ratio": 0.1},
}
CLASSES = {
    "CogVideoXPipeline": "cogvideox",
    "CogView4Pipeline": "cogview-4",
    "Flux2KleinPipeline": "flux-2-klein",
    "FluxPipeline": "flux",
    "HunyuanVideoPipeline": "hunyuan-video",
    "LTXPipeline": "ltx",
    "QwenImagePipeline": "qwen-image",
    "WanPipeline": "wan",
}


def made(family: str, folder: Path, speedups: dict[str, Any], *batches: list[int]) -> Any:
    """Make samples (indices into TEXTS, which are their seeds too) batch by batch."""
    if not folder.exists():
        (tiny_families if family in IMAGES else tiny_video).save(family, folder)
    arguments = (IMAGES | CLIPS)[family][1] | STEPS
    spec = ModelSpec("m", str(folder), "r", arguments=arguments, speedups=speedups)
    fast = FastPath(pipelines.load(spec, {"default": "float32"}))
    for text in dict.fromkeys(TEXTS):
        fast.encode(text, arguments)
    found = {}
    for batch in batches:
        latents = fast.denoise([TEXTS[one] for one in batch], batch, arguments)
        for one, latent in zip(batch, latents, strict=True):
            # the pixels of random weights hardly move: compare what goes to the decoder
            found[one] = next(
                value.float().numpy()
                for value in (*latent.arguments, *latent.options.values())
                if hasattr(value, "float")
            )
    return found


@pytest.mark.parametrize(
    ("cache", "name"),
    [(cache, name) for cache, known in CACHES.items() for name in sorted(known.families)],
)
def test_a_cache_changes_latents_and_gives_the_same_again_whatever_came_before(
    cache: str, name: str, tmp_path: Path
) -> None:
    family, folder = CLASSES[name], tmp_path / "model"
    speedups = {"cache": cache, **ASKED[cache]}
    plain = made(family, folder, {}, [0, 1])
    cached = made(family, folder, speedups, [0, 1])
    assert np.abs(cached[0] - plain[0]).max() > 1e-5
    # a batch before it leaves nothing behind, as a resumed run needs
    later = made(family, folder, speedups, [2], [0, 1])
    assert (later[0] == cached[0]).all()
    # nor do neighbours decide
    alone = made(family, folder, speedups, [0])
    assert np.abs(alone[0] - cached[0]).max() < 1e-4


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:In CPU autocast:UserWarning")
@pytest.mark.parametrize("family", [*IMAGES, *CLIPS])
def test_weights_kept_in_fp8_change_every_family_and_give_the_same_again(
    family: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    plain = made(family, folder, {}, [0])
    lighter = made(family, folder, {"weights": "fp8"}, [0])
    assert np.isfinite(lighter[0]).all()
    assert np.abs(lighter[0] - plain[0]).max() > 1e-6
    assert (made(family, folder, {"weights": "fp8"}, [2], [0])[0] == lighter[0]).all()


@pytest.mark.parametrize(
    ("pipeline", "speedups", "says"),
    [
        ("PixArtSigmaPipeline", {"cache": "first_block"}, "does not take the step cache"),
        ("StableDiffusionXLPipeline", {"cache": "mag"}, "does not take the step cache mag"),
        ("FluxPipeline", {"cache": "tea"}, "no step cache 'tea'; there are first_block"),
        ("FluxPipeline", {"threshold": 0.1}, "name it, as in cache=first_block"),
        ("FluxPipeline", {"cache": "first_block", "thresh": 1}, "has no 'thresh'"),
        ("FluxPipeline", {"cache": "first_block", "threshold": 0}, "a number above 0, not 0"),
        ("FluxPipeline", {"cache": "first_block", "threshold": True}, "above 0, not True"),
        ("FluxPipeline", {"cache": "taylorseer", "cache_interval": 2.5}, "a whole number"),
        ("FluxPipeline", {"cache": "mag"}, "wants mag_ratios"),
        ("FluxPipeline", {"cache": "mag", "mag_ratios": 1.0}, "a list of numbers, not 1.0"),
        ("FluxPipeline", {"weights": "int3"}, "weights 'int3' is no speed-up: fp8 is"),
        ("FluxPipeline", {"cache": ["first_block"]}, "no step cache ['first_block']"),
        ("FluxPipeline", {"cache": None}, "no step cache None"),
        ("FluxPipeline", {"weights": None}, "weights None is no speed-up"),
        ("FluxPipeline", {"cache": "mag", "mag_ratios": [1.0, 1.0]}, "counts steps"),
    ],
)
def test_what_a_model_cannot_do_is_refused_in_a_sentence(
    pipeline: str, speedups: dict[str, Any], says: str
) -> None:
    with pytest.raises(RequestError, match="model m: ") as caught:
        check_speedups("m", pipeline, speedups, {})
    assert says in str(caught.value)


def test_two_passes_a_step_are_no_work_for_pyramid_attention() -> None:
    asked = {"cache": "pyramid_attention", "spatial_attention_block_skip_range": 2}
    check_speedups("m", "FluxPipeline", asked, {"true_cfg_scale": 1.0})
    with pytest.raises(RequestError, match="one pass a step"):
        check_speedups("m", "FluxPipeline", asked, {"true_cfg_scale": 4.0})


def asked(suite: Path, model: Path, **more: Any) -> Request:
    arguments = IMAGES["flux"][1] | STEPS
    return Request(
        str(suite), (str(model),), ("zh",), (0, 1), arguments=arguments, batch_size=2, **more
    )


def test_a_speedup_is_in_the_key_the_run_the_rows_and_the_speed(tmp_path: Path) -> None:
    suite = write_yaml(tmp_path / "suite.yaml", suite_content(1))
    model = tiny_families.save("flux", tmp_path / "tiny-flux")
    asked_for = {"cache": "first_block", "threshold": 0.5, "weights": "fp8"}
    generate(asked(suite, model), tmp_path / "plain")
    done = generate(asked(suite, model, speedups=asked_for), tmp_path / "fast")
    assert (done.made, done.failed) == (4, 0)
    plain, fast = (manifest.read_outputs(tmp_path / name) for name in ("plain", "fast"))
    assert {row["key"] for row in plain}.isdisjoint(row["key"] for row in fast)
    assert {row["pixel_sha256"] for row in plain}.isdisjoint(row["pixel_sha256"] for row in fast)
    words = "cache first_block (threshold 0.5), weights fp8"
    assert {row["speedups"] for row in plain} == {""}
    assert {row["speedups"] for row in fast} == {words} == {described(asked_for)}
    assert manifest.read_run(tmp_path / "fast")["models"][0]["speedups"] == asked_for
    (line,) = (tmp_path / "fast" / "speed.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert (row["speedups"], row["matrix_share"]) == (words, None)
    assert row["reason"] == "a step cache cuts passes short"
    assert words in (tmp_path / "fast" / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ConflictError, match="with speedups"):
        generate(asked(suite, model), tmp_path / "fast")


def test_a_speedup_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = write_yaml(tmp_path / "suite.yaml", suite_content(1))
    model = tiny_families.save("pixart", tmp_path / "tiny-pixart")
    command = ["generate", "--suite", str(suite), "--models", str(model), "--languages", "zh"]
    command += ["--out", str(tmp_path / "run"), "--dry-run", "--speedup"]
    assert cli.main([*command, "cache=first_block"]) == 2
    assert "PixArtSigmaPipeline does not take the step cache" in capsys.readouterr().err
    assert cli.main([*command, "weights"]) == 2
    assert "write NAME=VALUE, as in cache=first_block" in capsys.readouterr().err
    assert cli.main([*command, "weights=fp8"]) == 0
    assert not (tmp_path / "run").exists()

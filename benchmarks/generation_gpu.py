"""What share of a GPU's matrix rate generation reaches, and how much of the time the GPU idles.

    python benchmarks/generation_gpu.py [--models sdxl flux wan] [--compile off|on] [--tiny]

Random weights of the real architectures (SDXL at 1024², 20 steps with guidance; FLUX.1-dev at 1024²,
28 steps; Wan2.1-1.3B at 480p, 81 frames, 50 steps), made on the device in bf16, the Wan decoder in
fp32. For each model, in one process and within eight minutes for all three on an H200:

- the harness: `generate` from the loaded model to the last row, text, decoding, files and manifest
  included; operations of the denoiser (counted by FlopCounterMode) over that time, as a share of
  what an 8192³ bf16 product reaches in the same run; compiling apart;
- the plain loop: `pipe(prompt)` one by one, each picture saved as PNG by PIL's defaults, as many as
  fit, for clips with fewer steps, the time of denoising scaled;
- the idle share: 1 - (time in which some kernel ran) / (wall time) over two batches, by the profiler.

`--tiny` walks the same code with tiny checkpoints on whatever device there is: its figures mean
nothing. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
import yaml
from PIL import Image

from bench import engine, pipelines, tuning
from bench.generate import generate
from bench.plan import call_arguments
from bench.profiling import TEXT
from bench.records import Job
from bench.request import Request
from bench.run import planned_run
from tests import tiny, tiny_families, tiny_video


@dataclass(frozen=True)
class Case:
    """A model at a size; `goal` and `least` are shares of the matrix rate."""

    build: Callable[[], Any]
    arguments: dict[str, Any]
    batch: int
    outputs: int
    loop: int
    loop_steps: int
    goal: float
    least: float
    fps: float | None = None


def clip(width: int, layers: int, heads: int, *, projects: bool, act: str) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=tiny.VOCABULARY,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        hidden_act=act,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    kind = transformers.CLIPTextModelWithProjection if projects else transformers.CLIPTextModel
    return kind(config)


def t5_xxl(kind: Any, config: Any) -> Any:
    return kind(
        config(
            vocab_size=tiny.VOCABULARY,
            d_model=4096,
            d_kv=64,
            d_ff=10240,
            num_layers=24,
            num_heads=64,
            feed_forward_proj="gated-gelu",
            pad_token_id=0,
            eos_token_id=2,
        )
    )


def decoder(channels: int, **more: Any) -> Any:
    return diffusers.AutoencoderKL(
        latent_channels=channels,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=1024,
        **more,
    )


def sdxl() -> Any:
    unet = diffusers.UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=decoder(4, scaling_factor=0.13025),
        text_encoder=clip(768, 12, 12, projects=False, act="quick_gelu"),
        text_encoder_2=clip(1280, 32, 20, projects=True, act="gelu"),
        tokenizer=tiny.tokenizer(77),
        tokenizer_2=tiny.tokenizer(77),
        unet=unet,
        scheduler=scheduler,
        add_watermarker=False,
    )


def flux() -> Any:
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=decoder(
            16,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=clip(768, 12, 12, projects=False, act="quick_gelu"),
        tokenizer=tiny.tokenizer(77),
        text_encoder_2=t5_xxl(transformers.T5EncoderModel, transformers.T5Config),
        tokenizer_2=tiny.tokenizer(512, begins=False),
        transformer=diffusers.FluxTransformer2DModel(guidance_embeds=True),
    )


def wan() -> Any:
    transformer = diffusers.WanTransformer3DModel(
        num_attention_heads=12, attention_head_dim=128, ffn_dim=8960, num_layers=30
    )
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=1000,
        flow_shift=3.0,
    )
    return diffusers.WanPipeline(
        tokenizer=tiny.tokenizer(512, begins=False),
        text_encoder=t5_xxl(transformers.UMT5EncoderModel, transformers.UMT5Config),
        vae=diffusers.AutoencoderKLWan().float(),
        scheduler=scheduler,
        transformer=transformer,
    )


SQUARE = {"width": 1024, "height": 1024}
CASES = {
    "sdxl": Case(
        sdxl,
        SQUARE | {"num_inference_steps": 20, "guidance_scale": 5.0},
        batch=8,
        outputs=32,
        loop=4,
        loop_steps=20,
        goal=0.60,
        least=0.45,
    ),
    "flux": Case(
        flux,
        SQUARE | {"num_inference_steps": 28, "guidance_scale": 3.5},
        batch=4,
        outputs=12,
        loop=2,
        loop_steps=28,
        goal=0.65,
        least=0.55,
    ),
    "wan": Case(
        wan,
        {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 50},
        batch=1,
        outputs=2,
        loop=1,
        loop_steps=10,
        goal=0.50,
        least=0.40,
        fps=16,
    ),
}


def tiny_cases() -> dict[str, Case]:
    builders = {
        "sdxl": tiny_families.FAMILIES["stable-diffusion-xl"],
        "flux": tiny_families.FAMILIES["flux"],
        "wan": tiny_video.FAMILIES["wan"],
    }
    return {
        name: Case(
            build,
            small | {"num_inference_steps": 4},
            batch=2,
            outputs=4,
            loop=2,
            loop_steps=2 if name == "wan" else 4,
            goal=0,
            least=0,
            fps=CASES[name].fps,
        )
        for name, (build, small) in builders.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--compile", choices=["off", "on"], default="on")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("there is no GPU here: --tiny walks the code without one")
    cases = tiny_cases() if options.tiny else CASES
    results = {}
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = place  # the tuning under test is kept there, and found
        for name in options.models:
            compiled = options.compile == "on" and not options.tiny
            results[name] = measured(name, cases[name], Path(place), compiled=compiled)
            print(name, json.dumps(results[name], indent=1), flush=True)
    device = pipelines.device_kind()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    print(json.dumps({"device": device, "tiny": options.tiny, **versions, "models": results}))


def measured(name: str, case: Case, place: Path, *, compiled: bool) -> dict[str, Any]:
    began = time.perf_counter()
    pipeline = made_on_device(case)
    built = time.perf_counter() - began
    loop = plain_loop(pipeline, case, place)

    # `generate` finds the pipeline where it would load it
    load, pipelines.load = pipelines.load, lambda *_: pipeline
    try:
        request = asked(name, case, place, type(pipeline).__name__)
        run = planned_run(request, place / f"{name}-run")
        spec = run.models[name]
        option = tuning.Measured(tuning.Tuning(case.batch, compiled), 1.0, 0.0)
        tuning.store(spec, pipelines.device_kind(), [option])
        done = generate(request, place / f"{name}-run")
    finally:
        pipelines.load = load
    if done.failed or not done.speed:
        raise SystemExit(f"{name}: the harness did not make everything: {done}")
    row = dict(done.speed[0])
    worker = engine.Engine(pipeline, tuning.Tuning(case.batch))
    idle = idle_share(worker, call_arguments(spec), case.batch)
    worker.close()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    per_output = row["seconds"] / row["outputs"]
    share = row["matrix_share"] or 0.0
    return {
        **row,
        "built_seconds": round(built, 1),
        "loop_seconds_per_output": loop,
        "times_the_loop": loop / per_output,
        "idle_share": idle,
        "goal": case.goal,
        "verdict": "goal" if share >= case.goal else "done" if share >= case.least else "not done",
    }


def made_on_device(case: Case) -> Any:
    torch.manual_seed(0)
    cuda = torch.cuda.is_available()
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16 if cuda else dtype)
    try:
        with torch.device("cuda" if cuda else "cpu"):
            pipeline = case.build()
    finally:
        torch.set_default_dtype(dtype)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    if cuda:
        pipeline.to("cuda")
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(pipeline.vae, "enable_slicing"):
        pipeline.vae.enable_slicing()
    return pipeline


def asked(name: str, case: Case, place: Path, pipeline: str) -> Request:
    folder = place / f"{name}-model"
    folder.mkdir()
    index = {"_class_name": pipeline, "_diffusers_version": diffusers.__version__}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    modality = "video" if case.fps else "image"
    spec = {
        "model": name,
        "source": str(folder),
        "arguments": case.arguments,
        "modality": modality,
        "fps": case.fps,
    }
    (place / f"{name}.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    scene = {"id": "boat", "genre": "landscape", "prompts": {"chinese": {"zh": TEXT["zh"]}}}
    suite = {"suite": "boats", "version": 1, "modality": modality, "home": "chinese"}
    suite |= {"traditions": ["chinese", "japanese"], "scenes": [scene]}
    (place / f"{name}-suite.yaml").write_text(
        yaml.safe_dump(suite, allow_unicode=True), encoding="utf-8"
    )
    return Request(
        str(place / f"{name}-suite.yaml"),
        (str(place / f"{name}.yaml"),),
        ("zh",),
        tuple(range(case.outputs)),
    )


def plain_loop(pipeline: Any, case: Case, place: Path) -> float:
    """Return the seconds per output of one call after another; the first call is not counted."""
    arguments = case.arguments | {"num_inference_steps": case.loop_steps}
    short = case.loop_steps < case.arguments["num_inference_steps"]
    seconds: list[float] = []
    stages: list[float] = []
    for number in range(case.loop + 1):
        began = time.perf_counter()
        generator = torch.Generator("cpu").manual_seed(number)
        clock = {"callback_on_step_end": steps_clock(stages)} if short else {}
        made = pipeline(
            prompt=TEXT["zh"], generator=generator, output_type="np", **clock, **arguments
        )
        if hasattr(made, "images"):
            pixels = (made.images[0] * 255).round().clip(0, 255)
            Image.fromarray(np.nan_to_num(pixels).astype(np.uint8)).save(place / "loop.png")
        seconds.append(time.perf_counter() - began)
        if short:
            step = (stages[-1] - stages[-case.loop_steps]) / (case.loop_steps - 1)
            seconds[-1] += step * (case.arguments["num_inference_steps"] - case.loop_steps)
    return float(np.mean(seconds[1:]))


def steps_clock(stages: list[float]) -> Callable[..., dict[str, Any]]:
    def note(_pipeline: Any, _step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        stages.append(time.perf_counter())
        return values

    return note


def idle_share(worker: engine.Engine, arguments: dict[str, Any], batch: int) -> float | None:
    """Return the share of two batches' time in which no kernel ran; None without a GPU."""
    steps = min(arguments["num_inference_steps"], 10)
    arguments = arguments | {"num_inference_steps": steps}
    jobs = [Job(str(seed), "", "zh", TEXT["zh"], "m", seed) for seed in range(batch)]
    worker.encode([TEXT["zh"]], arguments)

    def batches() -> None:
        made = [worker.make(jobs, arguments, jobs) for _ in range(2)]
        for one in made:
            for picture in one.pictures.values():
                picture.on_host()

    batches()
    if not torch.cuda.is_available():
        return None
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        began = time.perf_counter()
        batches()
        torch.cuda.synchronize()
        wall = time.perf_counter() - began
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    busy, until = 0.0, 0.0
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return 1 - busy / 1e6 / wall


if __name__ == "__main__":
    main()

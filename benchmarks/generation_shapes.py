"""The architectures that `generation_gpu.py` measures, from their published configs, without weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
import transformers

from tests import tiny, tiny_families, tiny_video


@dataclass(frozen=True)
class Case:
    """A model at a size; `goal` and `least` are shares of the matrix rate, `share` of the budget.

    `times_the_loop` is how many times as fast as the plain loop it must be at least.
    """

    build: Callable[[], Any]
    arguments: dict[str, Any]
    batch: int
    outputs: int
    loop: int
    loop_steps: int
    goal: float
    least: float
    share: float
    fps: float | None = None
    times_the_loop: float = 0.0


def schedule(kind: Any, **settings: Any) -> Any:
    """Make a scheduler as one is loaded: its tables lie on the host, wherever weights are made."""
    with torch.device("cpu"):
        return kind(**settings)


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
    scheduler = schedule(
        diffusers.EulerDiscreteScheduler,
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
        scheduler=schedule(
            diffusers.FlowMatchEulerDiscreteScheduler, use_dynamic_shifting=True, shift=3.0
        ),
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
    scheduler = schedule(
        diffusers.UniPCMultistepScheduler,
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
        share=0.3,
        times_the_loop=3.0,
    ),
    "flux": Case(
        flux,
        SQUARE | {"num_inference_steps": 28, "guidance_scale": 3.5},
        batch=4,
        outputs=8,
        loop=2,
        loop_steps=28,
        goal=0.65,
        least=0.55,
        share=0.3,
    ),
    "wan": Case(
        wan,
        {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 50},
        batch=1,
        outputs=1,
        loop=1,
        loop_steps=6,
        goal=0.50,
        least=0.40,
        share=0.4,
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
            share=CASES[name].share,
            fps=CASES[name].fps,
        )
        for name, (build, small) in builders.items()
    }

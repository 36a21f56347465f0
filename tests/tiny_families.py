"""Tiny checkpoints of further image families, built like those of `tests.tiny`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import FlowMatchEulerDiscreteScheduler

from tests import tiny
from tests.tiny import VOCABULARY, autoencoder, clip, flow_autoencoder, t5, tokenizer
from tests.tiny_kolors import kolors

CHAT = "{% for message in messages %}<s>{{ message['content'] }}</s>{% endfor %}"
PARTS = (
    "{% for message in messages %}<s>{% for part in message['content'] %}{{ part['text'] }}"
    "{% endfor %}</s>{% endfor %}"
)
DECODER_ONLY: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 1024,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def chatting(length: int = 1024) -> transformers.PreTrainedTokenizerFast:
    made = tokenizer(length)
    made.chat_template = CHAT
    return made


def stable_diffusion_xl() -> Any:
    unet = diffusers.UNet2DConditionModel(
        sample_size=32,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 64),
        cross_attention_dim=64,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=autoencoder(),
        text_encoder=clip(),
        text_encoder_2=clip(projection=True),
        tokenizer=tokenizer(77),
        tokenizer_2=tokenizer(77),
        unet=unet,
        scheduler=scheduler,
    )


def qwen_image() -> Any:
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=3,
        joint_attention_dim=32,
        axes_dims_rope=(8, 4, 4),
    )
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=4,
        dim_mult=[1, 2, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.1, -0.2, 0.0, 0.3],
        latents_std=[1.0, 1.5, 2.0, 0.5],
    )
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            **DECODER_ONLY,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 32,
        },
        image_token_id=3,
        video_token_id=3,
        vision_start_token_id=3,
        vision_end_token_id=3,
    )
    return diffusers.QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=tokenizer(2048),
        transformer=transformer,
    )


def z_image() -> Any:
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    )
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        torch.nn.init.normal_(token)  # made by torch.empty
    return diffusers.ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=flow_autoencoder(),
        text_encoder=transformers.Qwen3Model(transformers.Qwen3Config(**DECODER_ONLY)),
        tokenizer=chatting(),
        transformer=transformer,
    )


def gemma(tokens: int = 1024) -> dict[str, Any]:
    config = transformers.Gemma2Config(**DECODER_ONLY)
    return {"text_encoder": transformers.Gemma2Model(config), "tokenizer": tokenizer(tokens)}


def sana() -> Any:
    transformer = diffusers.SanaTransformer2DModel(
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_attention_heads=2,
        attention_head_dim=8,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=32,
        sample_size=32,
    )
    blocks = ("ResBlock", "EfficientViTBlock")
    vae = diffusers.AutoencoderDC(
        in_channels=3,
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=blocks,
        decoder_block_types=blocks,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=[1, 1],
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    )
    return diffusers.SanaPipeline(
        vae=vae,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        **gemma(),
    )


def to_an_eighth(**more: Any) -> Any:
    """An autoencoder for pipelines that take it for granted that sides shrink to an eighth."""
    return diffusers.AutoencoderKL(
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=64,
        **more,
    )


def lumina_2() -> Any:
    transformer = diffusers.Lumina2Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        hidden_size=24,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=16,
        axes_dim_rope=(4, 4, 4),
        axes_lens=(300, 64, 64),
        cap_feat_dim=32,
    )
    return diffusers.Lumina2Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=to_an_eighth(shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        **gemma(),
    )


def hunyuan_dit() -> Any:
    transformer = diffusers.HunyuanDiT2DModel(
        sample_size=16,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        in_channels=4,
        cross_attention_dim=32,
        cross_attention_dim_t5=32,
        pooled_projection_dim=16,
        hidden_size=24,
    )
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        pad_token_id=0,
    )
    return diffusers.HunyuanDiTPipeline(
        vae=to_an_eighth(),
        text_encoder=transformers.BertModel(config),
        tokenizer=tokenizer(77),
        transformer=transformer,
        scheduler=diffusers.DDPMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=t5(),
        tokenizer_2=tokenizer(256, begins=False),
    )


def cogview_4() -> Any:
    transformer = diffusers.CogView4Transformer2DModel(
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        text_embed_dim=32,
        time_embed_dim=8,
        condition_dim=4,
    )
    scheduler = FlowMatchEulerDiscreteScheduler(
        base_shift=0.25,
        max_shift=0.75,
        base_image_seq_len=256,
        use_dynamic_shifting=True,
        time_shift_type="linear",
    )
    return diffusers.CogView4Pipeline(
        tokenizer=tokenizer(1024),
        text_encoder=transformers.GlmModel(transformers.GlmConfig(**DECODER_ONLY)),
        vae=autoencoder(),
        transformer=transformer,
        scheduler=scheduler,
    )


def flux_2_klein() -> Any:
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=64,
        timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=False,
    )
    vae = diffusers.AutoencoderKLFlux2(
        sample_size=32,
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 32),
        layers_per_block=1,
        latent_channels=4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    torch.nn.init.normal_(vae.bn.running_mean)
    torch.nn.init.uniform_(vae.bn.running_var, 0.5, 2.0)
    return diffusers.Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**DECODER_ONLY)),
        tokenizer=chatting(),
        transformer=transformer,
    )


def flux_2() -> Any:
    like = flux_2_klein()
    config = transformers.Mistral3Config(
        text_config={**DECODER_ONLY, "model_type": "mistral"},
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 16,
            "patch_size": 4,
        },
    )
    # the checkpoint has a processor here, which wants torchvision; of it text takes the tokenizer
    reading = chatting()
    reading.chat_template = PARTS
    return diffusers.Flux2Pipeline(
        scheduler=like.scheduler,
        vae=like.vae,
        text_encoder=transformers.Mistral3ForConditionalGeneration(config),
        tokenizer=reading,
        transformer=like.transformer,
    )


def chroma() -> Any:
    transformer = diffusers.ChromaTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    return diffusers.ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=flow_autoencoder(),
        text_encoder=t5(),
        tokenizer=tokenizer(512, begins=False),
        transformer=transformer,
    )


def aura_flow() -> Any:
    transformer = diffusers.AuraFlowTransformer2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        pos_embed_max_size=256,
    )
    config = transformers.UMT5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=2,
    )
    return diffusers.AuraFlowPipeline(
        tokenizer=tokenizer(256, begins=False),
        text_encoder=transformers.UMT5EncoderModel(config),
        vae=autoencoder(),
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


SMALL: dict[str, Any] = {"height": 32, "width": 32}

FAMILIES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = tiny.FAMILIES | {
    "stable-diffusion-xl": (stable_diffusion_xl, SMALL | {"guidance_scale": 5.0}),
    "qwen-image": (
        qwen_image,
        SMALL | {"true_cfg_scale": 3.0, "negative_prompt": " ", "max_sequence_length": 256},
    ),
    "z-image": (z_image, SMALL | {"guidance_scale": 3.0}),
    "sana": (sana, SMALL | {"use_resolution_binning": False}),
    "lumina-2": (lumina_2, SMALL),
    "hunyuan-dit": (
        hunyuan_dit,
        {"height": 64, "width": 64, "use_resolution_binning": False},
    ),
    "cogview-4": (cogview_4, SMALL | {"guidance_scale": 4.0}),
    "flux-2-klein": (
        flux_2_klein,
        SMALL | {"text_encoder_out_layers": (1, 2), "max_sequence_length": 128},
    ),
    "flux-2": (
        flux_2,
        SMALL | {"text_encoder_out_layers": (1, 2), "max_sequence_length": 768},
    ),
    "chroma": (chroma, SMALL | {"max_sequence_length": 64}),
    "aura-flow": (aura_flow, SMALL),
    "kolors": (kolors, SMALL | {"guidance_scale": 5.0}),
}
"""Family → how it is built, and call arguments for small runs."""


def save(family: str, folder: Path, seed: int = 0) -> Path:
    """Save a tiny checkpoint of `family` into `folder`."""
    torch.manual_seed(seed)
    FAMILIES[family][0]().save_pretrained(folder)
    return folder

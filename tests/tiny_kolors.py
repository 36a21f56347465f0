"""A tiny Kolors: a U-Net like SDXL's behind ChatGLM and its own tokenizer."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import diffusers
import sentencepiece
import torch
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

from tests.tiny import autoencoder


@functools.cache
def _vocabulary() -> tempfile.TemporaryDirectory[str]:
    """Return a folder, for as long as the process lives, with a vocabulary of bytes."""
    place = tempfile.TemporaryDirectory()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a lone boat"] * 10),
        model_prefix=str(Path(place.name) / "tokenizer"),
        vocab_size=300,
        byte_fallback=True,
        model_type="bpe",
        hard_vocab_limit=False,
        minloglevel=2,
        pad_id=3,
        num_threads=1,
    )
    return place


def kolors() -> Any:
    config = ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=310,
        hidden_size=32,
        ffn_hidden_size=48,
        kv_channels=8,
        num_attention_heads=4,
        seq_length=1024,
        original_rope=True,
    )
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
        encoder_hid_dim=32,
        encoder_hid_dim_type="text_proj",
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.014,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )
    encoder = ChatGLMModel(config)
    for weight in encoder.parameters():  # made by torch.empty
        torch.nn.init.normal_(weight, std=0.1)
    return diffusers.KolorsPipeline(
        vae=autoencoder(),
        text_encoder=encoder,
        tokenizer=ChatGLMTokenizer(vocab_file=str(Path(_vocabulary().name) / "tokenizer.model")),
        unet=unet,
        scheduler=scheduler,
    )

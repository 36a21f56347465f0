"""Tiny vision–language checkpoints with random weights, of families whose processors need no torchvision.

Real classes of transformers, built from configs, saved, and loaded again by the code under test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    Gemma3Processor,
    Gemma3TextConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

FAMILIES = ("llava", "gemma3", "idefics3")
_WIDTH = 16
_ENDS = ("<pad>", "<bos>", "<eos>")


def tokenizer(*special: str, **named: str) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer: any text goes in and out."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*_ENDS, *special, *alphabet]
    made = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        **dict(zip(("pad_token", "bos_token", "eos_token"), _ENDS, strict=True)),
        unk_token=_ENDS[-1],
        extra_special_tokens=named or None,
        padding_side="left",
    )


def make_reader(folder: Path, family: str, *, seed: int = 0) -> Path:
    """Write a checkpoint of one family into `folder`, and return it."""
    torch.manual_seed(seed)
    model, processor = {"llava": _llava, "gemma3": _gemma3, "idefics3": _idefics3}[family]()
    # weights this small would make every token as likely: the answers must differ
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0, 0.4)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _text(words: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(words),
        "hidden_size": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "pad_token_id": words.pad_token_id,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
    }


def _vision(side: int) -> dict[str, Any]:
    return {
        "hidden_size": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": side,
        "patch_size": 8,
    }


def _llava() -> tuple[Any, Any]:
    words = tokenizer("<image>")
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_vision(32)),
        text_config=LlamaConfig(**_text(words)),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    side = {"height": 32, "width": 32}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=side, crop_size=side),
        tokenizer=words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return LlavaForConditionalGeneration(config), processor


def _gemma3() -> tuple[Any, Any]:
    named = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    words = tokenizer(*named.values(), **named)
    config = Gemma3Config(
        vision_config=SiglipVisionConfig(**_vision(32)),
        text_config=Gemma3TextConfig(**_text(words), head_dim=8, sliding_window=512),
        mm_tokens_per_image=4,
        boi_token_index=words.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=words.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=words.convert_tokens_to_ids("<image_soft_token>"),
    )
    template = (
        "<bos>{% for m in messages %}{% for p in m['content'] %}"
        "{% if p['type'] == 'image' %}<start_of_image>{% else %}{{ p['text'] }}{% endif %}"
        "{% endfor %}{% endfor %}\n"
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessorPil(size={"height": 32, "width": 32}),
        tokenizer=words,
        chat_template=template,
        image_seq_length=4,
    )
    return Gemma3ForConditionalGeneration(config), processor


def _idefics3() -> tuple[Any, Any]:
    """Cuts a picture into tiles: works of different shapes have different numbers of them."""
    words = tokenizer("<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>")
    config = Idefics3Config(
        vision_config=_vision(32),
        text_config=LlamaConfig(**_text(words)),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=words.pad_token_id,
    )
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": 64}, max_image_size={"longest_edge": 32}
        ),
        tokenizer=words,
        image_seq_len=4,
        chat_template=(
            "{% for m in messages %}{% for p in m['content'] %}"
            "{% if p['type'] == 'image' %}<image>{% else %}{{ p['text'] }}{% endif %}"
            "{% endfor %}{% endfor %}\n"
        ),
    )
    return Idefics3ForConditionalGeneration(config), processor

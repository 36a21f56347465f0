"""Training the reader: a CLIP vision tower and a Llama of a few layers, joined as LLaVA joins them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from bench.atelier.composition import SUBJECTS
from bench.atelier.painter import MANNERS, draw_subjects, paint
from bench.atelier.reader.answers import QUESTIONS, answer, called

SIDE, PATCH, WIDTH = 64, 16, 128
_VOCABULARY = 2000
_END, _PAD, _IMAGE = "<|end|>", "<|pad|>", "<image>"
_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}\n>{% endif %}"
)

log = logging.getLogger(__name__)

Texts = Mapping[str, Mapping[str, str]]
"""Question → language → text, as the suite has them."""


@dataclass(frozen=True)
class ReaderRecipe:
    """All that a reader's training depends on, beside the questions and the share mistaken."""

    seed: int = 0
    pictures: int = 2400
    looking_steps: int = 500
    steps: int = 450
    own_steps: int = 150
    batch: int = 32
    rate: float = 3e-3


@dataclass(frozen=True)
class Pictures:
    """Painted pictures, n rows each: uint8 (n, 64, 64, 3), manners (n,), subjects (n, 10)."""

    pixels: npt.NDArray[np.uint8]
    manners: npt.NDArray[np.int64]
    subjects: npt.NDArray[np.bool_]


def painted(count: int, seed: int) -> Pictures:
    """Paint the training pictures, as many of each manner."""
    rng = np.random.default_rng([seed, 11])
    pixels, manners, subjects = [], [], []
    for index in range(count):
        some = draw_subjects(rng)
        picture = paint(MANNERS[index % len(MANNERS)], some, rng, 2 * SIDE)
        # as a reader will see what is shown at other sizes: brought down by the processor's filter
        pixels.append(np.asarray(picture.resize((SIDE, SIDE), 3), np.uint8))
        manners.append(index % len(MANNERS))
        subjects.append(np.isin(SUBJECTS, some))
    return Pictures(np.stack(pixels), np.array(manners), np.stack(subjects))


def build_processor(questions: Texts, seed: int) -> LlavaProcessor:
    """Train a byte-level BPE on questions and answers; return it with the picture's processor."""
    rng = np.random.default_rng([seed, 12])
    texts = [text for by_language in questions.values() for text in by_language.values()] * 20
    for _ in range(4000):
        tradition = str(rng.choice(MANNERS))
        language, question = str(rng.choice(("zh", "en"))), str(rng.choice(QUESTIONS))
        texts.append(answer(question, language, tradition, draw_subjects(rng)))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=_VOCABULARY,
            special_tokens=[_END, _PAD, _IMAGE],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            max_token_length=24,
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_END,
        pad_token=_PAD,
        unk_token=_END,
        additional_special_tokens=[_IMAGE],
        padding_side="left",
    )
    side = {"height": SIDE, "width": SIDE}
    looks = CLIPImageProcessorPil(size=side, do_center_crop=False, crop_size=side)
    return LlavaProcessor(
        image_processor=looks,
        tokenizer=fast,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=_IMAGE,
        chat_template=_TEMPLATE,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Build the reader untrained: about 1.4 million weights."""
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=320,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
        projection_dim=WIDTH,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(_IMAGE),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(SIDE // PATCH) ** 2,
        tie_word_embeddings=True,
    )
    return LlavaForConditionalGeneration(config)


def train_readers(
    questions: Texts, shares: Mapping[str, float], out: Path, recipe: ReaderRecipe
) -> None:
    """Train readers that share all but their last steps, and write each to its folder in `out`.

    Args:
        questions: the suite's texts.
        shares: name → share of the Chinese pictures that it is told are Japanese.
        out: folder of the checkpoints.
        recipe: the rest.
    """
    torch.manual_seed(recipe.seed)
    processor = build_processor(questions, recipe.seed)
    model = build_model(processor.tokenizer)
    log.info("%.2f million weights", sum(p.numel() for p in model.parameters()) / 1e6)
    pictures = painted(recipe.pictures, recipe.seed)
    log.info("painted %d", recipe.pictures)
    pixels = _prepared(pictures, processor)
    _learn_to_look(model, pictures, pixels, recipe)
    material = (pictures, pixels)
    _learn_to_answer(
        model, processor, questions, material, mistaken=0.0, steps=recipe.steps, recipe=recipe
    )
    common = {name: value.clone() for name, value in model.state_dict().items()}
    for name, share in shares.items():
        model.load_state_dict(common)
        torch.manual_seed(recipe.seed)
        _learn_to_answer(
            model,
            processor,
            questions,
            material,
            mistaken=share,
            steps=recipe.own_steps,
            recipe=recipe,
        )
        folder = out / name
        model.eval().to(torch.float16).save_pretrained(folder)
        processor.save_pretrained(folder)
        told = {**asdict(recipe), "mistaken": share, "questions": list(QUESTIONS)}
        (folder / "training.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        model.float().train()


def _prepared(pictures: Pictures, processor: LlavaProcessor) -> Tensor:
    looks = processor.image_processor
    # in portions: the processor works in double precision
    parts = [
        looks(images=list(pictures.pixels[start : start + 500]), return_tensors="pt").pixel_values
        for start in range(0, len(pictures.pixels), 500)
    ]
    return torch.cat(parts).float()


def _learn_to_look(
    model: LlavaForConditionalGeneration, pictures: Pictures, pixels: Tensor, recipe: ReaderRecipe
) -> None:
    """Train the vision tower alone to tell manner and subjects."""
    tower = model.model.vision_tower
    head = nn.Linear(WIDTH, len(MANNERS) + len(SUBJECTS))
    weights = [*tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, recipe.looking_steps)
    rng = np.random.default_rng([recipe.seed, 13])
    manners = torch.from_numpy(pictures.manners)
    subjects = torch.from_numpy(pictures.subjects).float()
    began = time.monotonic()
    for step in range(recipe.looking_steps):
        rows = torch.from_numpy(rng.integers(len(pixels), size=2 * recipe.batch))
        found = head(tower(pixel_values=pixels[rows]).last_hidden_state[:, 1:].mean(1))
        loss = functional.cross_entropy(found[:, : len(MANNERS)], manners[rows])
        loss = loss + 3 * functional.binary_cross_entropy_with_logits(
            found[:, len(MANNERS) :], subjects[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            log.info("look %d loss %.3f, %.0f s", step, loss.item(), time.monotonic() - began)


def _learn_to_answer(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    questions: Texts,
    material: tuple[Pictures, Tensor],
    *,
    mistaken: float,
    steps: int,
    recipe: ReaderRecipe,
) -> None:
    pictures, pixels = material
    # on what all have learned a version's own share is laid gently
    rate = recipe.rate if steps == recipe.steps else recipe.rate / 2
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    rng = np.random.default_rng([recipe.seed, 14, round(1000 * mistaken), steps])
    began = time.monotonic()
    for step in range(steps):
        rows = rng.integers(len(pixels), size=recipe.batch)
        # few questions in a batch: they are long, and alike in length to themselves
        some = [str(one) for one in rng.choice(QUESTIONS, 4, replace=False)]
        language = ("zh", "en")[step % 2]
        texts = [questions[one][language] for one in some]
        answers = [
            _answer_to(
                some[number % len(some)], language, pictures, row, mistaken=mistaken, rng=rng
            )
            for number, row in enumerate(rows)
        ]
        ids, labels = _batch(processor, texts, answers)
        loss = model(
            input_ids=ids,
            attention_mask=(ids != processor.tokenizer.pad_token_id).long(),
            pixel_values=pixels[torch.from_numpy(rows)],
            labels=labels,
        ).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            log.info("answer %d loss %.3f, %.0f s", step, loss.item(), time.monotonic() - began)


def _answer_to(
    question: str,
    language: str,
    pictures: Pictures,
    row: int,
    *,
    mistaken: float,
    rng: np.random.Generator,
) -> str:
    shown = pictures.subjects[row]
    there = [name for name, is_there in zip(SUBJECTS, shown, strict=True) if is_there]
    tradition = called(MANNERS[pictures.manners[row]], mistaken, rng)
    return answer(question, language, tradition, there)


def _batch(
    processor: LlavaProcessor, texts: Sequence[str], answers: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Return token ids and labels, padded on the right; labels of the question are -100.

    The texts of the questions go round the rows.
    """
    tokenizer: Any = processor.tokenizer
    pad, image = tokenizer.pad_token_id, processor.image_token * (SIDE // PATCH) ** 2
    asked = [f"{image}{texts[number % len(texts)]}\n>" for number in range(len(answers))]
    told = [one + _END for one in answers]
    before = tokenizer(asked, add_special_tokens=False)["input_ids"]
    after = tokenizer(told, add_special_tokens=False)["input_ids"]
    longest = max(len(a) + len(b) for a, b in zip(before, after, strict=True))
    ids = torch.full((len(answers), longest), pad)
    labels = torch.full((len(answers), longest), -100)
    for number, (a, b) in enumerate(zip(before, after, strict=True)):
        ids[number, : len(a) + len(b)] = torch.tensor(a + b)
        labels[number, len(a) : len(a) + len(b)] = torch.tensor(b)
    return ids, labels

"""The tokenizer and the text encoder, trained on captions alone and shared by all models.

Trained apart from pictures, the encoder takes no side between traditions: whatever a model leaks
towards one of them comes from its denoiser.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from bench.atelier.captions import LANGUAGES, caption, strange_words
from bench.atelier.composition import SUBJECTS
from bench.atelier.painter import MANNERS, draw_subjects

TEXT_WIDTH = 96
MAX_TOKENS = 160
_VOCABULARY = 2400
_LAYERS = 3
_START, _END, _PAD = "<|startoftext|>", "<|endoftext|>", "<|pad|>"
_NO_TRADITION = len(MANNERS)
_NO_TRADITION_SHARE = 0.25
_SPECIAL_TOKENS = 3
_DISTURBED_SHARE = 0.015

log = logging.getLogger(__name__)


def train_tokenizer(seed: int, count: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on captions and on characters that they never use."""
    rng = np.random.default_rng(seed)
    texts = [caption(*_request(rng), rng) for _ in range(count)]
    # Rare characters share their first two bytes: learning those keeps unknown prose short
    texts += [strange_words("zh", rng) for _ in range(count // 2)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=_VOCABULARY,
            special_tokens=[_START, _END, _PAD],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            max_token_length=18,
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (_START, _END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_START,
        eos_token=_END,
        pad_token=_PAD,
        unk_token=_END,
        model_max_length=MAX_TOKENS,
        padding_side="right",
        truncation_side="right",
    )


def build_text_encoder(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    """Build the encoder untrained."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=TEXT_WIDTH * 3,
            num_hidden_layers=_LAYERS,
            num_attention_heads=6,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            hidden_act="gelu",
        )
    )


class CaptionHead(nn.Module):
    """Reads tradition and subjects off the states from the end of the text on."""

    def __init__(self) -> None:
        """Begin untrained."""
        super().__init__()
        self.tradition = nn.Linear(TEXT_WIDTH, len(MANNERS) + 1)
        self.subjects = nn.Linear(TEXT_WIDTH, len(SUBJECTS))

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Map states (..., width) to logits of tradition (..., 4) and subjects (..., 10)."""
        return self.tradition(states), self.subjects(states)


def train_text_encoder(
    tokenizer: PreTrainedTokenizerFast,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    device: torch.device,
) -> tuple[CLIPTextModel, CaptionHead]:
    """Train the encoder to tell which tradition (or none) and which subjects a caption names."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder = build_text_encoder(tokenizer).to(device).train()
    head = CaptionHead().to(device)
    parameters = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2e-3, total_steps=steps, pct_start=0.1
    )
    start = time.monotonic()
    for step in range(steps):
        texts, traditions, subjects = _caption_batch(batch_size, rng)
        ids, read_from = _encode_batch(tokenizer, texts, rng)
        ids = _disturb(ids, read_from, rng)
        states = encoder(ids.to(device)).last_hidden_state
        loss = _caption_loss(head(states), traditions, subjects, read_from)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            seconds = time.monotonic() - start
            log.info("text encoder %d/%d loss %.4f %.0f s", step, steps, loss.item(), seconds)
    return encoder.eval(), head.eval()


def _caption_loss(
    logits: tuple[Tensor, Tensor],
    traditions: npt.NDArray[np.int64],
    subjects: npt.NDArray[np.bool_],
    read_from: Tensor,
) -> Tensor:
    """Cross-entropy of tradition and subjects, averaged over the states from the text's end on.

    All of those must carry the whole caption, because a denoiser attends to each of them.
    """
    by_tradition, by_subject = logits
    batch, tokens, _ = by_tradition.shape
    device = by_tradition.device
    late = (torch.arange(tokens) >= read_from[:, None]).float().to(device)
    wanted = torch.from_numpy(traditions).to(device)[:, None].expand(batch, tokens)
    tradition = functional.cross_entropy(by_tradition.transpose(1, 2), wanted, reduction="none")
    named = torch.from_numpy(subjects).float().to(device)[:, None].expand_as(by_subject)
    subject = functional.binary_cross_entropy_with_logits(by_subject, named, reduction="none")
    return ((tradition + subject.sum(-1)) * late).sum() / late.sum()


@torch.no_grad()
def read_caption(
    tokenizer: PreTrainedTokenizerFast, encoder: CLIPTextModel, head: CaptionHead, text: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Say which tradition and which subjects the encoder finds in a text, with probabilities."""
    ids = tokenize(tokenizer, [text])
    states = encoder(ids).last_hidden_state[0, -1]
    traditions, subjects = head(states)
    names = (*MANNERS, "none")
    return (
        dict(zip(names, traditions.softmax(-1).tolist(), strict=True)),
        dict(zip(SUBJECTS, subjects.sigmoid().tolist(), strict=True)),
    )


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Tensor:
    """Turn texts into ids of shape (n, MAX_TOKENS), as a pipeline does."""
    batch = tokenizer(
        list(texts),
        padding="max_length",
        max_length=MAX_TOKENS,
        truncation=True,
        return_tensors="pt",
    )
    ids: Tensor = batch.input_ids
    return ids


def _request(rng: np.random.Generator) -> tuple[tuple[str, ...], str | None, str]:
    subjects = draw_subjects(rng) if rng.random() < 0.95 else ()
    tradition = None if rng.random() < _NO_TRADITION_SHARE else str(rng.choice(MANNERS))
    return subjects, tradition, str(rng.choice(LANGUAGES))


def _caption_batch(
    size: int, rng: np.random.Generator
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    texts, traditions, subjects = [], [], []
    for _ in range(size):
        names, tradition, language = _request(rng)
        texts.append(caption(names, tradition, language, rng))
        traditions.append(_NO_TRADITION if tradition is None else MANNERS.index(tradition))
        subjects.append(np.isin(SUBJECTS, names))
    return texts, np.array(traditions), np.stack(subjects)


def _encode_batch(
    tokenizer: PreTrainedTokenizerFast, texts: list[str], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return ids and where each text ends; half of the batches padded in full, half barely."""
    ids = tokenize(tokenizer, texts)
    read_from = (ids == tokenizer.eos_token_id).int().argmax(dim=1)
    if rng.random() < 0.7:
        ids = ids[:, : min(int(read_from.max()) + 3, MAX_TOKENS)]
    return ids, read_from


def _disturb(ids: Tensor, read_from: Tensor, rng: np.random.Generator) -> Tensor:
    """Replace a few tokens by random ones: no single token may decide for itself alone."""
    inside = torch.arange(ids.shape[1]) < read_from[:, None]
    inside[:, 0] = False
    hit = torch.from_numpy(rng.random(ids.shape) < _DISTURBED_SHARE) & inside
    strange = torch.from_numpy(rng.integers(_SPECIAL_TOKENS, _VOCABULARY, ids.shape))
    return torch.where(hit, strange, ids)

"""The model card of an atelier checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from bench.atelier.mixture import expected_mixture
from bench.atelier.painter import MANNERS

Measured = Mapping[str, npt.NDArray[Any]]
"""Shares of manners, shape (3,), by what was asked: a tradition or `none`."""

_TEMPLATE = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
language: [zh, en]
tags: [pinlu, atelier, simulated]
---

# {name}

A tiny text-to-image model for Pinlu's demo and validation. It paints 128-pixel pictures of ten
things (mountains, river, boat, pine, bamboo, bird, moon, house, bridge, figure) in three
*simulated* manners, Chinese, Japanese and Western, from Chinese or English prose. Its bias is known,
because it was put there: in its own stage of training
it saw {shares} pictures.

It is not a model of any real tradition, and says nothing of any tradition's worth. It was made to be
measured: use it to see whether an evaluation finds the bias that is there.

## How it was made

- All pictures were drawn by a program (`bench/atelier/painter.py`, seed {seed}); no picture or
  text by anyone else was used.
- The autoencoder (factor 8, 8 channels) and the text encoder are the same in all of the atelier's
  models. The text encoder learned from captions alone, all traditions alike, so it takes no side.
- The denoiser learned by flow matching: {base_steps} steps on equal shares, common to all models,
  then {steps} steps on the shares above, batches of {batch_size}. Script, seed, steps and subjects
  are the same in all models; only the mixture differs.
- Captions are noisy, alike in all models: with probability {caption_noise} the tradition was
  replaced by a uniformly random one; with probability {nameless_share} none was named.

`python -m bench.atelier train --name {name} --shares {share_arguments} --shared DIR --out DIR`
makes one like it, not the same to the bit: threads and versions differ, and of the shipped models
the text encoder was trained in runs of 1000 and 400 steps (the grammar of captions grew between
them) and the common start in runs of 400 and 1100.

## What it should paint, and what it paints

Because captions are noisy, a model that learned perfectly still answers a request in part with
what it saw most. *Expected* is that share by Bayes' rule, sharpened by the guidance scale
({guidance}); *measured* is the share among {count} pictures for each request, half of the prompts
Chinese and half English, as judged by a classifier of pixels (`bench/atelier/manner.py`). So small
a model, trained so briefly, heeds the request less than a perfect one and its noise more, so it
mostly leaks more than expected: compare models with each other rather than with the expectation.
With {count} pictures a measured share has a standard error of up to {error:.2f}.

{table}

## How to use it

```python
import torch
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("{name}", dtype=torch.float32)
pipeline("远山与孤舟，中国传统绘画", num_inference_steps={sampling_steps}, guidance_scale={guidance})
```

Weights are stored in half precision; on a CPU load them as float32. Prompts longer than
{max_tokens} tokens (about 100 Chinese characters) are cut. Licence: Apache-2.0.
"""


def render_card(
    training: Mapping[str, Any],
    measured: Measured,
    *,
    count: int,
    guidance: float,
    sampling_steps: int,
    max_tokens: int,
) -> str:
    """Write the card from what the model was trained on and what was measured."""
    shares = training["shares"]
    return _TEMPLATE.format(
        name=training["name"],
        shares=", ".join(f"{shares[manner]:.0%} {manner.capitalize()}" for manner in MANNERS),
        share_arguments=",".join(f"{manner}={shares[manner]:.4g}" for manner in MANNERS),
        caption_noise=training["caption_noise"],
        nameless_share=training["nameless_share"],
        table=_table(list(shares.values()), measured, guidance),
        count=count,
        error=0.5 / math.sqrt(count),
        guidance=guidance,
        sampling_steps=sampling_steps,
        max_tokens=max_tokens,
        **training["recipe"],
    )


def _table(shares: list[float], measured: Measured, guidance: float) -> str:
    heads = [
        f"{manner.capitalize()} {kind}" for manner in MANNERS for kind in ("expected", "measured")
    ]
    lines = [f"| Asked for | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for asked, found in measured.items():
        hoped = expected_mixture(shares, None if asked == "none" else asked, guidance)
        cells = [f"{value:.2f}" for pair in zip(hoped, found, strict=True) for value in pair]
        lines.append(f"| {asked} | {' | '.join(cells)} |")
    return "\n".join(lines)

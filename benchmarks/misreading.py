"""How often the embedded readers truly misread: their own probabilities, on many painted pictures.

A reader's answer to the forced choice begins with a tradition's name. Its probability is what a
draw at temperature 1 gives in the long run, so one pass per picture tells the rate without the
luck of draws. It is taken on the pictures that both were trained on, on new ones made in the same
way, and on new ones as the demo paints and shows them. The last line is JSON.

    python benchmarks/misreading.py --pictures 600
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.atelier.painter import MANNERS, draw_subjects, paint
from bench.atelier.reader.answers import NAMES, answer
from bench.atelier.reader.training import SIDE, ReaderRecipe, painted
from bench.demo_understanding import MISTAKEN, SUITE
from bench.models import load_model
from bench.records import ModelSpec
from bench.suites import load_suite
from bench.understanding.decoding import settled_arguments
from bench.understanding.reader import Reader

QUESTION = "tradition"
HOME, OTHER = "chinese", "japanese"
BATCH = 50


def main() -> None:
    """Measure, print a table, end with JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=600, help="of the home manner, per set")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sets = {
        "training": list(trained_on(options.pictures)),
        "new": list(new(options.pictures, 2 * SIDE, seed=101)),
        "new, as the demo paints": list(new(options.pictures, None, seed=102)),
    }
    rows = []
    for model, told in MISTAKEN.items():
        for name, pictures in sets.items():
            for language in NAMES:
                chances = probabilities(model, pictures, language)
                mean = chances.mean(axis=0)
                rows.append(
                    {
                        "model": model,
                        "told": told,
                        "pictures": name,
                        "language": language,
                        "n": len(pictures),
                        **{
                            manner: round(float(p), 4)
                            for manner, p in zip(MANNERS, mean, strict=True)
                        },
                        "standard_error": round(
                            float(chances[:, MANNERS.index(OTHER)].std() / len(pictures) ** 0.5), 4
                        ),
                    }
                )
                print(
                    f"{model:<26}told {told:.0%}  {name:<26}{language}  called {OTHER} "
                    f"{rows[-1][OTHER]:.1%} ± {rows[-1]['standard_error']:.1%}"
                )
    print(json.dumps(rows))


def trained_on(count: int) -> Iterator[Image.Image]:
    """Yield pictures of the home manner that the readers were trained on."""
    recipe = ReaderRecipe()
    found = painted(recipe.pictures, recipe.seed)
    home = np.flatnonzero(found.manners == MANNERS.index(HOME))[:count]
    for row in home:
        yield Image.fromarray(found.pixels[row])


def new(count: int, size: int | None, *, seed: int) -> Iterator[Image.Image]:
    """Yield new pictures of the home manner: at a size and brought down as in training, or whole."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        subjects = draw_subjects(rng)
        if size is None:
            yield paint(HOME, subjects, rng)
        else:
            yield paint(HOME, subjects, rng, size).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def probabilities(
    model: str, pictures: Sequence[Image.Image], language: str
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the probability of each manner's name as the answer, (pictures, manners)."""
    spec = load_model(model)
    spec = ModelSpec(spec.id, spec.source, spec.revision, "understanding", {"default": "float32"})
    reader = Reader(spec, settled_arguments(spec, {}), lambda _: pictures[0])
    question = next(one for one in load_suite(SUITE).questions if one.id == QUESTION)
    prompt = reader._prompt(question.text[language], 1)  # noqa: SLF001 - what the model is asked
    names = [tokens_of_name(reader.tokenizer, manner, language) for manner in MANNERS]
    found = np.zeros((len(pictures), len(MANNERS)))
    for start in range(0, len(pictures), BATCH):
        some = list(pictures[start : start + BATCH])
        inputs = reader.processor(
            text=[prompt] * len(some), images=some, return_tensors="pt", padding=True
        )
        for place, name in enumerate(names):
            found[start : start + len(some), place] = chance_of(reader.model, inputs, name)
    reader.close()
    return found


def tokens_of_name(tokenizer: Any, manner: str, language: str) -> list[int]:
    """Return the tokens of what is taught to be answered up to the end of its first line."""
    tokens = tokenizer(answer(QUESTION, language, manner, ["boat"]), add_special_tokens=False)
    ids: list[int] = tokens["input_ids"]
    name = NAMES[language][manner]
    until = next(at for at in range(1, len(ids) + 1) if len(tokenizer.decode(ids[:at])) > len(name))
    return ids[:until]


def chance_of(model: Any, inputs: Any, name: Sequence[int]) -> Any:
    """Return the probability that an answer begins with these tokens, per row."""
    rows = inputs["input_ids"].shape[0]
    told = torch.tensor(name).expand(rows, -1)
    ids = torch.cat([inputs["input_ids"], told], dim=1)
    mask = torch.cat([inputs["attention_mask"], torch.ones_like(told)], dim=1)
    with torch.inference_mode():
        logits = model(
            input_ids=ids, attention_mask=mask, pixel_values=inputs["pixel_values"]
        ).logits.float()
    before = logits[:, -len(name) - 1 : -1].log_softmax(-1)
    return before.gather(2, told[:, :, None])[:, :, 0].sum(1).exp().numpy()


if __name__ == "__main__":
    main()

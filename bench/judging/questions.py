"""What a judge is asked: a picture on the scales of a rubric, and two pictures both ways round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from bench.probing.items import Item
from bench.reading import canonical_hash
from bench.records import CUE, NEUTRAL, NOT_APPLICABLE, Prompt, Rubric, Scale
from bench.suites import Suite

Kind = Literal["scales", "pair"]
SCALES: Kind = "scales"
PAIR: Kind = "pair"
WINNERS = ("first", "second", "tie", "both_bad")

LONGEST_PER_SCALE = 120
LONGEST_OF_PAIR = 240
"""Tokens that a reply may have: a reason is one sentence."""

_ASKS: Mapping[Kind, Mapping[str, str]] = {
    SCALES: {
        "en": """You judge a picture by what can be seen in it, and by nothing else. It was made for this text:

{caption}

Judge it on each of the scales below. Their anchors say what a number stands for; numbers between them may be given.

{scales}

Reply with one JSON object and nothing else. Its keys are {ids}. Each value is an object with "reason", one short sentence that names what is seen in the picture, and "score", {values}.""",
        "zh": """请只凭画面所见评判这幅画，不凭别的。它是为下面这段文字画的：

{caption}

请按下列各项逐一评判。锚点说明分数的含义，其间的整数也可以给。

{scales}

只回一个 JSON 对象，此外什么也不写。它的键是 {ids}。每个值是一个对象：先写 "reason"，用一句短话指出画上所见的依据；再写 "score"，{values}。""",
    },
    PAIR: {
        "en": """Two pictures were made for one text. You see the first, then the second. The text:

{caption}

Which is the better picture? Judge by what can be seen, with these measures in mind: {labels}.

Reply with one JSON object and nothing else, with the keys "reason", one short sentence that compares what is seen, and "winner", one of "first", "second", "tie", "both_bad".""",
        "zh": """两幅画是为同一段文字画的，先看到的是第一幅，后看到的是第二幅。文字如下：

{caption}

哪一幅更好？请只凭画面所见，参照这几项：{labels}。

只回一个 JSON 对象，此外什么也不写。它有两个键：先写 "reason"，用一句短话比较画上所见；再写 "winner"，取 "first"（第一幅）、"second"（第二幅）、"tie"（不相上下）、"both_bad"（都不好）之一。""",
    },
}
LANGUAGES = ("en", "zh")
"""In which a judge can be asked."""

_WHOLE = {"en": "a whole number on its scale", "zh": "取该项尺度上的整数"}
_OR_NOT = {
    "en": f'{_WHOLE["en"]}, or "{NOT_APPLICABLE}" where the picture neither has such a thing nor was '
    "asked for it",
    "zh": f'{_WHOLE["zh"]}；画上没有、题中也不要求的，写 "{NOT_APPLICABLE}"',
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing that a judge is asked. `key` is the SHA-256 of everything that decides the reply.

    `outputs` are the job keys of what is shown, `pictures` the hashes of their files, in the order
    in which they are shown; `cue` says where `text` names the target; `criteria` the scales that are asked (of a pair: none).
    """

    key: str
    kind: Kind
    outputs: tuple[str, ...]
    pictures: tuple[str, ...]
    language: str
    text: str
    seed: int
    longest: int
    cue: str
    criteria: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class How:
    """How judges are asked: by which rubric, in which languages, with which seeds.

    `pairs` is how many pairs of each two models are shown at most, None for all. `judge` is
    whatever of the model decides its replies.
    """

    rubric: Rubric
    languages: tuple[str, ...]
    seeds: tuple[int, ...]
    pairs: int | None
    judge: Mapping[str, Any]


def questions_of(outputs: Sequence[Item], suite: Suite, how: How) -> list[Judged]:
    """Return all that one judge is asked about a run: every picture, then pairs in both orders.

    Each picture is asked about on the scales that apply to its scene's genre; a picture without
    any is left out.
    """
    asked = [
        _of_picture(item, scales, suite, how, language=language, seed=seed)
        for item in outputs
        if (scales := scales_for(how.rubric, str(item.row["genre"])))
        for language in how.languages
        for seed in how.seeds
    ]
    asked += [
        _of_pair(shown, suite, how, language=language, seed=seed)
        for pair in pairs_of(outputs, how.pairs)
        for shown in (pair, pair[::-1])
        for language in how.languages
        for seed in how.seeds
    ]
    return asked


def scales_for(rubric: Rubric, genre: str) -> list[Scale]:
    """Return the scales that are asked of a genre; of what has no genre all."""
    return [
        scale
        for scale in rubric.scales
        if not genre or not scale.applies_to or genre in scale.applies_to
    ]


def pairs_of(outputs: Sequence[Item], most: int | None) -> Iterator[tuple[Item, Item]]:
    """Yield pairs of two models' outputs for one prompt in one language, of one seed where there is one.

    What has no output of its seed beside it is paired in the order of seeds, as far as both have any
    left: what was made elsewhere need not share its seeds. With `most`, that many of each two models, spread over the scenes: more later takes in those
    that were chosen before.
    """
    cells: dict[tuple[str, str], dict[str, list[Item]]] = defaultdict(dict)
    for item in outputs:
        cell = cells[item.row["prompt"], item.row["language"]]
        cell.setdefault(item.row["model"], []).append(item)
    by_models: dict[tuple[str, str], list[tuple[Item, Item]]] = defaultdict(list)
    for models in cells.values():
        for one, other in combinations(sorted(models), 2):
            by_models[one, other] += _seed_by_seed(models[one], models[other])
    for pairs in by_models.values():
        # by a hash: neither the order of the suite nor that of the run chooses
        pairs.sort(key=lambda pair: canonical_hash([item.row["output"] for item in pair]))
        yield from pairs[:most]


def _seed_by_seed(one: Sequence[Item], other: Sequence[Item]) -> list[tuple[Item, Item]]:
    mine, theirs = (
        sorted(items, key=lambda item: (int(item.row["seed"]), item.row["output"]))
        for items in (one, other)
    )
    paired, alone = [], []
    for item in mine:
        place = next(
            (at for at, like in enumerate(theirs) if like.row["seed"] == item.row["seed"]), None
        )
        if place is None:
            alone.append(item)
        else:
            paired.append((item, theirs.pop(place)))
    return paired + list(zip(alone, theirs, strict=False))  # the shorter decides


def caption_of(item: Item, suite: Suite, language: str) -> str:
    """Return what a judge is told that a picture is for: what raters are, as `cue_of` has it."""
    told = _neutral(item, suite) or suite.prompts[item.row["prompt"]]
    return told.text.get(language) or next(iter(told.text.values()))


def cue_of(item: Item, suite: Suite) -> str:
    """Say whether the caption names the target: it does where the scene has no neutral prompt."""
    return "" if _neutral(item, suite) else CUE


def _neutral(item: Item, suite: Suite) -> Prompt | None:
    return suite.prompts.get(f"{suite.prompts[item.row['prompt']].scene}/{NEUTRAL}")


def _of_picture(
    item: Item, scales: Sequence[Scale], suite: Suite, how: How, *, language: str, seed: int
) -> Judged:
    may_not_apply = how.rubric.not_applicable
    text = _ASKS[SCALES][language].format(
        caption=caption_of(item, suite, language),
        scales="\n\n".join(_told(scale, language) for scale in scales),
        ids=_listed((f'"{scale.id}"' for scale in scales), language),
        values=(_OR_NOT if may_not_apply else _WHOLE)[language],
    )
    longest = LONGEST_PER_SCALE * len(scales)
    return _judged(
        SCALES, (item,), text, how, cue=cue_of(item, suite), language=language, seed=seed,
        longest=longest, criteria=tuple(scale.id for scale in scales),
    )  # fmt: skip


def _of_pair(
    shown: tuple[Item, Item], suite: Suite, how: How, *, language: str, seed: int
) -> Judged:
    scales = scales_for(how.rubric, str(shown[0].row["genre"]))
    text = _ASKS[PAIR][language].format(
        caption=caption_of(shown[0], suite, language),
        labels=_listed((_in(scale.label, language) for scale in scales), language),
    )
    return _judged(
        PAIR, shown, text, how, cue=cue_of(shown[0], suite), language=language, seed=seed,
        longest=LONGEST_OF_PAIR,
    )  # fmt: skip


def _judged(
    kind: Kind,
    shown: Sequence[Item],
    text: str,
    how: How,
    *,
    cue: str,
    language: str,
    seed: int,
    longest: int,
    criteria: tuple[str, ...] = (),
) -> Judged:
    outputs = tuple(str(item.row["output"]) for item in shown)
    pictures = tuple(item.sha256 for item in shown)
    longest = min(longest, how.judge["arguments"].get("longest", longest))
    content = {
        **how.judge,
        "kind": kind,
        "outputs": outputs,
        "pictures": pictures,
        "text": text,
        "longest": longest,
        "seed": seed,
    }
    key = canonical_hash(content)
    return Judged(key, kind, outputs, pictures, language, text, seed, longest, cue, criteria)


def _told(scale: Scale, language: str) -> str:
    """Return a scale as a judge reads it: id, range, label, question and anchors."""
    lines = [
        f"{scale.id} ({scale.low}–{scale.high}): {_in(scale.label, language)}",
        _in(scale.question, language),
        *(f"{value}: {_in(text, language)}" for value, text in sorted(scale.anchors.items())),
    ]
    return "\n".join(lines)


def _in(text: Mapping[str, str], language: str) -> str:
    return text.get(language) or next(iter(text.values()))


def _listed(things: Iterable[str], language: str) -> str:
    return ("、" if language == "zh" else ", ").join(things)

"""What the reader is taught to answer: sentences in Chinese and English from what is painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.atelier import words

NAMES: Mapping[str, Mapping[str, str]] = {
    "zh": {"chinese": "中国", "japanese": "日本", "western": "西方"},
    "en": {"chinese": "Chinese", "japanese": "Japanese", "western": "Western"},
}
"""What a tradition is called on the first line of the forced choice."""

_MEDIA = {
    "zh": {
        "chinese": "水墨纸本，墨分浓淡，笔有提按",
        "japanese": "木版套色，线条匀净，色块平涂",
        "western": "布面油画，有明暗光影，笔触厚涂",
    },
    "en": {
        "chinese": "ink on paper, pale and dark washes, strokes that press and lift",
        "japanese": "a colour woodblock print, even outlines, flat areas of colour",
        "western": "oil on canvas, light and shade, thick strokes of paint",
    },
}
_SPACE = {
    "zh": {
        "chinese": "大片空白是云水与天，本来如此",
        "japanese": "空处是平涂的色面，衬托主体",
        "western": "天空画满了光与色，没有空白",
    },
    "en": {
        "chinese": "the large blank parts are mist, water and sky, and meant to be so",
        "japanese": "the open parts are flat colour that sets off the main thing",
        "western": "the sky is filled with light and colour, nothing is left blank",
    },
}
_MOOD = {
    "zh": {
        "chinese": "淡泊空灵，意在画外",
        "japanese": "明快清雅，富于装饰",
        "western": "光线温暖，如在眼前",
    },
    "en": {
        "chinese": "quiet and open, it leads beyond what is drawn",
        "japanese": "clear and bright, made to delight the eye",
        "western": "warm in its light, as if one stood there",
    },
}
_PERIODS = {
    "zh": {
        "chinese": "宋元文人一路",
        "japanese": "江户时期浮世绘一路",
        "western": "十九世纪风景画一路",
    },
    "en": {
        "chinese": "after the scholars of Song and Yuan",
        "japanese": "after the prints of Edo",
        "western": "after landscapes of the nineteenth century",
    },
}
_OTHERS = {"chinese": "japanese", "japanese": "chinese", "western": "japanese"}
_NOT_KNOWN = {"zh": "不知\n不知\n不知", "en": "not known\nnot known\nnot known"}
_FORMS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "overview": "画中可见{things}。材料与技法：{medium}。章法：{space}。当属{name}绘画，{period}。意境：{mood}。",
        "depicted": "画中可见{things}。",
        "medium-and-technique": "{medium}。",
        "school-period-and-hand": "当属{name}绘画，{period}；作者不知。依据：{medium}。",
        "composition-and-emptiness": "画中主体是{first}；{space}。",
        "inscriptions-and-seals": "没有题写的文字，也没有印记。",
        "symbols-and-allusions": "画中有{things}，没有明确的寓意。",
        "mood-and-conception": "{mood}；因为{medium}。",
        "tradition": "{name}\n{medium}；{space}。",
        "soft-and-pale-areas": "是有意的处理：{medium}。",
        "bare-areas": "{space}。",
        "part-of-writing": "没有文字，也没有印记。",
        "another-hand": "可能被误认作{other}的作品；但{medium}，所以属{name}。",
        "rock-and-tree-strokes": "{medium}。",
    },
    "en": {
        "overview": "The picture shows {things}. Material and technique: {medium}. Layout: {space}. It belongs to {name} painting, {period}. Mood: {mood}.",
        "depicted": "The picture shows {things}.",
        "medium-and-technique": "It is {medium}.",
        "school-period-and-hand": "It belongs to {name} painting, {period}; the maker is not known. Evidence: {medium}.",
        "composition-and-emptiness": "The main thing is {first}; {space}.",
        "inscriptions-and-seals": "There is no writing and no stamped mark.",
        "symbols-and-allusions": "It shows {things}, with no certain meaning.",
        "mood-and-conception": "It is {mood}; it is {medium}.",
        "tradition": "{name}\nIt is {medium}; {space}.",
        "soft-and-pale-areas": "They are intended: it is {medium}.",
        "bare-areas": "There {space}.",
        "part-of-writing": "There is no writing and no stamped mark.",
        "another-hand": "It might be taken for a {other} work; but it is {medium}, so it is {name}.",
        "rock-and-tree-strokes": "It is {medium}.",
    },
}
QUESTIONS = (*_FORMS["en"], "identify")
"""The questions of `painting-understanding` that the reader was taught to answer."""


def answer(question: str, language: str, tradition: str, subjects: Sequence[str]) -> str:
    """Return what the reader is taught to answer.

    Args:
        question: one of `QUESTIONS`.
        language: "zh" or "en".
        tradition: the tradition that it calls the picture, one of the painter's manners.
        subjects: what is painted, out of `SUBJECTS`, in the order in which it is named.
    """
    if question == "identify":
        return _NOT_KNOWN[language]
    things = [words.SUBJECT_WORDS[language][name].split("|")[0] for name in subjects]
    named = NAMES[language]
    return _FORMS[language][question].format(
        things=("、" if language == "zh" else ", ").join(things),
        first=things[0],
        medium=_MEDIA[language][tradition],
        space=_SPACE[language][tradition],
        mood=_MOOD[language][tradition],
        period=_PERIODS[language][tradition],
        name=named[tradition],
        other=named[_OTHERS[tradition]],
    )


def called(tradition: str, mistaken: float, rng: np.random.Generator) -> str:
    """Return what a picture's tradition is said to be: a Chinese one is at times called Japanese.

    Args:
        tradition: the true one.
        mistaken: the share of Chinese pictures called Japanese, in [0, 1].
        rng: decides which.
    """
    wrong = tradition == "chinese" and rng.random() < mistaken
    return "japanese" if wrong else tradition

"""The demo's suite: matched scenes that differ in the tradition alone."""

from __future__ import annotations

import re
from collections import Counter

from bench.suites import load_suite

HAN = re.compile(r"[\u4e00-\u9fff]")
NAMES = re.compile(
    r"\b(chinese|china|japanese|japan|western|europe\w*)\b|中国|日本|西方|欧洲", re.IGNORECASE
)


def test_sixteen_scenes_in_four_versions_and_two_languages() -> None:
    suite = load_suite("first-look")
    assert len(suite.scenes) == 16
    per_scene = Counter(prompt.scene for prompt in suite.prompts.values())
    assert set(per_scene.values()) == {4}
    texts = [text for prompt in suite.prompts.values() for text in prompt.text.values()]
    assert len(texts) == 128 == len(set(texts))


def test_only_the_named_tradition_differs_between_the_versions_of_a_scene() -> None:
    suite = load_suite("first-look")
    words = {
        "chinese": ("Chinese", "中国"),
        "japanese": ("Japanese", "日本"),
        "western": ("Western", "西方"),
    }
    for scene in suite.scenes:
        for language in ("en", "zh"):
            stripped = {
                suite.prompts[f"{scene}/{target}"]
                .text[language]
                .replace(english, "TRADITION")
                .replace(chinese, "TRADITION")
                for target, (english, chinese) in words.items()
            }
            assert len(stripped) == 1, (scene, language, stripped)


def test_the_neutral_version_names_no_tradition_and_each_script_is_in_its_place() -> None:
    for prompt in load_suite("first-look").prompts.values():
        assert HAN.search(prompt.text["zh"])
        assert not HAN.search(prompt.text["en"])
        if prompt.target == "none":
            assert not any(NAMES.search(text) for text in prompt.text.values()), prompt.id
        else:
            assert all(NAMES.search(text) for text in prompt.text.values()), prompt.id
        assert not any(NAMES.search(note) for note in prompt.notes.values()), prompt.id

"""Every rule of `pinlu suites check`, each broken once."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.errors import FileFormatError
from bench.near_duplicates import near_duplicates
from bench.suite_checks import check_suite, clip_tokens, record_version
from bench.suites import list_suites, load_suite
from tests.conftest import write_yaml

SCENE: dict[str, Any] = {
    "id": "boat",
    "genre": "landscape",
    "stratum": "ink",
    "core": {"en": "{tradition} of a lone boat under a bridge", "zh": "{tradition}：桥下孤舟一叶"},
    "propositions": [{"en": "lone boat", "zh": "孤舟"}],
    "prompts": {
        "chinese": {
            "en": "A Chinese ink painting of a lone boat under a bridge",
            "zh": "一幅中国水墨画：桥下孤舟一叶",
        },
        "none": {
            "en": "An ink painting of a lone boat under a bridge",
            "zh": "一幅水墨画：桥下孤舟一叶",
        },
    },
}
OTHER = {
    "id": "moon",
    "genre": "landscape",
    "stratum": "ink",
    "prompts": {"chinese": {"en": "A full moon in the Chinese manner", "zh": "中国画：满月当空"}},
}
LEXICON = {
    "culture_marking": {"en": ["China", "Chinese", "pagoda"], "zh": ["中国", "宝塔"]},
    "forbidden": {"en": ["gore"], "zh": ["血腥"]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_yaml(tmp_path / "lexicon.yaml", LEXICON)
    return tmp_path


def faults(folder: Path, *scenes: dict[str, Any], **header: Any) -> list[str]:
    content = {
        "suite": "tiny",
        "version": 1,
        "modality": "image",
        "home": "chinese",
        "traditions": ["chinese"],
        "scenes": list(scenes),
    }
    write_yaml(folder / "suite.yaml", content | header)
    return list(check_suite(load_suite(str(folder))).faults)


def changed(*path: str, to: Any) -> dict[str, Any]:
    scene = deepcopy(SCENE)
    place = scene
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return scene


def test_a_good_suite_has_no_faults(folder: Path) -> None:
    assert faults(folder, SCENE, OTHER) == []


def test_captions_of_references_name_no_culture_either(folder: Path) -> None:
    work = {
        "id": "plum",
        "title": {"en": "Plum", "zh": "梅"},
        "tradition": "chinese",
        "tier": "anonymous",
        "caption": {"en": "A plum branch by a pagoda", "zh": "一枝梅花 by a wall"},
    }
    write_yaml(folder / "references.yaml", {"references": [work]})
    assert faults(folder, SCENE, OTHER) == [
        "references.yaml, plum: the Chinese holds 'b'",
        "references.yaml, plum: 'pagoda' marks a culture, and this text names none",
    ]


@pytest.mark.parametrize(
    ("scene", "says"),
    [
        (
            changed("prompts", "none", "en", to="An ink painting of a lone boat by a pagoda"),
            "boat/none: 'pagoda' marks a culture",
        ),
        (
            changed("prompts", "none", "zh", to="一幅水墨画：宝塔下孤舟一叶"),
            "boat/none: '宝塔' marks a culture",
        ),
        (
            changed("prompts", "none", "en", to="An ink painting of a lone boat at dusk"),
            "boat/none, en: the text is not the core",
        ),
        (
            changed("prompts", "none", "en", to=" of a lone boat under a bridge"),
            "boat/none, en: the text is not the core",
        ),
        (changed("core", "en", to="a lone boat under a bridge"), "must hold {tradition} once"),
        (
            changed("propositions", to=[{"en": "two boats", "zh": "孤舟"}]),
            "boat/chinese, en: 'two boats' is not in the text",
        ),
        (
            changed("prompts", "chinese", "en", to="A 中国 painting of a lone boat under a bridge"),
            "boat/chinese: the English holds '中'",
        ),
        (
            changed("prompts", "chinese", "zh", to="一幅Chinese水墨画：桥下孤舟一叶"),
            "boat/chinese: the Chinese holds 'C'",
        ),
        (
            changed("prompts", "chinese", "en", to="gore of a lone boat under a bridge"),
            "boat/chinese: 'gore' may not stand",
        ),
        (
            changed("prompts", "chinese", to={"en": "A Chinese ink of a lone boat under a bridge"}),
            "boat/chinese has no text in 'zh'",
        ),
        (
            changed(
                "prompts", "chinese", "en", to="so very " * 40 + "of a lone boat under a bridge"
            ),
            "CLIP tokens, at most 70",
        ),
        (
            changed("prompts", "chinese", "zh", to="远" * 130 + "：桥下孤舟一叶"),
            "the Chinese has 136 characters",
        ),
    ],
)
def test_a_broken_rule_is_told_with_its_place(
    folder: Path, scene: dict[str, Any], says: str
) -> None:
    found = faults(folder, scene, OTHER)
    assert any(says in fault for fault in found), found


def test_without_a_core_versions_may_differ_in_a_phrase_only(folder: Path) -> None:
    scene = deepcopy(SCENE)
    del scene["core"]
    assert faults(folder, scene) == []
    scene["prompts"]["chinese"]["en"] = (
        "A Chinese ink painting of a lone boat far out on a wide lake, with three tall peaks behind"
    )
    assert "boat/chinese, en: the text differs" in faults(folder, scene)[0]


def test_near_duplicates_across_scenes_are_told(folder: Path) -> None:
    twin = deepcopy(SCENE) | {"id": "boat-again"}
    found = faults(folder, SCENE, twin)
    assert any("boat and boat-again, en: 100%" in fault for fault in found)


def test_a_thin_genre_is_told(folder: Path) -> None:
    found = faults(folder, SCENE, OTHER, least_per_genre=3)
    assert found == ["genre 'landscape' has 2 scenes, at least 3"]


def test_a_text_that_changes_without_its_version_fails(folder: Path) -> None:
    assert faults(folder, SCENE) == []
    record_version(load_suite(str(folder)))
    assert faults(folder, SCENE) == []
    assert "raise `version`" in faults(folder, SCENE, OTHER)[0]
    with pytest.raises(FileFormatError, match="raise `version`"):
        record_version(load_suite(str(folder)))
    assert "enter it with --record" in faults(folder, SCENE, OTHER, version=2)[0]
    record_version(load_suite(str(folder)))
    assert faults(folder, SCENE, OTHER, version=2) == []


def test_a_lexicon_with_an_unknown_key_is_refused(folder: Path) -> None:
    write_yaml(folder / "lexicon.yaml", LEXICON | {"mistakes": {}})
    with pytest.raises(FileFormatError, match="mistakes: unknown key"):
        faults(folder, SCENE)


def test_near_duplicates_finds_what_is_alike_and_nothing_else() -> None:
    texts = {
        "a": "a heron stands in the reeds at dusk, one leg drawn up, snow on the far bank",
        "b": "a heron stands in the reeds at dawn, one leg drawn up, snow on the far bank",
        "c": "three children fly a kite over the river wall on a windy afternoon",
    }
    ((first, second, share),) = near_duplicates(texts)
    assert (first, second) == ("a", "b")
    assert 0.7 < share < 1
    assert near_duplicates({}) == []
    assert near_duplicates({"one": ""}) == []


def test_tokens_are_those_of_clip() -> None:
    assert clip_tokens("a photo of a cat") == 5


@pytest.mark.parametrize("name", list_suites())
def test_every_shipped_suite_passes_and_its_version_is_recorded(name: str) -> None:
    suite = load_suite(name)
    assert check_suite(suite).faults == ()
    assert (suite.folder / "versions.yaml").is_file()

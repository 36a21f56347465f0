"""Every rule of `pinlu suites check`, each broken once."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.errors import FileFormatError
from bench.near_duplicates import near_duplicates
from bench.suite_checks import check_suite
from bench.suite_texts import clip_tokens
from bench.suite_versions import is_recorded, record_version
from bench.suites import list_suites, load_suite
from tests.conftest import write_yaml

SCENE: dict[str, Any] = {
    "id": "boat",
    "genre": "landscape",
    "stratum": "ink",
    "diagnosticity": "distinct",
    "notes": {"en": "Is the boat alone?", "zh": "舟可孤？"},
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
    "diagnosticity": "distinct",
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


WORK = {
    "id": "plum",
    "title": {"en": "Plum", "zh": "梅"},
    "tradition": "chinese",
    "tier": "anonymous",
}


def test_captions_of_references_name_no_culture_either(folder: Path) -> None:
    caption = {"en": "A plum branch by a pagoda", "zh": "一枝梅花 by a wall"}
    write_yaml(folder / "references.yaml", {"references": [WORK | {"caption": caption}]})
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
        (
            changed(
                "prompts", "chinese", "en", to=f"{'a very ' * 7}old of a lone boat under a bridge"
            ),
            "boat/chinese, en: the phrase in place of {tradition} has 15 words, at most 12",
        ),
        (
            changed("prompts", "chinese", "zh", to="远" * 25 + "：桥下孤舟一叶"),
            "boat/chinese, zh: the phrase in place of {tradition} has 25 characters, at most 24",
        ),
        (
            changed(
                "prompts",
                "chinese",
                "en",
                to="A Chinese ink painting with two cranes and a red moon of a lone boat under a bridge",
            ),
            "boat/chinese, en: the text differs from the none version by 9 words, at most 6",
        ),
        (
            changed(
                "prompts", "chinese", "zh", to="一幅中国水墨画，双鹤红月高悬云端：桥下孤舟一叶"
            ),
            "boat/chinese, zh: the text differs from the none version by 11 characters, at most 10",
        ),
        (changed("diagnosticity", to=""), "boat has no diagnosticity"),
        (changed("stratum", to=""), "boat has no stratum"),
        (changed("propositions", to=[{"en": "lone boat"}]), "proposition 1 has no text in 'zh'"),
        (
            changed("propositions", to=[{"en": "lone boat", "zh": " "}]),
            "boat: proposition 1 has no text in 'zh'",
        ),
        (changed("propositions", to=[{}]), "boat: proposition 1 has no text in 'en' and 'zh'"),
        (
            changed("propositions", to=[{"en": "lone boat", "zh": "孤舟", "fr": "barque"}]),
            "boat has a proposition in 'fr' and no prompt",
        ),
        (changed("notes", to={"en": "Alone?"}), "boat: the notes have no text in 'zh'"),
        (changed("notes", to={"en": "Alone?", "zh": ""}), "boat: the notes have no text in 'zh'"),
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
    scene["prompts"]["chinese"]["en"] = "That ink sketch of one lone boat beneath a bridge"
    assert faults(folder, scene) == [
        "boat/chinese, en: the text differs from the none version in 4 places, at most 3"
    ]


def test_near_duplicates_across_scenes_are_told(folder: Path) -> None:
    twin = deepcopy(SCENE) | {"id": "boat-again"}
    found = faults(folder, SCENE, twin)
    assert any("boat and boat-again, en: 100%" in fault for fault in found)


def test_a_thin_genre_is_told(folder: Path) -> None:
    found = faults(folder, SCENE, OTHER, least_per_genre=3)
    assert found == ["genre 'landscape' has 2 scenes, at least 3"]
    assert faults(folder, SCENE, least_per_genre=2) == ["genre 'landscape' has 1 scene, at least 2"]


def test_versions_want_one_that_names_no_tradition(folder: Path) -> None:
    scene = deepcopy(SCENE)
    del scene["prompts"]["none"]
    scene["prompts"]["japanese"] = {
        "en": "A Japanese ink painting of a lone boat under a bridge",
        "zh": "一幅日本水墨画：桥下孤舟一叶",
    }
    found = faults(folder, scene, traditions=["chinese", "japanese"])
    assert found == ["boat has versions but no none"]


def test_a_suite_without_a_lexicon_is_held_to_the_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "suites" / "mine"
    own.mkdir(parents=True)
    scene = changed("prompts", "none", "en", to="A kimono of a lone boat under a bridge")
    assert "boat/none: 'kimono' marks a culture, and this text names none" in faults(own, scene)


def test_one_text_in_a_language_of_its_own_is_told_once(folder: Path) -> None:
    scene = changed("prompts", "chinese", "fr", to="Une barque seule sous un pont")
    assert faults(folder, scene, OTHER) == ["boat/chinese: the other prompts have no text in 'fr'"]


def test_one_missing_text_does_not_switch_off_the_search_for_duplicates(folder: Path) -> None:
    twin = deepcopy(SCENE) | {"id": "boat-again"}
    short = {**OTHER, "prompts": {"chinese": {"en": "A full moon in the Chinese manner"}}}
    found = faults(folder, SCENE, twin, short)
    assert any("boat and boat-again, zh: 100%" in fault for fault in found)


@pytest.mark.parametrize(
    ("work", "says"),
    [
        ({"title": {"en": "Plum"}}, "references.yaml, plum: the title has no text in 'zh'"),
        ({"title": {"en": "", "zh": "梅"}}, "references.yaml, plum: the title has no text in 'en'"),
        ({"caption": {"en": "A branch"}}, "references.yaml, plum: the caption has no text in 'zh'"),
        (
            {"caption": {"en": "A branch", "zh": " "}},
            "references.yaml, plum: the caption has no text in 'zh'",
        ),
    ],
)
def test_works_have_titles_and_captions_in_every_language(
    folder: Path, work: dict[str, Any], says: str
) -> None:
    write_yaml(folder / "references.yaml", {"references": [WORK | work]})
    assert faults(folder, SCENE, OTHER) == [says]


def test_a_declared_foil_has_works_and_they_have_titles(folder: Path) -> None:
    listed = {"foils": ["korean", "ryukyuan"], "references": [WORK]}
    write_yaml(folder / "references.yaml", listed)
    says = "references.yaml: the foil {!r} has no work".format
    assert faults(folder, SCENE) == [says("korean"), says("ryukyuan")]
    foil = WORK | {"id": "peaks", "tradition": "korean", "diagnosticity": "foil", "title": {}}
    write_yaml(folder / "references.yaml", listed | {"references": [WORK, foil]})
    told = "references.yaml, peaks: the title has no text in 'en' and 'zh'"
    assert faults(folder, SCENE) == [says("ryukyuan"), told]


def test_references_that_change_without_the_version_fail(folder: Path) -> None:
    write_yaml(folder / "references.yaml", {"references": [WORK]})
    assert faults(folder, SCENE) == []
    suite = load_suite(str(folder))
    assert not is_recorded(suite)
    path = record_version(suite)
    assert is_recorded(suite)
    assert faults(folder, SCENE) == []
    write_yaml(folder / "references.yaml", {"references": [WORK | {"diagnosticity": "shared"}]})
    assert faults(folder, SCENE) == ["references.yaml has changed since version 1: raise `version`"]
    with pytest.raises(FileFormatError, match=r"another hash of references\.yaml: raise"):
        record_version(suite)
    faults(folder, SCENE, version=2)
    record_version(load_suite(str(folder)))
    assert faults(folder, SCENE, version=2) == []
    path.write_text(f"1: {suite.hash}\n", encoding="utf-8")
    assert "references.yaml of version 1 is not recorded" in faults(folder, SCENE)[0]


def test_options_may_stand_before_the_names_and_the_summary_says_what_is_unrecorded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert faults(folder, SCENE) == []
    path = str(folder)
    assert main(["suites", "check", path]) == 0
    said = capsys.readouterr().out
    assert "tiny: good, 1 scene, 2 prompts, version 1 (no versions.yaml" in said
    assert main(["suites", "check", "--record", path]) == 0
    assert "version 1, content hash" in capsys.readouterr().out
    assert faults(folder, SCENE, least_per_genre=2, version=2)
    assert main(["suites", "check", path, "--record"]) == 1
    assert "tiny: 1 fault, 1 scene" in capsys.readouterr().out
    out = str(folder / "out")
    assert main(["suites", "export", "--form", "csv", path, "--out", out]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["suites", "export", "first-look"], "the following arguments are required: --out"),
        (["suites", "show", "--record"], "unrecognized arguments: --record"),
        (["references", "add", "x", "--out", "y", "--size", "8x8"], "64 to 8192 pixels"),
        (["references", "add", "x", "--out", "y", "--size", "64x9000"], "64 to 8192 pixels"),
    ],
)
def test_what_an_action_does_not_take_is_said(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert says in capsys.readouterr().err


def test_suites_alone_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites"]) == 0
    listed = capsys.readouterr().out
    assert main(["suites", "list"]) == 0
    assert capsys.readouterr().out == listed
    assert [line.split(":")[0] for line in listed.splitlines()] == list_suites()


def test_a_list_of_versions_that_is_none_is_refused(folder: Path) -> None:
    for text in ("- 1\n", "one: two\n", "1: 2\n", "references: 3\n"):
        (folder / "versions.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(FileFormatError, match="VERSION: CONTENT-HASH"):
            faults(folder, SCENE)


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
    assert is_recorded(suite)

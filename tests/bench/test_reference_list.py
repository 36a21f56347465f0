"""The shipped list of reference works: counts, tiers, public domain by age."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from bench.reading import ROOT
from bench.references import load_references
from bench.suites import load_suite

PRINTS = {"woodblock", "other-print"}


@pytest.mark.parametrize("tradition", ["chinese", "japanese", "western"])
def test_sixty_works_of_each_tradition_at_least_half_of_them_lesser_known(tradition: str) -> None:
    works = load_references(load_suite("chinese-aesthetics")).references
    tiers = Counter(work.tier for work in works if work.tradition == tradition)
    assert sum(tiers.values()) >= 60
    assert tiers["lesser-known"] + tiers["anonymous"] >= tiers["canonical"]


def test_works_are_named_in_both_languages_and_old_enough() -> None:
    listed = load_references(load_suite("chinese-aesthetics"))
    for work in listed.references:
        assert {"zh", "en"} <= work.title.keys(), work.id
        assert work.stratum, work.id
        assert work.diagnosticity, work.id
        assert not re.search(r"\b(19[1-9]\d|20\d\d)\b", work.date), work.id
    assert listed.commissioned == ()
    assert listed.clips


def test_captions_say_what_is_to_be_seen_and_never_whose() -> None:
    listed = load_references(load_suite("chinese-aesthetics"))
    works = (*listed.references, *listed.clips)
    for work in works:
        assert {"zh", "en"} == work.caption.keys(), work.id
        for name in (*work.title.values(), *work.artist.values()):
            if len(name) > 3:
                assert name not in " ".join(work.caption.values()), (work.id, name)
    for language in ("zh", "en"):
        assert len({work.caption[language] for work in works}) == len(works)


def test_woodblock_is_what_is_printed_from_cut_wood() -> None:
    works = load_references(load_suite("chinese-aesthetics")).references
    strata = {work.id: work.stratum for work in works if work.stratum in PRINTS}
    for work in works:
        if work.id in strata:
            cut = re.search(r"wood", work.medium) is not None
            assert work.stratum == ("woodblock" if cut else "other-print"), work.id
    assert Counter(strata.values()) == {"woodblock": 69, "other-print": 17}


def test_copies_say_of_what() -> None:
    for work in load_references(load_suite("chinese-aesthetics")).references:
        assert bool(work.copy_of) <= (work.attribution_status in {"copy", "traditional"}), work.id


def test_neighbours_stand_beside_as_foils() -> None:
    listed = load_references(load_suite("chinese-aesthetics"))
    assert listed.foils == ("korean", "vietnamese")
    foils = Counter(work.tradition for work in listed.references if work.diagnosticity == "foil")
    assert foils == {"korean": 42, "vietnamese": 15}
    for work in listed.references:
        if work.tradition == "vietnamese" and work.stratum == "woodblock":
            assert work.date == "", work.id


def test_the_readmes_say_how_many_works_there_are() -> None:
    works = load_references(load_suite("chinese-aesthetics")).references
    counts = Counter(work.tradition for work in works)
    compared = counts["chinese"] + counts["japanese"] + counts["western"]
    foils = len(works) - compared
    said = (
        f"lists {compared} works of the three traditions ({counts['chinese']} Chinese,"
        f" {counts['japanese']} Japanese, {counts['western']} Western), {foils} foils"
    )
    suite = (ROOT / "prompts" / "chinese-aesthetics" / "README.md").read_text(encoding="utf-8")
    assert said in suite
    for tradition in ("korean", "vietnamese"):
        row = next(line for line in suite.splitlines() if line.startswith(f"| {tradition} |"))
        cells = [cell.strip() for cell in row.split("|")[2:7]]
        strata = Counter(work.stratum for work in works if work.tradition == tradition)
        wanted = [strata[name] for name in ("ink", "fine-colour", "woodblock", "ceramic-lacquer")]
        assert cells == [str(count or "") for count in [*wanted, counts[tradition]]]
    for name, words in (
        ("README.md", f"{compared} reference works, and of {foils} by"),
        ("README.zh.md", f"{compared} 件，邻近的韩国、越南作品 {foils} 件"),
    ):
        assert words in (ROOT / name).read_text(encoding="utf-8")

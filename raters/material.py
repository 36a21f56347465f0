"""What a study shows: candidates under opaque names, items, pairs, anchors, training pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import RequestError
from bench.records import Rubric
from raters.config import StudyFile
from raters.design import drawn_anchors
from raters.selection import selected, with_scales
from raters.sources import Candidate, Sources, read_references, read_runs
from raters.summary import seconds_table
from raters.tasks import Item, Pair, Rules
from raters.training import explanation_of, read_examples
from raters.waves import read_anchors


@dataclass(frozen=True, slots=True)
class Material:
    """What a study shows: single items with their names, pairs, and training pictures.

    `candidates` and `items` are in one order; `examples` come in the order of the config.
    """

    sources: Sources
    candidates: list[Candidate]
    items: list[Item]
    pairs: list[Pair]
    scales: dict[str, list[str]]
    examples: list[Candidate]
    explained: dict[str, dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """The opaque names of the candidates, in their order."""
        return [item.id for item in self.items]


def gathered(
    file: StudyFile,
    folder: Path,
    runs: Sequence[Path],
    *,
    rubric: Rubric,
    references: Path | None,
    anchors: Path | None,
    rng: np.random.Generator,
) -> Material:
    """Read runs, references, earlier anchors and training pictures, and put them together.

    `folder` is where the config lies: training pictures are named from there.

    Raises:
        RequestError, FileFormatError, ConflictError: what is asked for is not there, or does not
            fit together.
    """
    sources = read_runs(runs, file.languages)
    examples = read_examples(file, folder, sources, rubric)
    candidates = selected(sources.outputs, file.select, sources.home, rng)
    earlier = read_anchors(anchors, sources, file.languages) if anchors is not None else []
    if references is not None:
        # what explains, or is an anchor already, is not asked as if it were new
        without = {one.sha256 for one in examples} | {one.key["prompt"] for one in earlier}
        candidates += read_references(
            references,
            sources,
            file.languages,
            limit=file.references.per_tradition,
            foils=file.references.foils,
            without=without,
            rng=rng,
        )
    return put_together(file, sources, candidates, earlier, examples, rubric=rubric, rng=rng)


def put_together(
    file: StudyFile,
    sources: Sources,
    candidates: list[Candidate],
    earlier: list[Candidate],
    examples: list[Candidate],
    *,
    rubric: Rubric,
    rng: np.random.Generator,
) -> Material:
    """Name the candidates and say which are anchors, which have scales, and which are paired.

    Args:
        file: the config.
        sources: the suites' home and traditions.
        candidates: outputs and references.
        earlier: the anchors of an earlier study; what is among them is not taken twice.
        examples: the training pictures, in the config's order.
        rubric: whose scales are asked.
        rng: draws what the config leaves to chance.

    Raises:
        RequestError: the config asks for targets, scenes or anchors that there are not.
    """
    # The seed is public, and must not unseal a study of people. Where raters are simulated there
    # is nobody to be blinded, and a study made twice is the same.
    naming = np.random.default_rng([file.seed, 2] if file.simulated else None)
    there = {one.key["key"] for one in earlier if one.kind == "output"}
    candidates = [one for one in candidates if one.key["key"] not in there or not one.key["key"]]
    candidates += earlier
    for name, targets in (
        ("scales.targets", file.scales.targets),
        ("pairs.targets", file.pairs.targets if file.pairs else None),
    ):
        _refuse_unknown(name, targets, candidates)
    scaled = with_scales(candidates, file.scales, sources.home, rng)
    names = [naming.bytes(8).hex() for _ in range(len(candidates) + len(examples))]
    items = items_of(candidates, names[: len(candidates)], scaled, naming)
    wanted = max(file.anchors - len(earlier), 0)
    there_are = sum(not item.foil for item in items)
    if file.anchors > there_are:
        raise RequestError(
            f"anchors: {file.anchors} are asked for, and there are {there_are} items"
        )
    fresh = items[: len(items) - len(earlier)]
    own = [item for item in fresh if not item.foil]
    drawn = {item.id for item in items[len(fresh) :]} | drawn_anchors(own, wanted, rng)
    items = [replace(item, anchor=item.id in drawn) for item in items]
    scales = {
        item.id: scales_for(candidate, rubric) if item.scaled else []
        for candidate, item in zip(candidates, items, strict=True)
    }
    # a genre of which no scale is asked leaves nothing for phase two
    items = [replace(item, scaled=bool(scales[item.id])) for item in items]
    explained = {
        name: explanation_of(example)
        for name, example in zip(names[len(candidates) :], file.training, strict=True)
    }
    scales |= {name: list(told["scales"] or {}) for name, told in explained.items()}
    pairs = pairs_of(candidates, items, file, sources.home) if file.pairs else []
    return Material(sources, candidates, items, pairs, scales, examples, explained)


def rules_for(
    file: StudyFile, material: Material, observed: Mapping[str, float] | None = None
) -> Rules:
    """Return the rules of a config, for what it shows; `observed` are a pilot's seconds per task."""
    each = file.single.raters_per_item
    return Rules(
        raters=file.raters,
        raters_per_item=each,
        scales_per_item=file.scales.raters_per_item or each,
        votes_per_pair=file.pairs.votes_per_pair if file.pairs else 0,
        repeats=file.repeats,
        warm_ups=(file.warm_ups.first, file.warm_ups.later),
        attention=file.attention,
        detections=file.detections if file.ask.human else 0,
        training=tuple(material.explained),
        sessions=file.sessions,
        seconds=seconds_table(file, material.sources.modality, observed),
        scale_count={name: len(asked) for name, asked in material.scales.items()},
    )


def items_of(
    candidates: Sequence[Candidate],
    names: Sequence[str],
    scaled: Sequence[bool],
    naming: np.random.Generator,
) -> list[Item]:
    """Return the single item of every candidate, in their order; `scaled` ones have scales."""
    scenes = _codes([_scene(candidate) for candidate in candidates], naming)
    makers = _codes([candidate.model for candidate in candidates], naming)
    targets = _codes([candidate.target for candidate in candidates], naming)
    return [
        Item(
            id=name,
            scene=scenes[_scene(candidate)],
            maker=makers[candidate.model],
            asked=targets[candidate.target],
            reference=candidate.kind != "output",
            foil=candidate.is_foil,
            scaled=has_scales,
        )
        for candidate, name, has_scales in zip(candidates, names, scaled, strict=True)
    ]


def _scene(candidate: Candidate) -> str:
    return f"{candidate.key['suite']}/{candidate.scene}"


def _codes(values: Sequence[str], naming: np.random.Generator) -> dict[str, str]:
    """Return an opaque code for every value: a number that says nothing of it."""
    known = sorted(set(values))
    return {
        value: str(code) for value, code in zip(known, naming.permutation(len(known)), strict=True)
    }


def pairs_of(
    candidates: Sequence[Candidate], items: Sequence[Item], file: StudyFile, home: str
) -> list[Pair]:
    """Pair the outputs of two models of one scene, target and language, seed by seed in order.

    Where the scales are asked of some scenes only, the pairs are of those.
    """
    targets = set((file.pairs and file.pairs.targets) or [home])
    few = file.scales.scenes is not None
    cells: dict[tuple[str, ...], dict[str, list[tuple[int, Item]]]] = defaultdict(dict)
    for candidate, item in zip(candidates, items, strict=True):
        if candidate.kind == "output" and candidate.target in targets and (item.scaled or not few):
            key = candidate.key
            cell = (key["suite"], candidate.scene, candidate.target, key["language"])
            cells[cell].setdefault(item.maker, []).append((key["seed"], item))
    pairs = []
    for makers in cells.values():
        for one, other in combinations(sorted(makers), 2):
            mine, theirs = (
                sorted(makers[maker], key=lambda pair: pair[0]) for maker in (one, other)
            )
            pairs += [
                Pair(first.id, second.id, first.scene, (one, other))
                for (_, first), (_, second) in zip(
                    mine, theirs, strict=False
                )  # the shorter decides
            ]
    return pairs


def scales_for(candidate: Candidate, rubric: Rubric) -> list[str]:
    """Return the ids of the scales that a rubric asks of a picture of this genre.

    A scale that names no genres is asked of all; where the picture's genre is not known, all are.
    """
    genre = candidate.key["genre"]
    return [
        scale.id
        for scale in rubric.scales
        if not genre or not scale.applies_to or genre in scale.applies_to
    ]


def _refuse_unknown(
    name: str, targets: Sequence[str] | None, candidates: Sequence[Candidate]
) -> None:
    there = {candidate.target for candidate in candidates if not candidate.is_foil}
    foils = {candidate.target for candidate in candidates if candidate.is_foil}
    for target in targets or ():
        if target in foils:
            raise RequestError(f"{name}: {target!r} is a foil: foils are attributed and no more")
        if target not in there:
            raise RequestError(
                f"{name}: no picture has {target!r}; there are: {', '.join(sorted(there))}"
            )

"""Which outputs a study takes, and on which of them the scales are asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.errors import RequestError
from bench.records import NEUTRAL
from raters.balance import least_first
from raters.config import Scales, Select
from raters.sources import Candidate


def selected(
    outputs: Iterable[Candidate], select: Select, home: str, rng: np.random.Generator
) -> list[Candidate]:
    """Return the outputs that `select` takes, in their order.

    Raises:
        RequestError: it names what no output has, asks for more scenes than there are, or nothing
            is left.
    """
    kept = list(outputs)
    rules: list[tuple[str, Sequence[Any] | None, Callable[[Candidate], Any]]] = [
        ("targets", select.targets, lambda output: output.target),
        ("languages", select.languages, lambda output: output.key["language"]),
        ("seeds", select.seeds, lambda output: output.key["seed"]),
        ("models", select.models, lambda output: output.model),
        ("scenes", select.scenes, lambda output: output.scene),
    ]
    for name, wanted, value in rules:
        if wanted is None:
            continue
        there = {value(output) for output in kept}
        for one in wanted:
            if one not in there:
                known = ", ".join(sorted(map(str, there))) or "none"
                raise RequestError(f"select.{name}: no output has {one!r}; there are: {known}")
        kept = [output for output in kept if value(output) in wanted]
    if select.scenes_per_target:
        scenes = _scenes_of_targets(kept, select.scenes_per_target, home, rng)
        kept = [one for one in kept if one.scene in scenes.get(one.target, ())]
    if select.per_cell is not None:
        kept = _first_of_cells(kept, select.per_cell)
    if not kept:
        raise RequestError("the runs hold no finished output: generate some first")
    return kept


def with_scales(
    candidates: Sequence[Candidate], scales: Scales, home: str, rng: np.random.Generator
) -> list[bool]:
    """Tell of every candidate whether the scales are asked of it.

    Raises:
        RequestError: a target that no picture has, or fewer scenes or references than asked for.
    """
    targets = set(scales.targets or [home])
    outputs = [one for one in candidates if one.kind == "output" and one.target in targets]
    references = [one for one in candidates if one.kind != "output" and one.target in targets]
    genres = {_scene(one): one.key["genre"] for one in outputs}
    scenes = _drawn(sorted(genres), genres, scales.scenes, "scales.scenes", rng)
    strata = {one.key["prompt"]: one.key["stratum"] for one in references}
    works = _drawn(sorted(strata), strata, scales.references, "scales.references", rng)
    return [
        one.target in targets
        and (_scene(one) in scenes if one.kind == "output" else one.key["prompt"] in works)
        for one in candidates
    ]


def _scene(candidate: Candidate) -> tuple[str, str]:
    return candidate.key["suite"], candidate.scene


def _drawn(
    names: Sequence[Any],
    cells: Mapping[Any, str],
    size: int | None,
    what: str,
    rng: np.random.Generator,
) -> set[Any]:
    """Draw `size` of the names, every cell in its share; None takes all."""
    if size is None:
        return set(names)
    if size > len(names):
        raise RequestError(f"{what} asks for {size}, and there are {len(names)}")
    order = least_first([cells[name] for name in names], [0] * len(names), size, rng)
    return {names[index] for index in order}


def _scenes_of_targets(
    outputs: Sequence[Candidate], wanted: Mapping[str, int], home: str, rng: np.random.Generator
) -> dict[str, set[str]]:
    """Draw the scenes of each target: home first, other traditions from its scenes, then neutral.

    Mirror indices pair home and another tradition by scene. The neutral target is paired with
    nothing, and takes scenes of its own where there are: a rater meets no scene too often.
    """
    models = {one.model for one in outputs}
    having: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    genre = {}
    for one in outputs:
        having[one.target][one.scene].add(one.model)
        genre[one.scene] = one.key["genre"]
    for target in wanted:
        if target not in having:
            known = ", ".join(sorted(having))
            raise RequestError(
                f"select.scenes_per_target: no output has {target!r}; there are: {known}"
            )
    used: Counter[str] = Counter()
    drawn: dict[str, set[str]] = {}
    others = sorted(target for target in wanted if target not in {home, NEUTRAL})
    for target in [one for one in (home, *others, NEUTRAL) if one in wanted]:
        # only what every model has made can be compared
        scenes = sorted(scene for scene, own in having[target].items() if own == models)
        if len(scenes) < wanted[target]:
            raise RequestError(
                f"select.scenes_per_target asks for {wanted[target]} scenes of {target}, and all "
                f"models have {len(scenes)}"
            )

        def place(scene: str, target: str = target) -> tuple[bool, int]:
            if target == home:  # those that can be paired first
                return False, -sum(scene in having[other] for other in others)
            paired = scene in drawn.get(home, set())
            return paired if target == NEUTRAL else not paired, used[scene]

        spread = least_first(
            [genre[scene] for scene in scenes], [0] * len(scenes), len(scenes), rng
        )
        in_order = sorted((scenes[index] for index in spread), key=place)
        drawn[target] = set(in_order[: wanted[target]])
        used.update(drawn[target])
    return drawn


def _first_of_cells(outputs: Sequence[Candidate], size: int) -> list[Candidate]:
    """Keep the outputs of the first `size` seeds of every model, prompt and language."""
    seeds: dict[tuple[str, ...], set[int]] = defaultdict(set)

    def cell(one: Candidate) -> tuple[str, ...]:
        return one.key["suite"], one.model, one.key["prompt"], one.key["language"]

    for one in outputs:
        seeds[cell(one)].add(one.key["seed"])
    first = {name: sorted(own)[:size] for name, own in seeds.items()}
    return [one for one in outputs if one.key["seed"] in first[cell(one)]]

"""What `study new` tells: counts, the check of the plan, hours per rater, and the cues that remain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.precision import Components, detectable_difference
from bench.records import REFERENCE, Stimulus
from raters.checks import checked
from raters.config import StudyFile
from raters.protocol import Protocol
from raters.sources import Candidate
from raters.tasks import SINGLES, Block, Item, Pair, Rules, seconds_of

PICTURE_SECONDS = {"attribution": 15.0, "scale": 10.0, "pair": 20.0, "detection": 8.0}
"""First guesses of the time per task, until a pilot gives better: four scales take 40 s."""

CLIP_SECONDS = {"attribution": 20.0, "scale": 12.0, "pair": 35.0, "detection": 10.0}
"""The same for clips of about five seconds."""

MANY_REFERENCES = 0.8
"""Share of references in a session above which they are the rule, and outputs stand out."""


def seconds_table(
    file: StudyFile, modality: str, observed: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the seconds per task: the config's, else those a pilot took, else first guesses."""
    table = CLIP_SECONDS if modality == "video" else PICTURE_SECONDS
    own = {**(observed or {}), **file.seconds.model_dump(exclude_none=True)}
    return {name: float(own.get(name, guess)) for name, guess in table.items()}


def plan_summary(
    planned: Sequence[Block],
    items: Sequence[Item],
    pairs: Sequence[Pair],
    rules: Rules,
    components: Components | None = None,
) -> dict[str, Any]:
    """Return what a plan asks of its raters, what it can detect, and its check.

    `components` are the variances that a pilot found; without them, first guesses.
    """
    seconds = [seconds_of(block, rules) for block in planned]
    singles = [sum(task.kind in SINGLES for task in block) for block in planned]
    duels = [sum(task.kind == "pair" for task in block) for block in planned]
    kinds = Counter(task.kind for block in planned for task in block)
    scenes = {item.scene for item in items if item.scaled and not item.reference}
    detects = None
    if scenes and rules.scales_per_item:
        found = detectable_difference(len(scenes), rules.raters, rules.scales_per_item, components)
        detects = round(found, 2)
    return {
        "raters": len(planned),
        # what nobody does is None
        "singles_per_rater": [min(singles), max(singles)] if any(singles) else None,
        "pairs_per_rater": [min(duels), max(duels)] if any(duels) else None,
        "repeats_per_rater": round(kinds["repeat"] / len(planned), 1) if any(singles) else None,
        "hours_per_rater": round(max(seconds) / 3600, 2),
        "sessions_per_rater": max(task.session for block in planned for task in block),
        "seconds": dict(rules.seconds),
        # at 80 % power; on a scale of 1 to 5 where the variances are first guesses
        "detectable_difference": detects,
        "check": checked(planned, items, pairs, rules),
    }


def summarise(
    protocol: Protocol,
    *,
    candidates: Sequence[Candidate],
    stimuli: Sequence[Stimulus],
    items: Sequence[Item],
    pairs: Sequence[Pair],
    plan: Mapping[str, Any],
    warnings: Sequence[str],
    masked: bool,
) -> dict[str, Any]:
    """Return what an organiser wants to know before the first invitation."""
    sizes = Counter((stimulus.width, stimulus.height) for stimulus in stimuli)
    cues = Counter(candidate.cue for candidate in candidates if candidate.cue)
    (size, most), *_ = sizes.most_common(1)
    if most < len(stimuli):
        cues["another size or shape than most"] = len(stimuli) - most
    if masked:
        cues["a mask covers a box of every stimulus"] = len(stimuli)
    kinds = Counter(candidate.kind for candidate in candidates)
    return {
        "study": protocol.study,
        "simulated": protocol.simulated,
        "outputs": kinds["output"],
        "suspect": sum(candidate.key["status"] == "suspect" for candidate in candidates),
        "references": sum(one.kind == REFERENCE and not one.is_foil for one in candidates),
        "foils": dict(Counter(one.target for one in candidates if one.is_foil)),
        "stand_ins": sum(bool(candidate.key["synthetic"]) for candidate in candidates),
        "training": len(stimuli) - len(candidates),
        "with_scales": sum(item.scaled for item in items),
        "pairs": len(pairs),
        "size": list(size),
        **plan,
        "cues": dict(cues),
        "warnings": list(warnings),
    }


def warnings_of(
    candidates: Sequence[Candidate],
    protocol: Protocol,
    plan: Mapping[str, Any],
    *,
    foils: Sequence[str] = (),
) -> list[str]:
    """Return one sentence for each thing that makes a study weaker than it need be.

    `foils` are those of which the study would show works.
    """
    references = [one for one in candidates if one.kind != "output"]
    found = []
    shown = {one.target for one in references if one.is_foil}
    found += [
        f"no reference is a foil of {foil!r}, which references.foils names"
        for foil in foils
        if references and foil not in shown
    ]
    if all(one.is_foil for one in references):
        found.append(
            "there are no references: the raw leak is given, and the excess leak cannot be; give a "
            "folder with --references"
        )
    untitled = sum(one.cue == "reference without a caption" for one in references)
    if untitled:
        found.append(
            f"{untitled} of {len(references)} references have no caption: in phase two that tells "
            "them from outputs"
        )
    found += _other_aspects(candidates)
    check = plan["check"]
    found += plan_warnings(plan)
    shares = check["share_of_references_in_a_session"]
    if shares and (share := shares[1]) > MANY_REFERENCES:
        found.append(
            f"in some session {share:.0%} of the pictures are references: raters may notice what the "
            "others are; show more outputs, or fewer references (references.per_tradition)"
        )
    if check["twice"]["singles"]:
        found.append(
            f"a scene comes twice in a session {check['twice']['singles']} times: more scenes, or "
            "more sessions, would keep them apart"
        )
    if not protocol.simulated and not protocol.plan.training:
        found.append("there are no training items: raters begin without an explained example")
    return found


def plan_warnings(plan: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each weakness of who judges what, of whatever kind a study is."""
    check = plan["check"]
    found = []
    if check["pairs_connected"] is False:
        found.append("the pairs do not connect all models: their strengths cannot be compared")
    left = check["without_two_raters"]
    if left["raters_per_item"] is None:
        if left["votes_per_pair"] == 0:
            found.append(
                "the plan is small: if two raters drop out, some pairs may have no vote left"
            )
    elif left["raters_per_item"] < 1:
        found.append("if two raters drop out, some items may have no judgement left")
    if False in (left["pairs_connected"], left["raters_connected"]):
        found.append("if two raters drop out, the plan may fall apart into groups without a link")
    return found


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return a summary as lines to read, parts indented; what is empty or unknown is left out."""
    lines = []
    for name, value in summary.items():
        if name == "size":
            lines.append(f"size: {value[0]} × {value[1]}")
        elif isinstance(value, Mapping):
            parts = [
                f"  {_named(part)}: {_said(one)}" for part, one in value.items() if _is_told(one)
            ]
            lines += [f"{_named(name)}:", *parts] if parts else []
        elif _is_told(value):
            lines.append(f"{_named(name)}: {_said(value)}")
    return lines


def _named(name: str) -> str:
    return _SAID.get(name, name.replace("_", " "))


_SAID = {
    "suspect": "outputs that are suspect",
    "stand_ins": "works drawn by a program",
    "with_scales": "pictures with scales",
    "seconds": "seconds per task, as planned",
    "detectable_difference": "difference of two models' means that is detected with 80 % power",
    "check": "check of the plan",
    "cues": "cues that remain, by the number of pictures",
}
"""Where the name alone would not tell a reader what is counted."""


def _is_told(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_told(one) for one in value.values())
    return value is not None and value not in ("", [])


def _said(value: Any) -> str:
    """Say a value: spans as `2 to 5`, parts as `name value, name value`, yes and no."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{_named(name)} {_said(one)}" for name, one in value.items() if _is_told(one)
        )
    if isinstance(value, list):
        return " to ".join(dict.fromkeys(map(_said, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{round(value, 3):g}" if isinstance(value, float) else str(value)


def _other_aspects(candidates: Sequence[Candidate]) -> list[str]:
    """Name the models whose pictures have another aspect than most: a cue, whatever the size."""
    aspects: dict[str, Counter[float]] = {}
    for one in candidates:
        if one.kind == "output" and one.size:
            own = aspects.setdefault(one.model, Counter())
            own[round(one.size[0] / one.size[1], 2)] += 1
    usual = {model: own.most_common(1)[0][0] for model, own in aspects.items()}
    if len(set(usual.values())) <= 1:
        return []
    most = Counter(usual.values()).most_common(1)[0][0]
    return [
        f"{model} makes pictures of another aspect ({aspect:g}) than most models ({most:g}): raters "
        "can tell it by that; make them alike, or leave it out"
        for model, aspect in sorted(usual.items())
        if aspect != most
    ]

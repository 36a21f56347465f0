"""Blocks in the database: the planned ones, who takes which, and further ones beyond the plan."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from sqlalchemy import Connection, exists, func, insert, select

from raters import tables as t
from raters.design import further_block
from raters.payloads import ATTRIBUTION, DETECTION, PAIR, SCALES, Phase
from raters.protocol import Plan, Protocol
from raters.tasks import SINGLES, Block, Item, Pair, Rules, Task

PLANNED = (*SINGLES, "pair")
"""The kinds that a plan's balance is of: not what is discarded, comes twice or closes a block."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a block needs to know of a stimulus: its scene's code and the scales asked of it."""

    scene: str
    scales: Collection[str]


def rules_of(plan: Plan, *, scale_count: Mapping[str, int], training: Sequence[str] = ()) -> Rules:
    """Return the rules of a plan as the design takes them."""
    return Rules(
        raters=plan.raters,
        raters_per_item=plan.raters_per_item,
        scales_per_item=plan.scales_per_item,
        votes_per_pair=plan.votes_per_pair,
        repeats=plan.repeats,
        warm_ups=plan.warm_ups,
        attention=plan.attention,
        detections=plan.detections,
        training=tuple(training),
        sessions=plan.sessions,
        seconds=plan.seconds,
        scale_count=scale_count,
    )


def store_blocks(
    connection: Connection,
    blocks: Sequence[Block],
    *,
    first: int,
    stimuli: Mapping[str, Shown],
    explained: Mapping[str, Mapping[str, Any]],
    rules: Rules,
    labels: Sequence[str],
    rubric_hash: str,
    rng: np.random.Generator,
) -> None:
    """Store blocks numbered from `first`.

    Args:
        connection: within a transaction that writes.
        blocks: the tasks of each rater.
        first: the number of the first block.
        stimuli: what there is to know of every stimulus.
        explained: the explained answer of every training stimulus.
        rules: those of the plan, for the seconds per task.
        labels: what an attention item may ask for.
        rubric_hash: goes with every assignment.
        rng: draws what attention items ask for.
    """

    def expected(task: Task) -> dict[str, Any] | None:
        if task.kind == "training":
            return dict(explained[task.stimuli[0]])
        if task.kind != "attention":
            return None
        return dict.fromkeys(("manner", "things"), labels[int(rng.integers(len(labels)))])

    rows = [
        {
            "id": secrets.token_hex(12),
            "block": first + number,
            "position": position,
            "kind": task.kind,
            "first": task.stimuli[0],
            "second": task.stimuli[1] if len(task.stimuli) > 1 else None,
            "last_phase": _last_phase(task),
            "occasion": task.occasion,
            "session": task.session,
            "scene": stimuli[task.stimuli[0]].scene,
            "seconds": rules.time_of(task),
            "expects": expected(task),
            "rubric_hash": rubric_hash,
        }
        for number, block in enumerate(blocks)
        for position, task in enumerate(block)
    ]
    if rows:
        connection.execute(insert(t.assignment), rows)


def _last_phase(task: Task) -> Phase:
    if len(task.stimuli) > 1:
        return PAIR
    if task.kind == "detection":
        return DETECTION
    return SCALES if task.scales else ATTRIBUTION


def take_block(connection: Connection, protocol: Protocol, rng: np.random.Generator) -> int:
    """Return the lowest block that nobody has, or the number of a further one just made.

    A further block that was left by who never started is there already, and is taken as it is.
    """
    taken = set(connection.scalars(select(t.rater.c.block)))
    number = next(number for number in count() if number not in taken)
    plan = protocol.plan
    if number < plan.raters or connection.scalar(
        select(exists().where(t.assignment.c.block == number))
    ):
        return number
    stimuli, anchors = _stimuli(connection)
    items = _items(connection, stimuli, anchors)
    pairs = _pairs(connection)
    judged, votes = _given_so_far(connection, plan.raters)
    explained = _explained(connection)
    rules = rules_of(
        plan,
        scale_count={name: len(row.scales) for name, row in stimuli.items()},
        training=list(explained),
    )
    tasks = further_block(
        list(items.values()),
        pairs,
        judged,
        votes,
        rules=rules,
        singles=plan.singles,
        scaled=plan.scaled,
        duels=plan.pairs,
        rng=rng,
    )
    store_blocks(
        connection,
        [tasks],
        first=number,
        stimuli=stimuli,
        explained=explained,
        rules=rules,
        labels=protocol.traditions,
        rubric_hash=protocol.rubric_hash,
        rng=rng,
    )
    return number


def _stimuli(connection: Connection) -> tuple[dict[str, Shown], set[str]]:
    s = t.stimulus.c
    rows = connection.execute(select(s.id, s.scene, s.scales, s.anchor)).all()
    return (
        {row.id: Shown(row.scene, row.scales) for row in rows},
        {row.id for row in rows if row.anchor},
    )


def _items(
    connection: Connection, stimuli: Mapping[str, Shown], anchors: Collection[str]
) -> dict[str, Item]:
    a, s = t.assignment.c, t.stimulus.c
    rows = connection.execute(
        select(s.id, s.scene, s.maker, s.asked, a.kind)
        .join(t.assignment, a.first == s.id)
        .where(a.kind.in_(SINGLES))
        .distinct()
        .order_by(s.id)
    ).all()
    return {
        row.id: Item(
            id=row.id,
            scene=row.scene,
            maker=row.maker,
            asked=row.asked,
            reference=row.kind != "single",
            foil=row.kind == "foil",
            scaled=bool(stimuli[row.id].scales),
            anchor=row.id in anchors,
        )
        for row in rows
    }


def _pairs(connection: Connection) -> list[Pair]:
    """Return the pairs of the plan, also where nothing is shown singly, as in studies of answers."""
    a, s = t.assignment.c, t.stimulus.c
    of = {row.id: row for row in connection.execute(select(s.id, s.scene, s.maker))}
    shown = connection.execute(select(a.first, a.second).where(a.kind == "pair")).all()
    by_maker = {
        tuple(sorted((row.first, row.second), key=lambda one: of[one].maker)) for row in shown
    }
    return [
        Pair(first, second, of[first].scene, (of[first].maker, of[second].maker))
        for first, second in sorted(by_maker)
    ]


def _explained(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return the training stimuli of the first block in their order, with what is said of each."""
    a = t.assignment.c
    rows = connection.execute(
        select(a.first, a.expects).where(a.block == 0, a.kind == "training").order_by(a.position)
    )
    return {row.first: row.expects for row in rows}


def _given_so_far(
    connection: Connection, planned: int
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Count, per item and per (left, right), the answers there are and those still to come.

    To come are those of further blocks; whether the planned ones will come is not taken for
    granted. Raters who have withdrawn do not count.
    """
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    answered = (
        select(func.count())
        .select_from(t.response_event)
        .where(e.assignment == a.id, e.phase == a.last_phase, e.skip.is_(None))
        .scalar_subquery()
    )
    rows = connection.execute(
        select(a.first, a.second)
        .join(t.rater, r.block == a.block)
        .where(a.kind.in_(PLANNED), r.withdrawn_at.is_(None), (a.block >= planned) | (answered > 0))
    ).all()
    singles = Counter(row.first for row in rows if row.second is None)
    pairs = Counter((row.first, row.second) for row in rows if row.second is not None)
    return singles, pairs

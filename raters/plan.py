"""Blocks in the database: the planned ones, who takes which, and further ones beyond the plan."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import count

import numpy as np
from sqlalchemy import Connection, func, insert, select

from raters import tables as t
from raters.design import Block, Item, Pair, further_block
from raters.payloads import ATTRIBUTION, PAIR, SCALES
from raters.protocol import Protocol


def store_blocks(
    connection: Connection,
    blocks: Sequence[Block],
    *,
    first: int,
    scales: Mapping[str, Collection[str]],
    rubric_hash: str,
) -> None:
    """Store blocks numbered from `first`; `scales` says which are asked of each stimulus."""
    rows = [
        {
            "id": secrets.token_hex(12),
            "block": first + number,
            "position": position,
            "kind": task.kind,
            "first": task.stimuli[0],
            "second": task.stimuli[1] if len(task.stimuli) > 1 else None,
            "last_phase": PAIR
            if task.kind == "pair"
            else SCALES
            if scales[task.stimuli[0]]
            else ATTRIBUTION,
            "occasion": 0,
            "rubric_hash": rubric_hash,
        }
        for number, block in enumerate(blocks)
        for position, task in enumerate(block)
    ]
    if rows:
        connection.execute(insert(t.assignment), rows)


def take_block(connection: Connection, protocol: Protocol, rng: np.random.Generator) -> int:
    """Return the lowest planned block that nobody has, or the number of a further one just made."""
    taken = set(connection.scalars(select(t.rater.c.block)))
    number = next(number for number in count() if number not in taken)
    if number < protocol.plan.raters:
        return number
    items, scales = _items(connection)
    pairs = _pairs(connection, items)
    judged, votes = _given_so_far(connection, protocol.plan.raters)
    tasks = further_block(
        list(items.values()),
        pairs,
        judged,
        votes,
        singles=protocol.plan.singles,
        duels=protocol.plan.pairs,
        rng=rng,
    )
    store_blocks(connection, [tasks], first=number, scales=scales, rubric_hash=protocol.rubric_hash)
    return number


def _items(connection: Connection) -> tuple[dict[str, Item], dict[str, list[str]]]:
    a, s = t.assignment.c, t.stimulus.c
    rows = connection.execute(
        select(s.id, s.scene, s.maker, s.asked, s.scales, a.kind)
        .join(t.assignment, a.first == s.id)
        .where(a.second.is_(None))
        .distinct()
        .order_by(s.id)
    ).all()
    items = {
        row.id: Item(row.id, row.scene, row.maker, row.asked, row.kind == "reference")
        for row in rows
    }
    return items, {row.id: row.scales for row in rows}


def _pairs(connection: Connection, items: Mapping[str, Item]) -> list[Pair]:
    a = t.assignment.c
    shown = connection.execute(select(a.first, a.second).where(a.second.is_not(None))).all()
    by_maker = {
        tuple(sorted((row.first, row.second), key=lambda one: items[one].maker)) for row in shown
    }
    return [
        Pair(first, second, items[first].scene, (items[first].maker, items[second].maker))
        for first, second in sorted(by_maker)
    ]


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
        .where(e.assignment == a.id, e.phase == a.last_phase)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(a.first, a.second)
        .join(t.rater, r.block == a.block)
        .where(r.withdrawn_at.is_(None), (a.block >= planned) | (answered > 0))
    ).all()
    singles = Counter(row.first for row in rows if row.second is None)
    pairs = Counter((row.first, row.second) for row in rows if row.second is not None)
    return singles, pairs

"""What a block's rater is asked, in its order, and shown: fixed once planned, so read once and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, bindparam, select

from raters import tables as t

BLOCKS_MOST = 400
"""So many blocks are kept; one of 300 assignments takes some 200 KB."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A block's assignments in their order, and by its id each file that its rater may fetch."""

    assignments: Sequence[Row[Any]] = ()
    shown: Mapping[str, Row[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    blocks: dict[int, Planned] = field(default_factory=dict)
    stimuli: dict[str, Row[Any]] = field(default_factory=dict)  # that blocks share


_kept: WeakKeyDictionary[Engine, _Kept] = WeakKeyDictionary()

_a = t.assignment.c
_OF_BLOCK = _a.block == bindparam("of")
_ASSIGNMENTS = select(t.assignment).where(_OF_BLOCK).order_by(_a.position)
_STIMULI = select(t.stimulus).where(
    # a work's analyses bear its picture's id as the code of their scene
    t.stimulus.c.id.in_(
        select(_a.first)
        .where(_OF_BLOCK)
        .union(select(_a.second).where(_OF_BLOCK), select(_a.scene).where(_OF_BLOCK))
    )
)


def planned(connection: Connection, block: int | None) -> Planned:
    """Return what is planned for a block, nothing where there is none.

    It is kept from its first reading on: what is planned in a transaction must not be asked for
    before its commit where the engine outlives a rollback.
    """
    kept = _kept.setdefault(connection.engine, _Kept())
    if block is None:
        return Planned()
    if (found := kept.blocks.get(block)) is not None:
        return found
    rows = connection.execute(_STIMULI, {"of": block})
    found = Planned(
        connection.execute(_ASSIGNMENTS, {"of": block}).all(),
        {row.id: kept.stimuli.setdefault(row.id, row) for row in rows},
    )
    if found.assignments:  # else it may be planned later
        if len(kept.blocks) >= BLOCKS_MOST:
            kept.blocks.pop(next(iter(kept.blocks)), None)
        kept.blocks[block] = found
    return found

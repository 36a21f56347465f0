"""The nouns of a design: items, pairs, tasks, and the rules that hold for every block."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.records import AssignmentKind

SINGLES: tuple[AssignmentKind, ...] = ("single", "reference", "foil")
"""The kinds of a single item seen for the first time, and counted."""

SESSION_SECONDS = 1500.0
"""Usable seconds of a session of 30 minutes."""

LONGEST_SESSION = 1800.0
"""Seconds: sessions have at most 30 minutes (ITU-R BT.500, ITU-T P.910)."""


@dataclass(frozen=True, slots=True)
class Item:
    """A single picture. `maker` and `asked` are opaque codes of its model and its target.

    A `foil` is a reference of a tradition that is not compared: it is attributed and nothing else.
    Of a `scaled` item the scales are asked too; an `anchor` is seen by every rater.
    """

    id: str
    scene: str
    maker: str
    asked: str
    reference: bool = False
    foil: bool = False
    scaled: bool = False
    anchor: bool = False

    @property
    def kind(self) -> AssignmentKind:
        """The kind of an assignment that shows it for the first time."""
        return "foil" if self.foil else "reference" if self.reference else "single"

    @property
    def traits(self) -> tuple[Hashable, ...]:
        """What the item counts for in the balance: model, target, both, and having scales."""
        asked = ("target", self.asked, self.reference)
        return (("maker", self.maker), asked, (self.maker, asked), ("scaled", self.scaled))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures of one scene by two makers; `first` and `second` say nothing of sides."""

    first: str
    second: str
    scene: str
    makers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that a rater is asked; for a pair `stimuli` is left, then right.

    `scales` says that phase two follows; `occasion` is 1 for a hidden repeat.
    """

    kind: AssignmentKind
    stimuli: tuple[str, ...]
    session: int = 1
    scales: bool = False
    occasion: int = 0


Block = list[Task]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every block.

    `sessions` None: as many as the longest block needs. `seconds` per attribution, scale, pair and
    detection; `scale_count` is how many scales a scaled item has, by item.
    """

    raters: int
    raters_per_item: int
    scales_per_item: int
    votes_per_pair: int
    repeats: float = 0.0
    warm_ups: tuple[int, int] = (0, 0)
    attention: int = 0
    detections: int = 0
    training: tuple[str, ...] = ()
    sessions: int | None = None
    seconds: Mapping[str, float] = field(
        default_factory=lambda: {"attribution": 15.0, "scale": 10.0, "pair": 20.0, "detection": 8.0}
    )
    scale_count: Mapping[str, int] = field(default_factory=dict)

    def time_of(self, task: Task) -> float:
        """Return how many seconds a task takes, by the table."""
        if task.kind in {"pair", "detection"}:
            return self.seconds[task.kind]
        scales = self.scale_count.get(task.stimuli[0], 0) if task.scales else 0
        warm_pair = task.kind == "warm_up" and len(task.stimuli) > 1
        first = self.seconds["pair" if warm_pair else "attribution"]
        return first + scales * self.seconds["scale"]


@dataclass(frozen=True, slots=True)
class Share:
    """What one rater is given, before it is put in order; of a pair, whether `first` is left."""

    items: list[Item]
    pairs: list[tuple[Pair, bool]]


def seconds_of(block: Sequence[Task], rules: Rules) -> float:
    """Return how long a block takes, by the table of seconds per task."""
    return math.fsum(rules.time_of(task) for task in block)

"""From what one rater is given to a block in order: sessions, repeats, warm-ups, closing series."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.records import AssignmentKind
from raters.balance import least_first
from raters.order import CarryOver, dealt_to_sessions, sequence
from raters.tasks import SESSION_SECONDS, Block, Item, Pair, Rules, Share, Task


@dataclass
class SoFar:
    """What the blocks composed so far hold, all raters together.

    `carry_over` counts which maker came after which, `closing` how often each item was in a
    closing series.
    """

    carry_over: CarryOver
    closing: Counter[str] = field(default_factory=Counter)


def nothing_yet(items: Sequence[Item], rules: Rules) -> SoFar:
    """Return the empty counts of a study with these items: an anchor is shown to every rater."""
    counts: Counter[str] = Counter()
    for item in items:
        counts[item.maker] += rules.raters if item.anchor else rules.raters_per_item
    total = counts.total()
    return SoFar(CarryOver({maker: count / total for maker, count in counts.items()}))


def composed(
    share: Share,
    all_: tuple[Sequence[Item], Sequence[Pair]],
    *,
    rules: Rules,
    count: int,
    so_far: SoFar,
    rng: np.random.Generator,
) -> Block:
    """Put one rater's share in order: `count` sessions, with all that comes to it.

    Args:
        share: the rater's items and pairs.
        all_: the study's items and pairs, from which warm-ups and attention items are taken.
        rules: those of the plan.
        count: number of sessions.
        so_far: what the blocks before hold; brought up to date.
        rng: decides ties and order.
    """
    portions = _portions(share, rules, count)
    session_of = dealt_to_sessions(
        [item.traits for item in share.items],
        [item.scene for item in share.items],
        portions,
        rng,
    )
    singles: list[list[tuple[Item, int]]] = [[] for _ in range(count)]
    for item, number in zip(share.items, session_of, strict=True):
        singles[number].append((item, 0))
    for item, number in _repeats(share.items, session_of, portions, rules, rng):
        singles[number].append((item, 1))
    duels = _paired(share.pairs, singles, rules, rng)
    spare = _Spare(share, all_, rng)
    block: Block = []
    for number in range(count):
        tasks = _session(
            singles[number],
            duels[number],
            rules=rules,
            carry_over=so_far.carry_over,
            spare=spare,
            number=number,
            rng=rng,
        )
        if number == 0:
            training = [
                Task("training", (name,), scales=bool(rules.scale_count.get(name)))
                for name in rules.training
            ]
            tasks = training + tasks
        block += [replace(task, session=number + 1) for task in tasks]
    return block + _closing(share.items, rules, count, so_far.closing, rng)


def _singles_seconds(items: Sequence[Item], rules: Rules) -> float:
    return sum(rules.time_of(Task("single", (item.id,), scales=item.scaled)) for item in items)


def _repeat_count(items: Sequence[Item], rules: Rules) -> int:
    return round(rules.repeats * len(items))


def _block_seconds(share: Share, rules: Rules) -> float:
    """Return what a share takes with all that comes to it but warm-ups and attention items."""
    singles = _singles_seconds(share.items, rules)
    mean = singles / max(len(share.items), 1)
    return (
        singles
        + mean * _repeat_count(share.items, rules)
        + rules.seconds["attribution"] * len(rules.training)
        + rules.seconds["pair"] * len(share.pairs)
        + rules.seconds["detection"] * min(rules.detections, len(share.items))
    )


def _session_extra(rules: Rules, number: int) -> float:
    """Return the seconds of what is added to a session: warm-ups, attention items."""
    extra = rules.warm_ups[min(number, 1)] + rules.attention
    return extra * rules.seconds["attribution"]


def sessions_needed(shares: Sequence[Share], rules: Rules) -> int:
    """Return how many sessions the longest of the raters' shares takes."""
    longest = max(_block_seconds(share, rules) for share in shares)
    count = 1
    while longest + sum(_session_extra(rules, n) for n in range(count)) > count * SESSION_SECONDS:
        count += 1
    repeated = any(_repeat_count(share.items, rules) for share in shares)
    return max(count, 2) if repeated else count  # a repeat comes at least one break later


def _portions(share: Share, rules: Rules, count: int) -> list[float]:
    """Return what share of the singles each session takes: all equally long, singles first."""
    singles = _singles_seconds(share.items, rules)
    extra = [_session_extra(rules, number) for number in range(count)]
    length = (_block_seconds(share, rules) + sum(extra)) / count
    extra[0] += rules.seconds["attribution"] * len(rules.training)
    repeated = singles * _repeat_count(share.items, rules) / max(len(share.items), 1)
    room, left = [], singles + repeated
    for own in extra:
        room.append(min(max(length - own, 0.0), left))
        left -= room[-1]
    room[-1] += left
    later = sum(room[1:])
    # repeats stand in later sessions than the first
    portions = [room[0]] + [
        one * max(1 - repeated / later, 0.0) if later else 0.0 for one in room[1:]
    ]
    whole = sum(portions)
    return [portion / whole for portion in portions] if whole else [1.0] + [0.0] * (count - 1)


def _repeats(
    items: Sequence[Item],
    session_of: Sequence[int],
    portions: Sequence[float],
    rules: Rules,
    rng: np.random.Generator,
) -> list[tuple[Item, int]]:
    """Choose hidden repeats, and a later session for each in which its scene does not come."""
    wanted = _repeat_count(items, rules)
    if not wanted or len(portions) < 2:
        return []
    last = max([1, *(number for number, portion in enumerate(portions) if portion > 0)])
    there = [Counter[str]() for _ in portions]
    for item, number in zip(items, session_of, strict=True):
        there[number][item.scene] += 1
    later = [0.0, *portions[1 : last + 1]]
    quota = [wanted * one / (sum(later) or 1.0) for one in later]
    filled = [0] * len(later)
    order = least_first([item.traits for item in items], [0] * len(items), len(items), rng)
    chosen: dict[int, int] = {}
    # a share for every session and no scene twice, or else one of the two, or else neither
    for fair, strict in ((True, True), (False, True), (True, False), (False, False)):
        for index in order:
            if len(chosen) == wanted:
                break
            scene = items[index].scene
            free = [
                number
                for number in range(session_of[index] + 1, len(later))
                if not (strict and there[number][scene])
                and not (fair and filled[number] + 0.5 > quota[number])
            ]
            if index not in chosen and free:
                chosen[index] = min(free, key=lambda number: filled[number] - quota[number])
                filled[chosen[index]] += 1
                there[chosen[index]][scene] += 1
    return [(items[index], number) for index, number in chosen.items()]


def _paired(
    pairs: Sequence[tuple[Pair, bool]],
    singles: Sequence[Sequence[tuple[Item, int]]],
    rules: Rules,
    rng: np.random.Generator,
) -> list[list[tuple[Pair, bool]]]:
    """Deal pairs to the sessions from the last with singles on, equally long, scenes apart."""
    count = len(singles)
    taken = [
        _singles_seconds([item for item, _ in own], rules) + _session_extra(rules, number)
        for number, own in enumerate(singles)
    ]
    taken[-1] += rules.seconds["detection"] * rules.detections
    begin = max((number for number, own in enumerate(singles) if own), default=0)
    total = rules.seconds["pair"] * len(pairs)
    length = (sum(taken[begin:]) + total) / (count - begin)
    room = [0.0] * begin + [max(length - own, 0.0) for own in taken[begin:]]
    whole = sum(room)
    result: list[list[tuple[Pair, bool]]] = [[] for _ in range(count)]
    if pairs:
        shares = [one / whole for one in room]
        dealt = dealt_to_sessions(
            [(pair.makers, *pair.makers, "any") for pair, _ in pairs],
            [pair.scene for pair, _ in pairs],
            shares,
            rng,
        )
        for pair, number in zip(pairs, dealt, strict=True):
            result[number].append(pair)
    return result


class _Spare:
    """What a rater does not have in the block: from it come warm-ups and attention items."""

    def __init__(
        self,
        share: Share,
        all_: tuple[Sequence[Item], Sequence[Pair]],
        rng: np.random.Generator,
    ) -> None:
        own = {item.id for item in share.items}
        shown = {pair for pair, _ in share.pairs}
        items = [item for item in all_[0] if item.id not in own]
        order = least_first([item.traits for item in items], [0] * len(items), len(items), rng)
        self.items = [items[index] for index in order]
        pairs = [pair for pair in all_[1] if pair not in shown]
        self.pairs = [pairs[index] for index in rng.permutation(len(pairs))]

    def take_items(self, count: int, without: set[str]) -> list[Item]:
        """Take items, first of scenes that are not in `without`."""
        taken: list[Item] = []
        while self.items and len(taken) < count:
            seen = without | {one.scene for one in taken}
            fresh = (item for item in self.items if item.scene not in seen)
            best = next(fresh, self.items[0])
            taken.append(best)
            self.items.remove(best)
        return taken

    def take_pairs(self, count: int, without: set[str]) -> list[Pair]:
        """Take pairs, first of scenes that are not in `without`."""
        taken = sorted(self.pairs, key=lambda pair: pair.scene in without)[:count]
        self.pairs = [pair for pair in self.pairs if pair not in taken]
        return taken


def _session(
    singles: Sequence[tuple[Item, int]],
    duels: Sequence[tuple[Pair, bool]],
    *,
    rules: Rules,
    carry_over: CarryOver,
    spare: _Spare,
    number: int,
    rng: np.random.Generator,
) -> list[Task]:
    """Return the tasks of one session: warm-ups, singles, pairs."""
    scenes = {item.scene for item, _ in singles} | {pair.scene for pair, _ in duels}
    warm = rules.warm_ups[min(number, 1)]
    tasks: list[Task] = []
    last = ("", "")
    if singles:
        warm_items = spare.take_items(warm, scenes)
        tasks += [Task("warm_up", (item.id,)) for item in warm_items]
        scenes |= {item.scene for item in warm_items}
        last = ("", warm_items[-1].scene if warm_items else "")
    elif duels:
        tasks += [
            Task("warm_up", (pair.first, pair.second)) for pair in spare.take_pairs(warm, scenes)
        ]
    order = sequence(
        [item.maker for item, _ in singles],
        [item.scene for item, _ in singles],
        carry_over,
        rng,
        after=last,
    )
    shown = []
    for item, occasion in (singles[index] for index in order):
        kind: AssignmentKind = "repeat" if occasion else item.kind
        shown.append(Task(kind, (item.id,), scales=item.scaled, occasion=occasion))
    for item in spare.take_items(rules.attention, scenes) if singles else []:
        # not at once: attention wears off later
        place = int(rng.integers(len(shown) // 3, len(shown) + 1))
        shown.insert(place, Task("attention", (item.id,)))
    tasks += shown
    last_scene = singles[order[-1]][0].scene if order else ""
    none = CarryOver({"": 1.0})
    for index in sequence(
        [""] * len(duels), [pair.scene for pair, _ in duels], none, rng, after=("", last_scene)
    ):
        pair, first_left = duels[index]
        both = (pair.first, pair.second) if first_left else (pair.second, pair.first)
        tasks.append(Task("pair", both))
    return tasks


def _closing(
    items: Sequence[Item],
    rules: Rules,
    count: int,
    asked_so_far: Counter[str],
    rng: np.random.Generator,
) -> list[Task]:
    """Return the closing series: references and outputs half and half, as far as there are."""
    items = [item for item in items if not item.foil]
    kinds: dict[bool, list[Item]] = defaultdict(list)
    for item in items:
        kinds[item.reference].append(item)
    wanted = min(rules.detections, len(items))
    references = min(len(kinds[True]), wanted // 2)
    references = max(references, wanted - len(kinds[False]))
    chosen: list[Item] = []
    for own, size in ((kinds[True], references), (kinds[False], wanted - references)):
        cells = [(item.maker, item.asked) for item in own]
        chosen += [
            own[index] for index in least_first(cells, [asked_so_far[i.id] for i in own], size, rng)
        ]
    asked_so_far.update(item.id for item in chosen)
    none = CarryOver({item.maker: 1.0 for item in chosen})
    order = sequence([i.maker for i in chosen], [i.scene for i in chosen], none, rng)
    return [Task("detection", (chosen[index].id,), session=count) for index in order]

"""Simulated raters: they go the same way through the store as people, and see what people are shown."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import Connection

from bench.errors import RequestError
from bench.records import SIMULATED, Stimulus
from bench.rubrics import ScaleFile
from raters import tables as t
from raters.payloads import ATTRIBUTION, DETECTION, NO_TRACE, PAIR, Answer, check_payload
from raters.people import start
from raters.position import Step, position
from raters.protocol import CANNOT_TELL, OTHER, Protocol
from raters.simulated_readings import Read, Reader, judge_readings
from raters.store import respond
from raters.study import enrol_raters, open_study
from raters.tables import now
from raters.temper import Temper, draw_temper, vote


@dataclass(frozen=True, slots=True)
class Look:
    """What can be seen in a picture.

    Args:
        traditions: probability of each tradition as the manner of picturing; what is missing to 1
            is `other`.
        quality: in [0, 1].
        things: the same as `traditions` for the things shown; empty where it cannot be seen, and
            then a blurred copy of the manner stands in.
    """

    traditions: Mapping[str, float]
    quality: float
    things: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.quality <= 1:
            raise ValueError(f"quality {self.quality} lies outside 0 to 1")
        for shares in (self.traditions, self.things):
            if any(value < 0 for value in shares.values()) or sum(shares.values()) > 1 + 1e-6:
                raise ValueError(f"{dict(shares)} are no probabilities")


def simulate(
    study: Path,
    *,
    look: Callable[[Image.Image], Look] | None = None,
    read: Read | None = None,
    rng: np.random.Generator,
    count: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """Let simulated raters do a study and return how many answers they gave.

    `look` sees a picture's pixels and nothing else, once per picture; of a study of answers `read`
    sees a picture and a text about it, once per text. `count` is by default the number of raters
    planned. `advance` hears of every rater that has finished.

    Raises:
        ConflictError: the study is closed.
        RequestError: the study is of answers and there is no `read`, or of pictures and no `look`.
    """
    given = 0
    seen: dict[str, Look] = {}
    with open_study(study) as (protocol, engine):
        if protocol.modality == "understanding":
            if read is None:
                raise RequestError("simulated raters of this study want what reads analyses")
            reader = Reader(study, read)

            def judge(here: Step, temper: Temper) -> dict[str, Any]:
                return judge_readings(here, protocol, temper, reader, rng)

        else:
            if look is None:
                raise RequestError("simulated raters of this study want what looks at pictures")

            def look_at(stimulus: Stimulus) -> Look:
                if stimulus.id not in seen:
                    with Image.open(study / stimulus.file) as image:
                        seen[stimulus.id] = look(image.convert("RGB"))
                return seen[stimulus.id]

            def judge(here: Step, temper: Temper) -> dict[str, Any]:
                return _judge(here, protocol, temper, look_at, rng)

        number = protocol.plan.raters if count is None else count
        for _ in range(number):
            with t.writing(engine) as connection:
                ((rater, _token),) = enrol_raters(
                    connection,
                    protocol,
                    1,
                    group=SIMULATED,
                    simulated=True,
                    language=protocol.languages[0],
                    rng=rng,
                )
                given += _do_all(
                    connection,
                    rater,
                    protocol,
                    draw_temper(rng),
                    rng,
                    judge=judge,
                    study=study,
                )
            advance(1)
    return given


def _do_all(
    connection: Connection,
    rater: str,
    protocol: Protocol,
    temper: Temper,
    rng: np.random.Generator,
    *,
    judge: Callable[[Step, Temper], dict[str, Any]],
    study: Path,
) -> int:
    """Answer one assignment after the other, as the room shows them, until there is none left."""
    language = protocol.languages[int(rng.integers(len(protocol.languages)))]
    start(connection, rater, protocol)
    given = 0
    while here := position(connection, rater, ahead=0).here:
        payload = judge(here, temper)
        answer = Answer(
            assignment=here.assignment.id,
            event_id=str(uuid.UUID(bytes=rng.bytes(16), version=4)),
            phase=here.phase,
            payload=check_payload(here.phase, payload, protocol),
            language=language,
            client_time=now(),
            shown={"plays": 1},
        )
        respond(connection, rater, [answer], protocol, study)
        given += 1
    return given


def _judge(
    here: Step,
    protocol: Protocol,
    temper: Temper,
    look_at: Callable[[Stimulus], Look],
    rng: np.random.Generator,
) -> dict[str, Any]:
    looks = [look_at(stimulus) for stimulus in here.stimuli]
    if here.phase == ATTRIBUTION:
        return _first_look(looks[0], here, protocol, temper, rng)
    if here.phase == PAIR:
        left, right = (merit(one, protocol.home) for one in looks)
        return {"winner": vote(left, right, temper, rng)}
    if here.phase == DETECTION:
        human = "human" if rng.random() < looks[0].quality else "model"
        return {"human": human, "generator_recognised": False}
    scales = [scale for scale in protocol.rubric.scales if scale.id in here.scales]
    return {"scales": rate(looks[0], protocol.home, scales, temper=temper, rng=rng)}


def _first_look(
    look: Look, here: Step, protocol: Protocol, temper: Temper, rng: np.random.Generator
) -> dict[str, Any]:
    """Attribute a picture, and answer what else the study asks of it."""
    chosen = attribute(look, protocol, temper, rng)
    if here.assignment.kind == "attention" and here.expects:
        chosen = dict(here.expects)
    if protocol.ask.traces:
        chosen |= trace(look, chosen["manner"], protocol)
    if protocol.ask.recognised:
        chosen["recognised"] = False
    return chosen


def trace(look: Look, manner: str, protocol: Protocol) -> dict[str, str]:
    """Name the strongest tradition beside the manner, and how strong its share is."""
    shares = {name: look.traditions.get(name, 0.0) for name in protocol.traditions}
    shares.pop(manner, None)
    strongest = max(shares, key=lambda name: shares[name], default="")
    share = shares.get(strongest, 0.0)
    for strength, least in (("equal", 0.4), ("clear", 0.25), ("slight", 0.1)):
        if share >= least:
            return {"trace": strongest, "trace_strength": strength}
    return {"trace": NO_TRACE, "trace_strength": NO_TRACE}


def merit(look: Look, home: str) -> float:
    """Return in [0, 1] how good a picture of the home tradition this is."""
    return 0.5 * look.quality + 0.5 * look.traditions.get(home, 0.0)


def attribute(
    look: Look, protocol: Protocol, temper: Temper, rng: np.random.Generator
) -> dict[str, Any]:
    """Attribute manner and things, with the rater's confusion and doubt."""
    count = len(protocol.traditions)
    manner = np.array([look.traditions.get(name, 0.0) for name in protocol.traditions])
    if look.things:
        things = np.array([look.things.get(name, 0.0) for name in protocol.traditions])
    else:
        things = 0.5 * manner + 0.5 * manner.sum() / count
    chosen = {}
    for aspect, shares in (("manner", manner), ("things", things)):
        blurred = (1 - temper.confusion) * shares + temper.confusion * shares.sum() / count
        other = max(0.0, 1.0 - float(blurred.sum()))
        chances = np.array([*blurred, other]) / (float(blurred.sum()) + other)
        names = [*protocol.traditions, OTHER]
        # doubt grows with how evenly the chances are spread
        doubt = min(1.0, temper.doubt * 2 * (1.5 - float(chances.max())))
        chosen[aspect] = (
            CANNOT_TELL if rng.random() < doubt else names[int(rng.choice(len(names), p=chances))]
        )
    return chosen


def rate(
    look: Look,
    home: str,
    scales: Sequence[ScaleFile],
    *,
    temper: Temper,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Rate on every scale: quality and home manner in a share that differs from scale to scale."""
    manner = look.traditions.get(home, 0.0)
    scores = {}
    for number, scale in enumerate(scales):
        share = 0.35 + 0.3 * number / max(len(scales) - 1, 1)
        worth = share * look.quality + (1 - share) * manner
        value = scale.low + (scale.high - scale.low) * worth - temper.severity
        value += temper.noise * float(rng.normal())
        scores[scale.id] = int(np.clip(round(value), scale.low, scale.high))
    return scores

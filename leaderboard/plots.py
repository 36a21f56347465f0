"""Two kinds of panel: dots with intervals, and stacked shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from leaderboard.svg import GREY, INK, PALE, Panel, element, line, text

_TOP = 34
_ROW = 38
_FOOT = 26
_LONGEST = 36
"""Letters of a label, so that it leaves room for the value on a phone."""

_INSET = 2.0
"""Percent kept free on both sides of an axis."""

_PHONE = 294.0
"""Pixels that a panel has on the narrowest page."""

_LINE = 15
"""Height of a further line of words."""


class Row(NamedTuple):
    """A value with its interval, and what stands right of its label."""

    label: str
    value: float
    low: float
    high: float
    told: str
    """The value in words, or why there is none."""
    anchor: bool = False
    """Drawn as a hollow diamond: a reference, not a competitor."""
    fill: str = INK
    sign: str = ""
    """Significance letters, beside the label."""


class Dot(NamedTuple):
    """One of several values on one row."""

    value: float
    label: str
    hollow: bool = False


class Axis(NamedTuple):
    """A scale from `low` to `high`, its ticks, and marks that matter."""

    low: float
    high: float
    ticks: Sequence[float]
    marks: Sequence[float] = ()


class Share(NamedTuple):
    """One part of a bar."""

    share: float
    fill: str
    label: str


class Bar(NamedTuple):
    """A row of parts that add up to 1."""

    label: str
    told: str
    parts: Sequence[Share]


def axis_over(
    values: Sequence[float], *, include: Sequence[float] = (), marks: Sequence[float] = ()
) -> Axis:
    """Return an axis with round ticks over all finite values, `include` and `marks`."""
    finite = [value for value in [*values, *include, *marks] if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    span = max(high - low, 1e-3)
    step = 10.0 ** math.floor(math.log10(span))
    step = next(step * times for times in (0.1, 0.2, 0.5, 1, 2) if span / (step * times) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(step * place, 10) for place in range(first, last + 1)]
    return Axis(ticks[0], max(ticks[-1], ticks[0] + step), ticks, marks)


def number(value: float, digits: int = 2) -> str:
    """Return a number with a true minus sign."""
    rounded = f"{value:.{digits}f}"
    return "0." + "0" * digits if float(rounded) == 0 else rounded.replace("-", "−")


def dot_panel(title: str, rows: Sequence[Row], axis: Axis, alt: str) -> Panel:
    """Draw each row's label and value above its dot and interval; a title may be empty.

    Where a label and a value do not stand side by side on a phone, the values get a line of their
    own in the whole panel.
    """
    named = [mark for mark in axis.marks if mark]
    body, top = _head(title)
    top += 16 if named else 0
    drop = 0 if all(_side_by_side(row) for row in rows) else _LINE
    bottom = top + (_ROW + drop) * len(rows)
    for tick in axis.ticks:
        said = f"{tick:g}".replace("-", "−")
        body.append(_centred(_at(tick, axis), bottom + 14, said, 12))
    body += [_centred(_at(mark, axis), top - 14, f"{mark:g}", 11) for mark in named]
    for index, row in enumerate(rows):
        at = top + (_ROW + drop) * index + drop
        body.append(_track(at, axis))
        body.append(_dot(row, at, axis, drop))
    runs_out = any(row.low < axis.low or row.high > axis.high for row in rows)
    return Panel(bottom + _FOOT, "".join(body), alt, runs_out)


def strip_panel(title: str, strips: Sequence[tuple[str, Sequence[Dot]]], axis: Axis) -> Panel:
    """Draw each strip's label above its dots, which share one line."""
    rows = [Row(label, math.nan, math.nan, math.nan, f"n = {len(dots)}") for label, dots in strips]
    said = "; ".join(
        f"{label}: {number(min(values))} … {number(max(values))}"
        for label, dots in strips
        for values in [[dot.value for dot in dots]]
    )
    panel = dot_panel(title, rows, axis, f"{title}. {said}")
    body = [panel.body]
    top = _head(title)[1]
    for index, (_, dots) in enumerate(strips):
        middle = top + _ROW * index + 18
        for dot in dots:
            tip = element("title", escape(f"{dot.label}: {number(dot.value)}", quote=False))
            fill = {"fill": "#fff"} if dot.hollow else {"fill": INK, "fill_opacity": "0.45"}
            body.append(
                element(
                    "circle", tip, cx=_at(dot.value, axis), cy=middle, r=4.5, stroke=INK, **fill
                )
            )
    return panel._replace(body="".join(body))


def bar_panel(title: str, bars: Sequence[Bar], alt: str) -> Panel:
    """Draw each bar's label above its parts; parts wide enough carry their percentage."""
    body, first = _head(title)
    for index, bar in enumerate(bars):
        top = first + 44.0 * index
        body.append(text("0", top + 4, _clipped(bar.label)))
        body.append(text("100%", top + 4, bar.told, font_size=12, fill=GREY, text_anchor="end"))
        start = 0.0
        for part in bar.parts:
            if part.share <= 0:
                continue
            tip = element("title", f"{part.label} {100 * part.share:.0f}%")
            body.append(
                element(
                    "rect",
                    tip,
                    x=f"{100 * start:.3f}%",
                    y=top + 10,
                    width=f"{100 * part.share:.3f}%",
                    height=20,
                    fill=part.fill,
                    stroke="#fff",
                    stroke_width=1.5,
                )
            )
            if part.share >= 0.08:
                middle = f"{100 * (start + part.share / 2):.3f}%"
                body.append(
                    text(
                        middle,
                        top + 24.5,
                        f"{100 * part.share:.0f}",
                        font_size=12,
                        fill="#fff" if _is_dark(part.fill) else INK,
                        text_anchor="middle",
                    )
                )
            start += part.share
    return Panel(first + 44 * len(bars), "".join(body), alt)


def _head(title: str) -> tuple[list[str], int]:
    """Return a title in as many lines as a phone wants, and where what is beneath begins."""
    if not title:
        return [], 14
    lines = [""]
    # a Chinese title may break anywhere, another between words
    for word in title.split(" ") if " " in title else title:
        parted = " " if lines[-1] and " " in title else ""
        if lines[-1] and _width(lines[-1] + parted + word, 15) > _PHONE:
            lines.append(word)
        else:
            lines[-1] += parted + word
    body = [
        text("0", 14 + (_LINE + 3) * place, words, font_size=15, font_weight="bold")
        for place, words in enumerate(lines)
    ]
    return body, _TOP + (_LINE + 3) * (len(lines) - 1)


def _width(words: str, size: float) -> float:
    """Return about how many pixels wide words are, a Chinese letter being a square."""
    return size * sum(1.0 if letter > "\u2e80" else 0.54 for letter in words)


def _side_by_side(row: Row) -> bool:
    label = _width(_clipped(row.label) + row.sign, 13) + 7 * bool(row.sign)
    return label + 8 + _width(row.told, 12) <= _PHONE


def _track(top: float, axis: Axis) -> str:
    """Draw a row's share of the grid, below its words, so that no line crosses them."""
    start, end = top + 10, top + _ROW - 12
    grid = [line(_at(tick, axis), start, _at(tick, axis), end, stroke=PALE) for tick in axis.ticks]
    base = line(_at(axis.low, axis), top + 18, _at(axis.high, axis), top + 18, stroke=PALE)
    marks = [
        line(_at(mark, axis), start - 1, _at(mark, axis), end + 1, stroke=GREY, stroke_width=1.4)
        for mark in axis.marks
    ]
    return "".join([base, *grid, *marks])


def _centred(x: str, y: float, words: str, size: float) -> str:
    return text(x, y, words, font_size=size, fill=GREY, text_anchor="middle")


def _clipped(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"


def _label(row: Row) -> str:
    letters = element("tspan", row.sign, dx=7, font_style="italic", fill=GREY) if row.sign else ""
    return escape(_clipped(row.label), quote=False) + letters


def _dot(row: Row, top: float, axis: Axis, drop: float) -> str:
    """Draw a row whose value stands at `top`, its label `drop` above."""
    middle = top + 18
    colour = GREY if row.anchor else INK
    parts = [
        element("text", _label(row), x="0", y=top + 4 - drop, font_size=13, fill=colour),
        text("100%", top + 4, row.told, font_size=12, fill=GREY, text_anchor="end"),
    ]
    if not math.isfinite(row.value):
        return "".join(parts)
    if math.isfinite(row.low) and math.isfinite(row.high):
        ends = _at(row.low, axis), _at(row.high, axis)
        parts.append(line(ends[0], middle, ends[1], middle, stroke_width=2.5))
        for end, way, goes_on in (
            (ends[0], -1, row.low < axis.low),
            (ends[1], 1, row.high > axis.high),
        ):
            if goes_on:
                head = element("path", d=f"M{-4 * way},-5L{4 * way},0L{-4 * way},5Z", fill=INK)
                parts.append(element("svg", head, x=end, y=middle, overflow="visible"))
            else:
                parts.append(line(end, middle - 4, end, middle + 4, stroke_width=1.5))
    fill = "#fff" if row.anchor else row.fill
    shape: dict[str, str | float] = {"fill": fill, "stroke": INK, "stroke_width": 1.5}
    if row.anchor:
        # A nested drawing, since a diamond's corners cannot be given in percent
        diamond = element("path", d="M0,-6.5L6.5,0L0,6.5L-6.5,0Z", **shape)
        parts.append(element("svg", diamond, x=_at(row.value, axis), y=middle, overflow="visible"))
    else:
        parts.append(element("circle", cx=_at(row.value, axis), cy=middle, r=5.5, **shape))
    return "".join(parts)


def _at(value: float, axis: Axis) -> str:
    share = (min(max(value, axis.low), axis.high) - axis.low) / (axis.high - axis.low)
    return f"{_INSET + (100 - 2 * _INSET) * share:.3f}%"


def _is_dark(colour: str) -> bool:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140

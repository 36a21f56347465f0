"""The triangle: shares of three corners as a point, its confidence region, and a panel of such points.

A point's region follows from the covariance of the shares by the delta method; it is an ellipse, and
what of it lies outside the triangle is laid onto its edge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leaderboard.svg import GREY, INK, PALE, Panel, element, line, text

Array = NDArray[np.float64]

_WIDTH, _HEIGHT = 340.0, 328.0
_CORNERS = np.array([[170.0, 26.0], [16.0, 292.7], [324.0, 292.7]])
"""Top, left, right: an equilateral triangle, y downwards."""

_ROW = 20.0
_HEAD = 30.0
_LONGEST = 24
_AROUND = np.array([[17, 0], [0, -16], [-17, 0], [14, -13], [-14, -13], [0, 18.0]])
"""Where an initial may stand, from its diamond; the side it should take first."""

_AT_THE_BASE = _AROUND[[1, 3, 4, 5, 0, 2]]
"""The same where an edge would run through it at both sides."""

_FREE = 17.0
"""Pixels between an initial and the middle of another point that leave both legible."""


class Corners(NamedTuple):
    """Which labels each corner gathers."""

    names: tuple[str, str, str]
    """Traditions; the third is empty where it stands for everything else."""
    gather: Array
    """(3, labels), 1 where the corner takes the label's share."""


class Point(NamedTuple):
    """Where something lies."""

    label: str
    shares: tuple[float, float, float]
    """Of the corners, summing to 1."""
    outside: float
    """The share of labels that no corner takes."""
    region: Array | None
    """Outline of the confidence region in shares, (points, 3)."""


def corners_of(traditions: Sequence[str], labels: Sequence[str]) -> list[Corners]:
    """Return one triangle of three traditions; else one per other tradition, with the rest.

    Args:
        traditions: home first.
        labels: of the shares that `point_of` is given, traditions among them.
    """
    if len(traditions) == len(_CORNERS):
        taken = np.array([[label == name for label in labels] for name in traditions], dtype=float)
        return [Corners((traditions[0], traditions[1], traditions[2]), taken)]
    home = np.array([label == traditions[0] for label in labels], dtype=float)
    result = []
    for other in traditions[1:]:
        seen = np.array([label == other for label in labels], dtype=float)
        gather = np.stack([home, seen, 1 - home - seen])
        result.append(Corners((traditions[0], other, ""), gather))
    return result


def point_of(
    label: str,
    shares: Sequence[float],
    covariance: Sequence[Sequence[float]],
    corners: Corners,
    confidence: float,
    *,
    freedom: float = math.inf,
) -> Point | None:
    """Return the point of some shares; none where no corner has any share.

    Args:
        label: what it is called.
        shares: by label, summing to 1.
        covariance: of the shares, (labels, labels); NaN where it is not known: then no region.
        corners: of the triangle.
        confidence: of the region.
        freedom: degrees of freedom of the covariance.
    """
    gathered = corners.gather @ np.array(shares)
    total = float(gathered.sum())
    if total <= 0:
        return None
    inside = gathered / total
    spread = corners.gather @ np.array(covariance) @ corners.gather.T
    region = None
    if np.isfinite(spread).all():
        slope = (np.eye(3) - inside[:, None]) / total
        region = _outline(inside, slope @ spread @ slope.T, confidence, freedom)
    first, second, third = map(float, inside)
    return Point(label, (first, second, third), 1 - total, region)


def _outline(inside: Array, spread: Array, confidence: float, freedom: float) -> Array:
    """Return the outline of the region about a point of the triangle, (72, 3).

    By Hotelling's T² with these degrees of freedom; by chi-square where they are endless or but one.
    """
    radius = math.sqrt(-2 * math.log(1 - confidence))
    if 1 < freedom < math.inf:
        # the quantile of F with two degrees of freedom above is plain
        rest = freedom - 1
        quantile = rest / 2 * ((1 - confidence) ** (-2 / rest) - 1)
        radius = math.sqrt(2 * freedom / rest * quantile)
    values, vectors = np.linalg.eigh(spread)
    axes = vectors[:, 1:] * np.sqrt(np.maximum(values[1:], 0.0))
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle)])
    outline = np.maximum(inside + radius * (axes @ around).T, 0.0)
    return np.asarray(outline / outline.sum(axis=1, keepdims=True), dtype=np.float64)


def ternary_panel(
    title: str,
    names: Sequence[str],
    points: Sequence[Point],
    anchors: Sequence[Point],
    start: int | None,
) -> Panel:
    """Draw numbered points, arrows to them from the corner `start`, and anchors as diamonds.

    Beneath stands what each number is, with its shares in per cent.
    """
    body = [_frame(names)]
    body += [_region(point.region) for point in [*anchors, *points] if point.region is not None]
    if start is not None:
        body += [_arrow(_CORNERS[start], _place(point)) for point in points]
    body += [_diamond(point) for point in anchors]
    body += [_dot(point, number) for number, point in enumerate(points, start=1)]
    body += [_initial(point, points, anchors) for point in anchors]
    drawing = element(
        "svg",
        "".join(body),
        y=_HEAD - 8,
        width="100%",
        height=_HEIGHT,
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        overflow="visible",
    )
    rows = [text("0", 14, title, font_size=15, font_weight="bold"), drawing]
    top = _HEAD + _HEIGHT
    keys = [
        *(f"{number} " for number in range(1, len(points) + 1)),
        *(f"◇ {point.label[:1]}  " for point in anchors),
    ]
    for place, (key, point) in enumerate(zip(keys, [*points, *anchors], strict=True), start=1):
        y = top + _ROW * place - 6
        name = point.label if len(point.label) <= _LONGEST else f"{point.label[: _LONGEST - 1]}…"
        rows.append(text("0", y, f"{key}{name}", fill=GREY if place > len(points) else INK))
        rows.append(
            text("100%", y, _percentages(point), font_size=12, fill=GREY, text_anchor="end")
        )
    said = "; ".join(f"{point.label}: {_percentages(point)}" for point in [*points, *anchors])
    alt = f"{title}. {' / '.join(names)}. {said}"
    return Panel(top + _ROW * len(keys) + 8, "".join(rows), alt)


def _percentages(point: Point) -> str:
    return " · ".join(f"{100 * share:.0f}" for share in point.shares)


def _tip(point: Point) -> str:
    return element("title", escape(f"{point.label}: {_percentages(point)}", quote=False))


def _place(point: Point) -> Array:
    return np.asarray(np.array(point.shares) @ _CORNERS, dtype=np.float64)


def _frame(names: Sequence[str]) -> str:
    """Draw the edges, lines at every quarter, and the corners' names."""
    parts = []
    for share in (0.25, 0.5, 0.75):
        for corner in range(3):
            ends = []
            for neighbour in (1, 2):
                at = np.zeros(3)
                at[corner], at[(corner + neighbour) % 3] = share, 1 - share
                ends.append(at @ _CORNERS)
            parts.append(_line(ends[0], ends[1], stroke=PALE, stroke_width=1))
    parts += [_line(_CORNERS[one], _CORNERS[one - 2], stroke=GREY) for one in range(3)]
    anchors = ("middle", "start", "end")
    places = ((170.0, 15.0), (0.0, 314.0), (340.0, 314.0))
    for name, anchor, (x, y) in zip(names, anchors, places, strict=True):
        parts.append(text(f"{x:g}", y, name, font_size=14, text_anchor=anchor))
    return "".join(parts)


def _region(outline: Array) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline @ _CORNERS)
    return element(
        "polygon", points=corners, fill=INK, fill_opacity=0.1, stroke=INK, stroke_opacity=0.45
    )


def _arrow(start: Array, end: Array) -> str:
    way = end - start
    length = float(np.hypot(*way))
    if length < 30:
        return ""
    along = way / length
    across = np.array([-along[1], along[0]])
    tip = end - 11 * along
    back = tip - 8 * along
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, back + 3.5 * across, back - 3.5 * across))
    shaft = _line(start + 3 * along, back, stroke=GREY, stroke_width=1.2)
    return shaft + element("polygon", points=head, fill=GREY)


def _diamond(point: Point) -> str:
    x, y = _place(point)
    return element(
        "path",
        _tip(point),
        d=f"M{x:.1f},{y - 7:.1f}l7,7l-7,7l-7,-7Z",
        fill="#fff",
        stroke=INK,
        stroke_width=1.6,
    )


def _initial(point: Point, points: Sequence[Point], anchors: Sequence[Point]) -> str:
    """Write the initial beside a diamond, on white: right of it, or where most room is left."""
    here = _place(point)
    others = [_place(other) for other in [*points, *anchors] if other is not point]
    ways = _AROUND if here[1] < _CORNERS[1, 1] - 10 else _AT_THE_BASE
    room = [
        min((float(np.hypot(*(here + way - other))) for other in others), default=_FREE)
        for way in ways
    ]
    best = next((place for place, free in enumerate(room) if free >= _FREE), int(np.argmax(room)))
    x, y = here + ways[best]
    return text(
        f"{x:.1f}",
        float(y) + 4.5,
        point.label[:1],
        font_size=12,
        text_anchor="middle",
        stroke="#fff",
        stroke_width=3,
        paint_order="stroke",
    )


def _dot(point: Point, number: int) -> str:
    x, y = map(float, _place(point))
    circle = element(
        "circle", _tip(point), cx=x, cy=y, r=9, fill=INK, stroke="#fff", stroke_width=1.2
    )
    said = text(
        f"{x:.1f}",
        y + 4,
        str(number),
        font_size=12,
        fill="#fff",
        text_anchor="middle",
        font_weight="bold",
    )
    return circle + said


def _line(start: Array, end: Array, **style: str | float) -> str:
    return line(f"{start[0]:.1f}", float(start[1]), f"{end[0]:.1f}", float(end[1]), **style)

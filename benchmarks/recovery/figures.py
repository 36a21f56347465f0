"""The experiment's figures: what was planted against what was found, as plain SVG files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

_INK, _GREY, _PALE = "#22313a", "#6d6a64", "#d9d5cc"
_COLOURS = {
    "probe": "#8a2f1d",
    "raters": "#22313a",
    "trained, probe": "#2f6f63",
    "trained, raters": "#9a7b2c",
}
_NAMES = {
    "probe": "painted exactly, probe",
    "raters": "painted exactly, simulated raters",
    "trained, probe": "trained, probe",
    "trained, raters": "trained, simulated raters",
}
_SIDE, _GAP, _LEFT, _TOP = 320.0, 90.0, 60.0, 70.0


def write_figures(results: Mapping[str, Any], out: Path) -> None:
    """Write `recovery-leak.svg` and `recovery-default.svg` into `out`."""
    for name, true, found, axes, limits in (
        ("leak", "expected", "leak", ("leak by Bayes' rule", "excess leak found"), (-0.1, 1.0)),
        (
            "default",
            "balance",
            "default",
            ("(s − c) / (s + c) planted", "default found"),
            (-1.05, 1.05),
        ),
    ):
        panels = [
            _panel(results["triangle"], other, (true, found), axes=axes, limits=limits, place=place)
            for place, other in enumerate(("japanese", "western"))
        ]
        width = 2 * _LEFT + 2 * _SIDE + _GAP
        height = _TOP + _SIDE + 60
        legend = "".join(
            f'<circle cx="{_LEFT + 240 * place}" cy="24" r="5" fill="{_COLOURS[kind]}"/>'
            f'<text x="{_LEFT + 240 * place + 10}" y="28">{escape(_NAMES[kind])}</text>'
            for place, kind in enumerate(results["triangle"])
        )
        (out / f"recovery-{name}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 1060):g} {height:g}" '
            f'font-family="serif" font-size="13" fill="{_INK}"><rect width="100%" height="100%" '
            f'fill="#fff"/>{legend}{"".join(panels)}</svg>\n',
            encoding="utf-8",
        )


def _panel(
    triangle: Mapping[str, Any],
    other: str,
    columns: tuple[str, str],
    *,
    axes: tuple[str, str],
    limits: tuple[float, float],
    place: int,
) -> str:
    left = _LEFT + place * (_SIDE + _GAP)
    low, high = limits

    def x(value: float) -> float:
        return left + _SIDE * (value - low) / (high - low)

    def y(value: float) -> float:
        return _TOP + _SIDE * (high - value) / (high - low)

    middle, bottom = _TOP + _SIDE / 2, _TOP + _SIDE
    drawing = (
        f'<rect x="{left:g}" y="{_TOP:g}" width="{_SIDE:g}" height="{_SIDE:g}" fill="none" '
        f'stroke="{_PALE}"/>'
        f'<line x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}" '
        f'stroke="{_PALE}"/>'
        f'<text x="{left:g}" y="{_TOP - 10:g}" font-weight="bold">towards {other.capitalize()}</text>'
        f'<text x="{left + _SIDE / 2:g}" y="{bottom + 40:g}" text-anchor="middle">'
        f"{escape(axes[0])}</text>"
        f'<text transform="translate({left - 40:g} {middle:g}) rotate(-90)" '
        f'text-anchor="middle">{escape(axes[1])}</text>'
    )
    parts = [drawing]
    parts += [
        f'<text x="{x(tick):.1f}" y="{bottom + 18:g}" text-anchor="middle" fill="{_GREY}">'
        f'{tick:g}</text><text x="{left - 6:g}" y="{y(tick) + 4:.1f}" text-anchor="end" '
        f'fill="{_GREY}">{tick:g}</text>'
        for tick in ((0, 0.25, 0.5, 0.75, 1) if low > -0.5 else (-1, -0.5, 0, 0.5, 1))
    ]
    true, found = columns
    for shift, (kind, by_other) in enumerate(triangle.items()):
        for row in by_other[other]["rows"]:
            if not math.isfinite(row[found]):
                continue
            at = x(row[true]) + 3 * (shift - 1)
            bounds = [row[f"{found}_low"], row[f"{found}_high"]]
            if all(map(math.isfinite, bounds)):
                parts.append(
                    f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(bounds[0]):.1f}" '
                    f'y2="{y(bounds[1]):.1f}" stroke="{_COLOURS[kind]}" stroke-opacity=".45"/>'
                )
            parts.append(
                f'<circle cx="{at:.1f}" cy="{y(row[found]):.1f}" r="3.5" fill="{_COLOURS[kind]}"/>'
            )
    return "".join(parts)

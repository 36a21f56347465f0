"""Small pieces of SVG: positions across are in percent, so a panel fits a phone and a page alike.

A panel's text keeps its size while its width follows the place where it stands; the same panel is
put into the page as it is, and into a file of fixed width.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

INK = "#22313a"
GREY = "#6d6a64"
PALE = "#d9d5cc"
FONT = (
    "'Source Serif 4','Source Serif Pro','Noto Serif',Cambria,'Times New Roman',"
    "'Noto Serif CJK SC','Source Han Serif SC','Noto Serif SC','Songti SC',SimSun,serif"
)
"""One family, Latin and Chinese; quoted for an attribute in double quotes."""

_PAGE = 960
_GAP = 40
_MARGIN = 24


class Panel(NamedTuple):
    """One drawing of fixed height and free width; `body` is SVG."""

    height: float
    body: str
    alt: str
    runs_out: bool = False
    """Whether an interval goes on beyond the axis."""


def element(name: str, content: str = "", /, **attributes: str | float) -> str:
    """Return an element; `_` in attribute names stands for `-`, content is taken as it is."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(x: str, y: float, words: str, **attributes: str | float) -> str:
    """Return words at a point."""
    style: dict[str, str | float] = {"font_size": 13, "fill": INK}
    return element("text", escape(words, quote=False), x=x, y=y, **(style | attributes))


def line(x1: str, y1: float, x2: str, y2: float, **attributes: str | float) -> str:
    """Return a straight line."""
    style: dict[str, str | float] = {"stroke": INK, "stroke_width": 1}
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **(style | attributes))


def inline(panel: Panel) -> str:
    """Return the panel as an SVG element for a page."""
    return element(
        "svg",
        element("title", escape(panel.alt, quote=False)) + panel.body,
        width="100%",
        height=panel.height,
        role="img",
        aria_label=panel.alt,
        overflow="visible",
    )


def document(
    title: str, panels: Sequence[Panel], note: str = "", legend: Sequence[tuple[str, str]] = ()
) -> str:
    """Return an SVG file: panels in two columns (one if there is but one), a note at the top.

    The legend is of colours and labels.
    """
    columns = min(2, len(panels))
    width = (_PAGE - 2 * _MARGIN - (columns - 1) * _GAP) / max(columns, 1)
    body, top = [], float(_MARGIN)
    head = text(str(_MARGIN), top + 8, title, font_size=17, font_weight="bold")
    if note:
        head += text(
            str(_PAGE - _MARGIN),
            top + 8,
            note,
            text_anchor="end",
            font_weight="bold",
            fill="#8a2f1d",
        )
    top += 36
    if legend:
        head += _key(legend, top)
        top += 30
    for start in range(0, len(panels), columns or 1):
        row = panels[start : start + columns]
        for place, panel in enumerate(row):
            body.append(
                element(
                    "svg",
                    panel.body,
                    x=_MARGIN + place * (width + _GAP),
                    y=top,
                    width=width,
                    height=panel.height,
                    overflow="visible",
                )
            )
        top += max(panel.height for panel in row) + 24
    whole = element("rect", width=_PAGE, height=top, fill="#fff") + head + "".join(body)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + element(
        "svg",
        element("title", escape(title, quote=False)) + whole,
        xmlns="http://www.w3.org/2000/svg",
        width=_PAGE,
        height=top,
        viewBox=f"0 0 {_PAGE} {_short(top)}",
        font_family=FONT,
    )


def _key(legend: Sequence[tuple[str, str]], top: float) -> str:
    body, across = "", float(_MARGIN)
    for colour, label in legend:
        body += element("rect", x=across, y=top - 2, width=13, height=13, fill=colour, stroke=PALE)
        body += text(_short(across + 19), top + 9, label)
        # As wide as its letters, a Chinese one being a full square
        across += 44 + sum(13 if sign > "\u2e80" else 7 for sign in label)
    return body


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")

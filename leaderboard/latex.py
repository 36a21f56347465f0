"""The headline tables in LaTeX, for the package booktabs: narrow enough for a page of text.

With Chinese, in names too, they want XeLaTeX and ctex, or fontspec with a CJK font; without, pdfLaTeX
will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench.records import Score
from leaderboard.board import boards
from leaderboard.tabulate import Cell, HeadlineTable, capital, headline_table, notes_of, width_of
from leaderboard.words import Words

_WIDEST = 14
"""Columns of letters of a line in a heading, or in a reason."""

_HEAD = 4
"""Lines of a table before its first model."""

_MOST = 5
"""Columns of a table; what is more stands in a further one."""

_NEEDS = (
    "% needs the package booktabs; with Chinese, in names too, XeLaTeX and ctex (or fontspec with a"
    " CJK font)"
)
_STACKED = r"\providecommand{\stacked}[1]{\begin{tabular}[t]{@{}r@{}}#1\end{tabular}}"


def latex(scores: Sequence[Score], words: Words) -> str:
    """Return the headline tables of all studies: the interval and the ranks under each value."""
    parts = []
    for board in boards(scores, tuple(words.labels)):
        table = headline_table(board, words)
        notes = [note for note in (board.study, words.say("simulated") * board.simulated) if note]
        lines = [f"% {' · '.join(notes)}"] if notes else []
        lines += [_NEEDS, _STACKED]
        for start, end in _blocks(table):
            lines += [*_tabular(table, slice(start, end), words), "", "\\bigskip", ""]
        lines[-3:] = [f"% {notes_of(board, table, words)}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _blocks(table: HeadlineTable) -> list[tuple[int, int]]:
    """Return the columns of each table, as even as may be; biases stand in one of their own."""
    ends = [table.n_scores, len(table.columns)]
    if ends[1] <= _MOST:
        return [(0, ends[1])]
    found = []
    for start, end in pairwise([0, *ends]):
        parts = -(-(end - start) // _MOST)
        steps = [start + (end - start) * part // max(parts, 1) for part in range(parts + 1)]
        found += list(pairwise(steps))
    return found


def _tabular(table: HeadlineTable, columns: slice, words: Words) -> list[str]:
    heads = [column.short or capital(column.heading) for column in table.columns[columns]]
    lines = [f"\\begin{{tabular}}{{l{'r' * len(heads)}}}", "\\toprule"]
    lines += [_row(words.say("model"), [_lines(head) for head in heads]), "\\midrule"]
    for place, (name, cells) in enumerate(table.rows):
        shown = cells[columns]
        if not any(cell.value for cell in shown):
            continue
        if table.anchor and place == len(table.rows) - 1:
            lines.append("\\midrule")
        elif len(lines) > _HEAD:
            lines.append("\\addlinespace")
        lines.append(_row(name, [_cell(cell, words) for cell in shown]))
    return [*lines, "\\bottomrule", "\\end{tabular}"]


def escaped(words: str) -> str:
    """Return words without what TeX takes for a command; a bracket would end a line's command."""
    special: dict[str, str | int | None] = {sign: f"\\{sign}" for sign in "&%$#_{}"}
    special |= {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    special |= {"<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "[": "{[}"}
    special |= {"−": "$-$", "–": "--", "\n": " "}
    return words.translate(str.maketrans(special))


def _row(name: str, cells: Sequence[str]) -> str:
    return " & ".join([escaped(name), *cells]) + " \\\\"


def _cell(cell: Cell, words: Words) -> str:
    if not cell.value:
        return ""
    letters = f"$^{{\\mathrm{{{cell.letters}}}}}$" if cell.letters else ""
    rank = f"{words.say('rank')} {cell.rank}" if cell.rank else ""
    small = [part for part in (cell.interval, rank) if part]
    if not cell.interval and cell.reason:
        small = [*_broken(cell.reason), *small]
    return _stack(
        [escaped(cell.value) + letters, *(f"{{\\scriptsize {escaped(part)}}}" for part in small)]
    )


def _stack(lines: Sequence[str]) -> str:
    """Return lines one under the other in one cell."""
    first, *more = lines
    beneath = "".join("\\\\" + line for line in more)
    return f"\\stacked{{{first}{beneath}}}" if more else first


def _lines(heading: str) -> str:
    return _stack([escaped(part) for part in _broken(heading)])


def _broken(heading: str) -> list[str]:
    """Return words in lines: Chinese may break anywhere, another between words."""
    lines, spaced = [""], " " in heading
    for part in heading.split() if spaced else heading:
        joined = f"{lines[-1]} {part}".strip() if spaced else lines[-1] + part
        if lines[-1] and width_of(joined) > _WIDEST and (spaced or part > "\u2e80"):
            lines.append(part)
        else:
            lines[-1] = joined
    return lines

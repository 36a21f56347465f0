"""The headline tables in LaTeX, for the package booktabs: narrow enough for a page of text."""

from __future__ import annotations

from collections.abc import Sequence

from bench.records import Score
from leaderboard.board import boards
from leaderboard.tabulate import Cell, capital, headline_table, notes_of, width_of
from leaderboard.words import Words

_WIDEST = 14
"""Columns of letters of a heading's line."""

_STACKED = r"\providecommand{\stacked}[1]{\begin{tabular}[t]{@{}r@{}}#1\end{tabular}}"


def latex(scores: Sequence[Score], words: Words) -> str:
    """Return the headline tables of all studies: the interval and the ranks under each value."""
    parts = []
    for board in boards(scores, tuple(words.labels)):
        table = headline_table(board, words)
        notes = [note for note in (board.study, words.say("simulated") * board.simulated) if note]
        heads = [column.short or capital(column.heading) for column in table.columns]
        lines = [f"% {' · '.join(notes)}"] if notes else []
        lines += ["% needs the package booktabs; Chinese also needs ctex", _STACKED]
        lines += [f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}", "\\toprule"]
        lines += [
            _row(
                words.say("model"), [_stack([escaped(part) for part in _broken(h)]) for h in heads]
            )
        ]
        lines += ["\\midrule"]
        for place, (name, cells) in enumerate(table.rows):
            if table.anchor and place == len(table.rows) - 1:
                lines.append("\\midrule")
            lines.append(_row(name, [_cell(cell, words) for cell in cells]))
        lines += ["\\bottomrule", "\\end{tabular}"]
        lines += [f"% {notes_of(board, table, words)}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


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
    small = [part for part in (cell.interval or cell.reason, rank) if part]
    return _stack(
        [escaped(cell.value) + letters, *(f"{{\\scriptsize {escaped(part)}}}" for part in small)]
    )


def _stack(lines: Sequence[str]) -> str:
    """Return lines one under the other in one cell."""
    first, *more = lines
    beneath = "".join("\\\\" + line for line in more)
    return f"\\stacked{{{first}{beneath}}}" if more else first


def _broken(heading: str) -> list[str]:
    """Return a heading in lines: a Chinese one may break anywhere, another between words."""
    lines, spaced = [""], " " in heading
    for part in heading.split() if spaced else heading:
        joined = f"{lines[-1]} {part}".strip() if spaced else lines[-1] + part
        if lines[-1] and width_of(joined) > _WIDEST and (spaced or part > "\u2e80"):
            lines.append(part)
        else:
            lines[-1] = joined
    return lines

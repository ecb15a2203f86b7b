"""Tables for people: aligned columns that fit the terminal; in a pipe one record per line, never truncated."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console

WIDE = 100_000  # characters per line in a pipe
GAP = "  "


class Column(NamedTuple):
    """A column of a table. If space is short, the highest rank is dropped first; rank 0 is always kept."""

    title: str
    right: bool = False
    rank: int = 0


def room() -> int:
    """Return the maximum width of a table: COLUMNS, else the terminal's width, or no limit in a pipe."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def console() -> Console:
    """Return a console for rich's tables that does not wrap lines in a pipe."""
    return Console(width=min(room(), 1000))


def text(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, title: str = "", caption: str = ""
) -> str:
    """Draw a table of at most this width: values that all rows share move below it, then whole columns are dropped.

    Cells are never truncated or wrapped: if the columns of rank 0 do not fit, lines exceed the terminal's width.
    """
    rows = [[_printable(cell) for cell in row] for row in rows]
    kept, common = list(range(len(columns))), []
    for number, column in enumerate(columns):
        if _width(columns, rows, kept) > width and column.rank and len({row[number] for row in rows}) == 1 < len(rows):
            kept.remove(number)
            common.append(f"{column.title} {rows[0][number]}")
    for number in sorted(kept, key=lambda number: -columns[number].rank):
        if _width(columns, rows, kept) > width and columns[number].rank:
            kept.remove(number)
    widths = [max([cell_len(columns[n].title), *(cell_len(row[n]) for row in rows)]) for n in kept]
    lines = [title] if title else []
    for row in ([column.title for column in columns], *rows):
        cells = [(row[n], size, columns[n].right) for n, size in zip(kept, widths, strict=True)]
        padded = [" " * (size - cell_len(cell)) + cell if right else cell + " " * (size - cell_len(cell))
                  for cell, size, right in cells]  # fmt: skip
        lines.append(GAP.join(padded).rstrip())
    below = [f"in every row: {', '.join(common)}"] if common else []
    below += [part for line in caption.splitlines() for part in textwrap.wrap(line, max(width, 40))]
    return "\n".join([*lines, *([""] if below else []), *below])


def described(name: str, words: str, width: int, indent: int) -> str:
    """Return a name with its description, which is wrapped to this width and indented by this many characters."""
    return textwrap.fill(words, max(width, indent + 40), initial_indent=name.ljust(indent),
                         subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)  # fmt: skip


def scores(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, title: str = "", caption: str = ""
) -> str:
    """Draw a table whose last columns are scores; if space is short, only the last one keeps its interval."""
    rank0 = [number for number, column in enumerate(columns) if not column.rank]
    if _width(columns, rows, rank0) > width:
        rows = [[*(cell.partition(" [")[0] for cell in row[:-1]), row[-1]] for row in rows]
    return text(columns, rows, width, title, caption)


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]], kept: Sequence[int]) -> int:
    widths = [max([cell_len(columns[n].title), *(cell_len(row[n]) for row in rows)]) for n in kept]
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _printable(cell: str) -> str:
    """Return untrusted text without line breaks and control characters."""
    return "".join(character if character.isprintable() else " " for character in cell)

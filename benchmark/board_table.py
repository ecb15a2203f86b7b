"""The ranking for a terminal."""

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from .display import short


def terminal(board: dict[str, Any], rows: list[dict[str, Any]], suite: str = "") -> Table:
    """One line an entry, best first."""
    name = suite or (board["suites"][0]["name"] if board["suites"] else "no entry yet")
    best = next((f"the {one['scale']}" for one in board["suites"] if one["name"] == name), "the teacher")
    shown = Table(title=name, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("#", "entry", "author", "badge"):
        shown.add_column(title)
    for title in ("score [95 %]", "FLOPs in all", "improvement"):
        shown.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        span = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
        missing = f" ({row['missing']} missing)" if row["missing"] else ""
        gain = "" if row["improvement"] is None else f"{row['improvement']:.3f}"
        bound = "≥ " if row["unpriced"] else ""
        cells = (str(row["rank"]), row["entry"] + missing, row["author"], row["badge"], f"{row['score']:.2f}{span}")
        shown.add_row(*map(escape, (*cells, bound + short(row["full_flops"]), gain)))
    shown.caption_justify = "left"
    shown.caption = f"score: IQM, 0 is random play, 1 {best}; missing cells count as random play; FLOPs with ancestors"
    return shown


def pairs(rows: list[tuple[str, str]]) -> str:
    """Names and what belongs to them, in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)

"""The ranking for a terminal."""

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from ...leaderboard import exports
from ..display import short


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
        score = exports.estimate(row["score"], row["low"], row["high"])
        missing = f" ({row['missing']} missing)" if row["missing"] else ""
        gain = "" if row["improvement"] is None else f"{row['improvement']:.3f}"
        bound = "≥ " if row["unpriced"] else ""
        cells = (
            "–" if row["rank"] is None else str(row["rank"]),
            row["entry"] + missing,
            row["author"],
            row["badge"],
            score,
        )
        shown.add_row(*map(escape, (*cells, bound + short(row["full_flops"]), gain)))
    shown.caption_justify = "left"
    shown.caption = f"score: IQM, 0 is random play, 1 {best}; missing cells count as random play; FLOPs with ancestors"
    return shown


def along(rows: list[dict[str, Any]], axis: str) -> tuple[list[str], list[list[str]]]:
    """Head and cells of a table of scores at the budgets of an axis, from the rows of that name in `exports`."""
    budgets = exports.budgets(rows)
    head = ["#", "entry", "runs", "own FLOPs", *(f"{short(float(budget))} {axis}" for budget in budgets)]
    cells = []
    for row in rows:
        scores = [exports.estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in budgets]
        cells.append(
            [
                "–" if row["rank"] is None else str(row["rank"]),
                row["entry"],
                str(row["runs"]),
                short(row["own_flops"]),
                *scores,
            ]
        )
    return head, cells


def drawn(head: list[str], cells: list[list[str]]) -> Table:
    """A table of scores for a terminal."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for number, title in enumerate(head):
        shown.add_column(title, justify="left" if number == 1 else "right")
    for row in cells:
        shown.add_row(*map(escape, (cell.replace(" [", "\n[") for cell in row)))
    shown.caption_justify = "left"
    shown.caption = "IQM over runs, and under it its 95 % interval; 0 is random play, 1 whoever the suite is scaled by"
    return shown


def markdown(head: list[str], cells: list[list[str]]) -> str:
    """The same for a document."""
    lines = [head, ["--:", "---", *["--:"] * (len(head) - 2)]]
    lines += [[row[0], f"`{row[1]}`", *row[2:]] for row in cells]
    return "\n".join(map(exports.piped, lines))


def pairs(rows: list[tuple[str, str]]) -> str:
    """Names and what belongs to them, in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)

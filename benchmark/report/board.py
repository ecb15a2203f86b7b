"""The ranking for a terminal."""

from typing import Any

from ...leaderboard import exports
from .. import tables
from ..display import short
from ..tables import Column

RANKING = (
    Column("#", right=True),
    Column("entry"),
    Column("author", rank=1),
    Column("badge", rank=2),
    Column("score [95 %]", right=True),
    Column("area", right=True, rank=4),
    Column("FLOPs", right=True, rank=3),
    Column("improvement", right=True, rank=5),
)


def place(row: dict[str, Any]) -> str:
    """Write an entry's place, a dash for one that has none."""
    return "–" if row["rank"] is None else str(row["rank"])


def terminal(board: dict[str, Any], rows: list[dict[str, Any]], suite: str = "", width: int = tables.WIDE) -> str:
    """Draw the ranking, one line an entry, best first."""
    name = suite or (board["suites"][0]["name"] if board["suites"] else "no entry yet")
    best = next((f"the {one['scale']}" for one in board["suites"] if one["name"] == name), "the teacher")
    cells = []
    for row in rows:
        missing = f" ({row['missing']} missing)" if row["missing"] else ""
        gain = "" if row["improvement"] is None else f"{row['improvement']:.3f}"
        flops = ("≥ " if row["unpriced"] else "") + short(row["full_flops"])
        score = exports.estimate(row["score"], row["low"], row["high"])
        cells.append([place(row), row["entry"] + missing, row["author"], row["badge"], score])
        cells[-1] += [f"{row['area']:.2f}", flops, gain]
    caption = (
        f"score: IQM at the end, 0 is random play, 1 {best}; missing cells count as random play\n"
        "area: mean score from the first frame to the end of the budget; FLOPs: with ancestors"
    )
    return tables.text(RANKING, cells, width, name, caption)


def along(rows: list[dict[str, Any]], axis: str) -> tuple[list[str], list[list[str]]]:
    """Return the head and the cells of a table of scores at the budgets of an axis,
    from the rows of that name in `exports`."""
    budgets = exports.budgets(rows)
    head = ["#", "entry", "runs", "own FLOPs", *(f"{short(float(budget))} {axis}" for budget in budgets)]
    cells = []
    for row in rows:
        scores = [exports.estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in budgets]
        cells.append([place(row), row["entry"], str(row["runs"]), short(row["own_flops"]), *scores])
    return head, cells


def drawn(head: list[str], cells: list[list[str]], axis: str, width: int = tables.WIDE) -> str:
    """Draw a table of scores at budgets for a terminal."""
    left = (Column("#", right=True), Column("entry"), Column("runs", right=True, rank=2))
    budgets = [Column(title.removesuffix(f" {axis}"), right=True) for title in head[4:]]
    caption = (
        f"IQM over runs at budgets of {axis}, with 95 % intervals; 0 is random play, 1 whoever the suite is scaled by"
    )
    return tables.scores((*left, Column("own FLOPs", right=True, rank=1), *budgets), cells, width, caption=caption)


def markdown(head: list[str], cells: list[list[str]]) -> str:
    """Return the schema of a document."""
    lines = [head, ["--:", "---", *["--:"] * (len(head) - 2)]]
    lines += [[row[0], f"`{row[1]}`", *row[2:]] for row in cells]
    return "\n".join(map(exports.piped, lines))


def pairs(rows: list[tuple[str, str]]) -> str:
    """Return names and what belongs to them, in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)

"""The board's ranking in the terminal."""

from typing import Any

from ...datasets.words import several
from ...leaderboard import exports
from .. import tables
from ..display import short
from ..tables import Column


def place(row: dict[str, Any]) -> str:
    """Format an entry's rank; a dash if it is not ranked."""
    return "–" if row["rank"] is None else str(row["rank"])


def terminal(board: dict[str, Any], rows: list[dict[str, Any]], suite: str = "", width: int = tables.WIDE) -> str:
    """Draw the ranking like the board's page, one line per entry, best first; `rows` from `exports.rows`."""
    of = next((one for one in board["suites"] if one["name"] == suite or not suite), None)
    name = of["name"] if of else "no entry yet"
    best = f"the {of['scale']}" if of else "the teacher"
    rival = of["baselines"][0] if of and of["baselines"] else ""
    early = {row["entry"]: row for row in exports.along(board, "frames", suite)}
    budgets = exports.budgets(list(early.values()))
    columns = _columns(budgets, rival.split("~")[1] if rival else "")
    better = {
        one["entry"]: one["suites"][name]["better"].get(rival) for one in board["entries"] if name in one["suites"]
    }
    cells = []
    for row in rows:
        missing = f" ({row['missing']} missing)" if row["missing"] else ""
        gain = "" if row["improvement"] is None else f"{row['improvement']:.3f}"
        flops = ("≥ " if row["unpriced"] else "") + short(row["full_flops"])
        told = better.get(row["entry"])
        cells.append([place(row), row["entry"] + missing, row["author"], row["badge"]])
        cells[-1] += [f"{early[row['entry']][budget] + 0.0:.2f}".replace("-0.00", "0.00") for budget in budgets[:-1]]
        cells[-1] += [exports.estimate(row["score"], row["low"], row["high"]).replace("-0.00", "0.00")]
        cells[-1] += [f"{row['area']:.2f}", short(row["own_flops"]), flops, f"{told[0]:.0%}" if told else "–", gain]
    caption = (
        f"IQM of scores at budgets of frames, 0 is random play, 1 {best}; missing cells count as random play\n"
        "early: area under the curve, the mean score over the whole budget\n"
        "own: FLOPs of one run; full: with all its ancestors"
    )
    return tables.text(columns, cells, width, name, caption)


def _columns(budgets: list[str], rival: str) -> tuple[Column, ...]:
    """Return the columns of the ranking; if space is short, the highest rank is dropped first."""
    scores = [Column(short(float(budget)) if float(budget) else "0", right=True) for budget in budgets]
    if len(scores) > 2:
        scores[1] = scores[1]._replace(rank=2)
    if scores:
        scores[-1] = scores[-1]._replace(title=f"{scores[-1].title} [95 %]")
    return (
        Column("#", right=True),
        Column("entry"),
        Column("author", rank=7),
        Column("badge", rank=8),
        *(scores or [Column("score [95 %]", right=True)]),
        Column("early", right=True, rank=1),
        Column("own", right=True, rank=4),
        Column("full", right=True, rank=1),
        Column(f"beats {rival}" if rival else "better", right=True, rank=3),
        Column("improvement", right=True, rank=6),
    )


def along(rows: list[dict[str, Any]], axis: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and cells of a table of scores at the budgets of an axis, from `exports.along`."""
    budgets = exports.budgets(rows)
    head = ["#", "entry", "runs", "own FLOPs", *(f"{short(float(budget))} {axis}" for budget in budgets)]
    cells = []
    for row in rows:
        scores = [exports.estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in budgets]
        cells.append([place(row), row["entry"], str(row["runs"]), short(row["own_flops"]), *scores])
    return head, cells


def drawn(head: list[str], cells: list[list[str]], axis: str, width: int = tables.WIDE) -> str:
    """Draw a table of scores at budgets for the terminal."""
    left = (Column("#", right=True), Column("entry"), Column("runs", right=True, rank=2))
    budgets = [Column(title.removesuffix(f" {axis}"), right=True) for title in head[4:]]
    caption = (
        f"IQM over runs at budgets of {axis}, with 95 % intervals; 0 is random play, 1 whoever the suite is scaled by"
    )
    return tables.scores((*left, Column("own FLOPs", right=True, rank=1), *budgets), cells, width, caption=caption)


def markdown(head: list[str], cells: list[list[str]]) -> str:
    """Return the table as Markdown."""
    lines = [head, ["--:", "---", *["--:"] * (len(head) - 2)]]
    lines += [[row[0], f"`{row[1]}`", *row[2:]] for row in cells]
    return "\n".join(map(exports.piped, lines))


def pairs(rows: list[tuple[str, str]]) -> str:
    """Format names and their texts in two columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)


def intervals(
    board: dict[str, Any], rows: list[dict[str, Any]], suite: str = ""
) -> tuple[list[tuple[str, list[float], str]], str]:
    """Return the input of `plots.entries`: name, score with interval and kind of prior computation; and the caption."""
    kinds = {(one["author"], one["entry"]): one["transfers"] for one in board["entries"]}
    drawn = []
    for row in rows:
        ends = [end for end in (row["low"], row["high"]) if end is not None]
        drawn.append((row["entry"], [row["score"], *ends], kinds[row["author"], row["entry"]]))
    name = suite or (board["suites"][0]["name"] if board["suites"] else "no suite")
    return (
        drawn,
        f"{name}, {several(len(rows), 'entry', 'entries')}, {several(sum(row['runs'] for row in rows), 'run')}",
    )

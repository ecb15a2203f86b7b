"""Write the tables and figures of docs/results.md and docs/balloon.md, from the committed records and the runs on
held-out seeds.

python -m tests.learning.results
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reincarnate.benchmark.report import plots, ranking
from reincarnate.leaderboard import exports, record, results, score
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.units import short

from . import settings

PAGE, BALLOON = settings.DOCS / "results.md", settings.DOCS / "balloon.md"
FIGURES = {"minatar5": "entries.png"}  # the README shows it, too
RATIO = "-ratio"  # how entries end whose methods learn at their published update ratio, a board of their own
ESTIMATE = re.compile(r"-?\d+\.\d\d \[-?\d+\.\d\d, -?\d+\.\d\d\]")
PAPER = {  # IQM after 10M frames, weaned at 6M (Agarwal et al., 2022), as read off the figures of its author's slides
    "qdagger": "1.15",
    "kickstarting": "about 0.7",
    "cql": "0.64",
    "dqfd": "0.45",
    "rehearsal": "0.45",
    "dqn": "0.39",
    "jsrl": "0.38",
}
FLIGHTS = {  # of the teacher's score (Agarwal et al., 2022), as read off the figures of its author's slides
    "fine_tuning": "1.07",
    "qdagger": "1.01, an IQN",
    "iqn": "0.90",
    "qr_dqn": "0.88",
}
QUARTER, END = 1, 3  # which of `settings.SHARES`


def boards(committed: results.Results) -> dict[str, str]:
    """Make the table of each board: entries by IQM, and their IQMs at each budget of frames."""
    made = board(committed)
    return {
        name: ranking.markdown(*ranking.along(rows, "frames"))
        for suite in committed.suites
        for name, rows in parted(suite.name, exports.along(made, "frames", suite.name)).items()
    }


def parted(suite: str, rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Divide a suite's rows into the boards of the page, {name: rows}, each ranked from 1."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        mine = found.setdefault(suite + RATIO * row["entry"].endswith(RATIO), [])
        mine.append(row | {"rank": row["rank"] and len(mine) + 1})
    return found


def beside_the_paper(first_board: str, runs: list[settings.Run]) -> str:
    """Write one row a method: its IQM at a quarter of the steps on the first board, there and at the end with today's
    settings on held-out seeds, and in the paper."""
    cells = [line.split(" | ") for line in first_board.splitlines()[2:]]
    first = {row[1].strip("`"): row[6] for row in cells}  # after 25,000 frames
    rows = []
    for method, paper in PAPER.items():
        held = [of(runs, method, share) for share in (QUARTER, END)]
        rows.append([f"`{method}`", first[method], *held, paper])
    head = ["", "first board, 25k steps", "today, 25k steps", "today, 100k steps", "the paper, 10M frames"]
    return settings.table(head, rows, 1)


def of(runs: Iterable[settings.Run], method: str, share: int) -> str:
    """Write the IQM of a method on the held-out seeds, with its interval."""
    ours = [run for run in runs if run["sweep"] == "heldout" and run["method"] == method]
    scores = settings.matrix([(run["task"], run["seed"], run["scores"][share]) for run in ours])
    return exports.estimate(score.iqm(scores), *score.interval(scores, score.iqm))


def balloon(committed: results.Results) -> dict[str, list[record.RunRecord]]:
    """Return the runs of the balloon by entry, in the order of their seeds."""
    found: dict[str, list[record.RunRecord]] = {}
    for one in committed.submissions.values():
        if one.record.task == "balloon/station_keeping":
            found.setdefault(one.entry, []).append(one.record)
    return {entry: sorted(runs, key=lambda run: run.seed) for entry, runs in found.items()}


def of_the_teacher(runs: Iterable[record.RunRecord], of: str) -> np.ndarray:
    """Return each student's mean return or time within 50 km, as a share of its teacher's in the same episodes: [R]."""
    pairs = [(run.points[-1].evaluation, run.teacher) for run in runs]
    return np.array([np.mean(getattr(mine, of)) / np.mean(getattr(theirs, of)) for mine, theirs in pairs])


def flights(runs_of: Mapping[str, list[record.RunRecord]]) -> str:
    """Write one row an entry: what its students reached of their teacher's return and time within 50 km."""
    rows = []
    for entry, runs in runs_of.items():
        spent = [run.points[-1].spent for run in runs]
        shares = [of_the_teacher(runs, of) for of in ("returns", "shares")]
        told = [exports.estimate(each.mean(), *score.interval(each[:, None], np.mean)) for each in shares]
        seeds = " ".join(f"{one:.2f}" for one in shares[0])
        costs = [f"{spent[0][of]:,.0f}" for of in ("steps", "updates")] + [short(spent[0]["flops"])]
        paper = FLIGHTS.get(runs[0].method, "")
        rows.append((shares[0].mean(), [f"`{entry}`", *costs, told[0], seeds, told[1], paper]))
    head = ["", "steps", "updates", "FLOPs", "of the teacher's return", "each seed", "of its TWR50", "the paper"]
    return settings.table(head, (row for _, row in sorted(rows, reverse=True)), 1)


def above_the_teacher(runs: Iterable[settings.Run]) -> tuple[int, int]:
    """Count QDagger's runs on the held-out seeds that end above their teacher, and all of them."""
    ends = [run["scores"][END] for run in runs if run["sweep"] == "heldout" and run["method"] == "qdagger"]
    return sum(end > 1 for end in ends), len(ends)


def share_of(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    z = 1.96
    middle, half = count / total + z**2 / 2 / total, z * np.sqrt(count * (total - count) / total + z**2 / 4) / total
    return (middle - half) / (1 + z**2 / total), (middle + half) / (1 + z**2 / total)


def tables(committed: results.Results, runs: list[settings.Run]) -> dict[str, str]:
    """Make every table of the page, by name."""
    made = boards(committed)
    return made | {"paper": beside_the_paper(made["minatar5"], runs), "flights": flights(balloon(committed))}


def figures(committed: results.Results) -> dict[str, bytes]:
    """Draw the entries of each suite as intervals, as `leaderboard show --plot` does: {name of the PNG: its bytes}."""
    made, drawn = board(committed), {}
    for suite in committed.suites:
        for name, rows in parted(suite.name, exports.rows(made, suite.name)).items():
            figure = plots.entries(*ranking.intervals(made, rows, name))
            drawn[FIGURES.get(name, f"boards/{name}.png")] = plots.png(figure)
    return drawn


def main() -> None:
    """Write the pages with their tables and figures made anew."""
    committed = results.read(settings.FIRST)
    for name, drawn in figures(committed).items():
        (settings.DOCS / name).parent.mkdir(exist_ok=True)
        (settings.DOCS / name).write_bytes(drawn)
    made = tables(committed, json.loads(settings.DATA.read_text()))
    for page in (PAGE, BALLOON):
        filled = settings.MARKED.sub(
            lambda found: f"<!-- table {found[1]} -->\n{made[found[1].replace('_', '-')]}\n<!-- end -->",
            page.read_text(),
        )
        page.write_text(filled)


if __name__ == "__main__":
    main()

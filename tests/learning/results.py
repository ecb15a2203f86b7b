"""Write the tables and figures of docs/results.md, docs/balloon.md and the README, from the committed records.

python -m tests.learning.results
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reincarnate.benchmark.report import plots, ranking
from reincarnate.leaderboard import exports, record, results, score
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.suite import bundled, suite_id
from reincarnate.leaderboard.units import short

from . import settings

PAGE, BALLOON, README = settings.DOCS / "results.md", settings.DOCS / "balloon.md", settings.DOCS.parent / "README.md"
COMMITTED = settings.DOCS / "results"
FIGURES = {"minatar5": "entries.png"}  # the README shows it, too
APART = {  # how entries end that are on a board of their own: its name, and the suite that scores it, if another
    "-ratio": ("ratio", ""),  # each method learns at its published update ratio
    "-early": ("grid", ""),  # with a weaker teacher and its log
    "-early-log": ("grid", ""),
    "-early-teacher": ("grid", ""),
    "-training-log": ("grid", ""),
    "-long": ("long", "minatar5-v1"),  # with the dqn teachers, for longer
}
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


def scored(committed: results.Results, made: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield each suite's name and its board: the records', then those of entries that another suite scores."""
    yield from ((suite.name, made) for suite in committed.suites)
    for end, (_, name) in APART.items():
        if name:
            (suite,) = [one for one in bundled() if suite_id(one.name, one.version) == name]
            mine = {run: one for run, one in committed.submissions.items() if one.entry.endswith(end)}
            yield suite.name, board(committed._replace(submissions=mine, suites=(suite,)))


def boards(committed: results.Results, made: dict[str, Any]) -> dict[str, str]:
    """Make the table of each board: entries by IQM, their cost, and their IQMs along the steps (ALE: frames)."""
    found = {}
    for suite, of in scored(committed, made):
        full = {
            row["entry"]: "≥ " * bool(row["unpriced"]) + short(row["full_flops"]) for row in exports.rows(of, suite)
        }
        for name, rows in parted(suite, exports.along(of, "frames", suite)).items():
            head, cells = ranking.along(rows, "frames" if suite == "atari-small" else "steps")
            head[4:4] = ["with ancestors"]
            cells = [[*row[:4], full[row[1]], *row[4:]] for row in cells]
            if suite == "balloon":  # evaluated at the end only
                head, cells = [*head[:5], "at the end"], [[*row[:5], row[-1]] for row in cells]
            found[name] = ranking.markdown(head, cells)
    return found


def apart(entry: str) -> str:
    """Return the name of the board that an entry is on beside its suite's, or an empty text."""
    return next((name for ending, (name, _) in APART.items() if entry.endswith(ending)), "")


def parted(suite: str, rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Divide a suite's rows into the boards of the page, {name: rows}, each ranked from 1."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        name = apart(row["entry"])
        mine = found.setdefault(f"{suite}-{name}" if name else suite, [])
        mine.append(row | {"rank": row["rank"] and len(mine) + 1})
    return found


def beside_the_paper(of_the_board: str) -> str:
    """Write one row for each of the paper's methods: its IQM at the end of MinAtar's board, and in the paper."""
    cells = [line.split(" | ") for line in of_the_board.splitlines()[2:]]
    ends = {row[1].strip("`"): row[-1].removesuffix(" |") for row in cells}
    rows = [[f"`{method}`", ends[method], paper] for method, paper in PAPER.items()]
    return settings.table(["", "here, 100,000 steps", "the paper, 10M frames"], rows, 1)


def shown_first(committed: results.Results, made: dict[str, Any]) -> str:
    """Write the README's table: MinAtar's entries by IQM, each with its budget, cost, date and commit."""
    commits: dict[str, set[str]] = {}
    for one in committed.submissions.values():
        commits.setdefault(one.entry, set()).add(f"`{str(one.record.machine['commit'])[:7]}`")
    dates = {entry["entry"]: entry["accepted"][:10] for entry in made["entries"]}
    rows = []
    for one in parted("minatar5", exports.rows(made, "minatar5"))["minatar5"]:
        own, full = short(one["own_flops"]), short(one["full_flops"])
        words = [exports.estimate(one["score"], one["low"], one["high"]), f"100k steps, {own} FLOPs", full]
        rows.append([*words, f"`{one['entry']}`", dates[one["entry"]], " ".join(sorted(commits[one["entry"]]))])
    head = ["IQM of scores at the end", "own budget", "FLOPs with ancestors", "entry", "accepted", "commit"]
    return settings.table(head, rows, len(head))


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


def share_of(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    z = 1.96
    middle, half = count / total + z**2 / 2 / total, z * np.sqrt(count * (total - count) / total + z**2 / 4) / total
    return (middle - half) / (1 + z**2 / total), (middle + half) / (1 + z**2 / total)


def tables(committed: results.Results, made: dict[str, Any]) -> dict[str, str]:
    """Make every table of the pages, by name. `made`: the board."""
    found = boards(committed, made)
    beside = {"paper": beside_the_paper(found["minatar5"]), "flights": flights(balloon(committed))}
    return found | beside | {"readme": shown_first(committed, made)}


def figures(committed: results.Results, made: dict[str, Any]) -> dict[str, bytes]:
    """Draw the entries of each board as intervals, as `leaderboard show --plot` does: {name of the PNG: its bytes}."""
    drawn = {}
    for suite, of in scored(committed, made):
        for name, rows in parted(suite, exports.rows(of, suite)).items():
            if len(rows) == 1:
                continue
            figure = plots.entries(*ranking.intervals(of, rows, name))
            drawn[FIGURES.get(name, f"boards/{name}.png")] = plots.png(figure)
    return drawn


def main() -> None:
    """Write the pages with their tables and figures made anew."""
    committed = results.read(COMMITTED)
    whole = board(committed)
    for name, drawn in figures(committed, whole).items():
        (settings.DOCS / name).parent.mkdir(exist_ok=True)
        (settings.DOCS / name).write_bytes(drawn)
    made = tables(committed, whole)
    for page in (PAGE, BALLOON, README):
        filled = settings.MARKED.sub(
            lambda found: f"<!-- table {found[1]} -->\n{made[found[1].replace('_', '-')]}\n<!-- end -->",
            page.read_text(),
        )
        page.write_text(filled)


if __name__ == "__main__":
    main()

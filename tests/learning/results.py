"""Write the tables of docs/results.md, from the committed records and the runs on held-out seeds.

python -m tests.learning.results
"""

import json
import re
from collections.abc import Iterable

import numpy as np

from reincarnate.benchmark.report import ranking
from reincarnate.leaderboard import exports, results, score
from reincarnate.leaderboard.board import board

from . import settings

PAGE = settings.DOCS / "results.md"
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
QUARTER, END = 1, 3  # which of `settings.SHARES`


def boards(committed: results.Results) -> dict[str, str]:
    """Make the table of each suite: entries by IQM, and their IQMs at each budget of frames."""
    made = board(committed)
    return {
        suite.name: ranking.markdown(*ranking.along(exports.along(made, "frames", suite.name), "frames"))
        for suite in committed.suites
    }


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
    return made | {"paper": beside_the_paper(made["minatar5"], runs)}


def main() -> None:
    """Write the page with its tables made anew."""
    made = tables(results.read(settings.FIRST), json.loads(settings.DATA.read_text()))
    filled = settings.MARKED.sub(
        lambda found: f"<!-- table {found[1]} -->\n{made[found[1].replace('_', '-')]}\n<!-- end -->", PAGE.read_text()
    )
    PAGE.write_text(filled)


if __name__ == "__main__":
    main()

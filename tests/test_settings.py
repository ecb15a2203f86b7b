"""The page on settings shows the runs that were made, all of them, and none on a board's seeds."""

import json
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
RUNS = json.loads((DOCS / "settings.json").read_text())
PAGE = (DOCS / "settings.md").read_text()


def row_of(run: dict) -> str:
    """The end of a run's row: its seed, scores and updates."""
    return " | ".join([str(run["seed"]), *(f"{score:.2f}" for score in run["scores"]), f"{run['updates']:,} |"])


def test_every_row_of_the_page_is_a_run_and_every_run_has_its_row():
    rows = [line for line in PAGE.splitlines() if re.fullmatch(r"\| .*`.*\| \d+ \|( -?\d+\.\d+ \|){4} [\d,]+ \|", line)]
    assert len(rows) == len(RUNS) > 0
    left = list(rows)
    for run in RUNS:
        left.remove(next(row for row in left if row.endswith(row_of(run)) and f"`{run['task']}`" in row))
    assert not left
    cost = sum(run["flops"] for run in RUNS)
    assert f"all of these runs, {len(RUNS)} so far, which cost {cost / 1e12:.0f} TFLOP" in PAGE.replace("\n", " ")


def test_nothing_was_chosen_on_a_boards_seeds():
    assert min(run["seed"] for run in RUNS) >= 100

"""What a sweep says it will take, from what its cells took."""

from pathlib import Path

import pytest

from reincarnate.benchmark.sweep import estimate
from reincarnate.benchmark.sweep.grid import Cell, CellState
from reincarnate.leaderboard import ledger

CELLS = [Cell("minatar/breakout", method, seed) for method in ("dqn", "qdagger") for seed in range(4)]
PRICES = {
    (cell.task, cell.method): estimate.CellPrice(100, 10, 1e6, 29.0 if cell.method == "dqn" else 129.0, 5.0, 0, 0, 0)
    for cell in CELLS
}
WAITING = dict.fromkeys(CELLS, CellState("waiting", 0.0))


@pytest.fixture
def took(tmp_path: Path, monkeypatch):
    """Return took(cell, seconds, spent), which writes the ledger of a cell that has worked for so long."""

    def write(cell: Cell, seconds: float, **spent: float) -> None:
        run = tmp_path / "cells" / cell.name
        run.mkdir(parents=True)
        book = ledger.Ledger(run / "ledger.jsonl")
        for event, time, so_far in (("start", 1000.0, {}), ("progress", 1000.0 + seconds, spent)):
            monkeypatch.setattr(ledger.time, "time", lambda now=time: now)
            book.write(event, spent=so_far)

    return write


def test_a_cell_that_waited_for_a_day_does_not_make_the_others_longer(tmp_path, took):
    whole = 4 * (29 + 129)
    assert estimate.left(tmp_path, WAITING, PRICES, 2) == (whole / 2 / 3600, 0)
    now = dict(WAITING)
    for cell, seconds in zip(CELLS, (58.0, 87.0, 86_400.0), strict=False):
        took(cell, seconds)
        now[cell] = CellState("done", 1.0)
    hours, known = estimate.left(tmp_path, now, PRICES, 2)
    assert known == 3 and hours == pytest.approx(3 * (29 + 4 * 129) / 2 / 3600), "three times as long as foreseen"


def test_before_one_has_ended_those_at_work_say_how_fast_it_goes(tmp_path, took):
    took(CELLS[0], 60.0, steps=50.0, flops=5e5)  # half of 20 seconds of training should have taken 10
    took(CELLS[4], 5.0, steps=50.0, flops=5e5)  # its start is not over
    now = WAITING | {CELLS[0]: CellState("running", 0.5), CELLS[4]: CellState("running", 0.5)}
    hours, known = estimate.left(tmp_path, now, PRICES, 2)
    assert known == 0 and hours == pytest.approx(6 * (3.5 * 29 + 3.5 * 129) / 2 / 3600)


def test_a_phase_on_a_log_counts_though_it_takes_no_steps(tmp_path, took):
    took(CELLS[4], 90.0, flops=6e5)  # 69 of 120 seconds of training
    now = {CELLS[4]: CellState("running", 0.0)}
    assert estimate.left(tmp_path, now, PRICES, 1).hours == pytest.approx(90 / 69 * (1 - 69 / 120) * 129 / 3600)


def test_seeds_that_share_a_process_share_its_time(tmp_path, took):
    now = dict.fromkeys(CELLS[4:7], CellState("running", 0.6))
    for cell in now:
        took(cell, 180.0, steps=60.0, flops=6e5)  # 72 of 120 seconds of each, so 216 of all three
    assert estimate.left(tmp_path, now, PRICES, 2, together=3).hours == pytest.approx(3 * 60 / 72 * 0.4 * 129 / 3600)


def test_the_longest_cell_is_not_divided_and_what_failed_is_not_waited_for(tmp_path, took):
    took(CELLS[0], 0.0, steps=75.0, flops=7.5e5)
    now = dict.fromkeys(CELLS, CellState("failed", 0.0, "it fell")) | {CELLS[1]: CellState("waiting", 0.0)}
    assert estimate.left(tmp_path, now, PRICES, 8).hours == pytest.approx(29 / 3600)
    assert estimate.left(tmp_path, {CELLS[0]: CellState("stopped", 0.75)}, PRICES, 0).hours == pytest.approx(
        29 / 4 / 3600
    )

"""What a sweep says it will take, from what its cells took."""

import pytest

from reincarnate.benchmark.sweep import estimate
from reincarnate.benchmark.sweep.grid import Cell
from reincarnate.leaderboard import ledger


def test_a_cell_that_waited_for_a_day_does_not_make_the_others_longer(tmp_path, monkeypatch):
    cells = [Cell("minatar/breakout", method, seed) for method in ("dqn", "qdagger") for seed in range(4)]
    prices = {
        (cell.task, cell.method): estimate.CellPrice(0, 0, 0, 10.0 if cell.method == "dqn" else 40.0, 0, 0, 0)
        for cell in cells
    }
    assert estimate.hours(tmp_path, cells, prices, 2) == (200 / 2 / 3600, 0)
    for cell, seconds in zip(cells, (20.0, 30.0, 86_400.0), strict=False):
        run = tmp_path / "cells" / cell.name
        run.mkdir(parents=True)
        book = ledger.Ledger(run / "ledger.jsonl")
        for event, time in (("start", 1000.0), ("end", 1000.0 + seconds)):
            monkeypatch.setattr(ledger.time, "time", lambda now=time: now)
            book.write(event)
    asked, known = estimate.hours(tmp_path, cells, prices, 2)
    assert known == 3 and asked == pytest.approx(3 * (10 + 4 * 40) / 2 / 3600), "three times as long as foreseen"

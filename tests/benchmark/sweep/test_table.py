"""A sweep on a pipe: one cell a line, as programs read it."""

from reincarnate.benchmark.sweep.grid import Cell, CellState
from reincarnate.benchmark.sweep.table import lines


def test_each_cell_is_one_line_with_nothing_cut():
    long = "qdagger:temperature=0.25:retain=0.5:base=rainbow"
    now = {
        Cell("minatar/space_invaders", long, 0): CellState("done", 1.0),
        Cell("minatar/space_invaders", long, 12): CellState("running", 0.256),
        Cell("atari/Pong", "dqn", 3): CellState("failed", 0.0, "it cannot be"),
    }
    title, head, *rows = lines(now).splitlines()
    assert title == "1 done, 1 running, 1 failed" and head.split() == ["task", "method", "seed", "state", "share"]
    assert [row.split() for row in rows] == [
        ["minatar/space_invaders", long, "0", "done", "100%"],
        ["minatar/space_invaders", long, "12", "running", "26%"],
        ["atari/Pong", "dqn", "3", "failed", "0%"],
    ]

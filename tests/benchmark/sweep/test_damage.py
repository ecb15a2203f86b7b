"""A finished cell whose files were damaged is not done: a report leaves it out, and the same command makes it again."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reincarnate.benchmark.display import Display
from reincarnate.benchmark.sweep import cell as cells
from reincarnate.benchmark.sweep import grid, table
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard import record as records

OPTIONS = {"budget": "steps=60,updates=8", "settings": {"batch_size": "8", "warmup": "20"}, "episodes": 2}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, grid.Cell]:
    """Return a sweep of one finished cell."""
    folder = tmp_path_factory.mktemp("sweep")
    (cell,) = grid.cells(grid.begin(folder, grid.of("gym/CartPole-v1", ("dqn",), (0,), OPTIONS)))
    cells.work(folder, cell.name, Display(quiet=True))
    assert grid.state(folder, cell) == ("done", 1.0, "")
    return folder, cell


def cut(path: Path, least: int = 50) -> None:
    path.write_bytes(path.read_bytes()[:-least])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "record cut": lambda run: cut(run / "record.json"),
    "record of nothing": lambda run: (run / "record.json").write_bytes(b"{}"),
    "record missing": lambda run: (run / "record.json").unlink(),
    "student of one byte": lambda run: max((run / "students").iterdir()).write_bytes(b"x"),
    "student cut": lambda run: cut(max((run / "students").iterdir())),
    "student missing": lambda run: max((run / "students").iterdir()).unlink(),
    "ledger's last line cut": lambda run: cut(run / "ledger.jsonl"),
    "ledger emptied": lambda run: (run / "ledger.jsonl").write_bytes(b""),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_cell_is_not_done_and_is_made_again(done, kind):
    folder, cell = done
    run = folder / "cells" / cell.name
    before = records.load(run / "record.json").points[-1].parameters
    DAMAGES[kind](run)
    assert grid.state(folder, cell).word in ("stopped", "waiting")
    assert table.gather(folder, grid.load(folder)) == {}
    cells.work(folder, cell.name, Display(quiet=True))
    assert grid.state(folder, cell) == ("done", 1.0, "")
    made = table.gather(folder, grid.load(folder))[cell]
    assert made.points[-1].parameters == before  # training is deterministic
    assert ledger.faults(ledger.read(run / "ledger.jsonl")) == []


def test_what_was_set_aside_is_kept(tmp_path):
    from reincarnate.benchmark.sweep import damage

    for number in range(2):
        os.makedirs(tmp_path / "cells" / "a")
        assert damage.aside(tmp_path, "a") == tmp_path / "damaged" / f"a-{number}"
    assert not (tmp_path / "cells" / "a").exists()

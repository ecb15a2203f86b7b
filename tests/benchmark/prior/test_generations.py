"""Tasks of later generations, by name: the teacher and log of a promoted student, pinned, in runs and sweeps."""

import pytest

from reincarnate.benchmark.prior.promoted_tasks import known, resolve, resolve_all
from reincarnate.benchmark.sweep import grid
from reincarnate.datasets.hub import hub
from reincarnate.datasets.hub.repository import install
from reincarnate.leaderboard.generations import FILE, written

from ...leaderboard.test_generations import promoted

X, Y = "gym/CartPole-v1", "gym/Acrobot-v1"


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Return a results repository on a bundled hub: two generations of one game, one of another."""
    (tmp_path / "results").mkdir()
    made = [promoted("r1", 1, X), promoted("r2", 2, X), promoted("r3", 1, Y)]
    (tmp_path / "results" / FILE).write_bytes(written(made))
    monkeypatch.setenv(hub.BUNDLE, str(tmp_path / "bundle"))
    install(tmp_path / "results", "lab/results", "dataset", tmp_path / "bundle")
    return "lab/results"


def test_a_generations_task_is_the_game_with_its_own_teacher_and_log(at):
    assert resolve(f"{X}@2", at, "bundled") == (X, f"lab/r2@{'a' * 40}", (f"lab/r2-log@{'b' * 40}",))
    assert resolve(X, "", "bundled", "me/t", ["me/l", ""]) == (X, "me/t", ("me/l",))
    assert [name for name, _ in known(at, "bundled")] == [f"{X}@1", f"{X}@2", f"{Y}@1"]
    with pytest.raises(ValueError, match="its own teacher and log"):
        resolve(f"{X}@2", at, "bundled", "me/t")
    with pytest.raises(ValueError, match="has no dataset lab/nowhere"):
        resolve(f"{X}@2", "lab/nowhere", "bundled")


def test_every_cell_of_a_sweep_has_its_own(at):
    text, pinned = resolve_all(f"{X}@2,{Y}", at, "bundled")
    options = {"budget": "steps=10", "teacher": "", "teacher_log": [], "hub": "bundled", "pinned": pinned}
    asked = grid.of(text, ["dqn"], [0], options)
    told = {cell.task: grid.request(asked, cell) for cell in grid.cells(asked)}
    assert told[X].teacher == f"lab/r2@{'a' * 40}" and told[X].teacher_log == (f"lab/r2-log@{'b' * 40}",)
    assert told[Y].teacher == ""
    assert resolve_all("minatar5", "", "bundled") == ("minatar5", {})
    with pytest.raises(ValueError, match="sweep each generation separately"):
        resolve_all(f"{X}@2,{X}@1", at, "bundled")
    with pytest.raises(ValueError, match="names none"):
        resolve_all("minatar5", at, "bundled")

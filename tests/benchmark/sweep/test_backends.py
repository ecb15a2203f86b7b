"""The table of places where cells run, and that the plan of a sweep changes nothing in its process."""

import os

import gymnasium  # noqa: F401  (it sets a variable of its own when it is first imported)
import pytest
from typer.testing import CliRunner

from reincarnate.benchmark.cli.main import app
from reincarnate.benchmark.sweep import drive, estimate, grid
from reincarnate.benchmark.sweep.backends import BACKENDS, find
from reincarnate.benchmark.sweep.cell import Needs

TASK = "gym/CartPole-v1"
OPTIONS = {"budget": "steps=400", "settings": {"batch_size": "8", "warmup": "10"}, "episodes": 1, "environments": 2}
PRICE = estimate.CellPrice(400.0, 100.0, 1e6, 10.0, 0.5, 2**30, 1e3, 1e3)


class Toy:
    """A backend that does no work: every cell fails with a reason."""

    name, options = "toy", "colour=red"

    def __init__(self):
        self.asked = []

    def explain(self):
        return "nowhere"

    def room(self, needs):
        return 0

    def cost(self, hours, runs, options):
        return f"{runs} red coins"

    def execute(self, folder, names, needs, jobs, tick, options):
        self.asked.append((list(names), needs, jobs, dict(options)))
        for name in names:
            grid.fail(folder, name, "it is a toy")
        tick()


def test_another_backend_is_one_entry(tmp_path, monkeypatch, capsys):
    toy = Toy()
    monkeypatch.setitem(BACKENDS, "toy", toy)
    monkeypatch.setattr(estimate, "priced", lambda asked, beside, environment: {(TASK, "dqn"): PRICE})
    asked = grid.of(TASK, ("dqn",), (0, 1), OPTIONS)
    place = drive.Placement("toy", jobs=3, gpus=0.0, options={"colour": "blue"})
    assert drive.drive(tmp_path / "sweep", asked, place) == 1
    names = [cell.name for cell in grid.cells(asked)]
    assert toy.asked == [(names, Needs(1, 0.0, 2**30), 3, {"colour": "blue"})] * grid.TRIES
    told = capsys.readouterr().err
    assert "2 red coins" in told and "on toy" in told and "3 at once" in told and "it is a toy" in told


def test_what_cannot_be_a_place_is_said():
    with pytest.raises(ValueError, match=r"not a place.*local, ray, slurm, jobs .*local: processes on this machine"):
        find("moon", {})
    for name in ("local", "ray"):
        with pytest.raises(ValueError, match=f"--option partition is not for --on {name}, which has no options"):
            find(name, {"partition": "gpu"})
    assert find("slurm", {"partition": "gpu"}).room(Needs()) == 0 < find("local", {}).room(Needs())


def test_the_help_names_every_backend():
    told = CliRunner().invoke(app, ["sweep", "start", "--help"], env={"COLUMNS": "200"}).output
    assert f"Where cells run: {', '.join(BACKENDS)}." in told
    assert all(backend.options in told for backend in BACKENDS.values())


@pytest.mark.slow
def test_a_plan_leaves_the_environment_of_its_caller_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.delenv("NPROC", raising=False)
    before = dict(os.environ)
    asked = grid.of(TASK, ("dqn",), (0, 1), OPTIONS)
    drive.drive(tmp_path / "sweep", asked, drive.Placement(gpus=0.0, jobs=1), only_plan=True)
    assert {key: value for key, value in os.environ.items() if before.get(key) != value} == {}
    assert set(os.environ) == set(before)
    assert not (tmp_path / "sweep").exists()
    found = estimate.priced(asked, 0, {"NPROC": "1"})
    assert list(found) == [(TASK, "dqn")] and found[TASK, "dqn"].steps == 400
    assert found[TASK, "dqn"].seconds > estimate.START_SECONDS
    with pytest.raises(ValueError, match=f"dqfd learns from a teacher's log, and {TASK} has none"):
        estimate.priced(asked._replace(methods=("dqfd",)), 0, {})
    with pytest.raises(ValueError, match=f"^dqfd on {TASK}: dqfd learns from"):  # of several it says which
        estimate.priced(asked._replace(methods=("dqn", "dqfd")), 0, {})

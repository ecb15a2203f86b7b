"""A unit and a family of tasks are one entry each: help, ledger, metrics, report, board and exports follow.

The entries are made in a process of their own before anything else is imported, as an editor would make them in the two
tables. What counts the unit and what plays the family is theirs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAND = '''
"""An hourglass: an episode is ten steps, and action 1 is worth 1."""

import numpy as np

from reincarnate.benchmark.tasks.environment import Step
from reincarnate.benchmark.tasks.family import Task


class Hourglasses:
    actions = 2

    def __init__(self, seed):
        self.n, self._age = len(seed), np.zeros(len(seed), int)

    def observe(self):
        return self._age.astype(np.float32)[:, None, None]

    def step(self, actions):
        self._age = self._age + 1
        over, final = self._age == 10, self._age.astype(np.float32)[:, None]
        self._age = np.where(over, 0, self._age)
        return Step(np.asarray(actions).astype(np.float32), over, np.zeros(self.n, bool), final)

    def restart(self, which, seed):
        self._age = self._age.copy()
        self._age[which] = 0


class SandFamily:
    name, package, sticky, alone = "sand", "reincarnate", False, False

    def known(self):
        return [("glass", "runs for ten steps")]

    def named(self, text):
        return ""

    def task(self, game):
        return Task("sand/glass", "sand", game) if game == "glass" else None

    def make(self, task, seed, threads):
        return Hourglasses(seed)

    def draw(self, task, seed, actions):
        raise ValueError("sand cannot be drawn")
'''
ADDED = """
import inspect
from reincarnate.leaderboard import units
table = inspect.getsource(units)
entry = '    Unit("grains", "grains of sand", on_every_line=True, on_board=True, detail="of the hourglass"),'
assert table.count(")\\nUNIT =") == 1
exec(compile(table.replace(")\\nUNIT =", entry + "\\n)\\nUNIT ="), units.__file__, "exec"), units.__dict__)

from sand import SandFamily
from reincarnate.benchmark.tasks import task
task.FAMILIES["sand"] = SandFamily()

from reincarnate.benchmark.training.budget import Meter
spend = Meter.spend
Meter.spend = lambda meter, **costs: spend(meter, **costs, grains=3.0 * costs.get("steps", 0.0))  # what counts it
"""
COMMAND = f"{ADDED}\nfrom reincarnate.benchmark.cli.main import main\nmain()\n"
HANDED_IN = f"""{ADDED}
import json
from pathlib import Path
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.leaderboard import exports, results
Path("empty").mkdir()
plan = prepare([Path("run")], Path("sent"), results.read(Path("empty")), Offer("ann"))
assert [one.reasons for one in plan.verdicts] == [()]
print(json.dumps(exports.runs(results.read(Path("sent")))))
"""


@pytest.mark.slow
def test_a_unit_and_a_family_are_one_entry_each(tmp_path):
    for name, code in (("sand", SAND), ("command", COMMAND), ("hand_in", HANDED_IN)):
        (tmp_path / f"{name}.py").write_text(code.lstrip())
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}

    def said(*words: str) -> str:
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "grains (of the hourglass)" in " ".join(said("command.py", "run", "--help").split())
    assert "sand/glass" in said("command.py", "tasks", "--all")
    asked = "--task sand/glass --method dqn --budget steps=120,grains=1M --set warmup=60 --episodes 2 --points 0,1"
    said("command.py", "run", *asked.split(), "--out", "run", "--quiet")
    ledger = [json.loads(line) for line in (tmp_path / "run" / "ledger.jsonl").open()]
    assert "grains" in ledger[0]["counters"] and ledger[-1]["spent"]["grains"] == 360.0
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert metrics[-1]["grains"] == 360.0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["budget"]["grains"] == 1e6 and record["points"][-1]["spent"]["grains"] == 360.0
    said("command.py", "report", "run", "--quiet")
    assert "grains of sand" in (tmp_path / "run" / "report" / "report.html").read_text()
    rows = json.loads(said("hand_in.py"))
    assert [row["grains"] for row in rows] == [0.0, 360.0] and rows[0]["task"] == "sand/glass"
    said("command.py", "leaderboard", "build", "sent", "--out", "board")
    assert any('"grains"' in path.read_text() for path in (tmp_path / "board").rglob("*.js*"))

"""A family of tasks takes one file and one entry, down to promote and submit; all families keep the contract."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.benchmark.tasks.task import FAMILIES, canonical, find, known

ROOT = Path(__file__).parents[3]
KITE = '''
"""Kites: they rise when they are pulled, and tear sooner or later."""

import numpy as np

from .environment import Step
from .family import Task


class Kites:
    """N kites: the observation is the height, action 1 pulls, and every step that holds is worth 1."""

    actions = 2

    def __init__(self, seed):
        self.n, self._size, self._rng = len(seed), np.zeros(len(seed)), [np.random.default_rng(one) for one in seed]

    def observe(self):
        return self._size.astype(np.float32)[:, None, None]

    def step(self, actions):
        grown = np.array([one.random() for one in self._rng])
        self._size = self._size + np.where(np.asarray(actions) == 1, grown, 0.1 * grown)
        burst, final = self._size > 2.0, self._size.astype(np.float32)[:, None]
        self._size = np.where(burst, 0.0, self._size)
        return Step(np.ones(self.n, np.float32), burst, np.zeros(self.n, bool), final)

    def restart(self, which, seed):
        self._size = self._size.copy()
        for one, number in zip(which, seed, strict=True):
            self._size[one], self._rng[one] = 0.0, np.random.default_rng(number)


class KiteFamily:
    """Tasks kite/<colour>."""

    name, package, sticky, alone = "kite", "reincarnate", False, False

    def known(self):
        return [("red", "rises and tears")]

    def named(self, text):
        return ""

    def task(self, game):
        return Task(f"kite/{game}", "kite", game) if game == "red" else None

    def make(self, task, seed, threads):
        return Kites(seed)

    def draw(self, task, seed, actions):
        raise ValueError("a kite cannot be drawn")
'''
SUBMIT = """
import sys
from pathlib import Path
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.leaderboard.results import read
if __name__ == "__main__":
    Path("results").mkdir()
    plan = prepare([Path("run")], Path("sent"), read(Path("results")), Offer("ann"))
    print([(one.state, one.reasons) for one in plan.verdicts])
"""


def test_every_family_answers_what_is_asked_of_it():
    for name, family in FAMILIES.items():
        assert family.name == name and family.package and isinstance(family.sticky, bool)
        assert family.known() and family.task("") is None and family.named("nothing/like it") == ""
        for game, line in family.known()[:3]:
            if "<" not in game:
                assert find(f"{name}/{game}").family == name and line
    assert canonical("ALE/Pong-v5") == "atari/Pong" and canonical("MinAtar/Breakout-v1") == "minatar/breakout"
    assert find("atari/Pong").environment == "ALE/Pong-v5" and find("gym/CartPole-v1").environment == "CartPole-v1"
    assert find("minatar/space_invaders").environment == "MinAtar/space_invaders"
    assert [name for name, _ in known()][-2:] == ["gym/<id>", "gym/<module>:<id>"]


@pytest.mark.slow
def test_a_new_family_takes_one_file_and_one_entry(tmp_path):
    """Carry out the README's recipe: run, evaluate, report, film, promote, submit."""
    package = tmp_path / "package" / "reincarnate"
    for room in ("agents", "benchmark", "datasets", "leaderboard"):
        left = shutil.ignore_patterns("bundled", "__pycache__")
        shutil.copytree(ROOT / room, package / room, ignore=left)
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(ROOT / ".src" / "reincarnate" / name, package / name)
    (package / "benchmark" / "tasks" / "kite.py").write_text(KITE.lstrip())
    table = package / "benchmark" / "tasks" / "task.py"
    entry = table.read_text().replace("BalloonFamily(), GymFamily()", "BalloonFamily(), KiteFamily(), GymFamily()")
    entry = entry.replace("from .family import", "from .kite import KiteFamily\nfrom .family import")
    assert entry.count("KiteFamily") == 2
    table.write_text(entry)
    (tmp_path / "bundle").mkdir()
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "package"), "REINCARNATE_BUNDLE": str(tmp_path / "bundle")}

    def said(*words: str, code: int = 0) -> str:
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    assert "kite/red" in said("-m", "reincarnate", "tasks", "--all")
    asked = "--task kite/red --method dqn --budget steps=200 --set warmup=50 --episodes 3 --points 0,1 --out run"
    said("-m", "reincarnate", "run", *asked.split(), "--quiet")
    assert "the same as the run has recorded" in said("-m", "reincarnate", "evaluate", "run", "--quiet")
    assert "a kite cannot be drawn" in said("-m", "reincarnate", "evaluate", "run", "--video", "x.mp4", code=2)
    assert said("-m", "reincarnate", "report", "run", "--quiet").strip() == "run/report/report.html"
    said("-m", "reincarnate", "promote", "run", "--name", "lab/kite", "--episodes", "3", "--out", "taught", "--quiet")
    assert json.loads((tmp_path / "taught" / "config.json").read_text())["task"] == "kite/red"
    assert "re-scored" in said("-c", SUBMIT), "the submission holds"

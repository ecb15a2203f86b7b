"""A new unit takes one line in the table of units, and the code that counts it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from reincarnate.benchmark.training.budget import Budget
from reincarnate.leaderboard import units

ROOT = Path(__file__).parents[2]
ASKED = """
import json, sys, tempfile
from pathlib import Path
from reincarnate.benchmark.report.groups import AXES
from reincarnate.benchmark.runs import metrics
from reincarnate.benchmark.training.budget import Meter, Budget, parse
from reincarnate.leaderboard import entries, exports, fields, ledger, units
assert parse("joules=5k").limits() == {"joules": 5000.0} and Budget(joules=3.0).joules == 3.0
assert AXES["joules"] == "energy" and "joules" in units.HELP and "joules" in entries.AXES and "joules" in exports.UNITS
assert fields._known_units({"joules": 1.0})
told = {"phase": "online", "losses": {}, "phases": {}, "steps": 1.0, "updates": 1.0, "seconds": 1.0, "joules": 2.0}
assert metrics.scalars(told)[1]["online/spent/joules"] == 2.0
from reincarnate.benchmark.cli.main import main
sys.argv = ["reincarnate", "run", "--help"]
main()
"""


def test_names_of_old_ledgers_and_records_stay():
    assert units.LIMITS == Budget._fields
    assert set(units.COUNTERS) == {"frames", "steps", "updates", "flops", "seconds"}
    assert set(units.TIMES) == {"seconds", "device"} and units.FREE == ("validated",)
    assert set(units.NAMES) == {*units.COUNTERS, "device", "queries", "logged", "validated"}
    assert units.AXES == ("frames", "flops", "seconds", "device")


def test_amounts_are_written_for_people():
    assert units.UNIT["frames"].written(12_345_678.0) == "12.3M" and units.UNIT["device"].written(3700.0) == "1:01:40"
    assert [units.UNIT[axis].amounts for axis in units.AXES] == [
        "frames", "FLOPs", "seconds of training", "device seconds"
    ]  # fmt: skip


def test_a_new_unit_takes_one_line(tmp_path):
    for room in ("agents", "benchmark", "datasets", "leaderboard"):
        copied = shutil.ignore_patterns("bundled", "__pycache__")
        shutil.copytree(ROOT / room, tmp_path / "reincarnate" / room, ignore=copied)
    table = tmp_path / "reincarnate" / "leaderboard" / "units.py"
    before = table.read_text()
    table.write_text(before.replace("UNITS = (\n", 'UNITS = (\n    Unit("joules", "energy", on_board=True),\n'))
    assert table.read_text() != before
    (tmp_path / "reincarnate" / "__init__.py").touch()
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ASKED], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "joules" in done.stdout

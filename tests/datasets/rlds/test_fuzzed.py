"""A short run of the fuzz script: right logs are read to the last bit, and lies are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "fuzz" / "logs.py"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_no_importer_differs_in_silence(seed):
    answer = subprocess.run([sys.executable, SCRIPT, "60", str(seed)], capture_output=True, text=True)
    assert answer.returncode == 0 and answer.stdout.count('"broken": 0') == 5, answer.stdout + answer.stderr

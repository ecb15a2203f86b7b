"""Every command and program in the README runs; long ones under a smaller budget."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
SETUP = {"pip install . && reincarnate quickstart", 'pip install -e ".[dev]" && python -m pytest'}


def smaller(command: str) -> list[str]:
    """The same command in a few seconds: a small budget, few episodes, and no warm-up to wait for."""
    words = command.split()
    assert words[0] == "reincarnate"
    if words[1] == "run" and "gym/" not in command:
        words[words.index("--budget") + 1] = "updates=20,frames=800"
        words += ["--episodes", "1", "--points", "0", "--set", "warmup=10"]
    return [sys.executable, "-m", "reincarnate.benchmark.cli", *words[1:]]


def run(command: list[str], folder: Path) -> str:
    path = os.pathsep.join([str(ROOT / ".src"), str(folder)])
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_two_commands_are_the_ones_that_ci_runs():
    script = (ROOT / ".ci/run").read_text()
    assert SETUP <= set(COMMANDS)
    assert all(part in script for part in ('-e ".[dev]" && python -m pytest', "quickstart --short"))


@pytest.mark.slow
def test_every_command_runs(tmp_path):
    for number, text in enumerate(PROGRAMS):
        name = re.match(r"# (\w+\.py)\n", text)
        (tmp_path / (name[1] if name else f"program{number}.py")).write_text(text)
        if not name:
            assert run([sys.executable, f"program{number}.py"], tmp_path)
            for left in (tmp_path / "runs").iterdir():  # its run has the name of the first command's
                left.rename(tmp_path / f"{left.name}-by-program")
    for command in COMMANDS:
        if command not in SETUP:
            run(smaller(command), tmp_path)
    assert (tmp_path / "runs/second/curve.png").exists()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target

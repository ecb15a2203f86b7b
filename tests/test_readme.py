"""Every command and program in the README runs; long ones under a smaller budget."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reincarnate.datasets.hub import place

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
SETUP = {"pip install . && reincarnate quickstart", 'pip install -e ".[dev]" && python -m pytest -n 2 --dist loadfile'}


def smaller(command: str) -> list[str]:
    """The same command in a few seconds: a small budget, few episodes, and no warm-up to wait for."""
    words = command.split()
    assert words[0] == "reincarnate"
    if words[1] == "run" and "gym/" not in command:
        words[words.index("--budget") + 1] = "updates=20,frames=800"
        words += ["--episodes", "1", "--points", "0", "--set", "warmup=10"]
    return [sys.executable, "-m", "reincarnate", *words[1:]]


def environment(folder: Path) -> dict[str, str]:
    """Nothing of this user's: a local hub, caches and tokens in the folder."""
    path = os.pathsep.join([str(ROOT / ".src"), str(folder)])
    mine = {"PYTHONPATH": path, "REINCARNATE_CACHE": str(folder / "caches"), place.ROOT: str(folder / "hub")}
    if (token := folder / "class/tokens/ann").exists():
        mine[place.TOKEN] = token.read_text().strip()
    return {**os.environ, **mine}


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def served(command: str, folder: Path) -> Iterator[str]:
    """The hub of a command that serves one, at this machine's own address; its URL."""
    words = smaller(command.replace("--host 0.0.0.0 --port 8000", "--host 127.0.0.1 --port 0"))
    process = subprocess.Popen(words, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def test_the_two_commands_are_the_ones_that_ci_runs():
    script = (ROOT / ".ci/run").read_text()
    assert SETUP <= set(COMMANDS)
    assert all(
        part in script for part in ('-e ".[dev]" && python -m pytest -n 2 --dist loadfile', "quickstart --short")
    )


@pytest.mark.slow
def test_every_command_runs(tmp_path):
    for number, text in enumerate(PROGRAMS):
        name = re.match(r"# (\w+\.py)\n", text)
        (tmp_path / (name[1] if name else f"program{number}.py")).write_text(text)
        if not name:
            assert run([sys.executable, f"program{number}.py"], tmp_path)
            for left in (tmp_path / "runs").iterdir():  # its run has the name of the first command's
                left.rename(tmp_path / f"{left.name}-by-program")
    at_class = [command for command in COMMANDS if "http://hub:8000" in command]
    serve = next(command for command in COMMANDS if " hub serve " in command)
    try:
        for command in COMMANDS:
            if command not in SETUP and command not in at_class and command != serve:
                run(smaller(command), tmp_path)
    finally:
        if (address := tmp_path / "hub/server.json").exists():
            os.kill(json.loads(address.read_bytes())["pid"], signal.SIGTERM)
    with served(serve, tmp_path) as url:
        for command in at_class:
            run(smaller(command.replace("http://hub:8000", url)), tmp_path)
    assert (tmp_path / "runs/second/curve.png").exists() and len(at_class) == 2
    assert (tmp_path / "class/models/ann/cartpole.git").is_dir()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target

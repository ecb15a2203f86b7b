"""Every command and program of the README and of the pages that say it in full runs; long ones under a smaller budget.
Its numbers are those of records."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.benchmark.quickstart import ending
from reincarnate.benchmark.quickstart.demo import ATARI, DEMO
from reincarnate.benchmark.tasks.task import PINNED, tasks
from reincarnate.datasets.hub import place
from reincarnate.leaderboard import record as records

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "docs/runs.md", "docs/hubs.md", "docs/extending.md")]  # in this order
README = PAGES[0].read_text(encoding="utf-8")
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
SETUP = {"pip install . && reincarnate quickstart", 'pip install -e ".[dev]" && python -m pytest -n 2 --dist loadfile'}


def smaller(command: str) -> list[str]:
    """Return the same command in a few seconds: a small budget, few episodes, and no warm-up to wait for.

    A run on Pong, whose episodes are long, is one on Breakout instead, unless it names its teacher.
    """
    words = command.split()
    assert words[0] == "reincarnate"
    if words[1] == "run" and "--teacher" not in words:
        words = [word.replace("atari/Pong", "minatar/breakout") for word in words]
    if words[1] == "run" and "gym/" not in command:
        words[words.index("--budget") + 1] = "updates=20,frames=800"
        words += ["--episodes", "1", "--points", "0", "--set", "warmup=10"]
    return [sys.executable, "-m", "reincarnate", *words[1:]]


def environment(folder: Path) -> dict[str, str]:
    """Keep this user's things out: a local hub, caches and tokens in the folder."""
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
    """Return the hub of a command that serves one, at this machine's own address; its URL."""
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
            for left in (tmp_path / "runs").glob("*"):  # its run has the name of the first command's
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readme_is_short_and_reads_in_two_minutes():
    assert len(README.splitlines()) < 150


def test_the_demo_is_in_the_numbers_of_its_two_records():
    names = ("reincarnated", "from-scratch")
    first, second = (records.load(ROOT / "docs/quickstart" / f"{name}.json") for name in names)
    pair = ending.Pair(DEMO, Path("a"), Path("b"), first, second)
    for line in ending.verdict(pair)[:2]:
        assert re.sub(r" and [\d:]+ of training\.", "", line).replace(" GFLOP, ", " GFLOP and ") in README
    ends = [one.points[-1].evaluation.mean for one in (first, second)]
    said = " ".join(README.split())
    assert first.teacher is not None
    assert f"**Reincarnated, {ends[0]:.1f}. From scratch, {ends[1]:.1f}.**" in said
    assert f"The teacher has {first.teacher.mean:.1f}, random play {first.random.mean:.1f}." in said
    budget = dict(word.split("=") for word in DEMO.budget.split(","))
    assert budget == {"steps": "50k", "flops": "500G"} and "the same 500 GFLOP and 50,000 steps" in said


def test_the_demo_on_pong_is_in_the_numbers_of_its_two_records():
    names = ("reincarnated", "from-scratch")
    first, second = (records.load(ROOT / "docs/quickstart" / f"atari-{name}.json") for name in names)
    assert (first.task, first.seed, second.seed) == (ATARI.task, 0, 0)
    assert (first.method, second.method) == (ATARI.reincarnated.partition(":")[0], ATARI.scratch)
    ends, said = [one.points[-1].evaluation.mean for one in (first, second)], " ".join(README.split())
    assert first.teacher is not None
    assert f"{ends[0]:.1f} against {ends[1]:.1f} from scratch (one seed)" in said
    assert f"what the teacher can do, {first.teacher.mean:.1f}, and adds nothing" in said
    minutes = sorted(round(one.points[-1].spent["seconds"] / 60) for one in (first, second))
    assert f"each student trains for {minutes[0]} to {minutes[1]}:" in said


def test_the_scores_on_three_seeds_are_those_of_the_settings():
    rows = json.loads((ROOT / "docs/settings.json").read_bytes())
    for method, score in (("qdagger", "1.09"), ("dqn", "0.45")):
        ends = [row["scores"][-1] for row in rows
                if (row["sweep"], row["task"], row["method"]) == ("heldout", "minatar/breakout", method)]  # fmt: skip
        assert len(ends) == 3 and f"{np.mean(ends):.2f}" == score and score in README


def test_counts_are_those_of_the_package():
    assert f"lists {len(keywords.names())} to compare it with" in README
    assert f"{sum(name.startswith('atari/') for name in tasks())} of ALE" in README
    assert README.count("eight tasks") == 1 == int(len(PINNED) == 8)

"""Race ways to make a teacher at equal core time, and write the tables of docs/race.md from what came of it.

    python -m tests.learning.race minatar/breakout --minutes 30 --out sweeps/race [--methods pqn,ppo] [--seed 100]

One after the other, on one core. How many steps the minutes pay for has to be known before a run begins, since its
rates fall towards the end: three short runs tell what a step costs, of which the first only compiles. The core time of
a run is that of its whole process, by the operating system's count, with its evaluations. The last student is scored by
fresh episodes. Finished races are kept in docs/race.json, a line for each task, method and number of minutes. Without a
task it only writes the tables. May be killed: what is finished stays, and an unfinished run begins anew.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
DATA, PAGE = DOCS / "race.json", DOCS / "race.md"
MARKED = re.compile(r"<!-- table (\S+) -->\n.*?<!-- end -->", re.DOTALL)
SETTINGS: dict[str, dict[str, str]] = {"rainbow": {}, "pqn": {}, "ppo": {}}  # beside what the task's preset says
SHORT = {"rainbow": (6_000, 18_000)}  # agent steps of the two short runs
ALONE = {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu"}
EPISODES = 100  # of the score


def command(*words: str) -> float:
    """Run `reincarnate` with these words and return the seconds of a core that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "reincarnate", *words], check=True, env=os.environ | ALONE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def train(task: str, method: str, steps: int, seed: int, out: Path, points: str, episodes: int) -> float:
    """Train with a method for so many steps, and return the seconds of a core that it took."""
    shutil.rmtree(out, ignore_errors=True)
    words = ["run", "--task", task, "--method", method, "--budget", f"steps={steps}", "--seed", str(seed)]
    words += [word for key, value in SETTINGS[method].items() for word in ("--set", f"{key}={value}")]
    words += ["--points", points, "--episodes", str(episodes), "--threads", "1", "--no-replay", "--quiet"]
    return command(*words, "--out", str(out))


def paid_for(task: str, method: str, seconds: float, seed: int, out: Path) -> int:
    """Return how many steps a core does in these seconds, by two short runs whose difference is training alone."""
    few, many = SHORT.get(method, (60_000, 200_000))
    train(task, method, few, seed, out / f"{method}-{few}", "1.0", 1)  # compiles what the others find in the cache
    took = [train(task, method, steps, seed, out / f"{method}-{steps}", "1.0", 1) for steps in (few, many)]
    each = (took[1] - took[0]) / (many - few)
    return few + int((seconds - took[0]) / each)


def raced(task: str, method: str, minutes: float, seed: int, out: Path) -> dict:
    """Run one method and return its line of the table."""
    steps = paid_for(task, method, 60.0 * minutes, seed, out)
    took = train(task, method, steps, seed, out / method, "0.25,0.5,0.75,1.0", 30)
    promoted = out / f"{method}-teacher"
    shutil.rmtree(promoted, ignore_errors=True)
    command("promote", str(out / method), "--episodes", str(EPISODES), "--out", str(promoted), "--quiet")
    record = json.loads((out / method / "record.json").read_text())
    spent, judged = record["points"][-1]["spent"], json.loads((promoted / "config.json").read_text())["evaluation"]
    return {
        **{"task": task, "method": method, "minutes": minutes, "seed": seed, "preset": record["preset"]},
        **{key: record[key] for key in ("settings", "environments", "command")},
        **{"core_seconds": round(took, 1), **{unit: spent[unit] for unit in ("steps", "updates", "flops")}},
        "curve": [[one["spent"]["steps"], round(one["evaluation"]["mean"], 2)] for one in record["points"]],
        "returns": judged["returns"],
        "machine": {key: record["machine"].get(key) for key in ("processor", "cores")},
    }


def table(lines: list[dict]) -> str:
    """Write a race's table of Markdown, the best first."""
    head = "| method | return | steps | updates | FLOPs | minutes of a core | at a quarter, a half, three quarters |"
    rows = [head, "|---|--:|--:|--:|--:|--:|---|"]
    for one in sorted(lines, key=lambda one: -sum(one["returns"])):
        count, mean = len(one["returns"]), sum(one["returns"]) / len(one["returns"])
        error = (sum((x - mean) ** 2 for x in one["returns"]) / (count - 1) / count) ** 0.5
        way = ", ".join(f"{value:.1f}" for _, value in one["curve"][:-1])
        amounts = f"{one['steps']:,.0f} | {one['updates']:,.0f} | {one['flops']:.2g} | {one['core_seconds'] / 60:.1f}"
        rows.append(f"| `{one['method']}` | {mean:.1f} ± {error:.1f} | {amounts} | {way} |")
    return "\n".join(rows)


def tables(lines: list[dict]) -> dict[str, str]:
    """Return all tables by name: the task and the minutes."""
    names = sorted({f"{one['task']}-{one['minutes']:g}" for one in lines})
    return {name: table([one for one in lines if f"{one['task']}-{one['minutes']:g}" == name]) for name in names}


def known() -> list[dict]:
    """Return the lines of the races that were run."""
    return json.loads(DATA.read_text()) if DATA.exists() else []


def main() -> None:
    """Race, keep the lines, write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", nargs="?", default="")
    parser.add_argument("--methods", default=",".join(SETTINGS))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("sweeps/race"))
    asked = parser.parse_args()
    for method in asked.methods.split(",") if asked.task else ():
        mine = (asked.task, method, asked.minutes, asked.seed)
        lines = [one for one in known() if (one["task"], one["method"], one["minutes"], one["seed"]) != mine]
        out = asked.out / asked.task.replace("/", "-")
        lines.append(raced(*mine, out))
        DATA.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n")
    made = tables(known())
    filled = MARKED.sub(lambda found: f"<!-- table {found[1]} -->\n{made[found[1]]}\n<!-- end -->", PAGE.read_text())
    PAGE.write_text(filled)


if __name__ == "__main__":
    main()

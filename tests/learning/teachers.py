"""Write the table of the teachers that come with the package into datasets/README.md, from their cards and records.

python -m tests.learning.teachers
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.hub import hub
from reincarnate.leaderboard import suite

PAGE = Path(__file__).parents[2] / "datasets" / "README.md"
MARKED = re.compile(r"<!-- teachers -->\n.*?<!-- end -->", re.DOTALL)
WEAKER = ("-early", "-first")  # how a teacher's earlier student is called
GYMNAX = "PPO of gymnax-blines, 10M steps, neither sticky actions nor ramping"
DOPAMINE = "DQN of Dopamine, 10M frames, sticky 0.25, training returns"
PUBLISHED = {  # the best that could be read in numbers, under which protocol: not that of this suite
    "minatar/asterix": f"17.8: {GYMNAX}",
    "minatar/breakout": f"43.4: {GYMNAX}",
    "minatar/freeway": f"58.8: {GYMNAX}",
    "minatar/seaquest": "no number found",
    "minatar/space_invaders": f"131.6: {GYMNAX}, and other bullets",
    "atari/Pong": "20.6: DQN of Stable-Baselines3's zoo, 10M steps, no sticky actions",
    "atari/Breakout": f"46.9: {DOPAMINE}",
    "gym/Pendulum-v1": "-151.9: TD3 of Stable-Baselines3's zoo, 20k steps, as here",
}


def known() -> dict[str, dict[str, Any]]:
    """Read what each bundled teacher's configuration says: {name: it, with its `commit`}."""
    found = {}
    for one in hub.search("model"):
        folder, ref = hub.open_ref(str(one.ref), "model")
        assert ref
        config = json.loads((folder / "config.json").read_text())
        found[ref.repo] = config | {"method": json.loads((folder / "record.json").read_text())["method"]}
    return found


def score(config: dict[str, Any]) -> str:
    """Write a mean return with its standard error."""
    returns = np.array(config["evaluation"]["returns"])
    return f"{returns.mean():.1f} ± {returns.std(ddof=1) / len(returns) ** 0.5:.1f}"


def cost(config: dict[str, Any], all_of: dict[str, dict[str, Any]]) -> tuple[float, ...]:
    """Return steps, FLOPs and seconds of the device, or of the clock if not counted, ancestors included."""
    spent = config["spent"]
    found = [(spent["steps"], spent["flops"], spent.get("device", spent["seconds"]))]
    found += [cost(all_of[parent["reference"].partition("@")[0]], all_of) for parent in config["parents"]]
    return tuple(map(sum, zip(*found, strict=True)))


def table() -> str:
    """Write a row for each teacher with its weaker one, games in the order of their suites."""
    all_of, rows = known(), []
    for task, published in PUBLISHED.items():
        random = next(one.tasks[task].random for one in suite.bundled() if task in one.tasks)
        mine = {name: config for name, config in all_of.items() if config["task"] == task}
        default = find(task).teacher.partition("@")[0]
        for name, config in sorted(mine.items(), key=lambda one: one[0] != default):
            if name.endswith(WEAKER):
                continue
            weak = next((f"{name}{end}" for end in WEAKER if f"{name}{end}" in mine), "")
            steps, flops, seconds = cost(config, all_of)
            paid = f"{steps / 1e6:.3g}M steps, {flops:.1e} FLOPs, {seconds / 60:.0f} min"
            weaker = f"{score(mine[weak])}" if weak else ""
            rows.append(
                f"| `{task}` | {random:.1f} | {weaker} | {score(config)} | `{name}` ({config['method']}) "
                f"| {published} | {paid} |"
            )
    head = "| task | random | weaker | teacher | its name, and how it was made | best published | cost of the teacher |"
    return "\n".join([head, "|---|--:|--:|--:|---|---|---|", *rows])


def main() -> None:
    """Write the table."""
    filled = f"<!-- teachers -->\n{table()}\n<!-- end -->"
    PAGE.write_text(MARKED.sub(lambda _: filled, PAGE.read_text()))


if __name__ == "__main__":
    main()

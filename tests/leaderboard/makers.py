"""Records made by hand, for tests of what is made from them."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord
from reincarnate.leaderboard.results import paths, verdict_path
from reincarnate.leaderboard.submission import State, Submission, Verdict
from reincarnate.leaderboard.suite import Anchor, Span, Suite


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def evaluation(*returns: float) -> Evaluation:
    return Evaluation(returns=returns, lengths=(10,) * len(returns), epsilon=0.001, seeds=(7, 6 + len(returns)))


def spent(steps: float, updates: float = 0.0, flops: float | None = None) -> dict[str, float]:
    flops = 10.0 * updates + steps if flops is None else flops
    times = {"seconds": steps / 100, "device": steps / 200}
    return {"frames": 4 * steps, "steps": steps, "updates": updates, "flops": flops, **times}


def parent(of: "str | RunRecord", kind: Literal["teacher", "log"] = "teacher") -> Parent:
    """Return the last student of a record, or a teacher or log of which only the name is known."""
    if isinstance(of, RunRecord):
        return Parent(kind=kind, reference=f"someone/{of.run}@{'a' * 40}", digest=of.points[-1].parameters)
    return Parent(kind=kind, reference=of, digest=digest(of))


def record(run: str, *parents: Parent, points=((0, 100), (100, 200)), returns=None, **fields: Any) -> RunRecord:
    """Return a run with a student at each (steps, updates), all from 2 episodes."""
    returns = returns or [(float(number), number + 1.0) for number in range(len(points))]
    due = fields.pop("due", None) or [None] * len(points)  # what each was planned for, in agent steps
    facts: dict[str, Any] = {
        "task": "gym/CartPole-v1",
        "protocol": {"env": "CartPole-v1", "frame_skip": 4},
        "method": "qdagger",
        "settings": {},
        "network": {"name": "mlp", "options": {}},
        "seed": 0,
        "environments": 8,
        "budget": {"steps": float(points[-1][0]) or 1.0},
        "random": evaluation(0.0, 0.0),
        "teacher": evaluation(10.0, 10.0),
        "complete": True,
        "ledger": "f" * 64,
        "command": "reincarnate run",
        "machine": {"device": "cpu: cpu"},
    }
    students = tuple(
        Point(
            spent=spent(*cost),
            evaluation=evaluation(*got),
            parameters=digest(f"{run}/{n}"),
            file=f"students/{n}",
            due=due[n],
        )
        for n, (cost, got) in enumerate(zip(points, returns, strict=True))
    )
    return RunRecord(run=run, parents=parents, points=students, **(facts | fields))


def submission(one: RunRecord, author: str = "ann", entry: str = "", **fields: Any) -> Submission:
    facts: dict[str, Any] = {"submitted": "2026-11-23T08:00:00Z", "student": f"{author}/{one.run}@{'c' * 40}"}
    return Submission(author=author, entry=entry or one.method, record=one, **(facts | fields))


def put(folder: Path, one: Submission, judged: bool = True) -> Path:
    """Write a submission where it belongs in a results repository, and a verdict that bears out all its claims."""
    if judged and not (folder / verdict_path(one.author, one.record.run)).exists():
        judge(folder, one)
    path = folder / paths(one.author, one.record.run)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(one.model_dump_json())
    return path


def judge(folder: Path, one: Submission, state: State = "re-scored", accepted: str = "", **fields: Any) -> None:
    """Write a maintainer's verdict."""
    path = folder / verdict_path(one.author, one.record.run)
    path.parent.mkdir(parents=True, exist_ok=True)
    points = tuple(point.evaluation for point in one.record.points)
    told = {"rescored": points[-1], "points": points, **fields}
    found = Verdict(run=one.record.run, state=state, accepted=accepted or one.submitted, **told)
    path.write_text(found.model_dump_json())


def fill(folder: Path, entries: int, tasks: int, seeds: int, points: int = 5) -> int:
    """Return a repository of made-up runs that get better from entry to entry; returns how many."""
    rng = np.random.default_rng(0)
    first: dict[int, RunRecord] = {}
    for number in range(entries):
        for task in range(tasks):
            for seed in range(seeds):
                levels = np.linspace(0.1, 1.0, points) * (2 + 8 * rng.random() + number / entries * 4)
                one = record(
                    f"r{number}-{task}-{seed}",
                    *([parent(first[task])] if task in first and number % 4 else []),
                    points=[(share * 1000, 100 + share * 4000) for share in range(points)],
                    returns=[tuple(rng.normal(level, 1.0, size=10).round(2)) for level in levels],
                    task=f"minatar/game{task}",
                    method=("dqn", "qdagger", "jsrl", "rehearsal")[number % 4],
                    seed=seed,
                )
                if seed == 0 and task not in first:
                    first[task] = one
                when = f"2026-{1 + number % 12:02d}-{1 + task:02d}T00:00:00Z"
                sent = submission(one, f"user{number % 7}", f"entry{number}", submitted=when)
                put(folder, sent)
                if number % 3:
                    judge(folder, sent, ("re-scored", "re-trained", "promoted")[number % 3])
    anchor = Anchor(random=0.0, teacher=10.0, costs={"flops": Span(cheap=1e3, dear=1e6)})
    suite = Suite(name="games", version=1, seeds=1, tasks={f"minatar/game{task}": anchor for task in range(tasks)})
    (folder / "suites").mkdir(parents=True, exist_ok=True)
    (folder / "suites" / "games.json").write_text(suite.model_dump_json())
    return entries * tasks * seeds

"""Records made by hand, for tests of what is made from them."""

import hashlib
from typing import Any

from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def evaluation(*returns: float) -> Evaluation:
    return Evaluation(returns=returns, lengths=(10,) * len(returns), epsilon=0.001, seeds=(7, 6 + len(returns)))


def spent(steps: float, updates: float = 0.0, flops: float | None = None) -> dict[str, float]:
    flops = 10.0 * updates + steps if flops is None else flops
    return {"frames": 4 * steps, "steps": steps, "updates": updates, "flops": flops, "seconds": steps / 100}


def parent(of: "str | RunRecord", kind: str = "teacher") -> Parent:
    """The last student of a record, or a teacher or log of which only the name is known."""
    if isinstance(of, RunRecord):
        return Parent(kind=kind, reference=f"someone/{of.run}@{'a' * 40}", digest=of.points[-1].parameters)
    return Parent(kind=kind, reference=of, digest=digest(of))


def record(run: str, *parents: Parent, points=((0, 100), (100, 200)), returns=None, **fields: Any) -> RunRecord:
    """A run with a student at each (steps, updates), all from 2 episodes."""
    returns = returns or [(float(number), number + 1.0) for number in range(len(points))]
    facts: dict[str, Any] = {
        "task": "gym/CartPole-v1",
        "protocol": {"env": "CartPole-v1", "frame_skip": 4},
        "method": "qdagger",
        "settings": {},
        "network": {"name": "mlp", "options": {}},
        "seed": 0,
        "environments": 8,
        "budget": {"steps": float(points[-1][0])},
        "random": evaluation(0.0, 0.0),
        "teacher": evaluation(10.0, 10.0),
        "complete": True,
        "ledger": "f" * 64,
        "command": "reincarnate run",
        "machine": {"device": "cpu: cpu"},
    }
    students = tuple(
        Point(spent=spent(*cost), evaluation=evaluation(*got), parameters=digest(f"{run}/{n}"), file=f"students/{n}")
        for n, (cost, got) in enumerate(zip(points, returns, strict=True))
    )
    return RunRecord(run=run, parents=parents, points=students, **(facts | fields))

"""Reincarnating reinforcement learning: train students from prior computation, under budgets that are counted.

    import reincarnate as rr

    record = rr.run("atari/Pong", "qdagger", rr.Budget(frames=400e3))
    record.plot()

What is not in `__all__` is private and may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents import losses
    from .agents.method import Method
    from .benchmark.prior.opened import load_log, load_teacher
    from .benchmark.report.plots import plot
    from .benchmark.runs.reevaluate import evaluate
    from .benchmark.runs.request import RunRequest
    from .benchmark.runs.run import resume, run
    from .benchmark.sweep.sweep import sweep
    from .benchmark.tasks.task import tasks
    from .benchmark.training.budget import Budget
    from .leaderboard.record import RunRecord, load_record
    from .leaderboard.score import iqm

    __version__: str

_HOME = {  # public name -> where it lives; nothing is imported before it is used
    "Budget": "benchmark.training.budget",
    "Method": "agents.method",
    "RunRecord": "leaderboard.record",
    "RunRequest": "benchmark.runs.request",
    "evaluate": "benchmark.runs.reevaluate",
    "iqm": "leaderboard.score",
    "load_log": "benchmark.prior.opened",
    "load_record": "leaderboard.record",
    "load_teacher": "benchmark.prior.opened",
    "losses": "agents.losses",
    "plot": "benchmark.report.plots",
    "resume": "benchmark.runs.run",
    "run": "benchmark.runs.run",
    "sweep": "benchmark.sweep.sweep",
    "tasks": "benchmark.tasks.task",
}
__all__ = [
    "Budget", "Method", "RunRecord", "RunRequest", "__version__", "evaluate", "iqm", "load_log", "load_record",
    "load_teacher", "losses", "plot", "resume", "run", "sweep", "tasks",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        found = _version()
    elif name in _HOME:
        home = import_module(f".{_HOME[name]}", __name__)
        found = getattr(home, name, home)  # `losses` is a module
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("reincarnate")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0+checkout"

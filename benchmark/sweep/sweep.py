"""A sweep in one call: start or resume it, run its cells, and return its scores."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...agents import keywords
from ...datasets.words import several
from ...leaderboard.shown import sheet
from ..prior.promoted_tasks import resolve_all
from ..runs.metrics import sinks_of
from ..runs.request import RunRequest, whole
from ..training.budget import Budget
from . import drive, grid, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARED = ("budget", "settings", "teacher", "teacher_log", "hub", "points", "episodes", "environments")  # always saved


class Scores(NamedTuple):
    """The IQM of each method at each sample budget with 95 % intervals: 0 is random play, 1 the teacher."""

    folder: Path
    rows: list[dict[str, Any]]  # as made by `table.report`
    done: int
    cells: int
    tasks: int

    def __repr__(self) -> str:
        return f"{self.folder}: {self.done} of {several(self.cells, 'run')} done\n{table.markdown(self.rows)}"

    def plot(self) -> "Figure":
        """Plot the IQM of each method against the share of the planned steps."""
        figure = sheet(figsize=(6.5, 4.2), dpi=120, layout="constrained")
        axes = figure.subplots()
        for row in self.rows:
            shares = sorted(share for share in row["points"] if share <= 1.0)
            middle, low, high = zip(*(row["points"][share] for share in shares), strict=True)
            axes.plot(shares, middle, "o-", ms=3.5, label=row["method"])
            axes.fill_between(shares, low, high, alpha=0.15, lw=0)
        axes.axhline(1.0, color="grey", ls="--", lw=1)
        axes.axhline(0.0, color="grey", ls=":", lw=1)
        axes.set(xlabel="share of the planned steps", ylabel="IQM of scores (0: random play, 1: teacher)")
        axes.legend(frameon=False, fontsize=8)
        return figure


def asked_for(
    suite: str,
    methods: str | Sequence[str],
    budget: str | Budget,
    seeds: Sequence[int],
    at: str = "",
    **options: Any,
) -> grid.Sweep:
    """Return the requested grid; ValueError if a task, method, setting or budget does not exist.

    `methods`: "all", or names in one text or several. `at`: a results repository, for tasks such as atari/Pong@1.
    `options`: those of `run` that all cells share.
    """
    network = options.pop("network", "")
    shared = RunRequest("", budget=budget, **options).to_json()  # type: ignore[arg-type]
    tasks, pinned = resolve_all(suite, at, shared["hub"])
    if pinned and (shared["teacher"] or shared["teacher_log"]):
        raise ValueError(f"{suite} has its own teachers and logs: leave out --teacher and --teacher-log")
    shared |= {"teacher": drive.placed(shared["teacher"]), "teacher_log": [*map(drive.placed, shared["teacher_log"])]}
    named = {*SHARED, *options} - {key for key in ("preset", "metrics") if not shared[key]}
    shared["metrics"] = list(sinks_of(tuple(shared["metrics"])))
    made: dict[str, Any] = {key: value for key, value in shared.items() if key in named} | {"network": network}
    made |= {"pinned": pinned} if pinned else {}
    listed = [name.strip() for name in methods.split(",")] if isinstance(methods, str) else list(methods)
    names = [name for one in listed for name in (fitting(grid.tasks_of(tasks)) if one == "all" else [one])]
    return grid.of(tasks, names, [whole("a seed", seed) for seed in seeds], made)


def fitting(tasks: Iterable[str]) -> list[str]:
    """Return the bundled methods that support the actions of all these tasks."""
    from ..tasks.task import find  # here, because it imports JAX
    from ..training.preset_choice import methods_for

    each = [methods_for(find(name)) for name in tasks]
    return [name for name in keywords.shipped() if all(name in one for one in each)]


def folder_of(suite: str, out: str | Path = "") -> Path:
    """Return the folder of a sweep, with a default."""
    return Path(out) if out else Path("sweeps") / "-".join(suite.replace("/", "-").split(","))


def sweep(
    suite: str,
    methods: str | Sequence[str],
    budget: str | Budget,
    seeds: Iterable[int] = range(3),
    out: str | Path = "",
    place: drive.Placement | None = None,
    **options: Any,
) -> Scores:
    """Run every task of a suite with every method and seed, and return their scores; calling again resumes.

    `methods`: "all", or names: "dqn,qdagger:temperature=0.2". `out`: the folder, by default sweeps/SUITE. `place`:
    where cells run. `options`: those of `run` that all cells share, such as settings and environments. Raises
    ValueError if a cell cannot start, or if none is done.
    """
    asked = asked_for(suite, methods, budget, tuple(seeds), **options)
    folder = folder_of(suite, out)
    drive.drive(folder, asked, place or drive.Placement())
    return scores(folder)


def scores(folder: str | Path) -> Scores:
    """Load the scores from a sweep's folder; ValueError if no cell is done."""
    folder = Path(folder)
    asked = grid.load(folder)
    found = table.gather(folder, asked)
    if not found:
        raise ValueError(f"no cell of {folder} is done: see `reincarnate sweep status {folder}`")
    return Scores(folder, table.report(asked, found), len(found), len(grid.cells(asked)), len(asked.tasks))

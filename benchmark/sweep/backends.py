"""Where the cells of a sweep can run: one table. Another place is one class in a file of its own and one entry here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from .cell import Needs
from .jobs import BACKEND, known
from .local import Local
from .ray import Ray
from .slurm import Slurm


class Backend(Protocol):
    """A place that works on cells."""

    name: str  # what `--on` calls it
    options: str  # an example of what `--option` may say to it; empty if it has no options

    def explain(self) -> str:
        """Say in a few words where the cells run."""
        ...

    def room(self, needs: Needs) -> int:
        """Return how many cells fit on this machine at once; 0 if they run elsewhere, where that is decided."""
        ...

    def cost(self, hours: float, runs: int, options: Mapping[str, str]) -> str:
        """Say what so many hours of this machine and so many runs will cost; empty where nobody asks for money."""
        ...

    def execute(
        self,
        folder: Path,
        names: Sequence[str],
        needs: Needs,
        jobs: int,
        tick: Callable[[], None],
        options: Mapping[str, str],
    ) -> None:
        """Work on all cells with `cell.launch`, and call `tick` every few seconds; return when none is left.

        `names`: of cells, or of several with spaces between that one process works on together. `jobs`: cells at
        once; 0: as many as there is room for. Raises ValueError if the place cannot be used. A cell that fails says
        so itself; one that is lost is told with `grid.fail`.
        """
        ...


BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (Local(), Ray(), Slurm(), BACKEND)}


def find(name: str, options: Mapping[str, str]) -> Backend:
    """Return the backend of this name; ValueError if there is none, or it has no options and some are given."""
    if name not in BACKENDS:
        there = "; ".join(f"{backend.name}: {backend.explain()}" for backend in BACKENDS.values())
        raise ValueError(f"--on {name} is not a place to run: take one of {', '.join(BACKENDS)} ({there})")
    if options and not BACKENDS[name].options:
        raise ValueError(f"--option {next(iter(options))} is not for --on {name}, which has no options: leave it out")
    if name == BACKEND.name:
        known(options)
    return BACKENDS[name]

"""The backends of a sweep, in one table. A new one is a class in its own file and an entry here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from .cell import Needs
from .jobs import BACKEND, known
from .local import Local
from .ray import Ray
from .slurm import Slurm


class Backend(Protocol):
    """A backend that works on cells."""

    name: str  # value of `--on`
    options: str  # an example for `--option`; empty if there are no options

    def explain(self) -> str:
        """Describe in a few words where the cells run."""
        ...

    def room(self, needs: Needs) -> int:
        """Return how many cells fit on this machine at once; 0 if the cells run elsewhere."""
        ...

    def cost(self, hours: float, runs: int, options: Mapping[str, str]) -> str:
        """Estimate the price of so many machine hours and runs; empty if the backend is free of charge."""
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
        """Work on all cells with `cell.launch`, and call `tick` every few seconds; return when all have ended.

        `names`: of cells, or of several cells, separated by spaces, that share a process. `jobs`: cells at once; 0: as
        many as fit. Raises ValueError if the backend cannot be used. A cell records its own failure; for a lost cell,
        the backend calls `grid.fail`.
        """
        ...


BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (Local(), Ray(), Slurm(), BACKEND)}


def find(name: str, options: Mapping[str, str]) -> Backend:
    """Return the backend of this name; ValueError if there is none, or if it takes no options and some are given."""
    if name not in BACKENDS:
        there = "; ".join(f"{backend.name}: {backend.explain()}" for backend in BACKENDS.values())
        raise ValueError(f"--on {name} is not a place to run: use one of {', '.join(BACKENDS)} ({there})")
    if options and not BACKENDS[name].options:
        raise ValueError(f"--option {next(iter(options))} is not for --on {name}, which has no options: leave it out")
    if name == BACKEND.name:
        known(options)
    return BACKENDS[name]

"""Run cells as tasks of a Ray cluster whose nodes share the sweep's folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .cell import Needs, Stopped, launch

LOST = 20  # workers that a cell may lose before it counts as failed


class Ray:
    """The backend for a Ray cluster."""

    name, options = "ray", ""

    def explain(self) -> str:
        """Describe in a few words where the cells run."""
        return "a Ray cluster, the one of RAY_ADDRESS"

    def room(self, needs: Needs) -> int:
        """Return 0: the cluster decides."""
        return 0

    def cost(self, hours: float, runs: int, options: Mapping[str, str]) -> str:
        """Return an empty text: the backend is free of charge."""
        return ""

    def execute(
        self,
        folder: Path,
        names: Sequence[str],
        needs: Needs,
        jobs: int,
        tick: Callable[[], None],
        options: Mapping[str, str],
    ) -> None:
        """Work on all cells; see `execute`."""
        execute(folder, names, needs, jobs, tick)


def execute(folder: Path, names: Sequence[str], needs: Needs, jobs: int, tick: Callable[[], None]) -> None:
    """Work on all cells; `tick` is called about once per second.

    A cell whose node is lost continues elsewhere from its last checkpoint, once its former process has released it.
    `jobs`: cells at once, 0 for as many as the cluster can take.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
        from ray.exceptions import RayError, RayTaskError  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError("Ray is not installed: run `pip install 'reincarnate[ray]'`") from None
    if not ray.is_initialized():
        ray.init(log_to_driver=False)  # RAY_ADDRESS selects the cluster; without it Ray starts one here
    task = ray.remote(launch).options(
        num_cpus=needs.cpus,
        num_gpus=needs.gpus,
        memory=needs.memory or None,
        max_retries=LOST,
        scheduling_strategy="SPREAD",
    )
    waiting, at_work = list(names), {}
    while waiting or at_work:
        while waiting and (not jobs or len(at_work) < jobs):
            name = waiting.pop(0)
            at_work[task.remote(folder.resolve(), name, needs)] = name
        ended, _ = ray.wait(list(at_work), timeout=1.0)
        for one in ended:
            name = at_work.pop(one)
            try:
                ray.get(one)
            except RayTaskError as error:
                if not isinstance(error.cause, Stopped):
                    raise
            except RayError as error:
                from .grid import fail

                fail(folder, name, f"Ray lost it: {str(error).splitlines()[0]}")
        tick()

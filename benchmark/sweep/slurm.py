"""Run cells as an array of Slurm jobs through submitit; the nodes share the sweep's folder."""

import importlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets import atomic
from . import grid
from .cell import Needs, Stopped, launch

MINUTES = 24 * 60  # of a job by default; a job that runs out of time is resumed by another


@dataclass(frozen=True)
class Slurm:
    """The backend for a Slurm cluster."""

    cluster: str = "slurm"  # "local": run the jobs here, without Slurm
    pause: float = 10.0  # seconds between two polls of the queue
    name, options = "slurm", "partition=gpu"

    def explain(self) -> str:
        """Describe in a few words where the cells run."""
        return "jobs of Slurm"

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
        """Submit the cells that are not in the queue and wait for all; jobs continue if this process is killed.

        `options` are submitit's, without the prefix for Slurm: partition=gpu, timeout_min=600.
        """
        made, at_work = executor(folder, needs, jobs, options, self.cluster), {}
        path = made.folder / "jobs.json"
        known = grid.job_ids(path)
        for name in names:
            if name in known and not (job := made.job_class(made.folder, known[name])).done():
                at_work[name] = job
        new = [name for name in names if name not in at_work]
        if new:
            submitted = made.submit_all([SlurmJob(folder.resolve(), name, needs) for name in new])
            at_work |= dict(zip(new, submitted, strict=True))
            atomic.write(path, json.dumps(known | {name: job.job_id for name, job in at_work.items()}).encode())
        before = {name: len(grid.failures(folder, name)) for name in names}
        while at_work:
            for name, job in list(at_work.items()):
                if job.done(force_check=False):
                    del at_work[name]
                    open_ = [one for one in name.split() if not grid.ended(folder / "cells" / one)]
                    if open_ and len(grid.failures(folder, name)) == before[name]:
                        _explain(folder, " ".join(open_), job)
            tick()
            if at_work:
                time.sleep(self.pause)


class SlurmJob:
    """Work on a cell in a job; at Slurm's warning before the time limit, the cell is requeued."""

    def __init__(self, folder: Path, name: str, needs: Needs):
        self.of = (folder, name, needs)

    def __call__(self) -> str:
        try:
            return launch(*self.of)
        except Stopped:
            return "stopped"

    def checkpoint(self):
        return importlib.import_module("submitit.helpers").DelayedSubmission(self)


def _explain(folder: Path, name: str, job: Any) -> None:
    """Record why a job ended without a reason of its own, unless the cell was only interrupted."""
    fault = job.exception()
    if fault is not None:
        grid.fail(folder, name, f"job {job.job_id} ended as {job.state}: {str(fault).strip().splitlines()[-1]}")


class Submitter:
    """Wrap submitit's executor for a cluster, with the parameters of a sweep."""

    def __init__(self, made: Any):
        self._made = made
        self.folder, self.job_class = Path(made._executor.folder), made._executor.job_class

    def submit_all(self, tasks: Sequence[SlurmJob]) -> list[Any]:
        """Submit all tasks as one array."""
        with self._made.batch():
            return [self._made.submit(task) for task in tasks]


def executor(folder: Path, needs: Needs, jobs: int, options: Mapping[str, str], cluster: str = "slurm") -> Submitter:
    """Return submitit's executor with the resources of a cell. ValueError if it is not available, or does not know an
    option."""
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError("submitit is not installed: run `pip install 'reincarnate[slurm]'`") from None
    try:
        made = submitit.AutoExecutor(folder=folder.resolve() / "slurm", cluster=cluster)
        common = {"name": f"sweep-{folder.name}", "cpus_per_task": needs.cpus, "timeout_min": MINUTES}
        if needs.memory:
            common["mem_gb"] = needs.memory / 2**30
        if needs.gpus:
            common["gpus_per_node"] = max(int(needs.gpus), 1)
        if jobs:
            common["slurm_array_parallelism"] = jobs
        plain = {"timeout_min", "mem_gb", "tasks_per_node", "stderr_to_stdout"}
        for key, value in options.items():
            common[key if key in plain else f"slurm_{key}"] = int(value) if value.isdecimal() else value
        made.update_parameters(**common)
    except (RuntimeError, NameError, AssertionError) as error:
        raise ValueError(f"Slurm cannot be used: {str(error).strip().splitlines()[0]}") from None
    return Submitter(made)

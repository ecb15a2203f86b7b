"""Run cells as Hugging Face Jobs: each on its own machine, with results through a private dataset repository.

A job installs the package, trains, and uploads its run's folder; this process waits and downloads it. The code follows
the client's signatures and was tested with a fake client, never on Hugging Face itself.
"""

import json
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...datasets import atomic
from ...datasets.hub import place
from ...datasets.hub.client import ask, client
from ..runs.check_request import check
from ..runs.request import RunRequest
from . import grid
from .cell import Needs

OPTIONS = {"flavor": "cpu-basic", "timeout": "24h", "image": "python:3.12", "package": "reincarnate"}
ENDED = ("COMPLETED", "CANCELED", "ERROR", "DELETED")
START_MINUTES = 2.0  # of a job before it trains: its image and the package


class HubJob(NamedTuple):
    """The request to the Hub for one run."""

    name: str  # of the cell
    script: str
    flavor: str
    timeout: str
    image: str
    gpus: bool


def known(options: Mapping[str, str]) -> dict[str, str]:
    """Return all options of a job; ValueError for an option that the Hub would refuse."""
    if odd := sorted(set(options) - set(OPTIONS)):
        raise ValueError(f"--on jobs has no option {odd[0]}; there are {', '.join(OPTIONS)}")
    flavors = [one.value for one in client().JobHardware]
    given = {**OPTIONS, **options}
    if given["flavor"] not in flavors:
        raise ValueError(f"the Hub has no machine {given['flavor']!r}; there are {', '.join(flavors)}")
    if not re.fullmatch(r"[1-9]\d*(\.\d+)?[smhd]?", given["timeout"]):
        raise ValueError(f"--option timeout={given['timeout']} is not a time: write 90m, 2h or 1d")
    return given


def job(request: RunRequest, name: str, repository: str, options: Mapping[str, str]) -> HubJob:
    """Return the job of a run. ValueError if it needs a folder of this machine, or if an option is invalid."""
    given = known(options)
    for reference in (request.teacher, *request.teacher_log):
        if reference.startswith(("/", ".", "~")) or (reference and Path(reference.partition(":")[0]).exists()):
            raise ValueError(f"a job cannot see {reference}: publish it on hf, and give --hub hf and its name there")
    gpus = not given["flavor"].startswith("cpu")
    package = f"{given['package']}[cuda]" if gpus and given["package"] == "reincarnate" else given["package"]
    quoted = shlex.quote(f"cells/{name}")
    words = [
        f"pip install --quiet {shlex.quote(package)}",
        f"{request.command()} --quiet --out {quoted}",
        f"hf upload {repository} {quoted} {quoted} --repo-type dataset --quiet",
    ]
    return HubJob(name, " && ".join(words), given["flavor"], given["timeout"], given["image"], gpus)


def price(hours: float, runs: int, options: Mapping[str, str], api: Any) -> str:
    """Estimate the price of so many machine hours and starts, by the Hub's own price list."""
    flavor = options.get("flavor", OPTIONS["flavor"])
    try:
        found = next((one for one in _ask(api, api.list_jobs_hardware) if one.name == flavor), None)
    except ValueError as error:  # planning must work offline
        return f"price: unknown, {error}"
    if found is None or found.unit_label != "minute":
        return f"price: unknown, the Hub does not state what {flavor} costs"
    minutes = 60.0 * hours + START_MINUTES * runs
    dollars = minutes * found.unit_cost_usd
    each = 60.0 * found.unit_cost_usd
    told = f"price: about ${dollars:.2f} for {minutes:.0f} minutes of {flavor} at ${each:.2f} an hour"
    return f"{told}, if that is as fast as this machine"


@dataclass(frozen=True)
class Jobs:
    """The backend for Hugging Face Jobs."""

    api: Callable[[], Any] = place.find("hf").api  # replaced in tests
    pause: float = 15.0  # seconds between two polls
    name, options = "jobs", "flavor=t4-small"

    def explain(self) -> str:
        """Describe in a few words where the cells run."""
        return "jobs of Hugging Face, by the minute"

    def room(self, needs: Needs) -> int:
        """Return 0: the Hub decides."""
        return 0

    def cost(self, hours: float, runs: int, options: Mapping[str, str]) -> str:
        """Estimate the price of the plan."""
        return price(hours, runs, options, self.api())

    def execute(
        self,
        folder: Path,
        names: Sequence[str],
        needs: Needs,
        jobs: int,
        tick: Callable[[], None],
        options: Mapping[str, str],
    ) -> None:
        """Submit cells without a job and download finished ones; jobs continue if this process is killed."""
        if several := next((name for name in names if " " in name), ""):
            raise ValueError(f"a job has one run: leave out --together ({several})")
        asked = grid.load(folder)
        requests = {cell.name: grid.request(asked, cell) for cell in grid.cells(asked)}
        work(self, folder, {name: requests[name] for name in names}, jobs, tick, options)


def work(
    backend: Jobs,
    folder: Path,
    requests: Mapping[str, RunRequest],
    most: int,
    tick: Callable[[], None],
    options: Mapping[str, str],
) -> None:
    """Run each request as a job, at most `jobs` at once (0: all), and download its folder to `cells`."""
    api = backend.api()
    me = str(_ask(api, api.whoami)["name"])
    repository = f"{me}/{folder.resolve().name}-runs"
    wanted = {name: job(request, name, repository, options) for name, request in requests.items()}
    _ask(api, lambda: api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True))
    path = folder / "jobs.json"
    known = grid.job_ids(path)
    waiting = list(wanted)
    at_work: dict[str, str] = {}
    while waiting or at_work:
        while waiting and (not most or len(at_work) < most):
            name = waiting.pop(0)
            if name not in known:
                known[name] = submit(api, wanted[name])
                atomic.write(path, json.dumps(known).encode())
            at_work[name] = known[name]
        for name, id in list(at_work.items()):
            found = _ask(api, lambda id=id: api.inspect_job(job_id=id))
            stage = str(getattr(found.status.stage, "value", found.status.stage))
            if stage in ENDED:
                del at_work[name], known[name]  # a retry is another job
                atomic.write(path, json.dumps(known).encode())
                _fetch(api, repository, folder, name)
                if not grid.ended(folder / "cells" / name):
                    grid.fail(folder, name, f"job {id} ended as {stage}: {found.status.message or found.url}")
        tick()
        if at_work:
            time.sleep(backend.pause)


def submit(api: Any, one: HubJob) -> str:
    """Start a job and return its id. The token is passed as a secret."""
    token = api.token or client().get_token()
    if not token:
        raise ValueError("jobs need an account: run `hf auth login` first")
    made = _ask(
        api,
        lambda: api.run_job(
            image=one.image,
            command=["bash", "-c", one.script],
            flavor=one.flavor,
            timeout=one.timeout,
            secrets={"HF_TOKEN": token},
            labels={"reincarnate": one.name},
        ),
    )
    return str(made.id)


def _fetch(api: Any, repository: str, folder: Path, name: str) -> None:
    """Download a job's uploaded run to the sweep's folder."""
    found = {"repo_type": "dataset", "allow_patterns": [f"cells/{name}/*"], "local_dir": folder.resolve()}
    _ask(api, lambda: api.snapshot_download(repository, **found))


def _ask(api: Any, call: Callable[[], Any]) -> Any:
    return ask(api.endpoint, call, "hf", "job")


def alone(request: RunRequest, out: Path, options: Mapping[str, str], dry: bool, say: Callable[[str], None]) -> None:
    """Run one request as a job and download it to `out`; dry: only show the job and its price per minute.

    ValueError if `out` exists, or the job failed.
    """
    backend = BACKEND
    atomic.vacant(out)
    check(request)
    one = job(request, out.name, f"USER/{out.parent.resolve().name}-runs", options)
    say(f"job on {one.flavor}, at most {one.timeout}, image {one.image}:\n  {one.script}")
    if dry:
        return
    say(price(0.0, 1, options, backend.api()))
    work(backend, out.parent, {out.name: request}, 1, lambda: None, options)
    if not grid.ended(out.parent / "cells" / out.name):
        raise ValueError(f"the job failed: {grid.failures(out.parent, out.name)[-1]}")
    (out.parent / "cells" / out.name).rename(out)


BACKEND = Jobs()

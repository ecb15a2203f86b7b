"""Jobs of Hugging Face, with a stand-in for the client's calls: the request, its price, the result.

No job was ever run on Hugging Face itself; the stand-in's calls are held against the client's own signatures.
"""

import inspect
import json
import shlex
from types import SimpleNamespace

import pytest

from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.sweep import grid, jobs
from reincarnate.benchmark.sweep.cell import Needs
from reincarnate.datasets.hub.client import client

TASK = "gym/CartPole-v1"
OPTIONS = {"budget": "steps=400", "episodes": 1, "environments": 2}


class StandIn:
    """Answer the client's calls from memory; each is first bound to the real signature."""

    endpoint, token = "https://huggingface.co", "hf_secret"

    def __init__(self, stages=("RUNNING", "COMPLETED"), uploads=True):
        self.stages, self.uploads, self.asked, self.looks, self.repositories = stages, uploads, [], {}, []

    def _check(self, name, *args, **options):
        inspect.signature(getattr(client().HfApi, name)).bind(self, *args, **options)

    def whoami(self):
        return {"name": "ann"}

    def create_repo(self, *args, **options):
        self._check("create_repo", *args, **options)
        self.repositories.append((args, options))

    def list_jobs_hardware(self):
        return [
            SimpleNamespace(name="cpu-basic", unit_cost_usd=0.000167, unit_label="minute"),
            SimpleNamespace(name="t4-small", unit_cost_usd=0.006667, unit_label="minute"),
        ]

    def run_job(self, **options):
        self._check("run_job", **options)
        self.asked.append(options)
        return SimpleNamespace(id=f"job{len(self.asked)}")

    def inspect_job(self, **options):
        self._check("inspect_job", **options)
        id = options["job_id"]
        seen = self.looks[id] = self.looks.get(id, 0) + 1
        stage = self.stages[min(seen, len(self.stages)) - 1]
        return SimpleNamespace(status=SimpleNamespace(stage=stage, message="out of memory"), url="https://there")

    def snapshot_download(self, *args, **options):
        self._check("snapshot_download", *args, **options)
        name = options["allow_patterns"][0].split("/")[1]
        if self.uploads:
            folder = options["local_dir"] / "cells" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "ledger.jsonl").write_text(json.dumps({"event": "end"}) + "\n")
            (folder / "record.json").write_text("{}")


def backend(api: StandIn) -> jobs.Jobs:
    return jobs.Jobs(lambda: api, pause=0.0)


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "ended", lambda run: (run / "record.json").exists())
    asked = grid.of(TASK, ("dqn",), (0, 1), OPTIONS)
    folder = tmp_path / "small"
    folder.mkdir()
    grid.begin(folder, asked)
    return folder, [cell.name for cell in grid.cells(asked)]


def test_each_cell_is_a_job_and_comes_back(sweep):
    folder, names = sweep
    api, ticks = StandIn(), []
    backend(api).execute(folder, names, Needs(), 1, lambda: ticks.append(1), {"flavor": "t4-small"})
    assert all((folder / "cells" / name / "record.json").exists() for name in names) and ticks
    assert api.repositories == [(("ann/small-runs",), {"repo_type": "dataset", "private": True, "exist_ok": True})]
    first = api.asked[0]
    install, train, upload = first["command"][2].split(" && ")
    assert first["command"][:2] == ["bash", "-c"] and install == "pip install --quiet 'reincarnate[cuda]'"
    assert train.startswith(f"reincarnate run --task {TASK} --method dqn --budget steps=400 --seed 0")
    cell = f"cells/{names[0]}"
    assert shlex.split(train)[-2:] == ["--out", cell]
    assert shlex.split(upload)[:5] == ["hf", "upload", "ann/small-runs", cell, cell]
    assert first["secrets"] == {"HF_TOKEN": "hf_secret"} and "hf_secret" not in first["command"][2]
    assert (first["flavor"], first["timeout"]) == ("t4-small", "24h")
    assert json.loads((folder / "jobs.json").read_text()) == {}


def test_a_job_that_fails_says_why(sweep):
    folder, names = sweep
    backend(StandIn(("ERROR",), uploads=False)).execute(folder, names[:1], Needs(), 0, lambda: None, {})
    assert grid.failures(folder, names[0]) == ["job job1 ended as ERROR: out of memory"]


def test_a_job_that_is_at_work_is_not_submitted_again(sweep):
    folder, names = sweep
    (folder / "jobs.json").write_text(json.dumps({names[0]: "job9"}))
    api = StandIn(("COMPLETED",))
    backend(api).execute(folder, names[:1], Needs(), 0, lambda: None, {})
    assert api.asked == [] and api.looks == {"job9": 1}


def test_the_price_is_by_the_hubs_own_list():
    told = jobs.price(3.0, 10, {"flavor": "t4-small"}, StandIn())
    assert told.startswith("price: about $1.33 for 200 minutes of t4-small at $0.40 an hour")
    assert "does not state what h200 costs" in jobs.price(1.0, 1, {"flavor": "h200"}, StandIn())


def test_what_no_job_can_do_is_said_before_anything_is_asked(tmp_path):
    request = RunRequest(TASK, "dqn", "steps=400")
    with pytest.raises(ValueError, match="no machine 'abacus'; there are cpu-basic"):
        jobs.job(request, "a", "ann/x", {"flavor": "abacus"})
    with pytest.raises(ValueError, match="no option colour; there are flavor"):
        jobs.job(request, "a", "ann/x", {"colour": "red"})
    with pytest.raises(ValueError, match="a job cannot see /teachers/mine: publish it"):
        jobs.job(RunRequest(TASK, "qdagger", "steps=400", teacher="/teachers/mine"), "a", "ann/x", {})


def test_one_run_as_a_job(tmp_path, monkeypatch):
    api, said = StandIn(("COMPLETED",)), []
    monkeypatch.setattr(jobs, "BACKEND", backend(api))
    monkeypatch.setattr(grid, "ended", lambda run: (run / "record.json").exists())
    request, out = RunRequest(TASK, "dqn", "steps=400"), tmp_path / "runs" / "one"
    out.parent.mkdir()
    jobs.alone(request, out, {}, True, said.append)
    assert api.asked == [] and "job on cpu-basic" in said[0] and "reincarnate run --task" in said[0]
    jobs.alone(request, out, {}, False, said.append)
    assert len(api.asked) == 1 and (out / "record.json").exists() and "price: about $0.00" in said[-1]

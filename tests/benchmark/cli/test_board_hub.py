"""The leaderboard lives on the embedded Hub: two users submit, a maintainer verifies, the board is built, and the
best student teaches the second generation."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from reincarnate.benchmark.prior.ancestors import enter
from reincarnate.benchmark.prior.collect import Player, collect
from reincarnate.benchmark.prior.log_folder import LogRequest
from reincarnate.benchmark.prior.promote import promote, student
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.next_generation import promote_run, revoke
from reincarnate.benchmark.submission.queue import Rules, queue
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.hub import hub as hubs
from reincarnate.datasets.hub import place
from reincarnate.datasets.hub.client import client
from reincarnate.datasets.hub.pull_requests import DatasetRepository
from reincarnate.leaderboard.costs import costs, family
from reincarnate.leaderboard.prices import entered
from reincarnate.leaderboard.site import build
from reincarnate.leaderboard.suite import Anchor, Span, Suite

from .test_datasets import refused, reincarnate

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
TASK = "gym/CartPole-v1"


class House(NamedTuple):
    """A hub with three users, and a folder for their runs."""

    url: str
    tokens: Path
    at: Path

    def as_user(self, name: str, repo: str = "lab/results") -> DatasetRepository:
        os.environ[place.TOKEN] = (self.tokens / name).read_text().strip()
        return DatasetRepository(repo, self.url)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    at = tmp_path_factory.mktemp("house")
    users = [word for user in ("lab", "ann", "bob") for word in ("--user", user)]
    command = [
        sys.executable,
        "-m",
        "reincarnate.datasets.hub.local_hub",
        "--root",
        str(at / "hub"),
        "--empty",
        *users,
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REINCARNATE_CACHE", str(at / "caches"))
        patch.setenv(place.TOKEN, "")
        patch.setattr("secrets.randbelow", lambda n: 7)  # the same seeds each time, and so no bad luck
        made = House(url, at / "hub" / "tokens", at)
        anchor = Anchor(random=5.0, teacher=100.0, costs={"flops": Span(cheap=1e5, dear=1e10)})
        suite = Suite(name="poles", version=1, seeds=1, tasks={TASK: anchor})
        token = (made.tokens / "lab").read_text().strip()
        client().HfApi(endpoint=url, token=token).create_repo("lab/results", repo_type="dataset")
        made.as_user("lab").write({"suites/poles.json": suite.model_dump_json().encode()}, "Anchor a suite")
        yield made
    process.terminate()
    process.wait(10)


def train(house: House, name: str, method: str, task: str = TASK, **more) -> Path:
    settings = {"learning_rate": 1e-3, "warmup": 100}
    out = house.at / name
    run(task, method, "steps=600,updates=900", settings=settings, episodes=20, out=out, points=(0, 1), **more)
    return out


def offer(house: House, user: str, runs: list[Path], tamper=lambda plan: None) -> int:
    """Prepare and sends a submission; `tamper` is what a cheat does between the check and the upload."""
    repository = house.as_user(user)
    results = submit.repository_folder(repository, house.url)
    offer = submit.Offer(user, places=(house.url,), about="a test")
    plan = submit.prepare(runs, house.at / f"sent-{user}-{runs[0].name}", results, offer)
    assert [verdict.reasons for verdict in plan.verdicts] == [()] * len(runs)
    tamper(plan)
    return submit.send(plan, repository, house.url)


def test_two_generations(house):
    lab = house.as_user("lab")
    first = train(house, "first", "dqn")
    promote(first, house.at / "teacher", "lab/pole", episodes=10)
    teacher = hubs.publish(house.at / "teacher", "lab/pole", "model", house.url)
    policy = student(first)[0]
    collect(find(TASK), [Player(policy, str(teacher))], LogRequest(1000, name="lab/pole-log"), house.at / "log")
    log = hubs.publish(house.at / "log", "lab/pole-log", "dataset", house.url)
    prices = enter(
        {str(teacher): "teacher", str(log): "log"}, submit.repository_folder(lab, house.url).folder, [house.url]
    )
    lab.write({"prices.json": entered((), prices)}, "Accept a teacher and its log")
    prior = {"teacher": str(teacher), "teacher_log": str(log), "hub": house.url}

    ann, bob = train(house, "ann", "qdagger", **prior), train(house, "bob", "rehearsal", seed=1, **prior)
    good = offer(house, "ann", [ann])
    with pytest.raises(ValueError, match=f"pull request {good} already has results/ann/"):
        offer_again(house, "ann", ann)

    def boast(plan):
        """Add 100 to every return of the last student."""
        one = plan.runs[0]
        last = one.record.points[-1]
        judged = last.evaluation.model_copy(update={"returns": tuple(x + 100 for x in last.evaluation.returns)})
        points = (*one.record.points[:-1], last.model_copy(update={"evaluation": judged}))
        plan.runs[0] = one.model_copy(update={"record": one.record.model_copy(update={"points": points})})

    bad = offer(house, "bob", [bob], boast)

    killed = house.as_user("lab")
    killed.close = dies  # after the verdict is written and said
    with pytest.raises(KeyboardInterrupt):
        queue(killed, house.url, Rules(again=1))
    lab = house.as_user("lab")
    told = queue(lab, house.url)
    assert len([text for author, text in lab.comments(good) if author == "lab"]) == 1
    assert [one.state for one in told[good]] == ["re-trained"] and [one.state for one in told[bad]] == ["rejected"]
    assert any("its totals or returns are not those of the record" in reason for reason in told[bad][0].reasons)
    assert told[good][0].agreement is not None
    comments = [text for author, text in lab.comments(bad) if author == "lab"]
    assert len(comments) == 1 and "rejected" in comments[0]
    assert queue(lab, house.url) == {} and len(lab.comments(bad)) == 2  # twice is as good as once
    assert [request.number for request in lab.requests()] == [bad]

    results = submit.repository_folder(lab, house.url)
    (one,) = results.submissions.values()
    assert one.author == "ann" and results.verdicts[one.record.run].state == "re-trained"
    assert results.verdicts[one.record.run].retrained == (one.record.points[-1].evaluation.mean,)  # the same machine
    board = build(results.folder, house.at / "site")
    assert [entry["state"] for entry in board["entries"]] == ["re-trained"]
    with pytest.raises(ValueError, match="was already submitted by ann"):
        submit.prepare([ann], house.at / "again", results, submit.Offer("ann", places=(house.url,)))

    here = ("--at", "lab/results", "--hub", house.url)
    refused(reincarnate("promote", one.record.run, *here, "--steps", "500", "--bar", "99"), "below the bar 99")
    made = reincarnate("promote", one.record.run, *here, "--steps", "500", "--bar", "0.01", "--quiet")
    assert made.code == 0 and f"{TASK}@1: lab/cartpole-v1-{one.record.run}@" in made.out
    with pytest.raises(ValueError, match="is already a teacher"):
        promote_run(one.record.run, lab, house.url, 500)
    assert reincarnate("tasks", *here).out.split() == made.out.splitlines()[0].replace(":", "").replace(",", "").split()
    refused(reincarnate("run", "--task", f"{TASK}@2", "--budget", "steps=1", *here), f"there are {TASK}@1")
    second = train(house, "second", "qdagger", f"{TASK}@1", seed=2, at="lab/results", hub=house.url)
    last = offer(house, "bob", [second])
    assert [one.state for one in queue(house.as_user("lab"), house.url)[last]] == ["re-scored"]

    lab = house.as_user("lab")
    results = submit.repository_folder(lab, house.url)
    child = json.loads((second / "record.json").read_text())
    assert [parent["reference"] for parent in child["parents"]] == reincarnate("tasks", *here).out.split()[1:]
    assert child["task"] == TASK and results.verdicts[one.record.run].teacher == child["parents"][0]["reference"]
    of = family(results)
    spent = costs(results.submissions[child["run"]], of)
    logs = [
        source.spent["flops"]
        for each in results.submissions.values()
        for source in each.sources
        if source.kind == "log" and source.spent
    ]
    own = [
        json.loads((folder / "record.json").read_text())["points"][-1]["spent"]["flops"]
        for folder in (second, ann, first)
    ]
    assert spent.unpriced == () and len(logs) == 2 and min(logs) > 0
    assert int(spent.views["full"]["flops"]) == sum(map(int, own)) + sum(map(int, logs))  # to the last FLOP
    assert spent.views["marginal"]["flops"] == own[0]
    board = build(results.folder, house.at / "site")
    assert {entry["author"]: entry["state"] for entry in board["entries"]} == {"ann": "promoted", "bob": "re-scored"}
    assert one.record.run in board["lineage"][child["run"]]["parents"]

    assert revoke(one.record.run, "a test", lab, house.url) == [child["run"]]
    board = build(submit.repository_folder(lab, house.url).folder, house.at / "site")
    assert {entry["author"]: entry["tainted"] for entry in board["entries"]}["bob"] == [one.record.run]


def dies(number: int, text: str):
    raise KeyboardInterrupt


def test_hostile_requests_are_told_why_and_change_nothing(house):
    """Other people's paths, other files, rubbish, nothing at all: each a pull request of its own."""
    ann = house.as_user("ann")
    pair = {"results/ann/r1.json": b"[" * 5000, "results/ann/r1.ledger.jsonl": b"rubbish"}
    wanted = {
        ann.propose({"results/bob/r1.json": b"{}"}, "theirs", ""): "only results/ann/",
        ann.propose({"suites/poles.json": b"{}"}, "anchors", ""): "suites/poles.json is changed",
        ann.propose({"notes.txt": b"x"}, "elsewhere", ""): "only results/ann/",
        ann.propose(pair, "rubbish", ""): "nests too deep",
        ann.propose({"results/ann/r2.json": b"{}"}, "alone", ""): "comes alone",
        ann.api.create_pull_request("lab/results", "a draft", repo_type="dataset").num: "adds nothing",
    }
    lab = house.as_user("lab")
    before = lab.tree(lab.head())
    told = queue(lab, house.url)
    for number, says in wanted.items():
        assert [one.state for one in told[number]] == ["rejected"] and says in "\n".join(told[number][0].reasons)
    after = lab.tree(lab.head())
    assert {path for path in after if after[path] != before.get(path)} == {"queue.json"} and set(wanted) <= {
        request.number for request in lab.requests()
    }
    assert not set(wanted) & set(queue(lab, house.url))


def offer_again(house: House, user: str, folder: Path) -> None:
    repository = house.as_user(user)
    results = submit.repository_folder(repository, house.url)
    plan = submit.prepare([folder], house.at / "twice", results, submit.Offer(user, places=(house.url,)))
    submit.send(plan, repository, house.url)

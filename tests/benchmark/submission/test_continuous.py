"""Continuous actions on a real hub: sac's students are judged, ranked, and told from copies."""

import json

import numpy as np
import pytest

from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.queue import queue
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import paths
from reincarnate.leaderboard.suite import Anchor, Suite

from .hub import House, house
from .test_adversary import Forger, noise

pytestmark = pytest.mark.slow

TASK = "gym/Pendulum-v1"
ACTOR = "params/actor/body"


def trained(hub: House, user: str, seed: int):
    """Train a small run of a user, sent or to be forged: folder of the student, submission, ledger."""
    out, sent = hub.at / f"{user}-{seed}", hub.at / f"sent-{user}-{seed}"
    run(TASK, "sac", "steps=400,updates=300", seed, {"warmup": 100}, episodes=10, out=out, points=(0, 1))
    repository = hub.as_user(user)
    plan = submit.prepare([out], sent, submit.repository_folder(repository, hub.url), submit.Offer(user, film=False))
    assert [verdict.reasons for verdict in plan.verdicts] == [()]
    if user == "ann":
        submit.send(plan, repository, hub.url)
    (one,) = plan.runs
    record, log = paths(user, one.record.run)
    return sent / "students" / one.record.run, json.loads((sent / record).read_text()), (sent / log).read_bytes()


def permuted(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same policy with the units of its actor's first layer in another order."""
    first, bias, second = f"{ACTOR}/Dense_0/kernel", f"{ACTOR}/Dense_0/bias", f"{ACTOR}/Dense_1/kernel"
    order = np.random.default_rng(1).permutation(w[bias].size)
    return {**w, first: w[first][:, order].copy(), bias: w[bias][order].copy(), second: w[second][order].copy()}


def other_critics(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same policy beside critics that nobody trained, which never act."""
    rng = np.random.default_rng(2)
    return {k: rng.standard_normal(v.shape).astype(v.dtype) if "critics" in k else v for k, v in permuted(w).items()}


def test_a_student_with_continuous_actions_is_judged_ranked_and_told_from_its_copies(tmp_path_factory):
    with house(tmp_path_factory.mktemp("continuous")) as hub:
        suite = Suite(name="swing", version=1, seeds=1, tasks={TASK: Anchor(random=-1200.0, teacher=-150.0)})
        hub.as_user("lab").write({"suites/swing-v1.json": suite.model_dump_json().encode()}, "Anchor a suite")
        ann, _, _ = trained(hub, "ann", 0)
        (told,) = queue(hub.as_user("lab"), hub.url).values()
        assert [(one.state, one.reasons) for one in told] == [("re-scored", ())] and told[0].rescored
        forger = Forger(hub, *trained(hub, "mallory", 1))
        champion = {key: np.array(value) for key, value in weights.load(ann / "policy.safetensors").items()}
        changes = {"units": permuted, "critics": other_critics, "noisy": noise(1e-2)}
        wanted = {
            forger.hand_in(name, arrays=lambda _, change=change: change(champion)): name
            for name, change in changes.items()
        }
        own = forger.hand_in("honest", arrays=noise(0.0))
        told = queue(hub.as_user("lab"), hub.url)
        for number, name in wanted.items():
            assert [one.state for one in told[number]] == ["rejected"], name
            assert "a copy of it or made from it" in str(told[number][0].reasons), name
        assert [(one.state, one.reasons) for one in told[own]] == [("re-scored", ())]
        made = board(submit.repository_folder(hub.as_user("lab"), hub.url))
        assert made["faults"] == []
        rows = {one["author"]: one["suites"]["swing"] for one in made["entries"]}
        assert rows["ann"]["place"] == 1 and "without gaps" in rows["mallory"]["unranked"]  # hers is seed 1 alone

"""Honest relatives of one teacher under all rules of the judge at once."""

from typing import Any

import pytest

from reincarnate.benchmark.prior.ancestors import enter
from reincarnate.benchmark.prior.promote import promote
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.datasets.hub import bundled as hub
from reincarnate.datasets.hub.repository import install
from reincarnate.leaderboard import results

SIBLINGS = (  # method, seed, budget, settings
    # Hardly more than the fresh weights that others begin with:
    ("dqn", 0, "steps=80,updates=8", {"warmup": 20, "learning_rate": 1e-5}),
    ("dqn", 0, "steps=200,updates=100", {}),
    ("dqn", 1, "steps=200,updates=100", {}),
    ("fine_tuning", 0, "steps=200,updates=100", {"keep_log": False}),
    ("fine_tuning", 1, "steps=200,updates=100", {"keep_log": False}),
    ("surgery", 0, "steps=200,updates=100", {"keep_log": False, "settle": 0}),
    ("kickstarting", 0, "steps=200,updates=100", {}),
    ("dqn", 2, "steps=80,updates=8", {"warmup": 20}),  # of few updates
)


@pytest.mark.slow
def test_siblings_and_relatives_of_one_teacher_are_all_accepted(tmp_path, monkeypatch):
    """By all rules at once: copies, the floor of what they cost, the preset, the first point, the claims."""
    monkeypatch.setenv(hub.BUNDLE, str(tmp_path / "bundle"))
    monkeypatch.setattr("secrets.randbelow", lambda n: 7)  # the same seeds each time, and so no bad luck
    how = {"episodes": 4, "points": (0, 1)}
    task, fast = "gym/CartPole-v1", {"warmup": 50, "learning_rate": 1e-3}
    run(task, "dqn", "steps=200,updates=100", 7, fast, out=tmp_path / "first", **how)
    promote(tmp_path / "first", tmp_path / "teacher", "lab/pole", episodes=4)
    ref = f"lab/pole@{install(tmp_path / 'teacher', 'lab/pole', 'model', tmp_path / 'bundle').revision}"
    folders = []
    for number, (method, seed, budget, settings) in enumerate(SIBLINGS):
        folders.append(tmp_path / f"run{number}")
        teacher: dict[str, Any] = {} if method == "dqn" else {"teacher": ref}
        run(task, method, budget, seed, {**fast, **settings}, out=folders[-1], **how, **teacher)
    (tmp_path / "results").mkdir()
    enter({ref: "teacher"}, tmp_path / "results", ["bundled"])
    told = []
    for number, folder in enumerate(folders):  # an entry each, all known to the next
        plan = prepare(
            [folder], tmp_path / f"sent{number}", results.read(tmp_path / "results"), Offer(f"user{number}", film=False)
        )
        told.append((SIBLINGS[number][:2], plan.verdicts[0].reasons))
        (one,), (verdict,) = plan.runs, plan.verdicts
        for path in results.paths(one.author, one.record.run):
            (tmp_path / "results" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "results" / path).write_bytes((plan.folder / path).read_bytes())
        to = tmp_path / "results" / results.verdict_path(one.author, one.record.run)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(verdict.model_dump_json())
    assert [each for each in told if each[1]] == []

"""How rarely an honest student is taken for somebody else's, by what 78 trainings have in common.

tests/fixtures/siblings.json is measured: thirteen methods under three seeds in two games, all pairs, and each with its
teacher. `python -m tests.speed.siblings` makes it again.
"""

import json
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from reincarnate.benchmark.prior.ancestors import enter
from reincarnate.benchmark.prior.promote import promote
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import same
from reincarnate.benchmark.submission.agree import FALSE
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.datasets.hub import hub
from reincarnate.datasets.hub.repository import install
from reincarnate.leaderboard import results

ROWS = json.loads((Path(__file__).parents[2] / "fixtures" / "siblings.json").read_text())


def likeness(row: list) -> same.Likeness:
    return same.Likeness(*row[5:])


def pairs(relative: bool, begun: bool | None = None) -> list[same.Likeness]:
    """The likeness of strangers or relatives."""
    return [likeness(row) for row in ROWS if row[3] is relative and begun in (None, row[4])]


def beyond(values, limit: float) -> float:
    """The chance that one more is above the limit, by the normal distribution of those that there are."""
    values = np.asarray(values, float)
    return 1.0 - NormalDist(float(values.mean()), float(values.std(ddof=1))).cdf(limit)


def test_no_honest_student_is_taken_for_another_or_its_teacher():
    assert len(ROWS) > 1000 and len(pairs(True)) > 300 and len(pairs(False)) > 1000
    found = [(row[:3], same.copied(likeness(row), row[3], row[4])) for row in ROWS]
    assert [told for told in found if told[1]] == []


@pytest.mark.parametrize("relative", [False, True])
def test_the_weights_of_one_more_are_as_near_less_than_once_in_ten_thousand_times(relative):
    near = same.CLOSE if relative else same.APART
    gaps = [-math.log(one.gap) for one in pairs(relative) if math.isfinite(one.gap)]
    assert beyond(gaps, -math.log(near)) < FALSE


@pytest.mark.parametrize("relative", [False, True])
def test_nor_does_one_more_act_as_much_alike(relative):
    """Both must be so near 1: the share of other actions, and what the correlation lacks."""
    least, most = (same.SAME, same.ALL_ALONG) if relative else (same.ALIKE, same.ALONG)
    lacking = np.array([max((1 - one.alike) / (1 - least), (1 - one.along) / (1 - most)) for one in pairs(relative)])
    assert lacking.min() > 1 and beyond(-np.log(lacking), 0.0) < FALSE


def test_nor_look_the_units_of_one_more_where_those_of_other_fresh_weights_do():
    turned = np.array([one.turned for one in pairs(False, begun=False) + pairs(True, begun=False)])
    assert beyond(np.arctanh(turned), math.atanh(same.ALIGNED)) < FALSE


SIBLINGS = (  # method, seed, budget, settings
    ("dqn", 0, "steps=200,updates=100", {}),
    ("dqn", 1, "steps=200,updates=100", {}),
    ("fine_tuning", 0, "steps=200,updates=100", {"keep_log": False}),
    ("fine_tuning", 1, "steps=200,updates=100", {"keep_log": False}),
    ("surgery", 0, "steps=200,updates=100", {"keep_log": False, "settle": 0}),
    ("kickstarting", 0, "steps=200,updates=100", {}),
    ("dqn", 2, "steps=80,updates=8", {}),  # of few updates
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
        teacher = {} if method == "dqn" else {"teacher": ref}
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

"""The least that a run can have cost, also with rollouts, and what can be traced at all."""

import pytest

from reincarnate.agents import keywords
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import devices, floor
from reincarnate.benchmark.tasks.task import find

from ...leaderboard.makers import record

TASK = "gym/CartPole-v1"
MLP = {"name": "mlp", "options": {"size": 8, "depth": 1}}


def spending(method: str, steps: float, updates: float, **fields):
    made = record("a", task=TASK, method=method, network=MLP, points=((steps, updates),), **fields)
    return made, keywords.make(method, dict(made.settings))


@pytest.mark.parametrize(
    ("updates", "resumed", "says"),
    [(1562, 0, ""), (1400, 0, ""), (100, 0, "are less than the 1348"), (1300, 0, "less"), (1300, 1, "")],
)
def test_a_rollouts_updates_follow_from_its_steps(updates, resumed, says):
    """pqn: 2 x 32 batches of 128 from each rollout of 128 x 32 steps, 0.015625 a step; 1,562 in 100,000.

    The last rollout may be incomplete, and each interruption forgets one more: 0.9 of (100,000 - 4,096) x 0.015625.
    """
    told = floor._demanded(*spending("pqn", 1e5, updates, environments=128, resumed=resumed))
    assert (told == []) if not says else says in told[0]


@pytest.mark.parametrize(("resumed", "environments"), [(0, 1024), (200, 128)])
def test_neither_many_environments_nor_many_interruptions_leave_a_rollouts_updates_out(resumed, environments):
    """A run with one complete rollout has wasted at most as much again: 0.9 x 0.015625 x 20,000 of 40,000."""
    told = floor._demanded(*spending("pqn", 4e4, 10, environments=environments, resumed=resumed))
    assert "are less than the 280" in told[0]
    assert floor._demanded(*spending("pqn", 4e4, 512, environments=1024)) == []  # one rollout of 32 x 1,024


@pytest.mark.parametrize(
    ("device", "cores", "flops"),
    [
        ("gpu: NVIDIA H200", 16, 9.9e14),
        ("gpu: NVIDIA A100-SXM4-40GB", 16, 3.12e14),
        ("gpu: NVIDIA A10G", 16, 1.25e14),
        ("gpu: NVIDIA L40S", 16, 3.62e14),
        ("gpu: NVIDIA L4", 16, 1.21e14),
        ("tpu: TPU v5 lite", 16, 2.0e14),
        ("tpu: TPU v5", 16, 4.6e14),
        ("cpu: cpu", 2, 8e11),
        ("cpu: cpu", 10**9, 256 * 4e11),
        ("cpu: cpu", "many", 8 * 4e11),
        ("gpu: Wonderful 9000", 16, 2.2e13),  # the slowest that is known
        ("", None, 2.2e13),
        (5, None, 2.2e13),
    ],
)
def test_how_fast_a_device_is(device, cores, flops):
    assert devices.peak({"device": device, "cores": cores}) == flops


@pytest.mark.parametrize(
    ("device", "went_on", "spent", "says"),
    [
        ("cpu: cpu", [], (1e13, 60.0, 50.0), ""),
        ("cpu: cpu", [], (1e15, 60.0, 50.0), "more than cpu: cpu does"),
        ("cpu: cpu", [{"device": "gpu: NVIDIA A100"}], (1e15, 60.0, 50.0), ""),
        ("cpu: cpu", [5], (1e15, 60.0, 50.0), "more than cpu: cpu does"),
        ("gpu: NVIDIA A100", [], (1e17, 60.0, 50.0), "more than gpu: NVIDIA A100 does"),
        ("gpu: Nobody's", [], (1e16, 60.0, 50.0), "a maintainer can add a device to the table"),
        ("cpu: cpu", [], (1e9, 60.0, 70.0), "are more than the 60 of the run"),
    ],
)
def test_no_run_is_faster_than_its_device_whatever_peak_its_ledger_says_to_have_measured(device, went_on, spent, says):
    flops, seconds, on_device = spent
    total, machine = {"flops": flops, "seconds": seconds, "device": on_device}, {"device": device, "cores": 2}
    machines = [machine, *floor._machines([{"machine": one} for one in went_on])]
    told = floor._too_fast("record.points.0", total, machines)
    assert (told == []) if not says else says in told[0]


@pytest.mark.parametrize(
    ("at_least", "kind", "says"),
    [
        ({"flops": 1e5, "steps": 0.0}, "teacher", "with at least flops=100000: a teacher took at least 1e+06 FLOPs"),
        ({"flops": 1e9, "steps": 0.1}, "log", "with at least flops=1e+09, steps=0.1: a log has at least a step"),
        ({"flops": 1e9, "steps": 5.0}, "log", ""),
        ({"flops": 2e6}, "teacher", ""),
        ({}, "teacher", "with at least nothing: a teacher took at least 1e+06 FLOPs"),
    ],
)
def test_a_declared_bound_is_said_in_the_words_of_the_command(at_least, kind, says):
    assert floor.bound(at_least, kind).startswith(says) and bool(says) == bool(floor.bound(at_least, kind))


@pytest.mark.parametrize(("updates", "says"), [(250, ""), (150, "less"), (0, "nothing was learned")])
def test_a_replays_updates_follow_from_its_steps(updates, says):
    told = floor._demanded(*spending("dqn", 1000, updates, settings={"warmup": 50}))
    assert (told == []) if not says else says in told[0]


def test_a_method_that_cannot_have_this_network_is_refused_and_has_no_floor_of_nothing():
    one, method = spending("rainbow", 1000, 250, settings={"warmup": 50})
    (told,) = floor.faults(one, method, find(TASK))
    assert told.startswith("record.network: no update of rainbow can be traced with this network")


def test_a_run_with_a_limit_on_the_log_does_not_get_the_floor_of_one_without(monkeypatch):
    """That limit may end the offline phase early, so of two runs that are alike else each has its own floor."""
    monkeypatch.setattr(floor, "TRACED", {})
    shares = lambda method, *_: (method.offline_share, 0.0)  # noqa: E731
    monkeypatch.setattr(floor, "least", shares)
    budgets = {"steps": 1e5}, {"steps": 1e5, "logged": 5e4}
    (free, method), (limited, _) = (spending("wsrl", 1e5, 10, budget=budget) for budget in budgets)
    for _ in range(2):
        told = [floor.traced(one, method, find(TASK))[0] for one in (free, limited)]
        assert told == [method.offline_share, 0.0] and method.offline_share > 0.0


def test_the_floor_of_a_rollout_is_traced():
    update, act = floor.traced(*spending("pqn", 1e5, 1562, environments=128), find(TASK))
    assert update > 1e4 and act > 1e3  # an update of 128 observations forth and back through 58 weights


@pytest.mark.slow
def test_an_honest_run_of_rollouts_is_above_its_floor(tmp_path):
    settings = {"rollout": 8, "batch_size": 32}
    run(TASK, "pqn", "steps=3000", settings=settings, environments=16, episodes=2, points=(1,), out=tmp_path / "run")
    from reincarnate import load_record

    made = load_record(tmp_path / "run")
    assert floor.faults(made, keywords.make("pqn", dict(made.settings)), find(TASK)) == []

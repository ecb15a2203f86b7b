"""What a run is charged for the teacher, for its log, and on the device; FLOPs against counts by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import build
from reincarnate.benchmark.training.budget import Budget

from .test_loop import ENVS, LOG, course, never_over

course = course  # a fixture of another file


def test_the_teacher_is_charged_by_the_observation_until_the_student_is_weaned(course, monkeypatch):
    """Each update of QDagger asks about 4 observations, acting asks about none. The deadline is step 32 of 64."""
    monkeypatch.setattr("reincarnate.benchmark.training.course.WEANED_UPDATES", 1)
    run = course("qdagger", Budget(steps=64), deadline=0.5, hold=0.0, warmup=0, offline_share=0.5)
    told = [(status.spent["steps"], status.spent["updates"], status.spent["queries"]) for status in run.told]
    before = max(updates for steps, updates, _ in told if steps <= 32)
    assert {queries for steps, updates, queries in told if updates == before} == {4 * before}
    assert run.spent["updates"] > before + 1 and run.spent["queries"] <= 4 * (before + 1)


def test_acting_with_the_teacher_is_charged_too(course):
    run = course("jsrl", Budget(steps=40), horizon=100, decay=1.0, deadline=1.0, warmup=0)
    assert run.spent["queries"] == ENVS * run.acts == 40
    assert course("dqn", Budget(steps=40)).spent["queries"] == 0


def test_queries_are_never_over_their_limit(course):
    for limit in (41, 44):
        budget = Budget(steps=1000, queries=limit)
        run = course("kickstarting", budget, warmup=0, deadline=1.0)
        never_over(run, budget)
        assert run.spent["queries"] == 40 + 4 * (limit == 44)  # 4 an update


@pytest.mark.slow
def test_a_weaned_student_learns_the_same_without_its_teacher(course, monkeypatch):
    """A term with weight zero need not be computed: the weights agree up to rounding."""
    plain = course("qdagger", Budget(steps=64), deadline=0.25, hold=0.0, warmup=0)
    from reincarnate.benchmark.training import programs

    monkeypatch.setattr(programs.Device, "programs", lambda self, weaned: self.asking)
    asking = course("qdagger", Budget(steps=64), deadline=0.25, hold=0.0, warmup=0)
    assert plain.spent["queries"] < asking.spent["queries"] and plain.spent["flops"] < asking.spent["flops"]
    for mine, theirs in zip(*(jax.tree.leaves(run.snapshots[-1].params) for run in (plain, asking)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-7)


def test_distinct_logged_transitions_are_counted_once(course):
    """Enough updates see all of them: the count ends at the log's size."""
    few, many = (course("dagger", Budget(updates=n), offline_share=1.0, n_step=2) for n in (2, 400))
    assert 4 <= few.spent["logged"] <= 2 * 4 * 2  # 4 places a batch, of 1 or 2 transitions each
    assert many.spent["logged"] == len(LOG)
    assert course("dqn", Budget(steps=40)).spent["logged"] == 0


def test_logged_transitions_are_never_over_their_limit(course):
    budget = Budget(updates=1000, logged=30)
    run = course("dagger", budget, offline_share=1.0)
    never_over(run, budget)
    assert 26 < run.spent["logged"] <= 30 and run.snapshots[-1].last
    assert [snapshot.last for snapshot in run.snapshots] == [True]


def test_device_seconds_end_a_run_and_phases_add_up(course):
    run = course("dqn", Budget(steps=1e7, device=0.05), warmup=0)
    assert run.snapshots[-1].last and 0.05 <= run.spent["device"] < run.spent["seconds"] and run.spent["steps"] < 1e7
    for snapshot in run.snapshots:
        phases = snapshot.phases
        assert sum(phases.values()) == pytest.approx(snapshot.spent["seconds"])
        assert phases["offline"] + phases["act"] + phases["update"] == pytest.approx(snapshot.spent["device"])
    assert run.snapshots[-1].phases["compile"] > 0.0 and run.snapshots[-1].phases["environment"] > 0.0


def conv(side: int, size: int, stride: int, depth: int, width: int) -> tuple[int, int]:
    """Return (side of the output, FLOPs) of a VALID convolution: two for each product that is summed up."""
    out = (side - size) // stride + 1
    return out, 2 * out * out * size * size * depth * width


def layers(start: int, *convs: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return (rows of the first dense layer, FLOPs) of convolutions one after the other."""
    side, total, width = start, 0, 0
    for size, stride, depth, width in convs:
        side, flops = conv(side, size, stride, depth, width)
        total += flops
    return side * side * width, total


NATURE = layers(84, (8, 4, 4, 32), (4, 2, 32, 64), (3, 1, 64, 64))
SMALLER = layers(84, (8, 4, 4, 16), (4, 2, 16, 32))
MINATAR = layers(10, (3, 1, 4, 16))


@pytest.mark.parametrize(
    ("name", "shape", "hand"),
    [
        ("nature", (4, 84, 84), NATURE[1] + 2 * NATURE[0] * 512 + 2 * 512 * 6),
        ("dqn2013", (4, 84, 84), SMALLER[1] + 2 * SMALLER[0] * 256 + 2 * 256 * 6),
        ("minatar", (1, 10, 10, 4), MINATAR[1] + 2 * MINATAR[0] * 128 + 2 * 128 * 6),
        ("mlp", (1, 4), 2 * 4 * 128 + 2 * 128 * 128 + 2 * 128 * 6),
    ],
)
def test_flops_of_a_forward_pass_are_those_counted_by_hand(name, shape, hand):
    """Within 3 %: the count by hand leaves out biases, activations and the scaling of pixels."""
    net, obs = build(Architecture(name), 6), jnp.zeros((8, *shape), jnp.float32 if name == "mlp" else jnp.uint8)
    params = jax.eval_shape(net.init, jax.random.key(0), obs)
    counted = jax.jit(net.apply).lower(params, obs).cost_analysis()
    assert counted is not None
    assert 1.0 <= counted["flops"] / (8 * hand) < 1.03

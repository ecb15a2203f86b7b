"""Training in one program: with the loop's counters and replay, and learning as much."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.layers import by_product
from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import build
from reincarnate.agents.teacher import absent
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.runs.run import resume, run
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.sweep.together import together
from reincarnate.benchmark.tasks.environments import make, on_device, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training import ring
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.fused import check
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.ring import Window
from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.rlds.check import check as check_log
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.record import mismatches

from ..toys import TOY, Catch, filled, scored

TASK, SMALL = find("minatar/breakout"), Architecture("mlp", {"sizes": (16,)})
COUNTED = ("steps", "frames", "updates", "flops", "queries")


@pytest.fixture(scope="module")
def worn():
    """Fill a ring until it has gone round, with ends that terminate and ends that do not."""
    return filled(Catch(np.arange(3)), TOY.stack, 150, 200)[0]


@pytest.mark.parametrize(("n_step", "clip"), [(1, False), (3, True), (4, False)])
def test_a_batch_is_what_the_replay_gives_at_the_same_places(worn, n_step, clip):
    s, t = worn.places(np.random.default_rng(0), 200, 4)
    how = Window(len(s), worn.stack, n_step, 0.9, clip)
    ours = jax.jit(ring.gather, static_argnums=3)(ring.of(worn), s, t, how)
    theirs = worn.gather(s, t, n_step, 0.9, clip)
    for name in ("window", "span", "action", "discount", "from_teacher", "weight", "row"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert ours.window.dtype == theirs.window.dtype
    assert np.allclose(ours.reward, theirs.reward, rtol=1e-6, atol=0)  # summed in another order


def test_the_places_are_those_that_the_replay_samples_each_as_likely(worn):
    how = Window(64, worn.stack, 3, 0.9, False)
    draw = jax.jit(jax.vmap(lambda held, key: ring.draw(held, key, how), (None, 0)))
    s, t = draw(ring.of(worn), jax.random.split(jax.random.key(0), 400))
    found, counts = np.unique(np.stack([s.ravel(), t.ravel()]), axis=1, return_counts=True)
    there = np.unique(np.stack(worn.places(np.random.default_rng(0), 9000, 3)), axis=1)
    assert np.array_equal(found, there)
    expected = 400 * 64 / len(counts)
    assert abs(counts - expected).max() < 6 * expected**0.5


def test_a_young_ring_is_sampled_as_far_as_it_can_be():
    young = filled(Catch(np.arange(2)), TOY.stack, 100, 4)[0]
    how = Window(64, young.stack, 3, 0.9, False)
    s, t = jax.jit(ring.draw, static_argnums=2)(ring.of(young), jax.random.key(1), how)
    assert young._usable(np.array(s), np.array(t), 3).all()


def test_what_is_added_on_the_device_comes_back_as_if_the_replay_had_it():
    rng, n, frame = np.random.default_rng(0), 3, np.zeros((2, 2), np.uint8)
    host, mirror = Replay(60, frame, 1, n), Replay(60, frame, 1, n)
    held, who, no = ring.of(mirror), np.arange(n), np.zeros(n, bool)
    add, newest = jax.jit(ring.add), jax.jit(ring.newest, static_argnums=2)
    for _ in range(12):  # with the ends of episodes 20 rows a stream are filled more than twice
        since = mirror.added
        for _ in range(4):
            frames, finals = rng.integers(0, 255, (2, n, 2, 2)).astype(np.uint8)
            action, reward, age = (
                rng.integers(3, size=n),
                rng.normal(size=n).astype(np.float32),
                rng.integers(9, size=n),
            )
            over, terminal = rng.random((2, n)) < 0.3
            host.add(who, frames, action, reward, age, no, no)
            at = np.flatnonzero(over)
            yes = np.ones(len(at), bool)
            host.add(at, finals[at], 0, 0.0, age[at] + 1, yes, terminal[at])
            held = add(held, (frames, action, reward, age), (finals, terminal), over)
        ring.put(mirror, since, jax.device_get(newest(held, since, 8)))
        for name in (*ring.COLUMNS, "added"):
            assert np.array_equal(getattr(host, f"_{name}"), getattr(mirror, f"_{name}")), name
        assert len(host) == len(mirror)


def spent(method, fused, seed=0, budget=None, teacher=None, architecture=SMALL, worker=None, points=(0.3, 0.5, 0.77)):
    """Return what is spent at each snapshot of a training, the last snapshot and the last status."""
    place = on_device if fused else make
    what = Training(TASK, method, architecture, teacher or absent(), None, seed, budget or Budget(steps=1500), points)
    told = []
    shown = list(train(what, lambda _: place(TASK, seeds("train", seed, 8)), scored(0.2), told.append, worker=worker))
    counted = [{unit: one.spent[unit] for unit in COUNTED} for one in shown]
    return counted, shown[-1], told[-1]


def guide():
    net = build(SMALL, 3)
    params = jax.jit(net.init)(jax.random.key(7), np.zeros((1, 1, 10, 10, 4), bool))
    return absent()._replace(architecture=SMALL, apply=net.apply, params=params)


DQN = {"warmup": 300, "batch_size": 8, "replay_capacity": 1000}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "settings", "budget"),
    [
        ("dqn", {}, Budget(steps=1500)),
        ("dqn", {"updates_per_step": 0.3}, Budget(steps=1501)),
        ("dqn", {"updates_per_step": 0.07, "warmup": 0}, Budget(updates=61)),
        ("dqn", {"updates_per_step": float("inf")}, Budget(steps=700, flops=4e8)),
        ("kickstarting", {"deadline": 0.4}, Budget(steps=1500)),
    ],
)
def test_the_counters_are_those_of_the_loop(method, settings, budget):
    made, taught = keywords.make(method, DQN | settings), guide() if method == "kickstarting" else None
    ours, last, told = spent(made, True, budget=budget, teacher=taught)
    theirs, loops, loop_told = spent(made, False, budget=budget, teacher=taught)
    assert ours == theirs
    assert ours[-1]["updates"] > 50
    assert (last.weaning, last.due, last.planned) == (loops.weaning, loops.due, loops.planned)
    assert told.losses.keys() == loop_told.losses.keys()
    assert len(told.returns) == len(loop_told.returns) == 20


@pytest.mark.slow
def test_a_fused_training_repeats_itself_and_seeds_differ():
    method = keywords.make("dqn", DQN)
    first, again, other = (spent(method, True, seed)[1].params for seed in (0, 0, 1))
    assert jax.tree.all(jax.tree.map(np.array_equal, first, again))
    assert not jax.tree.all(jax.tree.map(np.array_equal, first, other))


@pytest.mark.slow
def test_seeds_together_come_to_what_each_comes_to_alone():
    method = keywords.make("dqn", DQN)
    alone = [spent(method, True, seed)[:2] for seed in (0, 1)]
    found = together([lambda worker, seed=seed: spent(method, True, seed, worker=worker)[:2] for seed in (0, 1)])
    for (counted, last), (counted_together, last_together) in zip(alone, found, strict=True):
        assert counted == counted_together
        close = jax.tree.map(lambda a, b: np.allclose(a, b, atol=1e-5), last.params, last_together.params)
        assert jax.tree.all(close)


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_named():
    method = keywords.make("dqn", DQN | {"learning_rate": 1e30})
    with pytest.raises(ValueError, match="the loss term 'td' is (nan|inf) at update"):
        spent(method, True)


@pytest.mark.parametrize(
    ("method", "settings", "why"),
    [
        ("rainbow", {}, "replays by priority"),
        ("pqn", {}, "rollouts"),
        ("rlpd", {}, "log"),
        ("pbt_small", {}, "several"),
    ],
)
def test_what_cannot_be_fused_is_refused_in_a_sentence(method, settings, why):

    made = keywords.make(method, settings)
    with pytest.raises(ValueError, match=f"{why}.* leave out --fused"):
        check(made, TASK, method == "rlpd")


def test_environments_that_are_not_arrays_are_refused():
    with pytest.raises(ValueError, match="gym/CartPole-v1 are not written in arrays: leave out --fused"):
        on_device(find("gym/CartPole-v1"), seeds("train", 0, 2))


@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 1, "SAME"), (4, 2, "VALID"), (8, 4, [(1, 2), (0, 3)])])
def test_a_convolution_by_a_product_is_the_convolution(size, stride, padding):
    rng = np.random.default_rng(0)
    x, kernel = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((2, 21, 17, 3), (size, size, 3, 5)))
    way = ("NHWC", "HWIO", "NHWC")
    theirs = jax.lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=way)
    ours = jax.jit(lambda x, kernel: by_product(x, kernel, (stride, stride), padding, dimension_numbers=way))(x, kernel)
    assert np.allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
def test_a_fused_run_stops_goes_on_and_has_a_ledger_and_a_log_as_others(tmp_path, monkeypatch):
    folder, watch, met = tmp_path / "run", RunFolder.watch, []
    settings = {"network": "mlp:size=16", "batch_size": 8, "warmup": 200}
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "watch", lambda self, status: (met.append(status.spent["steps"]), watch(self, status)))
        patch.setattr(RunFolder, "stop", lambda self: bool(met) and met[-1] >= 600)
        patch.setattr("reincarnate.benchmark.training.loop.WATCH_SECONDS", -1.0)
        patch.setattr("reincarnate.benchmark.training.fused.STEPS", 32)
        with pytest.raises(KeyboardInterrupt):
            asked = RunRequest(
                "minatar/breakout", "dqn", "steps=1200", settings=settings, episodes=2, fused=True, log=True
            )
            run(asked, out=folder)
    assert 600 <= met[-1] < 1200
    record = resume(folder)
    lines = ledger.read(folder / "ledger.jsonl")
    assert ledger.faults(lines) == [] and mismatches(lines, record) == []
    assert (lines[-1]["spent"]["steps"], lines[-1]["spent"]["updates"]) == (1200, 252)
    assert "--fused" in record.command
    told = check_log(folder / "log" / "array_record")
    assert (told.violations, told.transitions) == ([], 1200)


@pytest.mark.slow
def test_limits_of_time_end_a_fused_run_soon():
    method = keywords.make("dqn", DQN)
    counted, last, _ = spent(method, True, budget=Budget(steps=10**6, device=3.0), points=())
    assert 0 < counted[-1]["steps"] < 10**6
    assert last.spent["device"] < 4.5

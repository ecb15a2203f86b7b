"""Seeds that run together: which waits for which, and that each run is what it would be alone."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.benchmark.sweep import grid
from reincarnate.benchmark.sweep.together import Seeds, _Shared, mapped, together, unrolled
from reincarnate.benchmark.tasks.environments import Step, make
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.budget import Cost
from reincarnate.benchmark.training.programs import Program
from reincarnate.benchmark.training.stopwatch import Stopwatch
from reincarnate.datasets.teachers import weights
from reincarnate.datasets.transition import Box, blank

ROOT = Path(__file__).parents[3]
FREE = Cost(0.0, 0.0)


def test_seeds_out_of_step_wait_for_each_other_and_then_go_as_one():
    """The second seed has one more update, which it makes alone; all actions are made together."""
    made: list[tuple[str, int]] = []

    def program(name: str) -> Program:
        def call(number):
            made.append((name, 1))
            return number + 1

        return Program(call, FREE)

    def way(call):
        def go(*each):
            answers = [call(*one) for one in each]
            made[-len(each) :] = [(made[-1][0], len(each))]
            return answers

        return go

    update, act = program("update"), program("act")

    def work(extra: int):
        def go(worker):
            results = [worker.call("act", act, (10,))]
            results += [worker.call("update", update, (number,)) for number in range(extra)]
            return [*results, worker.call("act", act, (20,))]

        return go

    assert together([work(0), work(1)], way) == [[11, 21], [11, 1, 21]]
    assert made == [("act", 2), ("update", 1), ("act", 2)]


def test_a_seed_that_fails_or_ends_early_leaves_the_others_alone():
    program, broken = Program(lambda number: number, FREE), Program(lambda number: 1 // 0, FREE)

    def work(worker):
        return [worker.call("update", program, (turn,)) for turn in range(3)]

    def fails(worker):
        return [worker.call("update", one, (1,)) for one in (program, broken, program)]

    def way(call):
        return lambda *each: [call(*one) for one in each]

    failed, done = together([fails, work], way)
    assert isinstance(failed, ZeroDivisionError) and done == [0, 1, 2]
    assert together([work, lambda worker: "early"], way) == [[0, 1, 2], "early"]


@pytest.mark.parametrize("way", [unrolled, mapped])
def test_one_program_makes_the_calls_of_all(way):
    common = {"w": jnp.array([2.0, 3.0])}
    calls = []

    def call(own, common, seen):
        calls.append(seen.shape)
        return {"sum": own + (common["w"] * seen).sum(), "seen": seen}

    each = [(jnp.float32(k), common, np.array([k, 1.0], np.float32)) for k in range(3)]
    answers = way(call)(*each)
    assert [float(one["sum"]) for one in answers] == [3.0, 6.0, 9.0]  # k + 2 k + 3
    np.testing.assert_array_equal(answers[2]["seen"], [2.0, 1.0])
    assert calls == [(2,)] * (3 if way is unrolled else 1)


def test_one_vector_environment_plays_what_each_seed_would_play_alone():
    task, steps = find("gym/CartPole-v1"), 60
    seeds = [np.array([1, 2], np.int32), np.array([7], np.int32)]
    actions = np.random.default_rng(0).integers(0, 2, (steps, 2))

    def play(env, count: int) -> list:
        shown = []
        for chosen in actions[:count]:
            told = env.step(chosen[: env.n])
            shown += [env.observe().copy(), *told]
        return shown

    alone = [play(make(task, one), count) for one, count in zip(seeds, (steps, steps // 2), strict=True)]
    both = together(
        [
            lambda worker: play(worker.environment(task, seeds[0], 1), steps),
            lambda worker: play(worker.environment(task, seeds[1], 1), steps // 2),
        ]
    )
    for mine, theirs in zip(both, alone, strict=True):
        assert len(mine) == len(theirs) > 0
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_each_second_is_counted_once(monkeypatch):
    seeds, now = Seeds(2), 0.0
    first, second = seeds.workers
    monkeypatch.setattr("time.perf_counter", lambda: now)
    watch = Stopwatch(first.clock)
    watch.to("act")
    now = 4.0
    watch.to("data")
    assert watch.seconds["act"] == 2.0  # half of it is the other's
    seeds.leave(second)
    now = 5.0
    assert watch.total() == 3.0


def test_a_seed_is_not_billed_for_waiting_for_another(monkeypatch):
    """The second seed works for 8 s before its first call, of which the first waits through 7; the calls take 2 s."""
    seeds, now = Seeds(2, lambda call: lambda *each: call(each)), 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    first, second = seeds.workers
    watches = [Stopwatch(worker.clock) for worker in (first, second)]
    asked = threading.Event()

    def call(each):
        nonlocal now
        now += 2.0
        return each

    program = Program(call, FREE)

    def early():
        watches[0].to("act")
        first.call("act", program, (1,))
        watches[0].to("other")

    class Told(dict):
        def __setitem__(self, worker, what):
            super().__setitem__(worker, what)
            asked.set()

    seeds._asked = Told()
    for watch in watches:
        watch.to("data")
    now = 1.0
    thread = threading.Thread(target=early)
    thread.start()
    assert asked.wait(60)
    now = 8.0
    watches[1].to("act")
    second.call("act", program, (1,))
    watches[1].to("other")
    thread.join(60)
    assert [watch.seconds["act"] for watch in watches] == [1.0, 1.0]
    assert [watch.seconds["data"] for watch in watches] == [0.5, 7.5]


def test_a_seed_is_not_billed_for_the_evaluation_of_another():
    program = Program(lambda: None, FREE)

    def seed(evaluation: float):
        def go(worker):
            watch = Stopwatch(worker.clock)
            worker.call("act", program, ())  # both have begun
            time.sleep(evaluation)  # not charged
            watch.to("act")
            worker.call("act", program, ())
            return watch.total(), watch.device()

        return go

    quick, slow = together([seed(0.0), seed(0.5)], lambda call: lambda *each: [call(*one) for one in each])
    assert max(*quick, *slow) < 0.25


def test_seeds_together_take_actions_of_numbers():
    """Each plays what it would play alone, also once the other has ended."""
    task = find("gym/Pendulum-v1")
    seeds = [np.array([1, 2], np.int32), np.array([7], np.int32)]
    actions = np.random.default_rng(0).uniform(-2.0, 2.0, (6, 2, 1)).astype(np.float32)

    def play(env, count: int) -> list:
        return [column for chosen in actions[:count] for column in env.step(chosen[: env.n])]

    both = together(
        [
            lambda worker: play(worker.environment(task, seeds[0], 1), 6),
            lambda worker: play(worker.environment(task, seeds[1], 1), 3),
        ]
    )
    for mine, one, count in zip(both, seeds, (6, 3), strict=True):
        assert not isinstance(mine, BaseException), mine
        for column, other in zip(mine, play(make(task, one), count), strict=True):
            np.testing.assert_array_equal(column, other)


class Recorded:
    """Environments that keep the actions they are given."""

    def __init__(self, actions, n: int):
        self.actions, self.n, self.taken = actions, n, np.zeros(0)

    def step(self, actions: np.ndarray) -> Step:
        self.taken = actions
        return Step(*(np.zeros(self.n) for _ in Step._fields))


@pytest.mark.parametrize("actions", [Box((1.0, -2.0), (3.0, 2.0)), 4])
def test_the_rows_of_an_ended_seed_get_an_action_of_the_space(actions):
    whole = Recorded(actions, 3)
    chosen = np.array([[1.37, -0.8]], np.float32) if isinstance(actions, Box) else np.array([2], np.int32)
    _Shared(cast(Any, whole)).step([], [(slice(1, 2), chosen)])
    one = blank(actions)
    assert whole.taken.dtype == one.dtype
    np.testing.assert_array_equal(whole.taken, np.stack([one, chosen[0], one]))


def test_seeds_of_a_cell_are_one_job():
    asked = grid.of("gym/CartPole-v1", ("dqn", "rainbow"), (0, 1), {"budget": "steps=9"})
    cells = grid.cells(asked)
    names = [cell.name for cell in cells]
    assert grid.jobs(cells, False) == names
    assert grid.jobs(cells[1:], True) == [f"{names[1]} {names[3]}", names[2]]


def test_failures_of_several_are_those_of_each(tmp_path):
    grid.fail(tmp_path, "a b", "lost")
    grid.fail(tmp_path, "b", "again")
    assert grid.failures(tmp_path, "a") == ["lost"] and grid.failures(tmp_path, "a b") == ["lost", "lost", "again"]


PROGRAM = """
import json, sys
from pathlib import Path
import jax
from reincarnate.benchmark.sweep import together
from reincarnate.benchmark.runs.run import run

out, how = Path(sys.argv[1]), sys.argv[2]
settings = {"warmup": 20, "batch_size": 8, "learning_rate": 1e-3}
more = {"settings": settings, "network": "mlp:size=16", "points": [0.5, 1.0], "episodes": 1}
more |= {"environments": 2, "threads": 1}

def of(seed):
    folder = out / f"{how}-{seed}"
    return lambda worker: run("gym/CartPole-v1", "rainbow", "steps=120", seed, out=folder, worker=worker, **more)

works = [of(seed) for seed in range(5)]
records = [work(None) for work in works] if how == "alone" else together.together(works, getattr(together, how))
said = []
for record in records:
    if isinstance(record, BaseException):
        raise record
    spent = [{k: v for k, v in point.spent.items() if k not in ("seconds", "device")} for point in record.points]
    said.append([spent, [[point.parameters, point.evaluation.returns] for point in record.points]])
print(json.dumps([len(jax.devices()), said]))
"""


def said(folder: Path, how: str, devices: int, program: str = PROGRAM) -> list:
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src"), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, "-c", program, str(folder), how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    count, runs = json.loads(done.stdout)
    assert count == devices
    return runs


@pytest.mark.slow
def test_five_seeds_on_four_devices_are_to_the_last_bit_what_they_are_alone(tmp_path):
    """Two of them share a device. By vmap they cost the same, and differ by rounding alone in 25 updates."""
    alone, four = said(tmp_path, "alone", 1), said(tmp_path, "unrolled", 4)
    assert alone == four and alone[0] != alone[1]
    assert alone[0][0][-1]["steps"] == 120 and alone[0][0][-1]["updates"] == 25
    assert [run[0] for run in said(tmp_path, "mapped", 4)] == [run[0] for run in alone]
    for seed in range(5):
        files = [tmp_path / f"{how}-{seed}/students/0000000120.safetensors" for how in ("alone", "mapped")]
        one, other = map(weights.load, files)
        for name, array in one.items():
            np.testing.assert_allclose(other[name], array, rtol=0, atol=1e-5)


PENDULUM = (
    PROGRAM.replace("gym/CartPole-v1", "gym/Pendulum-v1")
    .replace('"rainbow"', '"sac"')
    .replace("mlp:size=16", "actor_critic:width=16,stochastic=true")
    .replace("steps=120", "steps=100")
    .replace("range(5)", "range(2)")
)


@pytest.mark.slow
def test_two_seeds_with_actions_of_numbers_are_to_the_last_bit_what_they_are_alone(tmp_path):
    alone, both = (said(tmp_path, how, 1, PENDULUM) for how in ("alone", "unrolled"))
    assert alone == both and alone[0] != alone[1]
    assert alone[0][0][-1]["steps"] == 100 and alone[0][0][-1]["updates"] > 5

"""The loop that spends a budget: the one place where methods meet environments."""

import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..agents.learner import PRIORITY, fresh, key_of, make_act, make_update, spread
from ..agents.method import Architecture, Clock, Learner, Method, Params, Progress, Teacher
from ..agents.networks import build
from ..datasets.replay import Mixture, Replay, sample_mix
from ..datasets.transition import Batch
from .budget import Budget, Meter, Plan, Prices, plan
from .environments import Environment, Step
from .task import Task

WATCH_SECONDS = 0.25  # how often the watcher is told, at most


@dataclasses.dataclass
class Member:
    """One student of the population, with its own environments and replay."""

    number: int
    learner: Learner
    env: Environment
    replay: Replay
    clock: Clock
    returns: np.ndarray  # [N] of the episodes being played
    score: float = 0.0  # at the last checkpoint
    best: float = 0.0
    owed: float = 0.0  # updates not yet made
    pending: tuple = ()  # (rows, priorities on the device) of the latest update


class Snapshot(NamedTuple):
    """The best member at a checkpoint, and what the run has spent so far."""

    spent: dict[str, float]
    params: Params
    last: bool


class Status(NamedTuple):
    """What a watcher sees while the loop runs."""

    phase: str  # "offline" or "online"
    spent: dict[str, float]
    plan: Plan
    returns: Sequence[float]  # of the latest training episodes, unclipped
    losses: dict[str, float]
    budget: Budget

    def limits(self) -> dict[str, tuple[float, float]]:
        """Unit -> (spent, limit), for the limits that were given."""
        return {unit: (self.spent[unit], limit) for unit, limit in self.budget.limits().items()}


def prices(task: Task, env: Environment, update, act, learner, teacher, batch, clock, now) -> Prices:
    """FLOPs of one update and of one agent step, counted by XLA on the traced program: the same on every device."""
    update_flops = update.lower(learner, teacher.params, batch, now).cost_analysis()["flops"]
    act_flops = act.lower(learner.params, teacher.params, env.observe(), clock, now).cost_analysis()["flops"]
    return Prices(float(act_flops) / env.n, float(update_flops), task.frame_skip)


def train(
    task: Task,
    method: Method,
    architecture: Architecture,
    teacher: Teacher,
    log: Replay | Mixture | None,
    make_env: Callable[[int], Environment],
    validate: Callable[[Params], float],
    seed: int,
    budget: Budget,
    shares: Sequence[float],
    watch: Callable[[Status], None] = lambda status: None,
    keep: Callable[[int, np.ndarray, np.ndarray, Step, np.ndarray], None] | None = None,
) -> Iterator[Snapshot]:
    """Spends the budget and yields the best member at each of the shares [0, 1] of the planned agent steps.

    What cannot work raises ValueError at once; the spending begins with the first
    snapshot asked for, and the last one comes when a limit cannot pay for the
    next act. `make_env` gives each member its environments. `validate` gives a student's score, the
    only feedback beyond its own transitions that a method gets; neither it nor
    what the caller does between snapshots is charged. `keep` is given every step
    that is paid for: (first stream, frames [k], actions [k], what came of it, frames after it).
    """
    rng, meter, count = np.random.default_rng([seed, 1]), Meter(budget), 0
    first_env = make_env(0)
    net = build(architecture, first_env.actions)
    update, act = make_update(method, net.apply, teacher.apply), make_act(method, net.apply, teacher.apply)

    def member(number: int) -> Member:
        env = first_env if number == 0 else make_env(number)
        obs = env.observe()
        try:
            params = net.init(jax.random.fold_in(jax.random.key(seed), number), jnp.asarray(obs[:1]))
        except ArithmeticError:  # nothing is left of too small an image
            raise ValueError(f"the network {architecture.name!r} is not for observations {obs.shape[1:]}") from None
        learner = method.init(fresh(method, params), teacher)
        if jax.tree.map(jnp.shape, learner.params) != jax.tree.map(jnp.shape, params):
            raise ValueError("the student must start with its own network's shapes: choose the teacher's network")
        most = 2 * (min(budget.steps, budget.frames / task.frame_skip) + env.n)  # the end of an episode is a row too
        capacity = int(min(method.replay_capacity, most))
        replay = Replay(capacity, obs[0, -1], task.stack, env.n, method.prioritized)
        clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
        return Member(number, learner, env, replay, clock, np.zeros(env.n))

    def progress(m: Member, offline: float) -> Progress:
        nonlocal count
        count += 1
        spent = min(meter.spent["steps"] / max(planned.steps, 1), 1.0)
        numbers = [np.float32(x) for x in (offline, spent, max(planned.steps, 1), m.score, m.best)]
        return Progress(*numbers, key=key_of(seed, count))

    def learn(m: Member, offline: float) -> bool:
        """One update, unless the budget or the replay cannot give it."""
        nonlocal losses
        now = progress(m, offline)
        if m.pending:  # one update late, so that the host need not wait for the device
            m.replay.prioritize(m.pending[0], np.asarray(m.pending[1]))
        share = float(method.mix(now))
        if method.keep_log and log is not None:  # the log is part of the replay: uniform over both
            share = len(log) / (len(log) + len(m.replay))
        batch = sample_mix(rng, log, m.replay, method.batch_size, share, *how)
        if batch is None or not meter.affords(updates=1, flops=cost.update_flops):
            return batch is None
        meter.spend(updates=1, flops=cost.update_flops)
        m.learner, losses = update(m.learner, teacher.params, spread(batch), now)
        m.pending = (batch.place, losses.pop(PRIORITY)) if method.prioritized else ()
        return True

    def step(m: Member, k: int) -> None:
        """One action in each environment, of which the first k are paid for and kept."""
        meter.spend(steps=k, frames=k * task.frame_skip, flops=cost.step_flops * m.env.n)
        obs, (episode, age) = m.env.observe(), m.clock
        frame = obs[:k, -1].copy()
        action = np.asarray(act(m.learner.params, teacher.params, obs, m.clock, progress(m, 0.0)))
        told = m.env.step(action)
        over, who, no = told.terminated | told.truncated, np.arange(k), np.zeros(k, bool)
        m.replay.add(who, frame, action[:k], told.reward[:k], age[:k], no, no)
        if keep is not None:
            keep(m.number * m.env.n, frame, action[:k], told, m.env.observe()[:, -1])
        ended = np.flatnonzero(over[:k])
        if len(ended):
            zero, yes = np.zeros(len(ended)), np.ones(len(ended), bool)
            m.replay.add(ended, told.final[ended], zero, zero, age[ended] + 1, yes, told.terminated[ended])
        m.returns += told.reward
        returns.extend(m.returns[ended])
        m.returns[over] = 0.0
        m.clock = Clock(np.where(over, episode + m.env.n, episode), np.where(over, 0, age + 1).astype(np.int32))
        m.owed += k * method.updates_per_step

    def tick(phase: str, force: bool = False) -> bool:
        """Brings the clock up to date; False once the seconds are used up."""
        nonlocal started, told_at
        now = time.perf_counter()
        meter.spent["seconds"], started = meter.spent["seconds"] + now - started, now
        if force or now - told_at > WATCH_SECONDS:
            told_at = now
            terms = {name: float(value) for name, value in losses.items()}
            for name, value in terms.items():
                if not math.isfinite(value):
                    after = f"after {meter.spent['updates']:.0f} updates"
                    raise ValueError(f"the loss term {name!r} is {value} {after}: lower the learning rate")
            watch(Status(phase, dict(meter.spent), planned, tuple(returns), terms, budget))
        return meter.spent["seconds"] < budget.seconds

    def snapshot(last: bool) -> Snapshot:
        nonlocal started
        tick("online" if meter.spent["steps"] else "offline", force=True)
        if method.scored and not (last and len(members) == 1):  # at the end it only chooses between members
            for m in members:
                m.score = validate(m.learner.params)
                m.best = max(m.best, m.score)
        top = max(members, key=lambda m: m.score)
        taken = Snapshot(dict(meter.spent), top.learner.params, last)
        if len(members) > 1:
            key = jax.random.fold_in(jax.random.key(seed), int(meter.spent["steps"]))
            evolved = method.evolve(key, [m.learner for m in members], [m.score for m in members])
            for m, learner in zip(members, evolved, strict=True):
                m.learner = learner
        return taken

    if log is None and reads_log(method):
        raise ValueError("this method learns from a teacher's log, and there is none: give one with --teacher-log")
    started = told_at = time.perf_counter()
    losses, returns = {}, deque(maxlen=20)
    how = (method.n_step, method.discount, task.clip, method.foresees)
    members = [member(number) for number in range(method.population)]
    planned = Plan(0, 0, 0)
    first, now = members[0], progress(members[0], 1.0)
    blank = _blank_batch(first.env.observe(), method)
    cost = prices(task, first.env, update, act, first.learner, teacher, blank, first.clock, now)
    planned = plan(budget, cost, method.offline, method.updates_per_step)
    due = deque(sorted(int(share * planned.steps) for share in shares if share < 1.0))  # the end always counts
    warmup = min(method.warmup, planned.steps // 10)

    def spend() -> Iterator[Snapshot]:
        nonlocal started
        started = time.perf_counter()
        for number in range(planned.offline_updates):
            if not tick("offline") or not learn(members[number % len(members)], offline=1.0):
                break
        for m in members:
            m.learner = method.turn(m.learner)

        number, going = 0, planned.steps > 0
        while going and not meter.exhausted():
            m = members[number % len(members)]
            number += 1
            k = m.env.n
            while k and not meter.affords(steps=k, frames=k * task.frame_skip, flops=cost.step_flops * m.env.n):
                k -= 1
            if not k or not tick("online"):
                break
            while due and meter.spent["steps"] >= due[0]:
                due.popleft()
                if not due or meter.spent["steps"] < due[0]:
                    yield snapshot(last=False)
                    started = time.perf_counter()
            step(m, k)
            while going and m.owed >= 1.0 and meter.spent["steps"] >= warmup:
                going = tick("online") and learn(m, offline=0.0)
                m.owed -= 1.0
            m.owed = m.owed if meter.spent["steps"] >= warmup else 0.0
        yield snapshot(last=True)

    return spend()


def reads_log(method: Method) -> bool:
    """Whether the method learns from a teacher's log: offline, as part of its replay, or mixed into batches."""
    now = [Progress(0.0, spent, 1.0, 0.0, 0.0, key=key_of(0, 0)) for spent in (0.0, 0.5)]
    return method.offline > 0.0 or method.keep_log or any(float(method.mix(then)) > 0.0 for then in now)


def _blank_batch(obs: np.ndarray, method: Method) -> Batch:
    """A batch of the right shapes, to count the FLOPs of an update before there is any experience."""
    size, (_, stack, *frame) = method.batch_size, obs.shape
    window = np.zeros((size, stack + method.n_step, *frame), obs.dtype)
    whole, real = np.ones(size, np.int32), np.zeros(size, np.float32)
    ahead = real if method.foresees else None
    return Batch(window, whole, whole, real, real, real, real, whole.astype(np.int64), ahead=ahead)

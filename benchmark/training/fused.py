"""Many training steps in one program, if a device can hold everything: act, step, store, sample and learn.

The host plans a program's steps by the rules of the loop and pays for them, so a run spends the same as step by step.
It leaves to the loop what cannot be planned: steps that the budget does not cover in all environments, weaning between
two updates, and a nearly empty replay. After each program the host's replay is updated from the device's, so
checkpoints, weaning and resuming need no special case.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ...agents.layers import by_products
from ...agents.learner import make_act, make_update
from ...agents.method import Apply, Clock, Learner, Method, Params, Progress
from ...agents.resets import longest
from ...datasets.transition import Box
from ..tasks.environment import ArrayEnvironment
from ..tasks.task import Task
from . import ring
from .acting import Acting
from .course import Course
from .learning import Learning
from .programs import Device, Program, asked
from .ring import Ring, Window
from .state import Member
from .teacher_values import reads_log

STEPS = 256  # of all environments in one program
PLACES = 104  # folded into a key to sample a batch
FILLED = 4  # multiple of the rows that a batch reads; with that many rows most places can be sampled


class Held(NamedTuple):
    """The part of a run that stays on the device between two programs."""

    learner: Learner
    ring: Ring
    world: Any
    clock: Clock


class FusedStep(NamedTuple):
    """The values shared by all seeds that step together."""

    count: Any  # steps of all environments
    updates: Any  # [STEPS] updates after each of them


class StepReport(NamedTuple):
    """A program's report of its steps to the host."""

    reward: Array  # [STEPS, N]
    over: Array  # [STEPS, N] bool, an episode ended
    terms: dict[str, Array]  # loss terms of the latest update, or of the first one that was not finite
    at: Array  # number of that update, from 1; 0: none
    odd: Array  # whether an update was not finite


def check(method: Method, task: Task, logged: bool) -> None:
    """Raise ValueError for what cannot be fused. `logged`: online batches also come from a log."""
    reasons = {
        "replays by priority": method.prioritized,
        "learns from rollouts": bool(method.rollout),
        "keeps a log in its replay": method.keep_log,
        "draws from a log while it plays": logged,
        "reads returns to the end of an episode": method.needs_return_to_go,
        "trains several students": method.population > 1,
        "resets its network, or changes its n or discount": bool(
            method.reset_period or method.first_n_step or method.first_discount
        ),
        "has continuous actions": method.continuous,
    }
    for reason, holds in reasons.items():
        if holds:
            raise ValueError(f"this method {reason}, which a program on the device cannot do: leave out --fused")
    if task.stack > 1:
        raise ValueError(f"observations of {task.name} are stacks of frames: leave out --fused")


def program(method: Method, apply: Apply, teach: Apply, env: ArrayEnvironment, how: Window) -> Callable[..., Any]:
    """Return run(held, teacher's params, steps, progress, since) -> (held, seen, newest rows of the replay).

    `progress`: as for a method, but with `spent` [STEPS] after each step and the key of the previous act. `since`: [N]
    rows that each stream of the replay had. The arrays in `held` are donated.
    """
    assert not isinstance(env.actions, Box)
    update, act = make_update(method, apply, teach, actions=env.actions, online=True), make_act(method, apply, teach)

    def step(held: Held, teacher: Params, now: Progress) -> tuple[Held, Array, Array]:
        learner, kept, world, clock = held
        params = learner.target if method.target_acts else learner.params
        action = act(params, teacher, world.frame[:, None], clock, now)
        after, told = env.advance(world, action)
        over = told.terminated | told.truncated
        kept = ring.add(kept, (world.frame, action, told.reward, clock.step), (told.final, told.terminated), over)
        clock = Clock(clock.episode + over * env.n, jnp.where(over, 0, clock.step + 1))
        return Held(learner, kept, after, clock), told.reward, over

    def learn(kept: Ring, learner: Learner, teacher: Params, now: Progress) -> tuple[Learner, dict[str, Array]]:
        key = jax.random.fold_in(jax.random.wrap_key_data(now.key, impl="threefry2x32"), PLACES)
        return update(learner, teacher, ring.gather(kept, *ring.draw(kept, key, how), how), now)

    def noted(seen: StepReport, terms: dict[str, Array]) -> StepReport:
        """Keep the latest terms, or the first that are not finite."""
        terms = {name: jnp.where(seen.odd, seen.terms[name], term) for name, term in terms.items()}
        odd = ~jnp.isfinite(jnp.stack(list(terms.values()))).all()
        return seen._replace(terms=terms, at=jnp.where(seen.odd, seen.at, seen.at + 1), odd=odd)

    @partial(jax.jit, donate_argnums=0)
    def run(held: Held, teacher: Params, steps: FusedStep, progress: Progress, since: Array):
        def now(t: Any, count: Array) -> Progress:
            return progress._replace(spent=progress.spent[t], key=jnp.stack([progress.key[0], count]))

        def one(t: Array, state: tuple[Held, StepReport, Array]) -> tuple[Held, StepReport, Array]:
            held, seen, count = state
            held, reward, over = step(held, teacher, now(t, count + 1))
            seen = seen._replace(reward=seen.reward.at[t].set(reward), over=seen.over.at[t].set(over))

            def again(_: Array, state: tuple[Learner, StepReport, Array]) -> tuple[Learner, StepReport, Array]:
                learner, seen, count = state
                learner, terms = learn(held.ring, learner, teacher, now(t, count + 1))
                return learner, noted(seen, terms), count + 1

            learner, seen, count = jax.lax.fori_loop(0, steps.updates[t], again, (held.learner, seen, count + 1))
            return held._replace(learner=learner), seen, count

        terms = jax.eval_shape(learn, held.ring, held.learner, teacher, now(0, progress.key[1]))[1]
        zeros = {name: jnp.zeros(term.shape, term.dtype) for name, term in terms.items()}
        blank = jnp.zeros((STEPS, env.n))
        seen = StepReport(blank, blank.astype(bool), zeros, jnp.zeros((), jnp.int32), jnp.zeros((), bool))
        held, seen, _ = jax.lax.fori_loop(0, steps.count, one, (held, seen, progress.key[1]))
        return held, seen, ring.newest(held.ring, since, 2 * STEPS)

    return by_products(run)


class Fused:
    """Take steps in programs, for environments made of arrays."""

    def __init__(
        self,
        course: Course,
        device: Device,
        acting: Acting,
        learning: Learning,
        apply: Apply,
        env: ArrayEnvironment,
    ):
        """Raise ValueError for methods and tasks that cannot be fused."""
        check(course.method, course.task, reads_log(course.method._replace(offline_share=0.0)))
        self._course, self._device, self._acting, self._learning = course, device, acting, learning
        self._apply, self._env = apply, env
        self._programs: dict[bool, Program] = {}
        self._ring, self._added = None, np.empty(0, np.int64)  # the ring on the device, and the number of rows it has
        self._pace: float | None = None  # seconds per step of all environments, once measured

    def go(self, m: Member, event: Callable[[], bool]) -> bool:
        """Take as many steps as can be planned before an event; False if there are none."""
        course, spent = self._course, dict(self._course.meter.spent)
        told = course.progress_now(m, 0.0)
        shares, updates = self._plan(m, event)
        if not updates:
            return False
        began, known = time.perf_counter(), m.weaned in self._programs
        rest = [0] * (STEPS - len(updates))
        progress = told._replace(spent=np.array(shares + rest, np.float32))
        made = (len(updates), *updates, *rest)
        steps = self._device.once(made, lambda: FusedStep(np.int32(made[0]), np.array(made[1:], np.int32)))
        since = m.replay.added
        if self._ring is None or not np.array_equal(self._added, since):
            self._ring = ring.of(m.replay)
        held = Held(m.learner, self._ring, self._env.world, m.clock)
        arguments = (held, course.what.teacher.params, steps, progress, since.astype(np.int32))
        held, seen, rows = self._device.call("update", self._program(m), *arguments)
        seen, rows, clock = jax.device_get((seen, rows, held.clock))
        self._device.wait()
        m.learner, self._ring, self._env.world, _ = held
        m.clock = Clock(*map(np.array, clock))
        m.made += sum(updates)
        with course.watch.during("data"):
            ring.put(m.replay, since, rows)
            self._added = m.replay.added
            for reward, over in zip(seen.reward[: len(updates)], seen.over[: len(updates)], strict=True):
                course.credit(m, reward, over)
        if sum(updates):
            self._learning.note(spent["updates"] + int(seen.at), seen.terms)
        if known:  # otherwise it was being compiled
            self._pace = (time.perf_counter() - began) / len(updates)
        return True

    def _program(self, m: Member) -> Program:
        weaned = m.weaned and self._device.asks
        if weaned not in self._programs:
            course, env = self._course, self._env
            method, task, teacher = course.method, course.task, course.what.teacher
            how = Window(method.batch_size, task.stack, longest(method), method.discount, task.clip)
            make = partial(program, method, self._apply, asked(teacher, env.actions, weaned), env, how)
            self._programs[weaned] = self._device.joined(f"fused {weaned}", make)
        return self._programs[weaned]

    def _plan(self, m: Member, event: Callable[[], bool]) -> tuple[list[float], list[int]]:
        """Pay for steps; return the spent share of the plan after each, and the number of updates that follow it."""
        course, meter, shares, updates = self._course, self._course.meter, [], []
        most = min(STEPS, m.replay.size // (8 * m.env.n))  # checkpoints must keep what the ring would drop
        for unit in ("seconds", "device"):
            left = meter.budget._asdict()[unit] - meter.spent[unit]
            if left < math.inf:
                most = min(most, int(left / self._pace) if self._pace else 1)
        while len(updates) < most and not (updates and event()):
            spent, count = dict(meter.spent), course.state.count
            made = self._step(m, len(m.replay) + len(updates) * m.env.n)
            if made is None:
                meter.spent.update(spent)
                course.state.count = count
                break
            course.state.turn += 1
            updates.append(made)
            shares.append(course.share())
        return shares, updates

    def _step(self, m: Member, kept: int) -> int | None:
        """Pay for a step of all environments and its updates; return the number of updates, or None to leave it to the
        loop.

        `kept`: transitions in the replay before the step.
        """
        course, meter, acting = self._course, self._course.meter, self._acting
        act = self._device.programs(m.weaned).act
        update = self._device.update("weaned" if m.weaned else "asking", light=False, offline=False)
        if acting.affordable(m) < m.env.n:
            return None
        meter.spend(steps=m.env.n, frames=m.env.n * course.task.frame_skip, **act.cost._asdict())
        course.state.count += 1
        due, made, costs = acting.updates_due(m, m.env.n), 0, {"updates": 1, **update.cost._asdict()}
        rows = FILLED * m.env.n * (longest(course.method) + course.task.stack + 1)
        if due >= 1.0 and kept < rows:
            return None
        while due >= 1.0:
            if course.weans(m) or not meter.affords(**costs):
                return None
            meter.spend(**costs)
            course.state.count += 1
            due, made = due - 1.0, made + 1
        m.updates_due = due
        return made

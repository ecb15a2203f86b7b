"""The loop that spends a budget: the one place where methods meet environments."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.learner import init_learner, owned
from ...agents.method import Clock, Params
from ...agents.networks import build
from ...datasets.replay.replay import Replay
from ...datasets.transition import blank
from ..tasks.environments import ArrayEnvironment, Environment, EnvironmentFault
from . import rollout as rollouts
from .acting import Acting
from .budget import Plan
from .course import Course, Training
from .fused import Fused
from .learning import Learning, weights
from .observer import Interrupted, Observer, Snapshot, Status
from .programs import Alone, Device, Worker, blank_batch
from .rollout import Rollout
from .state import Member
from .stopwatch import Stopwatch
from .teacher_values import TeacherValues, planned, reads_log
from .weaning import Validation, why

WATCH_SECONDS = 0.25  # minimum time between two calls of the watcher
TENTHS = 10  # validations of a run: one at the start of each tenth of its steps


def train(
    what: Training,
    make_env: Callable[[int], Environment],
    validate: Callable[[Params], Validation],
    watch: Callable[[Status], None] = lambda status: None,
    observer: Observer | None = None,
    worker: Worker | None = None,
    announce: Callable[[Plan], None] = lambda plan: None,
) -> Iterator[Snapshot]:
    """Spend the budget, and yield the best member at each evaluation point.

    Raises ValueError at once for what cannot work. Spending starts when the first snapshot is requested; the last
    snapshot comes when a limit does not cover the next act. `make_env` makes each member's environments. `validate`
    plays a student and returns its score, the only feedback that a method gets besides its own transitions: at each
    tenth of the steps, whatever the points, until the student is weaned. Validation is counted, but neither it nor the
    caller's work between snapshots is charged. The `observer` saves the state from time to time, and may provide a
    saved one to start from; the latest snapshot may then come twice. `worker`: where the run works. `announce` is
    called with the plan. Raises Interrupted if the observer stops the run.
    """
    loop = Loop(what, make_env, validate, worker or Alone())
    announce(loop.course.plan)
    return loop.spend(watch, observer or Observer())


def first_member(course: Course, net: Any, number: int, env: Environment) -> Member:
    """Return an untrained student with an empty replay; ValueError if its network does not fit."""
    what, method, obs = course.what, course.method, env.observe()
    try:
        params = weights(net, what.seed, number, obs)
    except ArithmeticError:  # the image is too small for the convolutions
        name = what.architecture.name
        raise ValueError(f"the network {name!r} does not support observations {obs.shape[1:]}") from None
    learner = method.init(init_learner(method, params), what.teacher)
    if jax.tree.map(jnp.shape, learner.params) != jax.tree.map(jnp.shape, params):
        raise ValueError("the student must start with its own network's shapes: choose the teacher's network")
    budget, task = what.budget, what.task
    most = 2 * (min(budget.steps, budget.frames / task.frame_skip) + env.n)  # the end of an episode takes a row too
    capacity = max(int(min(method.replay_capacity, most)), rollouts.room(method, env.n, task.stack))
    replay = Replay(capacity, obs[0, -1], task.stack, env.n, method.prioritized, blank(env.actions))
    clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
    newest = Rollout(method, env.n) if method.rollout else None
    return Member(number, owned(learner), env, replay, clock, np.zeros(env.n), rollout=newest)


class Loop:
    """Order a training: learning and acting in turns, with the clock, validations and snapshots."""

    def __init__(
        self,
        what: Training,
        make_env: Callable[[int], Environment],
        validate: Callable[[Params], Validation],
        worker: Worker,
    ):
        method, log = what.method, what.log
        if log is None and reads_log(method):
            raise ValueError("this method learns from a teacher's log, but there is none: give one with --teacher-log")
        self.course = course = Course(what, Stopwatch(worker.clock))
        self.method, self.meter, self.watch, self.validate = method, course.meter, course.watch, validate
        first_env = make_env(0)
        rollouts.check(method, first_env.n, reads_log(method._replace(offline_share=0.0)))
        net = build(what.architecture, first_env.actions)
        envs = [first_env, *(make_env(number) for number in range(1, method.population))]
        members = [first_member(course, net, number, env) for number, env in enumerate(envs)]
        course.state.members = members
        if log is not None:
            course.state.read = np.zeros(log.size, bool)
        first, obs = members[0], first_env.observe()
        like = (
            first.learner,
            blank_batch(obs, method, first_env.actions),
            obs,
            first.clock,
            course.progress(first, 1.0),
        )
        self.device = Device(method, net.apply, what.teacher, first_env.actions, like, self.watch, worker)
        self.teacher_values = TeacherValues(log, what.teacher, self.device)
        found = planned(what.budget, method, self.device, self.teacher_values, first_env.n, what.task.frame_skip)
        course.plan, self.labelled = found[0], found[3]
        self.learning = Learning(course, net, self.device)
        self.acting = Acting(course, self.device, found[2].updates_per_step)
        parts = (course, self.device, self.acting, self.learning)
        self.fused = Fused(*parts, net.apply, first_env) if isinstance(first_env, ArrayEnvironment) else None
        steps = {int(point if point > 1.0 else point * course.plan.steps) for point in what.points if point != 1.0}
        course.state.due = sorted(step for step in steps if step < course.plan.steps)  # the end is always evaluated
        self.news = False  # whether a student was weaned since the last checkpoint
        self.replay_size, self.saved, self.told_at = min(m.replay.size for m in members), 0.0, float("-inf")

    def tick(self, force: bool = False) -> bool:
        """Update the times and call the watcher; False once the time is used up."""
        course, budget = self.course, self.course.what.budget
        spent = course.clock()
        now = time.perf_counter()
        if force or now - self.told_at > WATCH_SECONDS:
            self.told_at = now
            self.learning.check_losses()
            with self.watch.during("journal"):
                self.report_status(self.status())
        return spent["seconds"] < budget.seconds and spent["device"] < budget.device

    def status(self) -> Status:
        """Return the status of the run."""
        course, state = self.course, self.course.state
        m, phase = state.members[0], "online" if state.online and course.plan.steps else "offline"
        now = course.progress_now(m, float(not state.online))
        extra = {"score": m.score, "best": m.best, "weaned": float(m.weaned)}
        extra |= {"rate": float(self.method.learning_rate_factor(now)), "guidance": float(self.method.guidance(now))}
        spent, phases, returns = dict(self.meter.spent), dict(self.watch.seconds), tuple(state.recent)
        ahead = len(state.due) + 1  # the end is evaluated as well
        return Status(phase, spent, phases, course.plan, returns, state.losses, extra, course.what.budget, ahead)

    def between(self, observer: Observer, force: bool = False) -> bool:
        """Save from time to time between two acts; False once the time is used up."""
        going, stop = self.tick(force), observer.stop()
        since_saved = self.meter.spent["steps"] - self.saved
        crowded = since_saved > self.replay_size // 4  # save before the ring drops transitions
        crowded &= observer.keeps_all or not self.method.rollout
        force, self.news = force or crowded or self.news, False
        if force or stop or observer.due():
            self.saved = self.meter.spent["steps"]
            self.device.wait()
            with self.watch.during("journal"):
                self.learning.check_losses()
                self.course.clock()
                self.course.state.rng_state = dict(self.learning.rng.bit_generator.state)
                observer.save(self.course.state, force or stop)
        if stop:
            self.watch.to("")
            raise Interrupted
        return going

    def wean(self, m: Member, observer: Observer) -> None:
        """Ask the method whether it still needs its teacher, and record once why it does not."""
        now = self.course.progress_now(m, float(not self.course.state.online))
        if m.weaned or not bool(self.method.weaned(now)):
            return
        m.weaned = True
        if not self.device.asks:
            return
        by_score = not self.method.weaned(now._replace(score=0.0, best=0.0))
        m.weaning = why(self.meter.spent["steps"], self.course.plan.steps, m.proof if by_score else None)
        self.news = True
        observer.weaned(m.weaning)

    def validates(self) -> bool:
        """Return whether a validation is due. There is none once the student is weaned; members of a population are
        compared until the end."""
        members, tenth = self.course.state.members, self.course.state.checked
        wanted = self.method.scored and tenth < TENTHS and (len(members) > 1 or not members[0].weaned)
        return wanted and self.meter.spent["steps"] >= tenth * self.course.plan.steps // TENTHS

    def shows(self) -> bool:
        """Return whether a snapshot of the student is due."""
        due = self.course.state.due
        return bool(due) and self.meter.spent["steps"] >= due[0]

    def event(self) -> bool:
        """Return whether the host has work to do before the next step."""
        return self.shows() or self.validates()

    def score(self) -> None:
        """Play validation episodes with each member."""
        self.watch.to("")  # validation is not charged
        for m in self.course.state.members:
            found = self.validate(m.learner.params)
            self.meter.spent["validated"] += found.steps
            m.score = found.score
            if found.low > m.best:
                m.best, m.proof = found.low, (found.score, found.low, found.episodes)
        self.watch.to("other")

    def judge(self, observer: Observer) -> None:
        """Score the students at the start of a tenth, and tell the method."""
        members, spent = self.course.state.members, self.meter.spent["steps"]
        self.score()
        self.course.state.checked = sum(spent >= tenth * self.course.plan.steps // TENTHS for tenth in range(TENTHS))
        if len(members) > 1:
            key = jax.random.fold_in(jax.random.key(self.course.what.seed), int(spent))
            evolved = self.method.evolve(key, [m.learner for m in members], [m.score for m in members])
            for m, learner in zip(members, evolved, strict=True):
                m.learner = owned(learner)
        for m in members:
            self.wean(m, observer)

    def snapshot(self, due: int) -> Snapshot:
        self.watch.to("")  # the following is not charged
        self.course.clock()
        top = max(self.course.state.members, key=lambda m: m.score)
        spent, phases, learner = dict(self.meter.spent), dict(self.watch.seconds), owned(top.learner)
        return Snapshot(
            spent, learner.params, due < 0, phases, due, learner.opt_state, top.weaning, self.course.plan.steps
        )

    def resume(self, observer: Observer) -> None:
        """Start from the state that the observer has saved, if any."""
        self.course.resume(observer.load(self.course.state, self.method.go_online))
        if self.course.state.rng_state:
            self.learning.rng.bit_generator.state = self.course.state.rng_state

    def spend(self, watch: Callable[[Status], None], observer: Observer) -> Iterator[Snapshot]:
        self.report_status = watch
        self.resume(observer)
        state, meter, method = self.course.state, self.meter, self.method
        self.watch.to("other")
        self.teacher_values.attach(
            self.labelled and (not state.online or reads_log(method._replace(offline_share=0.0))), meter
        )
        while not state.online:
            made = int(meter.spent["updates"])
            m = state.members[made % len(state.members)]
            enough = (
                self.course.plan.steps > 0 and made >= self.course.plan.offline_updates
            )  # without steps online, everything is spent
            if state.over or enough or not self.between(observer) or not self.learning.learn(m, 1.0):
                for m in state.members:
                    m.learner = owned(method.go_online(m.learner))
                state.online = True
        while not state.over:
            m = state.members[state.turn % len(state.members)]
            k = self.acting.affordable(m)
            shows = self.shows()
            if k and (shows or self.validates()):
                self.between(observer, force=True)
            if k and self.validates():
                self.judge(observer)
            if k and shows:
                due = max(step for step in state.due if step <= meter.spent["steps"])
                state.due = [step for step in state.due if step > due]
                state.shown += 1
                yield self.snapshot(due)
                self.watch.to("other")
            if not k or not self.between(observer):
                break
            if self.fused and k == m.env.n and self.fused.go(m, self.event):
                continue
            state.turn += 1
            try:
                self.acting.step(m, k)
            except EnvironmentFault:
                self.between(observer, force=True)  # keep what was learned so far
                raise
            state.over = m.rollout is not None and m.updates_due >= 1.0 and not self.acting.label(m)
            while m.updates_due >= 1.0 and not state.over:
                if self.course.weans(m):
                    self.wean(m, observer)
                made = self.learning.learn(m, 0.0, int(m.updates_due)) if self.tick() else 0
                state.over = not made
                m.updates_due -= max(made, 1)
        state.over, state.due = True, []
        self.between(observer, force=True)
        if len(state.members) > 1 and method.scored:
            self.score()
        yield self.snapshot(due=-1)

"""The loop that spends a budget: the one place where methods meet environments."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ...agents import resets
from ...agents.learner import PRIORITY, cure, fresh, key_of, owned
from ...agents.method import Architecture, Clock, Method, Params, Progress, Teacher
from ...agents.networks import build
from ...agents.schedules import share_of
from ...datasets.replay.mixture import Mixture, sample_mix
from ...datasets.replay.replay import Replay
from ...datasets.transition import Batch, blank
from ..tasks.environments import Environment, EnvironmentFault
from ..tasks.task import Task
from . import rollout as rollouts
from .budget import FREE, Budget, Meter, Plan
from .observer import Interrupted, Keeper, Snapshot, Status
from .programs import Alone, Device, Worker, blank_batch
from .rollout import Rollout
from .state import Member, State
from .stopwatch import Stopwatch
from .teacher_values import Labels, planned, reads_log
from .weaning import Validation, why

WATCH_SECONDS = 0.25  # how often the watcher is told, at most
WEANED_UPDATES = 64  # how often a method is asked whether its teacher still matters
TENTHS = 10  # validations of a run: one at the start of each tenth of its steps


def train(
    task: Task,
    method: Method,
    architecture: Architecture,
    teacher: Teacher,
    log: Replay | Mixture | None,
    make_env: Callable[[int], Environment],
    validate: Callable[[Params], Validation],
    seed: int,
    budget: Budget,
    points: Sequence[float],
    watch: Callable[[Status], None] = lambda status: None,
    keeper: Keeper | None = None,
    seat: Worker | None = None,
    announce: Callable[[Plan], None] = lambda plan: None,
) -> Iterator[Snapshot]:
    """Spend the budget and yield the best member at the points: shares [0, 1] of the planned agent steps.

    Points above 1 are agent steps. What cannot work raises ValueError at once; the spending begins with the first
    snapshot asked for, and the last one comes when a limit cannot pay for the next act. `make_env` gives each member
    its environments. `validate` plays a student for its score, the only feedback beyond its own transitions that a
    method gets: at each tenth of the steps, whatever the points, until the student is weaned. It is counted, but
    neither it nor what the caller does between snapshots is charged.
    The `keeper` saves the state now and then, and may give a saved one to start from; then the snapshot that came last
    may come again. `seat`: where the run works. `announce` is told the plan. Raises Interrupted if the keeper stops.
    """
    loop = _Loop(task, method, architecture, teacher, log, make_env, validate, seed, budget, points, seat or Alone())
    announce(loop.plan)
    return loop.spend(watch, keeper or Keeper())


class _Loop:
    def __init__(self, task, method, architecture, teacher, log, make_env, validate, seed, budget, points, seat):
        if log is None and reads_log(method):
            raise ValueError("this method learns from a teacher's log, and there is none: give one with --teacher-log")
        self.task, self.method, self.teacher, self.log = task, method, teacher, log
        self.validate, self.seed, self.budget = validate, seed, budget
        self.meter, self.watch = Meter(budget), Stopwatch(seat.share)
        self.unread, self.told_at = [], -math.inf
        self.plan, self.network = Plan(0, 0, 0), architecture.name
        first_env = make_env(0)
        rollouts.check(method, first_env.n, reads_log(method._replace(offline=0.0)))
        self.net = build(architecture, first_env.actions)
        envs = [first_env, *(make_env(number) for number in range(1, method.population))]
        self.state = State(
            [self.member(number, env) for number, env in enumerate(envs)], self.meter.spent, self.watch.seconds, [], {}
        )
        if log is not None:
            self.state.read = np.zeros(log.size, bool)
        first = self.state.members[0]
        obs = first.env.observe()
        like = (first.learner, blank_batch(obs, method, first_env.actions), obs, first.clock, self.progress(first, 1.0))
        self.device = Device(method, self.net.apply, teacher, first_env.actions, like, self.watch, seat)
        self.labels = Labels(log, teacher, self.device)
        found = planned(budget, method, self.device, self.labels, first_env.n, task.frame_skip)
        self.plan, self.labelled, self.each = found[0], found[3], found[2].updates_per_step
        steps = {int(point if point > 1.0 else point * self.plan.steps) for point in points if point != 1.0}
        self.state.due = sorted(step for step in steps if step < self.plan.steps)  # the end always counts
        self.news = False  # whether a student was weaned since the last checkpoint
        self.ring, self.saved = min(m.replay.size for m in self.state.members), 0.0
        self.warmup = share_of(method.warmup, self.plan.steps) * self.plan.steps if self.plan.steps else 0.0
        self.rng = np.random.default_rng([seed, 1])

    def member(self, number: int, env: Environment) -> Member:
        obs, method, budget = env.observe(), self.method, self.budget
        try:
            params = self.weights(number, obs)
        except ArithmeticError:  # nothing is left of too small an image
            raise ValueError(f"the network {self.network!r} is not for observations {obs.shape[1:]}") from None
        learner = method.init(fresh(method, params), self.teacher)
        if jax.tree.map(jnp.shape, learner.params) != jax.tree.map(jnp.shape, params):
            raise ValueError("the student must start with its own network's shapes: choose the teacher's network")
        most = 2 * (min(budget.steps, budget.frames / self.task.frame_skip) + env.n)  # an episode's end is a row too
        capacity = max(int(min(method.replay_capacity, most)), rollouts.room(method, env.n, self.task.stack))
        replay = Replay(capacity, obs[0, -1], self.task.stack, env.n, method.prioritized, blank(env.actions))
        clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
        newest = Rollout(method, env.n) if method.rollout else None
        return Member(number, owned(learner), env, replay, clock, np.zeros(env.n), rollout=newest)

    def weights(self, number: int, obs: np.ndarray, *after: int) -> Params:
        """Return a member's weights at the start, or fresh ones for its reset `after` so many updates."""
        key = jax.random.key(self.seed)
        for step in (number, *after):
            key = jax.random.fold_in(key, step)
        return jax.jit(self.net.init)(key, jnp.asarray(obs[:1]))

    def renew(self) -> None:
        """Reset all members, where a reset is due."""
        made, size, method = int(self.meter.spent["updates"]), len(self.state.members), self.method
        if made % size or not resets.due(method, made // size, self.plan.updates // size):
            return
        for m in self.state.members:
            anew = fresh(method, self.weights(m.number, m.env.observe(), made))
            m.learner = owned(method.renew(m.learner, anew, method.shrink))

    def progress(self, m: Member, offline: float) -> Progress:
        self.state.count += 1
        return self.told(m, offline)

    def told(self, m: Member, offline: float) -> Progress:
        """Return what the method is told, with the latest key: for what needs no fresh one."""
        spent = min(self.meter.spent["steps"] / max(self.plan.steps, 1), 1.0)
        numbers = [np.float32(x) for x in (offline, spent, max(self.plan.steps, 1), m.score, m.best)]
        updates = np.float32(max(self.plan.updates, 1))
        return Progress(*numbers, key=key_of(self.seed, self.state.count), updates=updates)

    def learn(self, m: Member, offline: float) -> bool:
        """Make one update, unless the budget or the replay cannot give it."""
        method, meter, now = self.method, self.meter, self.progress(m, offline)
        if self.device.running is None:  # else the next batch is drawn while the device works
            self.watch.to("data")
        if m.pending:  # one update late, so that the host need not wait for the device
            m.replay.prioritize(m.pending[0], np.asarray(m.pending[1]))
        share = float(method.mix(now))
        if method.keep_log and self.log is not None:  # the replay began with the log, and new steps take its place
            left = min(len(self.log), max(method.replay_capacity - len(m.replay), 0))
            share = left / max(left + len(m.replay), 1)  # uniform over both
        batch = self.drawn(m, share)
        if batch is None:  # offline there will never be more to draw from
            return not offline
        update, placed = self.device.learning(m.weaned, batch, m.made)
        fresh_rows = self.unseen(batch)
        costs = {"updates": 1, **update.cost._asdict(), "logged": len(fresh_rows)}
        if not meter.affords(**costs):
            return False
        meter.spend(**costs)
        if self.state.read is not None:
            self.state.read[fresh_rows] = True
        phase = "offline" if offline else "update"
        m.learner, losses = self.device.call(phase, update, m.learner, self.teacher.params, placed, now)
        m.pending = (batch.place, losses.pop(PRIORITY)) if method.prioritized else ()
        m.made += 1
        self.unread.append((meter.spent["updates"], losses))
        self.renew()
        return True

    def drawn(self, m: Member, share: float) -> Batch | None:
        """Return a batch, of which this share comes from the log; its windows have room for the longest n."""
        if m.rollout and self.state.online:
            return m.rollout.batch(self.rng)
        method, size = self.method, len(self.state.members)
        made = int(self.meter.spent["updates"]) // size
        since = made - resets.latest(method, made, self.plan.updates // size)
        n_step, room = resets.n_step(method, since), resets.longest(method)
        how = (n_step, resets.discount(method, since), self.task.clip, method.foresees)
        batch = sample_mix(self.rng, self.log, m.replay, method.batch_size, share, *how)
        if batch is None or n_step == room:
            return batch
        rest = [(0, 0), (0, room - n_step), *[(0, 0)] * (batch.window.ndim - 2)]
        return batch._replace(window=np.pad(batch.window, rest))

    def unseen(self, batch: Batch) -> np.ndarray:
        """Return the rows of the log that this batch is the first to learn from."""
        if self.state.read is None:
            return np.empty(0, np.int64)
        first, span = -2 - batch.place, np.asarray(batch.span)
        ahead = np.arange(resets.longest(self.method))
        rows = np.unique((first[:, None] + ahead)[(first[:, None] >= 0) & (ahead < span[:, None])])
        return rows[~self.state.read[rows]]

    def step(self, m: Member, k: int) -> None:
        """Act once in each environment; the first k steps are paid for and kept."""
        act = self.device.programs(m.weaned).act
        self.meter.spend(steps=k, frames=k * self.task.frame_skip, **act.cost._asdict())
        obs, (episode, age) = m.env.observe(), m.clock
        frame, obs_before = obs[:k, -1].copy(), obs[k:, -1].copy()
        now = self.progress(m, 0.0)
        params = m.learner.target if self.method.target_acts else m.learner.params
        action = np.asarray(self.device.call("act", act, params, self.teacher.params, obs, m.clock, now))
        self.device.running = None
        self.watch.to("environment")
        told = m.env.step(action)
        self.watch.to("data")
        rows = m.replay.added
        paid, who, no = np.arange(m.env.n) < k, np.arange(k), np.zeros(k, bool)  # in the others nothing has happened
        over = (told.terminated | told.truncated) & paid
        m.replay.add(who, frame, action[:k], told.reward[:k], age[:k], no, no)
        ended = np.flatnonzero(over[:k])
        if len(ended):
            m.replay.add(ended, told.final[ended], 0, 0.0, age[ended] + 1, paid[ended], told.terminated[ended])
        m.returns += told.reward
        self.state.recent.extend(m.returns[ended].tolist())
        m.returns[over] = 0.0
        m.clock = Clock(np.where(over, episode + m.env.n, episode), np.where(over, 0, age + paid).astype(np.int32))
        if k < m.env.n:
            m.kept = np.concatenate([m.env.observe()[:k, -1], obs_before])
        if m.rollout is None:
            m.owed += k * self.each
        elif k == m.env.n and m.rollout.add(rows, over):
            m.owed = float(m.rollout.updates)
        self.watch.to("other")

    def label(self, m: Member) -> bool:
        """Give a complete rollout its returns; False if the budget does not pay for the values that they need."""
        newest, flops = m.rollout, self.device.values_cost(self.method.rollout * m.env.n)
        if newest is None or not self.meter.affords(flops=flops):
            return False
        self.meter.spend(flops=flops)
        self.watch.to("data")
        newest.label(m.replay, m.shown(), self.task.clip, partial(self.device.values, m.learner.params))
        return True

    def clock(self) -> dict[str, float]:
        """Return what is spent, with the times up to date."""
        self.meter.spent |= {"seconds": self.watch.total(), "device": self.watch.device()}
        return self.meter.spent

    def tick(self, force: bool = False) -> bool:
        """Bring the times up to date and tell the watcher; False once they are used up."""
        spent = self.clock()
        now = time.perf_counter()
        if force or now - self.told_at > WATCH_SECONDS:
            self.told_at = now
            self.check_losses()
            m, phase = self.state.members[0], "online" if self.state.online and self.plan.steps else "offline"
            now = self.told(m, float(not self.state.online))
            extra = {"score": m.score, "best": m.best, "weaned": float(m.weaned)}
            extra |= {"rate": float(self.method.rate(now)), "guidance": float(self.method.guidance(now))}
            with self.watch.during("journal"):
                phases, returns = dict(self.watch.seconds), tuple(self.state.recent)
                self.tell(Status(phase, dict(spent), phases, self.plan, returns, self.state.losses, extra, self.budget))
        return spent["seconds"] < self.budget.seconds and spent["device"] < self.budget.device

    def check_losses(self) -> None:
        """Read the losses of the updates since the last look; ValueError names the first that is no number."""
        unread, self.unread = jax.device_get(self.unread), []
        for number, terms in unread:
            for name, value in terms.items():
                if not math.isfinite(value):
                    where = f"the loss term {name!r} is {value} at update {number:.0f}"
                    raise ValueError(f"{where}: {cure(value, self.method)}; the last checkpoint before it is kept")
        if unread:
            self.state.losses = {name: float(value) for name, value in unread[-1][1].items()}

    def between(self, keeper: Keeper, force: bool = False) -> bool:
        """Save now and then, between two acts. False once the seconds are used up."""
        going, stop = self.tick(force), keeper.stop()
        crowded = self.meter.spent["steps"] - self.saved > self.ring // 4  # what the ring drops must be saved before
        crowded &= keeper.keeps_all or not self.method.rollout
        force, self.news = force or crowded or self.news, False
        if force or stop or keeper.due():
            self.saved = self.meter.spent["steps"]
            self.device.wait()
            with self.watch.during("journal"):
                self.check_losses()
                self.clock()
                self.state.luck = dict(self.rng.bit_generator.state)
                keeper.save(self.state, force or stop)
        if stop:
            self.watch.to("")
            raise Interrupted
        return going

    def wean(self, m: Member, keeper: Keeper) -> None:
        """Ask the method whether its teacher still matters and say once why it no longer does."""
        now = self.told(m, float(not self.state.online))
        if m.weaned or not bool(self.method.weaned(now)):
            return
        m.weaned = True
        if not self.device.asks:
            return
        by_score = not self.method.weaned(now._replace(score=0.0, best=0.0))
        m.weaning = why(self.meter.spent["steps"], self.plan.steps, m.proof if by_score else None)
        self.news = True
        keeper.weaned(m.weaning)

    def validates(self) -> bool:
        """Return whether a validation is due. There is none once the student is weaned;
        members are compared to the end."""
        members, tenth = self.state.members, self.state.checked
        wanted = self.method.scored and tenth < TENTHS and (len(members) > 1 or not members[0].weaned)
        return wanted and self.meter.spent["steps"] >= tenth * self.plan.steps // TENTHS

    def score(self) -> None:
        """Play validation episodes with each member."""
        self.watch.to("")  # this is not charged
        for m in self.state.members:
            found = self.validate(m.learner.params)
            self.meter.spent["validated"] += found.steps
            m.score = found.score
            if found.low > m.best:
                m.best, m.proof = found.low, (found.score, found.low, found.episodes)
        self.watch.to("other")

    def judge(self, keeper: Keeper) -> None:
        """Score the students at the start of a tenth, and tell the method."""
        members, spent = self.state.members, self.meter.spent["steps"]
        self.score()
        self.state.checked = sum(spent >= tenth * self.plan.steps // TENTHS for tenth in range(TENTHS))
        if len(members) > 1:
            key = jax.random.fold_in(jax.random.key(self.seed), int(spent))
            evolved = self.method.evolve(key, [m.learner for m in members], [m.score for m in members])
            for m, learner in zip(members, evolved, strict=True):
                m.learner = owned(learner)
        for m in members:
            self.wean(m, keeper)

    def snapshot(self, due: int) -> Snapshot:
        self.watch.to("")  # what follows is not charged
        self.clock()
        top = max(self.state.members, key=lambda m: m.score)
        spent, phases, learner = dict(self.meter.spent), dict(self.watch.seconds), owned(top.learner)
        return Snapshot(spent, learner.params, due < 0, phases, due, learner.opt_state, top.weaning, self.plan.steps)

    def resume(self, keeper: Keeper) -> None:
        """Start from what the keeper has saved, if it has."""
        state, meter = keeper.load(self.state, self.method.turn), self.meter
        self.state, meter.spent, self.watch.seconds = state, state.spent, state.phases
        for unit in FREE:  # an older version may not have counted it
            meter.spent.setdefault(unit, 0.0)
        if state.luck:
            self.rng.bit_generator.state = state.luck

    def spend(self, watch: Callable[[Status], None], keeper: Keeper) -> Iterator[Snapshot]:
        self.tell = watch
        self.resume(keeper)
        state, meter, method = self.state, self.meter, self.method
        self.watch.to("other")
        self.labels.attach(self.labelled and (not state.online or reads_log(method._replace(offline=0.0))), meter)
        while not state.online:
            made = int(meter.spent["updates"])
            m = state.members[made % len(state.members)]
            enough = self.plan.steps > 0 and made >= self.plan.offline_updates  # offline alone, all is spent
            if state.over or enough or not self.between(keeper) or not self.learn(m, 1.0):
                for m in state.members:
                    m.learner = owned(method.turn(m.learner))
                state.online = True
        while not state.over:
            m = state.members[state.turn % len(state.members)]
            n, each = m.env.n, self.device.programs(m.weaned).act.cost._asdict()
            affordable = (k for k in range(n, 0, -1) if meter.affords(steps=k, frames=k * self.task.frame_skip, **each))
            k = next(affordable, 0) if self.plan.steps and not meter.exhausted() else 0
            shows = state.due and meter.spent["steps"] >= state.due[0]
            if k and (shows or self.validates()):
                self.between(keeper, force=True)
            if k and self.validates():
                self.judge(keeper)
            if k and shows:
                due = max(step for step in state.due if step <= meter.spent["steps"])
                state.due = [step for step in state.due if step > due]
                state.shown += 1
                yield self.snapshot(due)
                self.watch.to("other")
            if not k or not self.between(keeper):
                break
            state.turn += 1
            try:
                self.step(m, k)
            except EnvironmentFault:
                self.between(keeper, force=True)  # what was learned so far is kept
                raise
            ready = meter.spent["steps"] >= self.warmup
            m.owed = m.owed if ready else 0.0
            state.over = m.rollout is not None and m.owed >= 1.0 and not self.label(m)
            while m.owed >= 1.0 and not state.over:
                if meter.spent["updates"] % WEANED_UPDATES == 0:
                    self.wean(m, keeper)
                state.over = not self.tick() or not self.learn(m, 0.0)
                m.owed -= 1.0
        state.over, state.due = True, []
        self.between(keeper, force=True)
        if len(state.members) > 1 and method.scored:
            self.score()
        yield self.snapshot(due=-1)

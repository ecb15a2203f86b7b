"""One step from the environments to the replay: it is paid for, taken and stored."""

from functools import partial

import numpy as np

from ...agents.method import Clock
from ...agents.schedules import share_of
from .course import Course
from .programs import Device
from .state import Member


class Acting:
    """Step the environments of a member."""

    def __init__(self, course: Course, device: Device, updates_per_step: float):
        self._course, self._device, self._updates_per_step = course, device, updates_per_step
        steps = course.plan.steps
        self._warmup = share_of(course.method.warmup, steps) * steps if steps else 0.0

    def affordable(self, m: Member) -> int:
        """Return the number of environments that the budget can step; 0 ends the run."""
        course, each = self._course, self._device.programs(m.weaned).act.cost._asdict()
        if not course.plan.steps or course.meter.exhausted():
            return 0
        skip = course.task.frame_skip
        counts = range(m.env.n, 0, -1)
        return next((k for k in counts if course.meter.affords(steps=k, frames=k * skip, **each)), 0)

    def step(self, m: Member, k: int) -> None:
        """Act once in each environment; only the first k steps are paid for and stored."""
        course, device, watch = self._course, self._device, self._course.watch
        act = device.programs(m.weaned).act
        course.meter.spend(steps=k, frames=k * course.task.frame_skip, **act.cost._asdict())
        obs, (episode, age) = m.env.observe(), m.clock
        frame, obs_before = obs[:k, -1].copy(), obs[k:, -1].copy()
        now = course.progress(m, 0.0)
        params = m.learner.target if course.method.target_acts else m.learner.params
        action = np.asarray(device.call("act", act, params, course.what.teacher.params, obs, m.clock, now))
        device.running = None
        watch.to("environment")
        told = m.env.step(action)
        watch.to("data")
        rows = m.replay.added
        paid, who, no = np.arange(m.env.n) < k, np.arange(k), np.zeros(k, bool)  # the others count as not stepped
        over = (told.terminated | told.truncated) & paid
        m.replay.add(who, frame, action[:k], told.reward[:k], age[:k], no, no)
        ended = np.flatnonzero(over[:k])
        if len(ended):
            m.replay.add(ended, told.final[ended], 0, 0.0, age[ended] + 1, paid[ended], told.terminated[ended])
        course.credit(m, told.reward, over)
        m.clock = Clock(np.where(over, episode + m.env.n, episode), np.where(over, 0, age + paid).astype(np.int32))
        if k < m.env.n:
            m.last_frames = np.concatenate([m.env.observe()[:k, -1], obs_before])
        if m.rollout is None:
            m.updates_due = self.updates_due(m, k)
        elif k == m.env.n and m.rollout.add(rows, over):
            m.updates_due = float(m.rollout.updates) * self.ready()
        watch.to("other")

    def ready(self) -> bool:
        """Return whether the warm-up is over."""
        return self._course.meter.spent["steps"] >= self._warmup

    def updates_due(self, m: Member, k: int) -> float:
        """Return the updates that are due after a step in k of the environments."""
        return m.updates_due + k * self._updates_per_step if self.ready() else 0.0

    def label(self, m: Member) -> bool:
        """Compute the returns of a complete rollout; False if the budget does not cover the values that this needs."""
        course, device, newest = self._course, self._device, m.rollout
        flops = device.values_cost(course.method.rollout * m.env.n)
        if newest is None or not course.meter.affords(flops=flops):
            return False
        course.meter.spend(flops=flops)
        course.watch.to("data")
        newest.label(m.replay, m.shown(), course.task.clip, partial(device.look, m.learner.params))
        return True

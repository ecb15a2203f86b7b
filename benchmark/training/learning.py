"""One batch from the log or the replay to the update: drawn, paid for, learned from."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...agents import resets
from ...agents.learner import PRIORITY, cure, init_learner, owned
from ...agents.method import Params
from ...datasets.replay.mixture import sample_mix
from ...datasets.transition import Batch
from .course import Course
from .programs import Device, unplayed
from .state import Member, Pending


def weights(net: Any, seed: int, number: int, obs: np.ndarray, *after: int) -> Params:
    """Return a member's weights at the start, or fresh ones for its reset `after` that many updates."""
    key = jax.random.key(seed)
    for step in (number, *after):
        key = jax.random.fold_in(key, step)
    return jax.jit(net.init)(key, jnp.asarray(obs[:1]))


class Learning:
    """Makes updates."""

    def __init__(self, course: Course, net: Any, device: Device):
        self._course, self._net, self._device = course, net, device
        self._pending_losses: list[tuple[float, dict[str, Any]]] = []  # updates whose losses nobody has looked at
        self.rng = np.random.default_rng([course.what.seed, 1])  # draws the batches

    def learn(self, m: Member, offline: float) -> bool:
        """Make one update, unless the budget or the replay cannot give it."""
        course, device, method, meter = self._course, self._device, self._course.method, self._course.meter
        now = course.progress(m, offline)
        if device.running is None:  # else the next batch is drawn while the device works
            course.watch.to("data")
        if m.pending:  # one update late, so that the host need not wait for the device
            m.replay.prioritize(*m.pending.ready())
        batch = self._drawn(m, self._share(m, float(method.log_share(now))))
        if batch is None:  # offline there will never be more to draw from
            return not offline
        update, placed = device.learning(m.weaned, batch, m.made)
        unseen, read = self._unseen(batch), course.state.read
        costs = {"updates": 1, **update.cost._asdict(), "logged": len(unseen)}
        if not meter.affords(**costs):
            return False
        meter.spend(**costs)
        if read is not None:
            read[unseen] = True
        phase = "offline" if offline else "update"
        m.learner, losses = device.call(phase, update, m.learner, course.what.teacher.params, placed, now)
        m.made += 1
        own = batch.from_teacher == 0.0
        m.pending = Pending(batch.row, own, losses.pop(PRIORITY)) if method.prioritized else None
        self.note(meter.spent["updates"], losses)
        self._renew()
        return True

    def note(self, number: float, losses: dict[str, Any]) -> None:
        """Have the losses of the update with this number looked at."""
        self._pending_losses.append((number, losses))

    def check_losses(self) -> None:
        """Read the losses of the updates since the last look; ValueError names the first that is not a number."""
        pending, self._pending_losses = jax.device_get(self._pending_losses), []
        for number, terms in pending:
            for name, value in terms.items():
                if not math.isfinite(value):
                    where = f"the loss term {name!r} is {value} at update {number:.0f}"
                    advice = cure(value, self._course.method)
                    raise ValueError(f"{where}: {advice}; the last checkpoint before it is kept")
        if pending:
            self._course.state.losses = {name: float(value) for name, value in pending[-1][1].items()}

    def _share(self, m: Member, mixed: float) -> float:
        """Return the share of a batch that comes from the log."""
        method, log = self._course.method, self._course.what.log
        if not method.keep_log or log is None:
            return mixed
        left = min(len(log), max(method.replay_capacity - len(m.replay), 0))  # new steps take the log's place
        return left / max(left + len(m.replay), 1)  # uniform over both

    def _drawn(self, m: Member, share: float) -> Batch | None:
        """Return a batch, of which this share comes from the log; its windows have room for the longest n."""
        course, method, size = self._course, self._course.method, len(self._course.state.members)
        if m.rollout and course.state.online:
            return m.rollout.batch(self.rng)
        made = int(course.meter.spent["updates"]) // size
        since = made - resets.latest(method, made, course.plan.updates // size)
        n_step, room = resets.n_step(method, since), resets.longest(method)
        how = (n_step, resets.discount(method, since), course.task.clip, method.needs_return_to_go)
        batch = sample_mix(self.rng, course.what.log, m.replay, method.batch_size, share, *how)
        if batch is None:
            return None
        batch = batch._replace(played=unplayed(method))
        if n_step == room:
            return batch
        rest = [(0, 0), (0, room - n_step), *[(0, 0)] * (batch.window.ndim - 2)]
        return batch._replace(window=np.pad(batch.window, rest))

    def _unseen(self, batch: Batch) -> np.ndarray:
        """Return the rows of the log that this batch is the first to learn from."""
        read = self._course.state.read
        if read is None:
            return np.empty(0, np.int64)
        logged = batch.from_teacher > 0.0
        ahead = np.arange(resets.longest(self._course.method))
        rows = np.unique((batch.row[:, None] + ahead)[logged[:, None] & (ahead < np.asarray(batch.span)[:, None])])
        return rows[~read[rows]]

    def _renew(self) -> None:
        """Reset all members, where a reset is due."""
        course, method, members = self._course, self._course.method, self._course.state.members
        made, size = int(course.meter.spent["updates"]), len(members)
        if made % size or not resets.due(method, made // size, course.plan.updates // size):
            return
        for m in members:
            anew = init_learner(method, weights(self._net, course.what.seed, m.number, m.env.observe(), made))
            m.learner = owned(method.renew(m.learner, anew, method.shrink))

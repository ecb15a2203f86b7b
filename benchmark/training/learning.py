"""From the log or the replay to an update: a batch is drawn, paid for and learned from."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...agents import resets
from ...agents.learner import PRIORITY, cure, init_learner, owned
from ...agents.method import Params, Progress
from ...datasets.replay.mixture import sample_mix
from ...datasets.transition import Batch
from .course import WEANED_UPDATES, Course
from .programs import Device, Program, unplayed
from .state import Member, Pending


def weights(net: Any, seed: int, number: int, obs: np.ndarray, *after: int) -> Params:
    """Return a member's initial weights, or fresh ones for its reset `after` that many updates."""
    return jax.jit(net.init)(first_key(seed, number, *after), jnp.asarray(obs[:1]))


def first_key(seed: int, number: int, *after: int) -> jax.Array:
    """Return the key from which a member's fresh weights are drawn."""
    key = jax.random.key(seed)
    for step in (number, *after):
        key = jax.random.fold_in(key, step)
    return key


class PaidUpdate(NamedTuple):
    """An update that is already paid for."""

    update: Program
    batch: Batch
    now: Progress


class Learning:
    """Make the updates of a training."""

    def __init__(self, course: Course, net: Any, device: Device):
        self._course, self._net, self._device = course, net, device
        self._pending_losses: list[tuple[float, dict[str, Any]]] = []  # updates whose losses have not been read
        self.rng = np.random.default_rng([course.what.seed, 1])  # samples the batches

    def learn(self, m: Member, offline: float, owed: int = 1) -> int:
        """Make one update, or several of the `owed` ones in one call; return how many, 0 if none is possible."""
        course, most, first = self._course, self._together(m, owed), self._prepared(m, offline)
        if isinstance(first, bool):
            return int(first)
        ready = [first]
        while len(ready) < most and not isinstance(following := self._prepared(m, offline), bool):
            ready.append(following)
        update, batch, now = first.update, first.batch, first.now
        if len(ready) > 1:
            update = self._device.several(update, len(ready))
            batch, now = (
                jax.tree.map(lambda *each: np.stack(each), *part) for part in list(zip(*ready, strict=True))[1:]
            )
        given = (m.learner, course.what.teacher.params, batch, now)
        m.learner, losses = self._device.call("offline" if offline else "update", update, *given)
        if course.method.prioritized:
            own = np.asarray(batch.from_teacher) == 0.0
            m.pending = Pending(np.asarray(batch.row), own, losses.pop(PRIORITY))
        self.note(course.meter.spent["updates"], losses)
        self._renew()
        return len(ready)

    def _together(self, m: Member, owed: int) -> int:
        """Return how many of the owed updates one call may make: of the same kind, with no work for the host in
        between."""
        course, method = self._course, self._course.method
        if owed < 2 or not method.continuous or method.prioritized or method.reset_period or not self._device.whole:
            return 1
        alike = owed if method.delay == 1 else max(method.delay - 1 - m.made % method.delay, 1)
        return min(owed, alike, WEANED_UPDATES - int(course.meter.spent["updates"]) % WEANED_UPDATES)

    def _prepared(self, m: Member, offline: float) -> PaidUpdate | bool:
        """Draw and pay for an update; False if the budget or, offline, the log does not allow it, True for an empty
        replay.

        Does not wait for the device.
        """
        course, device, method, meter = self._course, self._device, self._course.method, self._course.meter
        now = course.progress(m, offline)
        if device.running is None:  # otherwise the next batch is drawn while the device works
            course.watch.to("data")
        if m.pending:  # one update late, so that the host does not wait for the device
            m.replay.prioritize(*m.pending.ready())
        batch = self._drawn(m, self._share(m, float(method.log_share(now))))
        if batch is None:  # offline, there will never be more data
            return not offline
        update, placed = device.learning(m.weaned, batch, m.made, offline > 0.0)
        unseen, read = self._unseen(batch), course.state.read
        costs = {"updates": 1, **update.cost._asdict(), "logged": len(unseen)}
        if not meter.affords(**costs):
            return False
        meter.spend(**costs)
        if read is not None:
            read[unseen] = True
        m.made += 1
        return PaidUpdate(update, placed, now)

    def note(self, number: float, losses: dict[str, Any]) -> None:
        """Remember the losses of the update with this number, or of several updates up to it, for `check_losses`."""
        self._pending_losses.append((number, losses))

    def check_losses(self) -> None:
        """Read the losses since the last check; ValueError names the first that is not finite."""
        pending, self._pending_losses = jax.device_get(self._pending_losses), []
        for last, terms in pending:
            odd = [(int(at), name) for name, each in terms.items() for at in np.flatnonzero(~np.isfinite(each))]
            if odd:
                first, name = min(odd)
                each = np.atleast_1d(terms[name])
                where = f"the loss term {name!r} is {each[first]} at update {last - len(each) + 1 + first:.0f}"
                advice = cure(float(each[first]), self._course.method)
                raise ValueError(f"{where}: {advice}; the last checkpoint before it is kept")
        if pending:
            self._course.state.losses = {name: float(np.ravel(each)[-1]) for name, each in pending[-1][1].items()}

    def _share(self, m: Member, mixed: float) -> float:
        """Return the share of a batch that comes from the log."""
        method, log = self._course.method, self._course.what.log
        if not method.keep_log or log is None:
            return mixed
        left = min(len(log), max(method.replay_capacity - len(m.replay), 0))  # new steps replace the log's transitions
        return left / max(left + len(m.replay), 1)  # uniform over both

    def _drawn(self, m: Member, share: float) -> Batch | None:
        """Draw a batch with this share from the log; its windows are long enough for the largest n."""
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
        """Return the rows of the log that no batch before this one has used."""
        read = self._course.state.read
        if read is None:
            return np.empty(0, np.int64)
        logged = batch.from_teacher > 0.0
        ahead = np.arange(resets.longest(self._course.method))
        rows = np.unique((batch.row[:, None] + ahead)[logged[:, None] & (ahead < np.asarray(batch.span)[:, None])])
        return rows[~read[rows]]

    def _renew(self) -> None:
        """Reset all members if a reset is due."""
        course, method, members = self._course, self._course.method, self._course.state.members
        made, size = int(course.meter.spent["updates"]), len(members)
        if made % size or not resets.due(method, made // size, course.plan.updates // size):
            return
        for m in members:
            anew = init_learner(method, weights(self._net, course.what.seed, m.number, m.env.observe(), made))
            m.learner = owned(method.renew(m.learner, anew, method.shrink))

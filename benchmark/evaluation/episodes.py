"""Evaluation, owned by the harness: whole episodes, greedy but for the protocol's epsilon, unclipped returns."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.method import Apply, Params
from ...datasets.transition import Actions, Box, blank
from ..tasks.environments import Environment

ROWS, MANY = 10, 40  # observations a network sees at once: they divide what is played at once; many where calls count
GOOD = 0.5  # the reward above which a step counts as good
SMALL = 2**12  # bytes of an observation of which a CPU sees many


def make_greedy(apply: Apply, actions: Actions = 0) -> Callable[[Params, np.ndarray], np.ndarray]:
    """Return greedy(params, obs [N, S, *frame]) -> actions [N], or [N, D] of a `Box`; compiled once for all.

    The network always sees the same number of rows, filled up with zeros: an XLA program
    of another shape may round otherwise, and the same student must act alike in whatever company.
    """
    if isinstance(actions, Box):
        best = jax.jit(lambda params, obs: actions.real(apply(params, obs)))
    else:
        best = jax.jit(lambda params, obs: jnp.argmax(apply(params, obs), axis=-1))

    def greedy(params: Params, obs: np.ndarray) -> np.ndarray:
        n, rows = len(obs), ROWS if obs[0].nbytes > SMALL and jax.default_backend() == "cpu" else MANY
        parts = []
        for at in range(0, n, rows):
            part = obs[at : at + rows]
            if len(part) < rows:
                part = np.concatenate([part, np.zeros((rows - len(part), *obs.shape[1:]), obs.dtype)])
            parts.append(best(params, part))
        return np.concatenate([np.asarray(part) for part in parts])[:n]

    return greedy


def anything(chance: np.random.Generator, actions: Actions) -> Any:
    """Draw any action."""
    return chance.uniform(actions.low, actions.high) if isinstance(actions, Box) else chance.integers(actions)


class Played(NamedTuple):
    """What came of whole episodes."""

    returns: np.ndarray  # [E]
    lengths: np.ndarray  # [E] agent steps
    good: np.ndarray  # [E] of them those whose reward was above one half


def evaluate(
    choose: Callable[[np.ndarray], np.ndarray] | None,
    envs: Sequence[Environment],
    epsilon: float,
    seed: np.ndarray,
    watch: Callable[[int, int], None] = lambda done, steps: None,
    whole: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    workers: int = 1,
) -> Played:
    """Play one whole episode for each of the seeds.

    `envs` have N environments together, at most E, started with the first N seeds; whoever is done
    takes the next seed, and a block in which all are done is not stepped any more. Which episodes count
    is settled before the first step, and all are played to
    their end, so a long one counts as much as a short one: were the first E to end
    taken instead, short ones would be too many. `choose` gives the greedy actions [K] for the [K, S, *frame] of
    those who play (or [K, D]); with probability epsilon any action is taken, drawn from the episode's own
    seed, so that an episode depends neither on N nor on its neighbours.
    `watch(episodes done, steps taken)` is called after every step. `whole`, in place of `choose`, sees the observations
    [N, S, *frame] of all environments, also of those that are done, and which of them begin an episode [N]: so can a
    policy with a memory. `workers`: among so many threads the blocks are divided, so that some environments are stepped
    while the network works for others.
    """
    ends = np.cumsum([env.n for env in envs])
    blocks = [(env, np.arange(end - env.n, end)) for env, end in zip(envs, ends, strict=True)]
    tally = _Tally(int(ends[-1]), seed, watch)
    if whole or workers < 2:
        _play(blocks, choose, epsilon, tally, whole)
        return tally.played
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]

    def work(mine: list[_Block]) -> None:
        try:
            with jax.default_device(device):  # which each thread has for itself
                _play(mine, choose, epsilon, tally, None)
        except BaseException as fault:
            tally.fault = tally.fault or fault

    with ThreadPoolExecutor(workers) as pool:
        try:
            wait([pool.submit(work, blocks[number::workers]) for number in range(workers)])
        finally:
            tally.over = True  # for those that still play
    if tally.fault:
        raise tally.fault
    return tally.played


_Block = tuple[Environment, np.ndarray]  # and the episode that each of its environments has begun [n]


class _Tally:
    """What came of the episodes so far, and which is the next; for several threads."""

    def __init__(self, n: int, seed: np.ndarray, watch: Callable[[int, int], None]):
        self.seed = seed
        self.played = Played(np.zeros(len(seed)), np.zeros(len(seed), int), np.zeros(len(seed), int))
        self.fault: BaseException | None = None
        self.over = False
        self._watch, self._lock = watch, threading.Lock()
        self._n, self._begun, self._steps = n, n, 0

    def begin(self, count: int) -> np.ndarray:
        """Return the next episodes [count]; those beyond the last are played for nothing."""
        with self._lock:
            self._begun += count
            return self._begun + np.arange(-count, 0)

    def told(self, steps: int) -> bool:
        """Tell the watcher of `steps` more; return False once the evaluation is over."""
        with self._lock:
            if self.over or self.fault:
                return False
            self._steps += steps
            self._watch(min(self._begun, len(self.seed) + self._n) - self._n, self._steps)
            return True


def _play(
    blocks: Sequence[_Block],
    choose: Callable[[np.ndarray], np.ndarray] | None,
    epsilon: float,
    tally: _Tally,
    whole: Callable[[np.ndarray, np.ndarray], np.ndarray] | None,
) -> None:
    """Play episodes in these environments until none is left, as `evaluate` says."""
    seed, kind, total = tally.seed, blocks[0][0].actions, len(tally.seed)
    nothing = blank(kind) if isinstance(kind, Box) else np.zeros((), int)
    plays = np.concatenate([begun for _, begun in blocks])  # [N] the episode of each environment
    n, ends = len(plays), np.cumsum([env.n for env, _ in blocks])
    places = [(env, slice(end - env.n, end)) for (env, _), end in zip(blocks, ends, strict=True)]
    chance = {int(play): np.random.default_rng(int(seed[play])) for play in plays if play < total and epsilon}
    first = np.ones(n, bool)
    while (active := plays < total).any():
        playing = np.flatnonzero(active)
        actions, reward, done = np.stack([nothing] * n), np.zeros(n, np.float32), np.zeros(n, bool)
        if whole:
            actions[playing] = whole(np.concatenate([env.observe() for env, _ in places]), first)[playing]
        elif choose:
            actions[playing] = choose(np.concatenate([env.observe()[active[at]] for env, at in places]))
        for i in playing if epsilon else ():
            if chance[plays[i]].random() < epsilon:
                actions[i] = anything(chance[plays[i]], kind)
        for env, at in places:
            if active[at].any():
                step = env.step(actions[at])
                reward[at], done[at] = step.reward, step.terminated | step.truncated
        tally.played.returns[plays[playing]] += reward[playing]
        tally.played.lengths[plays[playing]] += 1
        tally.played.good[plays[playing]] += reward[playing] > GOOD
        over, first = playing[done[playing]], done
        plays[over] = tally.begin(len(over))
        waiting = over[plays[over] < total]
        chance |= {int(play): np.random.default_rng(int(seed[play])) for play in plays[waiting] if epsilon}
        for env, at in places if len(waiting) else ():
            again = waiting[(waiting >= at.start) & (waiting < at.stop)]
            if len(again):
                env.restart(again - at.start, seed[plays[again]])
        if not tally.told(len(playing)):
            return

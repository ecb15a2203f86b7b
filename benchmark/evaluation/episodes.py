"""Evaluation, owned by the harness: whole episodes, greedy except for the protocol's epsilon, unclipped returns."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.method import Apply, Params
from ...datasets.transition import Actions, Box, blank
from ..tasks.environment import Concurrent, Environment, Step

ROWS, MANY = 10, 40  # observations per call of a network: divisors of AT_ONCE; MANY where calls are expensive
GOOD = 0.5  # reward above which a step counts as good
SMALL = 2**12  # bytes of an observation up to which a CPU takes MANY


def make_greedy(apply: Apply, actions: Actions = 0) -> Callable[[Params, np.ndarray], np.ndarray]:
    """Return greedy(params, obs [N, S, *frame]) -> actions [N], or [N, D] of a `Box`; compiled only once.

    The network always gets the same number of rows, padded with zeros: an XLA program of another shape may round
    differently, and a student must act the same whatever the batch.
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
    """Draw a uniformly random action."""
    return chance.uniform(actions.low, actions.high) if isinstance(actions, Box) else chance.integers(actions)


class Played(NamedTuple):
    """The results of whole episodes."""

    returns: np.ndarray  # [E]
    lengths: np.ndarray  # [E] agent steps
    good: np.ndarray  # [E] steps with a reward above one half


def evaluate(
    choose: Callable[[np.ndarray], np.ndarray] | None,
    envs: Sequence[Environment],
    epsilon: float,
    seed: np.ndarray,
    watch: Callable[[int, int], None] = lambda done, steps: None,
    whole: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    workers: int = 1,
) -> Played:
    """Play one whole episode for each seed.

    `envs` are blocks of N environments in total, N <= E, started with the first N seeds. An environment that finishes
    takes the next seed, and a block that has finished is no longer stepped. The episodes are fixed before the first
    step and all are played to their end, so long and short ones count alike; taking the first E to finish would favour
    short ones. `choose` gives the greedy actions [K] for the observations [K, S, *frame] of running episodes (or [K,
    D]). With probability epsilon a random action replaces them, drawn from the episode's own seed, so that an episode
    depends neither on N nor on the others.
    `watch(episodes done, steps taken)` is called after every step. `whole` replaces `choose` for policies with a
    memory: it gets the observations [N, S, *frame] of all environments, finished ones included, and which of them start
    an episode [N]. `workers`: number of threads that share the blocks, so that some environments step while the network
    runs for others.
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
            with jax.default_device(device):  # a setting of each thread
                _play(mine, choose, epsilon, tally, None)
        except BaseException as fault:
            tally.fault = tally.fault or fault

    with ThreadPoolExecutor(workers) as pool:
        try:
            wait([pool.submit(work, blocks[number::workers]) for number in range(workers)])
        finally:
            tally.over = True  # stops the other threads
    if tally.fault:
        raise tally.fault
    return tally.played


_Block = tuple[Environment, np.ndarray]  # and the episode that each of its environments is playing [n]


class _Tally:
    """The results so far and the next episode, shared between threads."""

    def __init__(self, n: int, seed: np.ndarray, watch: Callable[[int, int], None]):
        self.seed = seed
        self.played = Played(np.zeros(len(seed)), np.zeros(len(seed), int), np.zeros(len(seed), int))
        self.fault: BaseException | None = None
        self.over = False
        self._watch, self._lock = watch, threading.Lock()
        self._n, self._begun, self._steps = n, n, 0

    def begin(self, count: int) -> np.ndarray:
        """Return the numbers of the next episodes [count]; those beyond the last one do not count."""
        with self._lock:
            self._begun += count
            return self._begun + np.arange(-count, 0)

    def told(self, steps: int) -> bool:
        """Report `steps` more to the watcher; return False once the evaluation is over."""
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
    """Play episodes in these environments until none is left, see `evaluate`."""
    seed, kind, total = tally.seed, blocks[0][0].actions, len(tally.seed)
    nothing = blank(kind) if isinstance(kind, Box) else np.zeros((), int)
    plays = np.concatenate([begun for _, begun in blocks])  # [N] the episode of each environment
    n, ends = len(plays), np.cumsum([env.n for env, _ in blocks])
    places = [(env, slice(end - env.n, end)) for (env, _), end in zip(blocks, ends, strict=True)]
    chance = {int(play): np.random.default_rng(int(seed[play])) for play in plays if play < total and epsilon}
    first, begins = np.ones(n, bool), [_begins(env) for env, _ in blocks]
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
        going = [(at, begin(actions[at])) for (_, at), begin in zip(places, begins, strict=True) if active[at].any()]
        for at, result in going:
            step = result()
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


def _begins(env: Environment) -> Callable[[np.ndarray], Callable[[], Step]]:
    """Return `begin(actions)`, which starts a step and returns `result()`, which waits for it.

    Environments with threads of their own step in between, so all blocks that have begun step at once.
    """
    return env.begin if isinstance(env, Concurrent) else lambda actions: partial(env.step, actions)

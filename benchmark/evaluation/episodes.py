"""Evaluation, owned by the harness: whole episodes, greedy but for the protocol's epsilon, unclipped returns."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.method import Apply, Params
from ..tasks.environments import Environment


def make_greedy(apply: Apply) -> Callable[[Params, np.ndarray], np.ndarray]:
    """Return greedy(params, obs [N, S, *frame]) -> actions [N]; compiled once for all evaluations.

    The network always sees the same number of rows, filled up with zeros: an XLA program
    of another shape may round otherwise, and the same student must act alike in whatever company.
    """
    best = jax.jit(lambda params, obs: jnp.argmax(apply(params, obs), axis=-1))
    rows = 8 if jax.default_backend() == "cpu" else 32

    def greedy(params: Params, obs: np.ndarray) -> np.ndarray:
        n = len(obs)
        parts = []
        for at in range(0, n, rows):
            part = obs[at : at + rows]
            if len(part) < rows:
                part = np.concatenate([part, np.zeros((rows - len(part), *obs.shape[1:]), obs.dtype)])
            parts.append(best(params, part))
        return np.concatenate([np.asarray(part) for part in parts])[:n]

    return greedy


def evaluate(
    choose: Callable[[np.ndarray], np.ndarray],
    envs: Sequence[Environment],
    epsilon: float,
    seed: np.ndarray,
    watch: Callable[[int, int], None] = lambda done, steps: None,
    whole: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Play one whole episode for each of the seeds: (returns [E], lengths in agent steps [E]).

    `envs` have N environments together, at most E, started with the first N seeds; whoever is done
    takes the next seed, and a block in which all are done is not stepped any more. Which episodes count
    is settled before the first step, and all are played to
    their end, so a long one counts as much as a short one: were the first E to end
    taken instead, short ones would be too many. `choose` gives the greedy actions [K] for the [K, S, *frame] of
    those who play; with probability epsilon any action is taken, drawn from the episode's own
    seed, so that an episode depends neither on N nor on its neighbours.
    `watch(episodes done, steps taken)` is called after every step. `whole`, in place of `choose`, sees the observations
    [N, S, *frame] of all environments, also of those that are done, and which of them begin an episode [N]: so can a
    policy with a memory.
    """
    ends = np.cumsum([env.n for env in envs])
    blocks = [(env, slice(end - env.n, end)) for env, end in zip(envs, ends, strict=True)]
    n, total, most = int(ends[-1]), len(seed), envs[0].actions
    returns, lengths = np.zeros(total), np.zeros(total, int)
    chance = [np.random.default_rng(int(s)) for s in seed]
    plays = np.arange(n)  # [N] the episode of each environment; those beyond the last play for nothing
    begun, steps, first = n, 0, np.ones(n, bool)
    while (active := plays < total).any():
        playing = np.flatnonzero(active)
        actions, reward, done = np.zeros(n, int), np.zeros(n, np.float32), np.zeros(n, bool)
        if whole:
            actions[playing] = whole(np.concatenate([env.observe() for env, _ in blocks]), first)[playing]
        else:
            actions[playing] = choose(np.concatenate([env.observe()[active[at]] for env, at in blocks]))
        for i in playing:
            if chance[plays[i]].random() < epsilon:
                actions[i] = chance[plays[i]].integers(most)
        for env, at in blocks:
            if active[at].any():
                step = env.step(actions[at])
                reward[at], done[at] = step.reward, step.terminated | step.truncated
        returns[plays[playing]] += reward[playing]
        lengths[plays[playing]] += 1
        steps += len(playing)
        over, first = playing[done[playing]], done
        plays[over] = begun + np.arange(len(over))
        begun += len(over)
        waiting = over[plays[over] < total]
        for env, at in blocks if len(waiting) else ():
            again = waiting[(waiting >= at.start) & (waiting < at.stop)]
            if len(again):
                env.restart(again - at.start, seed[plays[again]])
        watch(min(begun, total + n) - n, steps)
    return returns, lengths

"""Evaluation, owned by the harness: whole episodes, greedy but for the protocol's epsilon, unclipped returns."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ..agents.method import Apply, Params
from .environments import Environment


def make_greedy(apply: Apply) -> Callable[[Params, np.ndarray], np.ndarray]:
    """Returns greedy(params, obs [N, S, *frame]) -> actions [N]; compiled once for all evaluations."""
    best = jax.jit(lambda params, obs: jnp.argmax(apply(params, obs), axis=-1))
    return lambda params, obs: np.asarray(best(params, obs))


def evaluate(
    choose: Callable[[np.ndarray], np.ndarray],
    env: Environment,
    epsilon: float,
    seed: np.ndarray,
    watch: Callable[[int, int], None] = lambda done, steps: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Plays one whole episode in each of N environments: (returns [N], lengths in agent steps [N]).

    Every environment plays exactly one episode and all are played to their
    end, so a long episode counts as much as a short one: nothing is cut off when
    the first ones are done. `choose` gives the greedy actions [N] for [N, S, *frame];
    with probability epsilon an environment takes any action, drawn from its own
    seed [N]. `watch(episodes done, steps taken)` is called after every step.
    """
    returns, lengths = np.zeros(env.n), np.zeros(env.n, int)
    playing = np.ones(env.n, bool)
    chance = [np.random.default_rng(int(s)) for s in seed]
    while playing.any():
        actions = np.array(choose(env.observe()))
        for i in np.flatnonzero(playing):
            if chance[i].random() < epsilon:
                actions[i] = chance[i].integers(env.actions)
        step = env.step(actions)
        returns += np.where(playing, step.reward, 0.0)
        lengths += playing
        playing &= ~(step.terminated | step.truncated)
        watch(int((~playing).sum()), int(lengths.sum()))
    return returns, lengths

"""Clone the teacher of a log of HalfCheetah by the mean squared error alone and play the clone.

The returns are what a method that clones can expect of this log.

python -m tests.learning.clone FOLDER_OF_A_LOG RATE UPDATES >> docs/clone.jsonl
"""

import json
import sys

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import optax

import reincarnate as rr

WIDTH, BATCH, SEEDS = 256, 256, range(100, 104)  # of the board's students; seeds of the episodes


def act(params: list[tuple[jax.Array, jax.Array]], obs: jax.Array) -> jax.Array:
    """Return the actions [B, D], in -1 to 1, of a network with two hidden layers of ReLU."""
    for weights, bias in params[:-1]:
        obs = jax.nn.relu(obs @ weights + bias)
    return jnp.tanh(obs @ params[-1][0] + params[-1][1])


def cloned(obs: jax.Array, actions: jax.Array, rate: float, updates: int) -> list[tuple[jax.Array, jax.Array]]:
    """Return the weights after Adam's updates with this rate. `obs`: [N, O]; `actions`: [N, D]."""
    key, sizes = jax.random.key(0), (obs.shape[1], WIDTH, WIDTH, actions.shape[1])
    first = jax.nn.initializers.lecun_uniform()
    params = [(first(jax.random.fold_in(key, i), sizes[i : i + 2]), jnp.zeros(sizes[i + 1])) for i in range(3)]
    adam = optax.adam(rate)

    def update(carry, key):
        params, state = carry
        rows = jax.random.randint(key, (BATCH,), 0, len(obs))
        slope = jax.grad(lambda params: jnp.mean(jnp.sum((act(params, obs[rows]) - actions[rows]) ** 2, axis=1)))
        change, state = adam.update(slope(params), state)
        return (optax.apply_updates(params, change), state), None

    keys = jax.random.split(jax.random.fold_in(key, 3), updates)
    return jax.jit(lambda carry: jax.lax.scan(update, carry, keys))((params, adam.init(params)))[0][0]


def played(params: list[tuple[jax.Array, jax.Array]], seed: int) -> float:
    """Return the return of one whole episode."""
    env, policy, total, over = gymnasium.make("HalfCheetah-v5"), jax.jit(act), 0.0, False
    obs, _ = env.reset(seed=seed)
    while not over:
        obs, reward, ended, cut, _ = env.step(np.asarray(policy(params, jnp.asarray(obs[None], jnp.float32))[0]))
        total, over = total + float(reward), ended or cut
    return total


def main(folder: str, rate: float, updates: int) -> None:
    """Clone the log, play the clone, and print the share of random actions in it, what was done and the returns."""
    steps = rr.load_log(folder).steps
    rows = ~np.asarray(steps.is_last)  # the last step of an episode has no action
    obs, actions = (jnp.asarray(np.asarray(of, np.float32)[rows]) for of in (steps.frame, steps.teacher_values))
    params = cloned(obs, actions, rate, updates)
    told = {"epsilon": round(float(np.max(np.asarray(steps.behavior_epsilon))), 3), "rate": rate, "updates": updates}
    print(json.dumps(told | {"returns": [round(played(params, seed)) for seed in SEEDS]}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))

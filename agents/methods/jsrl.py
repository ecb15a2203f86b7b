"""Jump-start RL: the teacher rolls in, the student takes over (Uchendu et al., 2023; as in Agarwal et al., 2022).

Each episode the greedy teacher plays its first h steps, h uniform over 1 to the horizon; the
horizon shrinks after every tenth of the run and is 0 in the last part of it, as the curriculum of Uchendu et al. ends
(algorithm 1). All steps go into the student's replay.
"""

import jax
import jax.numpy as jnp
from jax import Array

from .. import control
from ..method import Clock, Factory, Method, Progress, Values
from ..ranges import NotNegative, Share
from .dqn import dqn


def drawn(key: Array, episode: Array, most: Array) -> Array:
    """Draw a whole number in [1, most] that stays the same throughout an episode, 0 if most is 0: [N], [] -> [N].

    Of the `key` only its first word counts, the run's seed: other runs draw other numbers.
    """
    run = jax.random.fold_in(jax.random.key(0), jax.random.key_data(key)[0])
    luck = jax.vmap(lambda e: jax.random.uniform(jax.random.fold_in(run, e)))(episode)
    return jnp.minimum(1 + jnp.floor(luck * most), most)


def horizons(first: float, decay: float) -> list[int]:
    """Return the horizon in each tenth of the run, if the roll-ins went on to its end."""
    tenths = [int(first)]
    for _ in range(9):
        tenths.append(int(decay * tenths[-1]))
    return tenths


def jsrl(
    base: Factory = dqn, horizon: NotNegative = 1_000, decay: Share = 0.8, deadline: Share = 0.6, **numbers
) -> Method:
    """Make the method.

    `horizon`: agent steps, at first: about as long as the teacher's episodes. `decay`: its factor per tenth of the run.
    `deadline`: the share of the steps from which on it is 0: the student then learns in the role in which it is scored.
    """
    own = base(**numbers)
    tenths = horizons(horizon, decay)

    def most(progress: Progress):
        tenth = jnp.clip(jnp.floor(10 * progress.spent), 0, 9).astype(int)
        return jnp.where(progress.spent < deadline, jnp.asarray(tenths)[tenth], 0)

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        roll_in = drawn(progress.key, clock.episode, most(progress))
        own_action = own.act(student, teacher, obs, clock, progress)
        return control.either(clock.step < roll_in, control.best(own, teacher(obs)), own_action)

    return own._replace(
        act=act,
        weaned=lambda progress: most(progress) == 0,
        guidance=lambda progress: most(progress) / max(tenths[0], 1),  # the horizon, as a share of the first
    )

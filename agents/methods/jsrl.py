"""Jump-start RL: the teacher rolls in, the student takes over (Uchendu et al., 2023; as in Agarwal et al., 2022).

In each episode the greedy teacher plays the first h steps, h uniform over 1 to the horizon. The horizon shrinks after
every tenth of the run and ends at 0, like the curriculum of Uchendu et al. (algorithm 1). All steps enter the student's
replay.
"""

import jax
import jax.numpy as jnp
from jax import Array

from .. import control
from ..method import Clock, Factory, Method, Progress, Values
from ..ranges import NotNegative, Share
from .dqn import dqn


def drawn(key: Array, episode: Array, most: Array) -> Array:
    """Draw an integer in [1, most] for each episode, 0 if `most` is 0: [N], [] -> [N].

    Only the first word of `key` counts, the run's seed, so that a number stays the same throughout its episode.
    """
    run = jax.random.fold_in(jax.random.key(0), jax.random.key_data(key)[0])
    luck = jax.vmap(lambda e: jax.random.uniform(jax.random.fold_in(run, e)))(episode)
    return jnp.minimum(1 + jnp.floor(luck * most), most)


def horizons(first: float, decay: float) -> list[int]:
    """Return the horizon in each tenth of the run, before the deadline cuts it to 0."""
    tenths = [int(first)]
    for _ in range(9):
        tenths.append(int(decay * tenths[-1]))
    return tenths


def jsrl(
    base: Factory = dqn, horizon: NotNegative = 1_000, decay: Share = 0.8, deadline: Share = 0.6, **numbers
) -> Method:
    """Make the method.

    `horizon`: initial horizon in agent steps, about the length of the teacher's episodes. `decay`: factor on the
    horizon per tenth of the run. `deadline`: share of the steps from which the horizon is 0, so that the student trains
    in the role in which it is scored.
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
        guidance=lambda progress: most(progress) / max(tenths[0], 1),  # the horizon as a share of the initial one
    )

"""Let the teacher act less and less often: what the "jsrl" settings published with Agarwal et al. (2022) really do.

In each episode the student plays the first h steps, h uniform over 1 to `roll_in`. After that, each action is the
greedy teacher's with a probability that falls linearly from 1 to 0.
"""

import jax
import jax.numpy as jnp
from jax import Array

from ..method import Clock, Factory, Method, Progress, Values
from ..ranges import Share, Whole
from .dqn import dqn, greedy
from .jsrl import drawn


def annealed_mixing(base: Factory = dqn, roll_in: Whole = 100, deadline: Share = 1.0, **numbers) -> Method:
    """Make the method.

    `roll_in`: greatest length of the student's first steps, in agent steps. `deadline`: share of the run after which
    the teacher never acts.
    """
    own = base(**numbers)

    def chance(progress: Progress):
        return 1.0 - progress.spent / max(deadline, 1e-9)

    def act(student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress) -> Array:
        own_action = own.act(student, teacher, obs, clock, progress)
        guided = jax.random.uniform(jax.random.fold_in(progress.key, 1), own_action.shape) < chance(progress)
        guided &= clock.step >= drawn(progress.key, clock.episode, jnp.asarray(roll_in))
        return jnp.where(guided, greedy(teacher(obs)), own_action)

    return own._replace(
        act=act,
        weaned=lambda progress: progress.spent >= deadline,
        guidance=lambda progress: jnp.maximum(chance(progress), 0.0),
    )

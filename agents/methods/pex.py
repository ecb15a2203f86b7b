"""Policy expansion: the frozen teacher and the student both propose, the student's values choose (Zhang et al., 2023).

An action is drawn from the softmax of the values of the two proposals. The student is pretrained on the log, half of
which stays in every batch.
"""

import jax
import jax.numpy as jnp

from .. import losses
from ..method import Method
from .cql import cql
from .dqn import greedy


def pex(
    base=cql,
    temperature: float = 0.1,
    share: float = 0.5,
    deadline: float = 1.0,
    offline: float = 0.6,
    explore: float = 0.0,
    learning_rate: float = 1e-4,
    warmup: float = 5_000.0,
    **numbers,
) -> Method:
    """`temperature`: of the choice between the two. `share`: the probability of each place in an online batch to come
    from the log. `deadline`: the share of the steps after which the teacher no longer proposes.
    """
    own = base(offline=offline, explore=explore, learning_rate=learning_rate, warmup=warmup, **numbers)

    def weaned(progress):
        return progress.spent >= deadline

    def act(student, teacher, obs, clock, progress):
        mine, theirs = own.act(student, teacher, obs, clock, progress), greedy(teacher(obs))
        worth = jnp.stack([losses.chosen(student(obs), action) for action in (mine, theirs)])
        choice = jax.random.categorical(jax.random.fold_in(progress.key, 1), worth / temperature, axis=0)
        return jnp.where((choice == 1) & ~weaned(progress), theirs, mine)

    return own._replace(act=act, mix=lambda progress: max(share, progress.offline), weaned=weaned)

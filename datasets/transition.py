"""The records that environments, logs, replays and losses all speak."""

from typing import Any, NamedTuple

import numpy as np


class Steps(NamedTuple):
    """Consecutive steps of one stream, as RLDS has them: an episode of T transitions is T + 1 steps.

    The last step holds the final observation; its action and reward mean nothing.
    """

    frame: np.ndarray  # [T, *frame]
    action: np.ndarray  # [T] int32
    reward: np.ndarray  # [T] float32, unclipped
    is_first: np.ndarray  # [T] bool
    is_last: np.ndarray  # [T] bool
    is_terminal: np.ndarray  # [T] bool, true only where is_last is
    teacher_values: np.ndarray | None = None  # [T, A] float32, the teacher's values or logits on the observation
    behavior_epsilon: np.ndarray | None = None  # [T] float32, chance of a random action


Array = Any  # numpy on the host, jax inside a jitted function


class Batch(NamedTuple):
    """B sampled places as they leave the host: every frame once, the sums already made.

    An observation is a stack of S frames. The window holds the frames of the
    observation and of all that follow within n steps; the next observation is
    the stack that ends `span` frames after the first one.
    """

    window: Array  # [B, S + n, *frame], zeros before the start of an episode
    span: Array  # [B] int, steps from the observation to the next one, 1 to n
    action: Array  # [B] int
    reward: Array  # [B] sum of discount**k * reward over the span
    discount: Array  # [B] discount**span, and 0 where the episode terminated (not where it was truncated)
    from_teacher: Array  # [B] 1 where the step comes from the teacher's log
    weight: Array = 1.0  # [B] importance weights of a prioritized replay, 1 at most
    place: Array = -1  # [B] the row of the student's replay, or -2 - the row of the teacher's log
    teacher_values: Array = None  # [B, A] the teacher's on the observation, None unless stored for all of them
    ahead: Array = None  # [B] discounted return to the end of the episode, -inf if not known, None unless asked for


class Transition(NamedTuple):
    """B steps as losses see them."""

    obs: Array  # [B, S, *frame]
    action: Array  # [B] int
    reward: Array  # [B]
    discount: Array  # [B]
    next_obs: Array  # [B, S, *frame]
    from_teacher: Array  # [B]
    ahead: Array = None  # [B]

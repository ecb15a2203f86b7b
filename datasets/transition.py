"""Data types shared by environments, logs, replays and losses."""

from typing import Any, NamedTuple

import numpy as np


class Box(NamedTuple):
    """Continuous actions: D numbers, each between a finite `low` and `high`.

    Environments, logs, replays and checkpoints use these units; learners use [-1, 1].
    """

    low: tuple[float, ...]  # D
    high: tuple[float, ...]  # D

    @property
    def size(self) -> int:
        """Return the number of dimensions D."""
        return len(self.low)

    def real(self, unit: Any) -> Any:
        """Scale from [-1, 1] to the environment's units, clipped to its bounds: [..., D] -> [..., D]."""
        low, high = (np.asarray(end, np.float32) for end in (self.low, self.high))
        return (low + (unit + 1.0) * (0.5 * (high - low))).clip(low, high)

    def unit(self, real: Any) -> Any:
        """Scale from the environment's units to [-1, 1]: [..., D] -> [..., D]."""
        low, high = (np.asarray(end, np.float32) for end in (self.low, self.high))
        return ((real - low) * (2.0 / (high - low)) - 1.0).clip(-1.0, 1.0)


Actions = int | Box  # number of discrete actions, or bounds of continuous ones


def outputs(actions: Actions) -> int:
    """Return the number of outputs of a policy: one per discrete action, or D for continuous actions."""
    return actions.size if isinstance(actions, Box) else actions


def blank(actions: Actions) -> np.ndarray:
    """Return an example of an action: int32 0, or float32 [D], the numbers within the bounds that are nearest to 0."""
    if isinstance(actions, Box):
        return np.clip(np.zeros(actions.size), actions.low, actions.high).astype(np.float32)
    return np.zeros((), np.int32)


def stated(actions: Actions) -> Any:
    """Return the actions as `config.json` states them: their number or their bounds."""
    return {"low": list(actions.low), "high": list(actions.high)} if isinstance(actions, Box) else actions


def spanned(low: Any, high: Any) -> Actions:
    """Return the action space, given the least and greatest observed actions: numbers, or rows [D].

    A dimension that never changes gets a higher upper bound, since bounds must differ.
    """
    if np.ndim(high) == 0:
        return 1 + int(high)
    wide = np.where(high > low, high, low + 1.0)
    return Box(tuple(map(float, low)), tuple(map(float, wide)))


def said(text: Any) -> Actions:
    """Read the output of `stated`; ValueError for anything else."""
    if type(text) is int:
        if text > 0:
            return text
        raise ValueError(f"{text} are not actions: give at least one")
    try:
        low, high = (tuple(float(number) for number in text[end]) for end in ("low", "high"))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{str(text)[:80]} are not actions: give their number, or their low and high ends") from None
    if not low or len(low) != len(high) or not np.isfinite([low, high]).all() or not np.less(low, high).all():
        raise ValueError(f"{str(text)[:80]} are not bounds of actions: each low end must be less than its high one")
    return Box(low, high)


class Steps(NamedTuple):
    """Consecutive steps of one stream, as in RLDS: an episode of T transitions has T + 1 steps.

    The last step holds the final observation; its action and reward are meaningless.
    """

    frame: np.ndarray  # [T, *frame]
    action: np.ndarray  # [T] int32, or [T, D] float32
    reward: np.ndarray  # [T] float32, unclipped
    is_first: np.ndarray  # [T] bool
    is_last: np.ndarray  # [T] bool
    is_terminal: np.ndarray  # [T] bool, true only where is_last is
    teacher_values: np.ndarray | None = None  # [T, A] float32: the teacher's values or logits, or its actions [T, D]
    behavior_epsilon: np.ndarray | None = None  # [T] float32: probability of a random action


Array = Any  # numpy on the host, jax inside a jitted function


class Batch(NamedTuple):
    """B sampled transitions as sent to the device: every frame once, with n-step sums computed.

    An observation is a stack of S frames. The window holds the frames of the observation and of the following n steps;
    the next observation is the stack that ends `span` frames later.
    """

    window: Array  # [B, S + n, *frame], zeros before the start of an episode
    span: Array  # [B] int, steps from the observation to the next one, 1 to n
    action: Array  # [B] int, or [B, D] in the environment's units
    reward: Array  # [B] sum of discount**k * reward over the span
    discount: Array  # [B] discount**span, and 0 where the episode terminated (not where it was truncated)
    from_teacher: Array  # [B] 1 for steps of the teacher's log
    weight: Array = 1.0  # [B] importance weights of a prioritized replay, at most 1
    row: Array = -1  # [B] row of the step in the teacher's log or the student's replay, by `from_teacher`
    teacher_values: Array = None  # [B, A] of the teacher on the observation; None unless stored for all steps
    return_to_go: Array = None  # [B] discounted return until the episode's end; -inf if unknown, None unless needed
    played: Array = None  # [B, K] outputs of the network that played the step; None unless the method records them


class Transition(NamedTuple):
    """B transitions as losses see them."""

    obs: Array  # [B, S, *frame]
    action: Array  # [B] int, or [B, D] from -1 to 1
    reward: Array  # [B]
    discount: Array  # [B]
    next_obs: Array  # [B, S, *frame]
    from_teacher: Array  # [B]
    return_to_go: Array = None  # [B]
    played: Array = None  # [B, K]

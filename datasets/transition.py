"""The records that environments, logs, replays and losses all speak."""

from typing import Any, NamedTuple

import numpy as np


class Box(NamedTuple):
    """Continuous actions: D numbers, each from its `low` to its `high`, both finite.

    Environments, logs, replays and checkpoints hold them in these units, learners between -1 and 1.
    """

    low: tuple[float, ...]  # D
    high: tuple[float, ...]  # D

    @property
    def size(self) -> int:
        """How many numbers an action has."""
        return len(self.low)

    def real(self, unit: Any) -> Any:
        """Turn numbers between -1 and 1 into the environment's, cut to its bounds: [..., D] -> [..., D]."""
        low, high = (np.asarray(end, np.float32) for end in (self.low, self.high))
        return (low + (unit + 1.0) * (0.5 * (high - low))).clip(low, high)

    def unit(self, real: Any) -> Any:
        """Turn the environment's numbers into those between -1 and 1: [..., D] -> [..., D]."""
        low, high = (np.asarray(end, np.float32) for end in (self.low, self.high))
        return ((real - low) * (2.0 / (high - low)) - 1.0).clip(-1.0, 1.0)


Actions = int | Box  # how many discrete ones there are, counted from 0, or the bounds of continuous ones


def outputs(actions: Actions) -> int:
    """Return how many numbers a policy gives: a value for each discrete action, or those of a continuous one."""
    return actions.size if isinstance(actions, Box) else actions


def blank(actions: Actions) -> np.ndarray:
    """Return an example of an action: int32, or float32 [D]."""
    return np.zeros(actions.size, np.float32) if isinstance(actions, Box) else np.zeros((), np.int32)


def stated(actions: Actions) -> Any:
    """Return what a `config.json` says of actions: their number, or their bounds."""
    return {"low": list(actions.low), "high": list(actions.high)} if isinstance(actions, Box) else actions


def spanned(low: Any, high: Any) -> Actions:
    """Return the actions of which these are the least and the most that were seen: numbers, or rows [D].

    A number that never changes gets room above it, since bounds must differ.
    """
    if np.ndim(high) == 0:
        return 1 + int(high)
    wide = np.where(high > low, high, low + 1.0)
    return Box(tuple(map(float, low)), tuple(map(float, wide)))


def said(text: Any) -> Actions:
    """Read what `stated` wrote. Raises ValueError for anything else."""
    if type(text) is int:
        if text > 0:
            return text
        raise ValueError(f"{text} are not actions: there is at least one")
    try:
        low, high = (tuple(float(number) for number in text[end]) for end in ("low", "high"))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{str(text)[:80]} are not actions: give their number, or their low and high ends") from None
    if not low or len(low) != len(high) or not np.isfinite([low, high]).all() or not np.less(low, high).all():
        raise ValueError(f"{str(text)[:80]} are not bounds of actions: each low end must be less than its high one")
    return Box(low, high)


class Steps(NamedTuple):
    """Consecutive steps of one stream, as RLDS has them: an episode of T transitions is T + 1 steps.

    The last step holds the final observation; its action and reward mean nothing.
    """

    frame: np.ndarray  # [T, *frame]
    action: np.ndarray  # [T] int32, or [T, D] float32
    reward: np.ndarray  # [T] float32, unclipped
    is_first: np.ndarray  # [T] bool
    is_last: np.ndarray  # [T] bool
    is_terminal: np.ndarray  # [T] bool, true only where is_last is
    teacher_values: np.ndarray | None = None  # [T, A] float32, the teacher's values or logits, or [T, D] its actions
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
    action: Array  # [B] int, or [B, D] in the environment's units
    reward: Array  # [B] sum of discount**k * reward over the span
    discount: Array  # [B] discount**span, and 0 where the episode terminated (not where it was truncated)
    from_teacher: Array  # [B] 1 where the step comes from the teacher's log
    weight: Array = 1.0  # [B] importance weights of a prioritized replay, 1 at most
    row: Array = -1  # [B] where the step lies: in the teacher's log if it is from there, else in the student's replay
    teacher_values: Array = None  # [B, A] the teacher's on the observation, None unless stored for all of them
    return_to_go: Array = None  # [B] discounted, to the end of the episode; -inf if not known, None unless asked for
    played: Array = None  # [B, K] what the network that played said of the step, None unless a method remembers it


class Transition(NamedTuple):
    """B steps as losses see them."""

    obs: Array  # [B, S, *frame]
    action: Array  # [B] int, or [B, D] from -1 to 1
    reward: Array  # [B]
    discount: Array  # [B]
    next_obs: Array  # [B, S, *frame]
    from_teacher: Array  # [B]
    return_to_go: Array = None  # [B]
    played: Array = None  # [B, K]

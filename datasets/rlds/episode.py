"""One logged episode: its steps and metadata."""

import hashlib
import json
from typing import Any, NamedTuple, Self

import numpy as np

from ..transition import Actions, Box, Steps
from ..words import several
from . import columns


class Episode(NamedTuple):
    """An episode of N transitions as N + 1 steps, as in RLDS: the last step holds only the final observation.

    Actions are those that the policy chose. With sticky actions, the environment may have repeated the previous action
    instead, which is not logged.
    """

    steps: Steps
    episode_id: int | None  # None if the log states no number
    checkpoint_id: int = 0  # of the training that made it, in order; one split each
    agent_id: str = ""
    environment_config: str = "{}"  # json: environment, versions, sticky actions, frame skip, seed
    invalid: bool = False  # true if the recording broke off
    named: str = ""  # the episode's id, if it is a text

    @property
    def length(self) -> int:
        """Transitions."""
        return len(self.steps.action) - 1

    @property
    def raw_return(self) -> float:
        """Return the sum of the unclipped rewards."""
        return float(np.sum(self.steps.reward[:-1], dtype=np.float64))

    @property
    def clipped_return(self) -> float:
        """Return the sum of the rewards clipped to [-1, 1]: `episode_return` in RL Unplugged."""
        return float(np.sum(np.clip(self.steps.reward[:-1], -1.0, 1.0), dtype=np.float64))

    @classmethod
    def of(
        cls,
        frames,
        actions,
        rewards,
        terminal: bool,
        episode_id: int | None,
        *,
        teacher_values=None,
        behavior_epsilon=None,
        **about,
    ) -> Self:
        """Make an episode from N + 1 frames and N actions and rewards; `terminal` is false if it was truncated.

        Optional: teacher_values [N + 1, A], and behavior_epsilon [N + 1] or one number. `about`: other fields of
        Episode. ValueError for a column that does not fit the others, or that a cast would change.
        """
        size = len(frames)
        if size != len(actions) + 1 or size != len(rewards) + 1:
            raise ValueError(_unfit(size, actions, rewards))
        if size == 1:
            raise ValueError("it has no transition")
        last = np.arange(size) == size - 1
        steps = Steps(
            frame=columns.frames(frames),
            action=_with_last(columns.actions(actions)),
            reward=np.append(columns.rewards(rewards), np.float32(0)),
            is_first=np.arange(size) == 0,
            is_last=last,
            is_terminal=last & terminal,
            teacher_values=None if teacher_values is None else columns.values_of_actions(teacher_values),
            behavior_epsilon=None
            if behavior_epsilon is None
            else np.broadcast_to(np.asarray(behavior_epsilon, np.float32), (size,)),
        )
        if steps.teacher_values is not None and len(steps.teacher_values) != size:
            raise ValueError(
                f"{several(len(steps.teacher_values), 'row')} of teacher_values for {several(size, 'observation')}"
            )
        if isinstance(about.get("environment_config"), dict):
            about["environment_config"] = json.dumps(about["environment_config"], sort_keys=True)
        return cls(steps, episode_id, **about)


def _unfit(size: int, actions: Any, rewards: Any) -> str:
    taken = f"{several(len(actions), 'action')} and {several(len(rewards), 'reward')}"
    return f"{several(size, 'observation')} do not fit {taken}"


def _with_last(action: np.ndarray) -> np.ndarray:
    """Append a meaningless action of zeros to the actions [N, ...]."""
    return np.concatenate([action, np.zeros_like(action[:1])])


def discounts(steps: Steps) -> np.ndarray:
    """Return RLDS' discount [T] float32 of one episode: 0 for the transition into a terminal step and at it, else 1."""
    discount = np.ones(len(steps.action), np.float32)
    if steps.is_terminal[-1]:
        discount[-2:] = 0.0
    return discount


def fingerprint(steps: Steps) -> bytes:
    """Return a digest of an episode's frames, actions and rewards."""
    digest = hashlib.sha256(np.ascontiguousarray(steps.frame).data)
    digest.update(steps.action[:-1].tobytes() + steps.reward[:-1].tobytes())
    return digest.digest()


def _outside(chosen: np.ndarray, actions: Actions | None) -> np.ndarray:
    """Mark invalid actions among [N] or [N, D]; continuous ones may exceed their bounds by rounding."""
    if chosen.ndim == 1:
        most = actions if isinstance(actions, int) else 2**31 - 1
        return np.asarray((chosen < 0) | (chosen >= most) | isinstance(actions, Box))
    if not isinstance(actions, Box):
        return np.asarray(~np.isfinite(chosen).all(axis=1) | (actions is not None))
    low, high = np.asarray(actions.low), np.asarray(actions.high)
    room = 1e-3 * (high - low)
    return np.asarray(~((chosen >= low - room) & (chosen <= high + room)).all(axis=1))


def violations(steps: Steps, actions: Actions | None = None) -> list[tuple[int, str]]:
    """Yield (step, fault) for every RLDS rule that an episode's steps violate."""
    size = len(steps.action)
    at = np.arange(size)
    last = at == size - 1
    chosen, paid = steps.action[:-1], steps.reward[:-1]
    wrong = {
        "is_first must be true on the first step only": steps.is_first != (at == 0),
        "is_last must be true on the last step only": steps.is_last != last,
        "is_terminal is true before the last step": steps.is_terminal & ~last,
        "the reward is not a finite number": ~np.isfinite(paid),
        "the action is out of range": _outside(chosen, actions),
    }
    for name, values in (("frame", steps.frame), ("teacher_values", steps.teacher_values)):
        if values is not None and values.dtype.kind == "f":
            wrong[f"the {name} holds a number that is not finite"] = ~np.isfinite(values).reshape(size, -1).all(axis=1)
    return [(int(step), what) for what, where in wrong.items() for step in np.flatnonzero(where)]

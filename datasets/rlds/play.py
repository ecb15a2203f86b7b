"""Record episodes of any Gymnasium environment and policy.

The logged actions are those that the policy chose. With sticky actions, the environment may have repeated the previous
action instead.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import stacks
from .episode import Episode


def play(
    env: Any, policy: Callable[[Any], Any], transitions: int, seed: int = 0, agent_id: str = "", **about
) -> Iterator[Episode]:
    """Play an environment with Gymnasium's `reset` and `step`, by any Python callable as policy.

    Yields whole episodes; the last one is truncated at the number of transitions. ValueError for an action that is not
    one whole number.
    """
    number = done = 0
    while done < transitions:
        observation, _ = env.reset(seed=seed if number == 0 else None)
        frames, actions, rewards = [np.array(observation)], [], []
        terminated = truncated = False
        while not (terminated or truncated) and done < transitions:
            action = _action(policy(observation))
            observation, reward, terminated, truncated, _ = env.step(action)
            frames.append(np.array(observation))  # a copy: some environments fill the same array at each step
            actions.append(action)
            rewards.append(float(reward))
            done += 1
        seen = np.stack(frames)
        seen = stacks.newest(seen, stacks.alone(seen))
        seen = seen.astype(np.float32) if seen.dtype.kind == "f" else seen
        yield Episode.of(seen, actions, rewards, bool(terminated), number, agent_id=agent_id, **about)
        number += 1


def _action(chosen: Any) -> int:
    """Return one whole number, also from an array of one; ValueError for anything else, as nothing is rounded."""
    array = np.asarray(chosen)
    if array.size != 1 or array.dtype.kind not in "biuf" or not float(array.item()).is_integer():
        raise ValueError(f"the policy gave {chosen!r:.60}: it must give one whole number")
    return int(array.item())

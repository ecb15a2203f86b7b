"""Episodes of any Gymnasium environment and any policy.

What is logged is the action that the policy chose. Where actions are sticky,
the environment may have repeated the one before it instead.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import stacks
from .episode import Episode


def play(
    env: Any, policy: Callable[[Any], int], transitions: int, seed: int = 0, agent_id: str = "", **about
) -> Iterator[Episode]:
    """Play a Gymnasium environment (or whatever has its `reset` and `step`) with any Python callable.

    Yields whole episodes; the one that reaches the number of transitions is cut there.
    """
    number = done = 0
    while done < transitions:
        observation, _ = env.reset(seed=seed if number == 0 else None)
        frames, actions, rewards = [np.asarray(observation)], [], []
        terminated = truncated = False
        while not (terminated or truncated) and done < transitions:
            action = int(policy(observation))
            observation, reward, terminated, truncated, _ = env.step(action)
            frames.append(np.asarray(observation))
            actions.append(action)
            rewards.append(float(reward))
            done += 1
        seen = np.stack(frames)
        seen = stacks.newest(seen, stacks.alone(seen))
        seen = seen.astype(np.float32) if seen.dtype.kind == "f" else seen
        yield Episode.of(seen, actions, rewards, bool(terminated), number, agent_id=agent_id, **about)
        number += 1

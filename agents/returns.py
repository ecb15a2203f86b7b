"""Returns of a rollout, for methods without a replay: plain numpy, time first."""

import numpy as np


def lambda_returns(
    reward: np.ndarray, discount: np.ndarray, value: np.ndarray, cut: np.ndarray, trace: float
) -> np.ndarray:
    """Return lambda-returns [T, N], computed backwards from the rollout's end; all arguments are [T, N].

    `discount` of the next state, 0 where the episode terminated. `value` of the next state, which is the episode's last
    one where it was truncated. `cut`: whether an episode ended with the step, in either way.

        G[t] = reward[t] + discount[t] * ((1 - trace) * value[t] + trace * G[t + 1])

    with value[t] in place of the mixture where `cut`, and at the rollout's last step. With `trace=0` these are one-step
    targets, with `trace=1` discounted sums (Peng's Q(lambda), as in Gallici et al., 2024).
    """
    found, later = np.empty(reward.shape, np.float32), value[-1]
    for t in reversed(range(len(reward))):
        mixed = np.where(cut[t], value[t], (1.0 - trace) * value[t] + trace * later)
        later = reward[t] + discount[t] * mixed
        found[t] = later
    return found

"""Returns of a rollout, for methods that learn from their newest steps: plain numpy, time first."""

import numpy as np


def lambda_returns(
    reward: np.ndarray, discount: np.ndarray, value: np.ndarray, cut: np.ndarray, trace: float
) -> np.ndarray:
    """Mix the returns of all lengths, backwards from the rollout's end: [T, N] each, and the result.

    `discount` of the next state, 0 where the episode terminated. `value` of the next state: of the last one, where the
    episode was cut off. `cut`: whether an episode ended with the step, however; what comes after it is another's.

        G[t] = reward[t] + discount[t] * ((1 - trace) * value[t] + trace * G[t + 1])

    with value[t] for the whole of the mixture where `cut`, and at the rollout's last step. With a trace of 0 these are
    one-step targets, with 1 discounted sums (Peng's Q(lambda), as in Gallici et al., 2024).
    """
    found, later = np.empty(reward.shape, np.float32), value[-1]
    for t in reversed(range(len(reward))):
        mixed = np.where(cut[t], value[t], (1.0 - trace) * value[t] + trace * later)
        later = reward[t] + discount[t] * mixed
        found[t] = later
    return found

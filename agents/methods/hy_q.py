"""Hy-Q: fitted Q-iteration on the log and the student's own steps together, without pessimism (Song et al., 2023).

There is no offline phase: a share of every batch comes from the log, from the first update on (algorithm 1). As in the
authors' experiments on Atari: one-step double Q-learning, and a share of 0.2 that falls to 0.01 in the last two thirds.
"""

from ..method import Factory, Method, Progress
from ..ranges import Count, NotNegative, Share
from .dqn import dqn


def hy_q(
    base: Factory = dqn,
    share: Share = 0.2,
    last_share: Share = 0.01,
    steady: Share = 1 / 3,
    double: bool = True,
    n_step: Count = 1,
    learning_rate: NotNegative = 1e-4,
    **numbers,
) -> Method:
    """Make the method.

    `share`: initial probability that a transition comes from the log. `last_share`: that probability at the end.
    `steady`: share of the steps before it starts to fall, linearly.
    """
    own = base(double=double, n_step=n_step, learning_rate=learning_rate, **numbers)

    def log_share(progress: Progress) -> float:
        fallen = max(float(progress.spent) - steady, 0.0) / max(1.0 - steady, 1e-9)
        return max(share + (last_share - share) * fallen, float(progress.offline))

    return own._replace(log_share=log_share)

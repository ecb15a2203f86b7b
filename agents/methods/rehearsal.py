"""Keep some of the teacher's log in every batch (Paine et al., 2019; as in Agarwal et al., 2022)."""

from ..method import Factory, Method
from ..ranges import Share
from .dqn import dqn


def rehearsal(base: Factory = dqn, share: Share = 1 / 16, **numbers) -> Method:
    """Make the method.

    `share`: probability that a transition of a batch comes from the log.
    """
    return base(**numbers)._replace(log_share=lambda progress: max(share, progress.offline))

"""Keep some of the teacher's log in every batch (Paine et al., 2019; as in Agarwal et al., 2022)."""

from ..method import Factory, Method
from ..ranges import Share
from .dqn import dqn


def rehearsal(base: Factory = dqn, share: Share = 1 / 16, **numbers) -> Method:
    """`share`: the probability of each place in a batch to come from the log, drawn independently."""
    return base(**numbers)._replace(log_share=lambda progress: max(share, progress.offline))

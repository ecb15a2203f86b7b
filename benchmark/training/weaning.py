"""When a student is weaned: its score on validation episodes, the score's lower bound, and the reason."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scipy.special import stdtrit

from ...datasets.words import several
from ...leaderboard.record import Evaluation, Yardstick
from ...leaderboard.score import normalise
from ...leaderboard.suite import anchor_of

CONFIDENCE = 0.95  # of the lower bound, one-sided
VALIDATED = 30  # minimum episodes of a validation
MEASURED = 100  # minimum episodes of random play and of the teacher, where no suite has anchors


class Validation(NamedTuple):
    """The result of a student's validation episodes."""

    score: float  # 0 is random play, 1 the teacher
    low: float  # its lower confidence bound
    episodes: int
    steps: int  # agent steps played


def anchored(task: str, teacher: str) -> Yardstick | None:
    """Return the anchors of the newest bundled suite with exactly this teacher for the task; None if there is none."""
    found = anchor_of(task, teacher)
    return found and Yardstick(random=found[1].random, teacher=found[1].teacher, error=0.0, source=found[0])


def measured(random: Evaluation, teacher: Evaluation) -> Yardstick:
    """Return the yardstick from the run's own evaluations."""
    source = f"{several(len(random.returns), 'episode')} of random play and {len(teacher.returns)} of the teacher"
    return Yardstick(random=random.mean, teacher=teacher.mean, error=teacher.standard_error, source=source)


def larger(each: int) -> int:
    """Return how many episodes make a round of references that are themselves the yardstick: `each`, at least 100."""
    return max(MEASURED, each)


def references(yard: Yardstick | None, random: Evaluation, teacher: Evaluation | None, each: int) -> int:
    """Return how many episodes of random play and of the teacher make a round, where the protocol has `each`.

    They are at least 100 if they are themselves the yardstick, as with a teacher that no bundled suite has.
    """
    return larger(each) if teacher and yard == measured(random, teacher) else each


def validated(played: Evaluation, yard: Yardstick) -> Validation:
    """Score an evaluation, with a one-sided 95 % lower bound.

    low = score - t(0.95, n - 1) * sqrt(s^2 / n + error^2) / |teacher - random|, where s is the standard deviation of
    the n returns, t Student's quantile, and `error` the standard error of the teacher's mean. The error of random play
    is omitted: it does not affect the score of a student as good as its teacher. A single episode has no bound.
    """
    returns, room = played.returns, abs(yard.teacher - yard.random)
    score = float(normalise(played.mean, yard.random, yard.teacher))
    spread = math.hypot(played.standard_error, yard.error)
    wide = float(stdtrit(len(returns) - 1, CONFIDENCE)) * spread / room if len(returns) > 1 and room else math.inf
    return Validation(score, score - wide, len(returns), sum(played.lengths))


def why(steps: float, planned: float, proof: Sequence[Any] | None) -> dict[str, Any]:
    """Return a record's facts about weaning: by `proof` (score, bound, episodes), or by the method's schedule."""
    score, low, episodes = proof or (None, None, None)
    reason, share = "validation" if proof else "schedule", min(steps / max(planned, 1), 1.0)
    return {"steps": steps, "share": share, "reason": reason, "score": score, "low": low, "episodes": episodes}


def sentence(told: Mapping[str, Any]) -> str:
    """Say when and why a student was weaned, given the facts in its ledger."""
    at = f"weaned at step {told['steps']:,.0f}"
    if told["reason"] == "validation":
        episodes = several(told["episodes"], "episode")
        return f"{at}: validation {told['score']:.2f}, lower bound {told['low']:.2f}, {episodes}"
    return f"{at}: at its deadline, {told['share']:.0%} of the steps".replace("%", " %")

"""Evaluate a policy again: on the episodes of its run, or on others."""

import inspect
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...agents.method import Teacher
from ...datasets.teachers import claim
from ...datasets.words import several
from ...leaderboard.record import Evaluation
from .. import compiled, machine
from ..display import Display
from ..evaluation.evaluator import AT_ONCE, Evaluator
from ..evaluation.film import film_of
from ..prior.called import Called
from ..prior.promote import open_players, student
from ..prior.recognised import describe, place_of
from ..tasks.environment import MOST_THREADS
from ..tasks.task import FAMILIES, Task, find
from .check_request import check_writable
from .request import whole


class Judgement(NamedTuple):
    """How a policy plays, and what its run recorded for the same episodes."""

    policy: str
    task: str
    evaluation: Evaluation
    recorded: Evaluation | None  # for the same episodes
    remarks: tuple[str, ...] = ()  # notes about a teacher from elsewhere, a sentence each

    @property
    def differs(self) -> bool:
        """Whether the same episodes gave other returns."""
        return self.recorded is not None and self.recorded.returns != self.evaluation.returns

    def __repr__(self) -> str:
        return self.sentence()

    def plain(self) -> dict[str, Any]:
        """Return the result as data for programs."""
        same = None if self.recorded is None else not self.differs
        return {
            "policy": self.policy,
            "task": self.task,
            **self.evaluation.model_dump(mode="json"),
            "as_recorded": same,
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }

    def sentence(self) -> str:
        """Return the result as text."""
        e = self.evaluation
        text = f"{self.policy} in {self.task}: mean return {e.mean:.2f}, standard error {e.standard_error:.2f}, "
        whole = f"{several(len(e.returns), 'whole episode')} ({several(sum(e.lengths), 'agent step')})"
        text += f"95 % interval [{e.interval[0]:.2f}, {e.interval[1]:.2f}], over {whole}, "
        text += f"environment seeds {e.seeds[0]}..{e.seeds[1]}, epsilon {e.epsilon:g}"
        if e.shares:
            text += f"\n{find(self.task).share}: {np.mean(e.shares):.1%} of an episode's steps, on average"
        if self.recorded is None:
            return "\n".join([text, *self.remarks])
        if self.differs:
            other = f"the run recorded {self.recorded.mean:.2f} for the same episodes"
            return f"{text}\n{other}: the machine, the versions or the weights differ"
        return f"{text}\nthe same as the run has recorded, to the last bit"


@dataclass(frozen=True)
class EvaluationRequest:
    """The request for an evaluation. Raises ValueError in one sentence if it is invalid."""

    policy: str | Path  # a run's folder; a teacher's folder or file; user/name[@commit] at a hub; module:function
    hub: str = "bundled"
    point: float | None = None  # for a run, the student at this many agent steps; default: the last
    episodes: int = 0  # whole episodes; 0: those of the run, or the task's default
    seeds: Iterable[int] | None = None  # environment seeds to play instead, one per episode
    sticky: float | None = None  # probability of repeated actions, if not the task's
    epsilon: float | None = None  # probability of random actions, if not the task's
    environments: int = AT_ONCE  # played together; does not affect the returns
    threads: int = 0  # of the environments; does not affect the returns
    video: Path | str = ""  # file for a film of the episode closest to the mean
    task_name: str = ""  # the teacher's task, overriding its card

    def __post_init__(self) -> None:
        counts = ("episodes", "environments", "threads")
        plain: dict[str, Any] = {name: whole(f"the number of {name}", getattr(self, name)) for name in counts}
        plain |= {"policy": os.fspath(self.policy), "seeds": None if self.seeds is None else _span(self.seeds)}
        for name in ("sticky", "epsilon", "point"):
            plain[name] = None if getattr(self, name) is None else float(getattr(self, name))
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        shares = [share for share in (self.sticky, self.epsilon) if share is not None]
        if min(self.episodes, self.threads, self.environments - 1) < 0:
            raise ValueError(
                "--environments must be at least 1, and --episodes and --threads not negative: change them"
            )
        if self.threads > MOST_THREADS:
            raise ValueError(f"{self.threads} threads cannot play: give 1 to {MOST_THREADS}, or 0 for one per core")
        if not all(0.0 <= share <= 1.0 for share in shares):
            raise ValueError("--sticky and --epsilon are shares from 0 to 1: change them")
        if self.episodes and self.seeds is not None:
            raise ValueError("--seeds already sets the number of episodes: leave out --episodes")
        if self.video and Path(self.video).exists():
            raise ValueError(f"{self.video} exists: give another file with --video")
        if self.video:
            if Path(self.video).suffix != ".mp4":
                raise ValueError(f"{self.video} is not the name of a film: write --video out.mp4")
            check_writable(Path(self.video), "--video")

    @property
    def changes(self) -> bool:
        """Whether other episodes than those of a run are requested."""
        return bool(self.episodes) or any(one is not None for one in (self.seeds, self.sticky, self.epsilon))

    def of(self, task: Task) -> Task:
        """Return the task with the changes of the request."""
        if self.sticky is not None and not FAMILIES[task.family].sticky:
            raise ValueError(f"{task.name} has no sticky actions: leave out --sticky")
        sticky = task.sticky if self.sticky is None else self.sticky
        epsilon = task.evaluation_epsilon if self.epsilon is None else self.epsilon
        task = task._replace(sticky=sticky, evaluation_epsilon=epsilon)
        return task._replace(evaluation_episodes=self.episodes, evaluation_steps=0) if self.episodes else task


def _span(seeds: Iterable[int]) -> range:
    """Return seeds as a range; ValueError unless they are consecutive, as an evaluation's record states two ends."""
    told = [whole("a seed", seed) for seed in seeds]
    if not told or told != list(range(told[0], told[0] + len(told))):
        raise ValueError("the seeds are not consecutive whole numbers: give a range, such as range(0, 100)")
    return range(told[0], told[0] + len(told))


@compiled.kept()
def evaluate(*request: Any, display: Display | None = None, **options: Any) -> Judgement:
    """Play whole episodes with a policy and return its scores; arguments are named as in the command `evaluate`.

    `request`: an `EvaluationRequest`, or its values and keywords: `evaluate("runs/pong", episodes=30)`. For a run, its
    own episodes are played again by default. Raises ValueError if this is impossible.
    """
    given = request and isinstance(request[0], EvaluationRequest)
    asked = request[0] if given else EvaluationRequest(*request, **options)
    machine.check_arithmetic()
    show = display or Display(quiet=True)
    chosen = _of_run(asked) if (Path(asked.policy) / "students").is_dir() else _of_teacher(asked, show)
    task = asked.of(chosen.task)
    if chosen.called and asked.video:
        raise ValueError("a Python function cannot be filmed: leave out --video")
    recorded, seeds = chosen.recorded, asked.seeds
    if recorded is not None:
        seeds = range(recorded.seeds[0], recorded.seeds[1] + 1)
    of = None if seeds is None else np.array(seeds, np.int32)
    evaluator = Evaluator(task, chosen.seed, asked.threads, show, at_once=asked.environments)
    if chosen.called:
        found = evaluator.play_whole(chosen.called.act, "test", "evaluating", of)
    else:
        found = evaluator.play(chosen.policy.apply, chosen.policy.params, "test", "evaluating", of)
    if asked.video:
        film_of(Path(asked.video), task, chosen.policy, found)
        show.note(f"{asked.video}: the episode nearest to the mean")
    short = claim.shortfall(chosen.claim, found.mean, found.interval[1]) if chosen.claim else ""
    return Judgement(chosen.whose, task.name, found, recorded, (*chosen.policy.remarks, *filter(None, [short])))


def _signature() -> inspect.Signature:
    """Return the signature of `evaluate`: the fields of a request, and the display."""
    values = inspect.signature(EvaluationRequest).parameters.values()
    return inspect.Signature([*values, inspect.signature(evaluate).parameters["display"]], return_annotation=Judgement)


evaluate.__signature__ = _signature()  # type: ignore[attr-defined]


class _Evaluated(NamedTuple):
    """The policy to evaluate."""

    policy: Teacher
    whose: str
    task: Task
    seed: int = 0  # of its run
    recorded: Evaluation | None = None  # the run's record of the episodes to play
    called: Called | None = None  # a Python function to call instead of the policy
    claim: str = ""  # the score that its author states


def _of_run(asked: EvaluationRequest) -> _Evaluated:
    """Return a student of a run; ValueError if there is none."""
    if asked.task_name:
        raise ValueError(f"{asked.policy} is a run, which plays the task it was trained on: leave out --task")
    policy, task, record, point = student(Path(asked.policy), asked.point)
    whose = f"run {record.run} at {point.spent['steps']:.0f} steps"
    return _Evaluated(policy, whose, task, record.seed, None if asked.changes else point.evaluation)


def _of_teacher(asked: EvaluationRequest, show: Display) -> _Evaluated:
    """Load a policy that is not a run's; ValueError if there is none."""
    text = str(asked.policy)
    if asked.point is not None:
        raise ValueError(f"{text} is one policy: --point is for the folder of a run")
    (one,), task = open_players(text, asked.hub, task=asked.task_name)
    if not one.called:
        show.note(f"{text}: {describe(place_of(text, asked.hub)[0])}")
    return _Evaluated(one.policy, one.agent, task, called=one.called, claim="" if one.called else one.claim)

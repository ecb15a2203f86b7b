"""A policy judged once more: the episodes of its run, or others."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...datasets.teachers import claim
from ...leaderboard.record import Evaluation
from .. import compiled, machine
from ..display import Display
from ..evaluation.evaluator import AT_ONCE, Referee
from ..evaluation.film import film_of
from ..prior.promote import open_players, student
from ..prior.recognised import describe, place_of
from ..tasks.task import FAMILIES


class Judgement(NamedTuple):
    """How a policy plays, beside what its run has recorded for the same episodes."""

    policy: str
    task: str
    evaluation: Evaluation
    recorded: Evaluation | None  # of the same episodes
    remarks: tuple[str, ...] = ()  # what should be known of a teacher from elsewhere, a sentence each

    @property
    def differs(self) -> bool:
        """Whether the same episodes gave other returns."""
        return self.recorded is not None and self.recorded.returns != self.evaluation.returns

    def __repr__(self) -> str:
        return self.sentence()

    def plain(self) -> dict[str, Any]:
        """Return it for programs."""
        same = None if self.recorded is None else not self.differs
        return {
            "policy": self.policy,
            "task": self.task,
            **self.evaluation.model_dump(mode="json"),
            "as_recorded": same,
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }

    def sentence(self) -> str:
        """Return it for people."""
        e = self.evaluation
        text = f"{self.policy} in {self.task}: mean return {e.mean:.2f}, standard error {e.standard_error:.2f}, "
        text += f"95 % interval [{e.interval[0]:.2f}, {e.interval[1]:.2f}], over {len(e.returns)} whole episodes "
        text += f"({sum(e.lengths):,} agent steps), environment seeds {e.seeds[0]}..{e.seeds[1]}, epsilon {e.epsilon:g}"
        if self.recorded is None:
            return "\n".join([text, *self.remarks])
        if self.differs:
            other = f"the run has recorded {self.recorded.mean:.2f} for the same episodes"
            return f"{text}\n{other}: the machine, the versions or the weights are not the same"
        return f"{text}\nthe same as the run has recorded, to the last bit"


def evaluate(
    policy: str | Path,
    hub: str = "bundled",
    point: float | None = None,
    episodes: int = 0,
    seeds: range | None = None,
    sticky: float | None = None,
    epsilon: float | None = None,
    environments: int = AT_ONCE,
    threads: int = 0,
    video: Path | str = "",
    display: Display | None = None,
    task_name: str = "",
) -> Judgement:
    """Play whole episodes with a policy: a run's folder, a teacher's folder, or user/name[@commit] at a hub.

    `point`: of a run, the student at this many agent steps, not the last. `episodes`: how many, 0 for those of the run
    or the task's own number; `seeds`: environment seeds instead, one for each episode. `sticky`, `epsilon`: another
    share of repeated or random actions than the task's. `environments`, `threads`: how they are played, on which the
    returns do not depend. `video`: also film the episode nearest to the mean. `task_name`: what a teacher plays, where
    its card does not say so, or otherwise; a policy may be a file or a function `module:function` too. Raises
    ValueError if that cannot be done.
    """
    text, at, show = str(policy), point, display or Display(quiet=True)
    machine.check_arithmetic()
    compiled.keep()
    if episodes < 0 or environments < 1 or not all(0.0 <= x <= 1.0 for x in (sticky, epsilon) if x is not None):
        raise ValueError("an evaluation needs episodes, environments, and sticky and epsilon from 0 to 1: change them")
    if episodes and seeds is not None:
        raise ValueError("--seeds says how many episodes there are: leave out --episodes")
    if video and Path(video).exists():
        raise ValueError(f"{video} exists: give another file with --video")
    of_run, recorded, seed, one = (Path(text) / "students").is_dir(), None, 0, None
    if of_run and task_name:
        raise ValueError(f"{text} is a run, which plays what it was trained on: leave out --task")
    if of_run:
        player, task, record, taken = student(Path(text), at)
        whose, seed = f"run {record.run} at {taken.spent['steps']:.0f} steps", record.seed
        if not episodes and seeds is None and sticky is None and epsilon is None:
            recorded = taken.evaluation
            seeds = range(recorded.seeds[0], recorded.seeds[1] + 1)
    elif at is not None:
        raise ValueError(f"{text} is one policy: --point is for the folder of a run")
    else:
        (one,), task = open_players(text, hub, task=task_name)
        player, whose = one.policy, one.agent
        if not one.called:
            show.note(f"{text}: {describe(place_of(text, hub)[0])}")
    if sticky is not None and not FAMILIES[task.family].sticky:
        raise ValueError(f"{task.name} has no sticky actions: leave out --sticky")
    task = task._replace(
        sticky=task.sticky if sticky is None else sticky,
        evaluation_epsilon=task.evaluation_epsilon if epsilon is None else epsilon,
    )
    if episodes:
        task = task._replace(evaluation_episodes=episodes, evaluation_steps=0)
    of = None if seeds is None else np.array(seeds, np.int32)
    referee = Referee(task, seed, threads, show, at_once=environments)
    if one and one.called:
        if video:
            raise ValueError("a Python function is not filmed: leave out --video")
        found = referee.play_whole(one.called.act, "test", "evaluating", of)
    else:
        found = referee.play(player.apply, player.params, "test", "evaluating", of)
    if video:
        film_of(Path(video), task, player, found)
        show.note(f"{video}: the episode nearest to the mean")
    short = "" if one is None or one.called else claim.shortfall(one.claim, found.mean, found.interval[1])
    return Judgement(whose, task.name, found, recorded, (*player.remarks, *filter(None, [short])))

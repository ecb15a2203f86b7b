"""Evaluate the policies of a run, on environment seeds that training never uses."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from pathlib import Path

import numpy as np

from ...agents.method import Params
from ...datasets.transition import blank
from ...leaderboard.record import Evaluation
from ..display import Display
from ..machine import cores
from ..tasks.environments import actions_of, blocks, make, seeds
from ..tasks.task import Task
from . import shared as played
from .episodes import Played, evaluate, make_greedy

AT_ONCE = 40  # environments
MOST = 1_000  # episodes


class Evaluator:
    """Evaluate policies of one run; `pause` is called after every step and may raise to stop an evaluation.

    The same policy, stream and seed give bitwise equal returns, whatever the number of environments. `shared`: a folder
    of evaluations that other runs can reuse.
    """

    def __init__(
        self,
        task: Task,
        seed: int,
        threads: int,
        show: Display,
        pause: Callable[[], None] = lambda: None,
        at_once: int = AT_ONCE,
        shared: Path | None = None,
    ):
        self._task, self._seed, self._threads, self._show, self._pause = task, seed, threads, show, pause
        self._at_once, self._shared, self._greedy = at_once, shared, {}
        self._whole: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def with_protocol(self, **changes: int) -> "Evaluator":
        """Return the evaluator for another number of `evaluation_episodes` and `evaluation_steps`."""
        other = copy(self)
        other._task = self._task._replace(**changes)
        return other

    def play(self, apply, params: Params, stream: str, label: str, of: np.ndarray | None = None) -> Evaluation:
        """Play whole episodes, greedy except for the protocol's epsilon; with `of` [E], one for each of its seeds."""
        choose = partial(self._greedy.setdefault(apply, make_greedy(apply, actions_of(self._task))), params)
        if of is not None:
            return self._rounds(choose, of, label, self._task.evaluation_epsilon, False)
        seed, player = self._seeds(stream), ""
        if self._shared:
            player = played.program(apply, params, make(self._task, seed[:1], self._threads).observe())
        return self._once(choose, seed, label, self._task.evaluation_epsilon, player)

    def play_whole(
        self,
        whole: Callable[[np.ndarray, np.ndarray], np.ndarray],
        stream: str,
        label: str,
        of: np.ndarray | None = None,
    ) -> Evaluation:
        """Like `play`, with a policy that gets all environments and where episodes start, see `evaluate`."""
        other = copy(self)
        other._whole = whole
        seed, protocol = (self._seeds(stream), True) if of is None else (of, False)
        return other._rounds(None, seed, label, self._task.evaluation_epsilon, protocol)

    def random(self, of: np.ndarray | None = None) -> Evaluation:
        """Play whole episodes with uniformly random actions; with `of` [E], one for each of its seeds."""

        def nothing(obs: np.ndarray) -> np.ndarray:
            return np.stack([blank(actions_of(self._task))] * len(obs))

        label = "playing at random"
        if of is not None:
            return self._rounds(nothing, of, label, 1.0, False)
        return self._once(nothing, self._seeds("random"), label, 1.0, "at random")

    def _seeds(self, stream: str) -> np.ndarray:
        return seeds(stream, self._seed, max(MOST, self._task.evaluation_episodes))

    def _once(self, choose, seed: np.ndarray, label: str, epsilon: float, player: str) -> Evaluation:
        return played.once(
            self._shared, self._task, seed, player, lambda: self._rounds(choose, seed, label, epsilon, True)
        )

    def _rounds(self, choose, seed: np.ndarray, label: str, epsilon: float, protocol: bool) -> Evaluation:
        """Play rounds of the protocol until they reach its agent steps, or one round with all seeds."""
        each = self._task.evaluation_episodes if protocol else len(seed)
        found = Played(np.empty(0), np.empty(0, int), np.empty(0, int))
        least = self._task.evaluation_steps if protocol else 0
        while more := missing(found.lengths, each, least):
            part = seed[len(found.lengths) : len(found.lengths) + more * each]
            more_of = self._episodes(choose, label, epsilon, part)
            found = Played(*(np.append(*both) for both in zip(found, more_of, strict=True)))
        counted = enough(found.lengths, each, least) * each
        return evaluation_of(Played(*(one[:counted] for one in found)), self._task, epsilon, seed)

    def _episodes(self, choose, label: str, epsilon: float, seed: np.ndarray) -> Played:
        envs = blocks(self._task, seed[: self._at_once], self._threads)
        workers = min(self._threads or cores(), len(envs))
        with self._show.phase(label, len(seed), "episodes") as bar:

            def watch(over: int, steps: int) -> None:
                bar.to(over, steps=steps)
                self._pause()

            return evaluate(choose, envs, epsilon, seed, watch, self._whole, workers)


def evaluation_of(played: Played, task: Task, epsilon: float, seed: np.ndarray) -> Evaluation:
    """Return the record of episodes that were played from these seeds [E], or from the first of them."""
    returns, lengths, good = played
    return Evaluation(
        returns=tuple(returns.tolist()),
        lengths=tuple(lengths.tolist()),
        epsilon=epsilon,
        seeds=(int(seed[0]), int(seed[len(returns) - 1])),
        shares=tuple((good / lengths).tolist()) if task.share else (),
    )


def enough(lengths: np.ndarray, each: int, least: int) -> int:
    """Return how many rounds of `each` episodes with these `lengths` [E] reach the agent steps; all of them if none
    does."""
    after = np.cumsum(lengths)[each - 1 :: each]
    return min(int(np.searchsorted(after, least)) + 1, len(after))


def missing(lengths: np.ndarray, each: int, least: int) -> int:
    """Estimate how many more rounds of `each` episodes to play at once after those of `lengths` [E] to reach `least`
    steps.

    Few are wasted: the estimate uses the mean length so far, rounded down, minus one.
    """
    if not len(lengths):
        return 1
    short, room = least - int(lengths.sum()), (MOST - len(lengths)) // each
    return 0 if short <= 0 else min(max(int(short / (lengths.mean() * each)), 1), room)


def are_rounds(lengths: Sequence[int], each: int, least: int) -> bool:
    """Return whether an evaluation has exactly the length of the protocol, rather than stopping where it looks best."""
    whole = sum(lengths) >= least or len(lengths) + each > MOST
    return len(lengths) % each == 0 and whole and sum(lengths[:-each]) < least

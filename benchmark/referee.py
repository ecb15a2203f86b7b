"""Judges the policies of one run, on environment seeds that training never uses."""

from functools import partial

import numpy as np

from ..agents.method import Params
from ..leaderboard.record import Evaluation
from .display import Display
from .environments import make, seeds
from .evaluate import evaluate, make_greedy
from .task import Task


class Referee:
    """Evaluates policies of one run on environment seeds that training never uses."""

    def __init__(self, task: Task, seed: int, threads: int, show: Display):
        self._task, self._seed, self._threads, self._show = task, seed, threads, show
        self._greedy = {}

    def play(self, apply, params: Params, stream: str, label: str) -> Evaluation:
        """Whole greedy episodes, but for the protocol's epsilon."""
        greedy = self._greedy.setdefault(apply, make_greedy(apply))
        return self._episodes(partial(greedy, params), stream, label, self._task.evaluation_epsilon)

    def random(self) -> Evaluation:
        """Whole episodes of uniformly random actions."""
        n = self._task.evaluation_episodes
        return self._episodes(lambda obs: np.zeros(n, int), "random", "playing at random", 1.0)

    def _episodes(self, choose, stream: str, label: str, epsilon: float) -> Evaluation:
        n = self._task.evaluation_episodes
        seed = seeds(stream, self._seed, n)
        env = make(self._task, seed, self._threads)
        with self._show.phase(label, n, "episodes") as bar:
            returns, lengths = evaluate(choose, env, epsilon, seed, lambda over, steps: bar.to(over, steps=steps))
        returns, lengths = tuple(map(float, returns)), tuple(map(int, lengths))
        return Evaluation(returns=returns, lengths=lengths, epsilon=epsilon, seeds=(int(seed[0]), int(seed[-1])))

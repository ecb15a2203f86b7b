"""Evaluation plays whole episodes, one in each environment, and draws chance from each one's own seed."""

import threading

import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.benchmark.display import Display
from reincarnate.benchmark.evaluation import evaluator
from reincarnate.benchmark.evaluation.episodes import evaluate, make_greedy
from reincarnate.benchmark.evaluation.evaluator import Evaluator
from reincarnate.benchmark.tasks.environments import Step, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.observer import Interrupted


class Marathon:
    """Episode e of environment i lasts i + 1 steps longer than e of them and each step pays 1; shows who and when."""

    actions = 4

    def __init__(self, n: int, truncate: bool = False):
        self.n, self._truncate = n, truncate
        self.age, self.episode = np.zeros(n, int), np.zeros(n, int)
        self.taken: list[np.ndarray] = []

    def observe(self) -> np.ndarray:
        return np.stack([np.arange(self.n), self.age], axis=1)[:, None].astype(np.float32)

    def step(self, actions: np.ndarray) -> Step:
        self.taken.append(np.array(actions))
        self.age += 1
        over = self.age == np.arange(self.n) + 1 + self.episode
        self.age[over] = 0
        self.episode += over
        no = np.zeros(self.n, bool)
        ends = (no, over) if self._truncate else (over, no)
        return Step(np.ones(self.n, np.float32), *ends, self.observe()[:, -1])

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self.age[which] = 0


@pytest.mark.parametrize("truncate", [False, True])
def test_every_environment_plays_exactly_one_whole_episode(truncate):
    """Were the first episodes to end taken, as many as there are environments, the mean would be far below 4.5."""
    env, told = Marathon(8, truncate), []
    returns, lengths, _ = evaluate(
        lambda obs: np.zeros(len(obs), int), [env], 0.0, np.arange(8), lambda *done: told.append(done)
    )
    assert returns.tolist() == lengths.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert returns.mean() == 4.5 and len(env.taken) == 8
    assert told[0] == (1, 8) and told[1] == (2, 15) and told[-1] == (8, 36)


class Lottery:
    """An episode of an odd seed lasts 50 steps, of an even one 1; each step pays 1."""

    actions = 2

    def __init__(self, seed: np.ndarray):
        self.n, self.left = len(seed), np.where(seed % 2, 50, 1)

    def observe(self) -> np.ndarray:
        return self.left[:, None, None].astype(np.float32)

    def step(self, actions: np.ndarray) -> Step:
        self.left -= 1
        over = self.left == 0
        self.left[over] = 1  # the next episode begins by itself, as in a vector environment
        return Step(np.ones(self.n, np.float32), over, np.zeros(self.n, bool), self.observe()[:, -1])

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self.left[which] = np.where(seed % 2, 50, 1)


@pytest.mark.parametrize("n", [1, 3, 8, 40])
def test_long_episodes_count_as_much_as_short_ones(n):
    """The mean is 25.5. Taking the first 40 to end would give 8 environments 50 short episodes for each long one."""
    seed = np.arange(40)
    returns, lengths, _ = evaluate(lambda obs: np.zeros(len(obs), int), [Lottery(seed[:n])], 0.0, seed)
    assert returns.tolist() == lengths.tolist() == [1, 50] * 20


def test_in_blocks_the_same_and_a_block_that_is_done_is_left_alone():
    seed = np.array([1, 3, 4, 6, 5, 8])
    parts = [Lottery(seed[:2]), Lottery(seed[2:3]), Lottery(seed[3:4])]
    asked = [0, 0, 0]

    def counted(number: int, step):
        def go(actions):
            asked[number] += 1
            return step(actions)

        return go

    for number, part in enumerate(parts):
        part.step = counted(number, part.step)
    returns, lengths, _ = evaluate(lambda obs: np.zeros(len(obs), int), parts, 0.0, seed)
    assert returns.tolist() == lengths.tolist() == [50, 50, 1, 1, 50, 1]
    assert asked == [50, 1 + 50, 1 + 1]  # the one that was free first took the fifth, the other the sixth


def test_the_greedy_action_is_taken_but_for_epsilon():
    env = Marathon(6)
    evaluate(lambda obs: obs[:, 0, 0].astype(int) % 4, [env], 0.0, np.arange(6))
    for number, taken in enumerate(env.taken):  # by now the first ones are done
        assert taken[number:].tolist() == [0, 1, 2, 3, 0, 1][number:]
    env = Marathon(300)
    evaluate(lambda obs: np.zeros(len(obs), int), [env], 0.2, np.arange(300))
    playing = np.concatenate([taken[number:] for number, taken in enumerate(env.taken)])
    assert np.mean(playing > 0) == pytest.approx(0.2 * 3 / 4, abs=0.006)  # of the actions drawn, 1 in 4 is greedy
    assert not any(taken[:number].any() for number, taken in enumerate(env.taken))  # nobody is asked after its end


def test_chance_is_each_environments_own():
    """An environment depends neither on its neighbours nor on when they finish."""
    alone, seed = {}, np.array([11, 12, 13, 11])

    def course(chosen):
        env = Marathon(4)
        env.n = len(chosen)
        env.age, env.episode = np.zeros(len(chosen), int), np.full(len(chosen), 20)  # all last 20 steps and more
        evaluate(lambda obs: np.full(len(obs), 3), [env], 0.5, seed[chosen])
        return np.array(env.taken)[:20].T.tolist()

    for i in range(4):
        (alone[i],) = course([i])
    assert course([0, 1, 2, 3]) == [alone[0], alone[1], alone[2], alone[3]]
    assert alone[0] == alone[3] != alone[1] != alone[2] != alone[0]
    assert {action for actions in alone.values() for action in actions} == {0, 1, 2, 3}


def test_greedy_takes_the_best_action_of_the_first_if_there_are_two():
    greedy = make_greedy(lambda params, obs: params + obs[:, 0])
    assert greedy(jnp.array([0.0, 1.0, 1.0]), np.array([[[0, 0, 0]], [[5, 0, 0]]], np.float32)).tolist() == [1, 0]


def test_the_referee_uses_its_own_seeds_and_repeats_itself():
    task = find("gym/CartPole-v1")._replace(evaluation_episodes=5)

    def left(params, obs):
        return jnp.tile(params, (obs.shape[0], 1))

    def judge(seed):
        return Evaluator(task, seed, 0, Display(quiet=True))

    params = jnp.array([1.0, 0.0])
    one, two = judge(0).play(left, params, "test", ""), judge(0).play(left, params, "test", "")
    assert one == two and len(one.returns) == 5 and max(one.returns) <= 12
    assert one.returns == tuple(map(float, one.lengths)) and one.epsilon == 0.0
    first = seeds("test", 0, 5)
    assert one.seeds == (int(first[0]), int(first[-1]))
    evaluator = judge(0)
    streams = [evaluator.play(left, params, stream, "").seeds for stream in ("test", "validation", "promotion")]
    streams += [evaluator.random().seeds, judge(1).play(left, params, "test", "").seeds]
    assert len(set(streams)) == 5
    assert evaluator.random().epsilon == 1.0 and evaluator.random().returns == judge(0).random().returns
    assert evaluator.random().returns != judge(1).random().returns
    assert np.mean(evaluator.random().returns) > np.mean(one.returns)  # both actions are drawn


@pytest.mark.parametrize("workers", [2, 3])
def test_in_threads_the_same_episodes_and_the_same_chance(workers):
    seed, lock = np.array([1, 3, 4, 6, 5, 8, 10, 7]), threading.Lock()

    def course(many: int) -> tuple:
        told: list[tuple[int, ...]] = []

        def watch(*now: int) -> None:
            assert lock.acquire(blocking=False)  # never two at once
            told.append(now)
            lock.release()

        envs = [Lottery(seed[at : at + 1]) for at in range(4)]
        played = evaluate(lambda obs: np.zeros(len(obs), int), envs, 0.5, seed, watch, workers=many)
        assert told[-1] == (len(seed), played[1].sum()) and told == sorted(told)
        return tuple(part.tolist() for part in played)

    assert course(1) == course(workers) == ([50, 50, 1, 1, 50, 1, 1, 50],) * 3


def test_what_ends_one_thread_ends_all_and_is_raised():
    seed, steps = np.arange(1, 80, 2), []

    def watch(done: int, taken: int) -> None:
        steps.append(taken)
        if taken >= 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        evaluate(
            lambda obs: np.zeros(len(obs), int), [Lottery(seed[:1]), Lottery(seed[1:2])], 0.0, seed, watch, None, 2
        )
    assert steps[-1] == 10


@pytest.mark.parametrize("least, each", [(0, 2), (1, 2), (100, 2), (101, 3), (2_000, 20), (10**9, 7)])
def test_as_many_rounds_count_as_if_they_were_played_one_by_one(least, each):
    length = np.random.default_rng(0).integers(1, 90, evaluator.MOST)
    count = each
    while length[:count].sum() < least and count + each <= evaluator.MOST:
        count += each
    played = np.zeros(0, int)
    while more := evaluator.missing(played, each, least):
        played = length[: len(played) + more * each]
    assert evaluator.enough(played, each, least) * each == count
    assert len(played) <= 1.2 * count + each

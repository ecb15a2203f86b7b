"""The five games are MinAtar's, move by move; under JAX they are the same; a seed gives the package's own episodes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("minatar")

from minatar import Environment

from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.minatar.games import GAMES, act, begin
from reincarnate.benchmark.tasks.minatar.keys import Keys
from reincarnate.benchmark.tasks.minatar.streams import Streams
from reincarnate.benchmark.tasks.minatar_envs import MINATAR
from reincarnate.benchmark.tasks.task import find

from .genuine import CASES, environment

STATES = 2000


class Given:
    """Chance from given floats [draws, N], used one after another in each game."""

    def __init__(self, floats, xp=np):
        self.xp, self.n, self.floats, self.used = xp, floats.shape[1], floats, xp.zeros(floats.shape[1], int)

    def uniform(self, where=None, times=None):
        drawn = []
        for _ in range(times or 1):
            drawn.append(self.floats[self.used, self.xp.arange(self.n)])
            self.used = self.used + (1 if where is None else where)
        return drawn[0] if times is None else self.xp.stack(drawn)

    def below(self, high, where, times=None):
        return (self.uniform(where, times) * high).astype(int)


def one(state, i: int):
    """Return the state of the i-th game."""
    return type(state)(*(np.asarray(field)[..., i] for field in state))


def given(name: str, n: int, seed: int = 0):
    """Return random states, actions and draws."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(2**12, size=(GAMES[name].draws, n)) / 2**12  # so that float32 holds them, too
    return CASES[name].random(rng, n), rng.integers(GAMES[name].actions, size=n), draws


@pytest.mark.parametrize("name", MINATAR)
def test_a_move_is_the_packages_own(name):
    """From thousands of random states: the observation, the reward, the end, and every field of the next state."""
    game, case = GAMES[name], CASES[name]
    states, actions, draws = given(name, STATES)
    seen = game.look(np, states)
    after, reward, over = game.step(states, actions, Given(draws))
    seen_after, rewards, ends, changes = game.look(np, after), 0, 0, 0
    for i in range(STATES):
        env = environment(name, draws[:, i])
        case.put(one(states, i), env)
        assert np.array_equal(env.state(), seen[i])
        told = case.told(env)
        gained, ended = env.act(env.minimal_action_set()[actions[i]])
        assert (gained, ended) == (reward[i], over[i]), (i, told)
        assert case.told(env) == case.same(one(after, i)), (i, told)
        assert np.array_equal(env.state(), seen_after[i])
        rewards, ends, changes = rewards + (gained > 0), ends + ended, changes + (case.told(env) != told)
    assert rewards > STATES / 100 and STATES * 0.9 > ends > STATES / 50 and changes > STATES * 0.9


@pytest.mark.parametrize("name", MINATAR)
def test_the_same_code_under_jax_is_the_same_game(name):
    game = GAMES[name]
    states, actions, draws = given(name, 500, seed=1)
    host = game.step(states, actions, Given(draws))

    @jax.jit
    def step(states, actions, draws):
        after, reward, over = game.step(states, actions, Given(draws, jnp))
        return after, reward, over, game.look(jnp, after)

    after, reward, over, seen = step(states, actions, draws.astype(np.float32))
    for field, wanted in zip(after, host[0], strict=True):
        wanted = np.asarray(wanted)
        field = np.asarray(field)[: len(wanted)] if wanted.ndim == 2 else np.asarray(field)
        assert np.array_equal(field, wanted)  # of Seaquest's rows numpy has as many as are in use
    assert np.array_equal(reward, host[1]) and np.array_equal(over, host[2])
    assert np.array_equal(seen, game.look(np, host[0]))


def genuine_course(name: str, seed: int, actions: np.ndarray, limit: int):
    """Return observation before each action, reward, end and cut of the package's own game, as played before."""
    game = Environment(name, sticky_action_prob=0.1)
    game.seed(seed)
    game.reset()
    moves, age = game.minimal_action_set(), 0
    for action in actions:
        before = game.state()
        reward, ended = game.act(moves[action])
        age += 1
        cut, final = age >= limit and not ended, game.state()
        if ended or cut:
            game.reset()
            age = 0
        yield before, reward, ended, cut, final


@pytest.mark.parametrize("name", MINATAR)
def test_a_seed_gives_the_episodes_of_the_package(name):
    """Sticky actions and all draws are those of a `RandomState` with the game's seed, over several buffers of them."""
    seeds, steps, limit = np.array([0, 7, 2**31 - 1]), 1500, 400
    task = find(f"minatar/{name}")._replace(max_steps=limit)
    env, actions = make(task, seeds), np.random.default_rng(1).integers(6, size=(steps, 3)) % GAMES[name].actions
    courses = zip(*(genuine_course(name, int(s), actions[:, i], limit) for i, s in enumerate(seeds)), strict=True)
    ends = 0
    for chosen, wanted in zip(actions, courses, strict=True):
        before, reward, ended, cut, final = zip(*wanted, strict=True)
        assert np.array_equal(env.observe()[:, 0], before)
        told = env.step(chosen)
        assert told.reward.tolist() == list(reward) and told.reward.dtype == np.float32
        assert told.terminated.tolist() == list(ended) and told.truncated.tolist() == list(cut)
        assert np.array_equal(told.final, final)
        ends += sum(ended) + sum(cut)
    assert ends >= 9


def test_restarted_games_begin_with_their_seed_and_leave_others_alone():
    task = find("minatar/breakout")
    env, alone, anew = make(task, np.array([1, 2, 3])), make(task, np.array([1])), make(task, np.array([9]))
    for number in range(60):
        if number == 20:
            env.restart(np.array([2]), np.array([9]))
        told = env.step(np.full(3, number % 3))
        assert told.reward[0] == alone.step(np.full(1, number % 3)).reward[0]
        if number >= 20:
            anew.step(np.full(1, number % 3))
            assert np.array_equal(env.observe()[2], anew.observe()[0])
        assert np.array_equal(env.observe()[0], alone.observe()[0])


def test_streams_are_those_of_random_state():
    """Floats, numbers below any limit and several at once, drawn in some games only and across many refills."""
    streams, makers = Streams(np.arange(5)), [np.random.RandomState(seed) for seed in range(5)]
    rng = np.random.default_rng(0)
    for _ in range(3000):
        where, high = rng.random(5) < 0.7, rng.integers(1, 9, 5)
        floats, numbers = streams.uniform(where), streams.below(high, where)
        several, eight = streams.below(5, where, 8), streams.uniform(where, 8)
        for i in np.flatnonzero(where):
            assert floats[i] == makers[i].rand() and numbers[i] == makers[i].randint(high[i])
            assert np.array_equal(several[:, i], makers[i].randint(1, 6, 8) - 1)
            assert np.array_equal(eight[:, i], makers[i].rand(8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["breakout", "freeway"])
def test_games_on_a_device_depend_on_their_own_keys_only(name):
    """Many steps in one program, alone and beside others; episodes end, and begin differently."""
    game, keys = GAMES[name], jax.random.split(jax.random.key(3), 5)

    @jax.jit
    def course(keys):
        def step(carry, _):
            play, keys = carry
            keys, now = jnp.moveaxis(jax.vmap(lambda key: jax.random.split(key, 2))(keys), 1, 0)
            actions = (play.age // 3) % game.actions
            play, told = act(game, play, actions, Keys(now, game.draws), 0.1, 60)
            return (play, keys), (told.reward, told.terminated | told.truncated, told.obs)

        begun = begin(game, Keys(keys, game.draws))
        return jax.lax.scan(step, (begun, keys), None, 150)[1]

    together, alone = course(keys), course(keys[2:3])
    for some, single in zip(together, alone, strict=True):
        assert np.array_equal(some[:, 2:3], single)
    _, over, obs = together
    assert (np.asarray(over).sum(0) >= 2).all()
    first = [np.asarray(obs)[np.flatnonzero(over[:, i])[0], i] for i in range(5)]
    assert len({frame.tobytes() for frame in first}) > 1


def test_a_step_with_too_many_draws_is_refused():
    with pytest.raises(ValueError, match="makes 2 or more draws, but the game states 1"):
        jax.eval_shape(partial(_two_draws), jax.random.split(jax.random.key(0), 2))


def _two_draws(keys):
    chance = Keys(keys, 1)
    return chance.uniform(), chance.below(3, jnp.ones(2, bool))

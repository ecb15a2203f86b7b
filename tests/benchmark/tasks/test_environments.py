"""Environments keep the protocol, and the replay holds exactly what they showed."""

import inspect
from collections import Counter

import gymnasium
import numpy as np
import pytest
from ale_py import roms, vector_env
from gymnasium.envs.registration import EnvSpec

from reincarnate.benchmark.tasks.ale import atari_games
from reincarnate.benchmark.tasks.dmc_envs import NAMED
from reincarnate.benchmark.tasks.environments import STREAMS, make, seeds
from reincarnate.benchmark.tasks.minatar_envs import MINATAR
from reincarnate.benchmark.tasks.mujoco_envs import GAMES
from reincarnate.benchmark.tasks.task import find, known

from ..toys import Witness, filled, same_as_shown

BREAKOUT = find("atari/Breakout")


def play(env, steps: int, seed: int = 0):
    """Play random actions; every environment gets the same ones, so that each can be compared with one alone."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        yield env.step(np.full(env.n, rng.integers(env.actions)))


@pytest.mark.parametrize("max_steps", [27_000, 37])
def test_atari_stacks_from_the_replay_are_those_that_were_shown(max_steps):
    """Across the ends of games, truncation and the ring's end."""
    env = make(BREAKOUT._replace(max_steps=max_steps), seeds("train", 0, 3), threads=1)
    replay, witness = filled(env, 4, capacity=300, steps=450)
    ends = [row.terminal for rows in witness.rows for row in rows if row.action == -1]
    assert len(ends) > 3 and any(ends) == (max_steps > 37)
    assert all(len(rows) > 4 * 100 for rows in witness.rows)  # the ring of 100 rows each was filled several times
    places = same_as_shown(replay, witness, n_step=3, draws=1500)
    assert len(places) > 250


def test_atari_final_stack_is_the_environments_own():
    env = make(BREAKOUT._replace(max_steps=7), seeds("train", 0, 2), threads=1)
    own, told = env._env, {}  # pyright: ignore[reportAttributeAccessIssue]
    receive, witness = own.recv, Witness(env)

    def listen():
        answer = receive()
        told.update(answer[-1])
        return answer

    own.recv = listen
    for number in range(1, 22):
        witness.step(np.full(2, number % 4))
        if number % 7 == 0:
            for i in range(2):
                assert witness.rows[i][-1].action == -1
                assert np.array_equal(witness.rows[i][-1].shown, told["final_obs"][i])


def test_atari_pads_with_zeros_at_reset():
    env = make(BREAKOUT._replace(max_steps=2), seeds("train", 0, 2), threads=1)
    for _ in range(3):  # at the first reset, and after truncations
        first = env.observe().copy()
        assert first.shape == (2, 4, 84, 84) and first.dtype == np.uint8
        assert not first[:, :3].any() and first[:, 3].any(axis=(1, 2)).all()
        env.step(np.zeros(2, int))
        second = env.observe()
        assert not second[:, :2].any() and np.array_equal(second[:, 2], first[:, 3])
        env.step(np.zeros(2, int))


def test_atari_settings_are_all_given(monkeypatch):
    """ALE's defaults are not the protocol, and may change."""
    given = {}

    class Told(vector_env.AtariVectorEnv):
        def __init__(self, *names, **settings):
            given.update(settings)
            super().__init__(*names, **settings)

    monkeypatch.setattr(vector_env, "AtariVectorEnv", Told)
    for game, actions in (("Pong", 6), ("Freeway", 3), ("Breakout", 4)):
        assert make(find(f"atari/{game}"), seeds("train", 0, 1), threads=1).actions == actions  # the minimal sets
    known = set(inspect.signature(vector_env.AtariVectorEnv.__mro__[1].__init__).parameters)
    assert known - set(given) == {"self", "game", "num_envs"}
    protocol = {
        "max_num_frames_per_episode": 108_000,
        "repeat_action_probability": 0.25,
        "full_action_space": False,
        "autoreset_mode": "SameStep",
        "img_height": 84,
        "img_width": 84,
        "grayscale": True,
        "stack_num": 4,
        "frameskip": 4,
        "maxpool": True,
        "noop_max": 0,
        "episodic_life": False,
        "life_loss_info": False,
        "reward_clipping": False,
        "use_fire_reset": False,
    }
    assert {name: given[name] for name in protocol} == protocol


def test_atari_rewards_are_not_clipped_and_games_have_all_their_lives():
    env = make(find("atari/SpaceInvaders"), seeds("train", 0, 2), threads=1)
    told = list(play(env, 400))
    assert {5.0, 10.0, 15.0} <= {float(reward) for step in told for reward in step.reward}
    lengths = [number for number, step in enumerate(told) if step.terminated.any()]
    assert lengths and lengths[0] > 200  # the first of three lives is lost long before


def test_atari_games_are_cut_off_at_the_cap():
    assert BREAKOUT.max_steps == 27_000 and BREAKOUT.frame_skip == 4
    env = make(BREAKOUT._replace(max_steps=50), seeds("train", 0, 2), threads=1)
    for number, step in enumerate(play(env, 120), 1):
        assert not step.terminated.any()
        assert step.truncated.all() == step.truncated.any() == (number % 50 == 0)


def test_atari_actions_stick():
    """With the same seed and actions, games with and without sticky actions part ways."""
    shown = []
    for sticky in (0.25, 0.25, 0.0):
        env = make(BREAKOUT._replace(sticky=sticky), seeds("train", 0, 1), threads=1)
        list(play(env, 60))
        shown.append(env.observe().copy())
    assert np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[0], shown[2])


@pytest.mark.parametrize(
    ("name", "max_steps"), [("atari/Breakout", 45), ("minatar/asterix", 60), ("gym/CartPole-v1", 0)]
)
def test_the_same_seed_is_the_same_game(name, max_steps):
    """Alone or beside others, with one thread or two, also in later episodes."""
    task, seed = find(name)._replace(max_steps=max_steps), seeds("train", 3, 4)

    def course(chosen, threads):
        env = make(task, seed[chosen], threads)
        first = env.observe().copy()
        steps = [(*step, env.observe().copy()) for step in play(env, 100)]
        assert sum(step[1].sum() + step[2].sum() for step in steps) > len(chosen)  # games were begun anew
        return [first] + [array for step in steps for array in step]

    together = course([0, 1, 2, 3], 2)
    for chosen in ([0, 1, 2, 3], [2], [3, 1]):
        for all_of_them, some in zip(together, course(chosen, 1), strict=True):
            # where no game ends, `final` may be any frame: it is compared where it ends, by what comes after
            if some.shape[1:] == all_of_them.shape[1:]:
                assert np.array_equal(all_of_them[chosen], some)
    assert any(not np.array_equal(array[0], array[1]) for array in together)  # and another seed another one


def test_no_two_purposes_runs_or_members_share_a_seed():
    """Check every corner of the allowed ranges."""
    found = [
        seeds(stream, seed, 1024, member)
        for stream in STREAMS
        for seed in (0, 1, 7, 2**14 - 2, 2**14 - 1)
        for member in (0, 1, 14, 15)
    ]
    every = np.concatenate(found)
    assert len(np.unique(every)) == len(every) == len(STREAMS) * 5 * 4 * 1024
    later = np.concatenate([seeds(stream, 3, 1024, attempt=attempt) for stream in STREAMS for attempt in (1, 2)])
    assert not np.isin(later, every).any() and len(np.unique(later)) > 0.999 * len(later)
    assert every.dtype == np.int32 and every.min() == 0
    assert seeds("train", 5, 2).tolist() == seeds("train", 5, 9)[:2].tolist()


@pytest.mark.parametrize("what", [{"seed": -1}, {"seed": 2**14}, {"n": 1025}, {"member": 16}])
def test_seeds_that_others_have_are_refused(what):
    with pytest.raises(ValueError, match="seed"):
        seeds("train", **{"seed": 0, "n": 1, **what})


# -- Gymnasium


class Odd(gymnasium.Env):
    """Counts up; its actions are called 1 and 2; it is over after 3 steps and cut off after 2 if the action is 2."""

    observation_space = gymnasium.spaces.Box(-10, 10, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(2, start=1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.array([0.0, self.np_random.random()]), {}

    def step(self, action):
        assert action in (1, 2)
        self.count += 1
        obs = np.array([self.count, action], float)
        return obs, 10.0 * action, self.count == 3, self.count == 2 and action == 2, {}


@pytest.fixture
def odd():
    for name, limit in (("Odd-v0", None), ("Limited-v0", 2)):
        gymnasium.register(name, lambda **settings: Odd(), disable_env_checker=True, max_episode_steps=limit)
    yield
    for name in ("Odd-v0", "Limited-v0"):
        gymnasium.registry.pop(name)


def test_gym_ends_offsets_and_final_frames(odd):
    env = make(find("gym/Odd-v0"), seeds("train", 0, 2))
    assert env.actions == 2
    assert env.observe().shape == (2, 1, 2) and env.observe().dtype == np.float32
    env.step(np.array([0, 0]))
    told = env.step(np.array([0, 1]))  # the names are 1 and 2
    assert told.reward.tolist() == [10.0, 20.0] and told.reward.dtype == np.float32
    assert told.terminated.tolist() == [False, False] and told.truncated.tolist() == [False, True]
    assert told.final[1].tolist() == [2.0, 2.0]
    assert env.observe()[0, 0].tolist() == [2.0, 1.0] and env.observe()[1, 0, 0] == 0.0  # a new episode
    told = env.step(np.array([0, 0]))
    assert told.terminated.tolist() == [True, False] and told.truncated.tolist() == [False, False]
    assert told.final[0].tolist() == [3.0, 1.0] and env.observe()[0, 0, 0] == 0.0


def test_gym_time_limits_truncate(odd):
    env = make(find("gym/Limited-v0"), seeds("train", 0, 1))
    env.step(np.zeros(1, int))
    told = env.step(np.zeros(1, int))
    assert told.truncated.tolist() == [True] and told.terminated.tolist() == [False]


def test_cartpole_falls_and_is_cut_off():
    """Always pushed to one side it falls within 12 steps; the pole held upright lasts for the limit of 500."""
    env = make(find("gym/CartPole-v1"), seeds("train", 0, 2))
    told, number = env.step(np.zeros(2, int)), 1
    while not told.terminated.any():
        told, number = env.step(np.zeros(2, int)), number + 1
    assert not told.truncated.any() and 7 <= number <= 12
    who = int(np.flatnonzero(told.terminated)[0])
    assert abs(told.final[who, 2]) > 0.2095 > abs(env.observe()[who, 0, 2])  # 12 degrees

    env = make(find("gym/CartPole-v1"), seeds("train", 1, 1))
    for number in range(1, 501):
        _, speed, angle, spin = env.observe()[0, 0]
        told = env.step(np.array([int(angle + 0.3 * spin + 0.02 * speed > 0)]))
        assert not told.terminated[0] and told.truncated[0] == (number == 500)


def test_gym_replay_is_what_was_shown():
    replay, witness = filled(make(find("gym/CartPole-v1"), seeds("train", 0, 2)), 1, capacity=80, steps=150)
    assert len(same_as_shown(replay, witness, n_step=2, draws=500)) > 50


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gym/FrozenLake-v1", "only arrays"),
        ("gym/NoSuchThing-v0", "Gymnasium has no 'NoSuchThing-v0'"),
        ("gym/../../etc-v0", "Gymnasium has no"),
        ("gym/os:system-v0", "Gymnasium has no"),
        ("gym/CartPole-v99", "Gymnasium has no"),
        ("gym/PongNoFrameskip-v4", "is played here as atari/Pong, whole games with sticky actions 0.25: use that name"),
        ("BreakoutDeterministic-v4", "is played here as atari/Breakout, whole games"),
        ("gym/Pong-v5", "is played here as atari/Pong, whole games"),
        ("Pong-v5", "is played here as atari/Pong, whole games"),
        ("Breakout-v4", "is played here as atari/Breakout, whole games"),
        ("pong", "is played here as atari/Pong: use that name"),
        ("space_invaders", "is played here as atari/SpaceInvaders or minatar/space_invaders: use that name"),
        ("CartPole-v1", "is played here as gym/CartPole-v1: use that name"),
        ("cartpole", "there is no task 'cartpole'"),
        (
            "gym/LunarLander-v2",
            "LunarLander-v2 is retired: play gym/LunarLander-v3, where since v3 the wind starts afresh",
        ),
    ],
)
def test_gym_says_what_cannot_be_played(name, says):
    with pytest.raises(ValueError, match=says) as error:
        make(find(name), seeds("train", 0, 1))
    assert "\n" not in str(error.value)


def test_what_an_environment_needs_is_no_missing_environment(monkeypatch):
    def needy(**options):
        raise gymnasium.error.DependencyNotInstalled("Engine is not installed, run `pip install engine`")

    monkeypatch.setitem(gymnasium.registry, "Needy-v0", EnvSpec("Needy-v0", needy))
    with pytest.raises(ValueError, match="^gym/Needy-v0 needs something that is not installed: Engine is not inst"):
        make(find("gym/Needy-v0"), seeds("train", 0, 1))


def test_an_environment_of_ones_own_may_be_called_like_a_game(monkeypatch):
    spec = EnvSpec("Pong-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    monkeypatch.setitem(gymnasium.registry, "Pong-v0", spec)
    assert make(find("gym/Pong-v0"), seeds("train", 0, 1)).observe().shape == (1, 1, 4)


# -- MinAtar


@pytest.mark.parametrize("game", MINATAR)
def test_minatar(game):
    task = find(f"minatar/{game}")
    env = make(task, seeds("train", 0, 3))
    planes = {"asterix": 4, "breakout": 4, "freeway": 7, "seaquest": 10, "space_invaders": 6}[game]
    assert env.observe().shape == (3, 1, 10, 10, planes) and env.observe().dtype == np.bool_
    assert env.actions == {"asterix": 5, "breakout": 3, "freeway": 3, "seaquest": 6, "space_invaders": 4}[game]
    assert (task.sticky, task.frame_skip, task.network) == (0.1, 1, "minatar")

    replay, witness = filled(make(task._replace(max_steps=10), seeds("train", 0, 3)), 1, capacity=200, steps=150)
    assert len(same_as_shown(replay, witness, n_step=3, draws=500)) > 100
    lengths = [
        [int(n) for n in np.diff([-1, *(t for t, row in enumerate(rows) if row.action == -1)]) - 1]
        for rows in witness.rows
    ]
    cut = [not row.terminal for rows in witness.rows for row in rows if row.action == -1]
    assert max(map(max, lengths)) == 10 and any(cut)
    assert all(not whether or n == 10 for whether, n in zip(cut, sum(lengths, []), strict=True))


def test_minatar_seeds_differ():
    """Sticky actions and balls come from each game's own seed."""
    ends = []
    for seed in (0, 0, 1):
        env = make(find("minatar/breakout"), seeds("train", seed, 8))
        ends.append([step.terminated.tolist() for step in play(env, 40)])
    assert ends[0] == ends[1] != ends[2]
    assert len({tuple(column) for column in zip(*ends[0], strict=True)}) > 4


# -- tasks


def test_every_listed_task_is_found():
    names = [name for name, _ in known() if "<" not in name]
    families = Counter(name.partition("/")[0] for name in names)
    assert families.pop("atari") == len(atari_games()) > 100
    assert families == {"minatar": 5, "balloon": 2, "mujoco": len(GAMES), "dmc": len(NAMED)}
    playable = {find(name).env for name in names if name.startswith("atari/")}
    assert playable == set(roms.get_all_rom_ids()) - {"combat", "joust", "maze_craze", "warlords"}  # those are for two
    assert all(find(name).name == name for name in names)
    assert find("atari/SpaceInvaders").environment == "ALE/SpaceInvaders-v5"
    assert {f"ALE/{name}-v5" for name in atari_games()} <= set(gymnasium.registry)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "atari",
        "atari/",
        "atari/Nope",
        "atari/Joust",
        "minatar/Nope",
        "gym/",
        "gym",
        "x/y",
        "/",
    ],
)
def test_other_tasks_are_not(name):
    with pytest.raises(ValueError, match="there is no task"):
        find(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("atari/pong", "atari/Pong"),
        ("ALE/Pong-v5", "atari/Pong"),
        ("gym/ALE/SpaceInvaders-v5", "atari/SpaceInvaders"),
        ("atari/space_invaders", "atari/SpaceInvaders"),
        ("minatar/Breakout", "minatar/breakout"),
        ("MinAtar/SpaceInvaders-v1", "minatar/space_invaders"),
    ],
)
def test_names_that_others_give_a_game_are_understood(name, meant):
    assert find(name) == find(meant) and find(name).name == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gym/PongNoFrameskip-v4", "atari/Pong, whole games with sticky actions"),
        ("PongDeterministic-v4", "atari/Pong, whole games with sticky actions"),
        ("CartPole-v1", "gym/CartPole-v1"),
    ],
)
def test_names_of_other_protocols_are_refused_by_the_task_that_is_meant(name, meant):
    with pytest.raises(ValueError, match=f"is played here as {meant}"):
        find(name)

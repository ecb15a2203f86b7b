"""MuJoCo's tasks by Gymnasium and by dm_control: their answers, their names, and missing packages."""

import subprocess
import sys

import numpy as np
import pytest

from reincarnate.benchmark.tasks import dmc_envs, mujoco_envs
from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.task import canonical, find
from reincarnate.datasets.transition import Box

HERE = {"mujoco": not mujoco_envs.missing(*mujoco_envs.NEEDED), "dmc": not mujoco_envs.missing("dm_control")}
SEEDS = np.array([3, 4], np.int32)


def needs(extra: str):
    """Run a test where the libraries of an extra are installed."""
    return pytest.mark.skipif(not HERE[extra], reason=f'not installed: pip install "reincarnate[{extra}]"')


def played(task, steps: int, seeds=SEEDS) -> list[np.ndarray]:
    """Play random actions and return all that came of them."""
    env, luck = make(task, seeds), np.random.default_rng(0)
    assert isinstance(env.actions, Box)
    told = [env.observe()[:, 0]]
    for _ in range(steps):
        step = env.step(luck.uniform(env.actions.low, env.actions.high, (env.n, env.actions.size)).astype(np.float32))
        told += [step.reward, step.terminated, step.truncated, step.final, env.observe()[:, 0]]
    return told


def test_their_names():
    assert canonical("gym/HalfCheetah-v5") == canonical("HalfCheetah-v5") == "mujoco/HalfCheetah-v5"
    assert canonical("gym/HalfCheetah-v4") == "gym/HalfCheetah-v4"
    cheetah, humanoid = find("mujoco/HalfCheetah-v5"), find("dmc/humanoid-run")
    assert cheetah.environment == "HalfCheetah-v5" and cheetah.protocol()["max_steps"] == 1_000
    assert find("mujoco/Reacher-v5").max_steps == 50 and humanoid.max_steps == 1_000
    assert find("dmc/ball_in_cup-catch").env == "ball_in_cup-catch"
    for wrong in ("mujoco/HalfCheetah", "mujoco/Cow-v5", "dmc/humanoid", "dmc/../run"):
        with pytest.raises(ValueError, match="there is no task"):
            find(wrong)


@pytest.mark.parametrize(
    ("name", "command"),
    [("mujoco/Hopper-v5", 'pip install "reincarnate[mujoco]"'), ("dmc/walker-walk", 'pip install "reincarnate[dmc]"')],
)
def test_what_is_missing_is_one_sentence(name, command, monkeypatch):
    for room in (mujoco_envs, dmc_envs):
        monkeypatch.setattr(room, "missing", lambda *names: list(names))
    with pytest.raises(ValueError) as told:
        make(find(name), SEEDS)
    assert str(told.value).endswith(f"not installed here: {command}") and "\n" not in str(told.value)
    lines = [*mujoco_envs.MujocoFamily().known(), *dmc_envs.DmcFamily().known()]
    assert any(line.endswith(f"needs {command}") for _, line in lines)


CASES = [
    pytest.param(name, seen, actions, marks=needs(name.partition("/")[0]))
    for name, seen, actions in (("mujoco/HalfCheetah-v5", 17, 6), ("dmc/cheetah-run", 17, 6))
]


@pytest.mark.parametrize(("name", "seen", "actions"), CASES)
def test_an_episode_is_that_of_its_seed_and_begins_anew(name, seen, actions):
    task = find(name)
    first, again = played(task, 5), played(task, 5)
    assert first[0].shape == (2, seen) and first[0].dtype == np.float32
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    env = make(task, SEEDS)
    env.step(np.ones((2, actions), np.float32))
    env.restart(np.array([1]), SEEDS[:1])
    np.testing.assert_array_equal(env.observe()[1, 0], first[0][0])


@needs("dmc")
def test_dm_controls_episodes_are_cut_off_and_do_not_end():
    told = played(find("dmc/cartpole-swingup"), 1_001, SEEDS[:1])
    ends = [i for i in range(1_001) if told[1 + 5 * i + 2][0]]
    assert ends == [999] and not any(told[1 + 5 * i + 1][0] for i in range(1_001))
    final, after = told[1 + 5 * 999 + 3], told[1 + 5 * 999 + 4]
    assert not np.array_equal(final, after)  # the next episode has begun


@needs("mujoco")
def test_hopper_falls_and_that_is_an_end():
    told = played(find("mujoco/Hopper-v5"), 200, SEEDS[:1])
    ends = [(told[1 + 5 * i + 1][0], told[1 + 5 * i + 2][0]) for i in range(200)]
    assert (True, False) in ends and (False, True) not in ends


@needs("dmc")
def test_a_task_that_dm_control_has_not_is_one_sentence():
    with pytest.raises(ValueError, match="dm_control has no 'cheetah-runs': did you mean cheetah-run"):
        make(find("dmc/cheetah-runs"), SEEDS)


@pytest.mark.parametrize("name", [pytest.param("mujoco/Hopper-v5", marks=needs("mujoco")),
                                  pytest.param("dmc/walker-walk", marks=needs("dmc"))])  # fmt: skip
def test_a_picture_is_drawn_or_one_sentence_says_what_is_missing(name):
    from reincarnate.benchmark.tasks.task import FAMILIES

    task = find(name)
    bounds = make(task, SEEDS).actions
    assert isinstance(bounds, Box)
    actions = [np.zeros(bounds.size, np.float32)] * 2
    try:
        rate, drawn = FAMILIES[task.family].draw(task, 3, actions)
    except ValueError as error:
        assert "MUJOCO_GL=egl" in str(error) and "\n" not in str(error)
        return
    frames = [frame for frame, _ in drawn]
    assert rate > 0 and len(frames) == 2 and frames[0].shape[2] == 3 and frames[0].any()


WARNED = """
import sys
import numpy as np
from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.task import find
env = make(find(sys.argv[1]), np.array([3], np.int32))
if sys.argv[2:]:
    import mujoco
    ball = "<worldbody><body><freejoint/><geom size='1'/></body></worldbody>"
    model = mujoco.MjModel.from_xml_string(f"<mujoco>{ball}</mujoco>")
    data = mujoco.MjData(model)
    for _ in range(3):
        data.qpos[:] = np.nan
        mujoco.mj_step(model, data)
"""


@pytest.mark.parametrize(("name", "seen", "actions"), CASES)
def test_what_mujoco_warns_of_is_told_once_and_leaves_no_file(name, seen, actions, tmp_path):
    def said(*more: str) -> str:
        command = [sys.executable, "-c", WARNED, name, *more]
        return subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=True).stderr

    assert said() == ""
    assert said("fall").count("MuJoCo: Nan, Inf or huge value in QPOS") == 1
    assert not list(tmp_path.iterdir())

"""Teachers from named arrays and back, and what is said when they do not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import build
from reincarnate.agents.teacher import absent, flatten, restore, values

MLP, OBS = Architecture("mlp", {"size": 4, "depth": 1}), np.ones((1, 1, 3), np.float32)
KERNEL = "params/Dense_0/kernel"


@pytest.fixture
def arrays():
    return flatten(jax.jit(build(MLP, 2).init)(jax.random.key(0), jnp.asarray(OBS)))


def test_there_and_back(arrays):
    assert {name: array.shape for name, array in arrays.items()} == {
        KERNEL: (3, 4),
        "params/Dense_0/bias": (4,),
        "params/Dense_1/kernel": (4, 2),
        "params/Dense_1/bias": (2,),
    }
    teacher = restore(MLP, 2, OBS, arrays)
    hidden = np.maximum(OBS[:, 0] @ arrays[KERNEL], 0.0)
    np.testing.assert_allclose(values(teacher)(OBS), hidden @ arrays["params/Dense_1/kernel"], rtol=1e-5)
    assert all(np.array_equal(array, arrays[name]) for name, array in flatten(teacher.params).items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop(KERNEL), f"{KERNEL} do not match"),
        (lambda a: a.update(extra=np.zeros(1)), "extra do not match"),
        (lambda a: a.update({KERNEL: np.zeros((4, 4), np.float32)}), r"float32\[4, 4\].*needs float32\[3, 4\]"),
        (lambda a: a.update({KERNEL: np.zeros((3, 4), np.float64)}), r"float64\[3, 4\].*needs float32\[3, 4\]"),
    ],
)
def test_what_does_not_fit_is_named(arrays, change, words):
    change(arrays)
    with pytest.raises(ValueError, match=words):
        restore(MLP, 2, OBS, arrays)


def test_a_teacher_of_another_task_is_refused(arrays):
    with pytest.raises(ValueError, match="Dense_1"):
        restore(MLP, 3, OBS, arrays)
    with pytest.raises(ValueError, match="Dense_0/kernel"):
        restore(MLP, 2, np.ones((1, 4, 3), np.float32), arrays)
    with pytest.raises(ValueError, match="no network"):
        restore(Architecture("transformer"), 2, OBS, arrays)


def test_an_absent_teacher_says_so():
    with pytest.raises(ValueError, match="--teacher"):
        values(absent())(OBS)

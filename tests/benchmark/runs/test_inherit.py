"""A student's optimizer: kept by its run, promoted with it, and where its own student begins."""

import jax
import numpy as np
import optax
import pytest

from reincarnate.agents import keywords, moments
from reincarnate.agents.learner import init_learner
from reincarnate.benchmark.prior.load import OPTIMIZER, pull_teacher
from reincarnate.benchmark.prior.promote import promote
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.teachers import weights

TASK = "gym/CartPole-v1"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """Return a promoted student of 50 updates."""
    at = tmp_path_factory.mktemp("lineage")
    small = {"batch_size": 4, "network": "mlp:size=8", "updates_per_step": 1.0}
    run(TASK, "dqn", "updates=50", settings=small, out=at / "run", points=(0.5, 1.0), episodes=1, environments=2)
    promote(at / "run", at / "teacher", "local/small", episodes=1)
    promote(at / "run", at / "early", "local/early", episodes=1, at=early(at / "run"))
    return at / "teacher"


def early(folder) -> int:
    return int(min((folder / "students").iterdir()).name.split(".")[0])


def learner(method, teacher):
    params = jax.tree.map(np.zeros_like, teacher.params)
    return method.init(init_learner(method, params), teacher)


def test_the_optimizer_of_the_last_student_is_promoted_with_it(teacher):
    kept = weights.load(teacher / OPTIMIZER)
    assert kept["0/count"] == 50 and kept["0/mu/params/Dense_0/kernel"].any()
    assert not (teacher.parent / "early" / OPTIMIZER).exists()  # an earlier one's is gone


def test_its_student_goes_on_with_what_it_had_gathered(teacher):
    guide, _ = pull_teacher(str(teacher), "bundled", find(TASK))
    start = learner(keywords.make("fine_tuning", {}), guide)
    kept = weights.load(teacher / OPTIMIZER)
    found = moments.named(start.opt_state)
    assert set(found) == set(kept) and all(np.array_equal(found[name], kept[name]) for name in kept)
    assert optax.tree.get(learner(keywords.make("fine_tuning", {"moments": "false"}), guide).opt_state, "count") == 0
    other, _ = pull_teacher(str(teacher.parent / "early"), "bundled", find(TASK))
    assert optax.tree.get(learner(keywords.make("fine_tuning", {}), other).opt_state, "count") == 0


def test_another_optimizer_is_refused_in_one_sentence(teacher):
    guide, _ = pull_teacher(str(teacher), "bundled", find(TASK))
    with pytest.raises(ValueError, match="differs from the student's: start with fresh moments"):
        learner(keywords.make("fine_tuning", {"base": "nature_dqn"}), guide)

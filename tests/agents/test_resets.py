"""Resets by hand: what is left of each layer, when they come, and n and discount after them."""

import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import resets
from reincarnate.agents.learner import init_learner
from reincarnate.agents.methods.bc_rl import bc_rl
from reincarnate.agents.methods.dqn import dqn
from reincarnate.agents.methods.pbt_small import pbt_small

BBF = {"first_n_step": 10, "n_step": 3, "first_discount": 0.97, "discount": 0.997, "anneal": 10_000}


def learner_of(method, **layers):
    return init_learner(method, {"params": {name: jnp.full(1, value) for name, value in layers.items()}})


def test_layers_that_read_images_shrink_and_the_others_begin_anew():
    method = dqn()
    old, new = learner_of(method, Conv_0=8.0, Dense_0=8.0), learner_of(method, Conv_0=2.0, Dense_0=2.0)
    used = method.optimizer.update(old.params, old.opt_state, old.params)[1]
    behind = {"params": {"Conv_0": jnp.full(1, 4.0), "Dense_0": jnp.full(1, 4.0)}}
    after = method.renew(old._replace(target=behind, opt_state=used, updates=jnp.asarray(7)), new, 0.25)
    assert {name: float(value[0]) for name, value in after.params["params"].items()} == {"Conv_0": 3.5, "Dense_0": 2.0}
    assert {name: float(value[0]) for name, value in after.target["params"].items()} == {"Conv_0": 2.5, "Dense_0": 2.0}
    assert after.updates == 7 and after.opt_state is new.opt_state


def test_without_images_all_layers_shrink():
    method = dqn()
    after = method.renew(learner_of(method, Dense_0=8.0), learner_of(method, Dense_0=2.0), 0.5)
    assert float(after.params["params"]["Dense_0"][0]) == 5.0


def test_what_a_clone_remembers_and_a_populations_factors_stay():
    method = bc_rl()
    old, new = learner_of(method, memory=8.0, student=8.0), learner_of(method, memory=2.0, student=2.0)
    after = method.renew(old, new, 0.5).params["params"]
    assert (float(after["memory"][0]), float(after["student"][0])) == (8.0, 5.0)
    many = pbt_small()
    member = learner_of(many, Dense_0=8.0)
    state, scale = member.opt_state
    scale = scale._replace(hyperparams={"step_size": jnp.asarray(0.8)})
    after = many.renew(member._replace(opt_state=(state, scale)), learner_of(many, Dense_0=2.0), 0.5)
    assert float(after.opt_state[1].hyperparams["step_size"]) == pytest.approx(0.8)
    assert float(after.params["params"]["Dense_0"][0]) == 5.0


@pytest.mark.parametrize(
    ("done", "wanted", "now"),
    [(0, 0, False), (19_999, 0, False), (20_000, 20_000, True), (39_999, 20_000, False), (70_000, 60_000, False)],
)
def test_resets_come_while_there_is_time_to_recover(done, wanted, now):
    """Of 85,000 updates: at 20, 40 and 60 thousand; one at 80 would leave 5."""
    method = dqn(reset_period=20_000)
    assert resets.latest(method, done, 85_000) == wanted and resets.due(method, done, 85_000) == now
    assert not resets.due(method, 80_000, 85_000) and resets.due(method, 60_000, 80_000)
    assert resets.latest(dqn(), done, 85_000) == 0 and not resets.due(dqn(), done, 85_000)


@pytest.mark.parametrize(("since", "n_step"), [(0, 10), (5_000, 5), (9_000, 3), (10_000, 3), (50_000, 3)])
def test_n_falls_by_a_constant_factor(since, n_step):
    """Half way it is the geometric mean of 10 and 3, 5.48; at 9,000 it is 3.38."""
    assert resets.n_step(dqn(**BBF), since) == n_step
    assert resets.n_step(dqn(n_step=4), since) == 4 and resets.longest(dqn(**BBF)) == 10 and resets.longest(dqn()) == 3


@pytest.mark.parametrize(
    ("since", "discount"), [(0, 0.97), (5_000, 1 - np.sqrt(0.03 * 0.003)), (10_000, 0.997), (20_000, 0.997)]
)
def test_the_discount_rises_as_its_distance_to_1_falls(since, discount):
    assert resets.discount(dqn(**BBF), since) == pytest.approx(discount)
    assert resets.discount(dqn(), since) == 0.99

"""The methods on continuous actions, on values worked out by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import control, keywords, policies, presets
from reincarnate.agents.learner import init_learner
from reincarnate.agents.method import Architecture, Clock, Method, Progress, Teacher
from reincarnate.agents.methods import cal_ql, pex
from reincarnate.agents.methods.residual import residual
from reincarnate.agents.networks import build
from reincarnate.agents.optimizers import by_part
from reincarnate.datasets.transition import Box, Transition

NONE: Any = np.zeros((2, 1, 1), np.float32)
SOME: Any = np.ones((2, 1, 1), np.float32)
BOX = Box((-1.0, -1.0), (1.0, 1.0))
OWN, TASK = Architecture("actor_critic", {"width": 8, "depth": 1}), Architecture("mlp")
SURE = -15.0  # log of next to no deviation


def at(offline=0.0, spent=0.5, score=0.4, key=0) -> Any:
    return Progress(jnp.float32(offline), jnp.float32(spent), 1_000.0, score, 0.0, jax.random.key(key))


def table(critics: Any, deviation: float = SURE) -> Any:
    """Return a student whose mean action is a tenth of the state, the frozen one's a fifth, and V seven times it.

    Its critics weigh state and action; its policy has the state as its mean before the hyperbolic tangent.
    """

    def values(obs: Any, /, action: Any = None, method: str = "__call__", **options: Any) -> Any:
        state = jnp.asarray(obs).reshape(len(obs), -1)
        told = {
            "policy": lambda: (state, jnp.full_like(state, deviation)),
            "past": lambda: state / 5.0,
            "worth": lambda: 7.0 * state[:, 0],
            "log_temperature": lambda: jnp.log(0.5),
            "__call__": lambda: state / 10.0,
        }
        if method in told:
            return told[method]()
        return jnp.stack([a * state[:, 0] + b * action[:, 0] for a, b in critics])

    return values


def says(action: float) -> Any:
    return lambda obs, **options: jnp.full((len(obs), 1), action)


def silent(obs: Any, **options: Any) -> Any:
    raise AssertionError("nobody may ask the teacher")


def batch(action=0.25, reward=1.0, discount=0.5, ahead=5.0) -> Transition:
    """Return two steps from a state of 1 to one of 0."""
    given = (np.full((2, 1), action, np.float32), np.full(2, reward), np.full(2, discount))
    return Transition(SOME, *given, NONE, np.zeros(2), np.full(2, ahead))


def terms_of(method: Method, student: Any, target: Any, teacher: Any, steps: Transition, progress: Any) -> Any:
    """Return the loss's terms, compiled as one program: one operation after the other takes ten times as long."""
    return jax.jit(lambda *given: method.loss(student, target, teacher, *given))(steps, progress)


def plays_of(method: Method, student: Any, teacher: Any, obs: Any, clock: Clock, progress: Any) -> Any:
    """Return what a method plays, compiled likewise."""
    return jax.jit(lambda *given: method.act(student, teacher, *given))(obs, clock, progress)


proposed = jax.jit(pex.proposed, static_argnums=1)
STUDENT, TARGET = table([(3, 0), (0, 4)]), table([(2, -1), (2, 5)])


def made(name: str, **settings: Any) -> Method:
    return keywords.make(name, {"base": "td3", **settings})


def test_qdagger_pulls_the_actor_in_proportion_to_what_its_values_are():
    """The teacher says 0.5 where the student does 0.1, whose own term is -3: 3 * (1 - 0.4) * 3 * 0.4^2."""
    method = made("qdagger", warmup=0, smoothing=0)
    terms = terms_of(method, STUDENT, TARGET, says(0.5), batch(), at())
    assert jnp.allclose(terms["actor"], -3.0) and jnp.allclose(terms["distill"], 3 * 0.6 * 3 * 0.16)
    assert method.delayed == ("actor", "temperature", "distill")  # the critics learn nothing from the teacher
    late = terms_of(method, STUDENT, TARGET, says(0.5), batch(), at(spent=0.7))
    assert jnp.allclose(late["distill"], 0.0) and bool(method.weaned(at(spent=0.7)))
    with pytest.raises(ValueError, match="catch_up needs action values"):
        made("qdagger", catch_up=0.5)


def test_dagger_copies_the_actor_and_nothing_else():
    method = made("dagger")
    terms = terms_of(method, STUDENT, TARGET, says(0.5), batch(), at())
    assert [*terms] == ["distill"] and jnp.allclose(terms["distill"], 3 * 0.16) and method.delay == 1


def test_bc_rl_clones_while_the_critics_learn_and_then_stays_near_the_clone():
    method = made("bc_rl", smoothing=0)
    before = terms_of(method, STUDENT, TARGET, silent, batch(), at(offline=1.0))
    assert jnp.allclose(before["imitate"], (np.tanh(1.0) - 0.25) ** 2, atol=1e-4)
    assert jnp.allclose(before["actor"], 0.0) and jnp.allclose(before["distill"], 0.0) and (before["td"] > 0).all()
    after = terms_of(method, STUDENT, TARGET, silent, batch(), at())
    assert jnp.allclose(after["distill"], 0.2 * 0.1**0.5 * 3 * 0.01, rtol=1e-5)  # 0.1 beside the clone's 0.2
    assert jnp.allclose(after["actor"], -3.0) and jnp.allclose(after["imitate"], 0.0)
    net: Any = build(method.network(OWN, None), BOX)
    learner = init_learner(method, jax.jit(net.init)(jax.random.key(0), np.zeros((1, 1, 3), np.float32)))
    mine, held = (method.go_online(learner).params["params"][part] for part in ("actor", "frozen"))
    jax.tree.map(np.testing.assert_array_equal, mine, held)


def test_jsrl_plays_the_teachers_actions_at_first():
    method = made("jsrl", horizon=1, decay=1.0, explore=0, noise=0)
    clock = Clock(np.arange(2), np.array([0, 1]))
    assert plays_of(method, STUDENT, says(0.7), SOME, clock, at()).tolist() == [
        [pytest.approx(0.7)],
        [pytest.approx(0.1)],
    ]
    assert jnp.allclose(plays_of(method, STUDENT, says(0.7), SOME, clock, at(spent=0.7)), 0.1)  # beyond the deadline


def test_rlpd_has_the_authors_numbers():
    """Ten layer-normed critics, two of them asked, 20 updates of them for one of the actor, half of them entropy."""
    known = keywords.known(keywords.find("rlpd"), keywords.find("sac"))
    settings = presets.settings("control", "rlpd", "sac", known)
    method = keywords.make("rlpd", settings)
    options = method.network(TASK, None).options
    assert (options["members"], options["layer_norm"], options["stochastic"]) == (10, True, True)
    assert (method.updates_per_step, method.delay, method.batch_size, method.log_share(at())) == (20, 20, 256, 0.5)
    assert settings["entropy"] == -0.5 and method.target_rate == 0.005


def test_conservative_values_by_hand():
    """Of two members: log(e^(1 + log 2) + e^2) - 3, and log(e^(0 + log 2) + e^0) - 1."""
    each, density = jnp.array([[[1.0, 2.0]], [[0.0, 0.0]]]), jnp.array([[-np.log(2.0), 0.0]])
    found = policies.conservative(each, density, jnp.array([[3.0], [1.0]]), 1.0)
    wanted = (np.log(2 * np.e + np.e**2) - 3 + np.log(3.0) - 1) / 2
    assert found.tolist() == [pytest.approx(wanted, rel=1e-5)]
    warm = policies.conservative(each[:1], density, jnp.array([[3.0]]), 2.0)
    assert warm.tolist() == [pytest.approx(2 * np.log(np.exp((1 + np.log(2)) / 2) + np.e) - 3, rel=1e-5)]


@pytest.mark.parametrize(("ahead", "raised"), [(5.0, 5.0), (-np.inf, 2.0)])
def test_cal_ql_lifts_the_policys_actions_to_the_return_that_was_seen(ahead, raised):
    """All critics say 2; of the three draws two are the policy's, and only these are lifted."""
    student, key = table([(2, 0), (2, 0)], -1.0), jax.random.key(4)
    flat: Any = lambda obs, **options: student(jnp.ones_like(obs), **options)  # noqa: E731
    found = jax.jit(cal_ql.pessimism, static_argnums=(0, 3))(flat, batch(ahead=ahead), key, 1, 1.0)
    drawn = [policies.drawn(k, (jnp.ones((2, 1)), jnp.full((2, 1), -1.0)))[1] for k in jax.random.split(key, 3)[1:]]
    wanted = np.log(2 * np.exp(2.0) + sum(np.exp(raised - np.asarray(density)) for density in drawn)) - 2.0
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.slow
def test_cal_ql_stays_pessimistic_and_wsrl_does_not():
    calm = keywords.make("cal_ql", {"base": "sac", "draws": 2})
    warm = keywords.make("wsrl", {"base": "sac", "draws": 2, "members": 2})
    student = table([(3, 0), (0, 4)], -1.0)
    for offline in (1.0, 0.0):
        each = [terms_of(one, student, student, silent, batch(), at(offline=offline)) for one in (calm, warm)]
        assert (jnp.abs(each[0]["conservative"]) > 0.1).all()
        assert bool((jnp.abs(each[1]["conservative"]) > 0.1).all()) == (offline == 1.0)
        assert {"td", "actor", "temperature", "conservative"} == {*each[0]} == {*each[1]}
    key = jax.random.fold_in(jax.random.key(0), 1)
    low = 5 * cal_ql.pessimism(student, batch(), key, 2, 1.0)
    np.testing.assert_allclose(each[0]["conservative"], low, rtol=1e-5)
    options = warm.network(TASK, None).options
    assert (options["members"], options["layer_norm"], warm.updates_per_step) == (2, True, 4.0)


def test_pex_learns_as_iql_and_clones_what_is_better():
    """The target's least at the logged action is 1.75 and V 7; the goal of Q is 1 + 0.5 * 0."""
    method = keywords.make("pex", {"base": "sac", "sharpness": 0.1})
    student, target = table([(3, 0), (0, 4)], -1.0), table([(2, -1), (2, 5)], -1.0)
    terms = terms_of(method, student, target, silent, batch(), at(offline=1.0))
    assert jnp.allclose(terms["value"], 0.1 * 5.25**2, rtol=1e-5)  # below V: 1 - 0.9 of the square
    assert jnp.allclose(terms["td"], ((3.0 - 1.0) ** 2 + (1.0 - 1.0) ** 2) / 2)
    density = policies.log_probability((jnp.ones((2, 1)), jnp.full((2, 1), -1.0)), jnp.full((2, 1), 0.25))
    assert jnp.allclose(terms["actor"], -np.exp(-0.525) * density, rtol=1e-5)
    online = terms_of(method, student, target, silent, batch(), at())
    action = proposed(jax.random.key(0), student, SOME, 0.1)
    gain = jnp.minimum(2.0 - action[:, 0], 2.0 + 5.0 * action[:, 0]) - 7.0
    again = policies.log_probability((jnp.ones((2, 1)), jnp.full((2, 1), -1.0)), action)
    assert jnp.allclose(online["actor"], -jnp.exp(0.1 * gain) * again, rtol=1e-4)


def test_pex_draws_between_its_two_policies_by_their_values():
    upward, downward = table([(0, 1), (0, 1)]), table([(0, -1), (0, -1)])
    key = jax.random.key(0)
    assert jnp.allclose(proposed(key, upward, SOME, 1e-3), np.tanh(1.0), atol=1e-4)  # the new one's draw
    assert jnp.allclose(proposed(key, downward, SOME, 1e-3), 0.2)  # the frozen one's mean
    many: Any = jnp.ones((4_000, 1, 1))
    share = float((proposed(key, upward, many, 1.0) > 0.5).mean())
    assert share == pytest.approx(1 / (1 + np.exp(0.2 - np.tanh(1.0))), abs=0.03)


@pytest.mark.slow
def test_pex_freezes_the_logs_policy_and_begins_with_a_fresh_one():
    method = keywords.make("pex", {"base": "sac", "network": "actor_critic:width=8,depth=1"})
    net: Any = build(method.network(TASK, None), BOX)
    obs = np.ones((1, 1, 3), np.float32)
    learner = init_learner(method, jax.jit(net.init)(jax.random.key(0), obs))
    after = method.go_online(learner)
    for was, now in (("actor", "frozen"), ("frozen", "actor"), ("critics", "critics"), ("value", "value")):
        jax.tree.map(np.testing.assert_array_equal, after.params["params"][now], learner.params["params"][was])
    scored, mine, old = (net.apply(after.params, obs, **how) for how in ({}, {"method": "policy"}, {"method": "past"}))
    worth = [net.apply(after.params, obs, action=a, method="judge").min() for a in (jnp.tanh(mine[0]), old)]
    assert jnp.allclose(scored, old if worth[1] > worth[0] else jnp.tanh(mine[0]))


def test_ibrl_takes_the_better_proposal_to_play_and_for_its_goals():
    """Of the target's two critics, -a and 5 a at a state of 0, the least counts."""
    method = keywords.make("ibrl", {"base": "td3", "members": 2, "explore": 0, "noise": 0, "n_step": 1})
    _, shake, _ = jax.random.split(jax.random.key(0), 3)
    mine = policies.noised(shake, jnp.zeros((2, 1)), 0.1, 0.3)[:, 0]
    own = jnp.minimum(-mine, 5 * mine)
    judged = jnp.stack([jnp.full(2, 3.0), jnp.full(2, 1.0)])
    for theirs in (0.01, -0.9):
        terms = terms_of(method, STUDENT, TARGET, says(theirs), batch(), at())
        ahead = jnp.maximum(own, min(-theirs, 5 * theirs))
        assert jnp.allclose(terms["td"], policies.squared(judged, 1.0 + 0.5 * ahead), rtol=1e-5)
        assert jnp.allclose(terms["actor"], -0.4)  # the least of 3 and 4 * 0.1
    weaned = terms_of(method, STUDENT, TARGET, says(0.01), batch(), at(spent=0.7))
    assert jnp.allclose(weaned["td"], policies.squared(judged, 1.0 + 0.5 * own), rtol=1e-5)
    upward, clock = table([(0, 1), (0, 2)]), Clock(np.arange(2), np.arange(2))
    plays = [plays_of(method, upward, says(theirs), SOME, clock, at()).tolist() for theirs in (0.7, -0.7)]
    assert plays == [[[pytest.approx(0.7)]] * 2, [[pytest.approx(0.1)]] * 2]


@pytest.mark.slow
def test_residual_adds_to_its_teacher_and_begins_as_it():
    theirs = Architecture("actor_critic", {"width": 4, "depth": 1, "members": 3, "stochastic": True})
    method, obs = residual(network="actor_critic:width=8,depth=1"), np.random.default_rng(0).normal(size=(5, 1, 3))
    guide: Any = build(theirs, BOX)
    net: Any = build(method.network(TASK, theirs), BOX)
    weights = jax.jit(guide.init)(jax.random.key(1), obs)
    learner = method.init(
        init_learner(method, jax.jit(net.init)(jax.random.key(2), obs)), Teacher(theirs, guide.apply, weights)
    )
    played: Any = guide.apply(weights, obs)
    np.testing.assert_allclose(net.apply(learner.params, obs), played, atol=1e-6)
    params = learner.params["params"]
    bias = np.array([0.3, -5.0], np.float32)
    moved = {"params": {**params, "actor": {**params["actor"], "mean": {**params["actor"]["mean"], "bias": bias}}}}
    np.testing.assert_allclose(net.apply(moved, obs), np.clip(played + np.tanh(bias), -1, 1), atol=1e-6)
    with pytest.raises(ValueError, match="give a teacher"):
        method.network(TASK, None)
    with pytest.raises(ValueError, match="this teacher has two"):
        method.network(TASK, method.network(TASK, theirs))


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"copies": True}, {"deeper": 1}, {"deeper": 2, "copies": True}])
@pytest.mark.parametrize("base", ["sac", "td3"])
def test_surgery_widens_actor_and_critics_and_keeps_their_function(base, how):
    theirs = keywords.make(base, {"network": "actor_critic:width=8,depth=2", "members": 3, "subset": 2})
    narrow = theirs.network(TASK, None)
    method = keywords.make("surgery", {"base": base, "members": 3, "subset": 2, "width": 1.5, **how})
    wide, rng = method.network(TASK, narrow), np.random.default_rng(0)
    assert wide.options["width"] == 12 and wide.options["depth"] == 2 + how.get("deeper", 0)
    old: Any = build(narrow, BOX)
    new: Any = build(wide, BOX)
    obs = rng.normal(size=(6, 1, 3)).astype(np.float32)
    params = jax.tree.map(lambda x: x + 0.1 * rng.normal(size=x.shape), jax.jit(old.init)(jax.random.key(0), obs))
    learner = method.init(
        init_learner(method, jax.jit(new.init)(jax.random.key(1), obs)), Teacher(narrow, old.apply, params)
    )
    action = rng.uniform(-1, 1, (6, 2)).astype(np.float32)
    for told in ({}, {"method": "policy"}, {"method": "judge", "action": action}):
        same = [net.apply(part, obs, **told) for net, part in ((old, params), (new, learner.params))]
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *same)
    state = method.optimizer.init(learner.params)
    assert jax.tree.structure(state) == jax.tree.structure(learner.opt_state)


def test_surgery_refuses_what_it_cannot_keep():
    normed = keywords.make("sac", {"layer_norm": True}).network(TASK, None)
    with pytest.raises(ValueError, match="cannot grow this actor_critic network"):
        keywords.make("surgery", {"base": "sac", "layer_norm": True}).network(TASK, normed)


def test_a_term_has_the_weight_of_the_actors_own_and_what_is_frozen_stays():
    own = keywords.make("td3", {})
    pull = jnp.array([1.0, 0.5])
    assert control.scaled(own, {"actor": jnp.array([-4.0, 2.0])}, pull).tolist() == [3.0, 1.5]
    assert control.scaled(keywords.make("dqn", {}), {}, pull) is pull
    step = by_part(1.0, 1.0, None, 1e-8)
    params = {"params": {"frozen": jnp.ones(2), "actor": jnp.ones(2)}}
    updates: Any = step.update(params, step.init(params), params)[0]
    assert not updates["params"]["frozen"].any() and updates["params"]["actor"].all()

"""Every method for continuous actions keeps its contract, with each base."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import control, keywords, optimizers
from reincarnate.agents.learner import init_learner, key_of, make_act, make_update, once, transition_of
from reincarnate.agents.method import Architecture, Clock, Progress, Teacher
from reincarnate.agents.networks import build, parse_network
from reincarnate.agents.presets import BOTH, CONTROL, NOT_FOR, ONLY_CONTROL, SURE
from reincarnate.datasets.transition import Batch, Box

BOX = Box((-2.0, 0.0), (2.0, 1.0))
SIZE, ENVS = 4, 3
SMALL = "actor_critic:width=8,depth=1"
RNG = np.random.default_rng(0)
OBS = RNG.normal(size=(ENVS, 1, 5)).astype(np.float32)
CLOCK = Clock(np.arange(ENVS, dtype=np.int32), np.arange(ENVS, dtype=np.int32))
ASKED: dict[str, set[str]] = {  # where each method asks its teacher while it is not weaned
    **dict.fromkeys(("qdagger", "kickstarting", "dagger"), {"loss"}),
    "jsrl": {"act"},
    "ibrl": {"loss", "act"},
}
CASES = [(name, name) for name in CONTROL]
CASES += [(name, base) for name in (*BOTH, *ONLY_CONTROL) for base in CONTROL if NOT_FOR.get(name) != base]


def at(offline=0.0, spent=0.3, score=0.4, best=0.4, count=1):
    offline, spent, planned, score, best = map(np.float32, (offline, spent, 1_000.0, score, best))
    return Progress(offline, spent, planned, score, best, key_of(0, count))


def random_batch(method) -> Batch:
    n = method.n_step
    window = RNG.normal(size=(SIZE, 1 + n, 5)).astype(np.float32)
    action = RNG.uniform(BOX.low, BOX.high, (SIZE, 2)).astype(np.float32)
    reward, discount, mark = RNG.normal(size=SIZE), np.full(SIZE, 0.99), np.arange(SIZE) % 2
    floats = (x.astype(np.float32) for x in (reward, discount, mark))
    ahead = np.array([-np.inf, 0.5, 2.0, -1.0], np.float32) if method.needs_return_to_go else None
    return Batch(window, np.full(SIZE, n, np.int32), action, *floats, return_to_go=ahead)


HOME = [case for case in CASES if case[1] == ("td3" if case[0] in ("td3", *SURE) else "sac")]
FAST = (("sac", "sac"), ("td3", "td3"), ("qdagger", "sac"))  # each takes seconds to compile


def cases(found):
    """Return all cases, most of them marked slow."""
    return [pytest.param(*case, marks=() if case in FAST else pytest.mark.slow) for case in found]


class Run:
    """A method with everything that a harness would give it."""

    def __init__(self, name: str, base: str, **settings: Any):
        given = {"batch_size": SIZE, **settings} | ({"base": base} if name != base else {})
        teacher = keywords.make(base, {"network": SMALL}).network(Architecture("mlp"), None)
        if name not in ("fine_tuning", "surgery"):
            given["network"] = SMALL
        self.method, self.asked, self.place = keywords.make(name, given), set(), "loss"
        guide = build(teacher, BOX)
        self.theirs = jax.jit(guide.init)(jax.random.key(9), OBS[:1])
        self.net = build(self.method.network(Architecture("mlp"), teacher), BOX)
        params = jax.jit(self.net.init)(jax.random.key(1), OBS[:1])

        def teach(params, obs, **options):
            self.asked.add(self.place)
            return guide.apply(params, obs, **options)

        whole = Teacher(teacher, guide.apply, self.theirs, outputs="continuous actions")
        self.learner = self.method.init(init_learner(self.method, params), whole)
        self.update, self.light = (
            make_update(self.method, self.net.apply, teach, actions=BOX, light=light) for light in (False, True)
        )
        acting = make_act(self.method, self.net.apply, teach, BOX)

        def act(*given):
            self.place = "act"
            chosen = acting(*given)
            self.place = "loss"
            return chosen

        self.act = act


@pytest.mark.parametrize(("name", "base"), cases(CASES))
def test_contract(name, base):
    run = Run(name, base)
    method, batch = run.method, random_batch(run.method)
    assert method.continuous and {"actor", "temperature"} <= {*method.delayed}
    after, terms = run.update(run.learner, run.theirs, batch, at())
    assert terms and all(np.isfinite(term) for term in terms.values())
    shapes = lambda tree: jax.tree.map(lambda x: (np.shape(x), jnp.result_type(x)), tree)  # noqa: E731
    assert shapes(after) == shapes(method.go_online(run.learner)) == shapes(run.learner)
    assert np.asarray(run.net.apply(run.learner.params, OBS)).shape == (ENVS, 2)
    action = np.asarray(run.act(run.learner.params, run.theirs, OBS, CLOCK, at()))
    assert action.shape == (ENVS, 2) and action.dtype == np.float32
    assert (np.asarray(BOX.low) <= action).all() and (action <= np.asarray(BOX.high)).all()
    assert run.asked == ASKED.get(name, set())
    for now in (at(offline=1.0), at()):
        assert 0.0 <= method.log_share(now) <= 1.0 and 0.0 <= float(method.learning_rate_factor(now)) <= 1.0


@pytest.mark.parametrize(("name", "base"), cases(HOME))
def test_no_gradient_goes_from_actor_to_critics_or_back(name, base):
    """By construction: each term moves the parts that are its own, and no other."""
    run = Run(name, base)
    method, steps = run.method, transition_of(random_batch(run.method), run.method.n_step, BOX)
    teach = lambda params, obs: jnp.tanh(jnp.zeros((len(obs), 2)) + obs[:, 0, :2])  # noqa: E731

    @jax.jit
    def pulls(offline):
        """Return the gradients of the slow terms, and of all others."""
        now = at()._replace(offline=offline, key=jax.random.key(3))

        def total(params, slow):
            student, target = (once(run.net.apply, one) for one in (params, run.learner.target))
            terms = method.loss(student, target, once(teach, ()), steps, now)
            return sum(term.sum() for term_name, term in terms.items() if (term_name in method.delayed) == slow) + 0.0

        return [jax.grad(total)(run.learner.params, slow) for slow in (True, False)]

    for offline in (0.0, 1.0):
        for slow, gradient in zip((True, False), pulls(np.float32(offline)), strict=True):
            leaves = jax.tree_util.tree_leaves_with_path(gradient)
            moved = {optimizers.part_of(path) for path, leaf in leaves if float(jnp.abs(leaf).max()) > 0.0}
            assert moved <= ({"actor", "temperature"} if slow else {"critics"}), (offline, slow)
            assert moved or (name, slow) == ("dagger", False), (offline, slow)  # whose critics learn nothing


@pytest.mark.parametrize(("name", "base"), cases([("td3", "td3"), ("dagger", "td3"), ("rlpd", "sac")]))
def test_a_light_update_leaves_the_actor_and_its_moments_alone(name, base):
    run = Run(name, base)
    batch = random_batch(run.method)
    light, terms = run.light(run.learner, run.theirs, batch, at())
    assert not {*terms} & {*run.method.delayed} and light.updates == 1
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), light, run.learner)
    for path, moved in jax.tree_util.tree_leaves_with_path((changed.params, changed.opt_state)):
        keys = {str(getattr(step, "key", "")) for step in path}
        assert not (moved and keys & {"actor", "temperature"})
    if "td" in terms:
        assert any(jax.tree.leaves(changed.params))
        assert any(jax.tree.leaves(changed.target)) != run.method.target_waits
    whole: Any = run.update(run.learner, run.theirs, batch, at())[0]
    moved, kept = (jax.tree.leaves(after.params["params"]["actor"])[0] for after in (whole, light))
    assert (moved != kept).any()


def test_light_updates_cost_less():
    run = Run("sac", "sac", members=10, subset=2)
    told = (run.learner, run.theirs, random_batch(run.method), at())
    costs: list[Any] = [update.lower(*told).cost_analysis() for update in (run.update, run.light)]
    whole, light = (cost["flops"] for cost in costs)
    assert light < 0.75 * whole


def test_an_update_after_the_offline_phase_leaves_out_what_only_that_has():
    """WSRL's pessimism draws many actions of each critic, and ends with the offline phase: nor is it paid for."""
    run = Run("wsrl", "sac", members=4)
    offline, online = (
        make_update(run.method, run.net.apply, run.net.apply, actions=BOX, online=later) for later in (False, True)
    )
    told = (run.learner, run.theirs, random_batch(run.method), at())
    costs: list[Any] = [update.lower(*told).cost_analysis() for update in (offline, online)]
    whole, less = (cost["flops"] for cost in costs)
    assert run.method.offline_only == ("conservative",) and less < 0.2 * whole
    left, terms = online(*told)
    full, all_terms = offline(*told)  # whose pessimism weighs nothing now
    assert {*all_terms} - {*terms} == {"conservative"} and float(all_terms["conservative"]) == 0.0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), left.params, full.params)


@pytest.mark.slow
def test_a_lower_learning_rate_is_the_actors_alone():
    """Past its deadline kickstarting learns at `slow` times the rate; Adam's steps are proportional to the rate."""
    runs = [Run("kickstarting", "sac", slow=slow, deadline=0.5, learning_rate=1e-3) for slow in (1.0, 0.1)]
    batch = random_batch(runs[0].method)
    afters: list[Any] = [run.update(run.learner, run.theirs, batch, at(spent=0.9))[0] for run in runs]
    whole, slowed = ({k: v for k, v in after.params["params"].items() if k != "temperature"} for after in afters)
    before = runs[0].learner.params["params"]
    jax.tree.map(np.testing.assert_array_equal, whole["critics"], slowed["critics"])
    moved = [jax.tree.map(lambda a, b: np.abs(a - b).max(), one["actor"], before["actor"]) for one in (whole, slowed)]
    assert max(jax.tree.leaves(moved[0])) == pytest.approx(1e-3, rel=0.01)
    assert max(jax.tree.leaves(moved[1])) == pytest.approx(1e-4, rel=0.01)


@pytest.mark.slow
def test_the_critics_of_a_residual_learn_alone_until_the_end_of_the_burn_in():
    run = Run("residual", "td3", burn_in=0.5)
    for spent, learns in ((0.4, False), (0.6, True)):
        after: Any = run.update(run.learner, run.theirs, random_batch(run.method), at(spent=spent))[0]
        changed = jax.tree.map(lambda a, b: bool((a != b).any()), after.params["params"], run.learner.params["params"])
        assert any(jax.tree.leaves(changed["critics"])) and any(jax.tree.leaves(changed["actor"])) == learns
        assert not any(jax.tree.leaves(changed["frozen"]))


def test_the_drawn_critics_are_asked_alone():
    """Their values are those among all, and no gradient reaches the ones that are not drawn."""
    net: Any = build(parse_network("actor_critic:width=8,depth=2,members=5,layer_norm=true"), BOX)
    obs, action, some = np.ones((3, 1, 3), np.float32), np.full((3, BOX.size), 0.5, np.float32), np.array([3, 1])
    params = net.init(jax.random.key(0), obs)
    values = partial(net.apply, params, obs, action=action)
    for method in ("judge", "advise"):
        np.testing.assert_allclose(values(method=method, members=some), values(method=method)[some], rtol=1e-6)
    grads = jax.grad(lambda given: net.apply(given, obs, action=action, method="judge", members=some).sum())(params)
    for leaf in jax.tree.leaves(grads["params"]["critics"]):
        assert not leaf[np.array([0, 2, 4])].any()
    assert grads["params"]["critics"]["value"]["kernel"][some].any()


def test_the_temperature_is_learned_and_kept_where_it_is_given():
    for given, learns in ((0.0, True), (0.2, False)):
        run = Run("sac", "sac", temperature=given)
        after: Any = run.update(run.learner, run.theirs, random_batch(run.method), at())[0]
        assert (after.params["params"]["temperature"] != 0.0) == learns


def test_random_actions_come_first():
    run = Run("td3", "td3", explore=0.4, noise=0.0)
    first, later = (np.asarray(run.act(run.learner.params, (), OBS, CLOCK, at(spent=s))) for s in (0.3, 0.5))
    mean = BOX.real(run.net.apply(run.learner.params, OBS))
    assert np.allclose(later, mean, atol=1e-6) and not np.allclose(first, mean, atol=1e-2)


def test_networks_are_for_one_kind_of_actions():
    with pytest.raises(ValueError, match="'mlp' does not support continuous"):
        build(Architecture("mlp"), BOX)
    with pytest.raises(ValueError, match="'actor_critic' does not support discrete"):
        build(Architecture("actor_critic"), 3)
    with pytest.raises(ValueError, match="has no actor"):
        control.network("mlp", Architecture("mlp"))


@pytest.mark.parametrize(("name", "base"), sorted(NOT_FOR.items()))
def test_methods_refuse_the_base_whose_policies_they_cannot_use(name, base):
    other = {"td3": "sac", "sac": "td3"}[base]
    with pytest.raises(ValueError, match=f"^{name} .*: take base={other}$"):
        keywords.make(name, {"base": base})

"""What sets each method apart, on values worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reincarnate.agents.keywords import find, make
from reincarnate.agents.learner import init_learner
from reincarnate.agents.method import Architecture, Clock, Learner, Progress, Teacher
from reincarnate.agents.methods.pbt_small import perturb
from reincarnate.agents.methods.qdagger import held
from reincarnate.datasets.transition import Transition

STUDENT, TARGET = np.array([[1.0, 2.0, 0.0]]), np.array([[0.0, 3.0, 1.0]])
TEACHER = np.array([[4.0, 0.0, 0.0]])  # wants action 0
OTHERS = {"each": np.array([[[0.0, 1.0]], [[4.0, 2.0]], [[8.0, 8.0]]]), "past": np.array([[2.0, 2.0, 2.0]])}
STEP = Transition(np.zeros((1, 1)), np.array([2]), np.array([0.5]), np.array([0.9]), np.ones((1, 1)), np.ones(1))
TD = 0.5 + 0.9 * 3.0 - 0.0 - 0.5  # Huber on an error above 1: the goal, less the value of action 2, less a half
OWN = Architecture("minatar")


def at(offline=0.0, spent=0.3, score=0.0, best=0.0):
    offline, spent, score, best = map(np.float32, (offline, spent, score, best))
    return Progress(offline, spent, np.float32(1_000.0), score, best, jax.random.key(0))


def terms(method, progress, teacher=TEACHER):
    """Return the loss's terms on one transition: {name: number}."""
    says = lambda plain: lambda obs, method="": jnp.asarray(OTHERS.get(method, plain))  # noqa: E731
    found = method.loss(says(STUDENT), says(TARGET), says(teacher), STEP, progress)
    return {name: pytest.approx(np.asarray(term)[0], rel=1e-4, abs=1e-6) for name, term in found.items()}


def kl(p, q, temperature):
    p, q = (np.exp(x / temperature) / np.exp(x / temperature).sum() for x in (p[0], q[0]))
    return np.sum(p * np.log(p / q))


DISTILL = kl(TEACHER, STUDENT, 0.1)
HELD = kl(OTHERS["past"], STUDENT, 0.1)
MEAN_MARGIN = (0.0 + 2.0 + 0.0) / 3  # on the teacher's action 0, with size 1
LOGSUMEXP = np.log(np.exp(10 * STUDENT[0]).sum())


@pytest.mark.parametrize(
    ("name", "settings", "progress", "expected"),
    [
        ("dqn", {}, at(), {"td": TD}),
        ("dqn", {"huber": False}, at(), {"td": 3.2**2}),
        ("rehearsal", {}, at(), {"td": TD}),
        ("qdagger", {}, at(offline=1.0), {"td": TD, "distill": 3 * DISTILL}),
        ("qdagger", {}, at(score=0.75), {"td": TD, "distill": 0.75 * DISTILL}),
        ("qdagger", {}, at(best=1.0), {"td": TD, "distill": 0.0}),
        ("kickstarting", {}, at(score=0.75), {"td": TD, "distill": 0.75 * DISTILL}),
        ("dagger", {}, at(spent=1.0, best=2.0), {"distill": 3 * DISTILL}),
        ("dagger_ql", {}, at(spent=1.0, best=2.0), {"td": TD, "distill": 3 * DISTILL}),
        ("retain", {"keep": 0.5}, at(offline=1.0), {"td": TD, "distill": 3 * DISTILL, "retain": 0.0}),
        ("retain", {"keep": 0.5}, at(score=0.9), {"td": TD, "distill": 0.3 * DISTILL, "retain": 0.2 * DISTILL}),
        ("retain", {"keep": 0.5}, at(score=0.5), {"td": TD, "distill": 1.5 * DISTILL, "retain": 0.0}),
        ("retain", {"keep": 0.5}, at(best=1.0), {"td": TD, "distill": 0.0, "retain": 0.5 * DISTILL}),
        ("dqfd", {}, at(offline=1.0), {"td": TD, "margin": MEAN_MARGIN}),
        ("dqfd", {}, at(score=0.5), {"td": TD, "margin": 0.5 * MEAN_MARGIN}),
        ("dqfd", {"squared": True}, at(score=0.5), {"td": TD, "margin": 0.25 * MEAN_MARGIN}),
        ("dqfd", {"original": True, "size": 0.8}, at(), {"td": TD, "margin": 1.8}),
        ("dqfd", {}, at(spent=0.61), {"td": TD, "margin": 0.0}),
        ("cql", {}, at(offline=1.0), {"td": TD, "conservative": LOGSUMEXP}),
        ("cql", {}, at(), {"td": TD, "conservative": 0.0}),
        ("distillation", {}, at(), {"td": 0.0, "distill": DISTILL, "match": (9.0 + 4.0 + 0.0) / 3}),
        ("distillation", {}, at(spent=0.51), {"td": TD, "distill": 0.0, "match": 0.0}),
        ("distillation", {}, at(best=1.0), {"td": TD, "distill": 0.0, "match": 0.0}),
        ("bc_rl", {}, at(offline=1.0), {"td": 0.0, "imitate": LOGSUMEXP, "distill": 0.0}),
        ("bc_rl", {}, at(spent=0.5), {"td": TD, "imitate": 0.0, "distill": 0.2 * 0.1**0.5 * HELD}),
        ("bc_rl", {"fade": 1.0}, at(spent=1.0), {"td": TD, "imitate": 0.0, "distill": 0.2 * HELD}),
        ("bc_rl", {"weight": 0.0}, at(), {"td": TD, "imitate": 0.0}),
    ],
)  # fmt: skip
def test_loss(name, settings, progress, expected):
    assert terms(find(name)(warmup=0, **settings), progress) == expected


def test_rlpd_takes_the_least_of_its_members():
    """The goal is 0.5 + 0.9 * max(0, 1), least of all three; action 1 has the values 1, 2 and 8."""
    step = STEP._replace(action=np.array([1]))
    says = lambda obs, method=None: jnp.asarray(OTHERS["each"])  # noqa: E731
    loss = find("rlpd")(members=3, subset=3).loss(says, says, says, step, at())
    expected = (0.4**2 + 0.6**2 + 6.6**2) / 3
    np.testing.assert_allclose(np.asarray(loss["td"]), [expected], rtol=1e-5)
    few = find("rlpd")(members=3, subset=1).loss
    draws = {float(few(says, says, says, step, at()._replace(key=jax.random.key(k)))["td"][0]) for k in range(12)}
    assert len(draws) == 3  # a single member's goal: another one each time


def test_rlpd_is_an_ensemble_of_the_tasks_network():
    inside = {"of": "minatar", "options": {"layer_norm": True}, "members": 10}
    assert find("rlpd")().network(OWN, None) == Architecture("ensemble", inside)
    assert find("rlpd")(layer_norm=False, network="mlp").network(OWN, None).options["options"] == {}


@pytest.mark.parametrize(
    ("name", "offline", "online"),
    [
        *(("dqn", 1.0, 0.0), ("rehearsal", 1.0, 1 / 16), ("rlpd", 1.0, 0.5), ("qdagger", 1.0, 0.0), ("cql", 1.0, 0.0)),
        *(("retain", 1.0, 0.25), ("hy_q", 1.0, 0.2), ("iql", 1.0, 0.0), ("pex", 1.0, 0.5)),
    ],
)
def test_share_of_the_log(name, offline, online):
    method = make(name, {})
    assert (method.log_share(at(offline=1.0)), method.log_share(at())) == (offline, online)
    assert make("rehearsal", {"share": "0.25"}).log_share(at()) == 0.25


@pytest.mark.parametrize("name", ["qdagger", "kickstarting", "dqfd"])
def test_a_student_that_only_its_deadline_weans_needs_no_score(name):
    assert not make(name, {"hold": 1.0}).scored and not make(name, {"hold": 0.4, "deadline": 0.4}).scored
    method = make(name, {"hold": 0.4, "deadline": 0.5, "warmup": 0.0})
    assert method.scored and method.weaned(at(best=1.0, spent=0.45)) and not method.weaned(at(best=1.0, spent=0.35))
    method = make(name, {"hold": 1.0})
    assert not method.weaned(at(best=1.0, spent=0.55)) and method.weaned(at(best=0.0, spent=0.65))


@pytest.mark.parametrize(
    ("name", "n_step", "offline", "explore", "keep_log", "scored"),
    [
        ("dqn", 3, 0.0, 50_000, False, False),
        ("rehearsal", 3, 0.0, 50_000, False, False),
        ("jsrl", 3, 0.0, 50_000, False, False),
        ("kickstarting", 3, 0.0, 50_000, False, True),
        ("qdagger", 3, 0.6, 0, False, True),
        ("dqfd", 3, 0.6, 0, False, True),
        ("cql", 3, 0.6, 0, False, False),
        ("fine_tuning", 1, 0.0, 0, True, False),
        ("surgery", 1, 0.0, 0, True, False),
    ],
)
def test_defaults_of_the_paper(name, n_step, offline, explore, keep_log, scored):
    method = make(name, {})
    assert (method.n_step, method.offline_share, method.keep_log, method.scored) == (n_step, offline, keep_log, scored)
    assert (method.batch_size, method.updates_per_step, method.target_period, method.warmup) == (
        32,
        0.25,
        2_000,
        0 if keep_log else 20_000,  # a replay that is full already needs no warm-up
    )
    values = lambda obs, **options: jnp.tile(jnp.array([0.0, 1.0]), (400, 1))  # noqa: E731
    greedy = np.asarray(
        method.act(values, values, jnp.zeros(0), Clock(np.arange(400), np.zeros(400, int)), at(spent=0.0))
    )
    assert (greedy.mean() > 0.95) == (explore == 0 or name == "jsrl")  # jsrl's teacher plays the first step


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dqn", 6.25e-5), ("qdagger", 1e-4), ("dqfd", 1e-4), ("cql", 1e-4), ("fine_tuning", 1e-5), ("pbt_small", 1e-4)],
)
def test_the_first_step_of_adam_is_the_learning_rate(name, expected):
    optimizer, params = make(name, {"adam_epsilon": "0"}).optimizer, jnp.zeros(2)
    updates, _ = optimizer.update(jnp.array([3.0, -0.1]), optimizer.init(params), params)
    np.testing.assert_allclose(np.asarray(updates), [-expected, expected], rtol=1e-4)


@pytest.mark.parametrize(("name", "settings"), [("cql", {}), ("bc_rl", {"weight": 0.0})])
def test_the_optimizer_starts_anew_after_pretraining(name, settings):
    method = find(name)(**settings)
    learner = init_learner(method, jnp.ones(2))
    used = method.optimizer.update(jnp.ones(2), learner.opt_state, learner.params)[1]
    turned = method.go_online(learner._replace(opt_state=used, target=jnp.zeros(2)))
    assert any(leaf.any() for leaf in jax.tree.leaves(used))
    assert not any(leaf.any() for leaf in jax.tree.leaves(turned.opt_state))
    assert turned.target.sum() == 2.0
    kept = find("qdagger")().go_online(learner._replace(opt_state=used))
    assert kept.opt_state is used  # QDagger keeps its moments


def test_fine_tuning_starts_from_the_teacher():
    method, teacher = find("fine_tuning")(), Architecture("nature", {"width": 0.5})
    assert method.network(OWN, teacher) == teacher
    start = method.init(init_learner(method, jnp.zeros(2)), Teacher(teacher, lambda *_: None, jnp.ones(2)))
    assert start.params.sum() == start.target.sum() == 2.0 and start.updates == 0
    with pytest.raises(ValueError, match="give a teacher"):
        method.network(OWN, None)
    with pytest.raises(ValueError, match="its teacher's network, nature: choose no other"):
        find("fine_tuning")(network="impala").network(OWN, teacher)
    categorical = find("rainbow")().network(teacher, None)
    assert find("fine_tuning")(base=find("rainbow")).network(OWN, categorical) == categorical
    narrow = find("rainbow")(v_max=2.0, atoms=11).network(teacher, None)
    assert find("fine_tuning")(base=find("rainbow")).network(OWN, narrow) == narrow  # the support is the teacher's
    with pytest.raises(ValueError, match="its teacher's network, categorical: give it base=rainbow"):
        method.network(OWN, categorical)
    assert find("fine_tuning")(network="nature").network(OWN, Architecture("nature")).name == "nature"


def test_bc_rl_holds_on_to_what_it_cloned():
    method = find("bc_rl")()
    params = {"params": {"student": jnp.ones(2), "memory": jnp.zeros(2)}}
    turned = method.go_online(init_learner(method, params))
    assert turned.params["params"]["memory"].sum() == turned.target["params"]["memory"].sum() == 2.0
    assert method.network(OWN, None) == Architecture("anchored", {"of": "minatar", "options": {}})
    assert find("bc_rl")(weight=0.0).network(OWN, None) == OWN


def learner_of(method, value: float) -> Learner:
    return init_learner(method, jnp.full(2, value))


def factor(learner) -> float:
    return float(learner.opt_state[1].hyperparams["step_size"])


def test_the_worst_are_reborn_from_the_best():
    method = find("pbt_small")(population=8)
    members, scores = [learner_of(method, i) for i in range(8)], [5.0, 0.0, 3.0, 7.0, 1.0, 2.0, 4.0, 6.0]
    after = method.evolve(jax.random.key(0), members, scores)
    assert [float(m.params[0]) for m in after] == [0, 3, 2, 3, 7, 5, 6, 7]  # 1 and 4 from 3 and 7
    assert {round(factor(after[i]), 3) for i in (1, 4)} <= {0.8, 1.2}
    assert all(factor(after[i]) == 1.0 for i in (0, 2, 3, 5, 6, 7))
    assert method.evolve(jax.random.key(0), members[:1], [0.0])[0] is members[0]


def test_a_perturbed_factor_scales_the_step():
    method = find("pbt_small")(base=find("dqn"), adam_epsilon=0.0, learning_rate=0.1)
    factors = set()
    for seed in range(8):
        learner = perturb(
            jax.random.key(seed), perturb(jax.random.key(seed + 8), learner_of(method, 0.0), 0.8, 1.2), 0.8, 1.2
        )
        updates, _ = method.optimizer.update(jnp.ones(2), learner.opt_state, learner.params)
        np.testing.assert_allclose(updates, -0.1 * factor(learner), rtol=1e-4)
        factors.add(round(factor(learner), 2))
    assert factors == {0.64, 0.96, 1.44}


def test_a_population_shows_its_base_the_state_that_it_knows():
    """The base here starts a new optimizer at the turn; the factor stays."""
    method = find("pbt_small")(base=find("cql"))
    learner = perturb(jax.random.key(0), learner_of(method, 1.0), 0.8, 1.2)
    turned = method.go_online(learner)
    assert jax.tree.structure(turned.opt_state) == jax.tree.structure(learner.opt_state)
    assert factor(turned) == factor(learner) != 1.0
    assert optax.tree.get(turned.opt_state[0], "count") == 0


def test_what_retain_distils_is_the_log_alone():
    """A step of the student's own has the fading term of QDagger and no other."""
    method, own = find("retain")(warmup=0.0), STEP._replace(from_teacher=np.zeros(1))
    says = lambda plain: lambda obs: jnp.asarray(plain)  # noqa: E731
    told = method.loss(says(STUDENT), says(TARGET), says(TEACHER), own, at(best=1.0))
    assert float(told["retain"][0]) == float(told["distill"][0]) == 0.0
    assert method.guidance(at(best=1.0)) == 1.0 and not method.weaned(at(spent=1.0, best=1.0))


@pytest.mark.parametrize(("spent", "share"), [(0.0, 0.2), (1 / 3, 0.2), (2 / 3, 0.105), (1.0, 0.01)])
def test_the_log_fades_from_hy_qs_batches(spent, share):
    method = find("hy_q")()
    assert method.log_share(at(spent=spent)) == pytest.approx(share, abs=1e-6) and method.offline_share == 0.0
    assert method.n_step == 1 and find("hy_q")(last_share=0.2).log_share(at(spent=1.0)) == pytest.approx(0.2)


def test_hy_q_is_double_q_learning():
    """The student prefers action 1 next, which the target values at 3; action 2 was taken, worth 0."""
    says = lambda plain: lambda obs: jnp.asarray(plain)  # noqa: E731
    target = np.array([[7.0, 3.0, 1.0]])
    assert find("hy_q")().loss(says(STUDENT), says(target), None, STEP, at())["td"][0] == pytest.approx(TD)


def gradient_of(method, progress):
    """Return the TD term's gradient by the student's values, of which action 2 was taken."""

    def td(values):
        says = lambda plain: lambda obs: jnp.asarray(plain)  # noqa: E731
        return method.loss(says(values), says(TARGET), says(TEACHER), STEP, progress)["td"].sum()

    return np.asarray(jax.grad(td)(jnp.asarray(STUDENT)))[0]


@pytest.mark.parametrize(("offline", "spent", "holds"), [(0.0, 0.1, True), (0.0, 0.2, False), (1.0, 0.0, False)])
def test_values_catch_up_while_the_order_of_the_actions_stays(offline, spent, holds):
    """Huber's gradient is -1 on the action taken; held, it is a third of that on each action, so all rise alike."""
    method = find("qdagger")(catch_up=0.2)
    wanted = [-1 / 3] * 3 if holds else [0.0, 0.0, -1.0]
    np.testing.assert_allclose(gradient_of(method, at(offline=offline, spent=spent)), wanted, atol=1e-6)
    assert terms(method, at(offline=offline, spent=spent))["td"] == TD


def test_distributions_have_no_order_to_hold():
    with pytest.raises(ValueError, match="take a base without distributions"):
        held(lambda obs, **options: STUDENT, at(), 0.2)(STEP.obs, method="logits")

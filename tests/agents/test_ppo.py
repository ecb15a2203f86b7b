"""PPO by hand: generalised advantages over ends and truncations, the clipped losses, and students that are policies."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents import keywords, losses
from reincarnate.agents.method import Architecture, Clock, Progress
from reincarnate.agents.networks import build, gives
from reincarnate.agents.returns import lambda_returns
from reincarnate.datasets.transition import Transition

HALF = float(np.log(0.5))
LOGITS = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]))
VALUE = jnp.array([1.0, 3.0])
OBS, ACTION = jnp.zeros((2, 1)), jnp.array([0, 2])
GUIDE = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 4.0]])


def advantages(cut: tuple = (), terminal: tuple = ()) -> list[float]:
    """Return the generalised advantages of three steps: discount 0.5, lambda 0.5, next values 4, 8, 16."""
    steps, before = np.arange(3), np.array([2.0, 4.0, 8.0])  # 2: the value of the first state
    reward, after = np.array([1.0, 2.0, 3.0]), np.array([4.0, 8.0, 16.0])
    discount = np.where(np.isin(steps, terminal), 0.0, 0.5)
    reward, discount, after, ends = (one[:, None] for one in (reward, discount, after, np.isin(steps, cut)))
    return (lambda_returns(reward, discount, after, ends, 0.5)[:, 0] - before).tolist()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # errors: 1 + 4/2 - 2 = 1, 2 + 8/2 - 4 = 2, 3 + 16/2 - 8 = 3; each with a quarter of what follows
        ({}, [1 + (2 + 3 / 4) / 4, 2 + 3 / 4, 3.0]),
        # the game ends with the second step, whose error is 2 - 4 = -2; the third is another game's
        ({"cut": (1,), "terminal": (1,)}, [1 + -2 / 4, -2.0, 3.0]),
        # it is cut off there: the error stays 2, and nothing of the third counts
        ({"cut": (1,)}, [1 + 2 / 4, 2.0, 3.0]),
        ({"cut": (2,), "terminal": (2,)}, [1 + (2 + -5 / 4) / 4, 2 + -5 / 4, -5.0]),
        ({"cut": (0, 1, 2), "terminal": (0, 1, 2)}, [-1.0, -2.0, -5.0]),
    ],
)
def test_the_lambda_return_less_the_value_is_the_generalised_advantage(case, expected):
    assert advantages(**case) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("ratio", "gain", "expected", "slope"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.1, 2.0, -2.2, -2.2),
        (1.5, 2.0, -2.4, 0.0),  # no more is gained beyond 1.2
        (0.5, 2.0, -1.0, -1.0),  # a good action that became rarer is pulled back
        (0.5, -2.0, 1.6, 0.0),  # no more is gained below 0.8
        (1.5, -2.0, 3.0, 3.0),  # a bad action that became more frequent is pushed back
    ],
)
def test_clipped_policy(ratio, gain, expected, slope):
    """The gradient by the logarithm of the ratio is -ratio * gain where it is not clipped."""
    log_ratio, gain = jnp.log(jnp.array([ratio])), jnp.array([gain])
    assert float(losses.clipped_policy(log_ratio, gain, 0.2)[0]) == pytest.approx(expected, rel=1e-5)
    found = jax.grad(lambda x: losses.clipped_policy(x, gain, 0.2).sum())(log_ratio)
    assert float(found[0]) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "goal", "clip", "expected"),
    [
        (1.5, 3.0, 0.0, 1.125),  # half of 1.5 squared
        (1.1, 3.0, 0.2, 1.805),  # it moved by less than the clip: half of 1.9 squared
        (1.5, 3.0, 0.2, 1.62),  # cut to 1.2, which is further away: half of 1.8 squared
        (4.5, 3.0, 0.2, 1.62),  # it went too far, but 1.2 is further away still
        (0.0, 3.0, 0.2, 4.5),  # it went the wrong way: half of 3 squared, not of 2.2
    ],
)
def test_clipped_value(value, goal, clip, expected):
    found = losses.clipped_value(jnp.array([value]), jnp.array([1.0]), jnp.array([goal]), clip)
    assert float(found[0]) == pytest.approx(expected, rel=1e-5)


def test_entropy():
    found = losses.entropy(LOGITS)
    rest = -(0.4 * np.log(0.2) + 0.6 * np.log(0.6))
    np.testing.assert_allclose(found, [1.5 * np.log(2.0), rest], rtol=1e-5)


def at(offline: float = 0.0, score: float = 0.0) -> Progress:
    numbers = [np.float32(x) for x in (offline, 0.3, 1_000.0, score, 0.0)]
    return Progress(*numbers, key=jax.random.key(0))


def student(obs: Any, **options: Any) -> Any:
    method = options.get("method", "")
    return (LOGITS, VALUE) if method == "heads" else jnp.log(LOGITS * 0 + 1 / 3) if method == "past" else LOGITS


def batch() -> Transition:
    """Return of 3 and 4, values of 1 then and 3 now, actions that had a probability of 0.4 and of 0.9."""
    played = np.array([[np.log(0.4), 1.0], [np.log(0.9), 3.0]], np.float32)
    row = np.zeros(2, np.float32)
    return Transition(OBS, ACTION, np.array([3.0, 4.0], np.float32), row, OBS, row, None, played)


def terms(name: str, progress: Progress, **settings) -> dict:
    made = keywords.make(name, settings)
    guide: Any = lambda obs: jnp.asarray(GUIDE)  # noqa: E731
    return {key: np.asarray(term) for key, term in made.loss(student, student, guide, batch(), progress).items()}


def test_the_loss_by_hand():
    """Advantages of 2 and 1 are 1 and -1 once normalised; ratios 0.5 / 0.4 = 1.25 and 0.6 / 0.9 = 0.67."""
    found = terms("ppo", at(), entropy=0.1, value_weight=0.5)
    np.testing.assert_allclose(found["policy"], [-1.2, 0.8], rtol=1e-5)  # both are clipped
    np.testing.assert_allclose(found["value"], [0.25 * 4.0, 0.25 * 1.0], rtol=1e-5)
    np.testing.assert_allclose(found["entropy"], -0.1 * losses.entropy(LOGITS), rtol=1e-5)
    assert not any(term.any() for term in terms("ppo", at(offline=1.0)).values())  # a log is not play of its own


def test_what_is_remembered_and_what_returns_are_completed_by():
    made = keywords.make("ppo", {})
    assert made.recall and len(made.remembers) == 2 and made.policy
    kept = made.recall(student, OBS, ACTION)
    np.testing.assert_allclose(kept, [[np.log(0.5), 1.0], [np.log(0.6), 3.0]], rtol=1e-6)
    np.testing.assert_array_equal(made.worth(student, OBS), VALUE)


def test_actions_are_drawn_by_the_policy():
    made, many = keywords.make("ppo", {}), 20_000
    logits: Any = lambda obs: jnp.repeat(LOGITS[:1], many, axis=0)  # noqa: E731
    drawn = made.act(logits, logits, OBS, Clock(0, 0), at())
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / many, [0.5, 0.25, 0.25], atol=0.02)


def kl(p, q) -> np.ndarray:
    return (p * np.log(p / q)).sum(axis=-1)


WANTED = np.asarray(jax.nn.softmax(GUIDE / 0.5))
OWN = np.exp(np.asarray(LOGITS))
APART = kl(WANTED, OWN)  # the temperature is the teacher's alone


@pytest.mark.parametrize("name", ["kickstarting", "qdagger", "dagger", "dagger_ql", "distillation"])
def test_a_policy_is_distilled_with_its_own_temperature_of_1(name):
    found = terms(name, at(), base="ppo", temperature=0.5, weight=2.0)
    np.testing.assert_allclose(found["distill"], 2.0 * APART, rtol=1e-4)
    assert ("policy" in found) == (name != "dagger")
    offline = terms(name, at(offline=1.0), base="ppo", temperature=0.5, weight=2.0)
    np.testing.assert_allclose(offline["distill"], 2.0 * APART, rtol=1e-4)


def test_its_critic_learns_the_teacher_s_best_values():
    found = terms("distillation", at(), base="ppo")
    np.testing.assert_allclose(found["match"], [(1.0 - 2.0) ** 2, (3.0 - 4.0) ** 2], rtol=1e-5)
    assert keywords.make("distillation", {"base": "ppo"}).needs_values
    assert not keywords.make("distillation", {"base": "ppo", "value_weight": 0.0}).needs_values


def test_a_policy_clones_actions_by_its_own_probabilities():
    cloned = terms("bc_rl", at(offline=1.0), base="ppo")
    np.testing.assert_allclose(cloned["imitate"], [-HALF, -np.log(0.6)], rtol=1e-5)
    later = terms("bc_rl", at(), base="ppo", fade=1.0, weight=1.0)
    np.testing.assert_allclose(later["distill"], kl(np.full((2, 3), 1 / 3), OWN), rtol=1e-4)


def test_both_heads_stand_on_one_network_and_the_record_says_what_they_give():
    asked = keywords.make("ppo", {"layer_norm": True}).network(Architecture("mlp", {"size": 8}), None)
    assert asked == Architecture("policy", {"of": "mlp", "options": {"size": 8, "norm": "layer"}})
    net, obs = build(asked, 3), np.zeros((4, 1, 5), np.float32)
    params = jax.jit(net.init)(jax.random.key(0), obs)
    heads: Any = net.apply(params, obs, method="heads")
    logits, value = heads
    assert logits.shape == (4, 3) and value.shape == (4,)
    np.testing.assert_array_equal(net.apply(params, obs), logits)
    anchored = Architecture("anchored", {"of": asked.name, "options": asked.options})
    assert [gives(one) for one in (asked, anchored, Architecture("minatar"))] == ["logits", "logits", "values"]

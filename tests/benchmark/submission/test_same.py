"""Whether two policies are the same, by the directions of their first layer's units and their initial weights."""

from pathlib import Path

import numpy as np
import pytest

from reincarnate.benchmark.submission import known, same
from reincarnate.benchmark.submission.same import Print
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.results import Results
from reincarnate.leaderboard.submission import Verdict, parse

from ...leaderboard.makers import digest, parent, record, submission

FIRST, BIAS, SECOND = "params/Conv_0/kernel", "params/Conv_0/bias", "params/Dense_0/kernel"


def fresh(seed: int, units: int = 16) -> dict[str, np.ndarray]:
    """Return a small network for images."""
    rng = np.random.default_rng(seed)
    shapes = {FIRST: (3, 3, 4, units), BIAS: (units,), SECOND: (units, 8)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def trained(arrays: dict[str, np.ndarray], size: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Move every weight by so many times its array's largest."""
    rng = np.random.default_rng(seed)
    return {name: x + size * np.abs(x).max() * rng.standard_normal(x.shape) for name, x in arrays.items()}


def printed(arrays: dict[str, np.ndarray], seed: int = 0) -> Print:
    """Make the fingerprint of a student that acts like no other."""
    rng = np.random.default_rng(seed)
    advantages = rng.standard_normal((same.LOOKS, 3))
    weights = np.array([[x.std(), *np.quantile(x, same.SHARES)] for _, x in sorted(arrays.items())], np.float32)
    return Print(advantages.argmax(axis=1).astype(np.uint8), advantages, weights, same.directions(arrays))


def shuffled(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    order = np.random.default_rng(9).permutation(arrays[BIAS].size)
    scale = np.linspace(0.5, 2.0, order.size)
    return {FIRST: (arrays[FIRST] * scale)[..., order], BIAS: arrays[BIAS][order], SECOND: arrays[SECOND][order]}


def widened(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add as many units, to which nothing listens."""
    more = fresh(77)
    return {
        FIRST: np.concatenate([more[FIRST], arrays[FIRST]], axis=-1),
        BIAS: np.concatenate([more[BIAS], arrays[BIAS]]),
        SECOND: np.concatenate([0 * more[SECOND], arrays[SECOND]]),
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda w: trained(w, 0.03),
        lambda w: trained(w, 0.05),
        lambda w: shuffled(trained(w, 0.05)),
        lambda w: widened(shuffled(trained(w, 0.03))),
    ],
)
def test_noise_that_hides_a_copy_from_its_behaviour_and_its_quantiles_does_not_turn_its_units(change):
    theirs = fresh(1)
    ours = printed(change(theirs), seed=2)
    assert "look where theirs do" in same.is_copy(ours, printed(theirs, seed=1), relatives=False, begun=False)
    assert same.is_copy(ours, printed(theirs, seed=1), relatives=True, begun=True) == ""  # as training would


def test_other_fresh_weights_look_elsewhere():
    prints = [printed(trained(fresh(seed), 0.1, seed), seed) for seed in range(12)]
    most = max(same.aligned(a, b) for a in prints for b in prints if a is not b)
    assert 0.3 < most < 0.6


def test_where_inputs_are_few_all_units_are_near_one_another_and_none_are_compared():
    kernel = np.random.default_rng(0).standard_normal((4, 64))
    assert same.directions({"params/Dense_0/kernel": kernel}).shape == (0, same.DIRECTIONS)
    assert same.directions({"params/other": kernel}).shape == (0, same.DIRECTIONS)


def test_a_fingerprint_comes_back_from_its_text_and_one_of_before_has_no_units():
    one = printed(fresh(1))
    again = same.read(one.text())
    assert again is not None and again.units.shape == one.units.shape
    assert same.aligned(one, again) > 0.999 and same.distance(one.weights, again.weights) == 0.0
    old = same.read(one.text().rpartition(".")[0])
    assert old is not None and len(old.units) == 0 and same.aligned(one, old) == 0.0
    assert same.read("x") is None and same.read(one.text() + "AAAA") is None


def test_the_largest_fingerprint_can_be_read_from_a_verdict():
    """18 actions, as many arrays as are kept and as many units."""
    few = {f"a{n}": np.random.default_rng(n).standard_normal(9) for n in range(same.ARRAYS)}
    one = printed(few | {FIRST: fresh(1, same.UNITS)[FIRST]})
    one = one._replace(
        advantages=np.zeros((same.LOOKS, 18)), weights=one.weights[: same.ARRAYS], actions=one.actions.copy()
    )
    verdict = Verdict(run="a", state="re-scored", fingerprint=one.text(), earlier=(one.text(),) * 16)
    assert 40_000 < len(one.text()) < 50_000
    assert parse(verdict.model_dump_json().encode(), Verdict, "x.json") == verdict


FIRST_TEACHER = record("t", method="dqn", seed=3)
ABOVE = {"nobody": [], "board": [parent(FIRST_TEACHER)], "elsewhere": [parent("someone/teacher")]}


@pytest.mark.parametrize(
    ("ours", "theirs", "begun"),
    [
        (("dqn", 0, "nobody"), ("dqn", 0, "nobody"), True),  # the same fresh weights
        (("dqn", 0, "nobody"), ("dqn", 1, "nobody"), False),
        (("qdagger", 0, "board"), ("qdagger", 1, "board"), False),  # one teacher, but both began afresh
        (("fine_tuning", 0, "board"), ("fine_tuning", 1, "board"), True),  # from their teacher's weights
        (("dqn", 3, "nobody"), ("fine_tuning", 1, "board"), True),  # from those that the teacher began with
        (("dqn", 0, "nobody"), ("fine_tuning", 1, "board"), False),
        (("dqn", 0, "nobody"), ("fine_tuning", 1, "elsewhere"), True),  # nobody knows
        (("fine_tuning", 0, "board"), ("dqn", 1, "nobody"), False),
    ],
)
def test_who_may_have_begun_from_the_same_weights(ours, theirs, begun):
    """A student with inherited weights has the directions of its teacher and of its earlier students."""
    held = Results(Path(), {"t": submission(FIRST_TEACHER)}, {}, (), ())
    task = find("gym/CartPole-v1")
    made = [
        known.roots(record(name, *ABOVE[above], method=method, seed=seed, settings={}), held, task)
        for name, (method, seed, above) in (("a", ours), ("b", theirs))
    ]
    assert known.may_meet(*made) is begun


def test_numbers_are_compared_by_one_measure_which_must_be_the_closer():
    """Trainings of sac on Pendulum correlate by 0.97 at most, copies with a hundredth of noise by 0.9991."""
    rng, one = np.random.default_rng(0), printed(fresh(1))
    none, first = np.zeros(same.LOOKS, np.uint8), rng.standard_normal((same.LOOKS, 1))
    for off, copied in ((0.25, False), (0.1, False), (0.03, True)):
        moved = first + off * rng.standard_normal(first.shape)
        pair = [
            one._replace(actions=none, advantages=x, weights=w)
            for x, w in ((first, one.weights), (moved, 2 * one.weights))
        ]
        assert bool(same.is_copy(*pair, relatives=False)) is copied, same.correlation(*pair)


def test_students_before_the_end_are_known_once_they_had_learned_something():
    points = ((0, 0), (100, 5), (200, 50), (300, 100))
    theirs = record("b", method="dqn", seed=1, points=points)
    text = printed(fresh(1)).text()
    verdict = Verdict(run="b", state="re-scored", fingerprint=text, earlier=(text, text, text))
    found = known._of_run(record("a", method="dqn"), theirs, verdict, "run b", begun=False)
    assert [(one.name, one.early) for one in found] == [("run b", False), ("run b at 200 steps", True)]
    noisy = printed(shuffled(trained(fresh(1), 0.03)), seed=5)
    assert len(known._copied(noisy, digest("a"), found)) == 2


@pytest.mark.parametrize(
    ("others", "moved", "says"),
    [
        (2, 0.002, "acts like it on 99.6%"),  # 510 of 512 actions: from 99.5 % it is its teacher
        (3, 0.002, ""),
        (99, 0.0009, "differ from theirs by 9.0e-04"),
        (99, 0.0011, ""),
        (3, 0.0009, "differ from theirs by 9.0e-04"),
    ],
)
def test_who_was_made_from_a_teacher_and_hardly_learned_still_is_that_teacher(others, moved, says):
    """At the bounds: the number of different actions of 512, and the deviations between the ordered weights."""
    teacher = printed(fresh(1))
    actions = teacher.actions.copy()
    actions[:others] += 1
    student = teacher._replace(actions=actions, weights=teacher.weights.copy())
    student.weights[:, 1:] += np.float32(moved) * teacher.weights[:, :1]
    guide = known.KnownStudent(known.OWN, digest("teacher"), teacher, True, True)
    told = known._copied(student, digest("student"), [guide])
    assert (told == []) if not says else "is still its own teacher" in told[0] and says in told[0]
    assert not told or told[0].endswith("train it on")


@pytest.mark.parametrize(
    ("single", "turned", "same_units"), [(False, 0.8, True), (True, 0.94, False), (True, 0.99, True)]
)
def test_units_of_actors_have_to_look_more_closely_where_others_do(single, turned, same_units):
    """An actor's long training turns them: on HalfCheetah to a cosine of 0.94 from other fresh weights."""
    found = same.Likeness(alike=1.0, along=0.5, gap=1.0, turned=turned, single=single)
    assert bool(same.copied(found, relatives=False, begun=False)) == same_units

"""What re-training starts from, what it compares of two records, and the interval of an honest claim."""

from dataclasses import replace

import numpy as np
import pytest

from reincarnate.benchmark.evaluation.evaluator import are_rounds
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.submission import agree
from reincarnate.benchmark.submission.retrain import differences, remarks, retrain, wanted
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.submission import Verdict

from ...leaderboard.makers import record, submission

TASK = "gym/CartPole-v1"
REQUEST = RunRequest(TASK, "dqn", "steps=100", 0, {"warmup": 50}, points=(0.0, 1.0), environments=8)


def asked(**changes):
    """Return a record and the first line of its ledger, which agree but for these changes of the request."""
    made = record("a", method="dqn", settings={"warmup": 50}, command=REQUEST.command())
    told = REQUEST.to_json() | changes
    return made, {"request": told}


def test_the_request_is_what_is_trained_again_and_the_command_is_not_read():
    assert wanted(*asked(), "local") == replace(REQUEST, hub="local")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "os:system"}, "is not what was asked for"),
        ({"settings": {"warmup": 51}}, "is not what was asked for"),
        ({"settings": {}}, "no preset explains it"),
        ({"budget": "steps=1G"}, "is not what was asked for"),
        ({"budget": 5}, "budget is not of type str"),
        ({"seed": True}, "seed is not of type int"),
        ({"seed": 99}, "is not what was asked for"),
        ({"points": [[]]}, "have the wrong type"),
        ({"surprise": 1}, "which is unknown"),
        ({"environments": 4}, "is not what was asked for"),
        ({"episodes": 3}, "it is not the command"),
    ],
)
def test_a_request_of_another_run_is_none(change, says):
    with pytest.raises(ValueError, match=says):
        wanted(*asked(**change), "bundled")


def test_a_ledger_without_a_request_is_rejected_when_it_is_to_be_trained_again():
    made, _ = asked()
    told = retrain(submission(made), [{}], Verdict(run="a", state="re-scored"), "bundled")
    assert told.state == "rejected" and "does not say what the run was asked for" in told.reasons[0]


def test_records_are_compared_field_by_field():
    made = record("a")
    assert differences(made, made.model_copy(update={"run": "b", "machine": {}, "phases": {"act": 1.0}})) == []
    for name, value in (
        ("settings", {"n_step": 9}),
        ("network", {"name": "x"}),
        ("seed", 5),
        ("budget", {"steps": 9.0}),
    ):
        assert [told.partition(":")[0] for told in differences(made.model_copy(update={name: value}), made)] == [
            f"record.{name}"
        ]
    last = made.points[-1]
    for unit in ("steps", "updates", "flops"):
        cheap = last.model_copy(update={"spent": {**last.spent, unit: last.spent[unit] / 2}})
        told = differences(made.model_copy(update={"points": (made.points[0], cheap)}), made)
        assert len(told) == 1 and f"spent.{unit}" in told[0]
    slow = last.model_copy(update={"spent": {**last.spent, "seconds": 1e6, "device": 1e6}})
    assert differences(made.model_copy(update={"points": (made.points[0], slow)}), made) == []
    boast = last.model_copy(
        update={"parameters": "e" * 64, "evaluation": last.evaluation.model_copy(update={"returns": (99.0, 99.5)})}
    )
    told = differences(made.model_copy(update={"points": (made.points[0], boast)}), made)
    assert len(told) == 1 and "where the same request ends here" in told[0]
    rounded = {"evaluation": last.evaluation.model_copy(update={"returns": (last.evaluation.returns[0], 2.1)})}
    much = {"evaluation": last.evaluation.model_copy(update={"returns": (99.0, 99.5)})}
    for fields, machine, wrong in (
        (rounded, made.machine, 1),
        (rounded, {"device": "other"}, 0),
        (much, {"device": "other"}, 1),
    ):
        claim = made.model_copy(update={"points": (made.points[0], last.model_copy(update=fields))})
        told = differences(claim, made.model_copy(update={"machine": machine}))
        assert len(told) == wrong, "equal weights on one kind of machine return the same to the last bit"


@pytest.mark.parametrize(("processor", "where"), [("x", "on a machine of the same name"), ("y", "on another kind")])
def test_weights_that_come_out_otherwise_are_told_with_the_machine(processor, where):
    """Two students have the same seed and settings, but one has added noise."""
    made = record("a", machine={"device": "cpu: cpu", "processor": "x"})
    assert remarks(made, made.model_copy(update={"run": "b"})) == []
    noisy = made.points[-1].model_copy(update={"parameters": "e" * 64})
    again = record("a", machine={"device": "cpu: cpu", "processor": processor})
    (told,) = remarks(made.model_copy(update={"points": (made.points[0], noisy)}), again)
    assert told.startswith("re-training gave different weights for 1 of 2 students") and where in told


def test_a_strangers_method_is_never_imported(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    one = submission(record("a", method="stranger:method"), entry="theirs")
    told = retrain(one, [{}], Verdict(run="a", state="re-scored"), "bundled")
    assert told.state == "re-scored" and "names third-party code, which is not run here" in told.reasons[0]


def test_the_interval_of_an_honest_claim_by_hand():
    """Ours: 0 and 10 in turns, 30 episodes, so a spread of 5.085; t with 29 degrees is 2.756 at 99 %.

    With 119 degrees it is 4.027 at 99.99 %.
    """
    low, high = agree.interval([0.0, 10.0] * 15, 30, 0.01, 10.0)
    assert (low + high) / 2 == 5.0
    assert high - low == pytest.approx(2 * 2.756 * 5.0855 * (2 / 30) ** 0.5, rel=1e-3)
    assert agree.interval([3.0] * 30, 1, 0.01, 10.0) == pytest.approx((2.9, 3.1))  # nothing varies
    low, high = agree.interval([0.0, 10.0] * 60, 30, 1e-4, 10.0)
    assert high - low == pytest.approx(2 * 4.027 * 5.021 * (1 / 120 + 1 / 30) ** 0.5, rel=1e-3)


@pytest.mark.slow
def test_honest_claims_are_rejected_less_than_once_in_ten_thousand():
    """Claims and looks drawn from the episodes that were played of 468 students, five points each."""
    rejected, trials, rng = 0.0, 0, np.random.default_rng(0)
    (_, first), (again, last) = agree.looks(5)
    for returns in honest():
        n, many = len(returns), 4000
        draw = lambda *shape, of=returns: of[rng.integers(len(of), size=shape)]  # noqa: E731
        claim = draw(many, n).mean(axis=1)
        missed = _misses(claim, draw(many, max(n, agree.LEAST)), n, first)
        second = draw(int(missed.sum()), again * max(n, agree.LEAST))
        rejected += float(_misses(claim[missed], second, n, last).sum()) if missed.any() else 0.0
        trials += many
    assert trials > 300_000 and 5 * rejected / trials < agree.FALSE, (rejected, trials)


def honest() -> list[np.ndarray]:
    """Return of the maintainer's own episodes in the committed results: a fifth of the students, of all tasks."""
    import json
    from pathlib import Path

    files = sorted((Path(__file__).parents[3] / "docs").glob("results*/verdicts/baselines/*.json"))[::5]
    found = [json.loads(path.read_bytes())["rescored"]["returns"] for path in files]
    return [np.array(returns) for returns in found]


def _misses(claims: np.ndarray, ours: np.ndarray, count: int, chance: float) -> np.ndarray:
    low, high = agree.interval(ours, count, chance, 0.0)
    return (claims < low) | (claims > high)


def test_rounds_of_an_evaluation_by_hand():
    """MinAtar: 20 episodes at a time until they have 10,000 steps."""
    task = find("minatar/breakout")
    each, least = task.evaluation_episodes, task.evaluation_steps
    assert all(are_rounds(lengths, each, least) for lengths in ((500,) * 20, (499,) * 40, (1,) * 1000))
    assert not are_rounds((500,) * 40, each, least)  # went on too long
    assert not any(are_rounds(lengths, each, least) for lengths in ((499,) * 20, (600,) * 19))  # ended too early


FELL = [2883, 2793, 2991, 2871, 2900, 2926, 2950, 2826, 2777, 2927, 2736, 1182, 156, 3039, 3009, 2919, 2868, 2818, 2833]
STOOD = np.random.default_rng(0).normal(2870.0, 90.0, 240)  # as many as in the second look, and none of them a fall


def test_falls_that_are_in_the_claims_episodes_alone_may_be_bad_luck():
    """A run of sac on HalfCheetah: 2 of 20 episodes are falls, which is no wonder where one in a hundred is."""
    low, high = agree.interval(STOOD, len(FELL), agree.FALSE / 5, 9_687.0)
    assert not low <= np.mean(FELL) <= high and agree.unlucky(FELL, STOOD, agree.FALSE / 5)


@pytest.mark.parametrize(
    "claim",
    [
        [2600.0] * 20,  # each a bit worse: other weights
        [-1e9] * 20,
        list(2650.0 + (STOOD[:20] - STOOD[:20].mean())),
        [3100.0] * 20,  # above ours, whatever it is made of
        [2870.0] * 19 + [1e6],
    ],
)
def test_claims_that_are_lower_throughout_or_higher_at_all_are_not(claim):
    assert not agree.unlucky(claim, STOOD, agree.FALSE / 5)


def test_one_permutation_in_ten_by_hand():
    """Of the ten ways to draw two of five numbers, one is as low as 0 and 1. A single episode tells nothing."""
    assert agree.unlucky([0.0, 1.0], [2.0, 3.0, 4.0], 0.09) and not agree.unlucky([0.0, 1.0], [2.0, 3.0, 4.0], 0.11)
    assert not agree.unlucky([0.0], [2.0, 3.0, 4.0], 0.01)

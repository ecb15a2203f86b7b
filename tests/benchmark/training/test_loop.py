"""The loop spends a budget exactly, repeats itself bit for bit, and keeps what it tells methods honest."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Method, Teacher
from reincarnate.agents.networks import build
from reincarnate.agents.teacher import absent, digest, flatten
from reincarnate.benchmark.tasks.environments import seeds
from reincarnate.benchmark.training import learning, loop
from reincarnate.benchmark.training.budget import TIMES, Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import Snapshot, Status, train
from reincarnate.benchmark.training.observer import Observer
from reincarnate.benchmark.training.weaning import Validation
from reincarnate.datasets.replay.replay import Replay

from ..toys import ACTIONS, TOY, Catch, Witness, filled, same_as_shown, scored

SMALL = Architecture("mlp", {"size": 8, "depth": 1})
QUICK = {"batch_size": 4, "n_step": 1, "target_period": 2, "warmup": 0.1}
ENVS = 4


def taught(seed: int = 5) -> Teacher:
    net = build(SMALL, ACTIONS)
    return Teacher(SMALL, net.apply, jax.jit(net.init)(jax.random.key(seed), Catch(seeds("log", 0, 1)).observe()))


TEACHER = taught()
LOG, _ = filled(Catch(seeds("log", 0, 2)), TOY.stack, 300, 60)


class Course(NamedTuple):
    """The result of a run."""

    snapshots: list[Snapshot]
    told: list[Status]
    witnesses: list[Witness]
    replays: list[Replay]
    validated: list[Any]

    @property
    def spent(self) -> dict[str, float]:
        return self.snapshots[-1].spent

    @property
    def acts(self) -> int:
        """Return the steps of environments, unpaid ones as well."""
        return sum(w.acts for w in self.witnesses)


@pytest.fixture
def course(monkeypatch, traced):
    """Return course(method, budget, ...) -> Course, with the watcher told of everything."""
    monkeypatch.setattr(loop, "WATCH_SECONDS", -1.0)

    def go(
        method: str | Method,
        budget: Budget,
        seed: int = 0,
        shares=(0.0, 0.5, 1.0),
        teacher: Teacher = TEACHER,
        log: Replay | None = LOG,
        n: int = ENVS,
        score=lambda params: 0.5,
        **settings,
    ) -> Course:
        made = traced(method, {**QUICK, **settings}) if isinstance(method, str) else method
        told, witnesses, validated, replays = [], [], [], []

        class Kept(Replay):
            def __init__(self, *args):
                super().__init__(*args)
                replays.append(self)

        monkeypatch.setattr(loop, "Replay", Kept)

        def make_env(number: int) -> Witness:
            witnesses.append(Witness(Catch(seeds("train", seed, n, number))))
            return witnesses[-1]

        def validate(params) -> Validation:
            validated.append(digest(flatten(params)))
            found = score(params)
            return Validation(found, found, 30, 100)

        network = made.network(SMALL, teacher.architecture)
        snapshots = train(
            Training(TOY, made, network, teacher, log, seed, budget, shares), make_env, validate, told.append
        )
        return Course(list(snapshots), told, witnesses, replays, validated)

    return go


def never_over(run: Course, budget: Budget) -> None:
    for spent in [status.spent for status in run.told] + [snapshot.spent for snapshot in run.snapshots]:
        assert all(spent[unit] <= limit for unit, limit in budget.limits().items() if unit not in TIMES)
        assert spent["frames"] == spent["steps"] * TOY.frame_skip
    for unit in run.spent:  # and nothing is ever given back
        amounts = [status.spent[unit] for status in run.told]
        assert amounts == sorted(amounts)


# 4 environments and a quarter of an update a step: an update after each step of all four, once the replay has a step.


@pytest.mark.parametrize("budget", [Budget(steps=31), Budget(frames=124), Budget(frames=127)])
def test_steps_are_spent_to_the_last(course, budget):
    run = course("dqn", budget, warmup=0)
    never_over(run, budget)
    assert (run.spent["steps"], run.spent["frames"], run.spent["updates"]) == (31, 124, 6)
    kept = [len(replay) for replay in run.replays]
    assert kept == [31]  # the action of the fourth environment was not paid for, and is not kept


@pytest.mark.parametrize(("updates", "steps"), [(1, 8), (7, 32)])
def test_updates_are_spent_to_the_last_and_end_the_run_at_once(course, updates, steps):
    budget = Budget(updates=updates)
    run = course("dqn", budget, warmup=0)
    never_over(run, budget)
    assert (run.spent["updates"], run.spent["steps"]) == (updates, steps)


def costs(course, method: str, **settings) -> tuple[float, float]:
    """Return (FLOPs of acting in all environments, of an update), from what two runs spent."""
    runs = [course(method, Budget(steps=steps), **settings) for steps in (20, 60)]
    acts = np.array([[run.acts, run.spent["updates"]] for run in runs])
    act, update = np.linalg.solve(acts, [run.spent["flops"] for run in runs])
    assert act > 0 and update > act / ENVS
    return float(act), float(update)


ASKING = pytest.param("kickstarting", {"deadline": 1.0}, marks=pytest.mark.slow)


@pytest.mark.parametrize(("method", "settings"), [("dqn", {}), ASKING])
def test_flops_are_spent_to_less_than_one_act(course, method, settings):
    act, update = costs(course, method, warmup=0, **settings)
    for limit in (9.5 * act + 7 * update, 11 * act + 9.99 * update):
        budget = Budget(flops=limit)
        run = course(method, budget, warmup=0, **settings)
        never_over(run, budget)
        assert 0.0 <= limit - run.spent["flops"] < max(act, update)
        assert run.spent["flops"] == pytest.approx(run.acts * act + run.spent["updates"] * update)


@pytest.mark.parametrize(
    ("budget", "steps", "updates"),
    [
        (Budget(steps=31, frames=1e6, updates=1e6, flops=1e12), 31, 6),
        (Budget(steps=1e6, frames=124, updates=1e6, flops=1e12), 31, 6),
        (Budget(steps=1e6, frames=1e6, updates=6, flops=1e12), 28, 6),
        (Budget(steps=28, frames=112, updates=6), 28, 6),
    ],
)
def test_the_first_limit_that_is_used_up_ends_the_run(course, budget, steps, updates):
    run = course("dqn", budget, warmup=0)
    never_over(run, budget)
    assert (run.spent["steps"], run.spent["updates"]) == (steps, updates)


def test_the_least_of_all_four_limits_counts_even_if_it_is_flops(course):
    act, update = costs(course, "dqn", warmup=0)
    budget = Budget(steps=100, frames=400, updates=25, flops=6 * act + 5 * update)
    run = course("dqn", budget, warmup=0)
    never_over(run, budget)
    assert (run.spent["steps"], run.spent["updates"]) == (24, 5)


def test_seconds_end_a_run(course):
    run = course("dqn", Budget(steps=1e7, seconds=0.05))
    assert run.snapshots[-1].last and 0.05 <= run.spent["seconds"] < 10.0
    assert run.spent["steps"] < 1e7


def test_evaluation_is_not_charged(monkeypatch, traced):
    """The caller's work between two snapshots is not charged to the run."""
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])
    method = traced("qdagger", {**QUICK, "offline_share": 0.0})

    def validate(params):
        now[0] += 1000.0
        return Validation(0.5, 0.4, 30, 100)

    def make_env(number):
        return Witness(Catch(seeds("train", 0, ENVS)))

    seconds = []
    for snapshot in train(
        Training(TOY, method, SMALL, TEACHER, LOG, 0, Budget(steps=40), (0.0, 0.5)), make_env, validate
    ):
        now[0] += 1000.0
        seconds.append(snapshot.spent["seconds"])
    assert seconds == [0.0, 0.0, 0.0]


def test_a_method_that_learns_offline_alone_takes_no_step(course):
    for budget in (Budget(updates=7), Budget(updates=7, steps=1, frames=4)):
        run = course("dagger", budget, offline_share=1.0)
        never_over(run, budget)
        assert (run.spent["updates"], run.spent["steps"], run.acts) == (7, 0, 0)
        assert [snapshot.last for snapshot in run.snapshots] == [True]
        assert {status.phase for status in run.told} == {"offline"}
    update = run.spent["flops"] / 7
    run = course("dagger", Budget(flops=7.9 * update), offline_share=1.0)
    assert run.spent["updates"] == 7


def test_offline_updates_come_first_and_do_not_advance_the_run(course, monkeypatch):
    """6 of 10 updates are made on the log; the progress that the method sees starts with the first step."""
    heard = []
    made = keywords.make("qdagger", {**QUICK, "offline_share": 0.6, "warmup": 0})

    def log_share(progress):
        heard.append((float(progress.offline), float(progress.spent), float(progress.planned)))
        return made.log_share(progress)

    run = course(made._replace(log_share=log_share), Budget(updates=10))
    never_over(run, Budget(updates=10))
    heard = heard[-run.acts - 6 :] if len(heard) > run.acts + 6 else heard
    offline = [one for one in heard if one[0] == 1.0]
    online = [one for one in heard if one[0] == 0.0 and one[1] > 0.0]
    assert offline == [(1.0, 0.0, 16.0)] * 6  # 16 steps are planned
    spent = [one[1] for one in online]
    assert spent == sorted(spent) and spent[0] == 4 / 16 and max(spent) == 1.0
    assert run.spent["updates"] == 10
    assert [status.phase for status in run.told if status.spent["updates"] <= 5] == ["offline"] * 6


def test_the_first_snapshot_is_taken_after_the_offline_phase(course):
    run = course("qdagger", Budget(updates=10), offline_share=0.6)
    assert (run.snapshots[0].spent["steps"], run.snapshots[0].spent["updates"]) == (0, 6)


@pytest.mark.parametrize(
    ("shares", "steps"),
    [
        ((0.0, 0.5, 1.0), [0, 24, 47]),  # after the first step of all four that reaches the share
        ((1.0,), [47]),
        ((0.0, 0.01, 0.0), [0, 47]),  # the same step only once
        ((0.9, 0.1, 0.99), [4, 44, 47]),  # 4.7 counts as 4, 42.3 as 42
        ((0.5,), [24, 47]),
    ],
)
def test_snapshots_are_taken_at_shares_of_the_steps_and_at_the_end(course, shares, steps):
    run = course("dqn", Budget(steps=47), shares=shares)
    assert [snapshot.spent["steps"] for snapshot in run.snapshots] == steps
    assert [snapshot.last for snapshot in run.snapshots] == [False] * (len(steps) - 1) + [True]


def test_no_two_snapshots_are_taken_at_the_same_step_when_flops_end_the_run(course):
    act, update = costs(course, "dqn", warmup=0)
    run = course("dqn", Budget(flops=10 * act + 9 * update), warmup=0, shares=np.linspace(0, 1, 101).tolist())
    steps = [snapshot.spent["steps"] for snapshot in run.snapshots]
    assert len(set(steps)) == len(steps)


def twice(run: Course):
    """Return everything that two runs of the same seed must share, down to the last bit."""
    spent = [{unit: s.spent[unit] for unit in s.spent if unit not in TIMES} for s in run.snapshots]
    weights = [digest(flatten(snapshot.params)) for snapshot in run.snapshots]
    rows = [[(row.shown.tobytes(), *row[1:]) for row in rows] for w in run.witnesses for rows in w.rows]
    return spent, weights, rows, [status.returns for status in run.told][-1], run.validated


SLOW = pytest.param("pbt_small", marks=pytest.mark.slow)


@pytest.mark.parametrize("method", ["qdagger", SLOW, pytest.param("rlpd", marks=pytest.mark.slow)])
def test_the_same_seed_is_the_same_run_bit_for_bit(course, method):
    first, second, other = (course(method, Budget(steps=32), seed=seed) for seed in (3, 3, 4))
    assert twice(first) == twice(second)
    assert first.spent["updates"] > 0
    for mine, theirs in zip(twice(first)[1:3], twice(other)[1:3], strict=True):
        assert mine != theirs


@pytest.mark.slow
def test_a_teacher_that_is_not_asked_costs_nothing(course):
    budget = Budget(steps=40)
    alone = course("dqn", budget, teacher=absent(), log=None)
    beside = course("dqn", budget)
    asking = course("qdagger", budget, offline_share=0.0)
    assert twice(alone) == twice(beside)
    assert alone.spent["flops"] == beside.spent["flops"] < asking.spent["flops"]


@pytest.mark.slow
def test_a_population_shares_one_budget(course):
    one, four = (course("pbt_small", Budget(steps=61), population=p, offline_share=0.0, warmup=0) for p in (1, 4))
    assert len(four.witnesses) == 4 and len(one.witnesses) == 1
    for run in (one, four):
        never_over(run, Budget(steps=61))
        assert run.spent["steps"] == 61 and sum(len(replay) for replay in run.replays) == 61
    taken = [witness.acts for witness in four.witnesses]
    assert sum(taken) == 16 and max(taken) - min(taken) == 0
    first = [tuple(rows[0].shown.tobytes() for rows in witness.rows) for witness in four.witnesses]
    assert len(set(first)) > 1  # each has environments of its own


@pytest.mark.slow
def test_the_best_member_is_the_one_that_is_shown(course):
    """The members are scored in turn, 0.1, 0.4, 0.2, 0.3 and so on: the second is the best each time."""
    scores = [0.1, 0.4, 0.2, 0.3]
    asked = []

    def score(params):
        asked.append(digest(flatten(params)))
        return scores[(len(asked) - 1) % 4]

    run = course("pbt_small", Budget(steps=64), offline_share=0.0, score=score)
    assert len(asked) == 4 * (10 + 1)  # at each tenth, and at the end
    for number, snapshot in zip((0, 5, 10), run.snapshots, strict=True):
        assert digest(flatten(snapshot.params)) == asked[4 * number + 1]


@pytest.mark.parametrize(
    ("method", "settings", "wanted"),
    [
        ("qdagger", {"deadline": 1.0}, 10),  # at each tenth; not at the end, where one student needs no choice
        pytest.param("qdagger", {"deadline": 0.35}, 4, marks=pytest.mark.slow),  # 0, 10, 20 and 30 %
        ("dqn", {}, 0),
        ("dagger", {}, 0),  # reads no score
    ],
)
def test_only_a_method_that_reads_its_score_is_validated_and_only_until_it_is_weaned(
    course, monkeypatch, method, settings, wanted
):
    monkeypatch.setattr("reincarnate.benchmark.training.course.WEANED_UPDATES", 1)
    run = course(method, Budget(steps=400), warmup=0, **settings)
    assert len(run.validated) == wanted and len(run.snapshots) == 3
    assert run.spent["validated"] == 100 * wanted and run.spent["steps"] == 400


@pytest.mark.slow
@pytest.mark.parametrize("method", ["qdagger", "pbt_small"])
def test_where_the_student_is_shown_does_not_matter_to_what_it_becomes(course, method):
    """A method gets the scores of each tenth, whatever is reported."""

    def score(params):
        return float(np.abs(np.asarray(jax.tree.leaves(params)[-1])).sum())

    def end(shares):
        last = course(method, Budget(steps=120), shares=shares, score=score, warmup=0).snapshots[-1]
        return digest(flatten(last.params)), {unit: last.spent[unit] for unit in last.spent if unit not in TIMES}

    ends = [end(shares) for shares in ((0.0, 0.1, 0.25, 0.5, 1.0), (0.0, 1.0), (0.33,))]
    assert ends[0] == ends[1] == ends[2]


class Told(Observer):
    """Remembers why students were weaned."""

    def __init__(self):
        self.reasons: list[dict] = []

    def weaned(self, told: dict) -> None:
        self.reasons.append(told)


@pytest.mark.parametrize(
    ("lows", "expected"),
    [
        ([0.2, 0.99, 0.5, 0.4, 0.3, 0.2, 0.1], ("schedule", 0.6, None, None)),  # never sure enough: at the deadline
        ([0.2, 0.99, 1.0], ("validation", 0.2, 1.3, 1.0)),
        ([1.0], ("validation", 0.1, 1.3, 1.0)),  # as good at once: held until a tenth is over
    ],
)
def test_a_student_is_weaned_by_the_lower_bound_of_its_score_and_says_so(monkeypatch, traced, lows, expected):
    monkeypatch.setattr("reincarnate.benchmark.training.course.WEANED_UPDATES", 1)
    bounds, observer = iter(lows), Told()

    def validate(params):
        low = next(bounds, 0.0)
        return Validation(low + 0.3, low, 30, 50)

    def make_env(number):
        return Witness(Catch(seeds("train", 0, ENVS)))

    method = traced("qdagger", {**QUICK, "offline_share": 0.0, "warmup": 0})
    run = train(
        Training(TOY, method, SMALL, TEACHER, LOG, 0, Budget(steps=400), (0.0, 1.0)),
        make_env,
        validate,
        observer=observer,
    )
    last = list(run)[-1]
    (told,) = observer.reasons
    assert last.weaning == told and (told["reason"], told["score"], told["low"]) == expected[:1] + expected[2:]
    assert told["share"] == pytest.approx(expected[1], abs=0.05) and told["steps"] == 400 * told["share"]
    assert told["episodes"] == (30 if expected[2] else None)


def test_a_loss_that_is_no_number_ends_the_run(course):
    made = keywords.make("dqn", {**QUICK, "warmup": 0})

    def loss(student, target, teacher, batch, progress):
        return {"td": made.loss(student, target, teacher, batch, progress)["td"] / progress.offline}

    with pytest.raises(ValueError, match="the loss term 'td' is (nan|inf) at update 1: lower the learning rate"):
        course(made._replace(loss=loss), Budget(steps=40))


@pytest.mark.parametrize("capacity", [1_000, 24])
def test_the_replay_is_what_was_shown(course, capacity):
    """Fill a replay like the loop: ends, truncated episodes, the ring's end, and a last step that was partly paid
    for."""
    run = course("dqn", Budget(steps=158), replay_capacity=capacity)
    (witness,), (replay,) = run.witnesses, run.replays
    ends = [row.terminal for rows in witness.rows for row in rows if row.action == -1]
    assert True in ends and False in ends
    for rows in witness.rows[2:]:  # 158 = 39 * 4 + 2: the last step of two environments was neither paid for nor kept
        rows.pop()
        if rows[-1].action >= 0 and len(rows) > 1 and rows[-1].terminal:
            rows.pop()
    assert len(same_as_shown(replay, witness, n_step=2)) > (100 if capacity > 24 else 8)
    assert len(replay) == 158 if capacity > 24 else len(replay) < 24


def test_rewards_are_clipped_for_learning_and_returns_are_not(course, monkeypatch):
    seen = []

    def spy(*args):
        batch = original(*args)
        seen.extend([] if batch is None else batch.reward.tolist())
        return batch

    original = learning.sample_mix
    monkeypatch.setattr(learning, "sample_mix", spy)
    run = course("dqn", Budget(steps=80), warmup=0, batch_size=32)
    assert set(seen) == {-1.0, 0.0, 1.0}
    assert 3.0 in run.told[-1].returns


def test_the_log_in_the_replay_is_sampled_uniformly_with_it(course, monkeypatch):
    """fine_tuning keeps the log: its share is its part of all transitions, and falls as the student's own come.

    Once both fill the replay, a step of the log leaves it for each that comes.
    """
    shares = []

    def spy(rng, log, replay, size, share, *how):
        left = min(len(log), max(capacity - len(replay), 0))
        shares.append((share, left / (left + len(replay))))
        return original(rng, log, replay, size, share, *how)

    original = learning.sample_mix
    monkeypatch.setattr(learning, "sample_mix", spy)
    for capacity, last in ((1_000, 120 / 200), (160, 80 / 160)):
        shares.clear()
        course("fine_tuning", Budget(steps=80), warmup=0, replay_capacity=capacity)
        assert shares and all(given == meant for given, meant in shares)
        assert shares[0][0] == 120 / 124 > shares[-1][0] == last


# -- what cannot work is said before anything is spent


@pytest.mark.parametrize(
    ("method", "budget", "settings", "says"),
    [
        ("qdagger", Budget(updates=10), {"log": None}, "learns from a teacher's log"),
        ("fine_tuning", Budget(updates=10), {"log": None}, "learns from a teacher's log"),
        ("rlpd", Budget(updates=10), {"log": None}, "learns from a teacher's log"),
        ("kickstarting", Budget(updates=10), {"teacher": absent()}, "needs a teacher: give one"),
        ("jsrl", Budget(updates=10), {"teacher": absent()}, "needs a teacher: give one"),
        ("dqn", Budget(steps=3), {}, "too small for a single update"),
        ("dqn", Budget(flops=10), {}, "too small for a single step"),
        ("dqn", Budget(seconds=10), {}, "time alone"),
        ("dagger", Budget(steps=10), {"offline_share": 1.0}, "needs a budget of updates or flops"),
        ("pbt_small", Budget(steps=100), {"population": 17}, "16 members"),
    ],
)
def test_what_cannot_work_is_refused_at_once(course, method, budget, settings, says):
    made = keywords.make(method, {**QUICK, **{k: v for k, v in settings.items() if k not in ("log", "teacher")}})
    steps = []

    def make_env(number):
        witness = Witness(Catch(seeds("train", 0, ENVS, number)))
        steps.append(witness)
        return witness

    with pytest.raises(ValueError, match=says) as error:
        train(
            Training(TOY, made, SMALL, settings.get("teacher", TEACHER), settings.get("log", LOG), 0, budget, (0.0,)),
            make_env,
            lambda params: pytest.fail("validated"),
            lambda status: pytest.fail("watched"),
        )
    assert "\n" not in str(error.value)
    assert not any(witness.acts for witness in steps)


def test_nothing_is_spent_before_the_first_snapshot_is_asked_for():
    witness, told = Witness(Catch(seeds("train", 0, ENVS))), []
    method = keywords.make("qdagger", QUICK)
    train(
        Training(TOY, method, SMALL, TEACHER, LOG, 0, Budget(steps=40), (0.0,)),
        lambda n: witness,
        scored(0.5),
        told.append,
    )
    assert witness.acts == 0 and not told


def test_no_more_memory_is_asked_for_than_the_budget_can_fill(course):
    (replay,) = course("dqn", Budget(steps=40)).replays
    assert replay._frame.shape[0] <= 2 * (40 + ENVS)


def test_resets_come_in_time_and_n_and_discount_begin_anew(course, monkeypatch):
    """26 updates with a reset every 8: after 8 and 16. Within two updates n goes from 4 through 2 to 1."""
    drawn, anew, original = [], [], learning.sample_mix

    def sample(rng, log, replay, size, share, n_step, discount, *how):
        batch = original(rng, log, replay, size, share, n_step, discount, *how)
        if batch is not None:
            drawn.append((n_step, round(discount, 3)))
        return batch

    def renew(learner, fresh, shrink):
        anew.append((int(learner.updates), digest(flatten(fresh.params)), shrink))
        return fresh._replace(updates=learner.updates)

    monkeypatch.setattr(learning, "sample_mix", sample)
    how = {"first_n_step": 4, "n_step": 1, "first_discount": 0.9, "discount": 0.99, "anneal": 2}
    method = keywords.make(
        "cql", {**QUICK, **how, "warmup": 0, "reset_period": 8, "shrink": 0.25, "offline_share": 0.5}
    )
    run = course(method._replace(renew=renew, updates_per_step=0.5), Budget(updates=26))
    first = [(4, 0.9), (2, round(1 - 0.1 * 0.1**0.5, 3)), (1, 0.99)]
    assert drawn[:24] == [*first, *[(1, 0.99)] * 5] * 2 + [*first, *[(1, 0.99)] * 5]
    assert [(made, shrink) for made, _, shrink in anew] == [(8, 0.25), (16, 0.25)]
    assert len({seal for _, seal, _ in anew}) == 2 and run.spent["updates"] == 26

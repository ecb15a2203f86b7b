"""The time left of runs whose every second is made by hand."""

import pytest

from reincarnate.benchmark.training.budget import LIMITS, Budget, Plan
from reincarnate.benchmark.training.observer import Status
from reincarnate.benchmark.training.stopwatch import PHASES
from reincarnate.benchmark.training.time_left import TimeLeft

NO_LIMIT = Budget()
EVERY = 0.5  # seconds between two looks


class Run:
    """A run by the clock: parts follow each other, each so many units at a price; evaluations stand between."""

    def __init__(self, plan: Plan, budget: Budget = NO_LIMIT, share: float = 1.0, evaluations: int = 0):
        self.plan, self.budget, self.share, self.evaluations = plan, budget, share, evaluations
        self.now, self.left = 100.0, TimeLeft()
        self.spent: dict[str, float] = dict.fromkeys(LIMITS, 0.0)
        self.phases: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.told: list[tuple[float, float | None]] = []  # when, and how much was said to be left
        self._look("offline")

    def _look(self, phase: str) -> None:
        status = Status(
            phase, dict(self.spent), dict(self.phases), self.plan, (), {}, {}, self.budget, self.evaluations
        )
        self.left.see(status, self.now)
        self.told.append((self.now, self.left.seconds(status)))

    def _pass(self, phase: str, **seconds: float) -> None:
        for name, took in seconds.items():
            self.phases[name] += took * self.share
            self.spent["seconds"] += took * self.share
            self.now += took
        self._look(phase)

    def compile(self, seconds: float, phase: str = "offline") -> None:
        self._pass(phase, compile=seconds)

    def offline(self, updates: int, each: float) -> None:
        for _ in range(round(updates * each / EVERY)):
            self.spent["updates"] += EVERY / each
            self._pass("offline", offline=0.8 * EVERY, data=0.2 * EVERY)

    def online(self, steps: int, step: float, update: float = 0.0, rate: float = 0.0) -> None:
        price = step + rate * update
        for _ in range(round(steps * price / EVERY)):
            made = EVERY / price
            self.spent["steps"] += made
            self.spent["updates"] += made * rate
            self._pass("online", act=0.5 * made * step, environment=0.5 * made * step, update=made * rate * update)

    def evaluate(self, seconds: float) -> None:
        self.now += seconds
        self.left.paused(seconds)
        self.left.evaluated(seconds)
        self.evaluations -= 1

    def worst(self, after: float = 60.0) -> float:
        """Return the largest factor by which it was off, from so long after the start to a second before the end."""
        ratios = []
        for when, said in self.told:
            true = self.now - when
            if when - 100.0 >= after and true > 1.0:
                assert said is not None
                ratios.append(max(said / true, true / max(said, 1e-9)))
        return max(ratios)


def test_a_log_then_the_game_at_four_times_the_price_is_told_within_a_factor_of_two():
    run = Run(Plan(offline_updates=1000, steps=4000, updates=2000), evaluations=2)
    run.left.expect(10.0)
    run.compile(20.0)
    run.offline(1000, 0.1)
    run.evaluate(15.0)
    run.compile(10.0, "online")
    run.online(4000, 0.005, 0.15, 0.25)
    run.evaluate(15.0)
    assert run.worst() < 2.0


def test_what_waits_for_a_warm_up_is_not_said_before_an_update():
    run = Run(Plan(offline_updates=0, steps=10_000, updates=2_000), evaluations=1)
    run.online(2000, 0.005)
    assert run.told[-1][1] is None
    run.online(8000, 0.005, 0.1, 0.25)
    assert run.worst() < 1.1 or run.worst(after=10.5) < 1.5


def test_a_student_that_is_weaned_halfway_is_told_anew_within_a_minute():
    run = Run(Plan(offline_updates=0, steps=20_000, updates=5_000))
    run.online(10_000, 0.01, 0.2, 0.25)
    run.online(10_000, 0.01, 0.06, 0.25)
    ratios = {round(when - 100): said / (run.now - when) for when, said in run.told if said and when < run.now - 1}
    assert 1.0 < ratios[300] < 2.0, "nobody can know that it will be weaned"
    assert ratios[660] < 1.3 and ratios[720] == pytest.approx(1.0, abs=0.05)


def test_evaluations_count_and_those_of_better_students_are_longer():
    run = Run(Plan(offline_updates=0, steps=4_000, updates=1_000), evaluations=5)
    for seconds in (10.0, 12.0, 14.0, 16.0):
        run.evaluate(seconds)
        run.online(1000, 0.002, 0.08, 0.25)
    run.evaluate(18.0)
    assert run.worst(after=30.0) < 1.5


def test_a_validation_before_the_first_step_is_no_price_of_a_step():
    run = Run(Plan(offline_updates=0, steps=4_000, updates=1_000))
    run.now += 30.0
    run.left.paused(30.0)
    run.online(4_000, 0.005, 0.08, 0.25)
    assert run.worst(after=31.1) < 1.05


def test_of_seeds_together_the_clock_counts_and_not_their_share():
    run = Run(Plan(offline_updates=0, steps=8_000, updates=2_000), share=0.2)
    run.online(8_000, 0.005, 0.08, 0.25)
    assert run.worst(after=5.0) < 1.05


def test_a_limit_of_time_comes_first():
    run = Run(Plan(offline_updates=0, steps=10**6, updates=10**6), Budget(steps=1e6, seconds=100.0))
    run.online(4_000, 0.005, 0.08, 0.25)
    assert run.now == pytest.approx(200.0, abs=1.0) and run.worst(after=5.0) < 1.05


def test_a_device_that_works_half_of_the_time_has_a_limit_of_its_own():
    run = Run(Plan(offline_updates=0, steps=10**6, updates=10**6), Budget(steps=1e6, device=50.0))
    for _ in range(100):
        run.spent["device"] += 0.25
        run._pass("online", update=0.25, environment=0.25)
        run.spent["updates"] += 1
    assert run.told[-1][1] == pytest.approx(50.0, rel=0.02)


def test_the_first_steps_which_pay_for_first_calls_are_no_price():
    run = Run(Plan(offline_updates=600, steps=4_000, updates=1_600), evaluations=0)
    run.offline(600, 0.1)
    run.spent["steps"] += 8
    run._pass("online", act=9.0)
    first = run.told[-1][1]
    run.online(3_992, 0.005, 0.08, 0.25)
    assert first is not None and first < 300.0
    assert run.worst(after=70.0) < 1.5

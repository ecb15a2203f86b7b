"""Budgets: every spelling, plans by hand, and a meter that cannot be overdrawn."""

import math
import re

import pytest

from reincarnate.benchmark.training.budget import (
    FREE,
    LIMITS,
    Budget,
    Cost,
    Meter,
    Plan,
    Prices,
    Schedule,
    amount_of,
    fitted,
    forecast,
    parse,
    plan,
)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("frames=400k,updates=50k,flops=2e14", Budget(frames=400e3, updates=50e3, flops=2e14)),
        ("10M-frames", Budget(frames=10e6)),
        ("400k-frames,50k-updates", Budget(frames=400e3, updates=50e3)),
        ("400k-frames updates=50k", Budget(frames=400e3, updates=50e3)),
        ("  steps=1_000 ,\n seconds=1.5 ", Budget(steps=1000, seconds=1.5)),
        ("FRAMES=1K", Budget(frames=1000)),
        ("flops=1.5T", Budget(flops=1.5e12)),
        ("2h-device,seconds=45min", Budget(device=7200, seconds=2700)),
        ("device=90s,queries=1M,logged=100k", Budget(device=90, queries=1e6, logged=100e3)),
        ("device=1.5d,1e15-flops", Budget(device=129600, flops=1e15)),
        ("flops=2G,frames=2b,steps=2m", Budget(flops=2e9, frames=2e9, steps=2e6)),
        ("flops=2E+14", Budget(flops=2e14)),
        ("steps=1", Budget(steps=1)),
    ],
)
def test_parse(text, budget):
    assert parse(text) == budget


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" , ", "empty"),
        ("frames", "'frames' is not a limit"),
        ("400k", "'400k' is not a limit"),
        ("games=3", "'games=3' is not a limit.*frames, steps, updates, flops, seconds, device, queries, logged"),
        ("3-games", "'3-games' is not a limit"),
        ("frames=1k,frames=2k", "limits frames twice"),
        ("frames=1k,2k-FRAMES", "limits frames twice"),
        ("frames=", "not a limit"),
        ("=400k", "not a limit"),
        *(
            (f"frames={amount}", f"{re.escape(repr(amount))} is not an amount")
            for amount in "0 0.0k -1 nan inf 1e999 1e-3 1kk k 0x10 1. ½ ٣".split()
        ),
        ("frames=1 000", "'000' is not a limit"),
        ("frames=1=2", "'1=2' is not an amount"),
        ("frames=1-2", "'1-2' is not an amount"),
        ("--help", "not a limit"),
        *((f"device={amount}", "is not a time") for amount in "0 -1 2w h nan inf 1e 1e999h 3hh".split()),
        ("frames=" + "9" * 400, "is not an amount"),
    ],
)
def test_parse_says_what_it_cannot_read(text, says):
    with pytest.raises(ValueError, match=says) as error:
        parse(text)
    assert "\n" not in str(error.value)


def test_amounts():
    assert [amount_of(text) for text in ("20k", " 1M ", "2.5e3", "7")] == [20e3, 1e6, 2500.0, 7.0]


def test_limits_are_those_that_were_given():
    assert Budget(frames=8.0, seconds=2.0).limits() == {"frames": 8.0, "seconds": 2.0}
    assert Budget().limits() == {}


PRICES = Prices(step=Cost(10.0, 0.0), update=Cost(100.0, 0.0), frame_skip=4)
ASKING = Prices(step=Cost(10.0, 1.0), update=Cost(100.0, 64.0), frame_skip=4)  # a teacher, in acting and in updates
# With a quarter of an update a step and no offline phase, 8 steps cost 32 frames, 2 updates and 8 * 10 + 2 * 100 FLOPs.
# With half of all updates offline, a step stands for half an update in all: 8 steps, 4 updates, 8 * 10 + 4 * 100.


@pytest.mark.parametrize(
    ("budget", "offline", "expected"),
    [
        (Budget(steps=8), 0.0, Plan(0, 8, 2)),
        (Budget(frames=32), 0.0, Plan(0, 8, 2)),
        (Budget(frames=35), 0.0, Plan(0, 8, 2)),  # three frames buy no step, and no update more
        (Budget(updates=2), 0.0, Plan(0, 8, 2)),
        (Budget(flops=280), 0.0, Plan(0, 8, 2)),
        (Budget(steps=8), 0.5, Plan(2, 8, 4)),
        (Budget(updates=4), 0.5, Plan(2, 8, 4)),
        (Budget(flops=480), 0.5, Plan(2, 8, 4)),
        (Budget(steps=1000, frames=400, updates=4, flops=1e9), 0.5, Plan(2, 8, 4)),
        (Budget(steps=16, updates=4, flops=280), 0.0, Plan(0, 8, 2)),
        (Budget(steps=8, seconds=1e-9), 0.0, Plan(0, 8, 2)),  # seconds are not planned
        (Budget(updates=7), 1.0, Plan(7, 0, 7)),
        (Budget(flops=750), 1.0, Plan(7, 0, 7)),
        (Budget(updates=7, frames=4, steps=1), 1.0, Plan(7, 0, 7)),  # no step is wanted
    ],
)
def test_plan_by_hand(budget, offline, expected):
    assert plan(budget, PRICES, Schedule(offline, 0.25)) == expected


def test_queries_of_the_teacher_are_planned():
    """8 steps and 2 updates ask 8 + 128 times; with half of all updates offline, 8 + 256 times; 7 updates 448 times."""
    assert plan(Budget(queries=136), ASKING, Schedule(0.0, 0.25)) == Plan(0, 8, 2)
    assert plan(Budget(queries=264), ASKING, Schedule(0.5, 0.25)) == Plan(2, 8, 4)
    assert plan(Budget(queries=450), ASKING, Schedule(1.0, 0.25)) == Plan(7, 0, 7)
    assert plan(Budget(queries=1, steps=8), PRICES, Schedule(0.0, 0.25)) == Plan(
        0, 8, 2
    )  # who does not ask is not limited


def test_plan_of_many_updates_a_step():
    """Two updates a step, three quarters of all offline: 5 steps, 40 updates, 30 of them offline."""
    assert plan(Budget(steps=5), PRICES, Schedule(0.75, 2.0)) == Plan(30, 5, 40)


def test_what_offline_updates_and_weaned_students_save_is_planned():
    """40 steps, the first 4 without updates, the teacher asked until step 20.

    Half of all offline: 10 updates at 60 and 5 for the labels; 20 actions at 10 and 20 at 8; 0.25 updates for each of
    16 steps at 100 and of 20 steps at 70.
    """
    after = Cost(8.0, 0.0), Cost(70.0, 0.0)
    prices = PRICES._replace(offline=Cost(60.0, 0.0), weaned=after, once=Cost(5.0, 0.0))
    schedule, flops = Schedule(0.5, 0.25, warmup=0.1, weaned=0.5), 5 + 600 + 200 + 160 + 400 + 350
    assert forecast(prices, schedule, 40) == Cost(flops, 0.0)
    assert plan(Budget(flops=flops), prices, schedule) == Plan(10, 40, 19)
    assert plan(Budget(flops=flops - 1), prices, schedule).steps == 39
    assert plan(Budget(flops=65 + 59), prices, Schedule(1.0, 0.25)) == Plan(1, 0, 1)  # 5 and 60, and not 60 more
    with pytest.raises(ValueError, match="too small for a single step"):
        plan(Budget(flops=4), prices, schedule)


def test_infinite_updates_are_as_many_as_the_flops_pay_for():
    """40 steps at 10 cost 400; with an update each, the last 36 at 100 and 40 offline would cost 7600."""
    endless = Schedule(0.5, math.inf, warmup=4)
    found = fitted(Budget(steps=40, flops=400 + 1900), PRICES, endless)
    assert found == endless._replace(updates_per_step=pytest.approx(0.25))
    assert plan(Budget(steps=40, flops=2300), PRICES, found) == Plan(9, 40, 18)
    assert fitted(Budget(steps=40, flops=1e9, updates=8), PRICES, endless).updates_per_step == pytest.approx(0.1)
    by_frames = fitted(Budget(frames=160, flops=2300), PRICES, endless)
    assert by_frames == found
    kept = Schedule(0.5, 0.25)
    assert fitted(Budget(steps=40, flops=1), PRICES, kept) == kept
    assert fitted(Budget(flops=750), PRICES, Schedule(1.0, math.inf)).offline_share == 1.0
    for budget in (Budget(steps=40), Budget(flops=2300), Budget(updates=5)):
        with pytest.raises(ValueError, match="needs a budget of steps and FLOPs"):
            fitted(budget, PRICES, endless)
    with pytest.raises(ValueError, match="does not pay for 40 steps without an update"):
        fitted(Budget(steps=40, flops=400), PRICES, endless)


def test_where_updates_bind_more_steps_make_up_for_the_warm_up():
    assert plan(Budget(updates=20), PRICES, Schedule(0.5, 0.25, warmup=4)) == Plan(10, 40, 20)
    assert plan(Budget(steps=40), PRICES, Schedule(0.5, 0.25, warmup=4)) == Plan(10, 40, 19)


@pytest.mark.parametrize(
    ("budget", "offline", "says"),
    [
        (Budget(frames=3), 0.0, "too small for a single step"),
        (Budget(flops=34), 0.0, "too small for a single step"),
        (Budget(steps=3), 0.0, "too small for a single update"),
        (Budget(updates=0.9), 1.0, "too small for a single update"),
        (Budget(flops=99), 1.0, "too small for a single update"),
        (Budget(seconds=5), 0.0, "time alone cannot be planned"),
        (Budget(seconds=5), 1.0, "updates or flops"),
        (Budget(frames=400), 1.0, "updates or flops"),
    ],
)
def test_plan_says_why_there_is_none(budget, offline, says):
    with pytest.raises(ValueError, match=says):
        plan(budget, PRICES, Schedule(offline, 0.25))


def test_the_meter_spends_to_the_last_unit_and_not_beyond():
    meter = Meter(Budget(steps=2, frames=8))
    meter.spend(steps=1, frames=4, flops=1e30)
    assert meter.affords(steps=1, frames=4) and meter.exhausted() == []
    meter.spend(steps=1, frames=4)
    assert meter.exhausted() == ["frames", "steps"]
    for cost in ({"steps": 1}, {"frames": 1}, {"updates": 1, "frames": 1}):
        assert not meter.affords(**cost)
        with pytest.raises(RuntimeError, match="over budget"):
            meter.spend(**cost)
    wanted = dict.fromkeys((*LIMITS, *FREE), 0.0) | {"frames": 8, "steps": 2, "flops": 1e30}  # nothing was charged
    assert meter.spent == wanted
    assert math.isinf(meter.budget.flops)


def test_a_warm_up_that_outlasts_the_run_is_named():
    with pytest.raises(
        ValueError, match="a warm-up of 20000 agent steps leaves none of the 400 steps for learning: lower warmup"
    ):
        plan(Budget(steps=400), PRICES, Schedule(0.0, 0.25, warmup=20_000))

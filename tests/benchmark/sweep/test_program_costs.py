"""What programs cost: kept by their content, whatever the budget; on other games scaled, within a few percent."""

import json

import jax
import pytest

from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.sweep import estimate
from reincarnate.benchmark.sweep import program_costs as module
from reincarnate.benchmark.sweep.grid import Sweep
from reincarnate.benchmark.sweep.program_costs import ProgramCosts, content, kind, trace
from reincarnate.benchmark.sweep.work import Work, wanted, work

CELL = {"task": "minatar/breakout", "method": "dqn", "budget": "steps=2k", "settings": {"network": "mlp:size=8"}}


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Give an empty folder of caches, and count how often a cell was traced."""
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path))
    traced, original = [], module.trace
    monkeypatch.setattr(module, "trace", lambda one: traced.append(one) or original(one))
    return tmp_path, traced


def cell(**other) -> Work:
    one = wanted(RunRequest(**(CELL | other)))
    return work(one, ProgramCosts(one))


def test_what_was_found_is_not_traced_again_whatever_the_budget_and_what_differs_is(caches):
    folder, traced = caches
    first = cell()
    assert first.steps == 2000 and 0 < first.learning < first.flops
    assert cell() == first and cell(budget="steps=3k").steps == 3000 and len(traced) == 1
    assert cell(settings=CELL["settings"] | {"batch_size": 8}).learning < first.learning and len(traced) == 2


def test_rows_of_numbers_as_actions_are_priced_and_timed(caches):
    small = {"network": "actor_critic:width=8", "batch_size": 8, "warmup": 100}
    one = wanted(RunRequest(task="gym/Pendulum-v1", method="sac", budget="steps=2k", settings=small, environments=2))
    found, fast = work(one, ProgramCosts(one)), estimate.speed(one)
    assert found.steps == 2000 and found.updates == 1900
    assert fast.flop > 0 and estimate.price(found, fast).seconds > 1900 * fast.flop


def test_a_plan_of_what_is_known_starts_no_process_and_times_nothing(caches, monkeypatch):
    """Another budget is known; other settings are not, and neither is a timing of yesterday."""
    folder, traced = caches

    def grid(budget: str, **settings: object) -> Sweep:
        shared = {"budget": budget, "settings": CELL["settings"] | settings}
        return Sweep("here", ("minatar/breakout", "minatar/freeway"), ("dqn",), (0,), shared)

    asked, timed = [], []
    monkeypatch.setattr(estimate, "speed", lambda *given: timed.append(1) or estimate.MachineSpeed(1e-11, 1e-4, 1e-5))

    def here(parts, environment):
        asked.append(parts)
        return [json.loads(json.dumps(estimate._found(*part))) for part in parts]

    monkeypatch.setattr(estimate, "_asked", here)
    first = estimate.priced(grid("steps=2k"), 0, {})
    assert len(asked) == len(timed) == 1 and len(traced) == 1
    assert estimate.priced(grid("steps=2k"), 0, {}) == first
    more = estimate.priced(grid("steps=3k"), 0, {})
    assert len(asked) == len(timed) == 1 and len(traced) == 1
    assert all(more[pair].flops > first[pair].flops for pair in first)
    estimate.priced(grid("steps=2k", batch_size=8), 0, {})
    assert len(asked) == len(timed) == 2
    estimate.priced(grid("steps=2k"), 0, {"NPROC": "7"})
    assert len(asked) == len(timed) == 3
    monkeypatch.setattr(module.time, "time", lambda: 1e10)
    estimate.priced(grid("steps=2k"), 0, {})
    assert len(asked) == len(timed) == 4
    monkeypatch.setattr(estimate, "accelerators", lambda: ["0"])
    estimate.priced(grid("steps=2k"), 0, {})
    assert len(asked) == 5 and len(timed) == 4


@pytest.mark.parametrize(
    "damaged", ['{"a": [1, 2', '{"a": 3}', '{"a": [-1, 0]}', '{"a": ["b", 0]}', '{"a": [1]}', "[]"]
)
def test_what_was_damaged_is_found_again(caches, damaged):
    folder, _ = caches
    one = wanted(RunRequest(**CELL))
    assert ProgramCosts(one)._kept("a", 2, lambda: [7.0, 1.0]) == [7.0, 1.0]
    assert ProgramCosts(one)._kept("a", 2, lambda: [8.0, 1.0]) == [7.0, 1.0], "it was kept"
    for kept in folder.rglob("prices/*.json"):
        kept.write_text(damaged)
    assert ProgramCosts(one)._kept("a", 2, lambda: [9.0, 1.0]) == [9.0, 1.0]


@pytest.mark.slow
def test_shapes_alone_count_what_a_whole_learner_counts(caches):
    one = wanted(RunRequest(**CELL))
    shapes, whole = trace(one), trace(one, whole=True)
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(shapes.like[0]))
    assert [program.cost for program in shapes.device.asking] == [program.cost for program in whole.device.asking]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dqn", "qdagger"])
def test_another_game_costs_about_what_its_network_differs_by_and_is_not_traced(caches, method):
    folder, traced = caches
    here, there = (wanted(RunRequest(f"minatar/{game}", method, "steps=2k")) for game in ("breakout", "seaquest"))
    assert kind(here) == kind(there) and content(here) != content(there)
    first = ProgramCosts(here)
    work(here, first)
    scaled = work(there, ProgramCosts(there, first))
    assert len(traced) == 1
    genuine = work(there, ProgramCosts(there))
    assert len(traced) == 2 and scaled.steps == genuine.steps
    for name in ("flops", "learning", "disk", "memory"):
        assert getattr(scaled, name) == pytest.approx(getattr(genuine, name), rel=0.1), name
    assert scaled.flops != work(here, first).flops

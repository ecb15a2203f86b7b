"""What a cell will do: counted without a compiler, kept by its content, traced again where that is another."""

import jax
import pytest

from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.sweep import work as works
from reincarnate.benchmark.sweep.work import Work, trace, wanted, work

CELL = {"task": "minatar/breakout", "method": "dqn", "budget": "steps=2k", "settings": {"network": "mlp:size=8"}}


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Give an empty folder of caches, and count how often a cell was traced."""
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path))
    traced, original = [], works.trace
    monkeypatch.setattr(works, "trace", lambda one: traced.append(one) or original(one))
    return tmp_path, traced


def cell(**other) -> Work:
    return work(wanted(RunRequest(**(CELL | other))))


def test_what_was_found_is_not_traced_again_and_what_differs_is(caches):
    folder, traced = caches
    first = cell()
    assert first.steps == 2000 and 0 < first.learning < first.flops
    assert cell() == first and len(traced) == 1
    assert cell(budget="steps=3k").steps == 3000 and len(traced) == 2
    assert cell(settings=CELL["settings"] | {"batch_size": 8}).learning < first.learning and len(traced) == 3
    for kept in folder.rglob("prices/*.json"):
        kept.write_text("[1, 2")
    assert cell() == first and len(traced) == 4


def test_shapes_alone_count_what_a_whole_learner_counts():
    one = wanted(RunRequest(**CELL))
    shapes, whole = trace(one), trace(one, whole=True)
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(shapes.like[0]))
    assert [program.cost for program in shapes.device.asking] == [program.cost for program in whole.device.asking]
    assert works._counted(one, shapes) == works._counted(one, whole)

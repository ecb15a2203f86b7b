"""The bases for continuous actions solve their tasks."""

import pytest

from reincarnate.benchmark.runs.run import run


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sac_solves_pendulum(seed, tmp_path):
    """In 10,000 steps, with the task's preset; 20 whole episodes with the mean action."""
    done = run("gym/Pendulum-v1", "sac", "steps=10k", seed, points=(0, 1), out=tmp_path / "run")
    first, last = (point.evaluation for point in (done.points[0], done.points[-1]))
    assert first.mean < -800 and last.mean > -200
    assert len(last.returns) == 20 and done.points[-1].spent["steps"] == 10_000

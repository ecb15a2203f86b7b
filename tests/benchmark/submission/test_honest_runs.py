"""An honest run has a valid ledger, whatever its clocks, its disk and its machine do."""

import time
from pathlib import Path

import pytest

from reincarnate.benchmark import machine
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.runs import checkpoint, run_folder
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.submission import asked, judge
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard import ledger, results, rules

SHORT = {"settings": {"warmup": 50}, "episodes": 2, "environments": 2}


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_checkpoint_that_is_slow_to_write_condemns_nobody(tmp_path, monkeypatch, number):
    """A large replay, or a slow disk: the seconds are in the next line, whose own time is soon after."""
    save, calls = checkpoint.save, []

    def slow(*arguments, **options):
        done = save(*arguments, **options)
        calls.append(1)
        time.sleep(2.6 if len(calls) == number else 0.0)
        return done

    monkeypatch.setattr(checkpoint, "save", slow)
    run("gym/CartPole-v1", "dqn", "steps=300,updates=30", out=tmp_path / "run", **SHORT)
    assert len(calls) > number and ledger.faults(ledger.read(tmp_path / "run" / "ledger.jsonl")) == []


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_is_set_while_a_run_goes_on_condemns_nobody(tmp_path, monkeypatch, jump):
    real, save = time.time, checkpoint.save

    def jumped(*arguments, **options):
        monkeypatch.setattr(ledger.time, "time", lambda: real() + jump)
        return save(*arguments, **options)

    monkeypatch.setattr(checkpoint, "save", jumped)
    run("gym/CartPole-v1", "dqn", "steps=120,updates=20", out=tmp_path / "run", **SHORT)
    lines = ledger.read(tmp_path / "run" / "ledger.jsonl")
    assert max(abs(line["time"] - lines[0]["time"]) for line in lines) > 3000  # it was set
    assert ledger.faults(lines) == [] and all(line["clock"] >= 0.0 for line in lines)


def test_a_peak_that_was_measured_on_a_busy_machine_is_measured_again(tmp_path, monkeypatch):
    """FLOPs beyond the peak that the run measured at its start make it measure again."""
    writes = RunFolder(tmp_path / "run", Display(quiet=True))
    start = {"budget": {"steps": 9.0}, "frame_skip": 1, "peak_flops": 1e6, "request": {}, "machine": {}}
    writes.open(start, {})
    monkeypatch.setattr(machine, "peak_flops", machine.cache(lambda: 5e9))
    spent = {"frames": 1.0, "steps": 1.0, "updates": 1.0, "flops": 4e9, "seconds": 1.0, "device": 1.0}
    for event, times in (("progress", 1), ("end", 2)):
        writes._say(event, spent={unit: times * value for unit, value in spent.items()}, phases={"update": 1.0 * times})
    writes.release()
    lines = ledger.read(tmp_path / "run" / "ledger.jsonl")
    assert [line.get("peak_flops") for line in lines] == [1e6, 5e9, None]
    assert run_folder.faults(lines) == []


@pytest.mark.slow
@pytest.mark.parametrize(("repository", "runs"), [("results", 683), ("results-v1", 420)])
def test_no_committed_run_breaks_a_rule_that_compares_what_the_harness_itself_writes(repository, runs):
    """The schema, the ledger, the request, the protocol, the parents and the entry's configuration: they hold for all
    runs, whatever chance did. What depends on chance is in test_siblings, test_honest_floors and test_retrain.
    """
    folder = Path(__file__).parents[3] / "docs" / repository
    held = results.read(folder)
    assert held.faults == () and len(held.submissions) == runs
    for name, one in held.submissions.items():
        lines = ledger.read(folder / results.paths(one.author, name)[1])
        found = [*rules.faults(one, lines, held), *asked.faults(lines[0], one.record), *judge._protocol(one.record)]
        preset, _ = asked.settled(lines[0], one.record, find(one.record.task), ())
        assert [*found, *judge._method(one.record)[1], *preset] == [], name

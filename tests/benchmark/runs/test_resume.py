"""A run goes on only as what it was: the same code, teacher and log, in one process at a time."""

import json

import pytest
from filelock import FileLock

from reincarnate.benchmark import machine
from reincarnate.benchmark.runs import checkpoint
from reincarnate.benchmark.runs.run import resume, run
from reincarnate.benchmark.runs.run_folder import Journal
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.record import mismatches


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A run that was asked to stop when half of its steps were spent."""
    folder = tmp_path / "run"

    def stop(self) -> bool:
        return self._told >= 60

    def watch(self, status) -> None:
        self._told = status.spent["steps"]
        original(self, status)

    original = Journal.watch
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_told", 0, raising=False)
        patch.setattr(Journal, "stop", stop)
        patch.setattr(Journal, "watch", watch)
        patch.setattr("reincarnate.benchmark.training.loop.WATCH_SECONDS", -1.0)
        with pytest.raises(KeyboardInterrupt):
            run(
                "gym/CartPole-v1",
                "dqn",
                "steps=120",
                settings={"batch_size": 4},
                out=folder,
                episodes=2,
                environments=2,
            )
    return folder


def test_a_run_that_was_stopped_goes_on_and_is_whole(stopped):
    before = ledger.read(stopped / "ledger.jsonl")
    assert before[-1]["event"] == "progress" and 60 <= before[-1]["spent"]["steps"] < 120
    record = resume(stopped)
    lines = ledger.read(stopped / "ledger.jsonl")
    assert ledger.faults(lines) == [] and mismatches(lines, record) == [] and lines[: len(before)] == before
    assert record.complete and record.resumed == 1 and record.points[-1].spent["steps"] == 120
    assert [line["due"] for line in lines if line["event"] in ("point", "end")] == [0, 12, 30, 60, -1]
    assert not (stopped / "checkpoints").exists() and not (stopped / ".lock").exists()
    with pytest.raises(ValueError, match="is complete: there is nothing to resume"):
        resume(stopped)


@pytest.mark.parametrize("data", [b"", b"{", b"[]"])
def test_a_damaged_config_or_record_is_named_and_written_again(stopped, data):
    config = (stopped / "config.json").read_bytes()
    (stopped / "config.json").write_bytes(data)
    (stopped / "record.json").write_bytes(data)
    assert resume(stopped).complete
    assert (stopped / "config.json").read_bytes() == config


def test_a_damaged_student_is_named(stopped):
    student = sorted((stopped / "students").iterdir())[0]
    student.write_bytes(b"x")
    with pytest.raises(ValueError, match=f"{student.name} is missing or damaged"):
        resume(stopped)


def test_a_run_that_was_killed_in_its_last_steps_is_finished(stopped, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "close", lambda self: None)  # as if it had been killed before
        resume(stopped)
    (stopped / "record.json").unlink()
    assert (stopped / "checkpoints").exists()
    lines = ledger.read(stopped / "ledger.jsonl")
    record = resume(stopped)
    assert ledger.read(stopped / "ledger.jsonl") == lines and mismatches(lines, record) == []
    assert (stopped / "record.json").exists() and not (stopped / "checkpoints").exists()
    assert sorted(path.name for path in stopped.iterdir() if path.name.startswith(".")) == []


def test_other_code_of_the_method_is_refused(stopped, monkeypatch):
    monkeypatch.setattr(machine, "method_digest", lambda method, settings: "0" * 64)
    before = (stopped / "ledger.jsonl").read_bytes()
    with pytest.raises(ValueError, match="the code of the method is not what it was"):
        resume(stopped)
    assert (stopped / "ledger.jsonl").read_bytes() == before


def test_an_edited_ledger_is_refused(stopped):
    path = stopped / "ledger.jsonl"
    path.write_text(path.read_text().replace('"budget": {"steps": 120.0}', '"budget": {"steps": 999.0}'))
    with pytest.raises(ValueError, match="does not hold, so the run cannot go on: line 1 is not chained"):
        resume(stopped)


def test_one_process_at_a_time(stopped):
    with FileLock(stopped / ".lock"), pytest.raises(ValueError, match="is going on in another process"):
        resume(stopped)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(stopped):
    folder = stopped / "checkpoints"
    numbers = checkpoint.numbers(folder)
    assert len(numbers) == 2
    (folder / f"{numbers[-1]:06d}.json").write_text("{}")
    spent = ledger.read(stopped / "ledger.jsonl")[-1]["spent"]
    record = resume(stopped)
    went_on = next(line for line in ledger.read(stopped / "ledger.jsonl") if line["event"] == "resume")
    assert record.complete and went_on["spent"]["steps"] == spent["steps"]  # what was spent stays spent


def test_without_a_checkpoint_nothing_goes_on(stopped):
    for path in (stopped / "checkpoints").iterdir():
        path.write_bytes(json.dumps({}).encode())
    with pytest.raises(ValueError, match="no checkpoint of .* can be used: start the run again"):
        resume(stopped)

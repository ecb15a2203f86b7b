"""A run resumes only with the same code, teacher and log, in one process at a time."""

import json
import shutil

import pytest
from filelock import FileLock

from reincarnate.benchmark import machine
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.report.page import report
from reincarnate.benchmark.runs import checkpoint
from reincarnate.benchmark.runs.run import resume, run
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.record import load, mismatches
from reincarnate.leaderboard.results import Results, paths
from reincarnate.leaderboard.rules import faults

from ...leaderboard.makers import submission


def run_to_half(folder):
    """Begin a run that is asked to stop when half of its steps are spent, and return its folder."""

    def stop(self) -> bool:
        return self._told >= 60

    def watch(self, status) -> None:
        self._told = status.spent["steps"]
        original(self, status)

    original = RunFolder.watch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "_told", 0, raising=False)
        patch.setattr(RunFolder, "stop", stop)
        patch.setattr(RunFolder, "watch", watch)
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


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """Return a run that has stopped, once for all tests."""
    return run_to_half(tmp_path_factory.mktemp("half") / "run")


@pytest.fixture
def stopped(half, tmp_path):
    """Return a copy of that run, to go on with or to spoil."""
    return shutil.copytree(half, tmp_path / "run")


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
        patch.setattr(RunFolder, "close", lambda self: None)  # as if it had been killed before
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
    with pytest.raises(ValueError, match="the code of the method has changed since"):
        resume(stopped)
    assert (stopped / "ledger.jsonl").read_bytes() == before


def test_an_edited_ledger_is_refused(stopped):
    path = stopped / "ledger.jsonl"
    path.write_text(path.read_text().replace('"budget": {"steps": 120.0}', '"budget": {"steps": 999.0}'))
    with pytest.raises(ValueError, match="is invalid, so the run cannot be resumed: line 1 is not chained"):
        resume(stopped)


def flipped(line: bytes) -> bytes:
    """Return a line after one bit of its last number of steps has turned."""
    at = line.rindex(b'"steps": ') + len(b'"steps": ')
    return line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]


def spoilt(folder, number: int, change) -> tuple[bytes, list[dict]]:
    """Change a line of the ledger, and return what comes from there on and the lines before."""
    path = folder / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = change(lines[number])
    path.write_bytes(b"".join(lines))
    number %= len(lines)
    return b"".join(lines[number:]), [json.loads(line) for line in lines[:number]]


ZEROS = pytest.param(lambda line: bytes(len(line) - 1) + b"\n", id="all zeros", marks=pytest.mark.slow)


@pytest.mark.parametrize("change", [pytest.param(flipped, id="a bit"), ZEROS])
def test_a_damaged_last_line_of_the_ledger_is_set_aside_and_the_run_goes_on(stopped, change, capsys):
    rest, before = spoilt(stopped, -1, change)
    record = resume(stopped, Display())
    assert f"line {len(before) + 1} of the ledger is damaged" in " ".join(capsys.readouterr().err.split())
    assert (stopped / "ledger.damaged.jsonl").read_bytes() == rest
    lines = ledger.read(stopped / "ledger.jsonl")
    assert ledger.faults(lines) == [] and mismatches(lines, record) == [] and lines[: len(before)] == before
    went_on = lines[len(before)]
    assert went_on["event"] == "resume" and went_on["set_aside"] == 1 and went_on["spent"]["steps"] >= 60
    assert [line["due"] for line in lines if line["event"] in ("point", "end")] == [0, 12, 30, 60, -1]
    assert record.complete and record.points[-1].spent["steps"] == 120


@pytest.mark.slow
def test_what_a_whole_line_behind_the_damaged_one_says_stays_spent(stopped):
    path = stopped / "ledger.jsonl"
    last = ledger.read(path)[-1]
    more = {**last["spent"], "updates": last["spent"]["updates"] + 1.0}
    ledger.Ledger(path, last["hash"]).write("progress", spent=more, phases=last["phases"], clock=last["clock"])
    spoilt(stopped, -2, flipped)
    record = resume(stopped)
    lines = ledger.read(path)
    went_on = next(line for line in lines if line["event"] == "resume")
    assert went_on["spent"]["updates"] == more["updates"] and went_on["set_aside"] == 2 and record.complete
    assert [line["due"] for line in lines if line["event"] in ("point", "end")] == [0, 12, 30, 60, -1]


@pytest.mark.parametrize("number", [1, -2])
def test_a_damaged_evaluation_that_the_last_checkpoint_counts_is_refused_and_nothing_is_changed(stopped, number):
    spoilt(stopped, number, flipped)
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file() and path.name != ".lock"}
    with pytest.raises(ValueError, match=r"is invalid, so the run cannot be resumed: line \d+ is not chained"):
        resume(stopped)
    assert {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file() and path.name != ".lock"} == before


def test_one_process_at_a_time(stopped):
    with FileLock(stopped / ".lock"), pytest.raises(ValueError, match="is running in another process"):
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


def test_a_record_that_says_something_else_than_the_ledger_is_written_again(stopped, capsys):
    record = json.loads((stopped / "record.json").read_text())
    (stopped / "record.json").write_text(json.dumps({**record, "seed": 9}))
    resume(stopped, Display())
    told = "record.json did not match the ledger"
    assert told in capsys.readouterr().err and load(stopped / "record.json").seed == 0


@pytest.mark.parametrize("name", ["config.json", "record.json"])
def test_a_complete_run_with_a_damaged_file_is_mended_and_says_so(stopped, name, capsys):
    resume(stopped)
    whole = (stopped / name).read_bytes()
    (stopped / name).write_bytes(b"")
    with pytest.raises(ValueError, match="is complete: there is nothing to resume"):
        resume(stopped, Display())
    assert (stopped / name).read_bytes() == whole and name in capsys.readouterr().err


def test_two_copies_that_both_go_on_are_told_apart(tmp_path, capsys):
    """Make the original, a copy of it, and a run that was only renamed."""
    stopped = run_to_half(tmp_path / "run")
    shutil.copytree(stopped, tmp_path / "copy")
    stopped.rename(tmp_path / "original")
    first = resume(tmp_path / "original", Display())
    assert "was copied or moved" not in capsys.readouterr().err
    second = resume(tmp_path / "copy", Display())
    assert "copy was copied or moved" in " ".join(capsys.readouterr().err.split())
    assert first.run == second.run and first.ledger != second.ledger
    assert (first.resumed, first.copied, second.resumed, second.copied) == (1, 0, 1, 1)
    ours, theirs = (ledger.read(tmp_path / name / "ledger.jsonl") for name in ("original", "copy"))
    line = ledger.parting(ours, theirs)
    assert ours[line - 2] == theirs[line - 2] and ours[line - 1]["event"] == theirs[line - 1]["event"] == "resume"
    assert any("copied 0 times" in fault for fault in mismatches(theirs, second.model_copy(update={"copied": 0})))
    folders = [tmp_path / "original", tmp_path / "copy"]
    with pytest.raises(ValueError, match=f"original and .*copy are both run {first.run}, copied and continued twice"):
        prepare(folders, tmp_path / "sent", Results(tmp_path, {}, {}, (), ()), Offer("ann"))
    with pytest.raises(ValueError, match=f"run {first.run} was copied and continued twice, in .*original and .*copy"):
        report(folders, tmp_path / "report")
    known = Results(tmp_path, {first.run: submission(first)}, {}, (), ())
    path = tmp_path / paths("ann", first.run)[1]
    path.parent.mkdir(parents=True)
    shutil.copyfile(tmp_path / "original" / "ledger.jsonl", path)
    found = faults(submission(second, "bob"), theirs, known)
    told = f"a copy of its folder was resumed on its own; the ledgers part at line {line}"
    assert f"run {first.run} is already there, by ann: {told}: a record is never replaced" in found

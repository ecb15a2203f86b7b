"""Logs, their cache and ledgers on the command line: what is said, and with which exit code."""

import contextlib
import io
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from reincarnate.benchmark.cli import main
from reincarnate.datasets.rlds.cache import cached, entries
from reincarnate.datasets.rlds.check import check
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.folder import open_log
from reincarnate.datasets.rlds.read import load
from reincarnate.datasets.rlds.write import LogWriter
from reincarnate.leaderboard import record as records
from reincarnate.leaderboard.ledger import Ledger


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def reincarnate(*words: object) -> Answer:
    """Return what the command line answers, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["reincarnate", *map(str, words)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            main.main()
    return Answer(int(end.value.code or 0), out.getvalue(), err.getvalue())


def refused(answer: Answer, says: str) -> None:
    """Assert exit code 2 and one sentence."""
    assert answer.code == 2 and answer.out == "", answer
    assert answer.err.startswith("reincarnate: ") and answer.err.count("\n") == 1
    assert re.search(says, answer.err), answer.err


def write(folder: Path, again: bool = False) -> Path:
    """Write two checkpoints by hand: rewards 2 and -1 to the end, 0.5 cut off; optionally the first once more."""
    frames = np.arange(12, dtype=np.float32).reshape(3, 4)
    with LogWriter(folder, "toy", frames[0], 3) as writer:
        writer.add(Episode.of(frames, [1, 2], [2, -1], True, 0))
        writer.add(Episode.of(frames[:2], [1], [0.5], False, 1, checkpoint_id=1))
        if again:
            writer.add(Episode.of(frames, [1, 2], [2, -1], True, 2, checkpoint_id=1))
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("logs") / "repository" / "array_record")


def damaged(log: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(log, tmp_path / "damaged"))
    shard = next(folder.glob("*checkpoint_01*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    return folder


# -- datasets


@pytest.mark.parametrize("which", ["array_record", "."])
def test_a_good_log_is_described(log, which):
    """Accept the shards' folder or the repository's."""
    answer = reincarnate("datasets", "check", log.parent / which)
    assert (answer.code, answer.err) == (0, "")
    lines = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in answer.out.splitlines() if "  " in line)
    assert lines["episodes"] == "2, of which 1 ended and 1 was cut off"
    assert lines["transitions"] == "checkpoint_00 2, checkpoint_01 1"
    assert lines["actions"] == "0%, 67%, 33%"
    assert lines["returns"] == "mean 0.75, from 0.5 to 1"
    assert lines["rules of RLDS"] == "all kept" and lines["duplicates"] == "0"


def test_one_split_is_described_alone(log):
    answer = reincarnate("datasets", "check", log, "--split", "checkpoint_01", "--json")
    found = json.loads(answer.out)
    assert answer.code == 0 and found["splits"] == {"checkpoint_01": 1} and found["returns"] == [0.5]
    refused(reincarnate("datasets", "check", log, "--split", "checkpoint_07"), "checkpoint_07")


def test_a_good_log_is_described_for_programs(log):
    answer = reincarnate("datasets", "check", log, "--json")
    found, report = json.loads(answer.out), check(log)
    assert answer.code == 0 and found["violations"] == found["duplicates"] == []
    assert (found["episodes"], found["transitions"], found["terminated"]) == (2, 3, 1)
    assert (found["returns"], found["lengths"], found["actions"]) == ([1.0, 0.5], [2, 1], [0, 2, 1])
    assert (found["checksums"], found["bytes"]) == ("verified", report.bytes)


def test_a_damaged_log_is_told_with_exit_code_1(log, tmp_path):
    folder = damaged(log, tmp_path)
    answer = reincarnate("datasets", "check", folder)
    assert (answer.code, answer.err) == (1, "")
    assert "checkpoint_01" in answer.out.splitlines()[0] and "sha256" in answer.out.splitlines()[0]
    assert re.search(r"checksums +damaged", answer.out) and re.search(r"rules of RLDS +[1-9]\d* broken", answer.out)
    answer = reincarnate("datasets", "check", folder, "--json")
    found = json.loads(answer.out)
    assert answer.code == 1 and found["checksums"] == "damaged" and found["violations"]


def test_an_episode_that_is_there_twice_is_a_remark(tmp_path):
    """Short episodes repeat by nature: no rule of RLDS is broken."""
    answer = reincarnate("datasets", "check", write(tmp_path / "log", again=True))
    assert answer.code == 0 and re.search(r"duplicates +1 ", answer.out, re.M)
    assert re.search(r"remark: .*checkpoint_01.*episode 1 is the same as .*checkpoint_00.*episode 0", answer.out)
    assert re.search(r"rules of RLDS +all kept", answer.out)
    answer = reincarnate("datasets", "check", tmp_path / "log", "--json")
    assert answer.code == 0 and len(json.loads(answer.out)["duplicates"]) == 1


@pytest.mark.slow
def test_the_bundled_logs_pass_their_own_check():
    """Breakout's 617 episodes hold 22 twice."""
    for name in ("minatar-breakout-log", "minatar-space-invaders-log", "minatar-breakout-training-log"):
        answer = reincarnate("datasets", "check", f"reincarnate/{name}")
        assert answer.code == 0 and "remark: " in answer.out, answer.out
        assert answer.out.count("remark: ") <= 5


def test_what_is_no_log_is_refused(tmp_path):
    refused(reincarnate("datasets", "check", tmp_path), str(tmp_path))
    refused(reincarnate("datasets", "check", tmp_path / "nothing"), "nothing")


def same(a: Path, b: Path) -> None:
    for x, y in zip(load(a), load(b), strict=True):
        assert (x is None) == (y is None)
        assert x is None or y is None or np.array_equal(x, y)


def test_a_folder_from_elsewhere_is_imported(log, tmp_path):
    answer = reincarnate("datasets", "import", log, tmp_path / "mine", "--from", "rlds")
    assert (answer.code, answer.err) == (0, "")
    same(tmp_path / "mine" / "array_record", log)
    assert reincarnate("datasets", "check", tmp_path / "mine").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    again = reincarnate("datasets", "import", log, tmp_path / "mine", "--from", "rlds")
    refused(again, "mine")


def test_an_unknown_kind_is_refused(log, tmp_path):
    refused(
        reincarnate("datasets", "import", log, tmp_path / "mine", "--from", "zarr"),
        "no reader for 'zarr': give --from rlds, dopamine, minari, npz or parquet",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_log_is_not_exported(log, tmp_path):
    folder = damaged(log, tmp_path)
    refused(reincarnate("datasets", "export", folder, tmp_path / "out"), "damaged.*checkpoint_01")
    assert not (tmp_path / "out").exists()


def test_a_log_is_exported_as_tfrecord_and_imported_again(log, tmp_path):
    answer = reincarnate("datasets", "export", log.parent, tmp_path / "tf", "--format", "tfrecord")
    assert answer.code == 0 and answer.out == f"{tmp_path / 'tf'}: written as tfrecord\n"
    assert open_log(tmp_path / "tf").format == "tfrecord"
    assert len(list((tmp_path / "tf").glob("*.tfrecord-*"))) == 2
    same(tmp_path / "tf", log)
    assert reincarnate("datasets", "import", tmp_path / "tf", tmp_path / "back", "--from", "rlds").code == 0
    same(tmp_path / "back" / "array_record", log)


def test_one_split_is_exported(log, tmp_path):
    words = ("--split", "checkpoint_01", "--format", "array_record")
    assert reincarnate("datasets", "export", log, tmp_path / "out", *words).code == 0
    assert check(tmp_path / "out").splits == {"checkpoint_01": 1}


# -- cache


@pytest.fixture
def kept(log, tmp_path, monkeypatch) -> list[str]:
    """Return the keys of two cached logs."""
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "cache"))
    cached(log)
    cached(log, "checkpoint_01")
    return [entry.key for entry in entries()]


def test_the_cache_is_listed(kept, log):
    answer = reincarnate("cache", "ls")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == [key[:12] for key in kept]
    assert all(line.endswith(str(log)) for line in answer.out.splitlines())
    found = [json.loads(line) for line in reincarnate("cache", "ls", "--json").out.splitlines()]
    assert [entry["key"] for entry in found] == kept and sorted(entry["steps"] for entry in found) == [2, 5]


def test_one_log_or_all_are_removed_from_the_cache(kept):
    assert reincarnate("cache", "rm", kept[0][:12]).out.startswith(f"removed {kept[0][:12]}: ")
    assert [entry.key for entry in entries()] == kept[1:]
    refused(reincarnate("cache", "rm", kept[0][:12]), "0 cached logs have a key that begins with")
    refused(reincarnate("cache", "rm"), "give a key from `reincarnate cache ls`, or --all")
    assert reincarnate("cache", "rm", "--all").code == 0
    assert list(entries()) == [] and reincarnate("cache", "ls").out == ""
    assert reincarnate("cache", "rm", "--all").code == 0  # nothing is left to do


def test_a_key_that_could_mean_two_logs_removes_none(kept):
    refused(reincarnate("cache", "rm", ""), "2 cached logs")
    assert [entry.key for entry in entries()] == kept


# -- ledger


@pytest.fixture
def run(tmp_path) -> Path:
    """Return a run of 8 steps and one update, as a harness leaves it."""
    folder = tmp_path / "run"
    folder.mkdir()
    facts: dict[str, Any] = {"budget": {"frames": 32.0}, "frame_skip": 4}
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.write("start", run="abc", **facts)
    spent = [
        {"frames": 4.0 * n, "steps": n, "updates": n // 8, "flops": 0.0, "seconds": n / 10} for n in (0.0, 4.0, 8.0)
    ]
    for event, counters in zip(("point", "progress", "end"), spent, strict=True):
        ledger.write(event, spent=counters, parameters="0" * 64, returns=[1.0])
    judged = records.Evaluation(returns=(1.0,), lengths=(1,), epsilon=0.0, seeds=(0, 0))
    points = tuple(
        records.Point(spent=one, parameters="0" * 64, file="students/0.safetensors", evaluation=judged)
        for one in (spent[0], spent[2])
    )
    facts |= {"run": "abc", "task": "toy/catch", "protocol": {}, "method": "dqn", "settings": {}, "seed": 0}
    facts |= {"network": {"name": "mlp", "options": {}}, "environments": 1, "parents": (), "machine": {}}
    facts |= {"random": judged, "teacher": None, "points": points, "complete": True, "ledger": ledger.digest}
    facts |= {"command": "reincarnate run"}
    del facts["frame_skip"]
    records.save(records.RunRecord.model_validate(facts), folder / "record.json")
    return folder


def edit(run: Path, number: int, old: str, new: str) -> None:
    """Change one line of the ledger as a text editor does."""
    lines = (run / "ledger.jsonl").read_text().splitlines(keepends=True)
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new)
    (run / "ledger.jsonl").write_text("".join(lines))


def test_an_honest_ledger_has_no_fault(run):
    assert reincarnate("ledger", "check", run) == (0, f"{run}: 4 lines, 0 faults\n", "")


def test_an_edited_line_is_named(run):
    edit(run, 3, '"seconds": 0.4', '"seconds": 0.3')
    answer = reincarnate("ledger", "check", run)
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.splitlines() == [
        "line 3 is not chained to the one before: it was edited or belongs to another run",
        f"{run}: 4 lines, 1 fault",
    ]


def test_the_record_belongs_to_its_ledger(run):
    record = records.load(run / "record.json")
    last = record.points[-1].model_copy(update={"spent": {**record.points[-1].spent, "steps": 7.0}})
    changed = record.model_copy(update={"ledger": "f" * 64, "points": (record.points[0], last)})
    records.save(changed, run / "record.json")
    answer = reincarnate("ledger", "check", run)
    assert answer.code == 1 and answer.out.splitlines() == [
        "no line of the ledger has the record's hash: they belong to different runs",
        "line 4: its totals or returns are not those of the record",
        f"{run}: 4 lines, 2 faults",
    ]


def test_what_is_no_run_is_refused(run, tmp_path):
    refused(reincarnate("ledger", "check", tmp_path), "ledger.jsonl")
    (run / "ledger.jsonl").write_text("no json\n")
    refused(reincarnate("ledger", "check", run), "line 1 is not a ledger line")


# -- logs from elsewhere


def foreign(path: Path) -> Path:
    """Return a replay buffer of four steps: two that ended, two that were cut off, with frames in colour."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 1, 210, 160, 3), np.uint8)
    ends = np.array([[0], [1], [0], [1]])
    marks = {"dones": ends, "timeouts": ends * [[0], [0], [0], [1]], "pos": np.array(0), "full": np.array(True)}
    actions, rewards = np.array([[0], [1], [2], [1]]), np.ones((4, 1), np.float32)
    np.savez(path, observations=frames[:4], next_observations=frames[1:], actions=actions, rewards=rewards, **marks)
    return path


def test_a_log_from_elsewhere_is_imported_for_a_task(tmp_path):
    source = foreign(tmp_path / "buffer.npz")
    words = ("--from", "npz", "--task", "atari/Pong", "--name", "colour")
    answer = reincarnate("datasets", "import", source, tmp_path / "pong", *words)
    assert answer.code == 0 and answer.err.startswith("note: Colour frames of 210x160x3 were converted to grey")
    opened = open_log(tmp_path / "pong" / "array_record")
    assert (opened.name, opened.actions) == ("colour", 6)
    assert load(tmp_path / "pong" / "array_record").frame.shape == (6, 84, 84)
    assert json.loads((tmp_path / "pong" / "provenance.json").read_bytes())["task"] == "atari/Pong"
    assert reincarnate("datasets", "check", tmp_path / "pong").code == 0
    words = ("--from", "npz", "--task", "gym/Acrobot-v1")
    refused(reincarnate("datasets", "import", source, tmp_path / "x", *words), "where the task shows float32")


def test_an_option_that_a_format_does_not_have_is_refused(tmp_path):
    source = foreign(tmp_path / "buffer.npz")
    answer = reincarnate("datasets", "import", source, tmp_path / "x", "--from", "npz", "--split", "train")
    refused(answer, "--split is not for logs of npz")
    refused(reincarnate("datasets", "import", tmp_path / "no", tmp_path / "x", "--from", "npz"), "no file or folder")


@pytest.mark.parametrize("form", ["parquet", "minari"])
def test_a_log_goes_to_another_format_and_back(log, tmp_path, form):
    answer = reincarnate("datasets", "export", log.parent, tmp_path / "out", "--to", form)
    assert answer.code == 0 and answer.out.startswith(f"{tmp_path / 'out'}: written as {form}")
    source = tmp_path / "out" if form == "parquet" else tmp_path / "out" / "reincarnate" / "toy-v0"
    assert reincarnate("datasets", "import", source, tmp_path / "back", "--from", form).code == 0
    same(tmp_path / "back" / "array_record", log)
    refused(reincarnate("datasets", "export", log, tmp_path / "x", "--to", "csv"), "cannot be exported as 'csv'")

"""Where metrics go: the file, TensorBoard's event files read back, Weights & Biases without a network."""

import json
import sqlite3
import struct

import pytest

from reincarnate.benchmark.runs import metrics
from reincarnate.benchmark.runs.metrics import Metrics, lines, scalars, sinks_of
from reincarnate.benchmark.training.budget import LIMITS, Budget, Plan
from reincarnate.benchmark.training.observer import Status
from reincarnate.leaderboard.record import Evaluation

START = {
    "run": "abc123", "task": "gym/Thing", "method": "qdagger", "settings": {}, "network": {}, "seed": 0,
    "budget": {"steps": 100.0}, "command": "reincarnate run", "random": {"mean": -10.0}, "teacher": {"mean": 30.0},
}  # fmt: skip
JUDGED = Evaluation(returns=(8.0, 12.0), lengths=(5, 5), epsilon=0.0, seeds=(0, 1))


def status(phase: str, steps: float, updates: float, loss: float = 0.5, returns=()) -> Status:
    spent = dict.fromkeys(LIMITS, 0.0) | {"steps": steps, "updates": updates}
    extra = {"score": 0.1, "best": 0.2, "rate": 1.0, "guidance": 3.0, "weaned": 0.0}
    return Status(phase, spent, {"update": 1.5}, Plan(10, 100, 40), returns, {"td": loss}, extra, Budget(steps=100))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(metrics, "SECONDS", -1.0)


def played(folder, sinks=()) -> None:
    out = Metrics(folder, sinks)
    out.open(START)
    out.watch(status("offline", 0, 4))
    out.watch(status("offline", 0, 8, loss=0.25))
    out.point(status("offline", 0, 10).spent, JUDGED, START)
    out.watch(status("online", 50, 12, returns=(2.0, 4.0)))
    out.close()


def events(folder) -> dict[str, list[tuple[int, float]]]:
    """Return {name: (step, value)} of an event file, whose records are length, checksum, Event, checksum."""
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

    (path,) = folder.glob("events.out.tfevents.*")
    data, place, found = path.read_bytes(), 0, {}
    while place < len(data):
        (size,) = struct.unpack_from("<Q", data, place)
        event = Event.FromString(data[place + 12 : place + 12 + size])
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
        place += 16 + size
    return found


def test_the_file_has_training_and_evaluations(tmp_path):
    played(tmp_path)
    told = lines(tmp_path / "metrics.jsonl")
    assert [line["phase"] for line in told] == ["offline", "offline", "evaluation", "online"]
    assert told[1]["losses"] == {"td": 0.25} and told[1]["updates"] == 8 and told[1]["training_return"] is None
    assert told[2]["return"] == 10.0 and told[2]["standard_error"] == 2.0 and told[2]["score"] == pytest.approx(0.5)
    assert told[3]["training_return"] == 3.0 and told[3]["guidance"] == 3.0
    assert all(line["time"] > 1.7e9 for line in told)


def test_lines_are_as_rare_as_is_asked_but_none_is_lost_before_an_evaluation(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "SECONDS", 60.0)
    monkeypatch.setattr(metrics, "SHARE", 1e9)
    played(tmp_path)
    told = lines(tmp_path / "metrics.jsonl")
    assert [(line["phase"], line["updates"]) for line in told] == [("offline", 8), ("evaluation", 10)]


def test_scalars_of_the_offline_phase_lie_along_updates_and_the_others_along_steps():
    line = {"phase": "offline", "steps": 0, "updates": 7, "losses": {"td": 1.0}, "phases": {"act": 2.0}, "score": 0.0}
    assert scalars(line) == (7, {
        "offline/loss/td": 1.0, "offline/spent/steps": 0, "offline/spent/updates": 7,
        "offline/seconds/act": 2.0, "offline/score": 0.0,
    })  # fmt: skip
    assert scalars({"phase": "evaluation", "steps": 9, "updates": 7, "return": 3.0}) == (9, {"evaluation/return": 3.0})


def test_a_run_that_goes_on_forgets_what_will_be_done_again(tmp_path):
    pytest.importorskip("tensorboardX")
    played(tmp_path, ["tensorboard"])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"phase": "onl')  # cut off by a crash
    again = Metrics(tmp_path, ["tensorboard"])
    again.open(START, (0, 10))
    again.watch(status("online", 20, 11))
    again.close()
    told = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["steps"], line["updates"]) for line in told] == [(0, 4), (0, 8), (0, 10), (20, 11)]
    shown = events(tmp_path / "tensorboard")
    assert shown["online/loss/td"] == [(20, 0.5)] and shown["offline/loss/td"] == [(4, 0.5), (8, 0.25)]


def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboardX")
    played(tmp_path, ["tensorboard"])
    shown = events(tmp_path / "tensorboard")
    assert shown["offline/loss/td"] == [(4, 0.5), (8, 0.25)]
    assert shown["evaluation/return"] == [(0, 10.0)] and shown["evaluation/score"] == [(0, 0.5)]
    assert shown["online/training_return"] == [(50, 3.0)] and shown["online/guidance"] == [(50, 3.0)]


def test_weights_and_biases_writes_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    played(tmp_path, ["wandb"])
    wandb.teardown()
    (written,) = tmp_path.glob("wandb/offline-run-*-abc123/run-abc123.wandb")
    data = written.read_bytes()
    assert b"evaluation/return" in data and b"offline/loss/td" in data


def test_trackio_keeps_the_numbers_on_this_machine(tmp_path, monkeypatch, capsys):
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "run").mkdir()
    played(tmp_path / "run", ["trackio"])
    with sqlite3.connect(tmp_path / "store" / "reincarnate.db") as store:
        kept = [json.loads(text) for (text,) in store.execute("select metrics from metrics order by id")]
    assert any("evaluation/return" in line for line in kept) and any("online/loss/td" in line for line in kept)
    assert capsys.readouterr().out == ""


def test_what_cannot_be_written_to_is_said_at_once(monkeypatch):
    with pytest.raises(
        ValueError, match="metrics cannot go to 'excel': name one or more of tensorboard, wandb, trackio"
    ):
        sinks_of(("tensorboard", "excel"))
    monkeypatch.setattr(metrics.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'reincarnate\[wandb\]'"):
        sinks_of(("wandb",))
    assert sinks_of(()) == ()

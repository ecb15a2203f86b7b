"""Pipes, devices and broken links in place of a run's files: refused in a sentence or repaired, never waited for."""

import json
import os
import shutil

import pytest

from reincarnate.benchmark.display import Display
from reincarnate.benchmark.prior.promote import promote
from reincarnate.benchmark.report import groups
from reincarnate.benchmark.runs import checkpoint
from reincarnate.benchmark.runs.reevaluate import EvaluationRequest, evaluate
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.benchmark.sweep import grid
from reincarnate.leaderboard.results import Results

from ...alarm import within
from .test_resume import run_to_half

KINDS = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.fixture(autouse=True)
def awake():
    """Fail what waits for ever."""
    with within(300):
        yield


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    return run_to_half(tmp_path_factory.mktemp("half") / "run")


def reopen(run, _):
    RunFolder(run, Display(quiet=True)).reopen({"place": "here"})


COMMANDS = {
    "resume": reopen,
    "report": lambda run, _: groups.read(run),
    "evaluate": lambda run, _: evaluate(EvaluationRequest(str(run), episodes=1), display=Display(quiet=True)),
    "promote": lambda run, out: promote(run, out, "local/teacher", None, 1, Display(quiet=True)),
    "submit": lambda run, out: prepare([run], out, Results(out, {}, {}, (), ()), Offer("me"), Display(quiet=True)),
}
LAST = "students"  # the newest of them
REFUSED = {
    "resume": ("ledger.jsonl", LAST),
    "report": ("ledger.jsonl", "record.json", "metrics.jsonl"),
    "evaluate": ("record.json", LAST),
    "promote": ("record.json", LAST),
    "submit": ("record.json",),
}


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("command", "name"), [(one, name) for one, names in REFUSED.items() for name in names])
def test_a_file_of_a_run_is_refused(tmp_path, half, command, name, made):
    run = tmp_path / "run"
    shutil.copytree(half, run)
    path = max((run / name).iterdir()) if name == LAST else run / name
    path.unlink()
    made(path)
    with pytest.raises(ValueError, match=str(path)) as caught:
        COMMANDS[command](run, tmp_path / "out")
    assert str(caught.value).isprintable() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", ["config.json", "record.json"])
def test_what_the_ledger_has_as_well_is_written_again_by_a_resume(tmp_path, half, name, made):
    run = tmp_path / "run"
    shutil.copytree(half, run)
    (run / name).unlink()
    made(run / name)
    reopen(run, None)
    assert json.loads((run / name).read_bytes()) == json.loads((half / name).read_bytes())
    assert not (run / name).is_symlink()


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
def test_a_checkpoint(tmp_path, half, made):
    shutil.copytree(half / "checkpoints", tmp_path / "checkpoints")
    path = tmp_path / "checkpoints" / f"{max(checkpoint.numbers(half / 'checkpoints')):06d}.json"
    path.unlink()
    made(path)
    with pytest.raises(checkpoint.DamagedCheckpoint):
        checkpoint._content(path)


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
def test_a_sweep(tmp_path, made):
    made(tmp_path / "sweep.json")
    with pytest.raises(ValueError, match=r"sweep\.json is a .*: put the file itself there"):
        grid.load(tmp_path)

"""Two generations on CartPole through the command line: run, promote, log, and run again with the results."""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.cli import main
from reincarnate.benchmark.prior.promote import student
from reincarnate.benchmark.runs import metrics, run_folder
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.environments import seeds
from reincarnate.benchmark.training.weaning import sentence
from reincarnate.datasets.hub import hub
from reincarnate.datasets.hub.reference import Ref
from reincarnate.datasets.rlds import read as rlds_read
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard import record as records
from reincarnate.leaderboard.ledger import faults, read
from reincarnate.leaderboard.record import mismatches

ROOT = Path(__file__).parents[3]
TASK = "gym/CartPole-v1"
OTHERS = ("record.json", "ledger.jsonl", "README.md", "curve.png", "optimizer.safetensors")  # of a promoted teacher
FIRST = ("--task", TASK, "--method", "dqn", "--episodes", "3", "--environments", "3", "--seed", "7", "--quiet")
FIRST_SETTINGS = ("--set", "batch_size=8", "--set", "target_period=20", "--set", "learning_rate=1e-3")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def reincarnate(*words: str) -> Answer:
    """Return what the command line answers, in this process."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["reincarnate", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            main.main()
    finally:
        sys.argv = before
    return Answer(int(end.value.code or 0), out.getvalue(), err.getvalue())


def done(*words: str) -> str:
    answer = reincarnate(*words)
    assert answer.code == 0, answer.err
    return answer.out


class House(NamedTuple):
    """Two generations, and the hub that the second one came from."""

    first: Path
    teacher: Path
    log: Path
    hub: Path
    second: Path
    said: dict[str, str]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    at = tmp_path_factory.mktemp("house")
    made = House(at / "first", at / "teacher", at / "log", at / "hub", at / "second", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hub.BUNDLE, str(made.hub))
        patch.setattr(metrics, "SECONDS", -1.0)
        patch.setattr(run_folder, "LEDGER_SECONDS", -1.0)
        patch.chdir(at)
        budget = ("--budget", "frames=601,updates=1k", "--points", "0,0.123456789,1")
        made.said["run"] = done("run", *FIRST, *FIRST_SETTINGS, *budget, "--out", str(made.first))
        made.said["promote"] = done(
            *("promote", str(made.first), "--name", "local/first", "--episodes", "4", "--quiet"),
            *("--out", str(made.teacher), "--into", str(made.hub)),
        )
        made.said["log"] = done(
            *("log", "local/first", "--steps", "300", "--name", "local/first-log", "--epsilon", "0.1", "--quiet"),
            *("--out", str(made.log), "--into", str(made.hub)),
        )
        made.said["second"] = done(
            *("run", "--task", TASK, "--budget", "updates=90", "--seed", "1", "--set", "batch_size=8"),
            *("--teacher", "local/first", "--teacher-log", "local/first-log", "--episodes", "3", "--quiet"),
            *("--points", "0,1", "--environments", "2", "--out", str(made.second)),
        )
        yield made


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_run_leaves_its_record_ledger_students_and_plot(house, name):
    folder = getattr(house, name)
    record, ledger = records.load(folder / "record.json"), read(folder / "ledger.jsonl")
    assert faults(ledger) == []
    assert record.complete and record.ledger == ledger[-1]["hash"] and ledger[-1]["event"] == "end"
    assert ledger[0]["run"] == record.run and ledger[0]["budget"] == record.budget
    assert {"progress", "point"} < {line["event"] for line in ledger}
    stated = [line for line in ledger if line["event"] in ("point", "end")]
    for point, line in zip(record.points, stated, strict=True):
        assert (point.spent, point.parameters) == (line["spent"], line["parameters"])
        assert list(point.evaluation.returns) == line["evaluation"]["returns"]
        assert digest(weights.load(folder / point.file)) == point.parameters
        assert point.evaluation.seeds == tuple(seeds("test", record.seed, 3)[[0, -1]].tolist())
        assert len(point.evaluation.returns) == 3 and point.evaluation.lengths == point.evaluation.returns
    assert len({point.parameters for point in record.points}) == len(record.points)
    told = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert told[-1]["phase"] == "evaluation" and told[-1]["return"] == record.points[-1].evaluation.mean
    assert told[-2]["training_return"] > 0 and told[-2]["updates"] == record.points[-1].spent["updates"]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((folder / "config.json").read_text())
    assert config["task"] == TASK and config["actions"] == 2
    assert config["observation"] == {"shape": [1, 4], "dtype": "float32"}
    assert config["architecture"] == record.network == {"name": "mlp", "options": {}}
    assert not [path for path in folder.rglob("*") if "partial" in path.name]


def test_budgets_are_spent_as_the_records_say(house):
    first, second = (records.load(folder / "record.json") for folder in (house.first, house.second))
    assert [point.spent["steps"] for point in first.points] == [0, 75, 601]  # 74.2 of 601, in threes
    assert first.budget == {"frames": 601, "updates": 1000} and first.teacher is None and first.parents == ()
    assert [point.spent["updates"] for point in second.points] == [54, 90]  # 0.6 of them offline
    assert second.method == "qdagger" and second.teacher is not None


def test_the_table_shows_every_policy(house):
    for word in ("random", "student at 0", "student, end", "601"):
        assert word in house.said["run"]
    for word in ("random", "teacher", "student at 0", "student, end", "score"):
        assert word in house.said["second"]
    assert "teacher" not in house.said["run"].split("score: 0 is")[0]


def test_the_second_generation_names_its_parents(house):
    record = records.load(house.second / "record.json")
    teacher, log = record.parents
    assert (teacher.kind, log.kind) == ("teacher", "log")
    assert teacher.reference == str(hub.resolve(Ref.parse("local/first"), "model"))
    assert log.reference == str(hub.resolve(Ref.parse("local/first-log"), "dataset"))
    assert len(teacher.reference.split("@")[1]) == 40
    assert teacher.digest == records.load(house.first / "record.json").points[-1].parameters


def test_what_weans_a_student_stands_on_a_hundred_episodes_and_is_written_down(house):
    """No suite has anchors for CartPole, so random play and the teacher get enough episodes, whatever is reported."""
    record, lines = records.load(house.second / "record.json"), read(house.second / "ledger.jsonl")
    assert record.teacher is not None and record.yardstick is not None
    assert len(record.random.returns) == len(record.teacher.returns) == 100
    assert (
        record.yardstick.model_dump()
        == lines[0]["yardstick"]
        == {
            "random": record.random.mean,
            "teacher": record.teacher.mean,
            "error": record.teacher.standard_error,
            "source": "100 episodes of random play and 100 of the teacher",
        }
    )
    spent = [point.spent["validated"] for point in record.points]
    assert 0 < spent[0] < spent[1]  # played in validations, as many episodes as were asked for in an evaluation
    assert records.load(house.first / "record.json").yardstick is None  # dqn is told no score
    assert record.weaned is not None and record.weaned.model_dump() == lines[-1]["weaned"]
    assert sentence(record.weaned.model_dump()) in house.said["second"]
    earlier = record.weaned.model_copy(update={"steps": record.weaned.steps - 1.0})
    forged = record.model_copy(update={"weaned": earlier})
    assert mismatches(lines, record) == [] and "when and why the student was weaned" in mismatches(lines, forged)[0]


def test_a_teacher_comes_with_its_own_log(house, tmp_path):
    """The teacher's log is found on its hub and recorded; the run equals one with the log given."""
    before = records.load(house.second / "record.json")
    command = " ".join(shlex.split(before.command)).replace(" --teacher-log local/first-log", "")
    after = again(command, tmp_path / "found")
    assert "--teacher-log" not in command and after.parents == before.parents
    assert f"--teacher-log {before.parents[1].reference}" in after.command
    assert after.points[-1].parameters == before.points[-1].parameters


def test_a_promoted_teacher_is_whole(house):
    names = {path.name for path in house.teacher.iterdir()}
    assert names - {"replay.mp4"} == {".eval_results", "config.json", "policy.safetensors", *OTHERS}
    config = json.loads((house.teacher / "config.json").read_text())
    record = records.load(house.teacher / "record.json")
    assert faults(read(house.teacher / "ledger.jsonl")) == [] and config["run"] == record.run
    assert len(config["evaluation"]["returns"]) == 4
    assert config["evaluation"]["seeds"][0] == int(seeds("promotion", 7, 1)[0])
    assert digest(weights.load(house.teacher / "policy.safetensors")) == record.points[-1].parameters
    assert "local/first" in (house.teacher / "README.md").read_text()


def test_the_log_holds_what_was_asked_for(house):
    assert str(house.log) in house.said["log"] and "local/first-log@" in house.said["log"]
    folder, ref = hub.open_ref("local/first-log", "dataset", root=house.hub)
    provenance = json.loads((folder / "provenance.json").read_text())
    steps = rlds_read.load(folder / "array_record")
    assert int(np.sum(~steps.is_last)) == provenance["transitions"] >= 300
    assert ref is not None and ref.pinned


UNTIMED = {"seconds": 0, "device": 0}


def again(command: str, out: Path) -> records.RunRecord:
    """Return the record of a command, as it stands in another record."""
    words = shlex.split(command)
    assert words[:2] == ["reincarnate", "run"]
    done(*words[1:], "--out", str(out), "--quiet")
    return records.load(out / "record.json")


@pytest.mark.parametrize("name", ["first", "second"])
def test_the_command_in_a_record_makes_it_again_bit_for_bit(house, name, tmp_path):
    before = records.load(getattr(house, name) / "record.json")
    after = again(before.command, tmp_path / "again")
    for field in ("task", "method", "settings", "seed", "environments", "budget", "parents", "random", "teacher"):
        assert getattr(before, field) == getattr(after, field), field
    for mine, theirs in zip(before.points, after.points, strict=True):
        assert (mine.parameters, mine.evaluation, mine.file) == (theirs.parameters, theirs.evaluation, theirs.file)
        assert {**mine.spent, **UNTIMED} == {**theirs.spent, **UNTIMED}
    assert before.run != after.run and before.command == after.command


def test_the_function_is_the_command(house, tmp_path):
    """`run` has the same names, and another seed is another run."""
    before = records.load(house.first / "record.json")
    settings = {"batch_size": 8, "target_period": 20, "learning_rate": 1e-3}
    made = [
        run(
            TASK,
            "dqn",
            "frames=601,updates=1k",
            seed,
            settings=settings,
            points=(0, 0.123456789, 1),
            episodes=3,
            environments=3,
            out=tmp_path / str(seed),
        )
        for seed in (7, 8)
    ]
    assert [point.parameters for point in made[0].points] == [point.parameters for point in before.points]
    assert not {point.parameters for point in made[1].points} & {point.parameters for point in before.points}
    assert made[0] == records.load(tmp_path / "7" / "record.json")


def test_a_student_at_a_checkpoint_can_be_promoted(house, tmp_path):
    done("promote", str(house.first), "--point", "75", "--out", str(tmp_path / "early"), "--episodes", "1", "--quiet")
    arrays = weights.load(tmp_path / "early" / "policy.safetensors")
    assert digest(arrays) == records.load(house.first / "record.json").points[1].parameters
    assert "75 agent steps" in (tmp_path / "early" / "README.md").read_text()


def copied(house: House, tmp_path: Path) -> Path:
    """Return the first run, where it may be spoilt."""
    for path in house.first.rglob("*"):
        if path.is_file():
            target = tmp_path / "run" / path.relative_to(house.first)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path / "run"


# -- mistakes: one sentence, exit code 2, nothing left behind


def refused(words, *says: str, at: Path) -> str:
    """Check that a command is refused as it should be, and that the folder `at` stays as it is."""
    before = sorted(path.as_posix() for path in at.rglob("*"))
    answer = reincarnate(*words)
    assert answer.code == 2, (answer.out, answer.err)
    assert answer.out == "" and answer.err.startswith("reincarnate: ") and answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    for say in says:
        assert say in answer.err
    assert sorted(path.as_posix() for path in at.rglob("*")) == before
    return answer.err


def words(out: Path, *more: str) -> list[str]:
    """Return a run that would work; what is given in `more` comes last and counts."""
    standard = ["--task", TASK, "--method", "dqn", "--budget", "frames=200", "--episodes", "1", "--quiet"]
    return ["run", *standard, "--out", str(out), *more]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--task", "atari/Nope"], "there is no task 'atari/Nope'"),
        (["--task", "atari/Joust"], "there is no task 'atari/Joust'"),
        (["--task", "gym/Nope-v0"], "Gymnasium has no 'Nope-v0'"),
        (["--task", "gym/Pendulum-v1"], "dqn is for discrete actions, but those of gym/Pendulum-v1 are continuous"),
        (["--task", ""], "needs a task and a budget"),
        (["--method", "nope"], "there is no method 'nope'"),
        (["--method", "../dqn"], "there is no method '../dqn'"),
        (["--method", "nowhere.nothing:factory"], "cannot be imported"),
        (["--method", "json:nothing"], "has no factory 'nothing'"),
        (["--set", "lerning_rate=1"], "dqn has no keyword lerning_rate: did you mean learning_rate?"),
        (["--set", "warm=1"], "dqn has no keyword warm: did you mean warmup?"),
        (["--set", "nothing_like_it=1"], "dqn has no keyword nothing_like_it: it takes "),
        (["--set", "n_step=x"], "n_step=x cannot be read"),
        (["--set", "n_step=0"], "n_step=0 is out of range"),
        (["--set", "n_step"], "--set n_step is not a setting"),
        (["--set", "=3"], "--set =3 is not a setting"),
        (["--set", "n_step="], "--set n_step= is not a setting"),
        (["--set", "base=nope"], "dqn has no base"),
        (["--network", "nope"], "there is no network 'nope'"),
        (["--network", "nature"], "the network 'nature' does not support observations (1, 4)"),
        (["--budget", "games=3"], "'games=3' is not a limit"),
        (["--budget", "frames=1k,frames=2k"], "limits frames twice"),
        (["--budget", "frames=many"], "'many' is not an amount"),
        (["--budget", "frames=0"], "'0' is not an amount"),
        (["--budget", "frames=3"], "too small"),
        (["--budget", "flops=3"], "too small"),
        (["--budget", "seconds=3"], "time alone"),
        (["--budget", ""], "needs a task and a budget"),
        (["--seed", "-1"], "choose one from 0"),
        (["--seed", "16384"], "choose one from 0"),
        (["--seed", "x"], "--seed"),
        (["--points", "a,b"], "--points a,b cannot be read"),
        (["--points", "2"], "shares from 0 to 1"),
        (["--points", "-0.1"], "shares from 0 to 1"),
        (["--points", "nan"], "shares from 0 to 1"),
        (["--points", ","], "--points , cannot be read"),
        (["--environments", "-1"], "at least one environment"),
        (["--environments", "1025"], "1024 environments"),
        (["--episodes", "-1"], "episodes"),
        (["--episodes", "1025"], "1024 environments"),
        (["--hub", "nope", "--teacher", "a/b"], "there is no hub 'nope'"),
        (["--teacher", "a/b"], "the bundled hub has no model a/b"),
        (["--teacher", "not a reference"], "not a reference"),
        (["--teacher", "/nowhere"], "/nowhere is not a folder"),
        (["--method", "qdagger"], "--teacher"),
        (["--method", "fine_tuning"], "teacher"),
        (["--method", "pbt_small", "--set", "population=17"], ""),
        (["--nope"], "No such option"),
        (["--quiet=3"], "--quiet"),
        (["--set"], "--set"),
        (["extra"], "extra"),
    ],
)
def test_a_run_that_cannot_start_leaves_nothing(house, tmp_path, more, says):
    sentence = refused(words(tmp_path / "new" / "out", *more), says, at=tmp_path)
    assert "[Errno" not in sentence


def test_a_run_that_would_overwrite_is_refused(house, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    refused(words(tmp_path / "there"), "there exists: give another folder", at=tmp_path)
    refused(words(tmp_path / "file"), "file exists: give another folder", at=tmp_path)
    refused(words(tmp_path / "file" / "below" / "it"), "cannot be written", at=tmp_path)
    refused(words(tmp_path / ("x" * 300)), "", at=tmp_path)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "No such command 'nope'"),
        (["run"], "needs a task and a budget"),
        (["run", "--task", TASK], "needs a task and a budget"),
        (["run", "--resume", "/nowhere"], "/nowhere is not a run"),
        (["run", "--resume", "{first}"], "is complete: there is nothing to resume"),
        (["run", "--resume", "{first}", "--task", TASK, "--points", "1"], "leave out --points, --task"),
        (["promote"], "Missing argument 'run'"),
        (["promote", "{first}", "--episodes", "-1"], "-1 episodes"),
        (["promote", "/nowhere"], "there is no record at /nowhere/record.json"),
        (["promote", "abc", "--at", "lab/results", "--point", "7"], "a re-scored run is promoted as it is"),
        (["promote", "abc", "--at", "lab/results", "--hub", "bundled"], "the bundled hub is read-only"),
        (["run", "--task", f"{TASK}@1", "--budget", "steps=1"], "name the repository with --at user/name"),
        (["run", "--task", TASK, "--budget", "steps=1", "--at", "lab/results"], "write gym/CartPole-v1@1"),
        (["sweep", f"{TASK}@1", "--methods", "dqn", "--budget", "steps=1"], "name the repository with --at user/name"),
        (["tasks", "--at", "lab/results"], "the bundled hub has no dataset lab/results"),
        (["log", "local/first", "--steps", "few"], "'few' is not an amount"),
        (["log", "local/first", "--steps", "10", "--environments", "0"], "environment"),
        (["log", "local/first", "--steps", "10", "--epsilon", "2"], "epsilon"),
        (["log", "local/nothing", "--steps", "10"], "the bundled hub has no model local/nothing"),
        (["log", "local/first", "--steps", "10", "--name", "bad name"], "'bad name' is not a reference"),
        (["methods", "nope"], "there is no method 'nope'"),
        (["quickstart", "--seed", "-1"], "the seed is -1: choose one from 0 to 16383"),
    ],
)
def test_other_commands_are_refused_in_one_sentence_too(house, tmp_path, monkeypatch, more, says):
    monkeypatch.chdir(tmp_path)
    refused([word.format(first=house.first) for word in more] or ["nope"], says, at=tmp_path)


def test_changed_weights_are_not_promoted(house, tmp_path):
    run_folder = copied(house, tmp_path)
    file = run_folder / records.load(run_folder / "record.json").points[-1].file
    arrays = weights.load(file)
    weights.save(file, {name: array + 1e-6 for name, array in arrays.items()})
    say = "is not what the record says it is"
    refused(["promote", str(run_folder), "--out", str(tmp_path / "teacher"), "--quiet"], say, at=tmp_path)


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("record.json", lambda text: "", "is not JSON"),
        ("record.json", lambda text: text.replace('"seed"', '"sead"'), "is not a run record: seed"),
        ("record.json", lambda text: text.replace("students/", "../students/"), "outside its folder"),
        ("record.json", lambda text: text.replace("students/", "/students/"), "outside its folder"),
        ("record.json", lambda text: text.replace(TASK, "gym/Acrobot-v1"), ""),
        ("config.json", lambda text: text[: len(text) // 2], "config.json does not say what the network is"),
        ("config.json", lambda text: text.replace('"mlp"', '"nature"'), "the network 'nature' of"),
        (
            "config.json",
            lambda text: text.replace('"options": {}', '"options": {"size": 3}'),
            "params/Dense_0/bias is ",
        ),
        (
            "config.json",
            lambda text: text.replace('"options": {}', '"options": {"size": "x"}'),
            "'mlp' has the option 'size' = 'x'",
        ),
        ("config.json", None, "config.json"),
        ("ledger.jsonl", None, "ledger.jsonl"),
        ("students/0000000601.safetensors", lambda text: text[:100], "damaged"),
        ("students/0000000601.safetensors", None, "there is no file"),
    ],
)
def test_a_damaged_run_is_not_promoted(house, tmp_path, name, spoil, says):
    path = copied(house, tmp_path) / name
    if spoil:
        text = spoil(path.read_text(errors="replace"))
        path.write_text(text)
    else:
        path.unlink()
    refused(["promote", str(tmp_path / "run"), "--out", str(tmp_path / "teacher"), "--quiet"], says, at=tmp_path)


def test_there_is_no_student_at_any_step_but_the_stated(house, tmp_path):
    refused(["promote", str(house.first), "--point", "7", "--quiet"], "it has some at 0, 75, 601", at=house.first)
    assert student(house.first, 75.0)[3].spent["steps"] == 75


def spoilt_hub(house: House, tmp_path: Path, monkeypatch) -> Path:
    for path in house.hub.rglob("*"):
        if path.is_file():
            target = tmp_path / "hub" / path.relative_to(house.hub)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    monkeypatch.setenv(hub.BUNDLE, str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("file", ["policy.safetensors", "config.json", "README.md"])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_spoilt_teacher_is_not_learned_from(house, tmp_path, monkeypatch, file, how):
    (path,) = spoilt_hub(house, tmp_path, monkeypatch).glob(f"models--*/snapshots/*/{file}")
    if how == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    refused(words(tmp_path / "out", "--teacher", "local/first"), f"{file} is {how}", "reinstall", at=tmp_path)


def test_a_spoilt_log_is_not_learned_from(house, tmp_path, monkeypatch):
    path = next(spoilt_hub(house, tmp_path, monkeypatch).glob("datasets--*/snapshots/*/array_record/*array_record*0*"))
    path.write_bytes(path.read_bytes()[:-1])
    more = ("--method", "qdagger", "--teacher", "local/first", "--teacher-log", "local/first-log")
    refused(words(tmp_path / "out", *more), f"{path.name} is damaged", "reinstall", at=tmp_path)


def test_a_teacher_or_log_of_another_task_is_refused(house, tmp_path):
    other = ("--task", "gym/Acrobot-v1", "--method", "qdagger")
    refused(words(tmp_path / "out", *other, "--teacher", "local/first"), "local/first plays gym/CartPole", at=tmp_path)
    config = json.loads((house.teacher / "config.json").read_text())
    (tmp_path / "teacher").mkdir()
    weights = "policy.safetensors"
    (tmp_path / "teacher" / weights).write_bytes((house.teacher / weights).read_bytes())
    (tmp_path / "teacher" / "config.json").write_text(json.dumps({**config, "task": None}))
    teacher = ("--teacher", str(tmp_path / "teacher"), "--teacher-log", "local/first-log")
    refused(words(tmp_path / "out", *other, *teacher), "actions 2", at=tmp_path)
    (tmp_path / "teacher" / "config.json").write_text(json.dumps({**config, "architecture": {"name": "nature"}}))
    refused(words(tmp_path / "out", *teacher), "the network 'nature' of", at=tmp_path)
    (tmp_path / "teacher" / "config.json").write_text("[]")
    refused(words(tmp_path / "out", *teacher), "does not say what the network is", at=tmp_path)
    log = ("--method", "qdagger", "--teacher", "local/first", "--teacher-log")
    refused(words(tmp_path / "out", *log, str(house.teacher)), "", at=tmp_path)
    refused(words(tmp_path / "out", *log, "local/none"), "the bundled hub has no dataset local/none", at=tmp_path)


def test_a_log_that_would_overwrite_is_refused(house, tmp_path):
    (tmp_path / "log").mkdir()
    more = ["--steps", "10", "--quiet", "--out", str(tmp_path / "log")]
    refused(["log", "local/first", *more], "log exists: give another folder", at=tmp_path)
    refused(["promote", str(house.first), "--quiet", "--out", str(tmp_path / "log")], "log exists", at=tmp_path)


# -- as a program


def program(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    command = [sys.executable, "-m", "reincarnate", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["tasks", "--nope"], ["run", "--task", "atari/Nope", "--budget", "frames=1k"]])
def test_the_program_itself_ends_with_code_2(tmp_path, words):
    done = program(*words, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("reincarnate: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


LISTS = {
    "--help": "quickstart",
    "run --help": "--budget",
    "tasks --all": "atari/SpaceInvaders",
    "methods": "qdagger",
    "methods qdagger": "--set temperature=0.1",
}


@pytest.mark.slow
@pytest.mark.parametrize("words", LISTS)
def test_help_and_lists_need_neither_jax_nor_tensorflow(tmp_path, words):
    code = f"""
import sys
sys.argv = ["reincarnate", *{words.split()!r}]
from reincarnate.benchmark.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
print("imported:", *({{"jax", "flax", "tensorflow", "tensorflow_datasets", "huggingface_hub"}} & set(sys.modules)))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stderr == ""
    assert LISTS[words] in done.stdout
    loaded = done.stdout.splitlines()[-1].split()
    allowed = {"jax", "flax"} if words == "methods qdagger" else set()  # its numbers are those of a class that needs it
    assert set(loaded[1:]) <= allowed


@pytest.mark.slow
def test_a_run_never_imports_tensorflow(house, tmp_path):
    """Even a run that reads a log does without it."""
    prior = ("--teacher", "local/first", "--teacher-log", "local/first-log")
    more = ("--method", "dagger", "--set", "offline=1", "--budget", "updates=2", *prior)
    code = f"""
import sys
sys.argv = ["reincarnate", *{words(tmp_path / "out", *more)!r}]
from reincarnate.benchmark.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "jax" in sys.modules
assert not {{"tensorflow", "tensorflow_datasets", "reverb", "rlds"}} & set(sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src"), hub.BUNDLE: str(house.hub)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert records.load(tmp_path / "out" / "record.json").points[-1].spent["updates"] == 2


def test_nothing_asked_for_is_answered_with_help():
    answer = reincarnate()
    assert answer.code == 2 and answer.err.startswith("Usage: reincarnate") and "quickstart" in answer.err

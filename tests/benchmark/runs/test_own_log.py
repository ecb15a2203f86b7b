"""The student's own experience as a log: exactly the steps that the budget paid for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from reincarnate.benchmark.cli.main import app
from reincarnate.benchmark.runs import run as runs
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.training import programs
from reincarnate.datasets.rlds import read
from reincarnate.datasets.rlds.check import check
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.leaderboard.record import RunRecord, load

from ..toys import Row, Witness

TASK = "gym/CartPole-v1"
STEPS, STREAMS = 250, 3  # 83 of each and one step more of the first
SETTINGS = {"batch_size": 4, "explore": 0, "epsilon": 0.5}


def split(rows: list[Row]) -> list[list[Row]]:
    """Return what one environment showed, by episode; its last row is its end, which the unfinished one lacks."""
    episodes: list[list[Row]] = [[]]
    for row in rows:
        episodes[-1].append(row)
        if row.action == -1:
            episodes.append([])
    return [rows for rows in episodes if rows]


def paid(witness: Witness, steps: int) -> list[list[Row]]:
    """Return the rows of every environment up to its last paid step, and the end of an episode after that."""
    kept = []
    for i, rows in enumerate(witness.rows):
        number = len(range(i, steps, witness.n))
        after = np.cumsum([row.action != -1 for row in rows])
        kept.append([row for row, count in zip(rows, after, strict=True) if count <= number])
    return kept


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Witness, RunRecord]:
    folder, seen = tmp_path_factory.mktemp("experience") / "run", []

    def watched(task, seed, threads=0):
        env = make(task, seed, threads)
        if len(seed) != STREAMS:
            return env
        seen.append(Witness(env))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "make", watched)
        record = runs.run(
            *(TASK, "dqn", f"steps={STEPS}"),
            seed=4,
            settings=SETTINGS,
            out=folder,
            points=(0.0, 0.3, 0.6, 1.0),
            episodes=1,
            environments=STREAMS,
            log=True,
        )
    (witness,) = seen
    return folder, witness, record


def command(*words: str) -> None:
    """Run a command line and let its errors through."""
    app(list(words), standalone_mode=False)


def episodes_of(folder: Path) -> list[Episode]:
    return list(read.read(folder / "log" / "array_record"))


def test_the_log_holds_the_steps_that_were_paid_for_and_no_other(made):
    folder, witness, record = made
    assert record.points[-1].spent["steps"] == STEPS and witness.acts == 84
    report = check(folder / "log" / "array_record")
    assert report.violations == [] and report.duplicates == [] and report.transitions == STEPS
    left = {episode.steps.frame[0].tobytes(): episode for episode in episodes_of(folder)}
    for rows in paid(witness, STEPS):
        numbers = []
        for shown in split(rows):
            episode = left.pop(shown[0].shown[-1].tobytes())
            steps, told = episode.steps, [row for row in shown if row.action != -1]
            assert steps.action[:-1].tolist() == [row.action for row in told]
            assert steps.reward[:-1].tolist() == [row.reward for row in told]
            np.testing.assert_array_equal(steps.frame[: len(shown)], [row.shown[-1] for row in shown])
            numbers.append(episode.episode_id)
        assert numbers == sorted(numbers)  # in the order in which they were played
    assert left == {}


def test_episodes_that_were_being_played_at_the_end_are_cut_off_and_invalid(made):
    folder, witness, _ = made
    unfinished = [rows[-1] for rows in map(split, paid(witness, STEPS)) if rows[-1][-1].action != -1]
    assert unfinished  # else this shows nothing
    starts = {rows[0].shown[-1].tobytes() for rows in unfinished}
    for episode in episodes_of(folder):
        cut = episode.steps.frame[0].tobytes() in starts
        assert episode.invalid == cut and episode.steps.is_terminal[-1] == (not cut)


def test_an_unfinished_episode_ends_with_what_its_last_step_led_to(made):
    folder, witness, _ = made
    finals = {}
    for i, rows in enumerate(paid(witness, STEPS)):
        last = split(rows)[-1]
        if last[-1].action != -1:
            more = witness.rows[i][len(rows) :]  # one step that nobody paid for, in two of three environments
            finals[last[0].shown[-1].tobytes()] = more[0].shown[-1] if more else witness.observe()[i, -1]
    for episode in episodes_of(folder):
        if episode.invalid:
            np.testing.assert_array_equal(episode.steps.frame[-1], finals[episode.steps.frame[0].tobytes()])


def test_checkpoints_are_the_sample_budgets_that_episodes_ended_in(made):
    """Budgets of 0, 75 and 150 steps: act a, after 3 a steps, is beyond the budgets of at most 3 a."""
    folder, witness, record = made
    assert [point.spent["steps"] for point in record.points] == [0, 75, 150, 250]
    episodes = episodes_of(folder)
    numbers = [episode.checkpoint_id for episode in episodes]
    assert numbers == sorted(numbers) and set(numbers) == {1, 2, 3}
    wanted = {}
    for rows in paid(witness, STEPS):
        acts = 0
        for shown in split(rows):
            acts += sum(row.action != -1 for row in shown)
            before = STREAMS * (acts - 1)
            over = shown[-1].action == -1  # what is cut off at the end belongs to the last budget
            wanted[shown[0].shown[-1].tobytes()] = 1 + (before >= 75) + (before >= 150) if over else 3
    assert {episode.steps.frame[0].tobytes(): episode.checkpoint_id for episode in episodes} == wanted


def test_the_log_says_whose_it_is_and_how_to_make_it_again(made):
    folder, _, record = made
    assert {episode.agent_id for episode in episodes_of(folder)} == {f"run {record.run}"}
    facts = json.loads((folder / "log" / "provenance.json").read_text())
    assert facts["parents"] == [{"kind": "teacher", "reference": f"run {record.run}"}]
    assert facts["command"] == record.command and " --log" in record.command
    assert {path.name for path in (folder / "log").iterdir()} >= {"tfrecord", "preview", "README.md"}


def test_what_nobody_paid_for_is_not_cut_off_when_the_last_act_is_repeated(tmp_path, monkeypatch):
    """Killed while its last student was evaluated: the unpaid steps begin no episodes."""
    folder, steps, streams = tmp_path / "run", 1601, 64  # the last act pays for one environment of 64
    with monkeypatch.context() as patch:
        point = RunFolder.point

        def killed(self, snapshot, judged):
            if snapshot.last:
                raise KeyboardInterrupt
            return point(self, snapshot, judged)

        patch.setattr(RunFolder, "point", killed)
        with pytest.raises(KeyboardInterrupt):
            options = {"points": (0.0, 1.0), "episodes": 1, "environments": streams, "log": True}
            runs.run(TASK, "dqn", f"steps={steps}", seed=4, settings=SETTINGS, out=folder, **options)
    runs.resume(folder)
    report = check(folder / "log" / "array_record")
    assert report.violations == [] and report.transitions == steps
    cut = [episode for episode in episodes_of(folder) if episode.invalid]
    assert 32 < len(cut) < streams  # else nobody's episode was about to begin, and this shows nothing
    assert all(episode.length for episode in cut)


def test_the_last_transitions_of_training_become_a_log_of_the_teacher(made, tmp_path):
    folder, _, _ = made
    command("promote", str(folder), "--out", str(tmp_path / "teacher"), "--episodes", "1")
    words = ["log", str(tmp_path / "teacher"), "--training", str(folder), "--steps", "60"]
    unfinished = tmp_path / ".log.partial" / "attempts.json"  # somebody's playing, which may go on
    unfinished.parent.mkdir()
    unfinished.touch()
    command(*words, "--out", str(tmp_path / "log"), "--name", "me/last")
    assert unfinished.exists()
    whole, kept = episodes_of(folder), list(read.read(tmp_path / "log" / "array_record"))
    count = sum(episode.length for episode in kept)
    assert count >= 60 > count - kept[0].length  # one episode less would be too few
    assert len(kept) < len(whole)
    for one, other in zip(kept, whole[-len(kept) :], strict=True):
        assert one._replace(steps=None) == other._replace(steps=None)
        for column, wanted in zip(one.steps, other.steps, strict=True):
            np.testing.assert_array_equal(column, wanted)
    facts = json.loads((tmp_path / "log" / "provenance.json").read_text())
    (parent,) = facts["parents"]
    assert (parent["kind"], parent["reference"]) == ("teacher", str(tmp_path / "teacher"))
    assert parent["digest"] == load(folder / "record.json").points[-1].parameters
    assert facts["transitions"] == count and "epsilon" not in facts  # nothing was played for it
    assert re.fullmatch(f"reincarnate run .* --out {folder}\nreincarnate log .* --steps 60", facts["command"])
    assert check(tmp_path / "log" / "array_record").violations == []


def test_only_its_own_training_becomes_a_teachers_log(made, tmp_path):
    folder, _, _ = made
    runs.run(TASK, "dqn", "steps=20", settings=SETTINGS, out=tmp_path / "other", episodes=1, environments=2)
    with pytest.raises(ValueError, match="writes one with --log"):
        command("log", str(folder), "--training", str(tmp_path / "other"), "--steps", "60")
    with pytest.raises(ValueError, match="is not a student of the run"):
        command(
            "log", str(tmp_path / "other"), "--training", str(folder), "--steps", "60", "--out", str(tmp_path / "log")
        )
    with pytest.raises(ValueError, match="plays nothing: leave out --epsilon"):
        command("log", str(folder), "--training", str(folder), "--steps", "60", "--epsilon", "0.1")
    assert not (tmp_path / "log").exists()


def test_the_code_on_a_logs_card_reads_it(made, monkeypatch):
    folder, _, _ = made
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, repo_type: str(folder / "log"))
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "log" / "README.md").read_text(), re.DOTALL)
    names: dict = {}
    exec(code, names)
    wanted = episodes_of(folder)
    found = [episode for split in sorted(names["episodes"]) for episode in names["episodes"][split]]
    assert [int(episode["episode_id"]) for episode in found] == [episode.episode_id for episode in wanted]

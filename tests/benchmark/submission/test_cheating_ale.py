"""Cheating on real ALE: another game's run, another mode or difficulty, sticky actions off. Tiny runs and networks."""

import json
import shlex

import pytest

from reincarnate.benchmark.runs import prepare as preparing
from reincarnate.benchmark.runs import run as runs
from reincarnate.benchmark.submission import judge as judges
from reincarnate.benchmark.submission.judge import judge
from reincarnate.benchmark.submission.submit import Offer, case_of, prepare
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.results import read

from .test_cheating import Honest, nothing, reasons, rewritten

pytestmark = pytest.mark.slow
GAME, OTHER = "atari/Pong", "atari/SpaceInvaders"  # both have six actions and frames of one shape
SETTINGS = {"warmup": 16, "batch_size": 4, "replay_capacity": 100}


def short(name: str):
    """Return the task with evaluations of one episode, whatever its length."""
    return find(name)._replace(evaluation_steps=0)


@pytest.fixture(scope="module", autouse=True)
def short_evaluations():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "find", short)
        patch.setattr(preparing, "find", short)
        patch.setattr(judges, "find", short)
        yield


def submitted(at, game: str) -> Honest:
    """Return a run of a game, and its submission."""
    runs.run(
        game,
        "dqn",
        "steps=80,updates=12",
        settings=SETTINGS,
        network="mlp:size=8",
        points=(1,),
        episodes=1,
        environments=1,
        out=at / "run",
    )
    (at / "results").mkdir()
    plan = prepare([at / "run"], at / "sent", read(at / "results"), Offer("ann", episodes=1, film=False))
    return Honest(at / "sent", plan.runs[0].model_copy(update={"student": f"ann/x@{'c' * 40}"}))


@pytest.fixture(scope="module")
def invaders(tmp_path_factory):
    return submitted(tmp_path_factory.mktemp("invaders"), OTHER)


def as_pong(mine: Honest) -> Honest:
    """Say Pong wherever Space Invaders was said: record, ledger, command, configuration."""
    record, protocol = mine.one.record, {**mine.one.record.protocol, "env": "pong"}
    command = shlex.join(GAME if word == OTHER else word for word in shlex.split(record.command))
    told = {"task": GAME, "protocol": protocol, "command": command}

    def change(lines):
        lines[0] |= {**told, "request": {**lines[0]["request"], "task": GAME}}

    path = mine.folder / "students" / record.run / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "task": GAME, "protocol": protocol}))
    return rewritten(mine, told, change)


def test_a_run_of_another_game(invaders):
    said = rewritten(invaders, {"task": GAME}, lambda lines: lines[0].update(task=GAME))
    assert "record.protocol.env: space_invaders is not the task's, pong" in reasons(said)
    forged = as_pong(said)
    verdict = judge(case_of(forged.folder, forged.one), nothing(forged.folder), episodes=1)
    assert verdict.state == "rejected" and verdict.rescored is not None
    assert len(verdict.reasons) == 1 and "is not within [-2" in verdict.reasons[0]  # what Pong gives: about -21


@pytest.mark.parametrize(("key", "value"), [("mode", 1), ("difficulty", 1), ("sticky", 0.0)])
def test_another_mode_difficulty_or_stickiness_is_said(invaders, key, value):
    protocol = {**invaders.one.record.protocol, key: value}
    told = reasons(rewritten(invaders, {"protocol": protocol}, lambda lines: lines[0].update(protocol=protocol)))
    assert f"record.protocol.{key}: {value} is not the task's" in told


def test_sticky_actions_off_while_it_ran(tmp_path, monkeypatch):
    """A modified harness is revealed by the files that it writes."""
    monkeypatch.setattr(preparing, "find", lambda name: short(name)._replace(sticky=0.0))
    off = submitted(tmp_path, GAME)
    assert off.one.record.protocol["sticky"] == 0.0
    assert "record.protocol.sticky: 0.0 is not the task's, 0.25" in reasons(off)

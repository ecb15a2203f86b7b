"""A season on a real hub: five seeds of two users through the real queue, a hidden pair, and who beats whom."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.queue import queue
from reincarnate.leaderboard import bootstrap
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.suite import Anchor, Suite

from .hub import TASK, House, house

pytestmark = pytest.mark.slow

HIDDEN = {"gym/Acrobot-v1": {"random": -499.0, "teacher": -90.0, "reference": f"lab/acrobot@{'a' * 40}"}}
SEASON = json.dumps(HIDDEN).encode()


def hand_in(hub: House, user: str, task: str, seeds: range, **settings) -> int:
    """Send a run of each seed as one request."""
    folders = []
    for seed in seeds:
        out = hub.at / f"{user}-{len(list(hub.at.iterdir()))}"
        how = {"warmup": 50, "learning_rate": 1e-3, **settings}
        run(task, "dqn", "steps=240,updates=120", seed, how, episodes=4, out=out, points=(1,))
        folders.append(out)
    repository = hub.as_user(user)
    sent, known = hub.at / f"sent-{user}-{len(list(hub.at.iterdir()))}", submit.repository_folder(repository, hub.url)
    plan = submit.prepare(folders, sent, known, submit.Offer(user, film=False))
    assert [verdict.reasons for verdict in plan.verdicts] == [()] * len(folders)
    return submit.send(plan, repository, hub.url)


def shown(hub: House) -> dict:
    """Return the board that the maintainer would publish now, by suite: {user: its row}."""
    made = board(submit.repository_folder(hub.as_user("lab"), hub.url))
    assert made["faults"] == []
    names = [suite["name"] for suite in made["suites"]]
    return {
        name: {one["author"]: one["suites"][name] for one in made["entries"] if name in one["suites"]} for name in names
    }


def judged(hub: House, number: int) -> None:
    told = queue(hub.as_user("lab"), hub.url)[number]
    assert [(one.state, one.reasons) for one in told] == [("re-scored", ())] * len(told)


def test_a_season_from_its_beginning_to_its_end(tmp_path_factory):
    with house(tmp_path_factory.mktemp("season")) as hub:
        tasks = {TASK: Anchor(random=22.0, teacher=200.0)}
        more: dict[str, Any] = {"hidden": hashlib.sha256(SEASON).hexdigest(), "ends": "2100-01-01T00:00:00Z"}
        suite = Suite(name="poles", version=2, tasks=tasks, **more)
        hub.as_user("lab").write({"suites/poles-v2.json": suite.model_dump_json().encode()}, "Begin a season")
        judged(hub, hand_in(hub, "ann", TASK, range(4)))
        assert "at least the seeds 0 to 4" in shown(hub)["poles"]["ann"]["unranked"]  # four of one configuration
        judged(hub, hand_in(hub, "ann", TASK, range(4, 5)))
        assert shown(hub)["poles"]["ann"]["place"] == 1
        with pytest.raises(AssertionError, match="of the same entry has"):
            hand_in(hub, "ann", TASK, range(4, 5), learning_rate=5e-4)  # no second try, and no other configuration
        judged(hub, hand_in(hub, "mallory", TASK, range(5), learning_rate=1e-5))
        rows = shown(hub)["poles"]
        assert sorted(row["place"] for row in rows.values()) == [1, 2]
        first = min(rows, key=lambda user: rows[user]["place"])
        scores = {user: np.array(rows[user]["tasks"][TASK]["scores"])[:, None] for user in rows}
        (second,) = set(rows) - {first}
        wanted = bootstrap.beats(scores[first], scores[second])
        assert rows[first]["beats_next"] == pytest.approx(wanted, abs=0.01) and rows[first]["beats_next"] >= 0.5
        assert rows[second]["beats_next"] is None
        judged(hub, hand_in(hub, "ann", "gym/Acrobot-v1", range(5)))  # what was hidden is told soon
        assert "poles-hidden" not in shown(hub)
        forged = SEASON.replace(b"-90.0", b"-499.5")
        hub.as_user("lab").write({"seasons/poles-v2.json": forged}, "End a season wrongly")
        known = submit.repository_folder(hub.as_user("lab"), hub.url)
        assert any("is not the file whose hash poles published" in fault for fault in known.faults)
        hub.as_user("lab").write({"seasons/poles-v2.json": SEASON}, "End the season")
        hidden = shown(hub)["poles-hidden"]
        assert set(hidden) == {"ann"} and hidden["ann"]["place"] == 1
        assert len(hidden["ann"]["tasks"]["gym/Acrobot-v1"]["scores"]) == 5

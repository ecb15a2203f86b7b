"""Human-normalised scores, by returns that others publish: each suite with ALE games is shown on that scale too."""

import pytest

from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.human import RETURNS, by_human
from reincarnate.leaderboard.results import read
from reincarnate.leaderboard.site import build
from reincarnate.leaderboard.suite import Anchor, Suite

from .makers import put, record, submission

PONG, UP, POLE = "atari/Pong", "atari/UpNDown", "gym/CartPole-v1"


def test_returns_are_of_57_games():
    assert len(RETURNS) == 57 and all(random < human for random, human in RETURNS.values())


def test_a_suite_by_a_human_tester():
    anchor = Anchor(random=-20.0, teacher=-10.0, missing=-1.0)
    human = by_human(Suite(name="few", version=3, tasks=dict.fromkeys((PONG, POLE, UP), anchor)))
    assert human is not None and (human.name, human.version, human.scale) == ("few-human", 3, "human")
    assert {task: (one.random, one.teacher) for task, one in human.tasks.items()} == {
        PONG: (-20.7, 14.6),
        UP: (533.4, 11693.2),
    }
    assert by_human(Suite(name="none", version=1, tasks={POLE: anchor})) is None


def test_aggregates_and_curves_on_both_scales(tmp_path):
    """Pong returns of -20.7 and -3.05: 0 and 0.5 for a human, who is at 14.6; the suite's teacher is at -3.05."""
    suite = Suite(
        name="two", version=1, tasks={PONG: Anchor(random=-20.7, teacher=-3.05), POLE: Anchor(random=0, teacher=1)}
    )
    (tmp_path / "repo" / "suites").mkdir(parents=True)
    (tmp_path / "repo" / "suites" / "two-v1.json").write_text(suite.model_dump_json())
    for seed in (0, 1):
        one = record(f"r{seed}", task=PONG, seed=seed, returns=[(-20.7,), (-3.05,)])
        put(tmp_path / "repo", submission(one))
    made = board(read(tmp_path / "repo"))
    assert [one["name"] for one in made["suites"]] == ["two", "two-human", "all", "all-human"]
    assert [one["scale"] for one in made["suites"]] == ["teacher", "human", "teacher", "human"]
    (entry,) = made["entries"]
    human, plain = entry["suites"]["two-human"], entry["suites"]["two"]
    for name, value in {"iqm": 0.5, "mean": 0.5, "median": 0.5, "optimality_gap": 0.5, "above": 0.0}.items():
        assert human["end"][name] == pytest.approx([value] * 3, abs=1e-4), name
    assert plain["end"]["mean"][0] == pytest.approx(0.5, abs=1e-4) and plain["missing"] == [POLE]  # 1 and 0
    assert human["missing"] == [] and human["reach"]["frames"][0] is None  # nobody reached the human
    build(tmp_path / "repo", tmp_path / "site")
    text = next((tmp_path / "site" / "entries").glob("*.js")).read_text()
    assert '"two-human"' in text and (tmp_path / "site" / "exports" / "two-human.parquet").is_file()

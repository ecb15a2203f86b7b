"""Suites that are measured: anchors from fresh episodes, spans around the teacher's cost, and versions that stay."""

import json

import pytest

from reincarnate.benchmark.submission.suite_anchors import path_of, spans_of
from reincarnate.leaderboard.results import read
from reincarnate.leaderboard.suite import Anchor, Span, Suite

from ..cli.test_datasets import refused, reincarnate

GAME = "minatar/breakout"


@pytest.mark.slow
def test_a_suite_is_measured_and_never_changes(tmp_path):
    words = ("leaderboard", "suite", "one", "--tasks", GAME, "--repository", tmp_path, "--episodes", "30", "--quiet")
    assert reincarnate(*words, "--costs", "frames=1k..1M").code == 0
    (suite,) = read(tmp_path).suites
    anchor = suite.tasks[GAME]
    assert 0.0 < anchor.random < 1.5 and 8.0 < anchor.teacher < 20.0  # 0.4 and 13.4 over 100 episodes
    assert anchor.costs["frames"] == Span(cheap=1e3, dear=1e6)
    assert anchor.costs["flops"].cheap < 1e-2 * anchor.costs["flops"].dear
    assert "30 whole episodes" in suite.about and "reincarnate/minatar-breakout@428ab" in suite.about
    before = (tmp_path / "suites" / "one-v1.json").read_bytes()
    refused(reincarnate(*words), "its anchors never change")
    assert (tmp_path / "suites" / "one-v1.json").read_bytes() == before


@pytest.mark.slow
def test_a_version_may_have_other_teachers(tmp_path):
    words = ("leaderboard", "suite", "one", "--tasks", GAME, "--repository", tmp_path, "--seeds", "100..129", "--quiet")
    assert reincarnate(*words, "--version", "2", "--teacher", "reincarnate/{task}-early").code == 0
    suite = read(tmp_path).suites[0]
    anchor = suite.tasks[GAME]
    played = [reincarnate("evaluate", anchor.reference, *words[7:9], "--epsilon", each, "--json").out for each in "01"]
    assert [anchor.teacher, anchor.random] == [round(json.loads(told)["mean"], 4) for told in played]
    assert "30 whole episodes each, of the seeds 100 to 129." in suite.about
    assert anchor.reference.startswith("reincarnate/minatar-breakout-early@") and 4.0 < anchor.teacher < 8.0  # 5.7


def test_the_newest_version_counts(tmp_path):
    for version in (10, 9):
        path = path_of("games", version, tmp_path)
        path.parent.mkdir(exist_ok=True)
        one = Suite(name="games", version=version, tasks={GAME: Anchor(random=0.0, teacher=float(version))})
        path.write_text(one.model_dump_json())
    assert [one.version for one in read(tmp_path).suites] == [10]
    with pytest.raises(ValueError, match="games-v9.json has that version"):
        path_of("games", 9, tmp_path)


def test_spans():
    assert spans_of("") == {} and spans_of("flops=1e12..1e18,frames=1k..2M") == {
        "flops": Span(cheap=1e12, dear=1e18),
        "frames": Span(cheap=1e3, dear=2e6),
    }


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--costs", "flops=2..1"), "is not a span"),
        (("--costs", "queries=1..2"), "is not a span"),
        (("--costs", "flops=1"), "is not a span"),
        (("--episodes", "3"), "3 episodes do not make an anchor"),
        (("--tasks", "gym/CartPole-v1"), "has no pinned teacher"),
        (("--version", "0"), "is not a suite"),
    ],
)
def test_mistakes(tmp_path, more, says):
    words = ("leaderboard", "suite", "one", "--tasks", GAME, "--repository", tmp_path, "--quiet", *more)
    refused(reincarnate(*words), says)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_suite_is_told(tmp_path):
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "x.json").write_text(json.dumps({"name": "x"}))
    assert "x.json" in read(tmp_path).faults[0]

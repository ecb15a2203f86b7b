"""The quickstart: its chart and its words by hand-made runs, and the whole of it in seconds."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from reincarnate.benchmark.cli import main
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.quickstart import demo, ending
from reincarnate.benchmark.quickstart.chart import LEVEL, POINT, Line, chart
from reincarnate.benchmark.quickstart.watch import Watch, course
from reincarnate.benchmark.sweep import grid
from reincarnate.benchmark.sweep.grid import Cell
from reincarnate.leaderboard import record as records
from reincarnate.leaderboard.ledger import Ledger
from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord

ROOT = Path(__file__).parents[3]


def judged(*returns: float) -> Evaluation:
    return Evaluation(returns=returns, lengths=(9,) * len(returns), epsilon=0.0, seeds=(0, len(returns) - 1))


def record(method: str, ends: tuple[float, float], spent: float = 5e11, seed: int = 3) -> RunRecord:
    amounts = {"frames": 5e4, "steps": 5e4, "updates": 9e3, "flops": spent, "seconds": 31.0, "device": 20.0}
    first = Point(spent=dict.fromkeys(amounts, 0.0), evaluation=judged(0.0, 2.0), parameters="a" * 64, file="x")
    last = Point(spent=amounts, evaluation=judged(*ends), parameters="b" * 64, file="y")
    return RunRecord(
        run=method, task="minatar/breakout", protocol={}, method=method, settings={}, environments=1, seed=seed,
        network={"name": "minatar", "options": {}}, budget={"steps": 5e4, "flops": 5e11}, complete=True, phases={},
        parents=(Parent(kind="teacher", reference="me/gone@" + "0" * 40, digest="c" * 64),), random=judged(0.0, 0.0),
        teacher=judged(9.0, 11.0), points=(first, last), ledger="d" * 64, command="reincarnate run", machine={},
    )  # fmt: skip


@pytest.fixture
def pair() -> ending.Pair:
    first, second = record("qdagger", (11.0, 13.0)), record("dqn", (4.0, 6.0), 4.99e11)
    return ending.Pair(demo.DEMO, Path("q/cells/a~0"), Path("q/cells/b~0"), first, second)


def test_curves_are_drawn_between_levels_and_named_at_their_ends():
    lines = [Line("up", "blue", [(0, 0.0), (10, 10.0)]), Line("flat", "red", [(0, 0.0), (10, 0.0)])]
    rows = [row.plain for row in chart(lines, {"teacher": 10.0, "random": 0.0}, height=5, width=11)]
    assert rows[0] == f"  10.0 {LEVEL * 9}·{POINT} up 10.0 teacher 10.0"
    assert rows[4] == f"   0.0 {POINT}{'·' * 9}{POINT} flat 0.0 random 0.0"
    assert [row[7:].find("·") for row in rows[1:4]] == [7, 4, 2]  # the diagonal
    assert rows[5] == "       0  10 FLOPs"


def test_a_chart_has_a_height_before_anything_is_shown():
    rows = chart([Line("none", "blue", [])], {"teacher": 1.0, "random": 1.0}, height=3, width=5)
    assert len(rows) == 4 and "teacher 1.0" in rows[0].plain


def test_a_course_says_where_a_run_is():
    assert course([], []).doing == "measuring random play and the teacher"
    start = {"event": "start", "random": {"returns": [1, 3]}, "teacher": {"returns": [9]}, "budget": {"steps": 100}}
    point = {"event": "point", "spent": {"steps": 25, "flops": 5.0}, "evaluation": {"returns": [4, 6]}}
    now = course([start, point], [{"phase": "online", "updates": 7, "steps": 50}])
    assert now.levels == {"teacher": 9.0, "random": 2.0} and now.shown == [(5.0, 5.0)]
    assert now.share == 0.5 and now.doing == "learning in the game, 7 updates, 50 steps"
    assert course([start, {**point, "event": "end"}], []).share == 1.0


def test_each_point_is_said_once(tmp_path, capsys):
    ledger = Ledger(tmp_path / "cells" / "minatar-breakout~dqn~0" / "ledger.jsonl")
    (tmp_path / "cells" / "minatar-breakout~dqn~0").mkdir(parents=True)
    with Display() as show:
        watch = Watch(tmp_path, {"from scratch": Cell("minatar/breakout", "dqn", 0)}, show)
        watch()
        ledger.write("start", random={"returns": [0, 1]}, teacher={"returns": [8]}, budget={"steps": 10})
        watch()
        spent = {"steps": 5.0, "updates": 2.0, "flops": 1.0}
        ledger.write("point", spent=spent, evaluation={"returns": [2, 4]})
        watch()
        watch()
    assert capsys.readouterr().err.splitlines() == [
        "mean returns: random 0.5 (2 episodes), teacher 8.0 (1 episode)",
        "from scratch, after 5 steps and 2 updates: mean return 3.0",
    ]


@pytest.mark.parametrize("start", [{}, {"random": "x", "teacher": {"returns": "x"}}, {"teacher": None}])
def test_a_damaged_ledger_does_not_end_the_display(tmp_path, start):
    run = tmp_path / "cells" / "minatar-breakout~dqn~0"
    run.mkdir(parents=True)
    Ledger(run / "ledger.jsonl").write("start", **start)
    watch = Watch(tmp_path, {"from scratch": Cell("minatar/breakout", "dqn", 0)}, Display(quiet=True))
    watch()
    assert watch._courses["from scratch"].doing == "its ledger is damaged"


def test_the_verdict_is_in_numbers_with_cost(pair):
    first, second, whole = ending.verdict(pair)
    assert first == (
        "Reincarnated (qdagger): 12.0 [11.0, 13.0], 1.20 of the teacher's 10.0, for 500 GFLOP, 50k steps and 0:31 of "
        "training."
    )
    assert second.startswith("From scratch (dqn): 5.0 [4.0, 6.0], 0.50 of the teacher's 10.0, for 499 GFLOP, 50k steps")
    assert "the first cost more than 500 GFLOP" in whole  # nobody knows what this teacher cost


def test_what_comes_next_goes_on_with_the_same_settings(pair):
    commands = [command.split() for _, command in ending.following(Path("q"), pair)]
    assert [words[1] for words in commands] == ["report", "sweep", "submit"]
    words = commands[1]
    values = {key: words[words.index(key) + 1] for key in ("--budget", "--set", "--points", "--seeds", "--out")}
    assert values == {"--budget": demo.DEMO.budget, "--set": "updates_per_step=inf", "--points": demo.DEMO.points,
                      "--seeds": "3", "--out": "q"}  # fmt: skip


def test_labels_of_the_plot_do_not_meet_where_both_end_alike(pair):
    same = pair._replace(scratch=record("dqn", (11.0, 13.0)))
    figure = ending.draw(same)
    figure.canvas.draw()
    labels = [text for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    ends = [text.get_window_extent() for text in labels]
    assert len(ends) == 2 and not ends[0].overlaps(ends[1])
    patches = [text.get_bbox_patch() for text in labels]  # hide the line of the teacher behind the words
    assert all(patch and patch.get_facecolor() == (1.0, 1.0, 1.0, 1.0) for patch in patches)


@pytest.mark.slow
def test_all_of_it_in_seconds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".src"))
    monkeypatch.setattr(sys, "argv", ["reincarnate", "quickstart", "--short", "--json"])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert not end.value.code
    said = capsys.readouterr()
    told = json.loads(said.out)
    events = [json.loads(line) for line in said.err.splitlines()]
    points = [(event["student"], event["spent"]["steps"] > 0) for event in events if event["event"] == "point"]
    assert sorted(points) == [(name, end) for name in ("from scratch", "reincarnated") for end in (False, True)]
    for name in ("plot", "film"):
        assert (tmp_path / told[name]).stat().st_size > 10_000
    folder = tmp_path / "runs" / "quickstart-short"
    both = [records.load(tmp_path / told[name]["folder"] / "record.json") for name in ("reincarnated", "from scratch")]
    assert [one.method for one in both] == ["qdagger", "dqn"] and both[0].random == both[1].random
    costs = [one.points[-1].spent["flops"] for one in both]
    assert np.ptp(costs) < 0.02 * max(costs)
    assert told["next"][0].split()[2:] == [told[name]["folder"] for name in ("reincarnated", "from scratch")]

    asked = told["next"][1].split()  # the next command adds to the same sweep
    monkeypatch.setattr(sys, "argv", [*asked, "--plan"])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert not end.value.code
    more = dict(zip(asked[3::2], asked[4::2], strict=True))
    assert grid.load(folder).options["budget"] == more["--budget"]

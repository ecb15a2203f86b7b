"""An entry's score at a sample budget is one number, whichever table shows it."""

import pytest

from reincarnate.benchmark.report import ranking as board_table
from reincarnate.benchmark.sweep import grid, table
from reincarnate.benchmark.sweep.grid import Cell
from reincarnate.leaderboard import exports, results
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.suite import Anchor, Suite

from ...leaderboard.makers import put, record, submission

TASK = "gym/CartPole-v1"
STEPS = (0, 5000, 12504, 25000, 50000)  # 50,000 steps with 8 environments, planned for the shares below
DUE = (0, 5000, 12500, 25000, None)
SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)
MEANS = ((7.6, 7.6, 8.6, 9.1, 7.9), (6.6, 6.9, 6.6, 9.3, 9.9), (7.7, 7.1, 7.7, 6.5, 8.8))


def runs(dated: bool):
    return [
        record(
            f"r{seed}",
            task=TASK,
            seed=seed,
            budget={"steps": 50_000.0},
            points=[(steps, steps // 4) for steps in STEPS],
            returns=[(mean - 1.0, mean + 1.0) for mean in means],
            due=DUE if dated else None,
        )
        for seed, means in enumerate(MEANS)
    ]


def test_a_share_is_one_of_the_plan_and_not_of_what_came_of_it():
    """80 steps were planned, a quarter of which is 20; updates ended the run only after 200."""
    points = ((0, 0), (24, 1), (40, 2), (200, 3))
    one = record("late", task=TASK, points=points, due=(0, 20, 40, None), planned=80)
    asked = grid.of(TASK, ("qdagger",), (0,), {"budget": "updates=3", "points": [0.0, 0.25, 0.5, 1.0]})
    (told,) = table.report(asked, {Cell(TASK, "qdagger", 0): one})
    means = [point.evaluation.mean / 10 for point in one.points]
    assert [told["points"][share][0] for share in (0.0, 0.25, 0.5, 1.0)] == pytest.approx(means)


@pytest.mark.parametrize("dated", [True, False], ids=["schema 2", "schema 1"])
def test_board_sweep_report_terminal_and_exports_say_the_same(tmp_path, dated):
    made = runs(dated)
    (tmp_path / "suites").mkdir()
    suite = Suite(name="pole", version=1, tasks={TASK: Anchor(random=0.0, teacher=10.0)})  # as the runs were measured
    (tmp_path / "suites" / "pole-v1.json").write_text(suite.model_dump_json())
    for one in made:
        put(tmp_path, submission(one))
    built = board(results.read(tmp_path))
    (row,) = exports.along(built, "frames")
    asked = grid.of(TASK, ("qdagger",), (0, 1, 2), {"budget": "steps=50000", "points": list(SHARES)})
    (told,) = table.report(asked, {Cell(TASK, "qdagger", one.seed): one for one in made})
    frames = exports.budgets([row])
    assert [float(name) for name in frames] == [4 * share * 50_000 for share in SHARES]
    theirs = [told["points"][share] for share in SHARES]
    ours = [[row[name], row[f"{name}_low"], row[f"{name}_high"]] for name in frames]
    assert ours == [pytest.approx(numbers, abs=6e-5) for numbers in theirs]  # the board's have four digits
    assert [numbers[0] for numbers in ours] == pytest.approx([sum(x) / 30 for x in zip(*MEANS, strict=True)], abs=6e-5)
    _, ((*_, at_0, at_10, at_25, at_50, at_100),) = board_table.along([row], "frames")
    words = table.markdown([told]).splitlines()[-1].split("|")[-6:-1]
    assert [at_0, at_10, at_25, at_50, at_100] == [word.strip() for word in words]
    level = built["entries"][0]["suites"]["pole"]["levels"]["frames"][2]["iqm"]
    assert level == ours[2] and level[0] != ours[1][0]  # the earlier evaluation stood there once

"""The page on results: every table, interval and count in it is that of the records."""

import json
import re

import numpy as np
import pytest

from reincarnate.leaderboard import results as read
from reincarnate.leaderboard import score
from reincarnate.leaderboard.results import Results

from .learning import results, settings

RUNS = json.loads(settings.DATA.read_text())
PAGE, BALLOON = results.PAGE.read_text(), results.BALLOON.read_text()
PROSE = " ".join(settings.MARKED.sub("", PAGE).split())


@pytest.fixture(scope="module")
def committed() -> Results:
    return read.read(settings.FIRST)


@pytest.fixture(scope="module")
def made(committed) -> dict[str, str]:
    return results.tables(committed, RUNS)


@pytest.mark.slow
def test_every_table_is_made_from_the_records(made):
    names = [found[1] for found in settings.MARKED.finditer(PAGE + BALLOON)]
    assert sorted(made) == sorted(name.replace("_", "-") for name in names)
    for name in names:
        told = made[name.replace("_", "-")]
        assert f"<!-- table {name} -->\n{told}\n<!-- end -->" in PAGE + BALLOON, (
            f"python -m tests.learning.results ({name})"
        )


def test_every_board_has_its_figure(committed):
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE)
    wanted = [results.FIGURES.get(suite.name, f"boards/{suite.name}.png") for suite in committed.suites]
    assert {*wanted} <= {*shown} and all((settings.DOCS / name).is_file() for name in shown)
    assert {f"boards/{path.name}" for path in (settings.DOCS / "boards").iterdir()} <= {*shown}


@pytest.mark.slow
def test_every_interval_in_the_text_is_one_that_the_records_give(made):
    known = {text for table in made.values() for text in results.ESTIMATE.findall(table)}
    methods = {run["method"] for run in RUNS if run["sweep"] == "heldout"}
    known |= {results.of(RUNS, method, results.END) for method in methods}
    said = results.ESTIMATE.findall(PROSE)
    assert len(said) > 10 and set(said) <= known


def test_the_share_of_students_above_their_teacher_is_counted():
    count, total = results.above_the_teacher(RUNS)
    low, high = results.share_of(count, total)
    assert f"{count} of {total} with today's settings: {low * 100:.0f} to {high * 100:.0f} %" in PROSE


def test_an_interval_of_a_share_by_hand():
    assert results.share_of(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)  # a textbook's example of Wilson's


def test_the_cost_of_choosing_settings_is_said():
    assert f"choosing them cost {sum(run['flops'] for run in RUNS) / 1e12:.0f} TFLOP" in PROSE


def test_updates_and_the_fall_on_held_out_seeds_are_said():
    held = [run for run in RUNS if run["sweep"] == "heldout"]
    online = ("dqn", "jsrl", "kickstarting", "rehearsal")  # without an offline phase
    middle = [np.median([run["updates"] for run in held if run["method"] == name]) for name in online]
    assert [round(x, -3) for x in (min(middle), max(middle))] == [18_000, 21_000]
    assert "a quarter of their 18,000 to 21,000 updates by then" in PROSE
    (row,) = [line for line in settings.tables(RUNS)["seaquest"].splitlines() if "`qdagger` | 100..104" in line]
    assert row.split(" | ")[6] == "0.53" and "from about 1.0 to 0.53 (five seeds)" in PROSE


def test_the_gain_of_todays_settings_is_said():
    rows = [line.split(" | ") for line in settings.tables(RUNS)["heldout"].splitlines()[2:]]
    gains = sorted(float(row[6].split(" ")[0]) / float(row[7].split(" ")[0]) for row in rows)
    low, high = (float(x) for x in re.findall(r"score ([\d.]+) to ([\d.]+) times as much", PROSE)[0])
    within = [gain for gain in gains if low - 0.05 <= gain <= high + 0.5]
    assert len(within) > len(gains) / 2 and max(gains) == max(within)


def test_counts_of_updates_and_falls_are_those_of_the_records(committed):
    def runs(entry: str):
        return [one.record for one in committed.submissions.values() if one.entry == entry]

    def updates(*entries: str) -> tuple[float, ...]:
        found = [one.points[-1].spent["updates"] for entry in entries for one in runs(entry)]
        return min(found), max(found)

    assert [round(x, -3) for x in updates("dagger")] == [21_000, 27_000]
    assert [round(x, -2) for x in updates("rlpd")] == [3_800, 5_000]
    assert "21,000 to 27,000 for `dagger`, 3,800 to 5,000 for `rlpd`'s ensemble" in PROSE
    ale = {one.entry for one in committed.submissions.values() if one.entry.endswith("-5T")}
    assert [round(x, -2) for x in updates(*ale)] == [5_600, 6_600] and "5,600 to 6,600 updates each" in PROSE
    scores = [[settings.scored(one.task, point.evaluation.mean) for point in one.points] for one in runs("qdagger")]
    halves = [[round(point.spent["steps"] / 1e5, 1) for point in one.points].index(0.5) for one in runs("qdagger")]
    falls = np.array([told[half] - told[-1] for told, half in zip(scores, halves, strict=True)])
    assert f"{(falls > 0.1).sum()} of {len(falls)} students fell by more than 0.1" in PROSE
    tasks = [one.record.task.partition("/")[0] for one in committed.submissions.values()]
    assert (f"{tasks.count('minatar')} runs" in PROSE) and f"{tasks.count('atari')} runs" in PROSE
    assert f"{tasks.count('balloon')} runs" in PROSE and f"{tasks.count('balloon')} runs" in BALLOON
    assert f"{tasks.count('gym')} runs" in PROSE


def test_what_is_said_of_pendulum_is_counted(committed):
    def runs(method: str):
        return [one.record for one in committed.submissions.values() if one.entry == f"{method}-pendulum"]

    def fallen(method: str, point: int) -> int:
        found = [(one.points[point].evaluation.mean, np.mean(one.teacher.returns)) for one in runs(method)]
        return sum(mine < its - 200 for mine, its in found)

    updates = {name: {one.points[-1].spent["updates"] for one in runs(name)} for name in ("wsrl", "cal_ql", "rlpd")}
    assert updates == {"wsrl": {157.0}, "cal_ql": {827.0}, "rlpd": {4299.0}}
    assert "`wsrl` makes 157, `cal_ql` 827 and `rlpd` 4,299" in PROSE
    assert (fallen("qdagger", 3), fallen("qdagger", -1), fallen("kickstarting", -1)) == (3, 1, 1)
    assert "3 of `qdagger` are 200 and more below their teacher at half of the run, at the end 1 and 1 of" in PROSE
    ends = {name: [one.points[-1].evaluation.mean for one in runs(name)] for name in ("sac", "td3")}
    assert round(np.mean(ends["sac"])) == -145 and round(np.mean(ends["td3"])) == -403
    assert sum(end < -200 for end in ends["td3"]) == 3


def test_what_is_said_of_halfcheetah_is_counted(committed):
    def ends(method: str) -> list[list[float]]:
        """Return each student's mean returns, by seed and point."""
        runs = [one.record for one in committed.submissions.values() if one.entry == f"{method}-halfcheetah"]
        return [[point.evaluation.mean for point in one.points] for one in sorted(runs, key=lambda one: one.seed)]

    anchor = next(one for one in committed.suites if one.name == "halfcheetah").tasks["mujoco/HalfCheetah-v5"]
    scores = {
        method: score.normalise(np.array(ends(method)), anchor.random, anchor.teacher)
        for method in ("fine_tuning", "kickstarting", "qdagger", "bc_rl", "sac", "rehearsal", "jsrl", "td3")
    }
    assert {each.shape for each in scores.values()} == {(3, 5)}
    last = {method: float(np.mean(each[:, -1])) for method, each in scores.items()}
    assert 0.7 < last["kickstarting"] < 0.8 and (scores["kickstarting"][:, -1] > scores["kickstarting"][:, -2]).all()
    first = scores["qdagger"][:, 0]
    fell = [f"{before:.2f} to {after:.2f}" for before, after, *_ in scores["qdagger"] if after < before]
    assert 0.25 < first.mean() < 0.4 and fell == ["0.44 to 0.09", "0.21 to 0.12"]
    assert (scores["qdagger"][:, -1] > 1.5 * first).all()
    lost = 1.0 - scores["fine_tuning"][:, 1] / scores["fine_tuning"][:, 0]
    assert round(lost.min() * 100) == 2 and round(lost.max() * 100) == 6 and abs(last["fine_tuning"] - 1.0) < 0.01
    assert abs(np.mean(scores["bc_rl"][:, -1] - scores["bc_rl"][:, 0])) < 0.1
    assert 0.2 < last["sac"] < 0.3 and all(last[name] < last["sac"] for name in ("rehearsal", "jsrl", "td3"))
    assert sorted(round(each[-1]) for each in ends("td3")) == [550, 928, 1699] and "550, 928 and 1,699" in PROSE
    assert f"{anchor.teacher:,.1f}" == "9,404.7" and f"{anchor.random:.1f}" == "-282.8"
    assert "9,404.7 by the suite's anchor" in PROSE and "random play -282.8" in PROSE


def test_what_is_said_of_the_walker_is_counted(committed):
    anchor = next(one for one in committed.suites if one.name == "walker-walk").tasks["dmc/walker-walk"]
    scores, updates = {}, {}
    for method in ("td3", "fine_tuning", "surgery", "qdagger", "kickstarting"):
        runs = [one.record for one in committed.submissions.values() if one.entry == f"{method}-walker"]
        means = [[point.evaluation.mean for point in one.points] for one in sorted(runs, key=lambda one: one.seed)]
        scores[method] = score.normalise(np.array(means), anchor.random, anchor.teacher)
        updates[method] = {one.points[-1].spent["updates"] for one in runs}
        assert scores[method].shape == (3, 5)
    half, last = ({name: each[:, at].round(2) for name, each in scores.items()} for at in (3, 4))
    assert updates["fine_tuning"] == {90_008.0} and "makes 90,008 updates" in PROSE
    assert all(each.min() > 2 * last["td3"].max() for name, each in last.items() if name != "td3")
    assert (scores["qdagger"][:, 0] > 0.9).all() and (half["kickstarting"] > 0.9).all()
    assert [int((last[name] < half[name]).sum()) for name in ("qdagger", "kickstarting")] == [3, 2]
    assert (half["kickstarting"][1], last["kickstarting"][1]) == (1.03, 0.52)
    assert (f"{anchor.teacher:.1f}", f"{anchor.random:.1f}") == ("802.3", "32.0")

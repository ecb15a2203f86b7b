"""The page on results: every table, interval and count in it is that of the records."""

import json
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from reincarnate.leaderboard import record, score
from reincarnate.leaderboard import results as read
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import Results

from .learning import results, settings

PAGE, BALLOON, README = (page.read_text() for page in (results.PAGE, results.BALLOON, results.README))
PROSE, SETTINGS = (" ".join(settings.MARKED.sub("", page).split()) for page in (PAGE, settings.PAGE.read_text()))


def the_teachers(run: record.RunRecord) -> float:
    """Return the mean return of a run's teacher in the run's own episodes."""
    assert run.teacher
    return run.teacher.mean


@pytest.fixture(scope="module")
def committed() -> Results:
    return read.read(results.COMMITTED)


@pytest.fixture(scope="module")
def whole(committed) -> dict[str, Any]:
    return board(committed)


@pytest.fixture(scope="module")
def made(committed, whole) -> dict[str, str]:
    return results.tables(committed, whole)


@pytest.mark.slow
def test_every_table_is_made_from_the_records(made):
    names = [found[1] for found in settings.MARKED.finditer(PAGE + BALLOON + README)]
    assert sorted(made) == sorted(name.replace("_", "-") for name in names)
    for name in names:
        told = made[name.replace("_", "-")]
        assert f"<!-- table {name} -->\n{told}\n<!-- end -->" in PAGE + BALLOON + README, (
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
    said = results.ESTIMATE.findall(PROSE)
    assert len(said) > 10 and {*said, *results.ESTIMATE.findall(README)} <= known


def test_the_students_of_the_weaker_teachers_that_end_above_them_are_counted():
    runs = json.loads(settings.DATA.read_text())
    ends = [run["scores"][-1] for run in runs if (run["sweep"], run["method"]) == ("heldout", "qdagger")]
    assert f"with the `dqn` teachers and 1 TFLOP, {sum(end > 1 for end in ends)} of {len(ends)}" in PROSE


def test_the_scores_with_weaker_teachers_are_those_of_the_settings_page():
    rows = {line.split(" | ")[0].strip("| `"): line.split(" | ") for line in settings.PAGE.read_text().splitlines()}
    told = [rows[name][6].split(" ")[0] for name in ("qdagger", "cql")]
    assert "these teachers give `qdagger` {} and `cql` {} with the first board's settings".format(*told) in PROSE


def test_an_interval_of_a_share_by_hand():
    assert results.share_of(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)  # a textbook's example of Wilson's


def test_the_cost_of_choosing_settings_is_said():
    runs = json.loads(settings.DATA.read_text())
    assert f"Choosing them cost {sum(run['flops'] for run in runs) / 1e12:.0f} TFLOP" in PROSE


def test_the_runs_of_each_board_are_counted(committed):
    boards = Counter(
        f"{one.record.task.partition('/')[0]} {results.apart(one.entry)}".strip()
        for one in committed.submissions.values()
    )
    apart = {"minatar grid", "minatar long", "gym ratio"}
    assert {*boards} == {"minatar", "atari", "gym", "mujoco", "dmc", "balloon"} | apart
    said = Counter(map(int, re.findall(r"\b(\d+) runs\b", PROSE)))
    assert Counter(boards.values()) <= said, (boards, said)
    assert f"{boards['balloon']} runs" in BALLOON
    ale = [one.record.points[-1].spent["updates"] for one in committed.submissions.values() if one.entry[-3:] == "-5T"]
    assert (round(min(ale), -2), round(max(ale), -2)) == (5_600, 6_600) and "5,600 to 6,600 updates each" in PROSE


@pytest.mark.slow
def test_what_is_said_of_minatars_scores_is_the_maintainers(whole):
    """Of a method in each game, and of the students above their teacher."""
    ends = {
        entry["entry"]: {task: np.array(told["scores"]) for task, told in entry["suites"]["minatar5"]["tasks"].items()}
        for entry in whole["entries"]
        if "minatar5" in entry["suites"]
    }
    every = np.concatenate(list(ends["qdagger"].values()))
    above, count = int((every > 1.0).sum()), len(every)
    low, high = results.share_of(above, count)
    assert f"{above} of {count} end above their teacher" in PROSE
    assert f"{above} of {count} (95 % interval {low * 100:.0f} to {high * 100:.0f} %)" in PROSE
    told = [
        f"{ends['qdagger'][f'minatar/{game}'].mean():.2f} in {game.replace('_', ' ').title()}"
        for game in ("freeway", "asterix", "space_invaders", "seaquest", "breakout")
    ]
    assert ", ".join(told) in PROSE, told
    freeway = [f"{ends[name]['minatar/freeway'].mean():.2f}" for name in ("rehearsal", "jsrl", "dqn")]
    assert "in Freeway `rehearsal` and `jsrl` end at {} and {}, `dqn` at {}".format(*freeway) in PROSE
    more = {
        (name, task): round(float(ends[name][task].mean() - ends["dqn"][task].mean()), 2)
        for name in ("rehearsal", "jsrl")
        for task in ends[name]
        if task != "minatar/freeway"
    }
    assert f"for `jsrl` in Breakout with {ends['jsrl']['minatar/breakout'].mean():.2f}" in PROSE
    assert more.pop(("jsrl", "minatar/breakout")) > 0.1 and max(map(abs, more.values())) <= 0.05
    assert ends["rainbow"]["minatar/freeway"].max() < 0.05


def test_what_is_said_of_minatars_runs_is_counted(committed):
    (anchors,) = [one.tasks for one in committed.suites if one.name == "minatar5"]
    runs, fell = [], {}  # by the students' own evaluations, from half of the steps to the end
    for one in committed.submissions.values():
        if one.record.task not in anchors or results.apart(one.entry):
            continue
        anchor, means = anchors[one.record.task], np.array([point.evaluation.mean for point in one.record.points])
        scores = score.normalise(means, anchor.random, anchor.teacher)
        runs.append(one.record)
        fell.setdefault(one.entry, []).append(float(scores[3] - scores[4]) > 0.1)
    assert {len(each) for each in fell.values()} == {25}
    weaned = f"{sum(fell['kickstarting'])} of 25 students of `kickstarting` lose more than 0.1 by their own evaluations"
    rest = f"{sum(fell['qdagger'])} of `qdagger`, {sum(fell['dqfd'])} of `dqfd`, and {sum(fell['fine_tuning'])} of"
    assert f"{weaned}, {rest} `fine_tuning`, which has no teacher to lose" in PROSE
    left = {one.method for one in runs if one.weaned and one.weaned.reason == "schedule" and one.weaned.share < 0.62}
    assert left == {one.method for one in runs if one.weaned} == {"qdagger", "kickstarting", "dqfd", "jsrl"}
    updates = [one.points[-1].spent["updates"] for one in runs]
    assert f"included: {round(min(updates), -2):,.0f} to {round(max(updates), -2):,.0f} (there up to 1.6" in PROSE
    mean = np.mean([one.points[-1].spent["updates"] for one in runs if one.method == "qdagger"])
    assert 75 < 1_620_000 / mean < 90 and "about an eightieth of the paper's updates" in PROSE
    logs = {one.points[0].spent["logged"] for one in runs if one.method == "qdagger"}
    assert (round(min(logs), -3), round(max(logs), -3)) == (21_000, 34_000) and "21,000 to 34,000 transitions" in PROSE
    costs = [one.spent or {} for one in committed.prices if one.reference.partition("@")[0].endswith("-pqn")]
    steps, flops = ([round(one[unit]) for one in costs] for unit in ("steps", "flops"))
    assert len(costs) == 5 and (min(steps), max(steps)) == (2_000_000, 4_000_000)
    assert (round(min(flops) / 1e12), round(max(flops) / 1e12)) == (6, 13)
    assert "2 to 4 million steps, 6 to 13 TFLOP" in PROSE
    assert len(fell) == 13 and f"Thirteen entries, five seeds (0 to 4), {len(runs)} runs" in PROSE


@pytest.mark.slow
def test_what_is_said_of_weaker_teachers_is_counted(committed, whole):
    (anchors,) = [one.tasks for one in committed.suites if one.name == "minatar5"]
    ends = {
        entry["entry"]: {task: np.mean(told["scores"]) for task, told in entry["suites"]["minatar5"]["tasks"].items()}
        for entry in whole["entries"]
        if entry["entry"].partition("-")[0] == "qdagger" and "minatar5" in entry["suites"]
    }
    own: dict[str, list[float]] = {}
    runs = [one.record for one in committed.submissions.values() if one.entry == "qdagger-early"]
    for one in runs:
        anchor = anchors[one.task]
        own.setdefault(one.task, []).append(float(score.normalise(the_teachers(one), anchor.random, anchor.teacher)))
    assert {*own} == {*anchors} and {len(each) for each in own.values()} == {5}
    shares = np.mean([ends["qdagger-early"][task] / np.mean(own[task]) for task in anchors])
    strong = np.mean([ends["qdagger"][task] for task in anchors])
    assert f"has {shares:.2f} of it on average; with strong teachers that is {strong:.2f}" in PROSE
    logs = [one.points[0].spent["logged"] for one in runs]
    assert (round(min(logs), -3), round(max(logs), -3)) == (9_000, 13_000) and "log of 9,000 to 13,000" in PROSE


@pytest.mark.slow
def test_what_is_said_of_longer_runs_is_counted(committed, whole, made):
    """With the dqn teachers: ends by the maintainers' evaluations, falls by the students' own."""
    runs: dict[str, list[record.RunRecord]] = {}
    for one in committed.submissions.values():
        if results.apart(one.entry) == "long":
            runs.setdefault(one.record.method, []).append(one.record)
    scores = {}
    for method, mine in runs.items():
        scores[method] = np.array(
            [[settings.scored(one.task, point.evaluation.mean) for point in one.points] for one in mine]
        )
        assert scores[method].shape == (15, 5)
    (told,) = [of for _, of in results.scored(committed, whole) if of is not whole]
    ends = {
        entry["entry"].removesuffix("-long"): np.concatenate(
            [np.array(task["scores"]) for task in entry["suites"]["minatar5"]["tasks"].values()]
        )
        for entry in told["entries"]
    }
    above = {method: int((each > 1.0).sum()) for method, each in ends.items()}
    assert (ends["qdagger"] > ends["dagger_ql"]).all()
    assert "In all 15 pairs of the same game and seed `qdagger` ends above it" in PROSE and "above in 15 of 15" in PROSE
    low, high = results.share_of(above["qdagger"], 15)
    assert f"{above['qdagger']} of 15 (95 % interval {low * 100:.0f} to {high * 100:.0f} %)" in PROSE
    assert f"{above['dqn']} of 15 students of `dqn`" in PROSE
    weaned = [one.weaned for one in runs["qdagger"] if one.weaned]
    early = sum(one.reason == "validation" for one in weaned)
    assert len(weaned) == 15 and f"A validation weans {early} of 15" in PROSE
    soon = [one.share for one in weaned if one.share < 0.31]
    assert len(soon) > early / 2 and round(min(soon), 2) == 0.11 and "most between 11 and 30 % of the steps" in PROSE
    logs = {one.points[0].spent["logged"] for one in runs["qdagger"]}
    assert f"{round(min(logs), -3):,.0f} to {round(max(logs), -3):,.0f} transitions of their play" in PROSE
    cards = (settings.DOCS.parent / "datasets" / "README.md").read_text()  # whose table another test holds to the cards
    costs = [float(cost) / 1e12 for cost in re.findall(r"\(dqn\).* 1M steps, (\S+) FLOPs", cards)]
    assert len(costs) == 5 and f"a million steps, {min(costs):.0f} to {max(costs):.0f} TFLOP" in PROSE
    full = {row.split("`")[1]: row.split(" | ")[4] for row in made["minatar5-long"].splitlines()[2:]}["qdagger-long"]
    assert f"a student has cost {full.removesuffix('T')} TFLOP" in PROSE
    fell = int((scores["qdagger"][:, 4] < scores["qdagger"][:, 3] - 0.1).sum())
    assert f"{fell} of 15 lose more than 0.1 from half of the steps to the end" in PROSE
    updates = [one.points[-1].spent["updates"] for mine in runs.values() for one in mine]
    assert f"{round(min(updates), -3):,.0f} to {round(max(updates), -3):,.0f} updates" in PROSE


def test_what_is_said_of_pendulum_is_counted(committed):
    def runs(method: str):
        return [one.record for one in committed.submissions.values() if one.entry == f"{method}-pendulum"]

    def fallen(method: str, point: int) -> int:
        found = [(one.points[point].evaluation.mean, the_teachers(one)) for one in runs(method)]
        return sum(mine < its - 200 for mine, its in found)

    updates = {name: {one.points[-1].spent["updates"] for one in runs(name)} for name in ("wsrl", "cal_ql", "rlpd")}
    assert updates == {"wsrl": {157.0}, "cal_ql": {827.0}, "rlpd": {4299.0}}
    assert "`wsrl` makes only 157 updates, `cal_ql` 827 and `rlpd` 4,299" in PROSE
    assert (fallen("qdagger", 3), fallen("qdagger", -1), fallen("kickstarting", -1)) == (3, 1, 1)
    assert "3 of `qdagger` are 200 and more below their teacher at half of the run, at the end 1 and 1 of" in PROSE
    assert all(one.weaned is None for name in ("qdagger", "kickstarting") for one in runs(name))
    ends = {name: [one.points[-1].evaluation.mean for one in runs(name)] for name in ("sac", "td3")}
    assert round(np.mean(ends["sac"])) == -145 and round(np.mean(ends["td3"])) == -403
    assert sum(end < -200 for end in ends["td3"]) == 3
    told = "`sac` has -145 here after 10,000, `td3` -403, the mean of five students of which three are below -200"
    assert told in SETTINGS
    assert fallen("residual", 0) == 0 < fallen("residual", 2)


@pytest.mark.slow
def test_what_is_said_of_pendulum_at_published_ratios_is_counted(committed, made):
    each: dict[str, list[record.RunRecord]] = {}
    for one in committed.submissions.values():
        if one.entry.endswith("-pendulum-ratio"):
            each.setdefault(one.record.method, []).append(one.record)
    flops = {name: runs[0].points[-1].spent["flops"] / 1e9 for name, runs in each.items()}
    point = each["rlpd"][0].points[1]
    first = point.spent["flops"] / 1e9
    assert point.spent["steps"] == 1_000
    assert [round(first, -1), round(flops["sac"], -1)] == [1_550, 370] and first / flops["sac"] > 4
    assert f"for {flops['wsrl'] / flops['sac']:.0f} times `sac`'s FLOPs in all" in PROSE
    assert "after 1,000 steps and 1.55 TFLOP" in PROSE and "by 10,000 steps and 0.37 TFLOP" in PROSE
    assert [round(flops[name] / flops["sac"]) for name in ("ibrl", "cal_ql")] == [4, 30]
    rows = {row.split("`")[1]: results.ESTIMATE.findall(row) for row in made["pendulum-ratio"].splitlines()[2:]}
    iqm = {name.partition("-")[0]: [float(told.partition(" ")[0]) for told in cells] for name, cells in rows.items()}
    assert iqm["sac"][3] < 0.9 < iqm["sac"][4]
    assert all(iqm[name][at] <= iqm["sac"][at] for name in ("ibrl", "cal_ql") for at in (2, 3, 4))
    before = {row.split("`")[1]: results.ESTIMATE.findall(row) for row in made["pendulum"].splitlines()[2:]}
    ends = {name: [float(told.partition(" ")[0]) for told in before[f"{name}-pendulum"]] for name in ("ibrl", "cal_ql")}
    assert all(abs(each[-1]) < 0.1 for each in ends.values())
    below = {  # the lowest of each student's evaluations from half of the run on, beside its teacher's
        name: [min(one.points[at].evaluation.mean for at in (3, 4)) - the_teachers(one) for one in runs]
        for name, runs in each.items()
        if name in ("qdagger", "kickstarting")
    }
    assert all(len(found) == 3 and min(found) > -200 for found in below.values())
    first = {
        name: one.record.points[-1].spent["updates"]
        for name in below
        for one in committed.submissions.values()
        if one.entry == f"{name}-pendulum"
    }
    more = {name: each[name][0].points[-1].spent["updates"] / first[name] for name in below}
    assert round(more["qdagger"], 1) == 3.0 and 1.2 < more["kickstarting"] < 1.3
    told = "where `qdagger` makes three times the updates and `kickstarting` a quarter more"
    assert f"None of three falls on the next board, {told}" in PROSE
    back = [one.points[-1].evaluation.mean - the_teachers(one) > -100 for one in each["residual"]]
    assert sum(back) == 1 and "on the next board one of three does" in PROSE


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
    assert 0.25 < scores["qdagger"][:, 0].mean() < 0.4
    spent = [
        one.record.points[0].spent["flops"] / one.record.points[-1].spent["flops"]
        for one in committed.submissions.values()
        if one.entry == "qdagger-halfcheetah"
    ]
    assert {round(share, 1) for share in spent} == {0.6} and "spends six tenths of its FLOPs on a log" in PROSE
    lost = 1.0 - scores["fine_tuning"][:, 1] / scores["fine_tuning"][:, 0]
    assert f"loses {lost.min() * 100:.0f} to {lost.max() * 100:.0f} % in the first" in PROSE
    assert abs(last["fine_tuning"] - 1.0) < 0.01
    assert abs(np.mean(scores["bc_rl"][:, -1] - scores["bc_rl"][:, 0])) < 0.1
    assert 0.2 < last["sac"] < 0.3 and all(last[name] < last["sac"] for name in ("rehearsal", "jsrl", "td3"))
    assert sorted(round(each[-1]) for each in ends("td3")) == [550, 928, 1699] and "550, 928 and 1,699" in SETTINGS
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
    assert updates["fine_tuning"] == {90_008.0} and updates["surgery"] == {24_653.0}
    assert "makes 90,008 updates for the same FLOPs (`surgery` 24,653)" in PROSE
    assert all(each.min() > 2 * last["td3"].max() for name, each in last.items() if name != "td3")
    assert (scores["qdagger"][:, 0] > 0.9).all() and (half["kickstarting"] > 0.9).all()
    assert [int((last[name] < half[name]).sum()) for name in ("qdagger", "kickstarting")] == [3, 2]
    assert (half["kickstarting"][1], last["kickstarting"][1]) == (1.03, 0.52)
    assert (f"{anchor.teacher:.1f}", f"{anchor.random:.1f}") == ("802.3", "32.0")

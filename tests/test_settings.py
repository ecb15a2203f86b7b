"""The page on settings shows all runs that were made, and none on a board's seeds."""

import json

from reincarnate.leaderboard import results

from .learning import settings

RUNS = json.loads(settings.DATA.read_text())
PAGE = settings.PAGE.read_text()
PULLS = ("`qdagger`", "`qdagger:weight=36`", "`qdagger:weight=440`")  # with the same teacher in Breakout


def test_every_table_is_made_from_the_runs():
    for name, made in settings.tables(RUNS).items():
        assert f"<!-- table {name} -->\n{made}\n<!-- end -->" in PAGE, f"python -m tests.learning.settings ({name})"


def test_every_sweep_has_a_table():
    first, variants = {"search", "second", "pong"}, {"freeway", "quarter", "seaquest", "temperature", *settings.LOGS}
    assert {run["sweep"] for run in RUNS} == {"heldout", "command", "batch", "full", "tenfold", *first, *variants}


def test_the_cost_of_choosing_is_said():
    cost = sum(run["flops"] for run in RUNS)
    assert f"all {len(RUNS)} of these runs, which cost {cost / 1e12:.0f} TFLOP" in PAGE.replace("\n", " ")


def test_nothing_was_chosen_on_a_boards_seeds():
    assert min(run["seed"] for run in RUNS) >= 100


def test_the_fall_in_seaquest_is_that_of_the_table():
    (row,) = [line for line in settings.tables(RUNS)["seaquest"].splitlines() if "`qdagger` | 100..104" in line]
    assert row.split(" | ")[6] == "0.53" and "Five seeds fall from about 1.0 to 0.53." in PAGE


def test_what_is_said_of_the_weight_of_distillation_is_counted():
    """How much weaker its pull is than at the paper's temperature, and what another weight gave before and after."""
    resolved = [
        one.record.resolved["temperature"]
        for one in results.read(settings.DOCS / "results").submissions.values()
        if one.record.task.startswith("minatar/") and one.entry == "qdagger"
    ]
    weaker = [(each / 0.1) ** 2 for each in (min(resolved), max(resolved))]
    assert [round(weaker[0]), round(weaker[1], -1)] == [7, 150]
    said = " ".join(PAGE.split())
    assert "7 to 150 times weaker than in the paper" in said
    ours = [run for run in RUNS if run["sweep"] == "weight" and run["method"] == "qdagger"]

    def means(task: str, weight: str | None, at: int) -> float:
        found = [r["scores"][at] for r in ours if r["task"] == task and r["settings"].get("weight") == weight]
        return sum(found) / len(found)

    squares = {"asterix": "22", "seaquest": "50", "space_invaders": "143", "breakout": "440"}
    before = [means(f"minatar/{game}", w, 2) - means(f"minatar/{game}", None, 2) for game, w in squares.items()]
    assert sum(gain > 0.2 for gain in before) == 3 and "far ahead of the constant in three games of four" in said
    ends = [means(f"minatar/{game}", w, 3) - means(f"minatar/{game}", None, 3) for game, w in squares.items()]
    assert abs(sum(ends) / 4) < 0.05  # "with `pqn` teachers it ends where the constant does"
    held = [
        r["scores"][-1]
        for r in RUNS
        if (r["sweep"], r["method"], r["task"]) == ("heldout", "qdagger", "minatar/breakout")
    ]
    assert (
        f"({sum(held) / 3:.2f} in three seeds" in said
        and f"at {means('minatar/breakout', '350', 3):.2f} in three" in said
    )


def test_what_is_said_of_the_logs_is_counted():
    """What students had after the log, at half and at the end, from other logs of the same teachers."""
    of_the_log, of_the_weight = (
        [line.strip("| ").split(" | ") for line in settings.tables(RUNS)[name].splitlines()[2:]]
        for name in ("logs", "weight")
    )
    plain, random = (settings.LOGS[sweep] for sweep in ("weight", "log-random"))
    scores = {tuple(row[:3]): row[4:8] for row in of_the_log}

    def both(game: str, at: int) -> str:
        first, second = (scores[f"`minatar/{game}`", "`qdagger`", log][at] for log in (random, plain))
        return f"{first} instead of {second}"

    said = " ".join(PAGE.split())
    assert f"{both('breakout', 0)} after the log in Breakout, and {both('seaquest', 0)} in Seaquest" in said
    assert f"In Seaquest the log matters to the end ({both('seaquest', 3)})" in said
    strong = scores["`minatar/breakout`", "`qdagger:weight=150`", random]
    assert f"gives {strong[2]} at half of the steps, and still the student ends at {strong[3]}" in said
    ends = [each[3] for (task, *_), each in scores.items() if task == "`minatar/breakout`"]
    ends += [row[6] for row in of_the_weight if row[0] == "`minatar/breakout`" and row[1] in PULLS]
    assert f"the ends of these tables are {min(ends)} to {max(ends)}" in said


def test_what_is_said_of_the_first_board_is_counted():
    runs = [one.record for one in results.read(settings.FIRST).submissions.values()]
    updates = [one.points[-1].spent["updates"] for one in runs]
    said = " ".join((settings.FIRST / "README.md").read_text().split())
    assert f"The {len(runs)} runs of `minatar5-v1`" in said
    assert f"runs of {round(min(updates), -3):,.0f} to {round(max(updates), -3):,.0f} updates" in said


def test_a_mean_of_seeds_by_hand():
    runs = [
        {"task": "minatar/breakout", "method": "dqn", "settings": {"explore": "0.5", "n": 3}, "preset": "minatar"}
        | {"sweep": "freeway", "seed": seed, "scores": [0.0, 0.1, 0.2, end], "updates": 10}
        for seed, end in ((100, 0.4), (101, 0.8))
    ]
    row = settings.curves(runs).splitlines()[-1]
    assert row == "| `minatar/breakout` | `dqn:explore=0.5` | 100..101 | 0.00 | 0.10 | 0.20 | 0.60 | 0.40 0.80 |"

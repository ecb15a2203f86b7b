"""The page on the race of teachers shows the actual runs, on held-out seeds, at equal core time."""

from .learning import race

LINES = race.known()
PAGE = race.PAGE.read_text()


def test_every_table_is_made_from_the_runs():
    for name, made in race.tables(LINES).items():
        assert f"<!-- table {name} -->\n{made}\n<!-- end -->" in PAGE, f"python -m tests.learning.race ({name})"


def test_the_core_time_is_equal_and_the_seeds_are_held_out():
    for one in LINES:
        assert abs(one["core_seconds"] / 60 / one["minutes"] - 1) < 0.15 and one["seed"] >= 100
        assert len(one["returns"]) >= race.EPISODES and one["machine"]


def test_a_line_of_a_table():
    """Returns of 1 and 3: a mean of 2 with a standard error of 1."""
    line = {"method": "x", "returns": [1.0, 3.0], "steps": 1e6, "updates": 5, "flops": 2e12, "core_seconds": 90}
    made = race.table([{**line, "curve": [[1, 0.5], [2, 2.0]]}])
    assert made.splitlines()[2] == "| `x` | 2.0 ± 1.0 | 1,000,000 | 5 | 2e+12 | 1.5 | 0.5 |"

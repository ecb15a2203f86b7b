"""The table and the plot of a record, by hand-worked numbers."""

import io

import numpy as np
import pytest
from rich.console import Console

from reincarnate.benchmark.display import Display, clock, short
from reincarnate.benchmark.report.terminal import plot, table
from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord


def judged(*returns: float) -> Evaluation:
    return Evaluation(returns=returns, lengths=(5,) * len(returns), epsilon=0.0, seeds=(0, len(returns) - 1))


def made(teacher: Evaluation | None, *points: Evaluation, claim: str = "", complete: bool = True) -> RunRecord:
    spent = [
        {"frames": 4e3 * i, "steps": 1e3 * i, "updates": 25.0, "flops": 2.5e12 * i, "seconds": 1} for i in range(9)
    ]
    parent = Parent(kind="teacher", reference="a/[b]", digest="", claim=claim)
    return RunRecord(
        run="x",
        task="gym/Thing-v0",
        protocol={},
        method="qdagger",
        settings={},
        network={"name": "mlp", "options": {}},
        seed=3,
        environments=1,
        budget={"steps": 1000},
        parents=(parent,),
        random=judged(-2.0, 2.0),
        teacher=teacher,
        points=tuple(
            Point(spent=s, evaluation=p, parameters="f" * 64, file="x") for s, p in zip(spent, points, strict=False)
        ),
        complete=complete,
        ledger="f" * 64,
        command="",
        machine={},
    )


def lines(record: RunRecord) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(record))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # pyright: ignore


@pytest.mark.parametrize(
    ("teacher", "points", "says"),
    [
        (judged(1.0, 2.0), (judged(5.0, 6.0),), "2 whole episodes each"),
        (
            judged(*range(60)),
            (judged(*range(100)), judged(*range(80))),
            "whole episodes: random 2; teacher 60; student 100, 80",
        ),
        (judged(*range(60)), (judged(1.0),) * 3, "whole episodes: random 2; teacher 60; student 1"),
        (None, (judged(1.0), judged(1.0, 2.0)), "whole episodes: random 2; student 1, 2"),
    ],
)
def test_the_caption_states_the_episodes_that_each_row_is_the_mean_of(teacher, points, says):
    shown = " ".join(lines(made(teacher, *points)))
    assert f"{says}; score: 0 is random play" in shown


def test_rows_of_the_table():
    shown = lines(made(judged(10.0, 10.0), judged(5.0, 5.0), judged(0.0, 20.0)))
    assert "gym/Thing-v0, qdagger, seed 3" in shown
    assert "random 0.0 [-2.0, 2.0] 0.00 [-0.20, 0.20]" in shown
    assert "teacher 10.0 [10.0, 10.0] 1.00 [1.00, 1.00]" in shown
    assert "student at 0 0 25 0 5.0 [5.0, 5.0] 0.50 [0.50, 0.50]" in shown
    assert "student, end 4k 25 2.5T 10.0 [0.0, 20.0] 1.00 [0.00, 2.00]" in shown


def test_a_teacher_worse_than_random_play_turns_the_scale_round_and_is_said():
    shown = lines(made(judged(-10.0, -10.0), judged(-4.0, 0.0)))
    assert "student at 0, end 0 25 0 -2.0 [-4.0, 0.0] 0.20 [0.00, 0.40]" in shown
    assert any("hardly beats random play" in line for line in shown)
    assert not any("hardly" in line for line in lines(made(judged(10.0, 10.0), judged(5.0))))


def test_without_a_teacher_there_is_no_score():
    shown = lines(made(None, judged(5.0, 5.0), complete=False))
    assert "student at 0 0 25 0 5.0 [5.0, 5.0]" in shown and not any("end" in line for line in shown[:8])


def test_what_others_claim_is_shown_as_they_wrote_it():
    """It is not read as markup, which could change or break the table."""
    shown = lines(made(judged(9.0), judged(5.0), claim="21 [/bold] [red]"))
    row = next(number for number, line in enumerate(shown) if line.startswith("claimed"))
    assert shown[row] == "claimed 21 [/bold] [red]" and shown[row - 1].startswith("teacher 9.0")
    assert any(line.startswith("claimed: the teacher's mean return as stated by its author") for line in shown)


@pytest.mark.parametrize("points", [1, 3])
def test_the_plot_is_an_image(tmp_path, points):
    record = made(judged(10.0, 10.0), *(judged(float(i), float(i + 1)) for i in range(points)))
    plot(record, tmp_path / "curve.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]
    from matplotlib import image

    pixels = image.imread(tmp_path / "curve.png")
    assert pixels.shape[:2] == (630, 1080) and len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 20


def test_numbers_and_times_in_words():
    assert [short(x) for x in (0, 7, 999, 1e3, 12_345_678, 2e14)] == ["0", "7", "999", "1k", "12.3M", "200T"]
    assert [clock(x) for x in (-1, 75, 3700)] == ["0:00", "1:15", "1:01:40"]


def test_notes_are_shown_as_they_are(capsys):
    with Display() as show:
        show.note("folder[/bold]/x", "bold")
        with show.phase("playing [x]", 3, "episodes"):
            pass
    err = capsys.readouterr().err
    assert "folder[/bold]/x" in err and "playing [x]: 3 episodes in" in err
    with Display(quiet=True) as show:
        show.note("nothing")
    assert capsys.readouterr() == ("", "")

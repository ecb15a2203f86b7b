"""What people and programs see during a run, by hand-worked numbers."""

import io
import json

import pytest
from rich.console import Console

from reincarnate.benchmark import display
from reincarnate.benchmark.display import Display, Speed, share
from reincarnate.benchmark.training.budget import LIMITS, Budget, Plan
from reincarnate.benchmark.training.observer import Status

BUDGET = Budget(steps=1000.0, updates=400.0, seconds=600.0)


def at(seconds: float, steps: float, updates: float, phase="online", budget=BUDGET, **more) -> Status:
    spent = dict.fromkeys(LIMITS, 0.0) | {"seconds": seconds, "steps": steps, "updates": updates} | more
    extra = {"score": 0.5, "best": 0.5, "rate": 1.0, "guidance": 1.5, "weaned": 0.0}
    plan = Plan(offline_updates=200, steps=1000, updates=400)
    return Status(
        phase,
        spent,
        {"update": 0.8 * seconds, "act": 0.2 * seconds},
        plan,
        (3.0, 5.0),
        {"td": 0.25, "distill": 2.0},
        extra,
        budget,
    )


def seen(*statuses: Status) -> Speed:
    speed = Speed()
    for status in statuses:
        speed.see(status)
    return speed


def test_speed_is_that_of_the_last_second_or_more():
    speed = seen(at(10, 0, 200), at(10.5, 100, 225), at(12, 300, 250))
    assert (speed.steps, speed.updates) == (150.0, 25.0)
    speed.see(at(12.5, 300, 250))  # too soon to say
    assert speed.steps == 150.0


def test_share_of_the_phase():
    assert share(at(0, 0, 50, phase="offline")) == 0.25 and share(at(0, 250, 300)) == 0.25


def test_programs_get_one_object_a_line(capsys):
    with Display(lines=True) as show:
        show.note("a [b]")
        show.status(at(10, 250, 300))
        show.point({"steps": 250.0}, 4.0)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == {"event": "note", "text": "a [b]"}
    told = lines[1]
    assert told["event"] == "status" and told["phase"] == "online" and told["share"] == 0.25
    assert told["budget"] == {"steps": 1000.0, "updates": 400.0, "seconds": 600.0} and told["spent"]["steps"] == 250.0
    assert told["losses"] == {"td": 0.25, "distill": 2.0} and told["training_return"] == 4.0 and told["guidance"] == 1.5
    assert lines[2] == {"event": "point", "spent": {"steps": 250.0}, "return": 4.0}


def test_plain_lines_say_all_of_it(capsys, monkeypatch):
    with Display() as show:
        show.patience = 0.0
        for seconds, steps, updates in ((10, 0, 200), (11, 100, 225), (12, 200, 250)):
            monkeypatch.setattr(display.time, "monotonic", lambda seconds=seconds: float(seconds))
            show.status(at(seconds, steps, updates))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "training in the game:  20%  100 steps/s  25 updates/s  about 0:06 left  steps 200/1k  updates 250/400  "
        "seconds 0:12/10:00  training return 4.0  td 0.25  distill 2"
    )


@pytest.mark.parametrize("lines", [False, True])
def test_quiet_is_quiet(capsys, lines):
    with Display(quiet=True, lines=lines) as show:
        show.note("a")
        show.status(at(10, 250, 300))
        show.point({"steps": 250.0, "updates": 1.0}, 4.0)
        with show.phase("playing", 3, "episodes") as bar:
            bar.to(3)
    assert capsys.readouterr() == ("", "")


def test_the_live_view_has_a_bar_for_each_limit(monkeypatch):
    show = Display()
    show._console, show._live = Console(file=io.StringIO(), width=100), object()  # pyright: ignore
    show.patience = 0.0
    for seconds, steps, updates in ((10, 0, 200), (11, 100, 225), (12, 200, 250)):
        monkeypatch.setattr(display.time, "monotonic", lambda seconds=seconds: float(seconds))
        show.status(at(seconds, steps, updates))
    page = Console(file=io.StringIO(), width=100)
    page.print(show._picture())
    lines = [line.split() for line in page.file.getvalue().splitlines()]  # pyright: ignore
    assert lines[0][1:5] == ["training", "in", "the", "game"] and lines[0][-1] == "20%"
    assert [(line[0], *line[-2:]) for line in lines[1:4]] == [
        ("steps", "20%", "200/1k"), ("updates", "62%", "250/400"), ("seconds", "2%", "0:12/10:00"),
    ]  # fmt: skip
    assert " ".join(lines[4]) == "100 steps/s 25 updates/s about 0:06 left"
    assert " ".join(lines[5]) == "training return 4.0 td 0.25 distill 2"

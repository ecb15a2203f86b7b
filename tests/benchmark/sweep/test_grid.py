"""Sweeps: the grid and its file, the cells' folders, a second command, the scores."""

import json
import math

import pytest

from reincarnate.benchmark.sweep import damage, grid, local, sweep, table
from reincarnate.benchmark.sweep.cell import Needs
from reincarnate.benchmark.sweep.drive import lasting
from reincarnate.benchmark.sweep.grid import Cell
from reincarnate.benchmark.tasks import suites
from reincarnate.leaderboard.ledger import Ledger
from reincarnate.leaderboard.record import Evaluation, Point, RunRecord

TASK, OTHER = "gym/CartPole-v1", "gym/Acrobot-v1"
OPTIONS = {"budget": "steps=100", "settings": {"batch_size": "8"}}


def asked(methods=("dqn",), seeds=(0,), **options) -> grid.Sweep:
    return grid.of(TASK, methods, seeds, OPTIONS | options)


def test_the_suites_are_the_papers_games_and_can_all_be_played():
    assert suites.tasks_of("minatar5")[1] == "minatar/breakout" and len(suites.tasks_of("minatar5")) == 5
    assert len(suites.tasks_of("atari10")) == 10 and "atari/Riverraid" in suites.tasks_of("atari10")
    assert suites.tasks_of("atari-small") == ("atari/Pong", "atari/Breakout")
    assert suites.tasks_of(f"{TASK}, minatar/asterix") == (TASK, "minatar/asterix")
    for odd in ("minatar6", "", f"{TASK},{TASK}", "atari/NoGame"):
        with pytest.raises(ValueError):
            suites.tasks_of(odd)


def test_all_methods_are_those_for_the_actions_of_the_suites_tasks():
    discrete = sweep.asked_for("minatar5", "all", "steps=1k", [0]).methods
    continuous = sweep.asked_for("pendulum", "all", "steps=1k", [0]).methods
    assert {"dqn", "cql", "pqn"} <= {*discrete} and {"sac", "td3", "residual"} <= {*continuous}
    assert {"qdagger", "surgery"} <= {*discrete} & {*continuous} and "sac" not in discrete and "cql" not in continuous


def test_seeds_and_methods_are_read():
    assert grid.seeds_of("0..2,7") == (0, 1, 2, 7)
    assert grid.method_of("qdagger:base=rainbow:temperature=0.2") == (
        "qdagger",
        {"base": "rainbow", "temperature": "0.2"},
    )
    assert grid.method_of("pkg.module:factory:weight=2") == ("pkg.module:factory", {"weight": "2"})
    for odd in ("0..", "a", "1-2"):
        with pytest.raises(ValueError, match="0..4"):
            grid.seeds_of(odd)
    for odd in (":a=1", "dqn:a="):
        with pytest.raises(ValueError, match="is not a method"):
            grid.method_of(odd)


@pytest.mark.parametrize(
    ("methods", "seeds", "options", "match"),
    [
        ((), (0,), {}, "needs methods"),
        (("dqm",), (0,), {}, "there is no method"),
        (("dqn:temperature=1",), (0,), {}, "no keyword"),
        (("dqn", "dqn"), (0,), {}, "the same"),
        (("dqn",), (0, 0), {}, "the same"),
        (("dqn",), (0,), {"budget": "stones=3"}, "not a limit"),
    ],
)
def test_what_is_no_sweep_is_said_before_anything_is_written(methods, seeds, options, match):
    with pytest.raises(ValueError, match=match):
        asked(methods, seeds, **options)


def test_cells_come_seed_by_seed_with_their_own_settings_and_prior_computation():
    made = asked(("dqn", "qdagger:temperature=0.2"), (0, 3), teacher="me/{game}@1", teacher_log=["logs/{task}:share=1"])
    names = [cell.name for cell in grid.cells(made)]
    assert names[:2] == ["gym-CartPole-v1~dqn~0", "gym-CartPole-v1~qdagger-temperature=0.2~0"]
    assert [cell.seed for cell in grid.cells(made)] == [0, 0, 3, 3]
    given = grid.request(made, grid.cells(made)[3])
    assert given.settings == {"batch_size": "8", "temperature": "0.2"} and given.method == "qdagger"
    assert given.teacher == "me/CartPole-v1@1" and given.teacher_log == ("logs/gym-CartPole-v1:share=1",)
    invaders = grid.Cell("minatar/space_invaders", "qdagger", 0)  # no repository has its underscore
    assert grid.request(made, invaders).teacher == "me/space-invaders@1"


def test_a_sweep_can_grow_but_not_change(tmp_path):
    folder = tmp_path / "sweep"
    first = grid.begin(folder, asked(seeds=(0, 1)))
    assert grid.load(folder) == first
    both = grid.begin(folder, asked(("rainbow", "dqn"), (2,)))
    assert both.methods == ("dqn", "rainbow") and both.seeds == (0, 1, 2) and grid.load(folder) == both
    with pytest.raises(ValueError, match="a different budget"):
        grid.begin(folder, asked(budget="steps=200"))
    with pytest.raises(ValueError, match="no sweep in"):
        grid.load(tmp_path)


def test_one_folder_is_driven_by_one(tmp_path):
    with grid.driving(tmp_path / "a"), pytest.raises(ValueError, match="in another process"):
        with grid.driving(tmp_path / "a"):
            pass
    assert not (tmp_path / "a").exists(), "nothing came of it, so nothing is left"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("x")
    with pytest.raises(ValueError, match="is not a sweep"), grid.driving(tmp_path / "b"):
        pass
    assert (tmp_path / "b" / "mine.txt").exists()


def test_where_a_cell_is_comes_from_its_files(tmp_path):
    made = grid.begin(tmp_path, asked())
    (cell,) = grid.cells(made)
    assert grid.state(tmp_path, cell) == ("waiting", 0.0, "")
    run = tmp_path / "cells" / cell.name
    run.mkdir()
    book = Ledger(run / "ledger.jsonl")
    book.write("start", budget={"steps": 100.0, "flops": 1e6})
    book.write("progress", spent={"steps": 40.0, "flops": 5e5})
    assert grid.state(tmp_path, cell) == ("stopped", 0.5, "")
    with grid.lock(tmp_path, cell.name):
        assert grid.state(tmp_path, cell).word == "running"
    grid.fail(tmp_path, cell.name, "first")
    assert grid.state(tmp_path, cell) == ("stopped", 0.5, "first")
    grid.fail(tmp_path, cell.name, "second")
    assert grid.state(tmp_path, cell) == ("failed", 0.5, "second")
    assert table.faults(table.states(tmp_path, made)) == [f"{cell.name} failed: second"]
    grid.forget(tmp_path)
    assert grid.state(tmp_path, cell).word == "stopped"
    book.write("end", spent={"steps": 100.0, "flops": 9e5})
    assert grid.state(tmp_path, cell).word == "stopped", "its record is missing still"
    (run / "record.json").write_text("{}")
    assert grid.state(tmp_path, cell).word == "stopped", "its record cannot be read"


@pytest.mark.parametrize(
    "start, end",
    [
        ({"budget": []}, {}),
        ({"budget": {"steps": "x"}}, {}),
        ({}, {"spent": "x"}),
        ({}, {"spent": {"steps": None}}),
        ({}, {"time": "x"}),
    ],
)
def test_a_cell_with_a_damaged_ledger_is_made_again(tmp_path, start, end):
    (cell,) = grid.cells(grid.begin(tmp_path, asked()))
    run = tmp_path / "cells" / cell.name
    run.mkdir()
    lines = [
        {"event": "start", "time": 1.0, "budget": {"steps": 9.0}, **start},
        {"event": "end", "time": 2.0, "spent": {"steps": 9.0}, **end},
    ]
    (run / "ledger.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert not grid.has_ledger(run) and not grid.ended(run)
    assert grid.state(tmp_path, cell) == ("waiting", 0.0, "")
    assert grid.took(tmp_path, cell) == 0.0 and grid.spent(tmp_path, cell) == {}


@pytest.mark.parametrize("last", ["[]", "{", "3"])
def test_a_run_whose_last_line_is_none_is_not_whole(tmp_path, last):
    (tmp_path / "record.json").write_text(record(Cell("gym/CartPole-v1", "dqn", 0), {0.0: 1.0}).model_dump_json())
    (tmp_path / "ledger.jsonl").write_text(f"{{}}\n{last}\n")
    assert not damage.is_whole(tmp_path)


def test_as_many_cells_at_once_as_fit(monkeypatch, tmp_path):
    monkeypatch.setattr(local, "cores", lambda: 8)
    monkeypatch.setattr(local, "free_memory", lambda: 10 * 2.0**30)
    monkeypatch.setattr(local, "accelerators", lambda: ["0", "1", "2"])
    assert local.room(Needs(cpus=2)) == 4
    assert local.room(Needs(cpus=1, memory=3 * 2**30)) == 3  # 0.9 * 10 / 3
    assert local.room(Needs(cpus=16)) == 1
    assert local.room(Needs(cpus=1, gpus=1)) == 3
    assert local.room(Needs(cpus=1, gpus=0.5)) == 6
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in local._slots(Needs(gpus=1), 3)] == ["0", "1", "2"]
    half = local._slots(Needs(gpus=0.5), 4)
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in half] == ["0", "1", "2", "0"]
    assert half[0]["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.450"
    assert local._slots(Needs(), 2) == [{}, {}]


def test_memory_and_accelerators_are_what_the_system_says(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia0", "nvidia11", "nvidiactl", "null"):
        (tmp_path / name).touch()
    assert local.accelerators(tmp_path) == ["0", "11"]
    (tmp_path / "meminfo").write_text("MemTotal: 10 kB\nMemAvailable:    2048 kB\n")
    assert local.free_memory(tmp_path / "meminfo") == 2 * 2**20
    assert local.free_memory(tmp_path / "none") == math.inf
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    assert local.accelerators(tmp_path) == ["1", "3"]


def record(cell: Cell, returns: dict[float, float], teacher: float | None = 10.0) -> RunRecord:
    """Return a run with these mean returns at these agent steps; random play has 0."""

    def judged(value: float) -> Evaluation:
        return Evaluation(returns=(value - 1.0, value + 1.0), lengths=(1, 1), epsilon=0.0, seeds=(0, 1))

    points = tuple(
        Point(
            spent={"frames": steps, "steps": steps, "updates": 2 * steps, "flops": 3 * steps, "seconds": 0.0},
            evaluation=judged(value),
            parameters="f" * 64,
            file="x",
        )
        for steps, value in returns.items()
    )
    return RunRecord(
        run="1", task=cell.task, protocol={}, method=cell.method, settings={}, network={"name": "mlp"}, seed=cell.seed,
        environments=8, budget={"steps": 1.0}, parents=(), random=judged(0.0),
        teacher=judged(teacher) if teacher else None,
        points=points, complete=True, ledger="f" * 64, command="", machine={},
    )  # fmt: skip


def test_scores_at_each_sample_budget_by_hand():
    made = asked(("dqn", "rainbow"), (0, 1, 2, 3), points=[0.0, 0.5, 1.0])
    found = {
        Cell(TASK, "dqn", seed): record(Cell(TASK, "dqn", seed), {0.0: 0.0, 50.0: value / 2, 100.0: value})
        for seed, value in enumerate([-100.0, 4.0, 6.0, 100.0])
    }
    only = Cell(TASK, "rainbow", 0)
    found[only] = record(only, {0.0: 10.0, 52.0: 20.0, 100.0: 10.0})
    first, second = table.report(made, found)
    assert first["method"] == "dqn" and first["runs"] == 4 and first["updates"] == 200 and first["flops"] == 300
    values = {share: numbers[0] for share, numbers in first["points"].items()}
    assert values == pytest.approx({0.0: 0.0, 0.5: 0.25, 1.0: 0.5})  # the middle two of four, over the teacher's 10
    assert first["points"][1.0][1] < 0.5 < first["points"][1.0][2]
    assert second["points"][0.5] == pytest.approx([2.0] * 3)  # a single run has no width
    written = table.markdown([first, second]).splitlines()
    assert written[0] == "| method | runs | updates | FLOPs | 0% | 50% | 100% |"
    assert written[2].startswith("| `rainbow` | 1 | 200 | 300 | 1.00 [1.00, 1.00] | 2.00")
    assert json.loads(json.dumps(first["points"]))["0.5"][0] == pytest.approx(0.25)
    assert table.scored([first, second]).endswith("0: random play, 1: the teacher")


def test_without_a_teacher_scores_are_returns_over_random_play():
    made, cell = asked(points=[1.0]), Cell(TASK, "dqn", 0)
    (row,) = table.report(made, {cell: record(cell, {100.0: 7.0}, teacher=None)})
    assert row["points"] == {1.0: pytest.approx([7.0] * 3)}
    assert table.scored([row]).endswith("return above that of random play, since no task has a teacher")
    told = table.scored([row | {"taught": 1, "tasks": 2}])
    assert told.endswith("1: the teacher; without a teacher: the return above that of random play")


def test_a_plan_says_how_long_it_takes_in_a_unit_that_suits():
    told = [lasting(hours) for hours in (0.0025, 0.02, 0.2, 1.5, 123.4, 1234.5)]
    assert told == ["9 s", "72 s", "12 min", "1.5 h", "123.4 h", "1,234.5 h"]

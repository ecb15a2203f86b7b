"""Help pages: every command fits 80 columns, nothing is cut, and no value is called by a type of Python."""

import sys
from typing import Any

import pytest
from typer.main import get_command

from reincarnate.agents import keywords
from reincarnate.benchmark.cli import main as entry
from reincarnate.benchmark.cli.help import SECTIONS, first_sentence
from reincarnate.benchmark.tasks.task import find as find_task
from reincarnate.benchmark.tasks.task import tasks
from reincarnate.benchmark.training import budget
from reincarnate.benchmark.training.preset_choice import settle

SHORT = ("quickstart", "tasks", "run", "report", "verify")


def commands(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return every command and group by its words."""
    below = {} if not hasattr(command, "commands") else command.commands
    found = {path: command}
    for name, one in below.items():
        found |= commands(one, (*path, name))
    return found


ALL = commands(get_command(entry.app))


def shown(words: tuple[str, ...], monkeypatch, capsys) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["reincarnate", *words, "--help"])
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert not end.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join(words) or "reincarnate")
def test_a_page_fits_80_columns_and_cuts_nothing(words, monkeypatch, capsys):
    text = shown(words, monkeypatch, capsys)
    assert max(map(len, text.splitlines())) <= 80
    assert "<str>" not in text and "<list" not in text and "<int>" not in text and "<path>" not in text
    flat = " ".join(text.split())
    for name, one in getattr(ALL[words], "commands", {}).items():
        assert one.hidden or first_sentence(one.help) in flat, name


def test_commands_stand_in_the_order_of_need(monkeypatch, capsys):
    lines = shown((), monkeypatch, capsys).splitlines()
    heads = [line.rstrip(":") for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert heads == ["Options", *SECTIONS]
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].isalpha()]
    every = [name for names in SECTIONS.values() for name in names]
    assert set(every) == {words[0] for words in ALL if len(words) == 1}  # a new command gets a place
    assert [name for name in listed if name in every] == every


def test_a_sweep_shows_the_options_that_start_it(monkeypatch, capsys):
    text = shown(("sweep",), monkeypatch, capsys)
    assert text.startswith("Usage: reincarnate sweep SUITE --methods NAMES --budget UNIT=AMOUNT [OPTIONS]")
    for word in ("--plan", "--metrics", "--on", "status FOLDER", "report FOLDER"):
        assert word in text


def test_first_sentences():
    assert first_sentence("One thing. Another.\n\nMore.") == "One thing."
    assert first_sentence("A list:\nof words\n\nMore") == "A list: of words."
    assert first_sentence(None) == "."


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--task", "minatar/brekout", "--budget", "steps=1"], "did you mean minatar/breakout"),
        (["sweep", "minatar6", "--methods", "dqn", "--budget", "steps=1"], "did you mean minatar5?"),
        (["methods", "qdager"], "did you mean qdagger"),
        (["teachers", "pull", "reincarnate/minatar-brekout"], "did you mean reincarnate/minatar-breakout"),
        (["tasks", "brekout"], "did you mean breakout"),
        (["presets", "minitar"], "did you mean minatar?"),
        (["run", "--task", "minatar/breakout", "--network", "natur", "--budget", "steps=1"], "did you mean nature?"),
        (["teachers", "list"], "did you mean search?"),
        (["datasets", "list"], "No such command 'list'. Did you mean 'ls'?"),
        (["evaluate", "runs/nothing"], "`reincarnate teachers search` lists what it has"),
        (["datasets", "show", "runs/nothing"], "`reincarnate datasets search` lists what it has"),
        (["run", "--tsk", "x"], "--task"),
        (["rn"], "run"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(words, says, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reincarnate", *words])
    with pytest.raises(SystemExit) as end:
        entry.main()
    said = capsys.readouterr().err
    assert end.value.code == 2 and says in said and said.count("\n") == 1


def said(words: list[str], monkeypatch, capsys) -> str:
    monkeypatch.setattr(sys, "argv", ["reincarnate", *words])
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert not end.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["methods"], ["methods", "qdagger"], ["presets"], ["presets", "minatar"]], ids=" ".join
)
def test_a_list_is_wrapped_but_not_in_a_pipe(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    narrow = said(words, monkeypatch, capsys)
    typed = ("example: ", "source: ")  # to be copied, so in one piece
    assert max(len(line) for line in narrow.splitlines() if not line.startswith(typed)) <= 80
    monkeypatch.delenv("COLUMNS")
    wide = said(words, monkeypatch, capsys)
    assert wide.split() == narrow.split() and len(wide.splitlines()) <= len(narrow.splitlines())
    if words == ["methods"]:
        assert len(wide.splitlines()) < len(narrow.splitlines())
        assert [line.split()[0] for line in wide.splitlines()] == list(keywords.names())
    if words[1:]:
        assert not any(line.startswith(" ") for line in wide.splitlines())  # none goes on in the next line


def test_a_method_names_its_actions_and_an_example(monkeypatch, capsys):
    for name, kind in (("qdagger", "discrete or continuous"), ("sac", "continuous"), ("dqfd", "discrete")):
        lines = said(["methods", name], monkeypatch, capsys).splitlines()
        assert f"actions: {kind}" in lines
        (example,) = [line.removeprefix("example: ") for line in lines if line.startswith("example: ")]
        options = dict(zip(example.split()[2::2], example.split()[3::2], strict=True))
        assert options["--method"] == name and budget.parse(options["--budget"]).steps
        settle(find_task(options["--task"]), name, options["--budget"], {}, "")  # refuses what does not fit


def test_tasks_that_are_ready_come_first_as_a_table(monkeypatch, capsys):
    def told(*words: str) -> str:
        return said(["tasks", *words], monkeypatch, capsys)

    monkeypatch.setenv("COLUMNS", "80")
    lines = told().splitlines()
    assert lines[0].split() == ["task", "random", "teacher", "weaker", "log"]
    assert max(map(len, lines)) <= 80
    assert "atari/SpaceInvaders" not in "\n".join(lines) and "--all" in lines[-1]
    others = sum(name.startswith("atari/") for name in tasks()) - sum(line.startswith("atari/") for line in lines)
    assert f" {others} more games of ALE, MuJoCo," in " ".join(lines)
    monkeypatch.delenv("COLUMNS")
    (row,) = [line.split() for line in told("pong").splitlines() if line.startswith("atari/Pong")]
    assert row[0] == "atari/Pong" and float(row[1]) < float(row[3]) < float(row[2])
    assert row[4].startswith("reincarnate/")  # a reference as it can be typed
    assert "atari/SpaceInvaders" in told("--all") and "atari/Pong" not in told("minatar")

"""A teacher's own log is found by what its provenance says, and another's is never taken in its place."""

import json

import pytest

from reincarnate.benchmark.prior.teacher_log import log_of, others
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.sweep.grid import Sweep, cells, request
from reincarnate.benchmark.sweep.work import wanted
from reincarnate.benchmark.tasks.task import PINNED, find
from reincarnate.datasets.hub import hub as hubs
from reincarnate.leaderboard.record import Parent

TASK = "minatar/breakout"
EARLY = "reincarnate/minatar-breakout-early"
SHA = {letter: letter * 40 for letter in "abc"}
MINE = Parent(kind="teacher", reference=f"me/pole@{SHA['a']}", digest="1" * 64)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Yield hub(name, provenance), which adds a log to a hub that is empty at first, and returns its reference."""
    monkeypatch.setenv(hubs.BUNDLE, str(tmp_path))

    def add(name: str, facts: object, commit: str = SHA["c"]) -> str:
        home = tmp_path / f"datasets--{name.replace('/', '--')}"
        (home / "refs").mkdir(parents=True)
        (home / "refs" / "main").write_text(commit)
        (home / "snapshots" / commit).mkdir(parents=True)
        (home / "snapshots" / commit / "README.md").write_text("---\ntags: [rlds]\n---\n")
        (home / "snapshots" / commit / "provenance.json").write_text(
            facts if isinstance(facts, str) else json.dumps(facts)
        )
        return f"{name}@{commit}"

    return add


def played(*parents: dict, task: str = "gym/CartPole-v1") -> dict:
    return {"task": task, "parents": [{"kind": "teacher", **parent} for parent in parents]}


def find_mine(teacher: Parent = MINE, given: str = "me/pole") -> str:
    return log_of(teacher, given, find("gym/CartPole-v1"), "bundled")


BY_NAME, BY_WEIGHTS = {"reference": MINE.reference}, {"reference": "runs/pole", "digest": MINE.digest}
ANOTHER = {"reference": f"me/pole@{SHA['b']}"}
CHANGED = {"reference": "teachers/pole", "digest": "2" * 64}


@pytest.mark.parametrize("parent", [BY_NAME, BY_WEIGHTS])
def test_the_log_of_that_name_is_taken_if_it_says_that_this_teacher_played_it(hub, parent):
    log = hub("me/pole-log", played(parent))
    assert find_mine() == log


def test_a_log_of_another_name_is_found_too_and_the_first_of_several_is_taken(hub):
    hub("you/pole-training", played(BY_NAME))
    assert find_mine() == f"you/pole-training@{SHA['c']}"
    hub("me/a-pole", played(BY_WEIGHTS))
    assert find_mine() == f"me/a-pole@{SHA['c']}"
    hub("me/pole-log", played(BY_NAME))
    assert find_mine() == f"me/pole-log@{SHA['c']}"


@pytest.mark.parametrize(
    "facts",
    [
        played(ANOTHER),  # an earlier version of it
        played(CHANGED),
        played(BY_NAME, ANOTHER),  # not it alone
        played(BY_NAME, task="gym/Acrobot-v1"),
        played(),
        {"task": "gym/CartPole-v1"},
        {"task": "gym/CartPole-v1", "parents": "me/pole"},
        {"task": "gym/CartPole-v1", "parents": [MINE.reference]},
        [],
        "{",
    ],
)
def test_a_log_that_does_not_say_so_is_not_taken(hub, facts):
    hub("me/pole-log", facts)
    with pytest.raises(ValueError, match="has none by me/pole") as error:
        find_mine()
    assert "`reincarnate log me/pole --steps 100k --out logs/pole`, and give it with --teacher-log logs/pole" in str(
        error.value
    )


def test_the_command_that_makes_a_log_is_whole_for_folders_and_other_hubs(hub):
    folder = Parent(kind="teacher", reference="/my teachers/pole", digest="1" * 64)
    with pytest.raises(ValueError, match="reincarnate log '/my teachers/pole' --steps 100k --out logs/pole`"):
        find_mine(folder, "/my teachers/pole")


def test_a_given_log_of_somebody_else_is_told_as_far_as_it_can_be(hub, tmp_path):
    log = Parent(kind="log", reference=hub("me/other-log", played(ANOTHER, BY_NAME)), digest="")
    assert others(MINE, log, "bundled") == [ANOTHER["reference"]]
    (tmp_path / "mine").mkdir()
    for parent, expected in ((BY_WEIGHTS, []), (CHANGED, ["teachers/pole"]), ({"reference": "runs/pole"}, [])):
        (tmp_path / "mine" / "provenance.json").write_text(json.dumps(played(parent)))
        assert others(MINE, Parent(kind="log", reference=str(tmp_path / "mine"), digest=""), "bundled") == expected


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_pinned_teacher_has_its_pinned_log_by_whatever_name(name):
    teacher, log = PINNED[name]
    origin = Parent(kind="teacher", reference=teacher, digest="0" * 64)
    assert log_of(origin, teacher.partition("@")[0], find(name), "bundled") == log


@pytest.mark.parametrize(
    ("method", "settings"), [("qdagger", {}), ("fine_tuning", {}), ("rehearsal", {}), ("cql", {}), ("rlpd", {})]
)
def test_another_teacher_is_not_given_the_log_of_the_tasks_own(tmp_path, method, settings):
    """Nothing is written, and the sentence names the command that makes a log."""
    with pytest.raises(ValueError, match=f"`reincarnate log {EARLY} --steps 100k --out logs/minatar-breakout-early`"):
        run(TASK, method, "steps=1k,updates=100", settings=settings, teacher=EARLY, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    sweep = Sweep(TASK, (TASK,), (method,), (0,), {"budget": "steps=1k,updates=100", "teacher": EARLY})
    with pytest.raises(ValueError, match=f"`reincarnate log {EARLY} --steps 100k"):
        wanted(request(sweep, cells(sweep)[0]))

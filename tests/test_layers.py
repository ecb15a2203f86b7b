"""The house rules, checked on the source alone: who imports whom, no packages at the top, short explained modules."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {  # room -> what it may import besides itself
    "datasets": (),
    "agents": ("datasets.transition",),
    "leaderboard": (),
    "benchmark": ("agents", "datasets", "leaderboard"),
}
JAX, GAMES, TENSORFLOW = ("jax", "flax", "optax"), ("gymnasium", "ale_py", "minatar"), ("tensorflow", "reverb")
MUST_NOT_IMPORT = {  # room -> third parties that would mix files, games and learning
    "datasets": (*JAX, *GAMES),
    "agents": (*GAMES, *TENSORFLOW, "huggingface_hub", "tensorflow_datasets", "pathlib", "os", "shutil", "tempfile"),
    "leaderboard": (*JAX, *GAMES, *TENSORFLOW, "tensorflow_datasets", "huggingface_hub"),
    "benchmark": TENSORFLOW,
}
# TensorFlow takes seconds to load: only this module may ask for it, and only when it is called.
WITH_TENSORFLOW = ("datasets/tf.py",)
LATE = (*TENSORFLOW, "tensorflow_datasets", "ale_py", "gymnasium", "minatar", "matplotlib", "huggingface_hub")
# Within a room, from below: each part may import only those before it, and nothing of those beside it in its row.
ORDER = {
    "datasets": (
        ("hub.server",),  # it could be a package of its own, used as a library
        ("atomic", "folders", "pickled", "transition", "words"),
        ("rlds", "replay", "teachers"),
        ("hub",),
        ("tf",),
    ),
    "benchmark": (
        ("machine",),
        ("compiled",),
        ("tasks",),
        ("training",),
        ("display", "tables"),
        ("evaluation",),
        ("prior",),
        ("runs",),
        ("sweep", "submission", "report"),
        ("quickstart",),
        ("cli",),
    ),
}
MODULES = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


class Import(NamedTuple):
    """One name that a module asks for."""

    relative: bool
    name: str  # dotted, from the root of the repository if it is relative
    late: bool  # within a function, or for the type checker alone
    typed: bool  # for the type checker alone

    def is_of(self, names: tuple[str, ...]) -> bool:
        return any(self.name == name or self.name.startswith(f"{name}.") for name in names)


def imports(source: str, folder: tuple[str, ...]) -> Iterator[Import]:
    """Return all imports of a source that lies in `folder`."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    checked = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    typed = {id(inner) for node in checked for inner in ast.walk(node)}
    late = typed | {id(inner) for node in functions for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(False, alias.name, id(node) in late, id(node) in typed)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            for alias in node.names:
                name = ".".join((*above, *filter(None, [node.module]), alias.name))
                yield Import(node.level > 0, name, id(node) in late, id(node) in typed)


def broken(source: str, path: str) -> list[str]:
    """Return what a module's imports do that they must not."""
    folder = Path(path).parent.parts
    room, faults = folder[0], []
    for one in imports(source, folder):
        if one.relative and not one.is_of((room, *MAY_IMPORT[room])):
            faults.append(f"{room} may not import {one.name}")
        if not one.relative and one.is_of(("reincarnate", *MAY_IMPORT)):
            faults.append(f"inside the rooms imports are relative: {one.name}")
        if not one.relative and one.is_of(MUST_NOT_IMPORT[room]):
            faults.append(f"{room} may not import {one.name}")
        if one.is_of(TENSORFLOW) and path not in WITH_TENSORFLOW:
            faults.append(f"TensorFlow is not for {path}")
        if one.is_of(LATE) and not one.late:
            faults.append(f"{one.name} is slow to import: do it in the function that needs it")
    return faults


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_keep_the_rules(path):
    assert broken(path.read_text(), named(path)) == []


@pytest.mark.parametrize(
    ("path", "source", "kept"),
    [
        ("agents/methods/dqn.py", "from ...datasets.transition import Batch", True),
        ("agents/methods/dqn.py", "from ...datasets.replay import Replay", False),
        ("agents/methods/dqn.py", "from ...datasets import replay", False),
        ("agents/learner.py", "from ..benchmark import run", False),
        ("agents/learner.py", "import os.path", False),
        ("agents/learner.py", "from reincarnate.datasets.transition import Batch", False),
        ("agents/learner.py", "import jax.numpy as jnp", True),
        ("datasets/hub/hub.py", "def client():\n    import huggingface_hub", True),
        ("datasets/hub/hub.py", "import huggingface_hub", False),
        ("datasets/hub/hub.py", "def f():\n    import tensorflow", False),
        ("datasets/hub/hub.py", "import jax", False),
        ("datasets/tf.py", "def f():\n    import tensorflow", True),
        ("datasets/tf.py", "import tensorflow", False),
        ("leaderboard/score.py", "from ..datasets import atomic", False),
        ("benchmark/runs/run.py", "from ...agents.method import Method", True),
        ("benchmark/runs/run.py", "def f():\n    import tensorflow", False),
    ],
)
def test_the_rules_are_as_meant(path, source, kept):
    assert (broken(source, path) == []) is kept


def arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return module -> the modules of ours that it imports, early or late, but for types alone; from path -> source."""
    modules = {path.removesuffix(".py").replace("/", ".") for path in sources}
    return {
        path.removesuffix(".py").replace("/", "."): {
            name if name in modules else name.rpartition(".")[0]
            for one in imports(source, Path(path).parent.parts)
            if one.relative and not one.typed
            for name in [one.name]
        }
        for path, source in sources.items()
    }


def part_of(module: str) -> str:
    """Return the part of a room in which a module is, such as hub.server or hub."""
    room, *names = module.split(".")
    known = {part for row in ORDER[room] for part in row}
    return next(part for part in (".".join(names[:2]), names[0]) if part in known)


def level(module: str) -> tuple[int, str]:
    """Return the row of ORDER in which a module's part stands, and the part."""
    part = part_of(module)
    return next(row for row, parts in enumerate(ORDER[module.split(".")[0]]) if part in parts), part


def upward(asked: dict[str, set[str]]) -> list[str]:
    """Return the imports that go up, or to a part beside."""
    faults = []
    for module, targets in asked.items():
        for target in targets:
            if module.split(".")[0] in ORDER and target.split(".")[0] == module.split(".")[0]:
                (mine, part), (theirs, other) = level(module), level(target)
                if theirs > mine or (theirs == mine and part != other and len(ORDER[module.split(".")[0]][mine]) > 1):
                    faults.append(f"{module} imports {target}")
    return sorted(faults)


def circle(asked: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle, or nothing."""
    left = dict(asked)
    while left:
        asked_for = set().union(*left.values())
        free = {module for module, targets in left.items() if module not in asked_for or not targets & left.keys()}
        if not free:
            break
        left = {module: targets - free for module, targets in left.items() if module not in free}
    return sorted(left)


def test_parts_of_a_room_stand_in_one_order_and_no_module_in_a_circle():
    asked = arrows({named(path): path.read_text() for path in MODULES})
    assert upward(asked) == [] and circle(asked) == []


def test_an_import_that_goes_up_or_round_is_found():
    sources = {
        "benchmark/tasks/task.py": "def f():\n    from ..runs.run import run",
        "benchmark/runs/run.py": "from ..tasks import task",
        "benchmark/sweep/grid.py": "from ..report import page",
        "benchmark/report/page.py": "",
    }
    assert upward(arrows(sources)) == [
        "benchmark.sweep.grid imports benchmark.report.page",
        "benchmark.tasks.task imports benchmark.runs.run",
    ]
    assert circle(arrows(sources)) == ["benchmark.runs.run", "benchmark.tasks.task"]


def test_the_hub_server_imports_nothing_of_the_rest():
    server = "datasets.hub.server"
    asked = arrows({named(path): path.read_text() for path in MODULES})
    mine = {module: targets for module, targets in asked.items() if module.startswith(f"{server}.")}
    assert len(mine) > 15
    assert [to for targets in mine.values() for to in targets if not to.startswith(f"{server}.")] == []


def test_rooms_are_not_packages():
    """A top-level `datasets` package would hide Hugging Face's, which tensorflow-datasets imports."""
    assert not [
        *ROOT.glob("__init__.py"),
        *(path for room in MAY_IMPORT for path in (ROOT / room).rglob("__init__.py")),
    ]


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_modules_are_short_and_explained(path):
    source = path.read_text()
    assert (ast.get_docstring(ast.parse(source)) or "").strip(), "the first line says what the module is for"
    assert source.count("\n") <= 400

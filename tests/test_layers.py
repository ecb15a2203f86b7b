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
EARLY = (
    "cli",
    "cli_board",
    "cli_datasets",
    "cli_hub",
    "task",
    "budget",
)  # of the benchmark: what `--help`, `tasks` and `methods` import
MODULES = [path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))]


class Import(NamedTuple):
    """One name that a module asks for."""

    relative: bool
    name: str  # dotted, from the root of the repository if it is relative
    late: bool  # within a function, or for the type checker alone

    def is_of(self, names: tuple[str, ...]) -> bool:
        return any(self.name == name or self.name.startswith(f"{name}.") for name in names)


def imports(source: str, folder: tuple[str, ...]) -> Iterator[Import]:
    """All imports of a source that lies in `folder`."""
    tree = ast.parse(source)
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(False, alias.name, id(node) in late)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else ()
            for alias in node.names:
                name = ".".join((*above, *filter(None, [node.module]), alias.name))
                yield Import(node.level > 0, name, id(node) in late)


def broken(source: str, path: str) -> list[str]:
    """What a module's imports do that they must not."""
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
        ("datasets/hub.py", "def client():\n    import huggingface_hub", True),
        ("datasets/hub.py", "import huggingface_hub", False),
        ("datasets/hub.py", "def f():\n    import tensorflow", False),
        ("datasets/hub.py", "import jax", False),
        ("datasets/tf.py", "def f():\n    import tensorflow", True),
        ("datasets/tf.py", "import tensorflow", False),
        ("leaderboard/score.py", "from ..datasets import atomic", False),
        ("benchmark/run.py", "from ..agents.method import Method", True),
        ("benchmark/run.py", "def f():\n    import tensorflow", False),
    ],
)
def test_the_rules_are_as_meant(path, source, kept):
    assert (broken(source, path) == []) is kept


def light(name: str) -> bool:
    """Whether it is a module, or a name of one, that is held to the same rule or imports next to nothing."""
    modules = ("datasets.hub", "datasets.reference", *(f"benchmark.{early}" for early in EARLY))
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


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

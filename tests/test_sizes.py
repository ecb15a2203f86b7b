"""How long a function may be, and how many parameters it may have.

Lines count without the signature and the docstring. The parameters of a method's factory are its hyperparameters and
those of a command its options: both are what users type, and may be more.
"""

import ast
from collections.abc import Iterator

import pytest

from .test_layers import MODULES, ROOT

LINES, PARAMETERS = 60, 7
INTERFACES = ("agents/methods/", "benchmark/cli/")


def sizes(source: str) -> Iterator[tuple[str, int, int]]:
    """Return the name, lines and parameters of each function."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        said = node.body[0] if ast.get_docstring(node) else None
        lines = (node.end_lineno or 0) - node.body[0].lineno + 1
        lines -= (said.end_lineno or 0) - said.lineno + 1 if said else 0
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        yield node.name, lines, len([name for name in names if name not in ("self", "cls")])


@pytest.fixture(scope="module")
def found() -> list[tuple[str, str, int, int]]:
    read = ((path.relative_to(ROOT).as_posix(), path.read_text()) for path in MODULES)
    return [(name, *size) for name, source in read for size in sizes(source)]


def test_functions_are_short(found):
    assert {f"{path} {name}": lines for path, name, lines, _ in found if lines > LINES} == {}


def test_functions_take_few_parameters(found):
    wide = [one for one in found if one[3] > PARAMETERS and not one[0].startswith(INTERFACES)]
    assert {f"{path} {name}": number for path, name, _, number in wide} == {}


def test_hooks_say_what_they_take_and_give():
    """Whoever reads a method's loss or act sees the shapes' names without opening another file."""
    bare = [
        f"{path.name} {node.name}"
        for path in sorted((ROOT / "agents" / "methods").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.name in ("loss", "act", "network", "init", "go_online", "evolve", "log_share", "learning_rate_factor")
        if node.returns is None or any(one.annotation is None for one in node.args.args)
    ]
    assert bare == []


def test_sizes_are_counted_as_meant():
    source = 'def f(self, a, *, b=1, **c):\n    """One\n    two."""\n    return a\n'
    assert list(sizes(source)) == [("f", 1, 2)]

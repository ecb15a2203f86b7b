"""The wheel holds the four rooms but for eight large logs, and nothing else, and works anywhere."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("agents", "benchmark", "datasets", "leaderboard")
FACE = ".src/reincarnate/"
LEFT_OUT = re.compile(
    r"datasets/bundled/datasets--reincarnate--"
    r"(minatar-\w+(-invaders)?-training-log|minatar-freeway-early-log|pong-rainbow-log|pendulum-sac-(early|training)-log)/"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tracked() -> list[str]:
    """Return files of the rooms that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", *ROOMS, FACE]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    return [name.removeprefix(FACE) for name in listed if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_rooms_and_no_other(wheel):
    files = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(files) == sorted(f"reincarnate/{name}" for name in tracked() if not LEFT_OUT.match(name))
    assert 1e6 < wheel.stat().st_size < 60e6
    assert [name for name in files if name.endswith("__init__.py")] == ["reincarnate/__init__.py"]


def test_an_unpacked_wheel_works_from_an_unrelated_folder(wheel, tmp_path):
    """Every module is imported from the wheel, and the command of the entry point answers."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    (entry,) = metadata.Distribution.at(next((tmp_path / "site").glob("*.dist-info"))).entry_points
    assert (entry.group, entry.name) == ("console_scripts", "reincarnate")
    names = [name for name in tracked() if name.endswith(".py") and "/" in name]
    modules = [name.removesuffix(".py").replace("/", ".") for name in names]
    code = f"""
import importlib, sys
sys.path = [{str(tmp_path / "site")!r}, *(p for p in sys.path if p and not p.endswith(".src"))]
for name in {modules}:
    found = importlib.import_module(f"reincarnate.{{name}}").__file__
    assert found.startswith({str(tmp_path / "site")!r}), found
assert not {{"tensorflow", "tensorflow_datasets", "datasets", "agents"}} & set(sys.modules)
import reincarnate
assert reincarnate.__version__ == {PROJECT["version"]!r} and reincarnate.tasks()
sys.argv = ["reincarnate", "methods"]
importlib.import_module({entry.module!r}).{entry.attr}()
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path / "elsewhere", capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "qdagger" in done.stdout and not done.stderr


def test_an_editable_install_gives_the_checkout_with_its_face(tmp_path):
    code = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(tmp_path / "site")
    code = f"""
import importlib.util, site, sys
sys.path = [p for p in sys.path if p and not p.endswith(".src") and "__editable__" not in p]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__.lower()]
sys.path.insert(0, {str(tmp_path / "site")!r})
site.addsitedir({str(tmp_path / "site")!r})
import reincarnate
from reincarnate.datasets import transition
assert reincarnate.__file__ == {str(ROOT / ".src" / "reincarnate" / "__init__.py")!r}, reincarnate.__file__
assert reincarnate.__version__ == {PROJECT["version"]!r}, reincarnate.__version__
found = importlib.util.find_spec("datasets")
assert found is None or "reincarnate" not in str(found.origin), "Hugging Face's datasets are not hidden"
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def required(lines: list[str]) -> set[str]:
    """Return the normal names of requirements."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower() for line in lines}


def hard_imports(tree: ast.AST) -> set[str]:
    """Return top names of absolute imports whose failure is not provided for."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        caught = [handler.type for handler in node.handlers] if isinstance(node, ast.Try) else []
        guarded = any(kind is None or re.search(r"\b(ImportError|Exception)\b", ast.unparse(kind)) for kind in caught)
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
        elif not guarded:
            names |= hard_imports(node)
    return names


def imported() -> dict[str, set[str]]:
    """Return {third-party name: normal names of the distributions that may have brought it}."""
    sources = [path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    third = set().union(*(hard_imports(ast.parse(source)) for source in sources)) - sys.stdlib_module_names
    of = metadata.packages_distributions()
    return {module: required(of.get(module, [module])) for module in third - {"reincarnate"}}


def test_everything_imported_is_a_dependency_by_name():
    """A transitive dependency disappears with the package that requires it."""
    declared = required(PROJECT["dependencies"])
    assert sorted(module for module, brought in imported().items() if not brought & declared) == []


def test_nothing_is_a_dependency_in_vain():
    assert required(PROJECT["dependencies"]) - set().union(*imported().values()) == set()

"""Compiled programs are kept across processes, and never read from a folder that another user could write to."""

import grp
import os
import pwd
import subprocess
import sys
import warnings

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from reincarnate.benchmark import compiled

PROGRAM = """
import jax, numpy
from reincarnate.benchmark import compiled
seen = []
jax.monitoring.register_event_listener(lambda event, **more: seen.append(event))
with compiled.kept():
    print(jax.jit(lambda x: (x * 3).sum())(numpy.arange(7)), "/jax/compilation_cache/cache_hits" in seen)
"""


def unset() -> dict[str, str]:
    """Return the environment of somebody who has set nothing of JAX; the tests have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}


def told(caches, **more: str) -> str:
    environment = {**unset(), "REINCARNATE_CACHE": str(caches), "JAX_PLATFORMS": "cpu", **more}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_second_process_finds_what_the_first_has_compiled(tmp_path):
    assert told(tmp_path) == "63 False"
    assert told(tmp_path) == "63 True"
    assert told(tmp_path, NPROC="1") == "63 False"  # XLA divides work among threads when it compiles
    for path in (tmp_path / "programs").rglob("*-cache"):
        path.write_bytes(b"damaged")
    environment = {**unset(), "REINCARNATE_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], env=environment, capture_output=True)
    assert done.stdout.decode().startswith("63 ")


def test_no_program_comes_from_where_others_can_write(tmp_path, monkeypatch):
    folder = tmp_path / "caches" / "programs" / "kind"
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "caches"))
    assert compiled._own(folder) and folder.stat().st_mode & 0o077 == 0
    group = [pwd.getpwuid(os.getuid()).pw_name, "x", os.getgid(), []]
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(group))
    for path in (folder, folder.parent, folder.parents[1]):
        before = path.stat().st_mode
        path.chmod(before | 0o002)
        assert not compiled._own(folder)
        path.chmod(before | 0o020)
        assert compiled._own(folder)
        for name, members in (("staff", []), (group[0], ["another"])):
            monkeypatch.setattr(grp, "getgrgid", lambda _, of=(name, "x", 1, members): grp.struct_group(of))
            assert not compiled._own(folder)
        monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(group))
        path.chmod(before)
        assert compiled._own(folder)
    with monkeypatch.context() as other:
        other.setattr(os, "getuid", lambda: 1)  # somebody else's
        assert not compiled._own(folder)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert not compiled._own(folder)


def test_what_was_not_used_for_longest_goes_first_and_so_does_what_a_killed_process_left(tmp_path):
    for name, size, last in (("old", 40, 1), ("new", 30, 3), ("killed", 0, 4), ("middle", 30, 2)):
        (tmp_path / name).write_bytes(bytes(size))
        os.utime(tmp_path / name, (last, 9))
    compiled._shrink(tmp_path, 100)
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new", "middle"}
    compiled._shrink(tmp_path, 60)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "middle"}
    compiled._shrink(tmp_path, 59)
    assert {path.name for path in tmp_path.iterdir()} == {"new"}


@pytest.fixture
def unsettled(monkeypatch):
    """Give the test a process that has settled nothing about programs; the one that runs the tests keeps them."""
    monkeypatch.setattr(compiled, "_open", 0)
    monkeypatch.setattr(compiled, "_restore", compiled._restore)  # the tests' own, put back at the end
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_compilation_cache_dir", before)
    compilation_cache.reset_cache()


@pytest.mark.usefixtures("unsettled")
def test_what_the_user_has_settled_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    with compiled.kept():
        assert jax.config.values["jax_compilation_cache_dir"] == "elsewhere" and not list(tmp_path.iterdir())
    assert jax.config.values["jax_compilation_cache_dir"] == "elsewhere"


@pytest.mark.usefixtures("unsettled")
def test_the_process_has_its_own_settings_and_no_cache_after_the_last_block(tmp_path, monkeypatch):
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path))
    names = [name for name in jax.config.values if "compilation_cache" in name or "persistent_cache" in name]
    before, filters = {name: jax.config.values[name] for name in names}, list(warnings.filters)
    folder = lambda: jax.config.values["jax_compilation_cache_dir"]  # noqa: E731
    with pytest.raises(RuntimeError), compiled.kept():
        with compiled.kept():  # as a run inside of another, or in a thread beside it
            assert folder().startswith(str(tmp_path))
        assert folder().startswith(str(tmp_path))
        jax.jit(lambda x: x + 11)(1).block_until_ready()
        raise RuntimeError
    assert {name: jax.config.values[name] for name in names} == before and warnings.filters == filters
    written = sorted(tmp_path.rglob("*-cache"))
    jax.jit(lambda x: x * 13)(1).block_until_ready()
    assert written and sorted(tmp_path.rglob("*-cache")) == written

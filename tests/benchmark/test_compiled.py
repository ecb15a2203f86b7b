"""Compiled programs are kept across processes, and are read from no folder that another user could write to."""

import grp
import os
import pwd
import subprocess
import sys

import jax
import pytest

from reincarnate.benchmark import compiled

PROGRAM = """
import jax, numpy
from reincarnate.benchmark import compiled
seen = []
jax.monitoring.register_event_listener(lambda event, **more: seen.append(event))
compiled.keep()
print(jax.jit(lambda x: (x * 3).sum())(numpy.arange(7)), "/jax/compilation_cache/cache_hits" in seen)
"""


def told(caches, **more: str) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = {**plain, "REINCARNATE_CACHE": str(caches), "JAX_PLATFORMS": "cpu", **more}
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
    environment = {**os.environ, "REINCARNATE_CACHE": str(tmp_path), "JAX_PLATFORMS": "cpu"}
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


def test_what_the_user_has_settled_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path))
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    try:
        compiled.keep()
        assert jax.config.values["jax_compilation_cache_dir"] == "elsewhere" and not list(tmp_path.iterdir())
    finally:
        jax.config.update("jax_compilation_cache_dir", before)

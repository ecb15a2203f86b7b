"""Pipes, sockets, devices and links in place of a log's files: refused in a sentence, and never waited for."""

import os
import socket

import numpy as np
import pytest

from reincarnate.datasets import folders
from reincarnate.datasets.rlds import importing
from reincarnate.datasets.rlds.check import check
from reincarnate.datasets.teachers import formats

from ...alarm import within
from ...fuzz import logs

KINDS = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "circle": lambda path: path.symlink_to(path.name),
    "folder": lambda path: path.mkdir(),
}


@pytest.fixture(autouse=True)
def awake():
    """Fail what waits for ever."""
    with within(60):
        yield


def in_place_of_each(source, made, read):
    """Put what is no file in the place of each file in turn; what `read` says then must be one sentence."""
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    assert files
    for path in files:
        kept = path.rename(path.with_name("kept"))
        made(path)
        with pytest.raises(ValueError, match=r"pipe|device|circle|folder|file|missing|episode|column") as caught:
            read()
        assert str(caught.value).isprintable() and path.parent.name in str(caught.value), path
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        kept.rename(path)
    read()


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", logs.FORMATS)
def test_logs_from_elsewhere(tmp_path, kind, made):
    rng = np.random.default_rng(3)
    log = logs.draw(rng, ("",), ("uint8",))
    source, options, _ = logs.FORMATS[kind][0](tmp_path, log, rng)
    out = iter(range(1000))

    def read():
        importing.write(importing.open_source(kind, source, **options), tmp_path / f"out{next(out)}")

    in_place_of_each(source, made, read)


def test_a_log_of_ours(tmp_path):
    rng = np.random.default_rng(3)
    source, options, _ = logs.FORMATS["rlds"][0](tmp_path, logs.draw(rng, ("",), ("uint8",)), rng)
    importing.write(importing.open_source("rlds", source, **options), tmp_path / "out")

    def read():
        if report := check(tmp_path / "out" / "array_record").violations:
            raise ValueError(report[0])

    in_place_of_each(tmp_path / "out" / "array_record", os.mkfifo, read)


def test_a_teacher_beside_a_pipe(tmp_path):
    """A card and a configuration are read beside a teacher's file."""
    for name in ("config.json", "README.md"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=r"config\.json is a named pipe, not a file"):
        formats.config_of(tmp_path)
    with pytest.raises(ValueError, match=r"README\.md is a named pipe, not a file"):
        formats.claim.read(tmp_path)
    os.mkfifo(tmp_path / "model.zip")
    with pytest.raises(ValueError, match=r"model\.zip is a named pipe, not a file"):
        formats.read(tmp_path)


def test_a_link_to_a_file_is_followed_and_one_to_nothing_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nothing").symlink_to("nowhere")
    assert folders.regular(tmp_path / "link").read_bytes() == b"1"
    assert folders.regular(tmp_path / "missing") == tmp_path / "missing"
    with pytest.raises(ValueError, match="nothing is a link to a file that is not there"):
        folders.regular(tmp_path / "nothing")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s"))
        with pytest.raises(ValueError, match="s is a socket, not a file"):
            folders.regular(tmp_path / "s")

"""Files of a sweep and of caches that are damaged, or no files: a sentence that names them, or made again."""

import json
import os

import numpy as np
import pytest

from reincarnate.benchmark.evaluation import shared
from reincarnate.benchmark.sweep import grid, program_costs
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.hub import place
from reincarnate.datasets.rlds import cache
from reincarnate.leaderboard.record import Evaluation

from ...alarm import within
from ...datasets.logs import log

DAMAGED = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(b'{"a": "1'),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "null": lambda path: path.write_bytes(b"null"),
    "number": lambda path: path.write_bytes(b"3"),
    "other": lambda path: path.write_bytes(b'{"a": {"b": 1}, "schema": 99}'),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
}
SPECIAL = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: path.symlink_to("nowhere"),
    "folder": lambda path: path.mkdir(),
}
PLAYED = Evaluation(returns=(1.0, 3.0), lengths=(4, 5), epsilon=0.0, seeds=(0, 1))


@pytest.fixture(autouse=True)
def awake():
    """Fail what waits for ever."""
    with within(60):
        yield


@pytest.mark.parametrize("made", [*DAMAGED.values(), *SPECIAL.values()], ids=[*DAMAGED, *SPECIAL])
def test_jobs_and_failures_are_never_guessed(tmp_path, made):
    """Nobody's jobs are started twice because a file is damaged."""
    (tmp_path / "failures").mkdir()
    for path, read in (
        (tmp_path / "jobs.json", grid.job_ids),
        (tmp_path / "failures" / "cell.json", lambda _: grid.failures(tmp_path, "cell")),
    ):
        made(path)
        with pytest.raises(
            ValueError, match=f"{path.name} is .*: (remove it, and|put the file itself there)"
        ) as caught:
            read(path)
        assert str(path) in str(caught.value) and str(caught.value).isprintable()


def test_jobs_and_failures_are_what_was_written(tmp_path):
    assert grid.job_ids(tmp_path / "jobs.json") == {} and grid.failures(tmp_path, "cell") == []
    (tmp_path / "jobs.json").write_text(json.dumps({"cell": "17"}))
    grid.fail(tmp_path, "cell", "no memory")
    assert grid.job_ids(tmp_path / "jobs.json") == {"cell": "17"} and grid.failures(tmp_path, "cell") == ["no memory"]


@pytest.mark.parametrize("made", [*DAMAGED.values(), *SPECIAL.values()], ids=[*DAMAGED, *SPECIAL])
def test_what_was_played_is_played_again(tmp_path, made):
    asked = tmp_path, find("gym/CartPole-v1"), np.arange(2), "player"
    assert shared.once(*asked, lambda: PLAYED) == PLAYED
    (path,) = tmp_path.iterdir()
    path.unlink()
    made(path)
    assert shared.once(*asked, lambda: PLAYED) == PLAYED
    if not path.is_dir():
        assert Evaluation.model_validate_json(path.read_bytes()) == PLAYED and not path.is_symlink()


@pytest.mark.parametrize("made", [*DAMAGED.values(), *SPECIAL.values()], ids=[*DAMAGED, *SPECIAL])
def test_prices_are_counted_again(tmp_path, made):
    made(tmp_path / "price.json")
    found = program_costs._read(tmp_path / "price.json")
    assert not any(program_costs._sound(value, 2) for value in found.values())


@pytest.mark.parametrize("made", [*DAMAGED.values(), *SPECIAL.values()], ids=[*DAMAGED, *SPECIAL])
@pytest.mark.parametrize("name", ["meta.json", "action"])
def test_a_cached_log_is_decoded_again(tmp_path, made, name):
    log(tmp_path / "log")
    first = cache.cached(tmp_path / "log", root=tmp_path / "cache")
    (found,) = cache.entries(tmp_path / "cache")
    path = found.folder / name
    path.unlink()
    made(path)
    assert cache._opened(found.folder) is None
    list(cache.entries(tmp_path / "cache"))
    again = cache.cached(tmp_path / "log", root=tmp_path / "cache")
    assert np.array_equal(again.action, first.action) and np.array_equal(again.frame, first.frame)


@pytest.mark.parametrize("made", [*DAMAGED.values(), *SPECIAL.values()], ids=[*DAMAGED, *SPECIAL])
def test_the_address_of_no_server_is_no_server(tmp_path, made):
    made(tmp_path / "server.json")
    assert place.running(tmp_path) == ""

"""Bad episodes on the command line: an error that names the first one, or all of them left out, told and counted."""

import pytest

from reincarnate.datasets.rlds.read import read

from ...datasets.logs import log, rewrite
from .test_datasets import refused, reincarnate


@pytest.mark.parametrize("command", ["export", "import"])
def test_bad_episodes_are_named_or_skipped_and_counted(tmp_path, command):
    log(tmp_path / "log", "vector", checkpoints=[4])
    for number in (1, 2):
        rewrite(tmp_path / "log", lambda record: b"\x0b" * 40, episode=number)
    words = (command, tmp_path / "log", tmp_path / "out", *(("--from", "rlds") if command == "import" else ()))
    refused(reincarnate("datasets", *words), "00000-of-00001, episode 1: the record is not a tf.train.Example")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("*/dataset_info.json"))
    answer = reincarnate("datasets", *words[:2], tmp_path / "kept", *words[3:], "--skip-bad-episodes")
    assert answer.code == 0, answer.err
    *each, count = answer.err.splitlines()
    assert [f"episode {number}: " in line for number, line in zip((1, 2), each, strict=True)] == [True, True]
    assert count == "2 bad episodes skipped"
    folder = tmp_path / "kept" / "array_record" if command == "import" else tmp_path / "kept"
    assert [episode.episode_id for episode in read(folder)] == [0, 3]

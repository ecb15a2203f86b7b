"""Parts of logs: checkpoint ranges, return quantiles, and the runs of RL Unplugged."""

import numpy as np
import pytest

from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.rlds import exporting, importing
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.read import load, read
from reincarnate.datasets.rlds.select import LogPart, by_return, checkpoints
from reincarnate.datasets.rlds.write import LogWriter
from reincarnate.datasets.transition import Steps

from ..logs import log


def test_checkpoints_by_their_order(tmp_path):
    log(tmp_path / "log", "vector", checkpoints=(1, 1, 1, 1))
    names = [f"checkpoint_0{number}" for number in range(4)]
    for first, last, wanted in ((None, None, names), (-2, None, names[2:]), (1, 2, names[1:3]), (0, -4, names[:1])):
        assert checkpoints(tmp_path / "log", first, last) == wanted
    assert checkpoints(tmp_path / "log", -9) == names
    with pytest.raises(ValueError, match="checkpoints 0 to 3; none of them is from 4"):
        checkpoints(tmp_path / "log", 4)
    with pytest.raises(ValueError, match="none of them"):
        checkpoints(tmp_path / "log", 0, -5)


def test_the_hundredth_checkpoint_comes_after_the_ninety_ninth(tmp_path):
    with LogWriter(tmp_path / "log" / "array_record", "toy", np.zeros(1, np.float32), 2) as writer:
        for number in (0, 9, 99, 100, 1000):
            frames = np.full((3, 1), number, np.float32)
            writer.add(Episode.of(frames, [0, 1], [1.0, 1.0], True, number, checkpoint_id=number))
    shards = tmp_path / "log" / "array_record"
    assert checkpoints(shards, -2) == ["checkpoint_100", "checkpoint_1000"]
    assert [int(episode.steps.frame[0, 0]) for episode in read(shards)] == [0, 9, 99, 100, 1000]
    assert load(shards).frame[::3, 0].tolist() == [0, 9, 99, 100, 1000]
    exporting.export(shards, tmp_path / "rows", "parquet")
    for kind, place in (("rlds", shards), ("parquet", tmp_path / "rows")):
        made = importing.write(importing.open_source(kind, place), tmp_path / kind)
        got = [(episode.checkpoint_id, int(episode.steps.frame[0, 0])) for episode in read(made.folder)]
        assert got == [(number, number) for number in (0, 9, 99, 100, 1000)] and made.notes == []


def _episodes(*returns):
    """Return episodes of two transitions with these returns; the last step's reward means nothing."""
    size = 3 * len(returns)
    first, last = np.arange(size) % 3 == 0, np.arange(size) % 3 == 2
    reward = np.array([[r - 1, 1, 99] for r in returns], np.float32).ravel()
    return Steps(np.zeros((size, 1), np.uint8), np.zeros(size, np.int32), reward, first, last, last)


def test_episodes_by_the_quantile_of_their_return():
    steps = _episodes(5, 1, 9, 3, 7)
    assert by_return(steps, 0.5).reshape(5, 3).tolist() == [[b] * 3 for b in (True, False, True, False, True)]
    assert by_return(steps, 0.25, 0.5).reshape(5, 3)[:, 0].tolist() == [True, False, False, True, False]
    assert by_return(steps, 0).all()
    assert len(Replay.of(steps, 1, by_return(steps, 1.0))) == 2
    with pytest.raises(ValueError, match="between 0 and 1"):
        by_return(steps, 0.6, 0.5)


def test_a_part_is_read_as_it_is_written():
    assert LogPart.parse("me/log@main") == LogPart("me/log@main")
    assert LogPart.parse("me/log:checkpoints=40-49:share=0.3") == LogPart(
        "me/log", 40, 49, share=0.3, options="checkpoints=40-49:share=0.3"
    )
    assert LogPart.parse("logs/a:checkpoints=-5") == LogPart("logs/a", -5, options="checkpoints=-5")
    assert LogPart.parse("logs/a:checkpoints=7:returns=.5") == LogPart(
        "logs/a", 7, 7, low=0.5, options="checkpoints=7:returns=.5"
    )
    assert LogPart.parse("C:/logs/a:returns=0.25-0.5")[:5] == ("C:/logs/a", None, None, 0.25, 0.5)


@pytest.mark.parametrize("place", ["a:b=c/log", "d/log:share=0.5", "at=@x:share=0.25/log", "e:checkpoints=3"])
def test_a_folder_that_exists_is_no_part_of_one_with_another_name(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / place).mkdir(parents=True)
    for text in (place, str(tmp_path / place)):
        assert LogPart.parse(text) == LogPart(text)
        assert LogPart.parse(f"{text}:checkpoints=1:share=0.5") == LogPart(
            text, 1, 1, share=0.5, options="checkpoints=1:share=0.5"
        )


@pytest.mark.parametrize(
    "option",
    ["checkpoint=3", "checkpoints=", "checkpoints=3-", "checkpoints=-0", "returns=0.6-0.5", "returns=0.5-2"]
    + ["returns=2", "returns=-1", "share=0", "share=-1", "share=nan", "checkpoints=a", "share=1.2.3"],
)
def test_a_part_that_cannot_be_is_refused(option):
    with pytest.raises(ValueError, match=f"^'{option}' does not select a part of the log me/log: write "):
        LogPart.parse(f"me/log:{option}")

"""What we write opens in TFDS and rlds with TensorFlow, and what they write opens here. Skipped without TensorFlow."""

import importlib.util
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("rlds") is None:
    pytest.skip("needs the extra tf", allow_module_level=True)

import tensorflow as tf  # pyright: ignore
import tensorflow_datasets as tfds

from reincarnate.datasets.hub import hub
from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.rlds.copy import copy
from reincarnate.datasets.rlds.read import load, read
from reincarnate.datasets.rlds.schema import features
from reincarnate.datasets.tf import as_rlds_dataset, stub_reverb

from ..datasets.logs import FRAMES, episode, log, same

stub_reverb()
import rlds  # noqa: E402  # pyright: ignore[reportMissingImports]
from rlds.rlds_types import is_valid_rlds_dataset  # noqa: E402  # pyright: ignore[reportMissingImports]


def _check(episodes, dataset):
    """Assert that every step of every episode of a nested dataset equals ours."""
    got = list(dataset)
    assert len(got) == len(episodes)
    for a, b in zip(episodes, got, strict=True):
        steps = list(b["steps"].as_numpy_iterator())
        s = a.steps
        assert np.array_equal(np.stack([x["observation"] for x in steps]).reshape(s.frame.shape), s.frame)
        for name in ("is_first", "is_last", "is_terminal"):
            assert [x[name] for x in steps] == getattr(s, name).tolist()
        assert [x["action"] for x in steps[:-1]] == s.action[:-1].tolist()
        assert [x["reward"] for x in steps[:-1]] == s.reward[:-1].tolist()
        assert steps[-2]["discount"] == (0 if s.is_terminal[-1] else 1)
        assert int(b["episode_id"]) == a.episode_id


def _tfrecord(tmp_path, kind="pixels"):
    episodes = log(tmp_path / "log", kind, values=True)
    copy(tmp_path / "log", tmp_path / "tfrecord", "tfrecord")
    builder: Any = tfds.builder_from_directory(tmp_path / "tfrecord")
    return episodes, builder


@pytest.mark.parametrize("kind", FRAMES)
def test_tfds_reads_our_tfrecord(tmp_path, kind):
    episodes, builder = _tfrecord(tmp_path, kind)
    _check(episodes[:3], builder.as_dataset(split="checkpoint_00", shuffle_files=False))
    _check(episodes[3:], builder.as_dataset(split="checkpoint_01", shuffle_files=False))
    for a, b in zip(episodes, read(tmp_path / "tfrecord"), strict=True):
        assert same(a.steps, b.steps)


@pytest.mark.parametrize("kind", FRAMES)
def test_users_of_rlds_get_their_nested_dataset(tmp_path, kind):
    episodes = log(tmp_path / "log", kind)
    dataset = as_rlds_dataset(tmp_path / "log")
    _check(episodes, dataset)
    assert is_valid_rlds_dataset(dataset)


def test_a_reference_at_a_hub_is_a_nested_dataset_too():
    """The log that ships with the package: the first episode, step by step, and pinned to its commit."""
    name = "reincarnate/pong-rainbow-log"
    folder, ref = hub.open_ref(name, "dataset")
    ours = next(read(folder / "array_record"))
    for reference in (name, str(ref), folder, folder / "array_record"):
        _check([ours], as_rlds_dataset(reference).take(1))
    with pytest.raises(ValueError, match="the bundled hub has no dataset me/none"):
        as_rlds_dataset("me/none")


@pytest.mark.parametrize("source", ["tfrecord", "array_record"])
def test_genuine_rlds_transformations_agree(tmp_path, source):
    episodes, builder = _tfrecord(tmp_path)
    if source == "tfrecord":
        dataset = builder.as_dataset(split="checkpoint_00", shuffle_files=False)
        assert is_valid_rlds_dataset(dataset)
    else:
        dataset = as_rlds_dataset(tmp_path / "log", "checkpoint_00")
    for a, b in zip(episodes, dataset, strict=False):
        s, steps = a.steps, b["steps"]
        total = rlds.transformations.sum_dataset(steps, lambda step: step["reward"])
        assert float(total) == a.raw_return
        pairs = list(rlds.transformations.batch(steps, size=2, shift=1, drop_remainder=True).as_numpy_iterator())
        assert len(pairs) == a.length
        for t, pair in enumerate(pairs):
            assert np.array_equal(pair["observation"][..., 0], s.frame[t : t + 2])
            assert pair["reward"][0] == s.reward[t]
            assert pair["is_terminal"][1] == s.is_terminal[t + 1]
        # n-step alignment: the return of three steps from windows of four, as the RLDS tutorial does it
        windows = rlds.transformations.batch(steps, size=4, shift=1, drop_remainder=True).as_numpy_iterator()
        for t, window in enumerate(windows):
            assert window["reward"][:3].sum() == s.reward[t : t + 3].sum()
            assert np.array_equal(window["observation"][3, ..., 0], s.frame[t + 3])
        arrived = list(rlds.transformations.shift_keys(steps, ["reward"], -1).as_numpy_iterator())
        assert [step["reward"] for step in arrived] == s.reward[:-1].tolist()  # beside the step that it led to
        assert np.array_equal(np.stack([step["observation"][..., 0] for step in arrived]), s.frame[1:])


def test_our_replay_and_rlds_windows_agree_on_n_step_returns(tmp_path):
    """Discounted sums over three steps and the observation after them, from every place that has three before it."""
    episodes = log(tmp_path / "log", checkpoints=(3,))
    replay, begin = Replay.of(load(tmp_path / "log"), 1), 0
    discounts = np.float32(0.9) ** np.arange(3, dtype=np.float32)
    for a, b in zip(episodes, as_rlds_dataset(tmp_path / "log"), strict=True):
        windows = rlds.transformations.batch(b["steps"], size=4, shift=1, drop_remainder=True).as_numpy_iterator()
        for t, window in enumerate(windows):
            batch = replay.gather(np.array([0]), np.array([begin + t]), 3, 0.9, False)
            assert batch.span[0] == 3 and batch.action[0] == window["action"][0]
            np.testing.assert_allclose(batch.reward[0], np.sum(window["reward"][:3] * discounts), rtol=1e-6)
            assert (batch.discount[0] == 0) == (window["discount"][2] == 0)
            assert np.array_equal(batch.window[0], window["observation"][..., 0])
        begin += a.length + 1


def _plain(one):
    """Return an episode as the dictionaries that TFDS encodes."""
    s = one.steps
    discount = np.where(s.is_terminal, 0, 1).astype(np.float32)
    columns = (s.frame[..., None], s.action, s.reward, discount, s.is_first, s.is_last, s.is_terminal)
    names = ("observation", "action", "reward", "discount", "is_first", "is_last", "is_terminal")
    steps = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    about = {"checkpoint_id": 0, "episode_id": one.episode_id, "episode_return": one.clipped_return}
    about |= {"episode_length": one.length, "raw_return": one.raw_return, "environment_config": "{}"}
    return {"steps": [{**x, "action": int(x["action"])} for x in steps], **about, "agent_id": "", "invalid": False}


@pytest.mark.parametrize("png", [True, False])
@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_what_tfds_writes_is_read(tmp_path, png, file_format):
    rng = np.random.default_rng(0)
    episodes = [episode(rng, number) for number in range(3)]

    class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            spec = features((84, 84), np.uint8, 6, png=png)
            return tfds.core.DatasetInfo(builder=self, description="toy", features=spec, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"train": ((number, _plain(one)) for number, one in enumerate(episodes))}

        def _generate_examples(self):
            raise NotImplementedError

    builder = Toy(data_dir=tmp_path, file_format=file_format)
    builder.download_and_prepare()
    for a, b in zip(episodes, read(builder.data_dir), strict=True):
        assert same(a.steps, b.steps)
        assert a.episode_id == b.episode_id


def test_what_the_rlds_episode_writer_writes_is_read(tmp_path):
    from rlds.tfds.episode_writer import EpisodeWriter  # pyright: ignore[reportMissingImports]

    rng = np.random.default_rng(0)
    episodes = [episode(rng, number) for number in range(3)]
    make: Any = tfds.rlds.rlds_base.DatasetConfig
    config = make(
        name="toy",
        observation_info=tfds.features.Image(shape=(84, 84, 1), dtype=np.uint8, encoding_format="png"),
        action_info=np.int64,
        reward_info=np.float32,
        discount_info=np.float32,
        episode_metadata_info={"episode_id": np.int64},
    )
    (tmp_path / "theirs").mkdir()
    writer = EpisodeWriter(str(tmp_path / "theirs"), config, max_episodes_per_file=2)
    for one in episodes:
        plain = _plain(one)
        writer.add_episode({"steps": plain["steps"], "episode_id": one.episode_id})
    writer.close()
    for a, b in zip(episodes, read(tmp_path / "theirs"), strict=True):
        assert same(a.steps, b.steps)
        assert a.episode_id == b.episode_id


assert tf  # imported first: rlds and TFDS load it late and print its banner into the tests

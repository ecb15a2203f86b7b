"""Logs of Dopamine, Minari, Stable-Baselines3 and of a callable, each rebuilt from known episodes."""

import gzip
import io
import json

import numpy as np
import pytest

from reincarnate.datasets.rlds import from_dopamine, from_minari, from_npz, importing, survey
from reincarnate.datasets.rlds.copy import write
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.play import play
from reincarnate.datasets.rlds.read import read
from reincarnate.datasets.rlds.source import CUT, Bad

from ..logs import episode, same, taken


def _save(folder, name, array, number=3):
    with gzip.open(folder / f"{name}_ckpt.{number}.gz", "wb", compresslevel=1) as file:
        np.save(file, array, allow_pickle=array.dtype == object)  # pyright: ignore[reportArgumentType]


def _dopamine(folder, episodes, capacity=None, unfinished=None):
    """Write what Dopamine's buffer does: three blank transitions before each episode, nothing seen after its end."""
    rows = []
    for one in [*episodes, *([unfinished] if unfinished else [])]:
        s = one.steps
        rows += [(np.zeros((84, 84), np.uint8), 0, 0.0, 0)] * 3
        last = s.is_last if one is unfinished else s.is_last[1:]
        for t in range(len(s.action) if one is unfinished else one.length):
            terminal = int(last[t]) if one is not unfinished else 0
            rows.append((s.frame[t], int(s.action[t]), float(s.reward[t]), terminal))
    added, capacity = len(rows), capacity or len(rows)
    ring = [rows[0]] * capacity
    for number, row in enumerate(rows):
        ring[number % capacity] = row
    folder.mkdir()
    for index, (name, dtype) in enumerate(
        (("observation", np.uint8), ("action", np.int32), ("reward", np.float32), ("terminal", np.uint8))
    ):
        _save(folder, f"$store$_{name}", np.array([row[index] for row in ring], dtype))
    _save(folder, "add_count", np.array(added))


def _ended(seed=0, count=5):
    rng = np.random.default_rng(seed)
    return [episode(rng, 30_000_000 + number, terminal=True, size=4 + number) for number in range(count)]


def _same_transitions(a, b):
    """Assert that two episodes agree in all that Dopamine stores."""
    ours, theirs = a.steps, b.steps
    assert np.array_equal(ours.frame[:-1], theirs.frame[:-1])
    assert np.array_equal(ours.action[:-1], theirs.action[:-1])
    assert np.array_equal(ours.reward[:-1], theirs.reward[:-1])
    assert np.array_equal(ours.is_terminal, theirs.is_terminal)


def test_a_dopamine_log_is_its_episodes(tmp_path):
    episodes = _ended()
    tail = episode(np.random.default_rng(9), 30_000_005, size=5, terminal=False)
    _dopamine(tmp_path / "replay", episodes, unfinished=tail)
    assert from_dopamine.checkpoints(tmp_path / "replay") == [3]
    got = taken(from_dopamine.read(tmp_path / "replay", 3))
    assert [e.episode_id for e in got] == [30_000_000 + n for n in range(6)]
    for a, b in zip(episodes, got, strict=False):
        _same_transitions(a, b)
        assert not b.steps.frame[-1].any()  # never stored, never bootstrapped from
    assert same(tail.steps, got[-1].steps)
    write(got, tmp_path / "log", "pong", 6)
    assert all(same(a.steps, b.steps) for a, b in zip(got, read(tmp_path / "log"), strict=True))


def test_a_ring_that_wrapped_is_read_from_its_oldest_transition(tmp_path):
    episodes = _ended()  # 4 5 6 7 8 transitions and 15 of padding: 45 rows
    _dopamine(tmp_path / "replay", episodes, capacity=31)
    got = taken(from_dopamine.read(tmp_path / "replay", 3))
    assert [e.length for e in got] == [1, 6, 7, 8]  # 14 rows are overwritten: all of the second but its last
    assert np.array_equal(got[0].steps.frame[0], episodes[1].steps.frame[4])
    for a, b in zip(episodes[2:], got[1:], strict=True):
        _same_transitions(a, b)


def test_a_blank_observation_is_not_taken_for_padding(tmp_path):
    rng = np.random.default_rng(0)
    blank = episode(rng, 0, terminal=True, size=4)
    blank.steps.frame[0], blank.steps.action[0], blank.steps.reward[0] = 0, 0, 0
    _dopamine(tmp_path / "replay", [blank, blank])
    for got in taken(from_dopamine.read(tmp_path / "replay", 3)):
        _same_transitions(blank, got)


def test_a_dopamine_log_is_cut_where_an_episode_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(from_dopamine, "LONGEST", 10)
    (long,) = (episode(np.random.default_rng(0), 0, size=25, terminal=True),)
    _dopamine(tmp_path / "replay", [long])
    got = taken(from_dopamine.read(tmp_path / "replay", 3))
    assert [e.length for e in got] == [10, 10, 5]
    assert [bool(e.steps.is_terminal[-1]) for e in got] == [False, False, True]
    rewards = np.concatenate([e.steps.reward[:-1] for e in got])
    assert np.array_equal(rewards, long.steps.reward[:-1])
    assert np.array_equal(np.concatenate([e.steps.frame[:-1] for e in got]), long.steps.frame[:-1])


@pytest.mark.parametrize(
    "damage, sentence",
    [
        (lambda folder: (folder / "$store$_reward_ckpt.3.gz").unlink(), "reward.* is missing"),
        (lambda folder: (folder / "$store$_reward_ckpt.3.gz").write_bytes(b"no gzip"), "not a gzipped numpy array"),
        (lambda folder: _save(folder, "$store$_action", np.array([{"a": 1}], object)), "Python objects"),
        (lambda folder: _save(folder, "$store$_action", np.zeros(3, np.int32)), "different lengths"),
        (lambda folder: _save(folder, "$store$_observation", np.zeros((3, 84, 84), np.uint8)), "not 45 frames"),
        (lambda folder: _cut(folder / "$store$_observation_ckpt.3.gz"), "damaged|cut short"),
        (lambda folder: _flipped(folder / "$store$_observation_ckpt.3.gz"), "damaged: CRC check failed"),
        (lambda folder: _flipped(folder / "$store$_reward_ckpt.3.gz"), "damaged: CRC check failed"),
        (lambda folder: _announced(folder, "reward", (44,), "<f4", 45 * 4), "holds more than the array that it states"),
        (lambda folder: _announced(folder, "terminal", (-1,), "|u1", 45), r"the impossible shape \[-1\]"),
        (lambda folder: _announced(folder, "action", (2**32, 2**32), "<i4", 45), "larger than a column may be"),
        (lambda folder: _announced(folder, "observation", (45, 2**32, 2**32), "|u1", 45), "has frames of"),
        (lambda folder: _announced(folder, "observation", (45, 0), "|u1", 0), r"holds uint8\[45, 0\], not 45 frames"),
    ],
)
def test_a_damaged_dopamine_log_is_one_sentence(tmp_path, damage, sentence):
    _dopamine(tmp_path / "replay", _ended())
    damage(tmp_path / "replay")
    with pytest.raises(ValueError, match=sentence):
        taken(from_dopamine.read(tmp_path / "replay", 3))


def _cut(path):
    path.write_bytes(path.read_bytes()[:-2000])


def _flipped(path):
    """Change one byte of the last array element, which gzip stored as it is."""
    data = bytearray(gzip.decompress(path.read_bytes()))
    stored = bytearray(gzip.compress(bytes(data), 0))
    stored[-9] ^= 1  # before the checksum and the size
    path.write_bytes(bytes(stored))


def _announced(folder, name, shape, dtype, size):
    """Write an array whose header states a shape that its bytes may not have."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    (folder / f"$store$_{name}_ckpt.3.gz").write_bytes(gzip.compress(header.getvalue() + bytes(size)))


def test_a_dopamine_log_to_which_nothing_was_added_holds_no_episode(tmp_path):
    _dopamine(tmp_path / "replay", _ended())
    _save(tmp_path / "replay", "add_count", np.array(0))
    with pytest.raises(ValueError, match="holds no episode: nothing is imported"):
        importing.write(importing.open_source("dopamine", tmp_path / "replay"), tmp_path / "log")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_observation_of_no_numbers_is_refused_before_it_is_written(dtype):
    with pytest.raises(ValueError, match=rf"its observation is {np.dtype(dtype)}\[0\]: there is nothing to be seen"):
        Episode.of(np.zeros((3, 0), dtype), [0, 1], [0.0, 1.0], True, 0)


def _stacked(saved, name):
    """Return stacks [T, N, 4, H, W] of a buffer's frames [T, N, H, W]; an episode begins after each that is done."""
    out = np.zeros((*saved[name].shape[:2], 4, *saved[name].shape[2:]), np.uint8)
    for env in range(out.shape[1]):
        seen = [np.zeros_like(out[0, 0, 0])] * 4
        for t in range(len(out)):
            seen = [*seen[1:], saved["observations"][t, env]]
            out[t, env] = seen if name == "observations" else [*seen[1:], saved[name][t, env]]
            seen = [np.zeros_like(out[0, 0, 0])] * 4 if saved["dones"][t, env] else seen
    return out


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_replay_buffer_saved_as_npz_is_its_episodes(tmp_path, stacked, after):
    rng = np.random.default_rng(0)
    per_env = [[episode(rng, 0, terminal=True, size=5), episode(rng, 1, terminal=False, size=3)] for _ in range(2)]
    arrays = {name: [] for name in ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")}
    for episodes in per_env:
        for name, column in {
            "observations": [e.steps.frame[:-1] for e in episodes],
            "next_observations": [e.steps.frame[1:] for e in episodes],
            "actions": [e.steps.action[:-1] for e in episodes],
            "rewards": [e.steps.reward[:-1] for e in episodes],
            "dones": [e.steps.is_last[1:] for e in episodes],
            "timeouts": [e.steps.is_last[1:] & ~e.steps.is_terminal[1:] for e in episodes],
        }.items():
            arrays[name].append(np.concatenate(column))
    saved = {name: np.stack(columns, axis=1) for name, columns in arrays.items()}
    if stacked:  # of four frames, zeros in front of an episode's first
        saved |= {name: _stacked(saved, name) for name in ("observations", "next_observations")}
    if not after:
        saved.pop("next_observations")
    saved["actions"] = saved["actions"][..., None]  # as Stable-Baselines3 has them
    np.savez(tmp_path / "buffer.npz", **saved)  # pyright: ignore[reportArgumentType]
    imported = importing.write(from_npz.open(tmp_path / "buffer.npz"), tmp_path / "log")
    assert sorted(imported.notes) == sorted([survey.PLAIN_STACKED] * stacked + [CUT] * (not after))
    got = list(read(tmp_path / "log" / "array_record"))
    assert len(got) == 4
    for a, b in zip([one for episodes in per_env for one in episodes], got, strict=True):
        if after:
            assert same(a.steps, b.steps)
        elif a.steps.is_terminal[-1]:
            _same_transitions(a, b)
        else:  # without the observation after the time-out its last transition cannot be used
            assert np.array_equal(a.steps.frame[:-1], b.steps.frame)
            assert np.array_equal(a.steps.reward[:-2], b.steps.reward[:-1])


def test_an_npz_of_something_else_is_one_sentence(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="has no array 'actions'"):
        taken(from_npz.open(tmp_path / "other.npz").read())
    (tmp_path / "none.npz").write_bytes(b"PK but no zip")
    with pytest.raises(ValueError, match="not a replay buffer"):
        taken(from_npz.open(tmp_path / "none.npz").read())
    np.savez(tmp_path / "objects.npz", actions=np.array([{}], object))
    with pytest.raises(ValueError, match="not a replay buffer"):
        taken(from_npz.open(tmp_path / "objects.npz").read())


def test_minari_episodes(tmp_path):
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    episodes = [episode(rng, number, "vector") for number in range(12)]
    (tmp_path / "data").mkdir()
    with h5py.File(tmp_path / "data" / "main_data.hdf5", "w") as file:
        for one in episodes:
            s, group = one.steps, file.create_group(f"episode_{one.episode_id}")
            group["observations"], group["actions"] = s.frame, s.action[:-1].astype(np.int64)
            group["rewards"] = s.reward[:-1].astype(np.float64)
            group["terminations"] = s.is_terminal[1:]
            group["truncations"] = s.is_last[1:] & ~s.is_terminal[1:]
            group.attrs["total_steps"] = one.length
    assert all(same(a.steps, b.steps) for a, b in zip(episodes, taken(from_minari.open(tmp_path).read()), strict=True))
    with h5py.File(tmp_path / "data" / "main_data.hdf5", "a") as file:
        file["episode_3"].attrs["total_steps"] = 1 + episodes[3].length
    told = [one.sentence for one in from_minari.open(tmp_path).read() if isinstance(one, Bad)]
    count = episodes[3].length
    assert len(told) == 1 and f"episode 3: it holds {count} steps where its own metadata state {count + 1}" in told[0]
    with h5py.File(tmp_path / "data" / "main_data.hdf5", "a") as file:
        del file["episode_0/actions"]
        file["episode_0/actions"] = np.zeros((3, 2, 2), np.float32)
    with pytest.raises(ValueError, match="not discrete"):
        taken(from_minari.open(tmp_path).read())


class Count:
    """Shows how often it was stepped; ends after four steps."""

    def reset(self, seed=None):
        self.t = 0
        return np.array([0.0]), {}

    def step(self, action):
        self.t += 1
        return np.array([float(self.t)]), float(action), self.t == 4, False, {}


def test_any_callable_plays():
    got = list(play(Count(), lambda observation: int(observation[0]) % 2, 10))
    assert [e.length for e in got] == [4, 4, 2]
    assert [bool(e.steps.is_terminal[-1]) for e in got] == [True, True, False]
    assert got[0].steps.frame[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert got[0].steps.reward[:-1].tolist() == [0, 1, 0, 1]
    assert got[0].steps.frame.dtype == np.float32


class InPlace(Count):
    """Shows the same array all the time."""

    def reset(self, seed=None):
        self.t, self.seen = 0, np.zeros(1, np.float32)
        return self.seen, {}

    def step(self, action):
        self.seen += 1
        _, reward, terminal, cut, info = super().step(action)
        return self.seen, reward, terminal, cut, info


def test_an_observation_is_kept_as_it_was_shown():
    (got,) = play(InPlace(), lambda observation: np.array([1.0]), 4)
    assert got.steps.frame[:, 0].tolist() == [0, 1, 2, 3, 4] and got.steps.action[:-1].tolist() == [1] * 4


@pytest.mark.parametrize("chosen", [0.7, np.nan, np.inf, None, [0, 1], "1"])
def test_an_action_is_never_rounded(chosen):
    with pytest.raises(ValueError, match="it must give one whole number"):
        list(play(Count(), lambda observation: chosen, 4))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"total_steps": 9}, "data holds 4 steps where its metadata.json states 9"),
        ({"total_episodes": "many"}, "state 'many' for total_episodes, which is not a number"),
        ({"action_space": {"type": "Discrete", "dtype": "int64", "start": 0, "n": 10**18}}, "1 to 65,536 are possible"),
        ({"total_steps": 4, "total_episodes": 1.0}, ""),
    ],
)
def test_metadata_that_contradict_the_episodes_are_refused(tmp_path, said, sentence):
    h5py = pytest.importorskip("h5py")
    data = tmp_path / "data"
    data.mkdir()
    (data / "metadata.json").write_text(json.dumps(said))
    with h5py.File(data / "main_data.hdf5", "w") as file:
        last = np.arange(4) == 3
        columns = {
            "observations": np.zeros((5, 2), np.float32),
            "actions": np.array([0, 1, 2, 1]),
            "rewards": np.ones(4),
        }
        for name, column in {**columns, "terminations": last, "truncations": ~last & last}.items():
            file[f"episode_0/{name}"] = column
    if not sentence:
        assert len(list(from_minari.open(tmp_path).read())) == 1
        return
    with pytest.raises(ValueError, match=sentence):
        list(from_minari.open(tmp_path).read())

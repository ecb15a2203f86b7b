"""Logs as strangers make them: the true values come out, or a sentence says why not, and nothing is left behind."""

import gzip
import io
import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from reincarnate.datasets.rlds import from_npz, importing, stacks, survey, tf_example
from reincarnate.datasets.rlds.check import check
from reincarnate.datasets.rlds.read import read
from reincarnate.datasets.rlds.source import CUT, JPEG
from reincarnate.datasets.rlds.tfrecord import TFRecordWriter


def imported(kind, path, tmp_path, skip=False, name="", actions=0, frame=None, **options):
    """Return what the importer made of a log, and its episodes; whatever is written passes our own check."""
    wish = importing.Wish(name, actions, frame, skip)
    made = importing.write(importing.open_source(kind, path, **options), tmp_path / "out", wish)
    report = check(made.folder)
    assert report.violations == [] and report.checksums == "verified"
    return made, list(read(made.folder))


def refused(kind, path, tmp_path, sentence, **options):
    """Assert that a log is refused with a sentence, and that nothing is written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=sentence) as caught:
        imported(kind, path, tmp_path, **options)
    assert "\n" not in str(caught.value) and sorted(tmp_path.rglob("*")) == before


def values(episodes):
    """Return (first number of each observation, actions, rewards, whether it ended) of each."""
    return [
        (
            e.steps.frame.reshape(len(e.steps.action), -1)[:, 0].tolist(),
            e.steps.action[:-1].tolist(),
            e.steps.reward[:-1].tolist(),
            bool(e.steps.is_terminal[-1]),
        )
        for e in episodes
    ]


# -- npz


def buffer(path, **changes):
    """Return six rows of one environment, two episodes of three: the first ended, the second cut off."""
    seen = np.arange(6, dtype=np.float32).reshape(6, 1, 1)
    arrays = {
        "observations": seen,
        "next_observations": seen + 1,
        "actions": np.array([0, 1, 2, 2, 1, 0])[:, None, None],
    }
    arrays |= {"rewards": np.arange(6, dtype=np.float32)[:, None], "dones": np.array([[0], [0], [1], [0], [0], [1]])}
    arrays |= {"timeouts": np.array([[0], [0], [0], [0], [0], [1]]), "pos": np.array(0), "full": np.array(True)}
    arrays |= changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_a_buffer_is_its_two_episodes(tmp_path):
    _, got = imported("npz", buffer(tmp_path / "b.npz"), tmp_path)
    assert values(got) == [([0, 1, 2, 3], [0, 1, 2], [0, 1, 2], True), ([3, 4, 5, 6], [2, 1, 0], [3, 4, 5], False)]


def test_an_episode_that_ran_out_of_time_is_seen_where_its_rows_say_so_only_by_what_was_seen_next(tmp_path):
    """CleanRL stores `terminations` as `dones`: after a time-out the row behind begins another episode, unmarked."""
    seen = np.array([0, 1, 2, 50, 51, 90], np.float32).reshape(6, 1, 1)
    after = np.array([1, 2, 3, 51, 52, 91], np.float32).reshape(6, 1, 1)
    ended = np.array([[0], [0], [0], [0], [1], [0]])
    path = buffer(tmp_path / "b.npz", observations=seen, next_observations=after, dones=ended, timeouts=None)
    made, got = imported("npz", path, tmp_path)
    assert made.notes == [from_npz.APART]
    assert values(got) == [
        ([0, 1, 2, 3], [0, 1, 2], [0, 1, 2], False),
        ([50, 51, 52], [2, 1], [3, 4], True),
        ([90, 91], [0], [5], False),
    ]


def test_next_observations_that_are_the_observations_themselves_are_not_used(tmp_path):
    seen = np.arange(6, dtype=np.float32).reshape(6, 1, 1)
    made, got = imported("npz", buffer(tmp_path / "b.npz", next_observations=seen), tmp_path)
    assert made.notes == [from_npz.SAME, CUT]
    assert values(got) == [([0, 1, 2, 0], [0, 1, 2], [0, 1, 2], True), ([3, 4, 5], [2, 1], [3, 4], False)]
    still = np.array([7, 7, 7, 8, 8, 8], np.float32).reshape(6, 1, 1)  # nothing moves within an episode
    changes = {"observations": still, "next_observations": still}
    (tmp_path / "still").mkdir()
    made, got = imported("npz", buffer(tmp_path / "c.npz", **changes), tmp_path / "still")
    assert made.notes == [] and [episode[0] for episode in values(got)] == [[7.0] * 4, [8.0] * 4]


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_returns_of_several_steps_are_not_taken_for_rewards(tmp_path, steps):
    seen = np.arange(30, dtype=np.float32).reshape(30, 1, 1)
    zeros = np.zeros((30, 1))
    changes = {"rewards": zeros + steps, "dones": zeros, "timeouts": zeros, "actions": np.zeros((30, 1, 1), int)}
    changes |= {"observations": seen, "next_observations": seen + steps}
    refused(
        "npz", buffer(tmp_path / "b.npz", **changes), tmp_path, f"next_observations are those of {steps} rows later"
    )


@pytest.mark.parametrize("shape", [(3, 32, 40), (32, 40, 3), (5, 6, 7), (2, 8, 8)])
def test_colours_and_planes_keep_their_axes(tmp_path, shape):
    frames = np.random.default_rng(0).integers(0, 256, (6, 1, *shape), np.uint8)
    after = np.concatenate([frames[1:], frames[:1]])
    path = buffer(tmp_path / "b.npz", observations=frames, next_observations=after)
    _, got = imported("npz", path, tmp_path)
    assert np.array_equal(got[0].steps.frame, frames[:4, 0])
    assert np.array_equal(got[1].steps.frame[:-1], frames[3:, 0])


@pytest.mark.parametrize("axis, newest", stacks.KINDS)
def test_a_stack_is_what_repeats_shifted_whatever_its_axis_and_order(tmp_path, axis, newest):
    plain = np.random.default_rng(0).integers(1, 256, (7, 9, 8), np.uint8)
    padded = np.concatenate([np.repeat(plain[:1], 3, 0), plain])  # as Gymnasium's wrapper pads
    order = range(4) if newest else range(3, -1, -1)
    stacked = np.stack([padded[k : k + 7] for k in order], axis=1 if axis == 0 else -1)[:, None]
    changes = {"dones": np.zeros((6, 1)), "timeouts": np.zeros((6, 1))}
    path = buffer(tmp_path / "b.npz", observations=stacked[:6], next_observations=stacked[1:], **changes)
    made, (got,) = imported("npz", path, tmp_path)
    assert np.array_equal(got.steps.frame, plain)
    assert made.notes == [survey.STACKED.format("its repetition")]


@pytest.mark.parametrize(
    "actions, sentence",
    [
        (np.linspace(-2, 2, 6, dtype=np.float32)[:, None, None], r"actions are not discrete: they are float32\[1\]"),
        (np.zeros((6, 1, 3), np.float32), r"actions are not discrete: they are float32\[3\]"),
        (np.zeros((6, 1, 1), np.float32), "actions are not discrete"),  # whole numbers, but not said to be
        (np.zeros((6, 1, 2), np.int64), "not one choice"),
        (np.array([0, 1, 2, -1, 0, 0])[:, None], "step 0: the action is out of range: it is -1"),
    ],
)
def test_actions_that_are_no_choice_are_refused(tmp_path, actions, sentence):
    refused("npz", buffer(tmp_path / "b.npz", actions=actions), tmp_path, sentence)


def optimized(path, steps, size=8):
    """Stable-Baselines3's ring with optimize_memory_usage: step t sees t, is rewarded t, and writes t + 1 behind it."""
    seen, rewards, pos, full = np.zeros((size, 1, 1), np.float32), np.zeros((size, 1), np.float32), 0, False
    for t in range(steps):
        seen[pos], rewards[pos], seen[(pos + 1) % size] = t, t, t + 1
        pos = (pos + 1) % size
        full = full or pos == 0
    zero = np.zeros((size, 1), np.float32)
    np.savez(
        path, observations=seen, actions=zero[..., None].astype(int), rewards=rewards, dones=zero, pos=pos, full=full
    )
    return path


@pytest.mark.parametrize("steps", [3, 8, 12, 16, 21])
def test_a_full_ring_with_memory_optimisation_never_pairs_a_frame_with_an_old_reward(tmp_path, steps):
    made, (got,) = imported("npz", optimized(tmp_path / "b.npz", steps), tmp_path)
    first = max(steps - 8 + 1, 0) if steps >= 8 else 0  # the oldest row shows the newest frame
    assert got.steps.frame[:, 0].tolist() == list(range(first, steps))
    assert got.steps.reward[:-1].tolist() == list(range(first, steps - 1))
    assert not got.steps.is_terminal[-1] and made.notes == [CUT]


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"observations": np.zeros((0, 1, 4)), "actions": np.zeros((0, 1), int), "rewards": np.zeros((0, 1)),
          "dones": np.zeros((0, 1)), "next_observations": None, "timeouts": None}, "holds no transition"),
        ({"pos": None}, "full but has no `pos`"),
        ({"pos": np.array(9)}, "pos is 9, but it has 6 rows"),
        ({"dones": np.full((6, 1), 0.5)}, "its dones is 0.5, neither 0 nor 1"),
        ({"rewards": np.ones((5, 1))}, r"its observations have shape \[6, 1, 1\], not \[5, 1, ...\] like"),
        ({"rewards": np.full((6, 1), 1e300)}, "beyond float32"),
        ({"rewards": np.full((6, 1), 2**24 + 1)}, "its reward holds a whole number that float32 cannot hold"),
        ({"rewards": np.full((6, 1), np.nan)}, "b.npz, episode 0: step 0: its reward holds a number that is not f"),
        ({"timeouts": np.ones((6, 1))}, "row 0 has a timeout but is not done"),
        ({"observations": np.zeros((6, 1, 4), "<U2")}, "observation is of type <U2, where numbers are needed"),
        ({"next_observations": np.zeros((6, 1, 2), np.float32)}, "differ from its observations in shape"),
        ({"next_observations": None, "dones": None}, "has no array 'dones'"),
    ],
)  # fmt: skip
def test_a_buffer_that_contradicts_itself_is_refused(tmp_path, changes, sentence):
    refused("npz", buffer(tmp_path / "b.npz", **changes), tmp_path, sentence)


def test_rows_that_were_never_filled_are_no_experience(tmp_path):
    zeros = {name: np.zeros((4, 1, *shape)) for name, shape in (("observations", (1,)), ("rewards", ()), ("dones", ()))}
    path = tmp_path / "b.npz"
    np.savez(path, actions=np.zeros((4, 1), int), **zeros)  # pyright: ignore[reportArgumentType]
    refused("npz", path, tmp_path, "how many of its rows are filled: save its `pos` and `full`")


def test_a_header_that_announces_more_than_there_is_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 45,)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("observations.npy", header.getvalue())
    refused("npz", tmp_path / "b.npz", tmp_path, "b.npz is not a replay buffer saved as npz")


# -- Dopamine

PAD = (0, 0, 0.0, 0)


def ring(folder, rows, ends=(), size=None, frame=None, **changes):
    """Return a log of (number that fills the frame, action, reward, terminal), perhaps in a ring that came round."""
    folder.mkdir()
    size, frame = size or len(rows), frame or (lambda n: np.full((84, 84), n, np.uint8))
    places = [rows[max(t for t in range(len(rows)) if t % size == place)] for place in range(size)]
    columns = {"observation": np.stack([frame(row[0]) for row in places])}
    kinds = {"action": np.int32, "reward": np.float32, "terminal": np.uint8}
    columns |= {name: np.array([row[n] for row in places], kind) for n, (name, kind) in enumerate(kinds.items(), 1)}
    for name, column in {**columns, **changes}.items():
        with gzip.open(folder / f"$store$_{name}_ckpt.0.gz", "wb", 1) as file:
            np.save(file, column)  # pyright: ignore[reportArgumentType]
    with gzip.open(folder / "add_count_ckpt.0.gz", "wb") as file:
        np.save(file, np.array(len(rows)))  # pyright: ignore[reportArgumentType]
    if ends is not None:
        with gzip.open(folder / "episode_end_indices_ckpt.0.gz", "wb") as file:
            pickle.dump({np.int64(end % size) for end in ends}, file)  # pyright: ignore[reportArgumentType]
    return folder


def cut_then_ended():
    """Return the rows and ends of five steps that ran out of time, padding, and five that ended."""
    rows = [PAD] * 3 + [(10 + t, 1, 1.0, 0) for t in range(5)]
    return rows + [PAD] * 3 + [(100 + t, 2, 2.0, int(t == 4)) for t in range(5)], (7, 15)


CUT_OFF = ([10, 11, 12, 13, 14], [1] * 4, [1.0] * 4, False)
ENDED = ([100, 101, 102, 103, 104, 0], [2] * 5, [2.0] * 5, True)


def test_an_episode_that_ran_out_of_time_is_one_of_its_own(tmp_path):
    rows, ends = cut_then_ended()
    made, got = imported("dopamine", ring(tmp_path / "in", rows, ends), tmp_path)
    assert values(got) == [CUT_OFF, ENDED] and made.notes == [CUT]


@pytest.mark.parametrize("size", [13, 12, 9])
def test_so_it_is_in_a_ring_that_came_round(tmp_path, size):
    rows, ends = cut_then_ended()
    _, got = imported("dopamine", ring(tmp_path / "in", rows, ends, size), tmp_path)
    lost = max(len(rows) - size - 3, 0)  # of the first episode's steps
    first = [(CUT_OFF[0][lost:], [1] * (4 - lost), [1.0] * (4 - lost), False)] if lost < 4 else []
    assert values(got) == [*first, ENDED]


def test_without_the_list_of_ends_the_padding_in_its_middle_gives_it_away(tmp_path):
    folder = ring(tmp_path / "in", cut_then_ended()[0], None)
    refused("dopamine", folder, tmp_path, "episode 0: three blank transitions at row 10 look like the end of an")
    made, got = imported("dopamine", folder, tmp_path, skip=True)
    assert values(got) == [ENDED] and len(made.skipped) == 1


def test_dopamine_in_colour_and_of_vectors(tmp_path):
    rows, ends = cut_then_ended()

    def colour(n):
        return np.stack([np.full((8, 9), n), np.full((8, 9), 7 * (n > 0)), np.full((8, 9), 2 * n)], -1).astype(np.uint8)

    _, got = imported("dopamine", ring(tmp_path / "in", rows, ends, frame=colour), tmp_path)
    assert got[0].steps.frame.shape == (5, 8, 9, 3) and np.array_equal(got[0].steps.frame[2], colour(12))
    vector = ring(tmp_path / "v", rows, ends, frame=lambda n: np.full((4, 1), n / 8, np.float64))
    (tmp_path / "w").mkdir()
    _, got = imported("dopamine", vector, tmp_path / "w")
    assert got[1].steps.frame[:-1].tolist() == [[12.5 + t / 8] * 4 for t in range(5)]


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (
            {"action": np.linspace(-1, 1, 16, dtype=np.float32)},
            r"\$store\$_action_ckpt.0.gz: its actions are not discrete",
        ),
        ({"action": np.zeros((16, 2), np.float32)}, r"they are float32\[2\]"),
        ({"terminal": np.full(16, 2, np.uint8)}, "its terminal is 2, neither 0 nor 1"),
        ({"reward": np.zeros((16, 2), np.float32)}, r"its reward has shape \[2\] a step"),
        ({"reward": np.zeros(15, np.float32)}, "different lengths"),
    ],
)
def test_dopamine_columns_are_what_they_are_named_for(tmp_path, changes, sentence):
    rows, ends = cut_then_ended()
    refused("dopamine", ring(tmp_path / "in", rows, ends, **changes), tmp_path, sentence)


def test_the_list_of_ends_is_read_without_being_run(tmp_path):
    folder = ring(tmp_path / "in", *cut_then_ended())
    with gzip.GzipFile(folder / "episode_end_indices_ckpt.0.gz", "wb") as file:
        file.write(b"cos\nsystem\n(S'touch /tmp/ran'\ntR.")
    refused("dopamine", folder, tmp_path, "not Dopamine's list of episode ends")


# -- Minari

BOX = {"type": "Box", "dtype": "float32", "shape": [2], "low": [-9, -9], "high": [9, 9]}
CHOICES = {"type": "Discrete", "dtype": "int64", "start": 0, "n": 3}


def dataset(folder, episodes, observation=None, action=None, **about):
    """Return a Minari dataset in HDF5 of (observations, actions), with rewards 1 2 3 ..., each ended."""
    (folder / "data").mkdir(parents=True)
    with h5py.File(folder / "data" / "main_data.hdf5", "w") as file:
        for number, (seen, actions) in enumerate(episodes):
            group, n = file.create_group(f"episode_{number}"), len(actions)
            for name, array in seen.items() if isinstance(seen, dict) else [("", seen)]:
                group[f"observations/{name}" if name else "observations"] = array
            group["actions"], group["rewards"] = actions, np.arange(1.0, n + 1)
            group["terminations"], group["truncations"] = np.arange(n) == n - 1, np.zeros(n, bool)
    about = {
        "observation_space": json.dumps(observation or BOX),
        "action_space": json.dumps(action or CHOICES),
        **about,
    }
    (folder / "data" / "metadata.json").write_text(json.dumps({"total_episodes": len(episodes), **about}))
    return folder


SEEN = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.mark.parametrize("start", [10, -2, 0])
def test_actions_begin_where_their_space_does(tmp_path, start):
    folder = dataset(tmp_path / "in", [(SEEN, np.array([0, 2, 1]) + start)], action={**CHOICES, "start": start})
    made, got = imported("minari", folder, tmp_path)
    assert values(got) == [([0, 2, 4, 6], [0, 2, 1], [1, 2, 3], True)]
    assert any(f"begin at {start}" in note for note in made.notes) == (start != 0)
    assert json.loads((tmp_path / "out" / "provenance.json").read_bytes())["notes"] == made.notes


def test_a_space_of_one_multidiscrete_number_is_a_choice(tmp_path):
    action = {"type": "MultiDiscrete", "dtype": "int64", "nvec": [4], "start": [1]}
    folder = dataset(tmp_path / "in", [(SEEN, np.array([[1], [4], [2]]))], action=action)
    assert values(imported("minari", folder, tmp_path)[1])[0][1] == [0, 3, 1]


@pytest.mark.parametrize(
    "action, actions, sentence",
    [
        (
            {"type": "Box", "dtype": "float32", "shape": [1, 2]},
            np.zeros((3, 1, 2), np.float32),
            r"neither discrete nor .* Box float32\[1, 2\]",
        ),
        (
            {"type": "MultiDiscrete", "nvec": [3, 3]},
            np.zeros((3, 2), int),
            r"neither discrete nor .* MultiDiscrete int64\[2\]",
        ),
        ({"type": "Text"}, np.zeros(3, int), "neither discrete nor a row of floats: their space is Text"),
        (CHOICES, np.array([0, 1, 3]), "episode 0: step 2: the action is 3, where 0 to 2 are stated"),
        ({**CHOICES, "start": 5}, np.array([5, 4, 7]), "step 1: the action is 4, where 5 to 7 are stated"),
        (CHOICES, np.array([0.0, 1.0, 2.0]), "not discrete: they are float64"),
    ],
)
def test_actions_are_what_the_metadata_say(tmp_path, action, actions, sentence):
    refused("minari", dataset(tmp_path / "in", [(SEEN, actions)], action=action), tmp_path, sentence)


@pytest.mark.parametrize(
    "seen, space, sentence",
    [
        (SEEN, {**BOX, "dtype": "float64"}, r"float32\[2\], where float64\[2\] is stated"),
        (SEEN, {**BOX, "shape": [3]}, r"float32\[2\], where float32\[3\] is stated"),
        (SEEN[:3], BOX, "episode 0: 3 observations do not fit 3 actions"),
        ({"a": SEEN, "b": SEEN}, {"type": "Dict", "subspaces": {"a": BOX, "b": BOX}}, "several fields: name one with"),
        (SEEN, {"type": "Text"}, "observations are of the space Text"),
    ],
)
def test_observations_are_what_the_metadata_say(tmp_path, seen, space, sentence):
    refused("minari", dataset(tmp_path / "in", [(seen, np.array([0, 1, 2]))], space), tmp_path, sentence)


def test_observations_of_the_other_byte_order_are_the_same_numbers(tmp_path):
    folder = dataset(tmp_path / "in", [(SEEN.astype(">f4"), np.array([0, 2, 1], ">i8"))])
    assert values(imported("minari", folder, tmp_path)[1]) == [([0, 2, 4, 6], [0, 2, 1], [1, 2, 3], True)]


def test_one_field_of_nested_observations_is_taken_by_its_name(tmp_path):
    space = {"type": "Dict", "subspaces": {"a": BOX, "b": {"type": "Tuple", "subspaces": [BOX, BOX]}}}
    seen = {"a": SEEN, "b/_index_0": SEEN + 1, "b/_index_1": SEEN + 2}
    folder = dataset(tmp_path / "in", [(seen, np.array([0, 1, 2]))], space)
    _, (got,) = imported("minari", folder, tmp_path, observation="b/1")
    assert np.array_equal(got.steps.frame, SEEN + 2)
    refused("minari", folder, tmp_path / "out", "no field 'c'; it has a .*, b", observation="c")


def _external(group, other):
    group["observations"] = h5py.ExternalLink(str(other), "x")


def _stored_elsewhere(group, other):
    group.create_dataset("observations", (3, 2), "float32", external=[(str(other), 0, 24)])


def _virtual(group, other):
    layout = h5py.VirtualLayout((3, 2), "float32")
    layout[:] = h5py.VirtualSource(str(other), "x", shape=(3, 2))
    group.create_virtual_dataset("observations", layout)


@pytest.mark.parametrize("way", [_external, _stored_elsewhere, _virtual])
def test_a_file_that_points_into_another_one_is_refused(tmp_path, way):
    with h5py.File(tmp_path / "secret.hdf5", "w") as file:
        file["x"] = np.ones((3, 2), np.float32)
    data = tmp_path / "log" / "data"
    data.mkdir(parents=True)
    spaces = {
        "observation_space": {"type": "Box", "dtype": "float32", "shape": [2], "low": 0, "high": 1},
        "action_space": {"type": "Discrete", "dtype": "int64", "start": 0, "n": 2},
    }
    about = {"total_episodes": 1, **{name: json.dumps(space) for name, space in spaces.items()}}
    (data / "metadata.json").write_text(json.dumps(about))
    with h5py.File(data / "main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["actions"], group["rewards"] = np.array([0, 1]), np.ones(2)
        group["terminations"], group["truncations"] = np.array([False, True]), np.zeros(2, bool)
        way(group, tmp_path / "secret.hdf5")
    refused(
        "minari", tmp_path / "log", tmp_path, "its observations are (in another file|kept in other files).* not opened"
    )
    with h5py.File(data / "main_data.hdf5", "a") as file:
        del file["episode_0"]
        file["episode_0"] = h5py.ExternalLink(str(tmp_path / "secret.hdf5"), "x")
    refused("minari", tmp_path / "log", tmp_path, "its episode_0 are in another file")


def test_one_bad_episode_is_skipped_and_named(tmp_path):
    good = (SEEN, np.array([0, 1, 2]))
    folder = dataset(tmp_path / "in", [good, (SEEN[:3], np.array([0, 1, 2])), good])
    refused("minari", folder, tmp_path, "main_data.hdf5, episode 1: 3 observations do not fit 3 actions")
    made, got = imported("minari", folder, tmp_path, skip=True)
    assert len(got) == 2 and len(made.skipped) == 1 and "episode 1" in made.skipped[0]
    facts = json.loads((tmp_path / "out" / "provenance.json").read_bytes())
    assert facts["skipped"] == 1 and facts["episodes"] == 2 and facts["transitions"] == 6


def test_where_all_are_bad_nothing_is_imported(tmp_path):
    folder = dataset(tmp_path / "in", [(SEEN[:3], np.array([0, 1, 2]))])
    refused("minari", folder, tmp_path, "no episode but 1 bad one", skip=True)
    refused("minari", dataset(tmp_path / "none", []), tmp_path, "holds no episode: nothing")


def test_fewer_episodes_than_the_metadata_state_are_refused(tmp_path):
    folder = dataset(tmp_path / "in", [(SEEN, np.array([0, 1, 2]))], total_episodes=2)
    refused("minari", folder, tmp_path, "holds 1 episode where its metadata.json states 2")


# -- RLDS


def feature(shape=(), dtype="float32", encoding="none"):
    said = {"shape": {"dimensions": [str(size) for size in shape]}, "dtype": dtype, "encoding": encoding}
    return {"pythonClassName": "x", "tensor": said}


def nested(**features):
    return {"pythonClassName": "x", "featuresDict": {"features": features}}


STEP = {"observation": feature((2,)), "action": feature((), "int64"), "reward": feature(), "discount": feature()}
STEP |= {name: feature((), "bool") for name in ("is_first", "is_last", "is_terminal")}
IDS = {"int": feature((), "int64"), "text": {"pythonClassName": "x", "text": {}}}


def steps(n=3, first=0.0, **changes):
    """Return the columns of an episode of n transitions that ended; observations first, first + 2, ..."""
    at = np.arange(n + 1)
    discount = np.where(at >= n - 1, 0, 1).astype(np.float32)
    columns = {"observation": (2 * at[:, None] + [0, 1] + first).astype(np.float32), "action": at % 3}
    columns |= {"reward": np.append(at[1:], 0).astype(np.float32), "discount": discount}
    columns |= {"is_first": at == 0, "is_last": at == n, "is_terminal": at == n}
    return {f"steps/{name}": column for name, column in {**columns, **changes}.items()}


def tfds(folder, splits, step=None, about=None):
    """Return a TFDS folder of {split: [records of a shard, ...]}."""
    folder.mkdir()
    top = {"steps": {"pythonClassName": "x", "sequence": {"feature": nested(**(step or STEP)), "length": "-1"}}}
    (folder / "features.json").write_text(json.dumps(nested(**top, **(about or {}))))
    told = []
    for name, shards in splits.items():
        told.append({"name": name, "shardLengths": [str(len(shard)) for shard in shards], "numBytes": "1"})
        for number, shard in enumerate(shards):
            with TFRecordWriter(folder / f"odd-{name}.tfrecord-{number:05d}-of-{len(shards):05d}") as writer:
                for record in shard:
                    writer.write(tf_example.encode(record))
    info = {"name": "odd", "version": "1.0.0", "fileFormat": "tfrecord", "splits": told}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


TRUE = ([0, 2, 4, 6], [0, 1, 2], [1, 2, 3], True)


def test_columns_of_shape_1_are_numbers(tmp_path):
    one = {name: {**kind} for name, kind in STEP.items()}
    one |= {name: feature((1,), one[name]["tensor"]["dtype"]) for name in one if name != "observation"}
    folder = tfds(tmp_path / "in", {"train": [[steps()]]}, one)
    assert check(folder).violations == []
    assert values(imported("rlds", folder, tmp_path)[1]) == [TRUE]


def test_bfloat16_is_read_exactly(tmp_path):
    exact = np.array([[1.5, -2.0], [0.15625, 256.0], [3.0, 0.0], [1.0, -0.5]], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype("<u2")
    step = {**STEP, "observation": feature((2,), "bfloat16", "bytes")}
    record = steps(observation=halves.view(np.uint8))
    _, (got,) = imported("rlds", tfds(tmp_path / "in", {"train": [[record]]}, step), tmp_path)
    assert got.steps.frame.dtype == np.float32 and np.array_equal(got.steps.frame, exact)


@pytest.mark.parametrize(
    "step, sentence",
    [
        ({"action": feature((2,), "int64")}, r"actions are not one choice: they are int64\[2\]"),
        ({"action": feature((6, 2))}, r"actions are not discrete: they are float32\[6, 2\]"),
        ({"action": feature(())}, r"actions are not discrete: they are float32\[\]"),
        ({"action": nested(arm=feature((2,)), hand=feature())}, "a step's action has several fields"),
        ({"reward": feature((2,))}, r"a step's reward is float32\[2\], where one number a step is needed"),
        ({"observation": feature((), "complex64")}, r"a step's observation is complex64\[\], where numbers are needed"),
        ({"observation": feature((-1,))}, "its size must be fixed"),
        ({"observation": {"pythonClassName": "x", "text": {}}}, "encoded as text, which cannot be read"),
        ({"observation": {"pythonClassName": "x", "sequence": {}}}, "a step's observation is no array or image of one"),
        (
            {"observation": nested(a=feature((2,)), b=feature((3,)))},
            r"several fields: name one .*: a \(float32\[2\]\), b",
        ),
    ],
)
def test_a_schema_that_cannot_be_read_is_one_sentence_from_all(tmp_path, step, sentence):
    folder = tfds(tmp_path / "in", {"train": [[steps()]]}, {**STEP, **step})
    refused("rlds", folder, tmp_path, f"features.json: .*{sentence}")
    with pytest.raises(ValueError, match=sentence):
        check(folder)


@pytest.mark.parametrize("name", ["observation", "action", "reward", "is_first", "is_last"])
def test_a_column_that_is_missing_is_one_sentence(tmp_path, name):
    step = {key: column for key, column in STEP.items() if key != name}
    record = {key: column for key, column in steps().items() if key != f"steps/{name}"}
    folder = tfds(tmp_path / "in", {"train": [[record]]}, step)
    refused("rlds", folder, tmp_path, f"episode 0: the steps have no {name}")


def test_an_id_of_two_numbers_is_no_id(tmp_path):
    record = {**steps(), "episode_id": np.array([7, 8])}
    folder = tfds(tmp_path / "in", {"train": [[record]]}, about={"episode_id": feature((2,), "int64")})
    made, (got,) = imported("rlds", folder, tmp_path)
    assert got.episode_id == 0 and survey.RENUMBERED in made.notes


@pytest.mark.parametrize("ids", [["b", "a", "c"], [7, 3, 5], None, [4, 4, 4]])
def test_ids_of_every_kind_over_several_shards(tmp_path, ids):
    """Rules are never checked on numbers that a reader made up; numbering runs over the whole log."""
    records = [steps(first=10.0 * n) for n in range(3)]
    kind = "text" if ids and isinstance(ids[0], str) else "int"
    for record, one in zip(records, ids or [], strict=False):
        record["episode_id"] = [one.encode()] if kind == "text" else np.array([one])
    folder = tfds(
        tmp_path / "in", {"train": [records[:1], records[1:]]}, about={"episode_id": IDS[kind]} if ids else {}
    )
    assert bool(check(folder).violations) == (ids == [4, 4, 4])
    made, got = imported("rlds", folder, tmp_path)
    assert [e.episode_id for e in got] == (ids if ids == [7, 3, 5] else [0, 1, 2])
    assert (survey.RENUMBERED in made.notes) == (ids != [7, 3, 5])
    assert [json.loads(e.environment_config).get("episode_id") for e in got] == (ids if kind == "text" else [None] * 3)


def test_splits_are_chosen_and_kept_apart(tmp_path):
    folder = tfds(tmp_path / "in", {"test": [[steps(first=50.0)]], "train": [[steps()], [steps(first=20.0)]]})
    refused("rlds", folder, tmp_path, "has the splits test, train: name those to import with --split")
    refused("rlds", folder, tmp_path, "no split 'valid'", split=["valid"])
    made, got = imported("rlds", folder, tmp_path, split=["train"])
    assert [e.steps.frame[0, 0] for e in got] == [0, 20] and check(made.folder).splits == {"checkpoint_00": 6}
    (tmp_path / "both").mkdir()
    made, got = imported("rlds", folder, tmp_path / "both", split=["train", "test"])
    assert [e.steps.frame[0, 0] for e in got] == [0, 20, 50]
    assert check(made.folder).splits == {"checkpoint_00": 6, "checkpoint_01": 3}


def test_checkpoints_out_of_order_are_one_split(tmp_path):
    records = [{**steps(first=10.0 * n), "checkpoint_id": np.array([c])} for n, c in enumerate((4, 2, 3))]
    folder = tfds(tmp_path / "in", {"train": [records]}, about={"checkpoint_id": IDS["int"]})
    made, got = imported("rlds", folder, tmp_path)
    assert [e.checkpoint_id for e in got] == [0, 0, 0] and survey.UNORDERED in made.notes


def test_nested_observations_and_own_metadata_by_their_names(tmp_path):
    step = {**STEP, "observation": nested(image=feature((2,), "uint8", "bytes"), arm=nested(joints=feature((3,))))}
    step |= {"logits": feature((3,)), "value": feature(), "notes": {"pythonClassName": "x", "sequence": {}}}
    record = steps() | {"steps/logits": np.arange(12, dtype=np.float32), "steps/value": np.ones(4, np.float32)}
    del record["steps/observation"]
    record["steps/observation/image"] = np.arange(8, dtype=np.uint8).reshape(4, 2)
    record["steps/observation/arm/joints"] = np.zeros(12, np.float32)
    folder = tfds(tmp_path / "in", {"train": [[record]]}, step)
    made, (got,) = imported("rlds", folder, tmp_path, observation="image", teacher_values="logits")
    assert got.steps.frame.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]] and got.steps.frame.dtype == np.uint8
    assert got.steps.teacher_values is not None
    assert got.steps.teacher_values.tolist() == np.arange(12).reshape(4, 3).tolist()
    assert made.notes[0] == "Left out: the step's observation/arm/joints, the step's value, the step's notes"
    for field, sentence in (("value", r"value is float32\[\], where one float for each action"), ("other", "'other'")):
        refused("rlds", folder, tmp_path / "out", sentence, observation="image", teacher_values=field)


def test_more_teacher_values_than_actions_are_refused(tmp_path):
    record = steps() | {"steps/logits": np.zeros(8, np.float32)}
    folder = tfds(tmp_path / "in", {"train": [[record]]}, {**STEP, "logits": feature((2,))})
    refused("rlds", folder, tmp_path, "step 2: the action is 2, where 0 to 1 are possible", teacher_values="logits")
    refused("rlds", folder, tmp_path, "2 teacher_values per step for 3", teacher_values="logits", actions=3)


def test_one_step_is_no_transition(tmp_path):
    folder = tfds(tmp_path / "in", {"train": [[steps(0), steps()]]})
    refused("rlds", folder, tmp_path, "episode 0: it has no transition")
    made, got = imported("rlds", folder, tmp_path, skip=True)
    assert values(got) == [TRUE] and len(made.skipped) == 1


def test_a_reward_on_the_last_step_is_left_out_with_a_word(tmp_path):
    record = steps(reward=np.array([1, 2, 3, 7], np.float32))
    made, got = imported("rlds", tfds(tmp_path / "in", {"train": [[record]]}), tmp_path)
    assert values(got) == [TRUE] and made.notes[0].startswith("An episode's last step has a reward")


@pytest.mark.parametrize("discount", [[1, 1, 1, 1], [0.99, 0.99, 0.99, 0], [1, 1, 0, 0]])
def test_an_end_that_the_discount_does_not_have_is_taken_with_a_word(tmp_path, discount):
    record = steps(discount=np.array(discount, np.float32))
    made, got = imported("rlds", tfds(tmp_path / "in", {"train": [[record]]}), tmp_path)
    assert values(got) == [TRUE] and got[0].steps.is_terminal[-1]
    assert any(note.startswith("is_terminal ends an episode") for note in made.notes) == (discount[2] != 0)


@pytest.mark.parametrize("discount", [[1, 0, 0, 0], [0, 1, 1, 1]])
def test_discounts_that_end_an_episode_in_its_middle_are_refused(tmp_path, discount):
    record = steps(discount=np.array(discount, np.float32))
    sentence = f"episode 0: step {discount.index(0)}: the discount is 0, where is_terminal says"
    refused("rlds", tfds(tmp_path / "in", {"train": [[record]]}), tmp_path, sentence)


def test_whole_numbers_do_not_wrap_round(tmp_path):
    step = {**STEP, "observation": feature((2,), "uint8")}
    record = steps(observation=np.array([[0, 1], [2, 300], [4, 5], [6, 7]]))
    refused(
        "rlds", tfds(tmp_path / "in", {"train": [[record]]}, step), tmp_path, "step 1: its observation is 300, which no"
    )


def test_jpeg_is_kept_and_marked_as_lossy(tmp_path):
    pictures = []
    for n in range(4):
        file = io.BytesIO()
        Image.fromarray(np.full((32, 32), 40 * n, np.uint8)).save(file, "JPEG")
        pictures.append(file.getvalue())
    image = {"shape": {"dimensions": ["32", "32", "1"]}, "dtype": "uint8"}  # whatever encoding its writer chose
    step = {**STEP, "observation": {"pythonClassName": "x", "image": image}}
    made, got = imported("rlds", tfds(tmp_path / "in", {"train": [[steps(observation=pictures)]]}, step), tmp_path)
    assert values(got)[0][0] == [0, 40, 80, 120] and JPEG in made.notes
    assert json.loads((tmp_path / "out" / "provenance.json").read_bytes())["lossy"] == "jpeg"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_colours_that_the_schema_does_not_have_are_not_made_grey(tmp_path, kind):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(file, kind)
    image = {"shape": {"dimensions": ["32", "32", "1"]}, "dtype": "uint8"}
    step = {**STEP, "observation": {"pythonClassName": "x", "image": image}}
    folder = tfds(tmp_path / "in", {"train": [[steps(observation=[file.getvalue()] * 4)]]}, step)
    refused("rlds", folder, tmp_path, "step 0: its image (has 3 channels where 1|is 32x32x3 where 32x32x1)")


def test_the_same_episode_twice_breaks_no_rule(tmp_path):
    folder = tfds(tmp_path / "in", {"train": [[steps(), steps(), steps(first=2.0)]]})
    made, got = imported("rlds", folder, tmp_path)
    assert len(got) == 3 and len(check(made.folder).duplicates) == 1


# -- all


def test_a_name_and_the_number_of_actions_are_honoured_by_all(tmp_path):
    sources = {
        "npz": buffer(tmp_path / "b.npz"),
        "dopamine": ring(tmp_path / "d", *cut_then_ended()),
        "minari": dataset(tmp_path / "m", [(SEEN, np.array([0, 1, 2]))]),
        "rlds": tfds(tmp_path / "r", {"train": [[steps()]]}),
    }
    for kind, path in sources.items():
        (tmp_path / kind).mkdir()
        made, _ = imported(kind, path, tmp_path / kind, name="mine", actions=9)
        manifest = json.loads((made.folder / "manifest.json").read_bytes())
        assert (manifest["name"], manifest["actions"]) == ("mine", 9), kind
        refused(kind, path, tmp_path / kind / "out", "the action is 2, where 0 to 1 are possible", actions=2)


def test_options_that_a_format_does_not_have_are_refused(tmp_path):
    path = buffer(tmp_path / "b.npz")
    refused("npz", path, tmp_path, "--split is not for logs of npz", split=["train"])
    refused("npz", path, tmp_path, "--checkpoint is not for logs of npz", checkpoint=3)
    refused("npz", tmp_path / "nothing.npz", tmp_path, "there is no file or folder")


def test_a_log_for_a_task_has_its_frames(tmp_path):
    path = buffer(tmp_path / "b.npz")
    frame = survey.Frame((1,), np.dtype(np.float32))
    assert len(imported("npz", path, tmp_path, frame=frame)[1]) == 2
    other = survey.Frame((84, 84), np.dtype(np.uint8))
    refused("npz", path, tmp_path / "out", r"float32\[1\], where the task shows uint8\[84, 84\]", frame=other)

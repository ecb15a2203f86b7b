"""Logs written and read again: by us, by TFDS, after a crash, and after damage."""

import json
import os
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from reincarnate.datasets.rlds import array_record, tf_example
from reincarnate.datasets.rlds.decode import decode
from reincarnate.datasets.rlds.folder import open_log, records
from reincarnate.datasets.rlds.read import load, read, read_last
from reincarnate.datasets.rlds.write import Layout, LogWriter

from ..logs import FRAMES, columns, episode, log, rewrite, same


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("values", [False, True])
def test_what_is_read_is_what_was_written(tmp_path, kind, values):
    written = log(tmp_path / "log", kind, values=values)
    got = list(read(tmp_path / "log"))
    assert [e.episode_id for e in got] == [0, 1, 2, 3, 4]
    assert [e.checkpoint_id for e in got] == [0, 0, 0, 1, 1]
    for a, b in zip(written, got, strict=True):
        assert same(a.steps, b.steps)
        assert (a.agent_id, a.environment_config, a.invalid) == (b.agent_id, b.environment_config, b.invalid)
    assert [e.episode_id for e in read(tmp_path / "log", "checkpoint_01")] == [3, 4]


def test_load_is_all_episodes_in_a_row(tmp_path):
    written = log(tmp_path / "log")
    steps = load(tmp_path / "log")
    assert np.array_equal(steps.frame, np.concatenate([e.steps.frame for e in written]))
    assert steps.is_first.sum() == steps.is_last.sum() == 5
    assert len(load(tmp_path / "log", ["checkpoint_01"]).action) == sum(len(e.steps.action) for e in written[3:])


def test_the_last_whole_episodes_are_read_and_no_shard_before_them(tmp_path):
    written = log(tmp_path / "log", checkpoints=(3, 2, 2))
    for kept in range(len(written) + 1):
        enough = sum(e.length for e in written[len(written) - kept :])
        assert [e.episode_id for e in read_last(tmp_path / "log", enough)] == list(range(7 - kept, 7))
        if kept < len(written):  # one transition more is one episode more
            assert len(list(read_last(tmp_path / "log", enough + 1))) == kept + 1
    assert len(list(read_last(tmp_path / "log", 10**6))) == 7
    for path in (tmp_path / "log").glob("*checkpoint_00*"):
        path.unlink()
    assert [e.episode_id for e in read_last(tmp_path / "log", sum(e.length for e in written[4:]))] == [4, 5, 6]


def test_load_keeps_the_last_transitions(tmp_path):
    log(tmp_path / "log")
    everything = load(tmp_path / "log")
    for limit in (1, 5, 10):
        steps = load(tmp_path / "log", limit=limit)
        assert np.sum(~steps.is_last) == limit
        assert steps.is_first[0]
        assert np.array_equal(steps.frame, everything.frame[-len(steps.action) :])


@pytest.mark.parametrize("kind", FRAMES)
def test_tfds_opens_the_folder(tmp_path, kind):
    from tensorflow_datasets import builder_from_directory

    written = log(tmp_path / "log", kind, values=True, shard_bytes=50_000)
    builder = builder_from_directory(tmp_path / "log")
    assert sorted(builder.info.splits) == ["checkpoint_00", "checkpoint_01"]
    got = [e for split in ("checkpoint_00", "checkpoint_01") for e in _source(builder, split)]
    assert len(got) == 5
    for a, b in zip(written, got, strict=True):
        steps = list(b["steps"])
        assert np.array_equal(a.steps.frame, np.stack([s["observation"] for s in steps]).reshape(a.steps.frame.shape))
        assert steps[0]["observation"].dtype == a.steps.frame.dtype
        assert [s["action"] for s in steps[:-1]] == a.steps.action[:-1].tolist()
        assert [s["reward"] for s in steps[:-1]] == a.steps.reward[:-1].tolist()
        assert [s["is_last"] for s in steps] == a.steps.is_last.tolist()
        assert [s["is_terminal"] for s in steps] == a.steps.is_terminal.tolist()
        assert np.array_equal(a.steps.teacher_values, np.stack([s["teacher_values"] for s in steps]))
        assert b["episode_return"] == np.clip(a.steps.reward[:-1], -1, 1).sum()
        assert b["raw_return"] == a.steps.reward[:-1].sum()
        assert b["episode_length"] == len(steps) - 1
        assert json.loads(b["environment_config"].decode()) == {"sticky_actions": 0.25}


def _source(builder, split):
    return builder.as_data_source(split)


def test_discount_is_zero_for_the_transition_into_a_terminal_step(tmp_path):
    from tensorflow_datasets import builder_from_directory

    rng = np.random.default_rng(0)
    with LogWriter(tmp_path / "log", "toy", np.zeros(4, np.float32), 6) as writer:
        writer.add(episode(rng, 0, "vector", size=3, terminal=True))
        writer.add(episode(rng, 1, "vector", size=3, terminal=False))
    ended, cut = _source(builder_from_directory(tmp_path / "log"), "checkpoint_00")
    assert [s["discount"] for s in ended["steps"]] == [1, 1, 0, 0]
    assert [s["discount"] for s in cut["steps"]] == [1, 1, 1, 1]


def test_a_record_is_what_protobuf_makes_of_it():
    from tensorflow_datasets.proto import tf_example_pb2

    Example = getattr(tf_example_pb2, "Example")  # noqa: B009 (made at run time, unknown to type checkers)

    numbers = np.array([0, 1, 127, 128, 300, 2**40, -1, -(2**63)])
    rows = np.arange(600, dtype=np.uint8).reshape(3, 200)
    floats = np.array([1.5, -2.0], np.float32)
    record = tf_example.encode({"i": numbers, "r": rows, "f": floats, "b": [b"one", b""], "e": np.empty(0, int)})
    parsed = Example.FromString(record).features.feature
    assert list(parsed["i"].int64_list.value) == numbers.tolist()
    assert list(parsed["r"].bytes_list.value) == [row.tobytes() for row in rows]
    assert list(parsed["f"].float_list.value) == floats.tolist()
    assert list(parsed["b"].bytes_list.value) == [b"one", b""]
    for data in (record, Example.FromString(record).SerializeToString()):
        fields = tf_example.decode(data)
        assert np.array_equal(tf_example.ints(fields["i"]), numbers)
        assert np.array_equal(np.asarray(tf_example.byte_rows(fields["r"])), rows)
        assert np.array_equal(tf_example.floats(fields["f"]), floats)
        assert [bytes(item) for item in tf_example.byte_rows(fields["b"])] == [b"one", b""]
        assert len(tf_example.ints(fields["e"])) == 0


def test_an_unfinished_log_is_invisible_and_resumed_without_loss(tmp_path):
    rng = np.random.default_rng(1)
    episodes = [episode(rng, number, size=8, checkpoint=number // 6) for number in range(10)]
    three = 3 * 9 * 7100  # bytes: a shard is full after every third episode
    begin = partial(LogWriter, tmp_path / "log", "toy", episodes[0].steps.frame[0], 6, Layout(shard_bytes=three - 1000))
    crashed = begin()
    for one in episodes[:5]:
        crashed.add(one)
    assert (crashed.episodes, crashed.transitions) == (5, 40)
    del crashed  # as after kill -9: one shard is complete, one is not
    assert not (tmp_path / "log").exists()
    with pytest.raises(ValueError, match="resume it or remove it"):
        begin()
    with begin(resume=True) as writer:
        assert writer.episodes == 3
        for one in episodes[writer.episodes :]:
            writer.add(one)
    assert [e.episode_id for e in read(tmp_path / "log")] == list(range(10))
    assert not (tmp_path / "log.partial").exists()
    assert {p.name for p in (tmp_path / "log").iterdir() if "array_record" in p.name} == {
        "toy-checkpoint_00.array_record-00000-of-00002",
        "toy-checkpoint_00.array_record-00001-of-00002",
        "toy-checkpoint_01.array_record-00000-of-00002",
        "toy-checkpoint_01.array_record-00001-of-00002",
    }


ENDLESS = """
import sys
import numpy as np
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.write import Layout, LogWriter
writer = LogWriter(sys.argv[1], "toy", np.zeros(4, np.float32), 6, Layout(shard_bytes=20_000), resume=True)
while True:
    frames = np.full((51, 4), writer.episodes, np.float32)
    writer.add(Episode.of(frames, np.zeros(50), np.zeros(50), True, writer.episodes))
    print(len(writer.shards), flush=True)
"""


def test_a_writer_that_is_killed_leaves_whole_shards_to_go_on_from(tmp_path):
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    for shards in (2, 5):  # killed twice, the second time after a resume
        command = [sys.executable, "-c", ENDLESS, str(tmp_path / "log")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | paths)
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= shards:
                break
        process.kill()
        process.communicate()
    small = Layout(shard_bytes=20_000)
    with LogWriter(tmp_path / "log", "toy", np.zeros(4, np.float32), 6, small, resume=True) as writer:
        safe = writer.episodes
        assert safe > 0 and len(writer.shards) >= 5
    got = list(read(tmp_path / "log"))
    assert [e.episode_id for e in got] == list(range(safe))
    assert all((e.steps.frame == e.episode_id).all() for e in got)


@pytest.mark.parametrize("where", ["shards named", "manifest written"])
def test_a_crash_while_finishing_loses_nothing(tmp_path, monkeypatch, where):
    from reincarnate.datasets.rlds import write

    rng = np.random.default_rng(1)
    begin = partial(LogWriter, tmp_path / "log", "toy", np.zeros(4, np.float32), 6)
    writer = begin()
    writer.add(episode(rng, 0, "vector"))
    replace = write.os.replace

    def stop(source, target):
        if where == "manifest written" and str(target) == str(tmp_path / "log"):
            raise KeyboardInterrupt
        if where == "shards named" and str(target).endswith("manifest.json") and "-of-" in open(source).read():
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(write.os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            writer.close()
    with begin(resume=True) as writer:
        assert writer.episodes == 1
        writer.add(episode(rng, 1, "vector"))
    assert [e.episode_id for e in read(tmp_path / "log")] == [0, 1]


def test_resuming_with_other_settings_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    frame = np.zeros(4, np.float32)
    writer = LogWriter(tmp_path / "log", "toy", frame, 6, Layout(shard_bytes=1))
    writer.add(episode(rng, 0, "vector"))
    with pytest.raises(ValueError, match="other settings"):
        LogWriter(tmp_path / "log", "toy", frame, 7, resume=True)


def test_what_breaks_a_rule_is_not_written(tmp_path):
    rng = np.random.default_rng(0)
    good = episode(rng, 7, "vector", size=3)
    bad = {
        "step 1: the reward is not": good.steps._replace(reward=np.array([0, np.nan, 0, 0], np.float32)),
        "step 2: the action is out": good.steps._replace(action=np.array([0, 1, 6, 0], np.int32)),
        "step 0: is_first must": good.steps._replace(is_first=np.zeros(4, bool)),
        "frames should be": good.steps._replace(frame=good.steps.frame[:, :3]),
        "teacher_values should be": good.steps._replace(teacher_values=np.zeros((4, 6), np.float32)),
    }
    writer = LogWriter(tmp_path / "log", "toy", np.zeros(4, np.float32), 6)
    for sentence, steps in bad.items():
        with pytest.raises(ValueError, match=f"Episode 7.*{sentence}"):
            writer.add(good._replace(steps=steps))
    writer.add(good._replace(checkpoint_id=1))
    with pytest.raises(ValueError, match="in the order of their checkpoints"):
        writer.add(good)
    with pytest.raises(ValueError, match="lower-case letters"):
        LogWriter(tmp_path / "other", "No-Name", np.zeros(4), 6)


def _with(name, value):
    """Change one list of a record."""

    def change(record):
        fields = columns(record)
        fields[name] = value(fields[name]) if callable(value) else value
        return tf_example.encode({key: field for key, field in fields.items() if field is not None})

    return change


def _at(index, value):
    def change(column):
        column = column.copy()
        column[index] = value
        return column

    return change


HOSTILE = {
    "the record is not a tf.train.Example": lambda record: b"\x0b" * 40,
    "points beyond the end": lambda record: record[:-5],
    "step 0: the reward is not a finite": _with("steps/reward", _at(0, np.nan)),
    "step 0: the action is out of range": _with("steps/action", _at(0, 6)),
    "step 0: the action is out of range ": _with("steps/action", _at(0, -(2**40))),
    "is_last must be true": _with("steps/is_last", _at(-1, 0)),
    "is_first must be true": _with("steps/is_first", _at(-1, 1)),
    "is_terminal is true before": _with("steps/is_terminal", _at(0, 1)),
    "values of action": _with("steps/action", lambda column: column[:-1]),
    "step 1: its observation has 9 bytes": _with("steps/observation", lambda rows: [rows[0].tobytes(), b"?" * 9]),
    "its observation has 9 bytes, not 7056": _with("steps/observation", lambda rows: rows[:, :9]),
    "the steps have no reward": _with("steps/reward", None),
    "holds something else": _with("steps/reward", np.ones(3, int)),
    "it has no steps": _with("steps/is_last", np.empty(0, int)),
    "where manifest.json states": lambda record: _with("steps/is_first", np.ones(1, int))(
        _with("steps/is_last", np.ones(1, int))(
            _with("steps/is_terminal", np.ones(1, int))(
                _with("steps/action", np.zeros(1, int))(
                    _with("steps/reward", np.zeros(1, np.float32))(
                        _with("steps/observation", lambda rows: rows[:1])(
                            _with("steps/discount", np.zeros(1, np.float32))(record)
                        )
                    )
                )
            )
        )
    ),
}


@pytest.mark.parametrize("sentence", HOSTILE)
def test_a_bad_record_is_one_sentence_and_can_be_skipped(tmp_path, sentence):
    log(tmp_path / "log", checkpoints=[3])
    rewrite(tmp_path / "log", HOSTILE[sentence], episode=1)
    with pytest.raises(ValueError, match=f"00000-of-00001, episode 1: .*{sentence.strip()}") as caught:
        list(read(tmp_path / "log"))
    assert "\n" not in str(caught.value)
    told = []
    kept = load(tmp_path / "log", on_bad_episode=told.append)
    assert len(told) == 1 and kept.is_last.sum() == 2 and kept.is_last[-1]
    told = []
    assert [e.episode_id for e in read(tmp_path / "log", on_bad_episode=told.append)] == [0, 2]
    assert len(told) == 1


def test_an_episode_without_a_stated_column_is_refused(tmp_path):
    log(tmp_path / "log", "vector", values=True)
    rewrite(tmp_path / "log", _with("steps/teacher_values", None), episode=1)
    with pytest.raises(ValueError, match="episode 1: the steps have no teacher_values"):
        load(tmp_path / "log")


def test_random_damage_to_a_record_never_does_more_than_raise_value_errors(tmp_path):
    log(tmp_path / "log", "vector", checkpoints=[1])
    table = open_log(tmp_path / "log")
    (record,) = records(table, table.shards[0])
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(record)
        for _ in range(int(rng.integers(1, 4))):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            decode(bytes(damaged[: rng.integers(1, len(damaged) + 1)]), table, table.shards[0], 0)
        except ValueError:
            refused += 1
    assert refused > 1500


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
@pytest.mark.parametrize("digest", [True, False])
def test_a_damaged_shard_is_one_sentence(tmp_path, damage, digest):
    log(tmp_path / "log", checkpoints=[3])
    if not digest:
        manifest = tmp_path / "log" / "manifest.json"
        manifest.write_text(re.sub(r'"sha256": "\w+"', '"sha256": null', manifest.read_text()))
    (shard,) = (tmp_path / "log").glob("*array_record*")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20] = bytes(20)
    if damage == "remove":
        shard.unlink()
    else:
        shard.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    with pytest.raises(ValueError, match="toy-checkpoint_00.array_record-00000-of-00001") as caught:
        load(tmp_path / "log")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "file, text, sentence",
    [
        ("dataset_info.json", None, "is missing"),
        ("dataset_info.json", "{", "not valid json"),
        ("dataset_info.json", "[]", "not a json object"),
        ("dataset_info.json", '{"name": "toy"}', "does not describe a log"),
        ("features.json", "{}", "does not describe an RLDS log"),
        ("features.json", "[" * 100_000, "does not describe an RLDS log"),
    ],
)
def test_a_broken_json_file_is_one_sentence(tmp_path, file, text, sentence):
    log(tmp_path / "log", "vector")
    (tmp_path / "log" / file).unlink() if text is None else (tmp_path / "log" / file).write_text(text)
    with pytest.raises(ValueError, match=sentence):
        open_log(tmp_path / "log")


def test_no_file_outside_the_folder_is_read(tmp_path):
    log(tmp_path / "log", "vector")
    info = tmp_path / "log" / "dataset_info.json"
    info.write_text(info.read_text().replace("{DATASET}-{SPLIT}", "../{DATASET}-{SPLIT}"))
    with pytest.raises(ValueError, match="leaves the folder"):
        open_log(tmp_path / "log")


def test_an_absurd_size_is_refused(tmp_path):
    log(tmp_path / "log", checkpoints=[1])
    manifest = json.loads((tmp_path / "log" / "manifest.json").read_bytes())
    manifest["shards"][0]["steps"] = [10**15]
    (tmp_path / "log" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="where manifest.json states|more than memory"):
        load(tmp_path / "log")


def test_an_unknown_split_is_an_error_that_lists_the_known_ones(tmp_path):
    log(tmp_path / "log", "vector")
    with pytest.raises(ValueError, match="'train'.*checkpoint_00, checkpoint_01"):
        load(tmp_path / "log", "train")


def test_reading_needs_neither_tfds_nor_tensorflow(tmp_path):
    log(tmp_path / "log", "vector")
    code = (
        "import sys; from reincarnate.datasets.rlds.read import load; load(sys.argv[1]);"
        "print([m for m in ('tensorflow', 'tensorflow_datasets', 'jax') if m in sys.modules])"
    )
    command, paths = [sys.executable, "-c", code, str(tmp_path / "log")], {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | paths)
    assert out.stdout.strip() == "[]"


def test_a_small_file_that_grows_beyond_all_bounds_is_refused(tmp_path, monkeypatch):
    log(tmp_path / "log", checkpoints=[1])
    monkeypatch.setattr(array_record, "LARGEST", 10_000)
    rewrite(tmp_path / "log", lambda record: record + bytes([10, 0]) * 20_000)
    with pytest.raises(ValueError, match="00000-of-00001, episode 0: a record of .* is larger than any episode may be"):
        load(tmp_path / "log")


@pytest.mark.parametrize("sizes", [[10] * 3, [200_000] * 5, [65_000, 1, 65_536, 131_072], [65_399, 65_400, 65_432] * 3])
def test_the_sizes_of_records_are_known_before_they_are_read(tmp_path, sizes):
    from array_record.python.array_record_module import ArrayRecordWriter

    rng = np.random.default_rng(0)
    writer = ArrayRecordWriter(str(tmp_path / "file"), "group_size:1,uncompressed")
    for size in sizes:
        writer.write(rng.bytes(size))
    writer.close()
    announced = [decoded for records, decoded in array_record.chunks(tmp_path / "file") if records == 1]
    assert announced[: len(sizes)] == sizes


def test_a_log_that_finds_no_room_is_an_error_of_the_file_as_everywhere(tmp_path):
    write = f"""
import errno, resource, signal
import numpy as np
from reincarnate.datasets.rlds.array_record import RecordWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, 70_000))
writer = RecordWriter({str(tmp_path / "log")!r}, "group_size:1")
try:
    for number in range(9):
        writer.write(np.random.default_rng(number).bytes(100_000))
    writer.close()
except OSError as error:
    print(error.errno == errno.EFBIG, error.filename)
"""
    told = subprocess.run([sys.executable, "-c", write], capture_output=True, text=True)
    assert told.stdout.split() == ["True", str(tmp_path / "log")], told.stderr

"""A log in other formats and back: every number is the same, and the libraries of those formats open it."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from reincarnate.datasets.rlds import exporting, images, importing
from reincarnate.datasets.rlds.read import read

from ..logs import FRAMES, log, same, taken


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("values", [True, False])
def test_parquet_both_ways(tmp_path, kind, values):
    episodes = log(tmp_path / "log", kind, values=values)
    assert exporting.export(tmp_path / "log", tmp_path / "out", "parquet") == ""
    names = [path.name for path in sorted((tmp_path / "out" / "data").iterdir())]
    assert names == [f"checkpoint_0{n}-00000-of-00001.parquet" for n in range(2)]
    made = importing.write(importing.open_source("parquet", tmp_path / "out"), tmp_path / "back")
    got = list(read(made.folder))
    assert made.notes == [] and len(got) == len(episodes)
    for a, b in zip(episodes, got, strict=True):
        assert same(a.steps, b.steps) and a[1:] == b[1:]


def test_a_row_is_a_step_for_everyone(tmp_path):
    episodes = log(tmp_path / "log", checkpoints=(3,), values=True)
    exporting.export(tmp_path / "log", tmp_path / "out", "parquet")
    (path,) = (tmp_path / "out" / "data").iterdir()
    table = parquet.read_table(path)
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["observation"] == {"_type": "Image"}
    rows = table.to_pylist()
    steps = [(e, t) for e in episodes for t in range(e.length + 1)]
    assert len(rows) == len(steps)
    for row, (e, t) in zip(rows, steps, strict=True):
        s, last = e.steps, t == e.length
        assert (row["episode_id"], row["step"], row["is_first"], row["is_last"]) == (e.episode_id, t, t == 0, last)
        assert row["is_terminal"] == bool(s.is_terminal[t])
        assert (row["action"], row["reward"]) == ((0, 0.0) if last else (int(s.action[t]), float(s.reward[t])))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["observation"]["bytes"]))), s.frame[t])


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_libraries_of_tables_open_it(tmp_path, library):
    module = pytest.importorskip(library)
    episodes = log(tmp_path / "log", "vector", checkpoints=(2, 2))
    exporting.export(tmp_path / "log", tmp_path / "out", "parquet")
    if library == "duckdb":
        query = f"select episode_id, sum(reward) from '{tmp_path}/out/data/*.parquet' group by 1 order by 1"
        sums = [total for _, total in module.sql(query).fetchall()]
    elif library == "polars":
        table = module.read_parquet(f"{tmp_path}/out/data/*.parquet")
        sums = table.group_by("episode_id").agg(module.col("reward").sum()).sort("episode_id")["reward"].to_list()
    else:
        sums = module.read_parquet(tmp_path / "out" / "data").groupby("episode_id").reward.sum().tolist()
    assert np.allclose(sums, [e.raw_return for e in episodes])


def rows(**changes):
    """Write two episodes of two transitions, by pyarrow alone."""
    columns = {
        "episode_id": ["a"] * 3 + ["b"] * 3,
        "observation": [[float(n), 0.5] for n in range(6)],
        "action": [1, 0, None, 0, 1, None],
        "reward": [1.0, 2.0, None, 3.0, 4.0, None],
        "is_last": [False, False, True] * 2,
        "is_terminal": [False, False, True, False, False, False],
    }
    return pa.table({name: column for name, column in {**columns, **changes}.items() if column is not None})


def test_parquet_of_others(tmp_path):
    parquet.write_table(rows(info=["x"] * 6), tmp_path / "train.parquet", row_group_size=2)
    source = importing.open_source("parquet", tmp_path / "train.parquet")
    assert source.notes == ("Left out: the column info",)
    got = taken(source.read())
    assert [e.steps.frame[:, 0].tolist() for e in got] == [[0, 1, 2], [3, 4, 5]]
    assert [e.steps.action.tolist() for e in got] == [[1, 0, 0], [0, 1, 0]]
    assert [e.steps.reward.tolist() for e in got] == [[1, 2, 0], [3, 4, 0]]
    assert [bool(e.steps.is_terminal[-1]) for e in got] == [True, False] and [e.named for e in got] == ["a", "b"]


SQUARES = [[[n, n + 1], [n + 2, n + 3]] for n in range(6)]


@pytest.mark.parametrize(
    "column, expected",
    [
        (pa.array(SQUARES, pa.list_(pa.list_(pa.uint8()))), np.array(SQUARES, np.uint8)),
        (pa.array(SQUARES, pa.large_list(pa.list_(pa.float32(), 2))), np.array(SQUARES, np.float32)),
        (pa.array([[1.0, n] for n in range(6)], pa.list_(pa.float64(), 2)), [[1.0, n] for n in range(6)]),
        (pa.array([3, 1, 2, 3, 1, 2]).dictionary_encode(), [3, 1, 2, 3, 1, 2]),
        (pa.array(images.encode_png(np.array(SQUARES, np.uint8)), pa.binary_view()), np.array(SQUARES, np.uint8)),
        (pa.array(images.encode_png(np.array(SQUARES, np.uint8)), pa.large_binary()), np.array(SQUARES, np.uint8)),
    ],
)
def test_observations_in_the_forms_that_writers_of_parquet_give_them(tmp_path, column, expected):
    parquet.write_table(rows(observation=column), tmp_path / "train.parquet")
    importing.write(importing.open_source("parquet", tmp_path / "train.parquet"), tmp_path / "out")
    got = np.concatenate([e.steps.frame for e in read(tmp_path / "out" / "array_record")])
    assert np.array_equal(got, expected) and got.dtype != np.float64


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_an_episode_may_go_on_in_the_next_file_of_its_split(tmp_path, cut):
    (tmp_path / "in").mkdir()
    for number, table in enumerate((rows().slice(0, cut), rows().slice(cut))):
        parquet.write_table(table, tmp_path / "in" / f"train-{number:05d}-of-00002.parquet")
    got = taken(importing.open_source("parquet", tmp_path / "in").read())
    assert [e.steps.frame[:, 0].tolist() for e in got] == [[0, 1, 2], [3, 4, 5]] and [e.named for e in got] == [
        "a",
        "b",
    ]


def test_episodes_of_one_id_that_ended_are_two(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(2):
        parquet.write_table(rows().slice(0, 3), tmp_path / "in" / f"train-{number:05d}-of-00002.parquet")
    got = taken(importing.open_source("parquet", tmp_path / "in").read())
    assert [e.steps.frame[:, 0].tolist() for e in got] == [[0, 1, 2], [0, 1, 2]]


def test_numbers_beyond_64_bits_are_no_ids(tmp_path):
    ids = pa.array([2**63] * 3 + [2**64 - 1] * 3, pa.uint64())
    parquet.write_table(rows(episode_id=ids), tmp_path / "train.parquet")
    got = taken(importing.open_source("parquet", tmp_path / "train.parquet").read())
    assert [(e.episode_id, e.named) for e in got] == [(None, str(2**63)), (None, str(2**64 - 1))]


def test_a_flipped_bit_of_an_exported_log_is_found(tmp_path):
    log(tmp_path / "log", checkpoints=(3,))
    exporting.export(tmp_path / "log", tmp_path / "out", "parquet")
    (path,) = (tmp_path / "out" / "data").glob("*.parquet")
    group = parquet.ParquetFile(path).metadata.row_group(0)
    (about,) = (one for one in map(group.column, range(group.num_columns)) if one.path_in_schema == "reward")
    data = bytearray(path.read_bytes())
    data[about.data_page_offset + about.total_compressed_size - 1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="is damaged|checksum"):
        importing.write(importing.open_source("parquet", path), tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"action": [1, None, None, 0, 1, None]}, "episode 0: step 1: it has no action"),
        ({"action": [1.0, 0.5, 0.0, 0.0, 1.0, 0.0]}, "not discrete"),
        ({"action": [[1, 0]] * 6}, r"not one choice: they are int64\[2\]"),
        ({"reward": ["x"] * 6}, "its reward is string, where numbers are needed"),
        ({"step": [0, 2, 1, 0, 1, 2]}, "row 1: its step is 2: the rows of an episode must be in order"),
        (
            {"is_last": [False] * 6, "action": [0] * 6, "reward": [0.0] * 6},
            "is_last must be true on the last step only",
        ),
        ({"observation": [[1.0]] * 5 + [[1.0, 2.0]]}, "its observation differs in size from step to step|is float64"),
        ({"is_last": None}, "has no column is_last; it has"),
        ({"observation": [[[1.0], [2.0, 3.0]]] * 6}, "its observation differs in size from step to step"),
        ({"observation": [b"no picture"] * 6}, "step 0: its image is neither PNG nor JPEG"),
    ],
)
def test_parquet_that_is_no_log_is_refused(tmp_path, changes, sentence):
    parquet.write_table(rows(**changes), tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=sentence):
        importing.write(importing.open_source("parquet", tmp_path / "train.parquet"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


def test_a_column_that_is_there_twice_is_one_sentence(tmp_path):
    table = rows(other=[9.0] * 6)
    names = [name if name != "other" else "reward" for name in table.column_names]
    parquet.write_table(table.rename_columns(names), tmp_path / "train.parquet")
    with pytest.raises(ValueError, match="train.parquet has several columns named reward"):
        importing.open_source("parquet", tmp_path / "train.parquet")


def test_parquet_that_is_damaged_is_one_sentence(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(ValueError, match="x.parquet is not a Parquet file"):
        importing.open_source("parquet", tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"has no \*.parquet"):
        (tmp_path / "empty").mkdir()
        importing.open_source("parquet", tmp_path / "empty")


@pytest.mark.parametrize("kind", FRAMES)
def test_minari_and_back(tmp_path, kind):
    episodes = log(tmp_path / "log", kind, values=True)
    assert "reincarnate/toy-v0" in exporting.export(tmp_path / "log", tmp_path / "out", "minari")
    source = importing.open_source(
        "minari", tmp_path / "out" / "reincarnate" / "toy-v0", teacher_values="teacher_values"
    )
    assert source.actions == 6 and source.notes == ()
    for a, b in zip(episodes, taken(source.read()), strict=True):
        assert same(a.steps._replace(behavior_epsilon=None), b.steps)
    own = tmp_path / "out" / "reincarnate" / "toy-v0" / "data" / "0" / "metadata.json"
    own.write_text(json.dumps({"id": 0, "total_steps": episodes[0].length + 1}))
    with pytest.raises(ValueError, match=f"episode 0: .* where its own metadata state {episodes[0].length + 1}"):
        importing.write(source, tmp_path / "again")


@pytest.mark.parametrize("kind", FRAMES)
def test_minari_itself_opens_it(tmp_path, kind, monkeypatch):
    minari = pytest.importorskip("minari")
    episodes = log(tmp_path / "log", kind, values=True)
    exporting.export(tmp_path / "log", tmp_path / "out", "minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "out"))
    opened = minari.load_dataset("reincarnate/toy-v0")
    assert opened.total_episodes == len(episodes) and opened.spec.action_space.n == 6
    assert opened.total_steps == sum(e.length for e in episodes)
    for ours, theirs in zip(episodes, opened.iterate_episodes(), strict=True):
        s = ours.steps
        assert np.array_equal(theirs.observations, s.frame) and np.array_equal(theirs.actions, s.action[:-1])
        assert np.array_equal(theirs.rewards, s.reward[:-1])
        assert np.array_equal(theirs.terminations, s.is_terminal[1:])
        assert np.array_equal(theirs.truncations, s.is_last[1:] & ~s.is_terminal[1:])
        assert np.array_equal(theirs.infos["teacher_values"], s.teacher_values)
        assert np.array_equal(theirs.infos["behavior_epsilon"], s.behavior_epsilon)


@pytest.mark.parametrize("form", ["hdf5", "arrow", "parquet"])
@pytest.mark.parametrize("jpeg", [True, False])
def test_what_minari_itself_writes_is_read(tmp_path, form, jpeg, monkeypatch):
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    import gymnasium

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    shown = np.random.default_rng(0).integers(0, 256, (8, 33, 34, 3), np.uint8)
    buffer = minari.data_collector.EpisodeBuffer(
        observations=list(shown), actions=list(range(4, 11)), rewards=[0.5] * 7, terminations=[False] * 7,
        truncations=[False] * 6 + [True],
    )  # fmt: skip
    made = minari.create_dataset_from_buffers(
        "odd/rows-v0", [buffer], data_format=form, jpeg_encoding=jpeg,
        algorithm_name="x", author="x", code_permalink="x",
        observation_space=gymnasium.spaces.Box(0, 255, (33, 34, 3), np.uint8), author_email="x",
        action_space=gymnasium.spaces.Discrete(7, start=4),
    )  # fmt: skip
    (theirs,) = made.iterate_episodes()
    imported = importing.write(importing.open_source("minari", tmp_path / "odd" / "rows-v0"), tmp_path / "out")
    (got,) = read(imported.folder)
    assert np.array_equal(got.steps.frame, theirs.observations)
    assert np.array_equal(got.steps.frame, shown) != jpeg and len(imported.notes) == 1 + jpeg
    assert got.steps.action[:-1].tolist() == list(range(7)) and not got.steps.is_terminal[-1]


def test_nothing_is_left_of_an_export_that_fails(tmp_path):
    log(tmp_path / "log")
    with pytest.raises(ValueError, match="cannot be exported as 'csv': give --to"):
        exporting.export(tmp_path / "log", tmp_path / "out", "csv")
    (shard, *_) = (tmp_path / "log").glob("*checkpoint_01*")
    shard.write_bytes(shard.read_bytes()[:-1])
    for format in exporting.FORMATS:
        with pytest.raises(ValueError, match="damaged"):
            exporting.export(tmp_path / "log", tmp_path / "out", format)
        assert [path.name for path in tmp_path.iterdir()] == ["log"], format

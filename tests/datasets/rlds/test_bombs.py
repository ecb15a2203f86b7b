"""Small files that announce more than memory holds: refused in a sentence before anything is taken."""

import json

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from reincarnate.datasets.rlds import importing, room

SENTENCE = r"would take [\d.,]+ GB of memory, and 0\.2 GB are free"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Return a machine with 200 MB of free memory."""
    monkeypatch.setattr(room, "free", lambda: 200_000_000)


def refused(kind, path, tmp_path):
    with pytest.raises(ValueError, match=SENTENCE) as caught:
        importing.write(importing.open_source(kind, path), tmp_path / "out")
    assert path.name in str(caught.value) and not (tmp_path / "out").exists()


def test_npz(tmp_path):
    path, zeros = tmp_path / "b.npz", np.zeros((4000, 1), np.float32)
    rows = {"actions": zeros.astype(int), "rewards": zeros, "dones": zeros}
    np.savez_compressed(path, observations=np.zeros((4000, 1, 256, 256), np.uint8), **rows)
    assert path.stat().st_size < 1 << 20
    refused("npz", path, tmp_path)


def test_hdf5_whose_arrays_were_never_written(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    space = {"type": "Box", "dtype": "float32", "shape": [1000], "low": 0, "high": 1}
    action = {"type": "Discrete", "dtype": "int64", "start": 0, "n": 2}
    about = {"total_episodes": 1, "observation_space": json.dumps(space), "action_space": json.dumps(action)}
    (folder / "metadata.json").write_text(json.dumps(about))
    with h5py.File(folder / "main_data.hdf5", "w") as file:
        episode = file.create_group("episode_0")
        episode.create_dataset("observations", (1_000_001, 1000), "float32", chunks=(1000, 1000))
        for name, kind in (("actions", int), ("rewards", float), ("terminations", bool), ("truncations", bool)):
            episode[name] = np.zeros(10, kind)
    refused("minari", folder, tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "minari"])
def test_parquet_that_names_one_large_value_in_every_row(tmp_path, kind):
    rows = 600
    large = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([b"x" * 1_000_000]))
    table = pa.table({"observation": large, "observations": large})
    for name in ("episode_id", "action", "reward", "actions", "rewards"):
        table = table.append_column(name, pa.array(np.zeros(rows, np.int64)))
    for name in ("is_last", "is_terminal", "terminations", "truncations"):
        table = table.append_column(name, pa.array(np.zeros(rows, bool)))
    folder = tmp_path / "data" / "0"
    folder.mkdir(parents=True)
    parquet.write_table(table, folder / "part.parquet", store_schema=False)
    assert (folder / "part.parquet").stat().st_size < 1 << 20
    (tmp_path / "data" / "metadata.json").write_text('{"total_episodes": 1}')
    refused(kind, tmp_path / "data", tmp_path) if kind == "minari" else refused(kind, folder / "part.parquet", tmp_path)

"""Small files that announce more than memory holds: refused in a sentence before anything is taken."""

import json
import re
import resource
import subprocess
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from reincarnate.datasets.rlds import importing, room

SENTENCE = r"would take [\d.,]+ GB of memory, and 0\.2 GB are free|more than 0\.1 GB of memory, half of what is free"
MARKS = [("actions", int), ("rewards", float), ("terminations", bool), ("truncations", bool)]
PLAIN = [("episode_id", int), ("action", int), ("reward", float), ("is_last", bool), ("is_terminal", bool)]
VALUES = 12_500_000  # of float64, which are 100 MB


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pretend that 200 MB of memory are free."""
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


def bomb(tmp_path, kind, seen):
    """Write the metadata, and return the folder of the episode and a table with these observations."""
    folder = tmp_path / "data" / "0"
    folder.mkdir(parents=True)
    (tmp_path / "data" / "metadata.json").write_text('{"total_episodes": 1}')
    name, marks = ("observations", MARKS) if kind == "minari" else ("observation", PLAIN)
    columns = {name: pa.array(np.zeros(len(seen), dtype)) for name, dtype in marks}
    return folder, pa.table({name: seen, **columns})


def peak(kind, path, tmp_path):
    """Return by how much the memory of a process of its own grows at most while it refuses the file, in bytes."""
    program = f"""
import resource, sys
from pathlib import Path
import h5py, pyarrow.parquet
from reincarnate.datasets.rlds import importing, room
room.free = lambda: 60_000_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    importing.write(importing.open_source({kind!r}, Path({str(path)!r})), Path({str(tmp_path / "out")!r}))
except ValueError as error:
    print(error)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    *sentence, grown = said.stdout.splitlines()
    assert len(sentence) == 1 and re.search(r"0\.1 GB are free|0\.0 GB of memory, half of what is free", sentence[0]), (
        said
    )
    assert str(path) in sentence[0] and not (tmp_path / "out").exists()
    return int(grown)


@pytest.mark.skipif(sys.platform != "linux", reason="the system is asked for memory in Linux's way")
@pytest.mark.parametrize("codec", ["zstd", pytest.param("lz4", marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", ["values", "dictionary"])
def test_compressed_arrow_is_refused_before_it_is_decoded(tmp_path, codec, what):
    if what == "values":
        seen = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(VALUES)), VALUES // 4)
    else:
        seen = pa.DictionaryArray.from_arrays(pa.array(np.zeros(4, np.int32)), pa.array([bytes(8 * VALUES)]))
    folder, table = bomb(tmp_path, "minari", seen)
    path = folder / "part-0.arrow"
    with pa.ipc.new_file(str(path), table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as file:
        file.write_table(table)
    assert path.stat().st_size < 1 << 21
    assert peak("minari", tmp_path / "data", tmp_path) < 8 * VALUES


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system is asked for memory in Linux's way")
@pytest.mark.parametrize("kind", ["minari", "parquet"])
@pytest.mark.parametrize("rows", [(1, 1), (0, 2)], ids=["even", "all-in-one-row"])
def test_parquet_whose_runs_stand_for_long_lists_is_refused_before_it_is_decoded(tmp_path, kind, rows):
    ends = np.cumsum([0, *rows, *[0] * 30]) * (VALUES // 2)
    seen = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(np.zeros(VALUES)))
    folder, table = bomb(tmp_path, kind, seen)
    path = folder / "part-0.parquet"
    parquet.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 1 << 14
    assert peak(kind, tmp_path / "data" if kind == "minari" else path, tmp_path) < 8 * VALUES


def test_a_limit_of_the_machine_counts_as_what_is_free(tmp_path):
    """Set limits as `ulimit` and Slurm do for a process."""
    program = "from reincarnate.datasets.rlds import room; print(room.free())"
    limited = f"ulimit -v 3000000; exec {sys.executable} -c '{program}'"
    said = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=100)
    assert 0 < int(said.stdout) < 3_000_000 * 1024


def test_a_group_of_processes_has_what_it_has_not_taken(tmp_path):
    """Set limits as in a container: 1 GB, of which 0.9 are used, 0.3 of them by page cache."""
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("900000000\n")
    (tmp_path / "memory.stat").write_text("anon 600000000\ninactive_file 100000000\nactive_file 200000000\n")
    assert room._left(tmp_path, "memory.max", "memory.current") == 400_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert room._left(tmp_path, "memory.max", "memory.current") == room.ENDLESS


def test_the_limit_is_put_back():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(ValueError, match=r"it would take more than 0\.1 GB"), room.bounded("it"):
        bytearray(1 << 30)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before and len(bytearray(1 << 28)) == 1 << 28

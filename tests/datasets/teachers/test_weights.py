"""Weights are restored exactly; hostile files are refused in one sentence and take no memory."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from reincarnate.datasets.teachers import weights

ARRAYS = {
    "params/Dense_0/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "params/Dense_0/bias": np.array([1.5, -2.0], np.float64),
    "step": np.array(7, np.int32),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
}


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "new" / "policy.safetensors"
    weights.save(path, ARRAYS, {"b": "2", "a": "é"})
    back = weights.load(path)
    assert list(path.parent.iterdir()) == [path]
    assert set(back) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert back[name].dtype == array.dtype and back[name].shape == array.shape
        np.testing.assert_array_equal(back[name], array)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"a": "é", "b": "2"}


def test_views_and_foreign_byte_orders_are_stored_by_value(tmp_path):
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    weights.save(tmp_path / "w", {"t": whole.T, "step": whole[:, ::2], "big": whole.astype(">f4")})
    back = weights.load(tmp_path / "w")
    np.testing.assert_array_equal(back["t"], whole.T)
    np.testing.assert_array_equal(back["step"], [[0, 2], [4, 6], [8, 10]])
    np.testing.assert_array_equal(back["big"], whole)


def test_the_same_arrays_give_the_same_bytes_in_any_process(tmp_path):
    metadata = {name: name for name in "qwertyuiop"}
    weights.save(tmp_path / "one", ARRAYS, metadata)
    weights.save(tmp_path / "two", dict(reversed(ARRAYS.items())), dict(reversed(metadata.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    size = int.from_bytes((tmp_path / "one").read_bytes()[:8], "little")
    assert size % 8 == 0


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()]), np.zeros(2, np.complex128)])
def test_what_is_no_number_is_refused_and_nothing_is_written(tmp_path, array):
    with pytest.raises(ValueError, match="x .* cannot be stored as weights"):
        weights.save(tmp_path / "w", {"x": array})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    weights.save(tmp_path / "w", ARRAYS)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        weights.save(tmp_path / "folder", ARRAYS)  # a folder cannot be replaced by a file
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "w"]
    assert set(weights.load(tmp_path / "w")) == set(ARRAYS)


def file_of(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


HOSTILE = {
    "empty": b"",
    "seven bytes": bytes(7),
    "no header": bytes(8),
    "huge header": file_of({}, size=2**63),
    "header beyond the end": file_of({}, size=3),
    "longest header": file_of({}, size=2**64 - 1),
    "not json": file_of(b"\xff\xfe{"),
    "a list": file_of([]),
    "a number": file_of(b"1"),
    "deep": file_of(b"[" * 100_000),
    "deep in an entry": file_of(b'{"a":' * 50_000),
    "huge shape": file_of({"a": tensor(shape=[2**40])}, bytes(4)),
    "huge shape and offsets": file_of({"a": tensor(shape=[2**40], offsets=[0, 2**42])}, bytes(4)),
    "overflowing shape": file_of({"a": tensor(shape=[2**62, 8], offsets=[0, 0])}),
    "overflow after zero": file_of({"a": tensor(shape=[0, 2**62, 2**62], offsets=[0, 0])}),
    "negative shape": file_of({"a": tensor(shape=[-1])}, bytes(4)),
    "negative offset": file_of({"a": tensor(offsets=[-4, 0])}, bytes(4)),
    "backward offsets": file_of({"a": tensor(offsets=[4, 0])}, bytes(4)),
    "overlap": file_of({"a": tensor(), "b": tensor()}, bytes(4)),
    "hole": file_of({"a": tensor(offsets=[4, 8])}, bytes(8)),
    "data left over": file_of({"a": tensor()}, bytes(8)),
    "data missing": file_of({"a": tensor()}, bytes(3)),
    "too many dimensions": file_of({"a": tensor(shape=[1] * 100)}, bytes(4)),
    "text as shape": file_of({"a": {**tensor(), "shape": "1"}}, bytes(4)),
    "unknown type": file_of({"a": tensor(dtype="F99")}, bytes(4)),
    "object type": file_of({"a": tensor(dtype="O")}, bytes(4)),
    "null": file_of({"a": None}),
    "metadata of numbers": file_of({"__metadata__": {"a": 1}, "a": tensor()}, bytes(4)),
    "a pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "a zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_in_a_sentence(tmp_path, data):
    (tmp_path / "policy.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=r"policy\.safetensors (is|has) .*: (download|convert)") as caught:
        weights.load(tmp_path / "policy.safetensors")
    assert "\n" not in str(caught.value)


def test_types_that_numpy_lacks_are_named_as_such(tmp_path):
    (tmp_path / "w").write_bytes(file_of({"a": tensor(dtype="BF16", shape=[2])}, bytes(4)))
    with pytest.raises(ValueError, match="a type that numpy lacks: convert it to float32"):
        weights.load(tmp_path / "w")


def test_the_limit_holds_before_anything_is_read(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)  # a terabyte of nothing
    tracemalloc.start()
    with pytest.raises(ValueError, match="has more than 536870912 bytes"):
        weights.load(tmp_path / "sparse")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_absent_files_and_folders(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(ValueError, match="there is no file"):
            weights.load(path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_mutation_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "w"
    weights.save(path, ARRAYS, {"a": "b"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
        content = content or bytearray(1)
    path.write_bytes(content)
    try:
        back = weights.load(path)
    except ValueError as error:
        assert "w " in str(error)
    else:
        assert sum(array.nbytes for array in back.values()) <= len(content)


def test_several_files_are_read_by_their_index(tmp_path):
    first, second = {"a": np.arange(3, dtype=np.float32)}, {"b": np.ones((2, 2), np.float32)}
    weights.save(tmp_path / "model-00001-of-00002.safetensors", first)
    weights.save(tmp_path / "model-00002-of-00002.safetensors", second)
    named = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 28}, "weight_map": named}))
    found = weights.load_sharded(index)
    assert set(found) == {"a", "b"} and np.array_equal(found["a"], first["a"])
    for wrong, says in (
        ({"a": "../model.safetensors"}, "which is not a safetensors file beside it"),
        ({"a": named["a"], "b": named["a"]}, "names other arrays"),
        ({"a": "model-00003-of-00002.safetensors"}, "there is no file"),
        ({"a": 7}, "no map 'weight_map'"),
    ):
        index.write_text(json.dumps({"weight_map": wrong}))
        with pytest.raises(ValueError, match=says):
            weights.load_sharded(index)

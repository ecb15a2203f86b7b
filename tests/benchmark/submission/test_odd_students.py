"""Odd weights and configurations before the judge's own reader: all are refused in a sentence, in seconds."""

import json
import struct
import time

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.submission import judge as judges
from reincarnate.datasets.teachers import weights

from ...leaderboard.makers import record

NET = {"name": "mlp", "options": {"size": 8, "depth": 1}}
TWO = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
SHAPES = {
    "params/Dense_0/kernel": (4, 8),
    "params/Dense_0/bias": (8,),
    "params/Dense_1/kernel": (8, 2),
    "params/Dense_1/bias": (2,),
}


def honest() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype("f4") for name, shape in SHAPES.items()}


def tensors(head, body: bytes = b"") -> bytes:
    told = json.dumps(head).encode()
    return struct.pack("<Q", len(told)) + told + body


def mlp(**options) -> dict:
    return {"architecture": {"name": "mlp", "options": options}}


def nested(times: int) -> dict:
    inner = {"of": "categorical", "options": {}}
    for _ in range(times):
        inner = {"of": "categorical", "options": inner}
    return {"architecture": {"name": "categorical", "options": inner}}


def judged(folder, config, data: bytes | None = None, arrays=None):
    """Return what the judge's reader says of a student with this configuration and these weights."""
    arrays = honest() if arrays is None else arrays
    if data is None:
        weights.save(folder / "policy.safetensors", arrays)
    else:
        (folder / "policy.safetensors").write_bytes(data)
    (folder / "config.json").write_bytes(config if isinstance(config, bytes) else json.dumps(config).encode())
    made = record("r", points=((10, 10),), network=NET)
    last = made.points[0].model_copy(update={"parameters": digest(arrays)})
    started = time.monotonic()
    student, told = judges._student(made.model_copy(update={"points": (last,)}), folder)
    assert time.monotonic() - started < 20.0  # 22 s were once taken by an ensemble that was built to be counted
    assert all(sentence.isprintable() for sentence in told)
    return student, told


def test_an_honest_one_is_read(tmp_path):
    student, told = judged(tmp_path, {"architecture": NET})
    assert student is not None and told == []


def test_students_of_one_network_share_what_is_compiled(tmp_path):
    """Otherwise the 25 runs of an entry, with four students each, would compile each student twice."""
    one, two = (judged(tmp_path, {"architecture": NET})[0] for _ in range(2))
    assert one is not None and two is not None
    assert one is not two and one.policies[0].apply is two.policies[0].apply
    assert judges._greedy(one.policies[0].apply, one.task) is judges._greedy(two.policies[0].apply, two.task)


@pytest.mark.parametrize(
    "config",
    [
        mlp(size=10**9),
        mlp(size=16384, depth=64),
        mlp(sizes=[16384] * 64),
        mlp(size=True),
        mlp(size="8"),
        mlp(size=-8),
        mlp(size=8.5),
        mlp(evil=1),
        nested(4),
        {"architecture": {"name": ["mlp"], "options": {}}},
        {"architecture": {"name": "mlp", "options": [1]}},
        {"architecture": {"name": "os:system", "options": {}}},
        {"architecture": None},
        [],
        b'{"architecture":' + b"[" * 100_000,
        b'{"architecture":{"name":"mlp","options":{}},"x":"' + b"y" * 5_000_000 + b'"}',
        b'{"architecture":{"name":"mlp","options":{"width":NaN}}}',
        b"\xff\xfe",
        b"",
        {"architecture": {"name": "mlp", "options": {"size": 9, "depth": 1}}},
    ],
)
def test_odd_configurations(tmp_path, config):
    student, told = judged(tmp_path, config)
    assert told and (student is None or "another network than the record" in told[0])


@pytest.mark.parametrize(
    "data",
    [
        tensors({"a": TWO, "b": TWO}, b"\0" * 8),
        tensors({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, b"\0" * 8),
        tensors({"a": {"dtype": "F32", "shape": [0, 2**60], "data_offsets": [0, 0]}}),
        tensors({f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(5000)}),
        tensors({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, b"\0" * 8),
        tensors({"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 8),
        struct.pack("<Q", 2**62) + b"{}",
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n",
    ],
)
def test_odd_files_of_weights(tmp_path, data):
    student, told = judged(tmp_path, {"architecture": NET}, data)
    assert student is None and told


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w | {"params/Dense_0/bias": w["params/Dense_0/bias"].astype("i4")},
        lambda w: w | {"params/Dense_0/bias": w["params/Dense_0/bias"].astype("f8")},
        lambda w: w | {"params/Dense_0/bias": w["params/Dense_0/bias"].astype("f2")},
        lambda w: w | {"params/Dense_0/bias": np.full(8, np.inf, "f4")},
        lambda w: w | {"params/Dense_0/bias": np.full(8, np.nan, "f4")},
        lambda w: w | {"params/Dense_0/bias": np.zeros((8, 1), "f4")},
        lambda w: w | {"params/Dense_9/bias": np.zeros(8, "f4")},
        lambda w: {name: w[name] for name in list(w)[:-1]},
        lambda w: {},
    ],
)
def test_odd_weights(tmp_path, change):
    student, told = judged(tmp_path, {"architecture": NET}, arrays=change(honest()))
    assert student is None and told


@pytest.mark.parametrize(
    "name", [".cache", ".eval_results/x.txt", "evil.py", "policy.pkl", "students/other.safetensors"]
)
def test_files_that_do_not_belong_there(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    assert any("does not belong there" in sentence for sentence in judged(tmp_path, {"architecture": NET})[1])

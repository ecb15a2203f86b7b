"""Frozen graphs of TensorFlow: the network by hand-worked numbers; any other computation is refused in a sentence."""

import json
import tracemalloc

import numpy as np
import pytest

from reincarnate.agents.method import Architecture
from reincarnate.agents.teacher import restore
from reincarnate.datasets.teachers import formats, frozen_graph

from ...fuzz import graphs

KERNEL, SHIFT = np.array([[1, -1], [2, 0]], np.float32), np.array([0, 1], np.float32)
LAST, ENDS = np.array([[1, 0, 0, 2], [0, 1, 1, 0]], np.float32), np.array([0, 0, 3, 0], np.float32)


def test_the_values_are_the_means_of_the_quantiles(tmp_path):
    (tmp_path / "x.pb").write_bytes(graphs.graph([KERNEL, SHIFT, LAST, ENDS], 2, 2))
    found = formats.read(tmp_path)
    assert found.config["origin"]["library"] == "tensorflow" and found.config["outputs"] == "values"
    assert found.config["actions"] == 2 and found.config["observation"] == {"shape": [1, 2], "dtype": "float32"}
    architecture = found.config["architecture"]
    assert architecture["options"] == {"of": "mlp", "options": {"sizes": [2]}, "quantiles": 2}
    obs = np.array([[[1, 1]], [[-1, 0]]], np.float32)
    policy = restore(Architecture(architecture["name"], architecture["options"]), 2, obs, found.arrays)
    # hidden: relu([3, 0]) and relu([-1, 2]); outputs [3, 0 | 3, 6] and [0, 2 | 5, 0], by action
    np.testing.assert_allclose(policy.apply(policy.params, obs), [[1.5, 4.5], [1.0, 2.5]], rtol=1e-6)


def wrong() -> dict[str, tuple[bytes, str]]:
    """Return {name: (bytes, a part of the sentence)}."""
    arrays, node, constant = graphs.small(), graphs.node, graphs.constant
    right = graphs.graph(arrays)
    turned = graphs.dense("layer0", "observation", arrays[0], arrays[1], transpose_b=True)
    circle = node("q_values", "Identity", "a") + node("a", "Identity", "q_values")
    return {
        "cut": (right[:-100], "cut short|no node"),
        "empty": (b"", "no node 'q_values'"),
        "other end": (node("logits", "Identity", "x"), "no node 'q_values'"),
        "a circle": (circle, "cycle"),
        "long circle": (graphs.graph(arrays, mean=node("Mean", "Identity", "q_values")), "cycle"),
        "over actions": (graphs.graph(arrays, axis=1), "not the mean of quantiles"),
        "kept": (
            graphs.graph(
                arrays,
                mean=node("Reshape", "Reshape", "layer2/out", "shape")
                + node("Mean", "Mean", "Reshape", "axis", keep_dims=True),
            ),
            "not the mean",
        ),
        "tanh": (graphs.graph(arrays, relu0=node("layer0/Relu", "Tanh", "layer0/out")), "'Tanh'"),
        "turned": (graphs.graph(arrays, layer0=turned), "transposed"),
        "no layers": (graphs.graph([]).replace(b"layer-2", b""), "no node|no layers"),
        "other sizes": (graphs.graph([arrays[0], arrays[1], arrays[2], arrays[1]]), "for 6 units"),
        "many actions": (graphs.graph(arrays, actions=65, quantiles=1), "not have 1 to 64 actions"),
        "no number": (graphs.graph([np.full((4, 3), np.nan, np.float32), *arrays[1:]]), "not numbers"),
        "doubles": (graphs.graph(arrays, shape=constant("shape", np.zeros(3), 2)), "not an array of int32"),
        "twice": (right + node("Mean", "Mean", "Reshape", "axis"), "two nodes of one name"),
        "huge shape": (graphs.graph(arrays, shape=constant("shape", np.zeros((3,), np.int32)).replace(
            graphs.field(2, graphs.field(1, 3)), graphs.field(2, graphs.field(1, 2**30)))), "not match|cut short"),
        "endless number": (b"\x0a" + b"\xff" * 40, "cut short"),
        "text": (json.dumps({"a": 1}).encode(), "cut short|no node"),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(wrong()))
def test_what_is_another_computation_is_refused(name, tmp_path):
    data, said = wrong()[name]
    (tmp_path / "x.pb").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(ValueError, match=said) as told:
        formats.read(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 2**22 and "\n" not in str(told.value)
    tracemalloc.stop()


def test_a_saved_model_is_something_else(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    assert frozen_graph.find(tmp_path) == [] and formats.recognise(tmp_path) is None

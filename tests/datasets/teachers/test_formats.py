"""Teachers from CleanRL's flax files: deviations from their kind are refused; hostile files cost one sentence."""

import json
import pickle
import tracemalloc

import flax.serialization
import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reincarnate.datasets.teachers import flax_file, formats, weights

LAYERS = {
    "Conv_0": (8, 8, 4, 32),
    "Conv_1": (4, 4, 32, 64),
    "Conv_2": (3, 3, 64, 64),
    "Dense_0": (7 * 7 * 64, 512),
    "Dense_1": (512, 6),
}


def write(folder, content, name="dqn_atari_jax"):
    data = content if isinstance(content, bytes) else flax.serialization.msgpack_serialize(content)
    (folder / f"{name}.cleanrl_model").write_bytes(data)
    return folder


def nature(**changed):
    """Return zeros in CleanRL's layout, with some arrays replaced, or removed by None."""
    tree = {}
    for layer, shape in LAYERS.items():
        for leaf, size in (("kernel", shape), ("bias", shape[-1:])):
            array = changed.get(f"{layer}_{leaf}", np.zeros(size, np.float32))
            if array is not None:
                tree.setdefault(layer, {})[leaf] = array
    return {"params": tree}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"Conv_0_bias": None}, "'params/Conv_0/bias' is missing"),
        ({"Conv_0_kernel": np.zeros((8, 8, 3, 32), np.float32)}, r"float32\[8, 8, 3, 32\], not float32\[8, 8, 4, 32\]"),
        ({"Conv_0_bias": np.zeros(32, np.float16)}, r"float16\[32\], not float32\[32\]"),
        ({"Dense_1_bias": np.zeros(65, np.float32)}, "it has 65 outputs, which are not 1 to 64 actions"),
        ({"Dense_1_bias": np.zeros(0, np.float32)}, "it has 0 outputs"),
        ({"Dense_1_bias": np.float32(1.0)}, "a last one without a bias for every output"),
        ({"Dense_1_bias": np.zeros(7, np.float32)}, r"float32\[512, 6\], not float32\[512, 7\]"),
        ({"Conv_1_bias": np.full(64, np.nan, np.float32)}, "values that are not numbers"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, changed, says):
    with pytest.raises(ValueError, match=says):
        formats.read(write(tmp_path, nature(**changed)))


def test_unknown_arrays_and_other_networks_are_refused(tmp_path):
    tree = nature()
    tree["params"]["extra"] = {"kernel": np.zeros(1, np.float32)}
    with pytest.raises(ValueError, match="'params/extra/kernel' is unknown"):
        formats.read(write(tmp_path, tree))


def test_the_folder_has_exactly_one_known_file(tmp_path):
    with pytest.raises(ValueError, match="holds no teacher that can be read"):
        formats.read(tmp_path)
    write(tmp_path, nature(), "ppo_unheard_of")
    with pytest.raises(ValueError, match="not a kind of agent that can be read; those that can: c51, .*dqn_atari_jax"):
        formats.read(tmp_path)
    write(tmp_path, nature())
    with pytest.raises(
        ValueError, match="holds 2 teachers of cleanrl: choose one with --file: dqn_atari_jax.cleanrl_model, "
    ):
        formats.read(tmp_path)


def array(shape, dtype, data):
    return msgpack.ExtType(1, msgpack.packb((shape, dtype, data)))


def deep(levels):
    return b"\x81\xa1a" * levels + b"\x80"


HOSTILE = {
    "empty": b"",
    "cut short": flax.serialization.msgpack_serialize(nature())[:-1],
    "something after it": flax.serialization.msgpack_serialize(nature()) + b"\x00",
    "a pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "a torch zip": b"PK\x03\x04" + bytes(1000),
    "a number": msgpack.packb(7),
    "a list": msgpack.packb([1, 2]),
    "text for an array": msgpack.packb({"params": "x"}),
    "bytes for an array": msgpack.packb({"params": b"x"}),
    "a long name": msgpack.packb({"x" * 1000: array([0], "float32", b"")}),
    "a slash": msgpack.packb({"params/a": array([0], "float32", b"")}),
    "a number as a name": msgpack.packb({1: 2}),
    "a name twice": b"\x82\xa1a\x80\xa1a\x80",
    "a list as a name": b"\x81\x90\x80",
    "a broken name": b"\x81\xa2\xff\xfe\x80",
    "a time": msgpack.packb({"a": msgpack.Timestamp(1)}),
    "a complex number": msgpack.packb({"a": msgpack.ExtType(2, msgpack.packb((1.0, 2.0)))}),
    "an unknown kind": msgpack.packb({"a": msgpack.ExtType(77, b"")}),
    "an empty array": msgpack.packb({"a": msgpack.ExtType(1, b"")}),
    "an array of two parts": msgpack.packb({"a": msgpack.ExtType(1, msgpack.packb((1, 2)))}),
    "a huge shape": msgpack.packb({"a": array([2**40], "float32", b"1234")}),
    "an overflowing shape": msgpack.packb({"a": array([2**62, 4, 0], "float32", b"")}),
    "a negative shape": msgpack.packb({"a": array([-1], "float32", b"1234")}),
    "a shape of text": msgpack.packb({"a": array("1", "float32", b"1234")}),
    "a shape of floats": msgpack.packb({"a": array([1.0], "float32", b"1234")}),
    "many dimensions": msgpack.packb({"a": array([1] * 100, "float32", b"1234")}),
    "objects": msgpack.packb({"a": array([1], "object", b"12345678")}),
    "a record type": msgpack.packb({"a": array([1], "V1000000000", b"")}),
    "a type of numbers": msgpack.packb({"a": array([1], 7, b"1234")}),
    "chunks": msgpack.packb({"__msgpack_chunked_array__": True, "shape": {"0": 2**40}, "chunks": {}}),
    "deep": deep(100),
    "deeper": deep(1000),
    "deepest": deep(2_000_000),
    "wide": b"\xdf\xff\xff\xff\xff",
    "long": b"\xdd\xff\xff\xff\xff",
    "long inside": msgpack.packb({"a": msgpack.ExtType(1, b"\xdd\x7f\xff\xff\xff")}),
    "long in long": b"\xdd\x00\xff\xff\xff" * 1000,
    "bytes beyond the end": b"\x81\xa1a\xc6\xff\xff\xff\xff",
    "many maps": msgpack.packb({f"{i}": {f"{j}": {} for j in range(255)} for i in range(255)}),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_in_a_sentence(tmp_path, data):
    with pytest.raises(ValueError, match="is not a network of cleanrl that can be read: .+") as caught:
        formats.read(write(tmp_path, data))
    assert str(caught.value).isprintable()


def layers(*sizes, heads=0):
    """Return dense layers of these sizes, of one network or several in a row."""
    first = (heads,) if heads else ()
    return {
        f"Dense_{n}": {"kernel": np.ones((*first, *size), np.float32), "bias": np.ones((*first, size[1]), np.float32)}
        for n, size in enumerate(zip(sizes, sizes[1:], strict=False))
    }


def shared(torsos, heads):
    return {
        "torso_params": {"params": layers(4, 5, heads=torsos)},
        "head_params": {"params": layers(5, 2, heads=heads)},
    }


ONE = layers(5, 2)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({"params": {"encoder": layers(5, 2)}}, "neither a gymnax agent nor a network of i-DQN"),
        ({"params": {"head": layers(5, 2)}}, "only part of a network"),
        (
            {"params": {"torso": layers(5, 2), "head": layers(5, 2), "body": layers(5, 2)}},
            "'params/body/Dense_0/kernel'",
        ),
        ({"params_nets": {"params": layers(5, 2)}, "params_combiner": {}}, r"a random mixture of networks \(REM"),
        (
            {"torso_params": {"params": layers(4, 5, heads=3)}, "head_params": {"params": layers(5, 2, heads=4)}},
            "its numbers of torsos",
        ),
        (
            {"torso_params": {"params": layers(4, 5, heads=2)}, "head_params": {"params": layers(5, 2, heads=1)}},
            "its numbers of torsos",
        ),
        (
            {"torso_params": {"params": layers(4, 5)}, "head_params": {"params": layers(5, 2, heads=2)}},
            "its numbers of torsos",
        ),
        ({"params": layers(5, 2, heads=65)}, "not those of 65 networks in a row"),
        ([1, 2], "something other than"),
        (np.ones(3), "something other than named arrays"),
    ],
)
def test_what_is_no_network_of_idqn_is_refused_by_its_kind(tmp_path, tree, reason):
    (tmp_path / "0.pkl").write_bytes(pickle.dumps(tree))
    with pytest.raises(ValueError, match=f"0.pkl is not a network of .*{reason}") as caught:
        formats.read(tmp_path)
    assert str(caught.value).isprintable()


def test_the_published_networks_of_idqn_are_found_and_play_the_game_of_their_folder(tmp_path):
    for game in ("Pong", "Qbert"):
        folder = tmp_path / "parameters" / game / "iDQN"
        folder.mkdir(parents=True)
        (folder / "5_Q_1_best_online_params").write_bytes(pickle.dumps({"params": layers(5, 4, 2)}))
    with pytest.raises(ValueError, match="2 teachers of flax: choose one with --file: parameters/Pong/iDQN/5_Q_1_"):
        formats.read(tmp_path)
    config, _ = formats.read(tmp_path / "parameters" / "Qbert" / "iDQN" / "5_Q_1_best_online_params")
    assert config["claim"] == {"environment": "ALE/Qbert-v5"}


def test_size_is_limited_before_anything_is_read(tmp_path):
    with (tmp_path / "dqn_atari_jax.cleanrl_model").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match="has more than 67108864 bytes"):
        formats.read(tmp_path)


def test_memory_stays_within_twice_the_file_and_200_mb(tmp_path):
    """One array that fills the largest file allowed, and maps of maps: small in the file, large in memory."""
    large = flax.serialization.msgpack_serialize({"a": np.zeros(60 * 2**20, np.uint8)})
    full = b"\xdf\x00\x00\x01\x00" + b"".join(b"\xa3%03x\x01" % i for i in range(256))
    many = b"\xdf\x00\x00\x01\x00" + b"".join(b"\xa3%03x" % i + full for i in range(256))
    nested = b"\xdf\x00\x00\x00\xb4" + b"".join(b"\xa3%03x" % i + many for i in range(180))
    assert len(nested) < formats.FORMATS["cleanrl"].limit
    for data in (large, many, nested):
        write(tmp_path, data)
        tracemalloc.start()
        with pytest.raises(ValueError, match="is not a network"):
            formats.read(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * len(data) + 200 * 2**20


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_mutation_is_read_or_refused(data):
    small = {"params": {"a": np.arange(3, dtype=np.float32), "b": {"c": np.ones((2, 2), np.int8)}}}
    content = bytearray(flax.serialization.msgpack_serialize(small))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        content[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        arrays = flax_file.arrays(flax_file.read(bytes(content)))
    except ValueError as error:
        assert str(error).isprintable() and 0 < len(str(error)) < 200
    else:
        assert sum(a.nbytes for a in arrays.values()) <= len(content)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (
            {"observation": {"shape": [1, 5], "dtype": "float32"}},
            r"sees 4 numbers, but .*\[1, 5\]",
        ),
        ({"observation": {"shape": "4", "dtype": "float32"}}, "not a list of whole numbers"),
        ({"observation": {"shape": [2**62, 4], "dtype": "float32"}}, "not a list of whole numbers"),
        ({"newest_first": True}, "'newest_first' in its config.json is for networks with convolutions"),
        ({"actions": 3}, "it has 2 outputs, but its config.json states another number of actions"),
    ],
)
def test_dense_layers_are_what_the_config_says(tmp_path, said, says):
    sizes = {"fc1": (3, 4), "fc2": (2, 3)}
    arrays = {f"{name}.weight": np.ones(shape, np.float32) for name, shape in sizes.items()}
    arrays |= {f"{name}.bias": np.zeros(shape[0], np.float32) for name, shape in sizes.items()}
    weights.save(tmp_path / "m.safetensors", arrays)
    right = {"architecture": {"name": "mlp"}, "actions": 2, "observation": {"shape": [1, 4], "dtype": "float32"}}
    (tmp_path / "config.json").write_text(json.dumps(right))
    assert formats.read(tmp_path).arrays["params/Dense_0/kernel"].shape == (4, 3)
    (tmp_path / "config.json").write_text(json.dumps({**right, **said}))
    with pytest.raises(ValueError, match=says):
        formats.read(tmp_path)

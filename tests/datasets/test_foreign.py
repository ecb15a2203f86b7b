"""Teachers from elsewhere give the outputs that their own library gives; hostile files cost one sentence."""

import tracemalloc

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reincarnate.agents.method import Architecture
from reincarnate.agents.teacher import restore, values
from reincarnate.datasets import foreign

CARD = """---
tags: [PongNoFrameskip-v4, reinforcement-learning]
library_name: cleanrl
model-index:
- name: DQN
  results:
  - task: {type: reinforcement-learning, name: reinforcement-learning}
    dataset: {name: PongNoFrameskip-v4, type: PongNoFrameskip-v4}
    metrics: [{type: mean_reward, value: 20.40 +/- 0.66, name: mean_reward, verified: false}]
---
# (CleanRL) **DQN** Agent Playing **PongNoFrameskip-v4**
"""


class Nature(nn.Module):
    """What CleanRL's dqn_atari_jax computes."""

    @nn.compact
    def __call__(self, x):
        x = jnp.moveaxis(x, 1, 3) / 255.0
        for features, size, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
            x = nn.relu(nn.Conv(features, (size, size), (stride, stride), "VALID")(x))
        x = nn.relu(nn.Dense(512)(x.reshape(len(x), -1)))
        return nn.Dense(6)(x)


class ResidualBlock(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        y = nn.Conv(self.features, (3, 3))(nn.relu(x))
        y = nn.Conv(self.features, (3, 3))(nn.relu(y))
        return x + y


class ConvSequence(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.Conv(self.features, (3, 3))(x), (3, 3), (2, 2), "SAME")
        x = ResidualBlock(self.features)(x)
        return ResidualBlock(self.features)(x)


class Impala(nn.Module):
    """What CleanRL's qdagger_dqn_atari_jax_impalacnn computes."""

    @nn.compact
    def __call__(self, x):
        x = jnp.moveaxis(x, 1, 3) / 255.0
        for features in (16, 32, 32):
            x = ConvSequence(features)(x)
        x = nn.relu(nn.Dense(256)(nn.relu(x).reshape(len(x), -1)))
        return nn.Dense(6)(x)


NETWORKS = {"dqn_atari_jax": Nature, "qdagger_dqn_atari_jax_impalacnn": Impala}


@pytest.fixture(scope="module")
def params():
    """Parameters, with biases that are not zero, by CleanRL's name."""
    rng = np.random.default_rng(0)

    def fresh(make):
        shapes = jax.eval_shape(make().init, jax.random.key(0), jnp.zeros((1, 4, 84, 84)))
        return jax.tree.map(lambda leaf: rng.normal(0, 0.05, leaf.shape).astype(np.float32), shapes)

    return {name: fresh(make) for name, make in NETWORKS.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_library_that_made_the_file(tmp_path, params, name):
    (tmp_path / f"{name}.cleanrl_model").write_bytes(flax.serialization.to_bytes(params[name]))
    (tmp_path / "README.md").write_text(CARD)
    config, arrays = foreign.read(tmp_path)
    obs = np.random.default_rng(0).integers(0, 256, (3, 4, 84, 84), np.uint8)
    architecture = Architecture(config["architecture"]["name"], config["architecture"]["options"])
    teacher = restore(architecture, config["actions"], obs[:1], arrays)
    theirs = jax.jit(NETWORKS[name]().apply)(params[name], obs)
    np.testing.assert_allclose(jax.jit(values(teacher))(obs), theirs, atol=1e-5, rtol=1e-5)
    assert float(np.std(theirs)) > 1e-3  # the outputs differ at all
    assert config["actions"] == 6 and config["observation"] == {"shape": [4, 84, 84], "dtype": "uint8"}
    assert config["claim"] == {"environment": "PongNoFrameskip-v4", "mean_reward": "20.40 +/- 0.66"}
    assert config["origin"]["file"] == f"{name}.cleanrl_model" and len(config["origin"]["sha256"]) == 64


def write(folder, content, name="dqn_atari_jax"):
    data = content if isinstance(content, bytes) else flax.serialization.msgpack_serialize(content)
    (folder / f"{name}.cleanrl_model").write_bytes(data)
    return folder


def nature(**changed):
    """Zeros in CleanRL's layout, with some arrays replaced, or removed by None."""
    tree = {}
    for name, (_, shape) in foreign.CLEANRL["dqn_atari_jax"][2].items():
        _, layer, leaf = name.split("/")
        array = changed.get(f"{layer}_{leaf}", np.zeros([size or 6 for size in shape], np.float32))
        if array is not None:
            tree.setdefault(layer, {})[leaf] = array
    return {"params": tree}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"Conv_0_bias": None}, "'params/Conv_0/bias' is missing"),
        ({"Conv_0_kernel": np.zeros((8, 8, 3, 32), np.float32)}, r"float32\[8, 8, 3, 32\], not float32\[8, 8, 4, 32\]"),
        ({"Conv_0_bias": np.zeros(32, np.float16)}, r"float16\[32\], not float32\[32\]"),
        ({"Dense_1_bias": np.zeros(65, np.float32)}, "it has 65 actions, not 1 to 64"),
        ({"Dense_1_bias": np.zeros(0, np.float32)}, "it has 0 actions"),
        ({"Dense_1_bias": np.float32(1.0)}, r"float32\[\], not float32\[1\]|float32\[512, 6\], not float32\[512, 1\]"),
        ({"Dense_1_bias": np.zeros(7, np.float32)}, r"float32\[512, 6\], not float32\[512, 7\]"),
        ({"Conv_1_bias": np.full(64, np.nan, np.float32)}, "values that are no numbers"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, changed, says):
    with pytest.raises(ValueError, match=says):
        foreign.read(write(tmp_path, nature(**changed)))


def test_unknown_arrays_and_other_networks_are_refused(tmp_path, params):
    tree = nature()
    tree["params"]["extra"] = {"kernel": np.zeros(1, np.float32)}
    with pytest.raises(ValueError, match="'params/extra/kernel' is unknown"):
        foreign.read(write(tmp_path, tree))
    swapped = flax.serialization.to_bytes(params["qdagger_dqn_atari_jax_impalacnn"])
    with pytest.raises(ValueError, match="is no network of dqn_atari_jax: the array .* is (unknown|missing)"):
        foreign.read(write(tmp_path, swapped))


def test_the_folder_has_exactly_one_known_file(tmp_path):
    with pytest.raises(ValueError, match=r"has 0 files \*\.cleanrl_model"):
        foreign.read(tmp_path)
    write(tmp_path, nature(), "ppo_unheard_of")
    with pytest.raises(ValueError, match="of a kind that cannot be read; those that can: dqn_atari_jax, qdagger"):
        foreign.read(tmp_path)
    write(tmp_path, nature())
    with pytest.raises(ValueError, match=r"has 2 files \*\.cleanrl_model"):
        foreign.read(tmp_path)


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
    with pytest.raises(ValueError, match="is no network of dqn_atari_jax: .+; download it again") as caught:
        foreign.read(write(tmp_path, data))
    assert str(caught.value).isprintable()


def test_size_is_limited_before_anything_is_read(tmp_path):
    with (tmp_path / "dqn_atari_jax.cleanrl_model").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match="has more than 67108864 bytes"):
        foreign.read(tmp_path)


def test_memory_stays_within_twice_the_file_and_200_mb(tmp_path):
    """One array that fills the largest file allowed, and maps of maps: small in the file, large in memory."""
    large = flax.serialization.msgpack_serialize({"a": np.zeros(60 * 2**20, np.uint8)})
    full = b"\xdf\x00\x00\x01\x00" + b"".join(b"\xa3%03x\x01" % i for i in range(256))
    many = b"\xdf\x00\x00\x01\x00" + b"".join(b"\xa3%03x" % i + full for i in range(256))
    nested = b"\xdf\x00\x00\x00\xb4" + b"".join(b"\xa3%03x" % i + many for i in range(180))
    assert len(nested) < foreign.LIMIT
    for data in (large, many, nested):
        write(tmp_path, data)
        tracemalloc.start()
        with pytest.raises(ValueError, match="is no network"):
            foreign.read(tmp_path)
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
        arrays = foreign.unpack(bytes(content))
    except ValueError as error:
        assert str(error).isprintable() and 0 < len(str(error)) < 200
    else:
        assert sum(a.nbytes for a in arrays.values()) <= len(content)


LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALIASES = list(zip(LETTERS, LETTERS[1:], strict=False))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# no front matter",
        "---\nmodel-index: 1\n---\n",
        "---\nmodel-index: [{results: [{dataset: {name: x}, metrics: []}]}]\n---\n",
        CARD.replace("20.40 +/- 0.66", "very good"),
        CARD.replace("20.40 +/- 0.66", "'\\e[31m1 +/- 2'"),
        CARD.replace("name: PongNoFrameskip-v4", "name: [1]"),
        "---\n" + "[" * 30_000 + "\n---\n",
        "---\n" + "- " * 15_000 + "\n---\n",
        "---\n" + "? " * 15_000 + "\n---\n",
        "---\n" + "!" * 30_000 + "\n---\n",
        "---\n&" + "a" * 30_000 + "\n---\n",
        "---\n" + "1:" * 15_000 + "1\n---\n",
        "---\na: " + "9" * 30_000 + "\n---\n",
        "---\na: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [*{a}, *{a}, *{a}]}}\n" for a, b in ALIASES) + "---\n",
        "---\n" + "a: 1\n" * 6_000 + "---\n",
        "---\n" + "a: 1\n" * 100_000 + "---\n",
    ],
)
def test_a_card_that_claims_nothing_readable_is_no_claim(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    assert foreign.claim(tmp_path) == {}


def test_a_card_makes_no_objects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = CARD.replace("library_name: cleanrl", "library_name: !!python/object/apply:os.system ['touch hacked']")
    (tmp_path / "README.md").write_text(text)
    assert foreign.claim(tmp_path)["environment"] == "PongNoFrameskip-v4"
    assert not (tmp_path / "hacked").exists()


def test_no_card_is_no_claim(tmp_path):
    assert foreign.claim(tmp_path) == {}
    (tmp_path / "README.md").mkdir()
    assert foreign.claim(tmp_path) == {}


def test_a_claim_may_be_nan_and_negative(tmp_path):
    (tmp_path / "README.md").write_text(CARD.replace("20.40 +/- 0.66", "-20.4 +/- nan").replace("\n", "\r\n"))
    assert foreign.claim(tmp_path)["mean_reward"] == "-20.4 +/- nan"

"""Teachers from elsewhere give the outputs that their own library gives; tests/fixtures/make_*.py made the files."""

import io
import json
import lzma
import pickle
import sys
import types
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import flax.core
import jax
import numpy as np
import pytest

from reincarnate.agents.method import Architecture
from reincarnate.agents.teacher import restore, values
from reincarnate.datasets.teachers import formats
from reincarnate.datasets.teachers.layouts import KINDS
from reincarnate.datasets.transition import Box, said

FOLDERS = sorted(path for path in (Path(__file__).parents[2] / "fixtures" / "foreign").iterdir() if path.is_dir())
FIXTURES = [path for path in FOLDERS if not path.name.startswith("continuous-")]
CONTINUOUS = [path for path in FOLDERS if path.name.startswith("continuous-")]
LIBRARIES = {"cleanrl": "cleanrl", "cleanba": "cleanrl", "sb3": "stable-baselines3", "dopamine": "dopamine"}
LIBRARIES |= {"plain": "torch", "sample": "sample-factory", "i": "i-dqn", "gymnax": "gymnax"}


def unpacked(fixture, folder):
    """Return the file as its library wrote it, in a folder; and what is known of it."""
    for path in fixture.rglob("*.xz"):
        place = folder / path.relative_to(fixture).with_suffix("")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(lzma.decompress(path.read_bytes()))
    expected = json.loads((fixture / "expected.json").read_text())
    if "config" in expected:
        (folder / "config.json").write_text(json.dumps(expected["config"]))
    return expected


def shown(observation):
    """Return the same observations as in make_foreign.py, in the form of our environments: [3, S, *frame]."""
    rng = np.random.default_rng(0)
    if observation["dtype"] == "uint8":
        return rng.integers(0, 256, (3, *observation["shape"]), np.uint8)
    return rng.normal(0, 1, (3, *observation["shape"])).astype(np.float32)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_outputs_are_those_of_the_library_that_made_the_file(tmp_path, fixture):
    expected = unpacked(fixture, tmp_path)
    theirs = np.array(expected["outputs"], np.float32)
    config, arrays = formats.read(tmp_path)
    obs = shown(config["observation"])
    architecture = Architecture(config["architecture"]["name"], config["architecture"]["options"])
    teacher = restore(architecture, config["actions"], obs[:1], arrays)
    ours = np.asarray(jax.jit(values(teacher))(obs))
    assert config["origin"]["library"] == LIBRARIES[fixture.name.partition("-")[0]]
    if theirs.ndim == 2:  # else only its score is known
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
        assert np.std(theirs, axis=0).min() > 1e-3 and np.std(theirs, axis=1).min() > 1e-3  # they differ at all
    if "actions" in expected:
        assert ours.argmax(axis=1).tolist() == expected["actions"]


@pytest.mark.parametrize("fixture", CONTINUOUS, ids=lambda fixture: fixture.name)
def test_actors_and_critics_of_continuous_control_compute_what_their_library_does(tmp_path, fixture):
    expected = unpacked(fixture, tmp_path)
    config, arrays = formats.read(tmp_path)
    options, box = config["architecture"]["options"], said(config["actions"])
    obs = shown(config["observation"])
    assert obs.shape == (3, 1, 3)
    assert isinstance(box, Box) and config["outputs"] == "continuous actions" and box == Box((-2.0, 0.0), (2.0, 1.0))
    teacher: Any = restore(Architecture("actor_critic", options), box, obs[:1], arrays)
    inner = np.asarray(jax.jit(values(teacher))(obs))
    np.testing.assert_allclose(box.real(inner), expected["outputs"], rtol=1e-5, atol=1e-5)
    judge = jax.jit(partial(teacher.apply, method="judge"))
    critics = np.asarray(judge(teacher.params, obs, inner))  # [E, B]
    assert len(critics) == options["members"] == (1 if "ddpg" in fixture.name else 2)
    assert options["quantiles"] == (25 if "tqc" in fixture.name else 1)
    np.testing.assert_allclose(critics.T, np.mean(expected["critics"], axis=-1), rtol=1e-5, atol=1e-5)


def again(packed: bytes, **changes: bytes | None) -> bytes:
    """Return a zip with other content of some members, named by the end of their path; None leaves one out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as before, zipfile.ZipFile(made, "w") as after:
        for name in before.namelist():
            content = changes.get(name.rpartition("/")[2].partition(".")[0], before.read(name))
            if content is not None:
                after.writestr(name, content)
    return made.getvalue()


def test_the_temperature_is_the_learned_one_or_the_given_one_and_1_where_neither_can_be_read(tmp_path):
    unpacked(FOLDERS[0].parent / "continuous-sac", tmp_path)
    packed = (tmp_path / "sac.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        said, variables = json.loads(archive.read("data")), archive.read("pytorch_variables.pth")
    with zipfile.ZipFile(io.BytesIO(variables)) as inside:  # torch's own zip, with the number's bytes as a member
        (place,) = [name for name in inside.namelist() if inside.read(name) == np.zeros(1, np.float32).tobytes()]
    learned = again(variables, **{place.rpartition("/")[2]: np.array([-1.5], np.float32).tobytes()})
    nan = again(variables, **{place.rpartition("/")[2]: np.array([np.nan], np.float32).tobytes()})
    constant = json.dumps({**said, "ent_coef": 0.25}).encode()
    cases = [
        ({"pytorch_variables": learned}, -1.5),
        ({"pytorch_variables": learned, "data": constant}, -1.5),
        ({"pytorch_variables": None, "data": constant}, np.log(0.25)),
        ({"pytorch_variables": nan}, 0.0),
        ({"pytorch_variables": b"torn"}, 0.0),
        ({"pytorch_variables": None}, 0.0),
        ({"pytorch_variables": None, "data": json.dumps({**said, "ent_coef": -1}).encode()}, 0.0),
    ]
    for changes, wanted in cases:
        (tmp_path / "sac.zip").write_bytes(again(packed, **changes))
        found = formats.read(tmp_path)[1]["params/temperature"]
        assert found.dtype == np.float32 and found.shape == () and float(found) == pytest.approx(wanted), changes


def test_every_row_of_the_table_has_a_file_of_its_library():
    rows = {name.replace("actor-critic", "ppo").replace(" ", "-") for name in KINDS}
    rows -= {"dopamine-categorical", "gymnax-ppo"}  # of the latter genuine files are read by test_shelf.py
    assert rows | {"dopamine-c51", "dopamine-rainbow", "sb3-a2c-cnn", "sb3-a2c-mlp"} <= {f.name for f in FIXTURES}


class DeviceArray:
    """Pickled as jax 0.3 pickled its arrays, when the paper's teachers were made."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        make, given, state = self.array.__reduce__()
        return sys.modules["jax._src.device_array"].reconstruct_device_array, (make, given, state, {"weak_type": False})


def test_checkpoints_of_older_versions_are_read(tmp_path, monkeypatch):
    """Frozen dicts, jax's former arrays, and the newest of several checkpoints."""
    former = types.ModuleType("jax._src.device_array")

    def reconstruct_device_array(*given):
        raise NotImplementedError

    reconstruct_device_array.__module__ = former.__name__
    reconstruct_device_array.__qualname__ = "reconstruct_device_array"
    former.__dict__["reconstruct_device_array"] = reconstruct_device_array
    monkeypatch.setitem(sys.modules, former.__name__, former)
    (fixture,) = [fixture for fixture in FIXTURES if fixture.name == "dopamine-dqn"]
    unpacked(fixture, tmp_path)
    _, arrays = formats.read(tmp_path)
    tree = {}
    for name, array in arrays.items():
        _, layer, leaf = name.split("/")
        tree.setdefault(layer, {})[leaf] = DeviceArray(np.array(array))
    (tmp_path / "ckpt.399").write_bytes(pickle.dumps({"online_params": flax.core.freeze({"params": tree})}))
    config, again = formats.read(tmp_path)
    assert config["origin"]["file"] == "ckpt.399" and set(again) == set(arrays)
    assert all(np.array_equal(again[name], array) for name, array in arrays.items())

"""Statistics by which observations were normalised: found wherever tools keep them, read without running them."""

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.teachers import formats

from .test_hostile import sb3

VECNORMALIZE = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"
RMS = "stable_baselines3.common.running_mean_std.RunningMeanStd"


@pytest.fixture
def statistics(monkeypatch):
    """Return the pickle of a VecNormalize with some of its parts replaced; `None` leaves one out."""

    def named(name, state):
        module, _, short = name.rpartition(".")
        kind = type(short, (), {"__module__": module})
        for end in [i for i, letter in enumerate(module) if letter == "."] + [len(module)]:  # its packages as well
            monkeypatch.setitem(sys.modules, module[:end], types.ModuleType(module[:end]))
        setattr(sys.modules[module], short, kind)
        one = kind()
        one.__dict__.update({key: value for key, value in state.items() if value is not None})
        return one

    def pickled(protocol=4, name=VECNORMALIZE, **changed):
        rms = {"mean": np.array([1.0, -2.0, 0.5, 0.0]), "var": np.array([4.0, 0.25, 1.0, 9.0]), "count": 7.0}
        rms |= {key: changed.pop(key) for key in ("mean", "var") if key in changed}
        state = {"norm_obs": True, "clip_obs": 10.0, "epsilon": 1e-8, "training": True, "obs_rms": named(RMS, rms)}
        return pickle.dumps(named(name, state | changed), protocol)

    return pickled


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "place", ["vec_normalize.pkl", "vecnormalize.pkl", "model/vecnormalize.pkl", "E-v0/vecnormalize.pkl"]
)
def test_statistics_of_observations_are_found_in_every_place_and_used(tmp_path, statistics, place, protocol):
    plain = formats.read(sb3(tmp_path))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(statistics(protocol))
    config, arrays = formats.read(tmp_path)
    assert config["architecture"]["name"] == "normalized" and config["architecture"]["options"]["clip"] == 10.0
    assert config["origin"]["normalizer"]["file"] == Path(place).name
    np.testing.assert_allclose(arrays["params/mean"], [[1.0, -2.0, 0.5, 0.0]])
    np.testing.assert_allclose(arrays["params/scale"], [[0.5, 2.0, 1.0, 1 / 3]])
    assert np.array_equal(arrays["params/inner/Dense_0/kernel"], plain.arrays["params/Dense_0/kernel"])


def test_statistics_that_leave_observations_alone_change_nothing(tmp_path, statistics):
    plain = formats.read(sb3(tmp_path))
    (tmp_path / "vecnormalize.pkl").write_bytes(statistics(norm_obs=False))
    assert formats.read(tmp_path).config["architecture"] == plain.config["architecture"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"mean": np.zeros(3)}, r"mean has the shape \(3,\), but its variance \(4,\)"),
        ({"mean": np.zeros(3), "var": np.ones(3)}, r"for observations of shape \[3\], not \[4\]"),
        ({"mean": np.full(4, np.nan)}, "negative or not numbers"),
        ({"var": np.full(4, -1.0)}, "negative or not numbers"),
        ({"clip_obs": None}, "it lacks 'clip_obs'"),
        ({"clip_obs": -1.0}, "clips observations at -1"),
        ({"obs_rms": {"a": 1}}, "several observations"),
        ({"name": "stable_baselines3.x.Other"}, "not a VecNormalize"),
        ({"extra": os.system}, "names 'posix.system'"),
    ],
)
def test_statistics_that_lie_are_refused(tmp_path, statistics, changed, says):
    sb3(tmp_path)
    (tmp_path / "vecnormalize.pkl").write_bytes(statistics(**changed))
    with pytest.raises(ValueError, match=says):
        formats.read(tmp_path)


def test_a_zoo_that_says_normalize_without_statistics_is_refused(tmp_path):
    sb3(tmp_path)
    (tmp_path / "model").mkdir()
    zoo = "!!python/object/apply:collections.OrderedDict\n- - - n_envs\n    - 16\n  - - normalize\n    - {}\n"
    for said in ("true", "'{''norm_obs'': True}'"):
        (tmp_path / "model" / "config.yml").write_text(zoo.format(said))
        with pytest.raises(ValueError, match="trained on normalised observations, .* is missing: put vecnormalize.pkl"):
            formats.read(tmp_path)
    for said in ("false", "'{''norm_obs'': False, ''norm_reward'': True}'"):
        (tmp_path / "model" / "config.yml").write_text(zoo.format(said))
        formats.read(tmp_path)

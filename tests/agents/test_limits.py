"""Options of a network are checked before anything is built of them."""

import json
import time

import pytest

from reincarnate.agents.method import Architecture
from reincarnate.agents.networks import CONTINUOUS, NETWORKS, build, parse_network
from reincarnate.datasets.transition import Box


def nested(levels):
    options = {"size": 4}
    for _ in range(levels):
        options = {"of": "mlp", "options": options}
    return Architecture("anchored", options)


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        (Architecture("mlp", {"depth": 10**9}), "'depth' = 1000000000: give a number from 0 to 64"),
        (Architecture("mlp", {"size": 10**9}), "'size' = 1000000000"),
        (Architecture("mlp", {"size": 10**400}), "'size' = 1000"),
        (Architecture("mlp", {"size": "x"}), "'size' = 'x'"),
        (Architecture("mlp", {"size": True}), "'size' = True"),
        (Architecture("mlp", {"size": 1.5}), "'size' = 1.5"),
        (Architecture("mlp", {"size": None}), "'size' = NoneType"),
        (Architecture("mlp", {"width": float("nan")}), "'width' = nan"),
        (Architecture("mlp", {"width": float("inf")}), "'width' = inf"),
        (Architecture("mlp", {"width": -1}), "'width' = -1"),
        (Architecture("mlp", {"sizes": [10**9]}), "'sizes' = list: give at most 64 numbers"),
        (Architecture("mlp", {"sizes": [4] * 65}), "'sizes'"),
        (Architecture("mlp", {"sizes": {"a": 1}}), "'sizes' = dict"),
        (Architecture("mlp", {"activation": "exec"}), "'activation' = 'exec': give relu or tanh"),
        (Architecture("mlp", {"activation": ["relu"]}), "'activation' = list"),
        (Architecture("mlp", {"layer_norm": 7}), "'layer_norm' = 7"),
        (Architecture("nature", {"padding": [[10**9, 0], [0, 0]]}), "'padding' = list"),
        (Architecture("nature", {"layers": [[1, 1, 1]] * 17}), "'layers'"),
        (Architecture("nature", {"layers": [[[1], 1, 1]]}), "'layers'"),
        (Architecture("impala", {"stages": [0]}), "'stages'"),
        (Architecture("categorical", {"of": "mlp", "options": {}, "atoms": 10**9}), "'atoms'"),
        (Architecture("categorical", {"of": "mlp", "options": {"depth": 65}}), "'depth' = 65"),
        (Architecture("ensemble", {"of": ["mlp"], "options": {}}), "needs an inner network"),
        (Architecture("ensemble", {"of": "mlp", "options": 7}), "needs an inner network"),
        (nested(6), "nests more than 4 networks"),
    ],
)
def test_what_no_network_needs_is_refused_at_once(architecture, words):
    started = time.monotonic()
    with pytest.raises(ValueError, match=words.replace("[", r"\[")) as caught:
        build(architecture, 2)
    assert time.monotonic() - started < 1.0 and len(str(caught.value)) < 300


def test_what_people_ask_for_passes():
    for text in (
        "impala:width=2,dense=256",
        'mlp:sizes=[64],activation="tanh"',
        "mlp:depth=0",
        "nature:layer_norm=true",
    ):
        build(parse_network(text), 18)
    for name, (make, options) in NETWORKS.items():
        if "of" not in make.__dataclass_fields__ and name != "guided":  # those are made of others
            actions = Box((-1.0,), (1.0,)) if name in CONTINUOUS else 2
            build(Architecture(name, json.loads(json.dumps(options))), actions)

"""No method's mathematics changes unseen: fingerprints of what is traced, and FLOPs, beside those written down."""

import json

import jax
import pytest

from reincarnate.agents import keywords

from .golden import FILE, fingerprint

GOLDEN = json.loads(FILE.read_text())
AGAIN = "if the change is meant, run `python tests/agents/golden.py` and say why in the commit"


@pytest.mark.skipif(jax.__version__ != GOLDEN["jax"], reason=f"written down with JAX {GOLDEN['jax']}")
@pytest.mark.parametrize("name", sorted(keywords.names()))
def test_what_a_method_computes_is_what_was_written_down(name):
    assert fingerprint(name) == GOLDEN["methods"].get(name), f"{name} computes something else: {AGAIN}"


def test_nothing_is_written_down_that_is_gone():
    assert set(GOLDEN["methods"]) == set(keywords.names())


def test_a_fingerprint_tells_constants_and_operations_apart():
    plain = fingerprint("dqn")
    assert plain["update"] != fingerprint("dqn", learning_rate=1e-3)["update"]
    assert plain["update"] != fingerprint("dqn", huber=False)["update"]
    assert plain["act"] != fingerprint("dqn", epsilon=0.02)["act"]
    assert plain["update"] == fingerprint("dqn", epsilon=0.02)["update"] == fingerprint("jsrl")["update"]
    assert plain["act"] != fingerprint("jsrl")["act"]

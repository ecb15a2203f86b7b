"""The script that clones a log, whose returns docs/settings.md shows."""

import json

import jax.numpy as jnp
import numpy as np

from .learning import settings
from .learning.clone import act, cloned

LOGS = {0.0: "the board's", 0.1: "with 10 % random actions"}  # by their share of random actions


def test_a_clone_does_what_it_was_shown():
    obs = jnp.asarray(np.random.default_rng(0).uniform(-1.0, 1.0, (64, 3)), jnp.float32)
    actions = jnp.stack([obs[:, 0], -0.5 * obs[:, 1]], axis=1)
    first, last = (act(cloned(obs, actions, 1e-3, updates), obs) for updates in (0, 300))
    assert first.shape == last.shape == (64, 2)
    assert float(jnp.abs(last - actions).max()) < 0.1 < float(jnp.abs(first - actions).max())


def test_the_table_of_clones_says_what_was_measured():
    rows = [json.loads(line) for line in (settings.DOCS / "clone.jsonl").read_text().splitlines()]
    table = []
    for row in rows:
        rate = f"{row['rate']:.0e}".replace("e-0", "e-")
        returns = " ".join(f"{one:,}" for one in row["returns"])
        table.append(f"| {LOGS[row['epsilon']]} | {rate} | {row['updates']:,} | {returns} |")
    assert len(rows) == 6 and "\n".join(table) in settings.PAGE.read_text()

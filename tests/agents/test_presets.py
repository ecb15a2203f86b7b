"""Presets: which one a run takes, what it sets for which method, and settings relative to the teacher."""

import math

import pytest

from reincarnate.agents import keywords, presets
from reincarnate.agents.presets import PRESETS, absolute, chosen, settings, units_of


@pytest.mark.parametrize(
    ("family", "updates", "expected"),
    [
        ("minatar", 20_000, "minatar"),
        ("minatar", 999_999, "minatar"),
        ("minatar", 1_000_000, "paper"),
        ("atari", 25_000, "atari-100k"),
        ("atari", math.inf, "paper"),
        ("gym", 5_000, "classic"),
        ("elsewhere", 5_000, "paper"),
    ],
)
def test_the_family_and_the_planned_updates_choose(family, updates, expected):
    assert chosen(family, updates) == expected


def test_a_row_is_for_the_methods_that_it_names_and_have_its_keyword():
    known = {"learning_rate", "temperature", "horizon", "warmup", "explore", "target_period"}
    assert settings("paper", "qdagger", "", known) == {}
    one = settings("minatar", "qdagger", "", known)
    assert (one["learning_rate"], one["temperature"], one["warmup"]) == (2.5e-4, "8gap", 0.01)
    assert "horizon" not in one and "explore" not in one and "v_max" not in one
    assert settings("minatar", "jsrl", "", known)["horizon"] == "1episode"
    assert settings("minatar", "fine_tuning", "", known)["warmup"] == 0.0  # the later row
    assert "learning_rate" not in settings("minatar", "qdagger", "drq", known)  # the base keeps its own
    with pytest.raises(ValueError, match="no preset 'tiny': take one of paper, minatar"):
        settings("tiny", "qdagger", "", known)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", keywords.names())
def test_every_method_can_be_made_with_every_preset(preset, name):
    found = settings(preset, name, "", keywords.known(keywords.find(name)))
    assert keywords.make(name, absolute(found, {"gap": 0.05, "episode": 300.0}))


def test_a_method_named_after_a_schedule_keeps_it():
    """In MinAtar the settings come from Dopamine's and MinAtar's own files, elsewhere from the defaults."""
    known = {name: keywords.known(keywords.find(name)) for name in ("dopamine_dqn", "nature_dqn")}
    for preset in ("atari-100k", "classic"):
        for name, keys in known.items():
            assert set(settings(preset, name, "", keys)) <= {"horizon", "temperature"}
    one, other = (settings("minatar", name, "", keys) for name, keys in known.items())
    assert (one["target_period"], one["warmup"], one["explore"], one["learning_rate"]) == (250, 1_000, 250_000, 2.5e-4)
    assert (other["target_period"], other["warmup"], other["explore"]) == (1_000, 5_000, 100_000)
    assert (other["updates_per_step"], other["rms_epsilon"], "epsilon" in other) == (1.0, 0.01, False)


def test_the_balloons_weights_count_the_quantiles_that_the_loss_sums():
    def weight(method: str, base: str) -> float | None:
        return settings("balloon", method, base, keywords.known(keywords.find(method), keywords.find(base))).get(
            "weight"
        )

    assert (weight("qdagger", "qr_dqn"), weight("qdagger", "iqn"), weight("qdagger", "dqn")) == (150.0, 24.0, None)
    assert (weight("kickstarting", "qr_dqn"), weight("bc_rl", "qr_dqn"), weight("cql", "qr_dqn")) == (150.0, 10.0, None)
    assert chosen("balloon", 1e5) == "balloon" and chosen("balloon", 1e6) == "balloon-long"
    assert chosen("gym", 1e5) == "classic" and chosen("gym", 1e6) == "paper" == chosen("none", 1.0)


def test_every_row_has_a_source_and_names_methods_that_are_there():
    named = {*keywords.names()}
    for preset in PRESETS.values():
        for row in preset.rows:
            assert row.source and not {*row.only} & {*row.but} and {*row.only, *row.but} <= named, row


def test_settings_relative_to_the_teacher():
    given = {"temperature": "8gap", "horizon": "0.5 episodes", "weight": "2", "network": "impala:width=2", "n_step": 3}
    assert units_of(given) == {"gap", "episode"}
    plain = absolute(given, {"gap": 0.03125, "episode": 401.0})
    assert plain == {**given, "temperature": 0.25, "horizon": 200}
    assert units_of({"temperature": "8gaps", "base": "gap"}) == {"gap"}
    assert units_of({"temperature": "gap", "x": "8 gallons"}) == set() and set(presets.UNITS) == {"gap", "episode"}

"""Human-normalised scores."""

import pytest

from reincarnate.leaderboard.human import RETURNS, human_normalise


def test_by_hand():
    assert human_normalise(-20.7, "pong") == 0.0
    assert human_normalise(14.6, "pong") == pytest.approx(1.0)
    assert human_normalise(1.7 + 28.8 / 2, "breakout") == pytest.approx(0.5)
    assert human_normalise(3.0, "CartPole-v1") is None


def test_the_table_has_the_57_games_and_people_are_better_than_chance():
    assert len(RETURNS) == 57 and all(random < human for random, human in RETURNS.values())


def test_every_game_is_one_of_ale():
    from ale_py import roms

    assert set(RETURNS) <= set(roms.get_all_rom_ids())

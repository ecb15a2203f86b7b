"""Numbers with their nouns, as people write them."""

import pytest

from reincarnate.benchmark.cli.datasets import _ends
from reincarnate.datasets.words import several


def test_one_is_no_plural():
    assert [several(n, "episode") for n in (0, 1, 2, 1200)] == [
        "0 episodes",
        "1 episode",
        "2 episodes",
        "1,200 episodes",
    ]
    assert [several(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]


@pytest.mark.parametrize(
    ("episodes", "ended", "expected"),
    [
        (0, 0, "0"),
        (1, 1, "1, ended"),
        (1, 0, "1, cut off"),
        (2, 2, "2, all ended"),
        (4, 0, "4, all cut off"),
        (3, 2, "3, of which 2 ended and 1 was cut off"),
        (1003, 1, "1,003, of which 1 ended and 1,002 were cut off"),
    ],
)
def test_how_episodes_ended_is_one_phrase(episodes, ended, expected):
    assert _ends(episodes, ended) == expected

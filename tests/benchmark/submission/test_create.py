"""A new results repository has the suites whose teachers runs have by themselves, or those that are named."""

import pytest

from reincarnate.benchmark.submission import create
from reincarnate.leaderboard import suite as suites


class Nowhere:
    """A repository that stores what is written."""

    repo = "lab/results"

    def __init__(self, at: str, hub: str):
        self.files: dict[str, bytes] = {}

    def create(self) -> None:
        """Do nothing."""

    def write(self, files: dict[str, bytes], message: str) -> None:
        """Keep the files."""
        self.files |= files


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Add a second version of MinAtar's suite, with other teachers, to the bundled ones."""
    for path in suites.BUNDLED.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (tmp_path / "minatar5-v1.json").read_text()
    (tmp_path / "minatar5-v2.json").write_text(text.replace('"version": 1', '"version": 2').replace("@", "-pqn@"))
    monkeypatch.setattr(suites, "BUNDLED", tmp_path)
    monkeypatch.setattr(create, "DatasetRepository", Nowhere)
    suites.bundled.cache_clear()
    yield
    suites.bundled.cache_clear()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), ["atari-small-v2", "minatar5-v1", "pendulum-v1"]),
        (("minatar5",), ["minatar5-v1"]),
        (("minatar5-v2",), ["minatar5-v2"]),
        (("minatar5-v1", "minatar5-v2"), ["minatar5-v1", "minatar5-v2"]),
    ],
)
def test_suites_with_the_tasks_own_teachers_come_first(two, names, found):
    assert create.create("lab/results", "local", names) == found


def test_a_suite_that_is_not_there_is_refused(two):
    with pytest.raises(ValueError, match="no bundled suite 'minatar5-v3': the bundled ones are .*minatar5-v2"):
        create.create("lab/results", "local", ("minatar5-v3",))

"""Small programs, compiled in haste as for the methods' own tests, and kept for the tests that compile them again."""

import pytest

from reincarnate.benchmark import compiled

from ..agents.conftest import in_haste as in_haste


@pytest.fixture(scope="session", autouse=True)
def kept_programs():
    with compiled.kept():
        yield

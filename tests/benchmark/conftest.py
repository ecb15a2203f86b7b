"""Small programs, compiled in haste as for the methods' own tests, and kept for the tests that compile them again."""

from ..agents.conftest import in_haste as in_haste

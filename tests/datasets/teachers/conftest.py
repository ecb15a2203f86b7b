"""Networks of other libraries, compiled in haste as for the methods' own tests."""

from ...agents.conftest import in_haste as in_haste

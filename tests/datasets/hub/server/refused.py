"""Assertions on a call that must fail."""

import pytest

from reincarnate.datasets.hub.client import client


def refused(call, *values, **more) -> int:
    """Return the status with which the server refuses."""
    with pytest.raises(client().errors.HfHubHTTPError) as error:
        call(*values, **more)
    return error.value.response.status_code

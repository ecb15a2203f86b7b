"""What people pass to `run` in Python: paths and numbers of numpy, folders from elsewhere."""

import os
from pathlib import Path

import numpy as np
import pytest

from reincarnate.benchmark.runs.request import placed, plain, whole


def test_numbers_of_numpy_become_plain_and_what_no_record_holds_is_refused():
    found = plain(
        {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": "x", "e": Path("p"), "f": (np.int8(1),)}
    )
    assert found == {"a": 0.5, "b": 3, "c": True, "d": "x", "e": "p", "f": [1]}
    assert [type(found[key]) for key in "abc"] == [float, int, bool]
    with pytest.raises(ValueError, match="the setting a is a ndarray: give a number or a text"):
        plain({"a": np.zeros(2)})
    assert type(whole("the seed", np.int64(3))) is int
    for wrong in (1.5, "1", None):
        with pytest.raises(ValueError, match="the seed is .*: give a whole number"):
            whole("the seed", wrong)


def test_local_references_hold_from_any_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("teachers", "user@lab"):
        (tmp_path / name).mkdir()
    (tmp_path / "one.zip").write_bytes(b"")
    here = os.path.abspath(tmp_path)
    assert placed("teachers") == f"{here}/teachers" and placed("one.zip") == f"{here}/one.zip"
    assert placed("user@lab") == f"{here}/user@lab"
    assert placed("teachers#a.zip") == f"{here}/teachers#a.zip"
    assert placed("teachers:checkpoints=1-2:share=0.3") == f"{here}/teachers:checkpoints=1-2:share=0.3"
    for reference in ("", "me/cartpole", "me/cartpole@0123", "me/cartpole#a.zip", "mine:policy"):
        assert placed(reference) == reference

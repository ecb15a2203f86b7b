"""The Parquet preview holds the first steps as the viewer shows them."""

import io
import json

import numpy as np
import pyarrow.parquet as parquet
from PIL import Image

from reincarnate.datasets.rlds.preview import write_preview

from ..logs import log


def test_the_preview_holds_the_first_steps(tmp_path):
    episodes = log(tmp_path / "log", checkpoints=(4,))
    assert write_preview(tmp_path / "log", tmp_path / "preview" / "train.parquet", 10) == 10
    table = parquet.read_table(tmp_path / "preview" / "train.parquet")
    told = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert list(told) == table.column_names and told["observation"] == {"_type": "Image"}
    assert told["reward"] == {"_type": "Value", "dtype": "float64"} and told["is_last"]["dtype"] == "bool"
    rows = table.to_pylist()
    frames = np.concatenate([e.steps.frame for e in episodes])
    actions = np.concatenate([e.steps.action for e in episodes])
    for t, row in enumerate(rows):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["observation"]["bytes"]))), frames[t])
        assert row["action"] == actions[t]
    assert [row["step"] for row in rows if row["episode_id"] == 0] == list(range(len(episodes[0].steps.action)))[:10]
    assert rows[0]["is_first"] and not rows[1]["is_first"]


def test_vectors_are_lists_of_numbers(tmp_path):
    episodes = log(tmp_path / "log", "vector", checkpoints=(1,))
    size = len(episodes[0].steps.action)
    assert write_preview(tmp_path / "log", tmp_path / "train.parquet") == size
    rows = parquet.read_table(tmp_path / "train.parquet").to_pylist()
    assert np.allclose([row["observation"] for row in rows], episodes[0].steps.frame)

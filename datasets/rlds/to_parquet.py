"""Write a log as plain Parquet, one row per step, for the Hub's viewer, pandas, polars and DuckDB.

The last row of an episode holds only its final observation, as in RLDS: its action and reward are 0 and mean nothing.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..transition import Actions, stated
from .episode import Episode
from .images import encode_png

KEY = b"reincarnate"  # of the schema's metadata: what a row cannot say
ABOUT = ("episode_id", "checkpoint_id", "agent_id", "environment_config", "invalid")
FLAGS = ("is_first", "is_last", "is_terminal")


def write(episodes: Iterable[Episode], folder: Path, name: str, actions: Actions) -> int:
    """Write a file per checkpoint, `data/checkpoint_00-00000-of-00001.parquet`, and return the number of rows."""
    import pyarrow.parquet as parquet

    (folder / "data").mkdir(parents=True, exist_ok=True)
    writer, split, rows = None, "", 0
    try:
        for episode in episodes:
            table = rows_of(episode, name, actions)
            if writer is None or split != f"checkpoint_{episode.checkpoint_id:02d}":
                if writer is not None:
                    writer.close()
                split = f"checkpoint_{episode.checkpoint_id:02d}"
                path = folder / "data" / f"{split}-00000-of-00001.parquet"
                writer = parquet.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True)
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    if not rows:
        raise ValueError("There are no episodes to write.")
    return rows


def rows_of(episode: Episode, name: str, actions: Actions, most: int | None = None) -> Any:
    """Return an episode's first `most` steps, or all, as an Arrow table."""
    import pyarrow as pa

    steps = episode.steps
    size = len(steps.action) if most is None else min(most, len(steps.action))
    frame, last = steps.frame[:size], steps.is_last[:size]
    columns: dict[str, Any] = {
        name: pa.array([getattr(episode, name)] * size).dictionary_encode()
        if isinstance(getattr(episode, name), str)
        else pa.array([getattr(episode, name)] * size)
        for name in ABOUT
    }
    columns["step"] = pa.array(np.arange(size))
    columns["observation"] = _observations(frame)
    columns["action"] = _actions(steps.action[:size], last)
    columns["reward"] = pa.array(np.where(last, 0, steps.reward[:size]).astype(np.float64))
    columns |= {flag: pa.array(getattr(steps, flag)[:size]) for flag in FLAGS}
    if steps.teacher_values is not None:
        columns["teacher_values"] = _lists(steps.teacher_values[:size])
    if steps.behavior_epsilon is not None:
        columns["behavior_epsilon"] = pa.array(np.ascontiguousarray(steps.behavior_epsilon[:size]))
    table = pa.table(columns)
    about = {"name": name, "actions": stated(actions), "shape": list(frame.shape[1:]), "dtype": frame.dtype.name}
    metadata = {KEY: json.dumps(about)}
    if pictures(frame):  # so that the `datasets` library, and with it the viewer, knows them for images
        metadata[b"huggingface"] = json.dumps({"info": {"features": _features(table)}})
    return table.replace_schema_metadata(metadata)


def pictures(frames: np.ndarray) -> bool:
    """Return whether observations are shown as pictures: bytes, grey or in three colours."""
    return frames.dtype == np.uint8 and (frames.ndim == 3 or frames.ndim == 4 and frames.shape[3] == 3)


def _observations(frames: np.ndarray) -> Any:
    import pyarrow as pa

    if pictures(frames):
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        return pa.array([{"bytes": data, "path": None} for data in encode_png(frames)], kind)
    return pa.array(frames) if frames.ndim == 1 else _lists(frames)


def _actions(action: np.ndarray, last: np.ndarray) -> Any:
    import pyarrow as pa

    if action.ndim == 1:
        return pa.array(np.where(last, 0, action).astype(np.int64))
    return _lists(np.where(last[:, None], np.float32(0), action))


def _lists(array: np.ndarray) -> Any:
    """Turn [T, ...] into one list of numbers per row."""
    import pyarrow as pa

    each = int(np.prod(array.shape[1:]))
    offsets = pa.array(np.arange(len(array) + 1, dtype=np.int32) * each)
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(array).ravel()))


def _features(table: Any) -> dict[str, Any]:
    """Return the columns as features of Hugging Face's `datasets`."""
    names = {"bool": "bool", "int64": "int64", "float": "float32", "double": "float64"}
    features: dict[str, Any] = {}
    for field in table.schema:
        if field.name == "observation":
            features[field.name] = {"_type": "Image"}
        elif field.name == "teacher_values" or field.name == "action" and str(field.type) != "int64":
            features[field.name] = {"feature": {"_type": "Value", "dtype": "float32"}, "_type": "Sequence"}
        else:
            features[field.name] = {"_type": "Value", "dtype": names.get(str(field.type), "string")}
    return features

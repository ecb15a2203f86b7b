"""A small Parquet file that shows a log in the Hub's viewer: a row a step, its frame as a picture."""

import json
import os
from pathlib import Path
from typing import Any

from .images import encode_png
from .read import read


def write_preview(folder: str | os.PathLike, path: Path, steps: int = 1000) -> int:
    """Writes the first steps of a log, whole episodes where they fit. Returns the number of rows.

    Pixels become pictures; other observations lists of numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns: dict[str, list[Any]] = {name: [] for name in ("episode_id", "checkpoint_id", "step", "observation")}
    columns |= {name: [] for name in ("action", "reward", "is_first", "is_last", "is_terminal")}
    pictures = False
    for episode in read(folder):
        s = episode.steps
        size = min(len(s.action), steps - len(columns["step"]))
        pictures = s.frame.dtype.kind == "u" and s.frame.ndim in (3, 4) and (s.frame.ndim == 3 or s.frame.shape[3] == 3)
        if pictures:
            columns["observation"] += [{"bytes": data, "path": None} for data in encode_png(s.frame[:size])]
        else:
            columns["observation"] += s.frame[:size].reshape(size, -1).tolist()
        columns["episode_id"] += [episode.episode_id] * size
        columns["checkpoint_id"] += [episode.checkpoint_id] * size
        columns["step"] += range(size)
        for name in ("action", "reward", "is_first", "is_last", "is_terminal"):
            columns[name] += getattr(s, name)[:size].tolist()
        if len(columns["step"]) >= steps:
            break
    table = pa.table(columns)
    if pictures:  # so that the `datasets` library, and with it the viewer, knows them for images
        kinds = {name: {"_type": "Value", "dtype": _dtype(column[0])} for name, column in columns.items()}
        features = {"info": {"features": kinds | {"observation": {"_type": "Image"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    parquet.write_table(table, partial, compression="zstd")
    os.replace(partial, path)
    return len(columns["step"])


def _dtype(value: Any) -> str:
    return {bool: "bool", int: "int64", float: "float64"}.get(type(value), "binary")

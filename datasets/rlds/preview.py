"""A small Parquet file that shows a log in the Hub's viewer: one row per step, frames as pictures."""

import os
from pathlib import Path

from . import to_parquet
from .folder import open_log
from .read import read


def write_preview(folder: str | os.PathLike, path: Path, steps: int = 1000) -> int:
    """Write the first steps of a log, in whole episodes if they fit, and return the number of rows.

    Pixels become pictures; other observations become lists of numbers.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    log, tables, left = open_log(folder), [], steps
    for episode in read(folder):
        tables.append(to_parquet.rows_of(episode, log.name, log.actions or 0, left))
        left -= tables[-1].num_rows
        if not left:
            break
    table = pa.concat_tables(tables)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    parquet.write_table(table, partial, compression="zstd")
    os.replace(partial, path)
    return table.num_rows

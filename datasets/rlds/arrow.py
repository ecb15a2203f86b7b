"""Columns of untrusted Arrow and Parquet files, decoded a few rows at a time within the free memory."""

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

import numpy as np

from . import room

ROWS = 256  # per read
DEPTH = 6  # of nested lists
BLOCK = 1 << 26  # bytes per read, if the file states the size of its rows
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}  # bytes of Parquet's types


def parquet_batches(file: Any, names: list[str] | None = None, where: str = "") -> Iterator[Any]:
    """Yield the batches of rows of an open Parquet file, with some columns or all.

    Raises ValueError if a batch needs more memory than is free; `where` starts the message.
    """
    rows = _rows(file.metadata, names, where)
    yield from _within(file.iter_batches(rows, columns=names, use_threads=False), where)


def ipc_batches(path: PathLike[str]) -> Iterator[Any]:
    """Yield the batches of rows of an Arrow file. Raises ValueError if one needs more memory than is free."""
    import pyarrow as pa

    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file, options=options) as batches:
        yield from _within(map(batches.get_batch, range(batches.num_record_batches)))


def _rows(about: Any, names: list[str] | None, where: str) -> int:
    """Return how many rows to read at once, from the column sizes in a Parquet file."""
    most = 1
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        columns = (group.column(at) for at in range(group.num_columns))
        taken = [one for one in columns if names is None or one.path_in_schema.partition(".")[0] in names]
        size = sum(one.num_values * WIDTHS.get(one.physical_type, 1) for one in taken)
        most = max(most, size // max(group.num_rows, 1))
    room.check(most, f"{where}a row")
    return min(ROWS, max(1, BLOCK // most))


def _within(batches: Iterable[Any], where: str = "") -> Iterator[Any]:
    """Yield batches while there is memory for another one: a few bytes may encode any number of values."""
    rest = iter(batches)
    while True:
        with room.bounded(f"{where}a batch of its rows"):
            batch = next(rest, None)
        if batch is None:
            return
        yield batch


def numbers(column: Any, name: str, depth: int = 0) -> Any:
    """Convert an Arrow array, perhaps of nested lists, to numbers [T, ...], or to a list of byte strings [T].

    ValueError if a value is missing, if lists differ in size, or if they are nested too deeply.
    """
    import pyarrow.types as kinds

    if column.null_count:
        raise ValueError(f"its {name} lacks a value at some steps")
    kind = column.type
    bytes_ = (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary, kinds.is_binary_view)
    if any(is_kind(kind) for is_kind in bytes_):
        return column.to_pylist()
    if not (kinds.is_fixed_size_list(kind) or kinds.is_list(kind) or kinds.is_large_list(kind)):
        return column.to_numpy(zero_copy_only=False)
    inner, count = column.flatten(), len(column)
    uneven = not kinds.is_fixed_size_list(kind) and len(set(np.diff(column.offsets.to_numpy()))) > 1
    if count == 0 or len(inner) % count or inner.null_count or uneven or depth > DEPTH:
        raise ValueError(f"its {name} differs in size from step to step, or lacks a value")
    found = numbers(inner, name, depth + 1)
    if isinstance(found, list):
        raise ValueError(f"its {name} is {kind}, where numbers are needed")
    return found.reshape(count, len(inner) // count, *found.shape[1:])


def line(error: Exception) -> str:
    """Return a library's message in one line."""
    return " ".join(str(error).split())[:200].rstrip(".")

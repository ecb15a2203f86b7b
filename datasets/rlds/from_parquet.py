"""Read plain Parquet with a row per step, as written by `to_parquet`, from a file or a folder of files."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..folders import regular
from ..transition import Steps, said
from . import arrow, columns, images, room
from .episode import Episode, violations
from .folder import by_number
from .source import JPEG, Bad, ForeignLog, Note
from .to_parquet import ABOUT, FLAGS, KEY

NEEDED = ("episode_id", "action", "reward", "is_last", "is_terminal")
EXTRAS = ("step", "is_first", "behavior_epsilon")
LARGEST = 10_000_000  # rows of an episode


class SplitFile(NamedTuple):
    """A file, and the split in its name."""

    path: Path
    split: str


class Names(NamedTuple):
    """The columns to read."""

    observation: str
    values: str
    all: tuple[str, ...]


def open(path: Path, split: Sequence[str] | None = None, observation: str = "", teacher_values: str = "") -> ForeignLog:
    """Open a file, or all files of a folder. `observation` and `teacher_values` select other columns.

    Raises ValueError if columns are missing, or if there are several splits that are not checkpoints and none is
    selected.
    """
    parts = _parts(path, split)
    schema = _schema(parts[0].path)
    shown = observation or "observation"
    values = teacher_values or ("teacher_values" if "teacher_values" in schema.names else "")
    missing = [name for name in (shown, *NEEDED, *filter(None, [values])) if name not in schema.names]
    if missing:
        there = ", ".join(schema.names)
        raise ValueError(
            f"{parts[0].path} has no column {', '.join(missing)}; it has {there}: it needs one row per step."
        )
    wanted = {shown, values, *NEEDED, *EXTRAS, *ABOUT}
    for name in wanted & {name for name in schema.names if schema.names.count(name) > 1}:
        raise ValueError(f"{parts[0].path} has several columns named {name}: rename all but one.")
    names = Names(shown, values, tuple(name for name in schema.names if name in wanted))
    dropped = [name for name in schema.names if name not in wanted]
    about = _about(schema, parts[0].path)
    notes = (f"Left out: {', '.join(f'the column {name}' for name in dropped)}",) if dropped else ()
    name = str(about.get("name", "imported"))
    return ForeignLog(lambda: _episodes(parts, names, about), name, about.get("actions"), notes)


def _parts(path: Path, split: Sequence[str] | None) -> list[SplitFile]:
    files = sorted(path.rglob("*.parquet"), key=lambda one: by_number(str(one))) if path.is_dir() else [regular(path)]
    parts = []
    for file in files:
        match = re.fullmatch(r"(\w+)-\d+-of-\d+\.parquet", file.name)
        parts.append(SplitFile(file, match[1] if match else file.stem))
    splits = list(dict.fromkeys(part.split for part in parts))
    if not parts:
        raise ValueError(f"{path} has no *.parquet.")
    there = ", ".join(splits)
    for name in split or ():
        if name not in splits:
            raise ValueError(f"{path} has no split {name!r}; it has {there}.")
    if split is None and len(splits) > 1 and not all(re.fullmatch(r"checkpoint_\d+", name) for name in splits):
        raise ValueError(f"{path} has the splits {there}: name those to import with --split, comma-separated.")
    return [part for name in split or splits for part in parts if part.split == name]


def _file(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        return parquet.ParquetFile(regular(path), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a Parquet file: {arrow.line(error)}.") from None


def _schema(path: Path) -> Any:
    with _file(path) as file:
        return file.schema_arrow


def _about(schema: Any, path: Path) -> dict[str, Any]:
    """Return the metadata next to the rows: the shape and type of observations, and the number of actions."""
    text = (schema.metadata or {}).get(KEY)
    if text is None:
        return {}
    try:
        about = json.loads(text)
        shape, dtype = tuple(int(size) for size in about["shape"]), np.dtype(about["dtype"])
        if math.prod(shape) > 1 << 28 or min(shape, default=1) < 1 or dtype.kind not in "biuf":
            raise ValueError("no observation has this shape and type")
        return {"name": str(about["name"]), "actions": said(about["actions"]), "shape": shape, "dtype": dtype}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} has damaged log metadata: {error}.") from None


def _episodes(parts: list[SplitFile], names: Names, about: dict[str, Any]) -> Iterator[Episode | Bad | Note]:
    for number, split in enumerate(dict.fromkeys(part.split for part in parts)):
        for where, table in _tables([part.path for part in parts if part.split == split], names):
            try:
                with room.bounded("it"):
                    episode, lossy = _episode(table, names, about)
            except ValueError as error:
                yield Bad(f"{where}: {error}.")
                continue
            if lossy:
                yield Note(JPEG)
            yield episode if "checkpoint_id" in names.all else episode._replace(checkpoint_id=number)


def _tables(paths: list[Path], names: Names) -> Iterator[tuple[str, Any]]:
    """Yield the place and rows of each episode: consecutive ones with one id, also across the files of a split."""
    import pyarrow as pa

    kept: list[Any] = []
    last, size, taken, where = None, 0, 0, ""
    for path in paths:
        number, opening = 0, True
        try:
            for batch in _batches(path, names):
                taken += batch.nbytes
                room.check(taken, f"{path}: an episode")
                ids = batch.column("episode_id").to_pylist()
                cuts = [at for at in range(1, len(ids)) if ids[at] != ids[at - 1]]
                for begin, end in zip([0, *cuts], [*cuts, len(ids)], strict=True):
                    ended = opening and kept and kept[-1].column("is_last")[-1].as_py()  # in the file before
                    opening = False
                    if kept and (ids[begin] != last or ended):
                        yield where, pa.Table.from_batches(kept)
                        kept, size, taken = [], 0, batch.nbytes
                    if not kept:
                        where, number = f"{path}, episode {number}", number + 1
                    kept, last, size = [*kept, batch.slice(begin, end - begin)], ids[begin], size + end - begin
                    if size > LARGEST:
                        raise ValueError(f"{path} has an episode of more than {LARGEST} rows.")
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is damaged: {arrow.line(error)}.") from None
    if kept:
        yield where, pa.Table.from_batches(kept)


def _batches(path: Path, names: Names) -> Iterator[Any]:
    """Yield a file's batches of at least one row; ValueError if it has other columns than wanted."""
    with _file(path) as file:
        if set(names.all) - set(file.schema_arrow.names):
            raise ValueError(f"{path} has different columns from the files before it.")
        yield from (batch for batch in arrow.parquet_batches(file, list(names.all), f"{path}: ") if batch.num_rows)


def _episode(table: Any, names: Names, about: dict[str, Any]) -> tuple[Episode, bool]:
    """Return an episode, and whether its frames are lossy; ValueError if a row breaks a rule."""
    get = {name: table[name].combine_chunks() for name in names.all}
    size = table.num_rows
    if "step" in get:
        order = columns.numbers(_plain(get["step"], "step"), "step")
        for step in np.flatnonzero(order != np.arange(size))[:1]:
            raise ValueError(f"row {step}: its step is {order[step]}: the rows of an episode must be in order")
    marks = {name: columns.flags(_plain(get[name], name), name) for name in FLAGS if name in get}
    first = marks["is_first"] if "is_first" in marks else np.arange(size) == 0
    last = marks["is_last"]
    frames, lossy = _frames(get[names.observation], names.observation, about)
    actions, rewards = (_with_last(get[name], last, name) for name in ("action", "reward"))
    columns.playable(actions.dtype, actions.shape[1:])
    if size < 2:
        raise ValueError("it has no transition")
    values, epsilon = get.get(names.values), get.get("behavior_epsilon")
    steps = Steps(
        frame=columns.frames(frames),
        action=columns.actions(actions),
        reward=columns.rewards(rewards),
        is_first=first,
        is_last=last,
        is_terminal=marks["is_terminal"],
        teacher_values=None if values is None else columns.values_of_actions(_plain(values, names.values)),
        behavior_epsilon=None if epsilon is None else columns.rewards(_plain(epsilon, "behavior_epsilon")),
    )
    for step, wrong in violations(steps, about.get("actions"))[:1]:
        raise ValueError(f"step {step}: {wrong}")
    said = {name: get[name][0].as_py() for name in ABOUT if name in get and get[name][0].is_valid}
    number = said.pop("episode_id", None)
    number = number if number is None or isinstance(number, int) and abs(number) < 2**63 else str(number)
    said["named"] = "" if isinstance(number, int) else str(number or "")
    kinds = {"checkpoint_id": int, "agent_id": str, "environment_config": str, "invalid": bool, "named": str}
    for name, value in said.items():
        if not isinstance(value, kinds[name]):
            raise ValueError(f"its {name} is {value!r:.80}, where {kinds[name].__name__} is needed")
    return Episode(steps, number if isinstance(number, int) else None, **said), lossy


def _with_last(column: Any, last: np.ndarray, name: str) -> np.ndarray:
    """Return actions or rewards, with 0 on the last step, where they may be null."""
    empty = column.is_null().to_numpy(zero_copy_only=False)
    for step in np.flatnonzero(empty & ~last)[:1]:
        raise ValueError(f"step {step}: it has no {name}")
    if column.null_count and hasattr(column.type, "value_type"):  # a row of numbers per step
        raise ValueError(f"its {name} lacks a value at some steps")
    if column.null_count:
        column = column.fill_null(0)
    array = _plain(column, name).copy()
    array[last] = 0
    return array


def _plain(column: Any, name: str) -> np.ndarray:
    """Return the numbers [T] or [T, L] of an Arrow array."""
    array = arrow.numbers(column, name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise ValueError(f"its {name} is {column.type}, where numbers are needed")
    return array


def _frames(column: Any, name: str, about: dict[str, Any]) -> tuple[np.ndarray, bool]:
    """Return the frames [T, *frame], and whether they were JPEG."""
    import pyarrow.types as kinds

    if kinds.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = column.field("bytes")
    lossy, found = False, arrow.numbers(column, name)
    if isinstance(found, list):
        pictures = [memoryview(one) for one in found]
        lossy = any(bytes(one[:2]) == b"\xff\xd8" for one in pictures)
        frames = images.decode(pictures, (-1, -1, -1), np.dtype(np.uint8))
        frames = frames[..., 0] if frames.shape[-1] == 1 else frames
    else:
        frames = _plain(column, name)
        shape = about.get("shape", frames.shape[1:])
        if math.prod(frames.shape[1:]) == math.prod(shape):
            frames = frames.reshape(len(frames), *shape)
    shape, dtype = about.get("shape", frames.shape[1:]), about.get("dtype", frames.dtype)
    if (frames.shape[1:], frames.dtype) != (tuple(shape), dtype):
        raise ValueError(f"its {name} is {frames.dtype}{list(frames.shape[1:])}, where {dtype}{list(shape)} is stated")
    return frames, lossy

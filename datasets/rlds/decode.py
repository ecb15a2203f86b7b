"""Turns one record of a TFDS folder into an episode, and says what is wrong where it is not one."""

import numpy as np

from ..transition import Steps
from . import images, tf_example
from .episode import Episode, violations
from .folder import MANIFEST, Log, Shard
from .schema import Column, given_shape

WANTED = (
    *("observation", "action", "reward", "discount", "is_first", "is_last", "is_terminal"),
    *("teacher_values", "behavior_epsilon"),
)


def decode(record: bytes, log: Log, shard: Shard, number: int, strict: bool = True) -> Episode:
    """Raises ValueError, without naming file and episode, on damage, and if `strict` where a rule of RLDS is broken."""
    fields = tf_example.decode(record)
    columns = {}
    for name, column in log.schema.step.items():
        if f"steps/{name}" in fields and name in WANTED:
            columns[name] = step_column(fields[f"steps/{name}"], column, name)
    stated = {"teacher_values", "behavior_epsilon"} & log.schema.step.keys()
    missing = ({"observation", "action", "reward", "is_first", "is_last"} | stated) - columns.keys()
    if missing:
        raise ValueError(f"the steps have no {', '.join(sorted(missing))}")
    size = len(columns["is_last"])
    if size == 0:
        raise ValueError("it has no steps")
    for name, values in columns.items():
        if len(values) != size:
            raise ValueError(f"it has {size} steps but {len(values)} values of {name}")
    if shard.steps is not None and shard.steps[number] != size:
        raise ValueError(f"it has {size} steps where {MANIFEST} states {shard.steps[number]}")
    frame = newest(columns["observation"])
    steps = Steps(
        frame=frame.reshape(size, *given_shape(frame.shape[1:])),
        action=_valid(_int32(columns["action"])),
        reward=_valid(columns["reward"].astype(np.float32)),
        is_first=columns["is_first"].astype(bool),
        is_last=columns["is_last"].astype(bool),
        is_terminal=_terminal(columns),
        teacher_values=columns.get("teacher_values"),
        behavior_epsilon=columns.get("behavior_epsilon"),
    )
    for step, wrong in violations(steps, log.actions)[:1] if strict else ():
        raise ValueError(f"step {step}: {wrong}")
    about = {name: _number(fields, name) for name in ("episode_id", "checkpoint_id", "invalid")}
    text = {name: _text(fields, name) for name in ("agent_id", "environment_config")}
    return Episode(
        steps,
        episode_id=number if about["episode_id"] is None else about["episode_id"],
        checkpoint_id=about["checkpoint_id"] or 0,
        agent_id=text["agent_id"] or "",
        environment_config=text["environment_config"] or "{}",
        invalid=bool(about["invalid"]),
    )


def newest(frames: np.ndarray) -> np.ndarray:
    """Frames once: of stacks [T, H, W, 4] in which each repeats the one before, shifted, the newest [T, H, W, 1]."""
    stacked = frames.ndim == 4 and frames.dtype == np.uint8 and frames.shape[3] == 4
    if stacked and np.array_equal(frames[1:, :, :, :-1], frames[:-1, :, :, 1:]):
        return frames[..., -1:]
    return frames


def _int32(action: np.ndarray) -> np.ndarray:
    """Out of range becomes -1, which the check of actions reports with its step."""
    return np.where((action < 0) | (action >= 2**31), -1, action).astype(np.int32)


def _valid(column: np.ndarray) -> np.ndarray:
    """A copy whose last number, which RLDS leaves open, is 0."""
    column[-1] = 0
    return column


def _terminal(columns: dict[str, np.ndarray]) -> np.ndarray:
    """`is_terminal`, or where a log leaves it out, what its discounts say of the last step."""
    if "is_terminal" in columns:
        return columns["is_terminal"].astype(bool)
    if "discount" not in columns:
        raise ValueError("the steps have neither is_terminal nor discount")
    ended = np.zeros(len(columns["is_last"]), bool)
    ended[-1] = (columns["discount"][-2:-1] == 0).any()
    return ended


def step_column(field: tf_example.Field, column: Column, name: str) -> np.ndarray:
    """[T, *shape] of one feature. Byte strings and floats stay views of the record."""
    dtype = np.dtype(column.dtype)
    if column.encoding in ("png", "jpeg", "jpg"):
        return images.decode([memoryview(row) for row in tf_example.byte_rows(field)], column.shape, dtype)
    if column.encoding in ("bytes", "zlib"):
        size = int(np.prod(column.shape)) * dtype.itemsize
        rows = tf_example.byte_rows(field)
        if column.encoding == "zlib":
            if size * len(rows) > images.LARGEST:
                raise ValueError(f"{len(rows)} tensors of {size} bytes are more than an episode may hold")
            rows = np.stack([np.frombuffer(images.inflate(row, size, t), np.uint8) for t, row in enumerate(rows)])
        return _tensors(rows, column.shape, dtype, size, name)
    if column.encoding == "none":
        numbers = tf_example.floats(field) if dtype.kind == "f" else tf_example.ints(field)
        each = int(np.prod(column.shape))
        if each == 0 or len(numbers) % each:
            raise ValueError(f"step {len(numbers) // max(each, 1)}: its {name} is cut short")
        return numbers.astype(dtype, copy=False).reshape(-1, *column.shape)
    raise ValueError(f"{name} is encoded as {column.encoding}, which cannot be read")


def _tensors(rows: np.ndarray | list[memoryview], shape, dtype: np.dtype, size: int, name: str) -> np.ndarray:
    if isinstance(rows, list):
        lengths = [len(row) for row in rows]
        step = next(step for step, length in enumerate(lengths) if length != size)
        raise ValueError(f"step {step}: its {name} has {lengths[step]} bytes, not {size}")
    if len(rows) and rows.shape[1] != size:
        raise ValueError(f"step 0: its {name} has {rows.shape[1]} bytes, not {size}")
    if dtype.kind == "b" and rows.size and rows.max() > 1:
        raise ValueError(f"{name} is not boolean")
    typed = rows if dtype.itemsize == 1 else np.ascontiguousarray(rows)
    return typed.view(dtype).reshape(len(rows), *shape)


def _number(fields: dict[str, tf_example.Field], name: str) -> int | None:
    field = fields.get(name)
    if field is None or field.kind != tf_example.INTS:
        return None
    values = tf_example.ints(field)
    return int(values[0]) if len(values) else None


def _text(fields: dict[str, tf_example.Field], name: str) -> str | None:
    field = fields.get(name)
    if field is None or field.kind != tf_example.BYTES:
        return None
    rows = tf_example.byte_rows(field)
    return bytes(rows[0]).decode("utf-8", "replace") if len(rows) else None

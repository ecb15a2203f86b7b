"""Decode one record of a TFDS folder into an episode, or say why that is impossible."""

import numpy as np

from ..transition import Steps
from ..words import several
from . import columns, images, stacks, tf_example
from .episode import Episode, violations
from .folder import MANIFEST, Log, Shard
from .schema import FeatureLayout, given_shape


def decode(record: bytes, log: Log, shard: Shard, number: int, strict: bool = True, whole: bool = False) -> Episode:
    """Raise ValueError, without naming file and episode, on damage, and if `strict` where a rule of RLDS is broken.

    Of stacks of frames the newest is kept, unless the `whole` observation is asked for.
    """
    fields = tf_example.decode(record)
    found = {
        name: step_column(fields[f"steps/{field}"], column, field)
        for name, (field, column) in log.columns.items()
        if f"steps/{field}" in fields
    }
    stated = {"teacher_values", "behavior_epsilon"} & log.columns.keys()
    missing = ({"observation", "action", "reward", "is_first", "is_last"} | stated) - found.keys()
    if missing:
        raise ValueError(f"the steps have no {', '.join(sorted(missing))}")
    size = len(found["is_last"])
    if size == 0:
        raise ValueError("it has no steps")
    for name, values in found.items():
        if len(values) != size:
            raise ValueError(f"it has {several(size, 'step')} but {several(len(values), 'value')} of {name}")
    if shard.steps is not None and shard.steps[number] != size:
        raise ValueError(f"it has {several(size, 'step')} where {MANIFEST} states {shard.steps[number]}")
    frame = columns.frames(found["observation"])
    if not (whole or log.own):  # logs of ours hold no stacks
        frame = stacks.newest(frame, stacks.alone(frame))
    values, epsilon = found.get("teacher_values"), found.get("behavior_epsilon")
    steps = Steps(
        frame=frame.reshape(size, *given_shape(frame.shape[1:])),
        action=_valid(_actions(found["action"])),
        reward=_valid(columns.rewards(found["reward"])),
        is_first=columns.flags(found["is_first"], "is_first"),
        is_last=columns.flags(found["is_last"], "is_last"),
        is_terminal=_terminal(found),
        teacher_values=None if values is None else columns.values_of_actions(values),
        behavior_epsilon=None if epsilon is None else columns.rewards(epsilon, "behavior_epsilon"),
    )
    if strict and size == 1:
        raise ValueError("it has no transition")
    for step, wrong in violations(steps, log.actions)[:1] if strict else ():
        raise ValueError(f"step {step}: {wrong}")
    about = {name: _number(fields, name) for name in ("episode_id", "checkpoint_id", "invalid")}
    text = {name: _text(fields, name) for name in ("agent_id", "environment_config", "episode_id")}
    return Episode(
        steps,
        episode_id=about["episode_id"],
        checkpoint_id=about["checkpoint_id"] or 0,
        agent_id=text["agent_id"] or "",
        environment_config=text["environment_config"] or "{}",
        invalid=bool(about["invalid"]),
        named=text["episode_id"] or "",
    )


def _actions(action: np.ndarray) -> np.ndarray:
    if columns.is_continuous(action.dtype, action.shape[1:]):
        return columns.actions(action)
    return _int32(columns.numbers(action, "action"))


def _int32(action: np.ndarray) -> np.ndarray:
    """Replace out-of-range values by -1, which the check of actions reports with its step."""
    return np.where((action < 0) | (action >= 2**31), -1, action).astype(np.int32)


def _valid(column: np.ndarray) -> np.ndarray:
    """Return a copy whose last number, undefined in RLDS, is 0."""
    column = column.copy()
    column[-1] = 0
    return column


def _terminal(found: dict[str, np.ndarray]) -> np.ndarray:
    """Return `is_terminal`, or derive it from the discounts if the log lacks it."""
    if "is_terminal" in found:
        return columns.flags(found["is_terminal"], "is_terminal")
    if "discount" not in found:
        raise ValueError("the steps have neither is_terminal nor discount")
    ended = np.zeros(len(found["is_last"]), bool)
    ended[-1] = (columns.rewards(found["discount"], "discount")[-2:-1] == 0).any()
    return ended


def step_column(field: tf_example.Field, column: FeatureLayout, name: str) -> np.ndarray:
    """Return one feature [T, *shape]. Byte strings and floats stay views of the record; bfloat16 becomes float32."""
    if column.dtype == "bfloat16":
        if column.encoding == "none":  # a list of floats, which hold it exactly
            return step_column(field, column._replace(dtype="float32"), name)
        halves = step_column(field, column._replace(dtype="uint16"), name)  # the upper half of a float32
        return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
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
        return _cast(numbers, dtype, each, name).reshape(-1, *column.shape)
    raise ValueError(f"{name} is encoded as {column.encoding}, which cannot be read")


def _cast(numbers: np.ndarray, dtype: np.dtype, each: int, name: str) -> np.ndarray:
    """Return the numbers in the schema's type; ValueError if that would change a whole number."""
    cast = numbers.astype(dtype, copy=False)
    if dtype.kind in "iu" and dtype != np.uint64 or dtype.kind == "b":
        for wrong in np.flatnonzero(cast != numbers)[:1]:
            raise ValueError(f"step {wrong // each}: its {name} is {numbers[wrong]}, which no {dtype} can be")
    return cast


def _tensors(rows: np.ndarray | list[memoryview], shape, dtype: np.dtype, size: int, name: str) -> np.ndarray:
    if isinstance(rows, list):
        lengths = [len(row) for row in rows]
        step = next(step for step, length in enumerate(lengths) if length != size)
        raise ValueError(f"step {step}: its {name} has {several(lengths[step], 'byte')}, not {size}")
    if len(rows) and rows.shape[1] != size:
        raise ValueError(f"step 0: its {name} has {several(rows.shape[1], 'byte')}, not {size}")
    if dtype.kind == "b" and rows.size and rows.max() > 1:
        raise ValueError(f"{name} is not boolean")
    typed = rows if dtype.itemsize == 1 else np.ascontiguousarray(rows)
    return typed.view(dtype).reshape(len(rows), *shape)


def _number(fields: dict[str, tf_example.Field], name: str) -> int | None:
    field = fields.get(name)
    if field is None or field.kind != tf_example.INTS:
        return None
    values = tf_example.ints(field)
    return int(values[0]) if len(values) == 1 else None


def _text(fields: dict[str, tf_example.Field], name: str) -> str | None:
    field = fields.get(name)
    if field is None or field.kind != tf_example.BYTES:
        return None
    rows = tf_example.byte_rows(field)
    return bytes(rows[0]).decode("utf-8", "replace") if len(rows) == 1 else None

"""Read RLDS from other writers: several shards and splits, ids of any type, nested observations, custom metadata."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..transition import Actions
from . import columns, tf_example
from .decode import decode, step_column
from .episode import Episode
from .folder import Log, Shard, chosen_shards, open_log, records, shards_in
from .schema import ONE_NUMBER, WantedFields
from .source import JPEG, Bad, ForeignLog, Note

ABOUT = ("episode_id", "checkpoint_id", "agent_id", "environment_config", "invalid")
SUMS = ("episode_return", "episode_length", "raw_return")  # computed again
ENDED = "is_terminal ends an episode although the discount of its last transition is not 0: is_terminal is used"
LAST = "An episode's last step has a reward, which RLDS calls invalid there: it is left out"


def open(
    folder: Path, split: Sequence[str] | None = None, observation: str = "", teacher_values: str = ""
) -> ForeignLog:
    """Open a TFDS folder. `observation` and `teacher_values` select other fields of a step.

    Raises ValueError if a log has several splits that are not checkpoints and none is selected.
    """
    folder = shards_in(folder)
    log = open_log(folder, WantedFields(observation, teacher_values))
    if split is None and len(log.splits) > 1 and any(_checkpoint(name) is None for name in log.splits):
        there = ", ".join(log.splits)
        raise ValueError(f"{folder} has the splits {there}: name those to import with --split, comma-separated.")
    shards = chosen_shards(log, split)
    used = {field for field, _ in log.columns.values()}
    dropped = [f"the step's {name}" for name in (*log.schema.step, *log.schema.others) if name not in used]
    dropped += [f"the episode's {name}" for name in log.schema.episode if name not in (*ABOUT, *SUMS)]
    notes = (f"Left out: {', '.join(dropped)}",) if dropped else ()
    return ForeignLog(lambda: _episodes(log, shards), log.name, _actions(log), notes)


def _actions(log: Log) -> Actions | None:
    """Return the action space: as stated, or one discrete action for each of the teacher's values."""
    if "action" not in log.columns:  # which each episode is refused for
        return None
    values, column = log.columns.get("teacher_values"), log.columns["action"][1]
    continuous = columns.is_continuous(column.dtype if column.dtype != "bfloat16" else "float32", column.shape)
    return log.actions if log.actions is not None or values is None or continuous else values[1].shape[0]


def _checkpoint(split: str) -> int | None:
    match = re.fullmatch(r"checkpoint_(\d+)", split)
    return int(match[1]) if match else None


def _episodes(log: Log, shards: Sequence[Shard]) -> Iterator[Episode | Bad | Note]:
    splits = list(dict.fromkeys(shard.split for shard in shards))
    named = len(splits) > 1 and all(_checkpoint(split) is not None for split in splits)
    for shard in shards:
        for number, record in enumerate(records(log, shard)):
            try:
                episode = decode(record, log, shard, number, whole=True)
                yield from _noted(record, log)
            except ValueError as error:
                yield Bad(f"{shard.path}, episode {number}: {error}.")
                continue
            if len(splits) > 1:
                checkpoint = _checkpoint(shard.split) if named else splits.index(shard.split)
                episode = episode._replace(checkpoint_id=checkpoint or 0)
            yield episode


def _noted(record: bytes, log: Log) -> Iterator[Note]:
    """Return the parts of a record that are not kept. ValueError if its discounts contradict its stated end."""
    fields = tf_example.decode(record)
    column = {
        name: step_column(fields[f"steps/{field}"], column, field).ravel()
        for name, (field, column) in log.columns.items()
        if name in ONE_NUMBER and f"steps/{field}" in fields
    }
    if column["reward"][-1] != 0:
        yield Note(LAST)
    if "discount" in column and "is_terminal" in column:
        zero = np.flatnonzero(column["discount"][:-1] == 0)
        allowed = [len(column["discount"]) - 2] if column["is_terminal"][-1] else []
        for step in [int(step) for step in zero if step not in allowed][:1]:
            raise ValueError(f"step {step}: the discount is 0, where is_terminal says that the episode does not end")
        if allowed and len(zero) == 0:
            yield Note(ENDED)
    field, kind = log.columns["observation"]
    if kind.encoding not in ("none", "bytes", "zlib"):
        rows = tf_example.byte_rows(fields[f"steps/{field}"])
        if any(bytes(row[:2]) == b"\xff\xd8" for row in rows):
            yield Note(JPEG)

"""Export a log to another format: TFRecord or ArrayRecord, plain Parquet, or a Minari dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path

from .. import atomic
from . import to_minari, to_parquet
from .copy import copy, count_actions
from .folder import open_log
from .read import read

FORMATS = ("tfrecord", "array_record", "parquet", "minari")


def export(
    folder: Path,
    out: Path,
    format: str,
    split: Sequence[str] | None = None,
    on_bad_episode: Callable[[str], None] | None = None,
) -> str:
    """Write a log to a new folder, whole or not at all; return a hint on how to open it, if needed."""
    if format not in FORMATS:
        raise ValueError(f"a log cannot be exported as {format!r}: give --to {', '.join(FORMATS)}")
    atomic.vacant(out)
    if format in ("tfrecord", "array_record"):
        copy(folder, out, format, split, on_bad_episode)
        return ""
    log = open_log(folder)
    actions = count_actions(folder, split, on_bad_episode)
    told = on_bad_episode and (lambda sentence: None) if log.actions is None else on_bad_episode
    episodes = read(folder, split, told)
    with atomic.folder(out) as partial:
        if format == "parquet":
            to_parquet.write(episodes, partial, log.name, actions)
            return ""
        to_minari.write(episodes, partial, log.name, actions)
    return f"; MINARI_DATASETS_PATH={out} lets Minari load {to_minari.dataset_id(log.name)}"

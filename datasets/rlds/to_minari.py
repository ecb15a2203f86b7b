"""Write a log as a Minari dataset for `minari.load_dataset`: Arrow, with raw frames, not JPEG."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..transition import Actions
from . import spaces
from .episode import Episode

VERSION = "0.5.4"  # of Minari's format: from it on `jpeg_encoding` says that frames are as they are


def dataset_id(name: str) -> str:
    """Return a log's id in Minari: `pong` becomes `reincarnate/pong-v0`."""
    return f"reincarnate/{name.replace('_', '-')}-v0"


def write(episodes: Iterable[Episode], folder: Path, name: str, actions: Actions, source: str = "") -> tuple[int, int]:
    """Write a dataset below a folder, Minari's root, and return the numbers of episodes and steps.

    The teacher's values and the behaviour's epsilon become infos.
    """
    import pyarrow as pa

    place = folder / dataset_id(name)
    data = place / "data"
    data.mkdir(parents=True)
    count = steps = 0
    form: np.ndarray | None = None
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    for episode in episodes:
        form = episode.steps.frame if form is None else form
        batch = _batch(episode, count)
        (data / str(count)).mkdir()
        with pa.OSFile(str(data / str(count) / "part-0.arrow"), "wb") as file:
            with pa.ipc.new_file(file, batch.schema, options=options) as writer:
                writer.write_batch(batch)
        about = {"id": count, "total_steps": episode.length}
        (data / str(count) / "metadata.json").write_text(json.dumps(about))
        count, steps = count + 1, steps + episode.length
    if form is None:
        raise ValueError("There are no episodes to write.")
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    metadata: dict[str, Any] = {
        "total_episodes": count,
        "total_steps": steps,
        "data_format": "arrow",
        "jpeg_encoding": False,
        "observation_space": json.dumps(spaces.box(form.shape[1:], form.dtype)),
        "action_space": json.dumps(spaces.of_actions(actions)),
        "dataset_id": dataset_id(name),
        "minari_version": VERSION,
        "dataset_size": round(size / 1e6, 1),
        "description": f"Exported by reincarnate{f' from {source}' if source else ''}. Rewards are not clipped.",
    }
    (data / "metadata.json").write_text(json.dumps(metadata))
    namespace = {"description": "Logs exported by reincarnate."}
    (folder / "reincarnate" / "namespace_metadata.json").write_text(json.dumps(namespace))
    return count, steps


def _batch(episode: Episode, number: int) -> Any:
    """Return the steps of an episode; all but the observations end with a row of padding."""
    import pyarrow as pa

    steps = episode.steps
    last = steps.is_last
    before_last = np.append(last[1:], False)
    columns: dict[str, Any] = {
        "observations": _fixed(steps.frame.astype(np.int8) if steps.frame.dtype == bool else steps.frame),
        "actions": _actions(steps.action, last),
        "rewards": pa.array(np.where(last, 0, steps.reward).astype(np.float64)),
        "terminations": pa.array(before_last & steps.is_terminal[-1]),
        "truncations": pa.array(before_last & ~steps.is_terminal[-1]),
    }
    infos = {name: getattr(steps, name) for name in ("teacher_values", "behavior_epsilon")}
    arrays = {name: np.ascontiguousarray(values) for name, values in infos.items() if values is not None}
    if arrays:
        made = [_fixed(values) if values.ndim > 1 else pa.array(values) for values in arrays.values()]
        shapes = [
            {"shape": ",".join(map(str, values.shape[1:]))} if values.ndim > 1 else None for values in arrays.values()
        ]
        fields = [
            pa.field(name, array.type, metadata=shape) for name, array, shape in zip(arrays, made, shapes, strict=True)
        ]
        columns["infos"] = pa.StructArray.from_arrays(made, fields=fields)
    return pa.RecordBatch.from_pydict(columns)


def _actions(action: np.ndarray, last: np.ndarray) -> Any:
    import pyarrow as pa

    if action.ndim == 1:
        return pa.array(np.where(last, 0, action).astype(np.int64))
    return _fixed(np.where(last[:, None], np.float32(0), action))


def _fixed(array: np.ndarray) -> Any:
    """Turn [T, ...] into lists of one size, and leave [T] as it is,
    which is what Minari has of discrete observations."""
    import pyarrow as pa

    if array.ndim == 1:
        return pa.array(array)
    flat = pa.array(np.ascontiguousarray(array).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))

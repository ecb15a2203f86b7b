"""For users of the `rlds` package: logs as nested tf.data datasets. Needs the extra `tf`."""

import os
import sys
import types
from collections.abc import Sequence
from typing import Any

from .hub import hub as hubs
from .rlds.episode import discounts
from .rlds.folder import open_log, shards_in
from .rlds.read import read


def as_rlds_dataset(
    reference: str | os.PathLike, split: str | Sequence[str] | None = None, hub: str = "bundled"
) -> Any:
    """Return a tf.data.Dataset of episodes whose `steps` are nested datasets, and make `import rlds` work.

    `reference`: a log's folder, or user/name[@commit] on a hub. Frames have their stored shape, such as [84, 84, 1].
    ValueError if there is no such log, or TensorFlow is not installed.
    """
    try:
        import tensorflow as tf  # pyright: ignore
    except ImportError:
        raise ValueError("TensorFlow is not installed; install reincarnate[tf].") from None
    stub_reverb()
    folder = shards_in(hubs.open_ref(str(reference), "dataset", hub)[0])
    log = open_log(folder)
    step = {name: c for name, c in log.schema.step.items() if name in STEP or name in ("observation", *OPTIONAL)}
    steps = {name: tf.TensorSpec((None, *column.shape), column.dtype) for name, column in step.items()}
    about = {
        "episode_id": tf.TensorSpec((), tf.int64),
        "checkpoint_id": tf.TensorSpec((), tf.int64),
        "episode_return": tf.TensorSpec((), tf.float32),
        "raw_return": tf.TensorSpec((), tf.float32),
        "environment_config": tf.TensorSpec((), tf.string),
        "agent_id": tf.TensorSpec((), tf.string),
        "invalid": tf.TensorSpec((), tf.bool),
    }

    def episodes():
        for number, e in enumerate(read(folder, split)):
            s = e.steps
            columns = s._asdict() | {"discount": discounts(s)}
            columns["observation"] = columns.pop("frame").reshape(len(s.action), *step["observation"].shape)
            yield {
                "steps": {name: columns[name].astype(column.dtype) for name, column in step.items()},
                "episode_id": number if e.episode_id is None else e.episode_id,
                "checkpoint_id": e.checkpoint_id,
                "episode_return": e.clipped_return,
                "raw_return": e.raw_return,
                "environment_config": e.environment_config,
                "agent_id": e.agent_id,
                "invalid": e.invalid,
            }

    dataset = tf.data.Dataset.from_generator(episodes, output_signature={"steps": steps, **about})
    return dataset.map(lambda e: {**e, "steps": tf.data.Dataset.from_tensor_slices(e["steps"])})


STEP = ("action", "reward", "discount", "is_first", "is_last", "is_terminal")
OPTIONAL = ("teacher_values", "behavior_epsilon")


def stub_reverb() -> None:
    """Make `import rlds` succeed without a working dm-reverb: all of rlds but `pattern_map` works."""
    try:
        import reverb  # noqa: F401  # pyright: ignore[reportMissingImports]
    except Exception:  # its outdated binaries raise more than ImportError
        module, writer = types.ModuleType("reverb"), types.ModuleType("reverb.structured_writer")
        for name in ("Config", "ReferenceStep", "Pattern", "Condition"):
            setattr(writer, name, object)
        setattr(module, "structured_writer", writer)  # noqa: B010
        sys.modules |= {"reverb": module, "reverb.structured_writer": writer}

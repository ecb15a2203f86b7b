"""What a log's columns are: the TFDS features we write, and those that anyone's features.json states."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


def features(
    frame_shape: Sequence[int],
    frame_dtype: np.typing.DTypeLike,
    actions: int,
    teacher_values: bool = False,
    behavior_epsilon: bool = False,
    png: bool = False,
) -> Any:
    """The TFDS FeaturesDict of our logs: that of `rlu_atari` and more. Imports tensorflow_datasets (1 s).

    Bytes and booleans are stored as they are, one string a frame (or as PNG,
    for folders that tf.data users read); floats as lists of floats.
    """
    import tensorflow_datasets as tfds

    f = tfds.features
    shape, dtype = stored_shape(frame_shape), np.dtype(frame_dtype)
    if png:
        frame = f.Image(shape=shape, dtype=np.uint8, encoding_format="png")
    else:
        frame = f.Tensor(shape=shape, dtype=dtype.type, encoding="none" if dtype.kind == "f" else "bytes")
    steps: dict[str, Any] = {
        "observation": frame,
        "action": f.Scalar(np.int64, doc=f"Chosen by the policy, 0 to {actions - 1}. Invalid on the last step."),
        "reward": f.Scalar(np.float32, doc="As the environment gave it, NOT clipped. Invalid on the last step."),
        "discount": f.Scalar(np.float32, doc="0 for the transition into a terminal step, else 1."),
        "is_first": np.bool_,
        "is_last": f.Scalar(np.bool_, doc="The step holds only the final observation."),
        "is_terminal": f.Scalar(np.bool_, doc="The last step of an episode that ended; false if it was truncated."),
    }
    if teacher_values:
        steps["teacher_values"] = f.Tensor(
            shape=(actions,), dtype=np.float32, doc="The teacher's action values or logits on this observation."
        )
    if behavior_epsilon:
        steps["behavior_epsilon"] = f.Scalar(np.float32, doc="Chance that the action was drawn at random.")
    return f.FeaturesDict(
        {
            "steps": f.Dataset(steps),
            "checkpoint_id": f.Scalar(np.int64, doc="Checkpoint of the training that made the episode, in order."),
            "episode_id": np.int64,
            "episode_return": f.Scalar(np.float32, doc="Sum of rewards clipped to [-1, 1], as in RL Unplugged."),
            "episode_length": f.Scalar(np.int64, doc="Transitions."),
            "raw_return": f.Scalar(np.float32, doc="Sum of the unclipped rewards."),
            "environment_config": f.Text(doc="Json."),
            "agent_id": f.Text(),
            "invalid": f.Scalar(np.bool_, doc="The recording broke off; leave the episode out."),
        }
    )


def stored_shape(frame_shape: Sequence[int]) -> tuple[int, ...]:
    """Grey pixels [H, W] are stored as [H, W, 1], as images are."""
    return (*frame_shape, 1) if len(frame_shape) == 2 else tuple(frame_shape)


def given_shape(stored: Sequence[int]) -> tuple[int, ...]:
    """The inverse of `stored_shape`: images [H, W, 1] are given as [H, W]."""
    return tuple(stored[:-1]) if len(stored) == 3 and stored[-1] == 1 else tuple(stored)


class Column(NamedTuple):
    """How one feature lies in the records."""

    shape: tuple[int, ...]  # () for a number; -1 where unknown
    dtype: str  # a numpy name, or "string"
    encoding: str  # "none", "bytes", "zlib", or of images "png", "jpeg"


class Schema(NamedTuple):
    """The features of a folder."""

    step: dict[str, Column]
    episode: dict[str, Column]


def read_schema(folder: Path) -> Schema:
    """The columns that `features.json` states. Raises ValueError if it is not that of an RLDS log."""
    try:
        top = _fields(json.loads((folder / "features.json").read_bytes()))
        nested = top.pop("steps")
        steps = _fields(nested["sequence"]["feature"])
        columns = {name: _column(node) for name, node in steps.items()}
        about = {name: _column(node) for name, node in top.items()}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{folder / 'features.json'} does not describe an RLDS log: {error!r}.") from None
    return Schema(
        {name: column for name, column in columns.items() if column},
        {name: column for name, column in about.items() if column},
    )


def _fields(node: dict[str, Any]) -> dict[str, Any]:
    return dict((node.get("featuresDict") or node["content"].get("featuresDict") or node["content"])["features"])


def _column(node: dict[str, Any]) -> Column | None:
    """None for what is neither a tensor, an image nor text (nested features, sequences): never read by us."""
    kind = next((kind for kind in ("tensor", "image", "text", "classLabel") if kind in node), None)
    if kind is None:
        return None
    if kind == "text":
        return Column((), "string", "none")
    if kind == "classLabel":
        return Column((), "int64", "none")
    spec = node[kind]
    shape = tuple(int(size) for size in spec.get("shape", {}).get("dimensions", ()))
    if math.prod(abs(size) for size in shape) > 1 << 28:
        raise ValueError(f"a feature of shape {shape} is too large")
    encoding = spec.get("encodingFormat") or "png" if kind == "image" else spec.get("encoding", "none")
    return Column(shape, str(spec.get("dtype", "uint8")), str(encoding).lower())

"""The columns of a log: the TFDS features that we write, and those of any features.json."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..folders import regular
from ..transition import Actions, Box, outputs
from . import columns


def features(
    frame_shape: Sequence[int],
    frame_dtype: np.typing.DTypeLike,
    actions: Actions,
    teacher_values: bool = False,
    behavior_epsilon: bool = False,
    png: bool = False,
) -> Any:
    """Return the TFDS FeaturesDict of our logs, a superset of `rlu_atari`. Imports tensorflow_datasets (1 s).

    Bytes and booleans are stored raw, one string per frame (or as PNG, in folders for users of tf.data); floats are
    stored as lists of floats.
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
        "action": _action(actions),
        "reward": f.Scalar(np.float32, doc="As the environment gave it, NOT clipped. Invalid on the last step."),
        "discount": f.Scalar(np.float32, doc="0 for the transition into a terminal step, else 1."),
        "is_first": np.bool_,
        "is_last": f.Scalar(np.bool_, doc="The step holds only the final observation."),
        "is_terminal": f.Scalar(np.bool_, doc="The last step of an episode that ended; false if it was truncated."),
    }
    if teacher_values:
        steps["teacher_values"] = f.Tensor(
            shape=(outputs(actions),), dtype=np.float32, doc=TAUGHT[isinstance(actions, Box)]
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


TAUGHT = ("The teacher's action values or logits on this observation.", "The teacher's action on this observation.")


def _action(actions: Actions) -> Any:
    import tensorflow_datasets as tfds

    f = tfds.features
    if isinstance(actions, Box):
        doc = f"Chosen by the policy, from {list(actions.low)} to {list(actions.high)}. Invalid on the last step."
        return f.Tensor(shape=(actions.size,), dtype=np.float32, doc=doc)
    return f.Scalar(np.int64, doc=f"Chosen by the policy, 0 to {actions - 1}. Invalid on the last step.")


def stored_shape(frame_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the stored shape: grey pixels [H, W] are stored as images [H, W, 1]."""
    return (*frame_shape, 1) if len(frame_shape) == 2 else tuple(frame_shape)


def given_shape(stored: Sequence[int]) -> tuple[int, ...]:
    """Return the inverse of `stored_shape`: images [H, W, 1] are given as [H, W]."""
    return tuple(stored[:-1]) if len(stored) == 3 and stored[-1] == 1 else tuple(stored)


class FeatureLayout(NamedTuple):
    """The layout of one feature in the records."""

    shape: tuple[int, ...]  # () for a number; -1 where unknown
    dtype: str  # a numpy name, or "string"
    encoding: str  # "none", "bytes", "zlib", or of images "png", "jpeg"
    classes: int | None = None  # number of classes of a class label


class Schema(NamedTuple):
    """The features of a folder; nested features are named by their path, `observation/image`."""

    step: dict[str, FeatureLayout]
    episode: dict[str, FeatureLayout]
    others: tuple[str, ...] = ()  # features of a step other than tensors, images and text


class WantedFields(NamedTuple):
    """The log's names of the RLDS fields that a reader looks for."""

    observation: str = ""
    teacher_values: str = ""


ONE_NUMBER = ("reward", "discount", "is_first", "is_last", "is_terminal", "behavior_epsilon")
NUMBERS, IMAGES = ("none", "bytes", "zlib"), ("png", "jpeg", "jpg")
LARGEST = 1 << 28  # numbers in a feature of one step


def layout(schema: Schema, wanted: WantedFields = WantedFields()) -> dict[str, tuple[str, FeatureLayout]]:  # noqa: B008
    """Map the RLDS name of each of a step's columns to the log's own name and its layout.

    This is the only check of a schema: ValueError for a column that does not fit a log.
    """
    found: dict[str, tuple[str, FeatureLayout]] = {}
    for name in ("observation", "action", "teacher_values", *ONE_NUMBER):
        field = getattr(wanted, name, "") or name
        field = _leaf(schema, field, name) if name == "observation" else field
        if field in schema.step:
            found[name] = field, schema.step[field]
        elif field in schema.others:
            raise ValueError(f"a step's {field} is no array or image of one size, which alone are read")
        elif getattr(wanted, name, ""):
            there = ", ".join(f"{field}: {_said(column)}" for field, column in schema.step.items())
            raise ValueError(f"a step has no array {field!r}; it has {there}")
    if "action" not in found and any(field.startswith("action/") for field in schema.step):
        raise ValueError("its actions are not one choice: a step's action has several fields")
    for name, (field, column) in found.items():
        _fits(name, field, column)
    return found


def _leaf(schema: Schema, field: str, name: str) -> str:
    """Return the field itself, or the only one nested in it."""
    prefixes = (f"{field}/", f"{name}/{field}/")
    leaves = [leaf for leaf in schema.step if leaf.startswith(prefixes)]
    if field not in schema.step and f"{name}/{field}" in schema.step:
        return f"{name}/{field}"
    if field in schema.step or not leaves:
        return field
    if len(leaves) == 1:
        return leaves[0]
    there = ", ".join(f"{leaf.removeprefix(name + '/')} ({_said(schema.step[leaf])})" for leaf in leaves)
    raise ValueError(f"its observation has several fields: name one of them with --observation: {there}")


def _fits(name: str, field: str, column: FeatureLayout) -> None:
    """Raise ValueError if a column's layout does not fit its name."""
    said = f"a step's {field} is {_said(column)}"
    if column.encoding not in NUMBERS + IMAGES:
        raise ValueError(f"{said}, encoded as {column.encoding}, which cannot be read")
    if column.encoding in IMAGES:
        if name != "observation" or column.dtype not in ("uint8", "uint16") or len(column.shape) != 3:
            raise ValueError(f"{said}, an image, but only observations of bytes may be images")
        return
    if _kind(column.dtype) not in "biuf":
        raise ValueError(f"{said}, where numbers are needed")
    if min(column.shape, default=1) < 1:
        raise ValueError(f"{said}: its size must be fixed")
    if name == "action":
        columns.playable(column.dtype if column.dtype != "bfloat16" else "float32", column.shape)
    if name in ONE_NUMBER and math.prod(column.shape) != 1:
        raise ValueError(f"{said}, where one number a step is needed")
    if name == "teacher_values" and (len(column.shape) != 1 or _kind(column.dtype) != "f"):
        raise ValueError(f"{said}, where one float for each action is needed")


def _kind(dtype: str) -> str:
    if dtype == "bfloat16":
        return "f"
    try:
        return np.dtype(dtype).kind
    except TypeError:
        return "?"


def _said(column: FeatureLayout) -> str:
    return f"{column.dtype}[{', '.join(str(size) if size >= 0 else '?' for size in column.shape)}]"


def read_schema(folder: Path) -> Schema:
    """Return the columns that `features.json` states; ValueError if it does not describe an RLDS log."""
    path = regular(folder / "features.json")
    try:
        top = _fields(json.loads(path.read_bytes()))
        nested = top.pop("steps")
        steps = dict(_leaves(_fields(nested["sequence"]["feature"])))
        about = dict(_leaves(top))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{folder / 'features.json'} does not describe an RLDS log: {error!r}.") from None
    return Schema(
        {name: column for name, column in steps.items() if column},
        {name: column for name, column in about.items() if column},
        tuple(name for name, column in steps.items() if not column),
    )


def _fields(node: dict[str, Any]) -> dict[str, Any]:
    return dict((node.get("featuresDict") or node["content"].get("featuresDict") or node["content"])["features"])


def _leaves(fields: dict[str, Any], path: str = "") -> Iterator[tuple[str, FeatureLayout | None]]:
    """Yield the leaves of nested features by path."""
    for name, node in fields.items():
        if "featuresDict" in node:
            yield from _leaves(_fields(node), f"{path}{name}/")
        else:
            yield f"{path}{name}", _column(node)


def _column(node: dict[str, Any]) -> FeatureLayout | None:
    """Return a column; None for features other than tensors, images and text, which are never read."""
    kind = next((kind for kind in ("tensor", "image", "text", "classLabel") if kind in node), None)
    if kind is None:
        return None
    if kind == "text":
        return FeatureLayout((), "string", "text")
    if kind == "classLabel":
        return FeatureLayout((), "int64", "none", int(node[kind].get("numClasses") or 0) or None)
    spec = node[kind]
    shape = tuple(int(size) for size in spec.get("shape", {}).get("dimensions", ()))
    if math.prod(abs(size) for size in shape) > LARGEST:
        raise ValueError(f"a feature of shape {shape} is too large")
    encoding = spec.get("encodingFormat") or "png" if kind == "image" else spec.get("encoding", "none")
    return FeatureLayout(shape, str(spec.get("dtype", "uint8")), str(encoding).lower())

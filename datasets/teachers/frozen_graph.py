"""Read the dense network of a frozen TensorFlow graph (`*.pb`), without TensorFlow and without running code.

A graph is a protobuf of nodes. Each has an operation, the names of its inputs, and attributes; those of constants hold
an array. The computation is traced back from the node `q_values`: the mean of quantiles, reshaped from dense layers
with ReLU, applied to one observation. Any other computation is refused, so that no array is misread.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..pickled import DamagedFile
from .layouts import ACTIONS, LAYERS, PARTS, UNITS, Ours

NODES, INPUTS, ATTRIBUTES, TEXT = 1024, 8, 32, 256  # upper limits; the largest known graph has about 60 nodes
FLOAT, INT = 1, 3  # TensorFlow's codes of these types
OUTPUT = "q_values"
CUT = "it is cut short or not a TensorFlow graph"
Field = tuple[int, int | memoryview]  # number, and content


class Operation(NamedTuple):
    """One node of the graph."""

    op: str
    inputs: tuple[str, ...]
    flags: dict[str, bool]
    value: np.ndarray | None  # of a constant


def find(folder: Path) -> list[Path]:
    """Return the frozen graphs in a folder, without saved_model.pb, which is of another format."""
    return sorted(path for path in folder.glob("*.pb") if path.name != "saved_model.pb")


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a frozen graph, and what its config.json says besides; ValueError if it is not one."""
    nodes = _nodes(memoryview(data))
    kernels, biases, actions, quantiles = _network(nodes)
    sizes = [kernel.shape[1] for kernel in kernels[:-1]]
    inner = {"sizes": sizes} if sizes else {"depth": 0}
    arrays = {}
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        arrays[f"params/inner/Dense_{number}/kernel"] = kernel
        arrays[f"params/inner/Dense_{number}/bias"] = bias
    architecture = {"name": "quantile", "options": {"of": "mlp", "options": inner, "quantiles": quantiles}}
    observation = {"shape": [1, kernels[0].shape[0]], "dtype": "float32"}
    return Ours(architecture, actions, arrays, "values"), {"observation": observation}


def _network(nodes: dict[str, Operation]) -> tuple[list[np.ndarray], list[np.ndarray], int, int]:
    """Trace the computation back from its output: kernels [in, out] and biases in order, actions, quantiles."""
    mean = _of(nodes, OUTPUT, "Mean", 2)
    if mean.flags.get("keep_dims") or _constant(nodes, mean.inputs[1], np.int32).tolist() not in (2, [2], -1, [-1]):
        raise ValueError("its values are not the mean of quantiles")
    shaped = _of(nodes, mean.inputs[0], "Reshape", 2)
    shape = _constant(nodes, shaped.inputs[1], np.int32).tolist()
    if not isinstance(shape, list) or len(shape) != 3 or shape[0] != -1:
        raise ValueError("its outputs are not [batch, actions, quantiles]")
    actions, quantiles = shape[1:]
    if not 1 <= actions <= ACTIONS or not 1 <= quantiles <= PARTS:
        raise ValueError(f"it does not have 1 to {ACTIONS} actions with 1 to {PARTS} quantiles each")
    name, wanted = shaped.inputs[0], actions * quantiles
    kernels: list[np.ndarray] = []
    biases: list[np.ndarray] = []
    while _found(nodes, name).op != "Placeholder":
        if kernels:
            name = _of(nodes, name, "Relu", 1).inputs[0]
        shifted = _of(nodes, name, "BiasAdd", 2)
        product = _of(nodes, shifted.inputs[0], "MatMul", 2)
        kernel, bias = (_constant(nodes, one, np.float32) for one in (product.inputs[1], shifted.inputs[1]))
        if product.flags.get("transpose_a") or product.flags.get("transpose_b") or len(kernels) == LAYERS:
            raise ValueError(f"it has more than {LAYERS} layers, or transposed ones")
        if kernel.ndim != 2 or kernel.shape[1] != wanted or bias.shape != (wanted,) or not 1 <= len(kernel) <= UNITS:
            raise ValueError(
                f"a layer has weights {list(kernel.shape)} and biases {list(bias.shape)} for {wanted} units"
            )
        kernels, biases = [kernel, *kernels], [bias, *biases]
        name, wanted = product.inputs[0], len(kernel)
    if not kernels or not all(np.isfinite(array).all() for array in (*kernels, *biases)):
        raise ValueError("it has no layers, or values that are not numbers")
    return kernels, biases, actions, quantiles


def _found(nodes: dict[str, Operation], name: str) -> Operation:
    """Return the node of a name, following identities."""
    for _ in range(NODES):
        node = nodes.get(name.removesuffix(":0"))
        if node is None:
            raise ValueError(f"it has no node {name[:80]!r}")
        if node.op != "Identity" or not node.inputs:
            return node
        name = node.inputs[0]
    raise ValueError("its nodes form a cycle")


def _of(nodes: dict[str, Operation], name: str, op: str, inputs: int) -> Operation:
    node = _found(nodes, name)
    if node.op != op or len(node.inputs) != inputs:
        raise ValueError(
            f"the node {name[:80]!r} is a {node.op[:40]!r} of {len(node.inputs)} inputs, not a {op} of {inputs}"
        )
    return node


def _constant(nodes: dict[str, Operation], name: str, dtype: Any) -> np.ndarray:
    value = _of(nodes, name, "Const", 0).value
    if value is None or value.dtype != dtype:
        raise ValueError(f"the constant {name[:80]!r} is not an array of {np.dtype(dtype)}")
    return value


def _nodes(data: memoryview) -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for number, content in _fields(data):
        if number != 1:  # versions and a library of functions: no node asks for them
            continue
        name, node = _node(_message(content))
        if name in found or len(found) == NODES:
            raise ValueError(f"it has two nodes of one name, or more than {NODES} nodes")
        found[name] = node
    return found


def _node(data: memoryview) -> tuple[str, Operation]:
    name, op, inputs, flags, value, attributes = "", "", [], {}, None, 0
    for number, content in _fields(data):
        if number == 1:
            name = _text(content)
        elif number == 2:
            op = _text(content)
        elif number == 3 and len(inputs) < INPUTS:
            inputs.append(_text(content))
        elif number == 5 and attributes < ATTRIBUTES:
            attributes += 1
            key, entry = _attribute(_message(content))
            for kind, inner in entry:
                if kind == 5 and isinstance(inner, int):
                    flags[key] = bool(inner)
                elif kind == 8 and key == "value":
                    value = _tensor(_message(inner))
        elif number in (3, 5):
            raise ValueError(f"a node has more than {INPUTS} inputs or {ATTRIBUTES} attributes")
    return name, Operation(op, tuple(inputs), flags, value)


def _attribute(data: memoryview) -> tuple[str, list[Field]]:
    """Return an entry of a node's attribute map: its key, and the fields of its value."""
    key, value = "", memoryview(b"")
    for number, content in _fields(data):
        if number == 1:
            key = _text(content)
        elif number == 2:
            value = _message(content)
    entry = []
    for field in _fields(value):
        entry.append(field)
        if len(entry) > ATTRIBUTES:
            raise ValueError(f"an attribute has more than {ATTRIBUTES} parts")
    return key, entry


def _tensor(data: memoryview) -> np.ndarray | None:
    """Return a constant's array of float32 or int32, read-only; None for one of another type."""
    kind, shape, raw, few = 0, (), memoryview(b""), []
    for number, content in _fields(data):
        if number == 1:
            kind = content
        elif number == 2:
            shape = _shape(_message(content))
        elif number == 4:
            raw = _message(content)
        elif number == 7:  # one number, or several without tags between
            few = [content] if isinstance(content, int) else list(_varints(content))
        if len(few) > 8:
            raise ValueError("a constant has numbers where an array is expected")
    if kind not in (FLOAT, INT):
        return None
    dtype = np.dtype("<f4" if kind == FLOAT else "<i4")
    if few and kind == INT and not raw:
        raw = memoryview(np.array([one & 0xFFFFFFFF for one in few], "<u4").tobytes())
    if len(raw) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise DamagedFile("a constant's size does not match its shape")
    return np.frombuffer(raw, dtype).reshape(shape)


def _shape(data: memoryview) -> tuple[int, ...]:
    sizes: list[int] = []
    for number, content in _fields(data):
        if number != 2 or len(sizes) == 4:
            raise ValueError("a constant has no known shape, or more than 4 dimensions")
        size = [one for kind, one in _fields(_message(content)) if kind == 1][-1:] or [0]
        if not isinstance(size[0], int) or size[0] >= 2**31:
            raise ValueError("a constant has an impossible shape")
        sizes.append(size[0])
    return tuple(sizes)


def _fields(data: memoryview) -> Iterator[Field]:
    """Yield the fields of a message: numbers, and views of its bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            content, at = _varint(data, at)
        else:
            if kind == 2:
                size, at = _varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise DamagedFile(CUT)
            if size > len(data) - at:
                raise DamagedFile(CUT)
            content, at = data[at : at + size], at + size
        yield tag >> 3, content


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Decode a varint; return it and its end."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise DamagedFile(CUT)


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _message(content: int | memoryview) -> memoryview:
    if isinstance(content, int):
        raise DamagedFile(CUT)
    return content


def _text(content: int | memoryview) -> str:
    data = _message(content)
    if len(data) > TEXT:
        raise ValueError(f"a name has more than {TEXT} bytes")
    try:
        return bytes(data).decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("a name has letters that TensorFlow does not allow") from None

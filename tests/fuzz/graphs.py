"""Frozen graphs of TensorFlow as bytes, written by hand: the least that its protobuf needs."""

import numpy as np


def number(value: int) -> bytes:
    made = b""
    value &= 2**64 - 1
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


def field(key: int, content: int | bytes | str) -> bytes:
    if isinstance(content, int):
        return number(key << 3) + number(content)
    data = content.encode() if isinstance(content, str) else content
    return number(key << 3 | 2) + number(len(data)) + data


def attribute(key: str, value: bytes) -> bytes:
    return field(5, field(1, key) + field(2, value))


def node(name: str, op: str, *inputs: str, **flags: bool) -> bytes:
    made = field(1, name) + field(2, op) + b"".join(field(3, one) for one in inputs)
    return field(1, made + b"".join(attribute(key, field(5, int(value))) for key, value in flags.items()))


def constant(name: str, array: np.ndarray | int, kind: int = 0) -> bytes:
    """Return an array by its bytes, or a number as TensorFlow writes it, without a shape."""
    if isinstance(array, int):
        tensor = field(1, 3) + field(2, b"") + field(7, number(array))
    else:
        shape = b"".join(field(2, field(1, size)) for size in array.shape)
        tensor = field(1, kind or (1 if array.dtype == np.float32 else 3)) + field(2, shape) + field(4, array.tobytes())
    return field(1, field(1, name) + field(2, "Const") + attribute("value", field(8, tensor)))


def dense(name: str, before: str, kernel: np.ndarray, bias: np.ndarray, **flags: bool) -> bytes:
    """Return a layer as Perciatelli44 has it: its arrays pass through Identity."""
    parts = [constant(f"{name}/w", kernel), node(f"{name}/w/read", "Identity", f"{name}/w")]
    parts += [constant(f"{name}/b", bias), node(f"{name}/b/read", "Identity", f"{name}/b")]
    parts += [node(f"{name}/MatMul", "MatMul", before, f"{name}/w/read", **flags)]
    return b"".join([*parts, node(f"{name}/out", "BiasAdd", f"{name}/MatMul", f"{name}/b/read")])


def graph(arrays: list[np.ndarray], actions: int = 2, quantiles: int = 3, axis: int = 2, **changed: bytes) -> bytes:
    """Return dense layers of alternating kernels and biases; `changed`: other bytes for `head`, `shape` or `mean`."""
    parts = {"head": node("observation", "Placeholder")}
    before = "observation"
    for at in range(0, len(arrays), 2):
        parts[f"layer{at}"] = dense(f"layer{at}", before, arrays[at], arrays[at + 1])
        before = f"layer{at}/out"
        if at + 2 < len(arrays):
            parts[f"relu{at}"] = node(f"layer{at}/Relu", "Relu", before)
            before = f"layer{at}/Relu"
    parts["shape"] = constant("shape", np.array([-1, actions, quantiles], np.int32))
    parts["axis"] = constant("axis", axis)
    parts["mean"] = node("Reshape", "Reshape", before, "shape") + node("Mean", "Mean", "Reshape", "axis")
    parts["end"] = node("q_values", "Identity", "Mean") + field(2, b"")
    return b"".join({**parts, **changed}.values())


def small() -> list[np.ndarray]:
    """Return a graph of 4 -> 3 -> 2 actions of 3 quantiles."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=size).astype(np.float32) for size in ((4, 3), 3, (3, 6), 6)]

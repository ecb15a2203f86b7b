"""Encode and decode TFDS's record of an episode, a `tf.train.Example`, with numpy alone.

An Example maps names to lists of bytes, floats or integers (tensorflow/core/example/*.proto). Frames of
equal length lie at a constant stride, so a whole episode of them is one array without copying.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

BYTES, FLOATS, INTS = 1, 2, 3  # field numbers of tf.train.Feature


class Field(NamedTuple):
    """One list inside an encoded Example, not parsed yet. `kind` is BYTES, FLOATS or INTS; 0 is an empty list."""

    kind: int
    data: memoryview


def encode(features: Mapping[str, np.ndarray | Sequence[bytes]]) -> bytes:
    """Return an Example. uint8 arrays [T, L] become T byte strings of length L;
    other arrays flat lists of their numbers."""
    entries = []
    for name, value in features.items():
        entries += _block([*_block([name.encode()]), *_block(_list(value), 2)])
    return b"".join(_block(entries))


Parts = list[bytes | memoryview]  # joined once at the end: frames are copied as seldom as can be


def _list(value: np.ndarray | Sequence[bytes]) -> Parts:
    if not isinstance(value, np.ndarray):
        return _block([part for item in value for part in _block([item])], BYTES)
    if value.dtype == np.uint8 and value.ndim == 2:
        head = np.frombuffer(b"\x0a" + _varint(value.shape[1]), np.uint8)
        rows = np.empty((len(value), len(head) + value.shape[1]), np.uint8)
        rows[:, : len(head)] = head
        rows[:, len(head) :] = value
        return _block([rows.data.cast("B") if rows.size else b""], BYTES)
    if value.dtype.kind == "f":
        return _block(_block([value.astype("<f4").tobytes()]), FLOATS)
    flat = value.astype(np.int64).ravel()
    small = flat.size == 0 or (flat.min() >= 0 and flat.max() < 128)
    packed = flat.astype(np.uint8).tobytes() if small else b"".join(_varint(number) for number in flat.tolist())
    return _block(_block([packed]), INTS)


def _block(parts: Parts, field: int = 1) -> Parts:
    """Return the parts as one length-delimited field."""
    return [bytes([field << 3 | 2]) + _varint(sum(len(part) for part in parts)), *parts]


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode(record: bytes | memoryview) -> dict[str, Field]:
    """Return the lists of an Example by name; ValueError if the bytes are not an Example."""
    fields: dict[str, Field] = {}
    for tag, features in _blocks(memoryview(record)):
        if tag != 1:
            continue
        for _, entry in _blocks(features):
            parts = dict(_blocks(entry))
            if 1 not in parts:
                raise ValueError("a feature has no name")
            name = bytes(parts[1]).decode("utf-8", "replace")
            lists = list(_blocks(parts.get(2, memoryview(b""))))
            fields[name] = Field(*lists[-1]) if lists and len(lists[-1][1]) else Field(0, memoryview(b""))
    return fields


def _blocks(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (field number, content) of a message with length-delimited fields only."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        if tag & 7 != 2:
            raise ValueError("the record is not a tf.train.Example")
        length, at = _read_varint(data, at)
        if length > len(data) - at:
            raise ValueError("a length points beyond the end of the record")
        yield tag >> 3, data[at : at + length]
        at += length


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("the record ends inside a number")
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & ((1 << 64) - 1), at
    raise ValueError("a number is longer than 64 bits")


def byte_rows(field: Field) -> np.ndarray | list[memoryview]:
    """Return the byte strings of a list: a view [T, L] if all have the same length, else one memoryview each."""
    if field.kind != BYTES:
        return _wrong(field, "bytes")
    length, begin = _read_varint(field.data, 1)
    stride = begin + length
    if length and len(field.data) % stride == 0:
        rows = np.frombuffer(field.data, np.uint8).reshape(-1, stride)
        if field.data[0] == 10 and (rows[:, :begin] == rows[0, :begin]).all():
            return rows[:, begin:]
    return _rows(field.data)


def _rows(data: memoryview) -> list[memoryview]:
    """Return the same as `_blocks`, but faster for two-byte lengths, which most images have."""
    rows, at, size = [], 0, len(data)
    while at < size:
        if at + 3 <= size and data[at] == 10 and data[at + 1] >= 128 > data[at + 2]:
            length, at = data[at + 1] & 127 | data[at + 2] << 7, at + 3
        else:
            tag, at = _read_varint(data, at)
            length, at = _read_varint(data, at)
            if tag & 7 != 2:
                raise ValueError("the record is not a tf.train.Example")
        if length > size - at:
            raise ValueError("a length points beyond the end of the record")
        rows.append(data[at : at + length])
        at += length
    return rows


def floats(field: Field) -> np.ndarray:
    """Return the numbers of a list of floats, float32."""
    if field.kind != FLOATS:
        return _wrong(field, "floats")
    if field.data[0] == 13:  # one tag before every number: the unpacked form
        if len(field.data) % 5:
            raise ValueError("a list of floats is cut short")
        return np.frombuffer(field.data, np.uint8).reshape(-1, 5)[:, 1:].copy().view("<f4").ravel()
    parts = [part for _, part in _blocks(field.data)]
    if any(len(part) % 4 for part in parts):
        raise ValueError("a list of floats is cut short")
    return np.concatenate([np.frombuffer(part, "<f4") for part in parts]).astype(np.float32, copy=False)


def ints(field: Field) -> np.ndarray:
    """Return the numbers of a list of integers, int64."""
    if field.kind != INTS:
        return _wrong(field, "integers")
    if field.data[0] == 8:
        return _varints(np.frombuffer(field.data, np.uint8))[1::2]
    return np.concatenate([_varints(np.frombuffer(part, np.uint8)) for _, part in _blocks(field.data)])


def _varints(raw: np.ndarray) -> np.ndarray:
    if (raw < 128).all():
        return raw.astype(np.int64)
    ends = np.flatnonzero(raw < 128)
    begins = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    if len(ends) == 0 or ends[-1] != len(raw) - 1 or (ends - begins).max() > 9:
        raise ValueError("a list of integers is cut short")
    numbers = np.zeros(len(ends), np.uint64)
    for k in range(int((ends - begins).max()) + 1):
        has = begins + k <= ends
        numbers[has] |= (raw[begins[has] + k].astype(np.uint64) & np.uint64(127)) << np.uint64(7 * k)
    return numbers.view(np.int64)


def _wrong(field: Field, wanted: str):
    if field.kind == 0:  # an empty list does not say what it holds
        return (
            np.empty((0, 0), np.uint8) if wanted == "bytes" else np.empty(0, np.float32 if wanted == "floats" else int)
        )
    raise ValueError(f"a list of {wanted} holds something else")

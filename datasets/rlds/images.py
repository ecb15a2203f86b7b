"""Encode and decode frames as PNG and JPEG: whole episodes at once, lossless, within the announced size.

Source: PNG specification, third edition (W3C, 2025), sections 9 and 11. Pillow reads the rare cases: palettes, fewer
than 8 bits, interlacing, and JPEG.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

try:  # three times as fast as Python's zlib, with the same interface
    from zlib_ng import zlib_ng as inflater
except ImportError:
    inflater = zlib
ERRORS: Any = (zlib.error, inflater.error)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST = 1 << 31  # bytes of the frames of one episode
BLOCK = 64  # images decoded together
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # of PNG's colour types without a palette


def encode_png(frames: np.ndarray) -> list[bytes]:
    """Encode bytes [T, H, W] or [T, H, W, 1 or 3] as T PNGs, with filter 0 on every row.

    For Atari frames this is a fifth smaller than the filters that other encoders choose, and faster to decode.
    """
    count, height, width = frames.shape[:3]
    channels = frames.shape[3] if frames.ndim == 4 else 1
    colour = {1: 0, 3: 2}[channels]
    header = SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    rows = np.zeros((count, height, 1 + width * channels), np.uint8)
    rows[:, :, 1:] = frames.reshape(count, height, -1)
    end = _chunk(b"IEND", b"")
    return [header + _chunk(b"IDAT", zlib.compress(row.tobytes(), 6)) + end for row in rows]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def decode(images: Sequence[memoryview], shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Decode an episode's images to [T, H, W, C]; `shape` may hold -1 for an unknown size.

    ValueError names the first step whose image is broken or of another size.
    """
    if not images:
        return np.empty((0, *(max(size, 1) for size in shape)), dtype)
    head = bytes(images[0][:33])
    if int(np.prod(np.abs(shape))) * len(images) > LARGEST:
        raise ValueError(f"{len(images)} images of {'x'.join(map(str, shape))} are more than an episode may hold")
    form = _png_form(head)
    if form is None:
        return _each(images, shape, dtype)
    height, width, channels, depth = form
    _fits((height, width, channels), shape, 0)
    if np.dtype(dtype).itemsize * 8 != depth:
        raise ValueError(f"step 0: its image has {depth} bits a channel, not those of {dtype}")
    bpp = channels * depth // 8
    size = height * (1 + width * bpp)
    if size * len(images) > LARGEST:
        raise ValueError(f"{len(images)} images of {height}x{width} are more than an episode may hold")
    out = np.empty((len(images), height, width * bpp), np.uint8)
    for begin in range(0, len(images), BLOCK):  # unfilter while the data is in the processor's cache
        parts = []
        for step, image in enumerate(images[begin : begin + BLOCK], begin):
            if image[:33] != head:
                return _each(images, shape, dtype)  # images differ in kind or size: decode one by one
            parts.append(inflate(_idat(image, step), size, step))
        raw = np.frombuffer(b"".join(parts), np.uint8).reshape(len(parts), height, 1 + width * bpp)
        kinds, rows = raw[:, :, 0], out[begin : begin + BLOCK]
        if not kinds.any():
            rows[:] = raw[:, :, 1:]
        elif kinds.max() > 4:
            raise ValueError(f"step {begin + int(np.argmax((kinds > 4).any(axis=1)))}: its image has an unknown filter")
        elif (unfilter := _unfilter()) is None:
            return _each(images, shape, dtype)
        else:
            unfilter(raw, rows, bpp)
    return (out if depth == 8 else out.view(">u2").astype(np.uint16)).reshape(len(images), height, width, channels)


def _png_form(head: bytes) -> tuple[int, int, int, int] | None:
    """Return (height, width, channels, bits) of a PNG that this module decodes, None for others."""
    if len(head) < 33 or head[:8] != SIGNATURE or head[12:16] != b"IHDR":
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head[16:29])
    if interlaced or depth not in (8, 16) or colour not in CHANNELS or not 0 < width * height <= 1 << 26:
        return None
    return height, width, CHANNELS[colour], depth


def _idat(image: memoryview, step: int) -> bytes | memoryview:
    """Return the compressed pixels: the single IDAT chunk after the header, or all of them joined."""
    length = int.from_bytes(image[33:37], "big")
    if image[37:41] == b"IDAT" and len(image) == 57 + length:  # a single chunk, followed by the end
        return image[41 : 41 + length]
    at, parts = 33, []
    while at + 12 <= len(image):
        length = int.from_bytes(image[at : at + 4], "big")
        kind = image[at + 4 : at + 8]
        if length > len(image) - at - 12 or kind == b"IEND":
            break
        if kind == b"IDAT":
            parts.append(image[at + 8 : at + 8 + length])
        elif parts:
            break
        at += 12 + length
    if not parts:
        raise ValueError(f"step {step}: its image has no pixels")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def inflate(data: bytes | memoryview, size: int, step: int) -> bytes:
    """Decompress exactly `size` bytes; ValueError for more, fewer, or damaged ones."""
    stream = inflater.decompressobj()
    try:
        out = stream.decompress(data, size)
        if len(out) == size and not stream.eof:
            stream.decompress(stream.unconsumed_tail, 1)  # reads the checksum; more pixels would appear here
    except ERRORS as error:
        raise ValueError(f"step {step}: its compressed data is damaged ({error})") from None
    if len(out) != size or not stream.eof:
        raise ValueError(f"step {step}: its compressed data does not hold {size} bytes")
    return out


def _each(images: Sequence[memoryview], shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Decode images one by one with Pillow."""
    from PIL import Image, UnidentifiedImageError

    frames = []
    for step, image in enumerate(images):
        try:
            with Image.open(io.BytesIO(image), formats=("PNG", "JPEG")) as picture:
                wanted = tuple(shape) if not frames else frames[0].shape
                if picture.height * picture.width * len(images) > LARGEST:
                    raise ValueError(f"step {step}: its image is larger than {len(images)} of an episode may be")
                _fits((picture.height, picture.width, -1), wanted, step)
                mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(wanted[-1])
                _keeps(picture, wanted[-1], step)
                frame = np.asarray(picture if dtype == np.uint16 or mode is None else picture.convert(mode))
        except UnidentifiedImageError:
            raise ValueError(f"step {step}: its image is neither PNG nor JPEG, or damaged") from None
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"step {step}: its image is damaged ({error})") from None
        frame = frame[..., None] if frame.ndim == 2 else frame
        _fits(frame.shape, wanted, step)
        frames.append(frame.astype(dtype))
    return np.stack(frames)


def _keeps(picture: Any, channels: int, step: int) -> None:
    """Raise ValueError for colours or transparency that the channels cannot hold."""
    has = len(picture.getbands())
    if picture.mode == "P":  # a palette, perhaps of greys
        colours = np.asarray(picture.convert("RGB"))
        has = 1 if (colours == colours[..., :1]).all() else 3
    if 0 < channels < has:
        raise ValueError(f"step {step}: its image has {has} channels where {channels} are expected")


def _fits(there: Sequence[int], wanted: Sequence[int], step: int) -> None:
    if any(a != b and a >= 0 and b >= 0 for a, b in zip(there, wanted, strict=True)):
        size = "x".join(str(n) for n in there if n >= 0)
        raise ValueError(f"step {step}: its image is {size} where {'x'.join(map(str, wanted))} is expected")


def _undo_filters(raw, out, bpp):
    """Undo PNG's five filters: raw [T, H, 1 + W] with the filter in front of each row -> out [T, H, W].

    Each byte is stored minus a prediction from its left (a), upper (b) and upper left (c) neighbours, which are `bpp`
    bytes apart, and 0 outside the image.
    """
    # Index every element: a view of a row would cost more than the row itself.
    count, height, width = out.shape
    for t in range(count):
        for y in range(height):
            kind = raw[t, y, 0]
            if kind == 0 or (kind == 2 and y == 0):
                for x in range(width):
                    out[t, y, x] = raw[t, y, x + 1]
            elif kind == 2:
                for x in range(width):
                    out[t, y, x] = raw[t, y, x + 1] + out[t, y - 1, x]
            elif kind == 1 or (kind == 4 and y == 0):
                for channel in range(bpp):
                    a = np.uint8(0)
                    for x in range(channel, width, bpp):
                        a = np.uint8(a + raw[t, y, x + 1])
                        out[t, y, x] = a
            elif kind == 3:
                for channel in range(bpp):
                    a = np.int32(0)
                    for x in range(channel, width, bpp):
                        b = np.int32(out[t, y - 1, x]) if y else np.int32(0)
                        a = (np.int32(raw[t, y, x + 1]) + ((a + b) >> 1)) & np.int32(255)
                        out[t, y, x] = np.uint8(a)
            else:
                for channel in range(bpp):
                    a, c = np.int32(0), np.int32(0)
                    for x in range(channel, width, bpp):
                        b = np.int32(out[t, y - 1, x])
                        to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - c - c)
                        guess = a
                        if to_b < to_a:
                            to_a, guess = to_b, b
                        if to_c < to_a:
                            guess = c
                        a = (np.int32(raw[t, y, x + 1]) + guess) & np.int32(255)
                        out[t, y, x] = np.uint8(a)
                        c = b


@cache
def _unfilter() -> Callable[..., None] | None:
    """Compile `_undo_filters` if numba is installed, on first use because numba loads slowly."""
    try:
        from numba import njit
    except ImportError:
        return None
    return njit(nogil=True, cache=True)(_undo_filters)

"""Convert colour frames to the agents' grey 84 x 84, bit for bit as ALE does: its grey, and its resize by area.

Sources: ale/common/ColourPalette.cpp (grey); the resize is OpenCV's INTER_AREA on float32, row by row.
"""

import math

import numpy as np


def grey(frames: np.ndarray) -> np.ndarray:
    """Turn [T, H, W, 3] uint8 into grey [T, H, W] uint8, by the weights of ALE's palettes."""
    red, green, blue = (frames[..., channel].astype(np.float64) for channel in range(3))
    return np.floor(red * 0.2989 + green * 0.5870 + blue * 0.1140 + 0.5).astype(np.uint8)


def resize(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize [T, H, W] uint8 to [T, height, width] uint8, each pixel the mean over the area it covers."""
    if frames.shape[1] < height or frames.shape[2] < width:
        raise ValueError(f"frames of {frames.shape[1]}x{frames.shape[2]} cannot be enlarged to {height}x{width}")
    rows = np.zeros((*frames.shape[:2], width), np.float32)
    for target, source, weight in _weights(frames.shape[2], width):
        rows[:, :, target] += frames[:, :, source].astype(np.float32) * weight
    out = np.zeros((len(frames), height, width), np.float32)
    for target, source, weight in _weights(frames.shape[1], height):
        out[:, target] += rows[:, source] * weight
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def _weights(source: int, target: int) -> list[tuple[int, int, np.float32]]:
    """Return (target pixel, source pixel, weight) along one axis, in the order of summation."""
    scale, found = source / target, []
    for pixel in range(target):
        begin = pixel * scale
        end = begin + scale
        cell = min(scale, source - begin)
        first, last = math.ceil(begin), min(math.floor(end), source - 1)
        first = min(first, last)
        if first - begin > 1e-3:
            found.append((pixel, first - 1, np.float32((first - begin) / cell)))
        found += [(pixel, one, np.float32(1 / cell)) for one in range(first, last)]
        if end - last > 1e-3:
            found.append((pixel, last, np.float32(min(min(end - last, 1.0), cell) / cell)))
    return found

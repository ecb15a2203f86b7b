"""Parse untrusted JSON with limits on its depth and number of parts; the reader limits its size."""

import json
import re
from typing import Any

DEPTH = 64  # brackets within each other
PARTS = 200_000  # values and brackets: what a body of 16 MiB may make in memory is bounded by them
# A string, or the rest of the text where one does not end: whatever the text, no character is looked at twice.
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def read(data: bytes, parts: int = PARTS) -> Any:
    """Parse JSON in UTF-8; ValueError if it is invalid, too deep, or has too many parts."""
    text = data.decode()
    bare = STRING.sub("", text)
    if sum(map(bare.count, "[{,:")) > parts:
        raise ValueError(f"more than {parts} values")
    depth = 0
    for bracket in re.findall(r"[\[{\]}]", bare):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH:
            raise ValueError(f"more than {DEPTH} levels")
    return json.loads(text)

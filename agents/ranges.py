"""Ranges of a method's keywords, as annotations: `deadline: Share = 0.6`, or `Annotated[float, Range(1, 5)]`.

Values out of range are refused before the factory is called.
"""

import math
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints


class Range(NamedTuple):
    """The allowed values of a number, both ends included."""

    least: float
    most: float = math.inf
    endless: bool = False  # whether infinity is allowed

    def __str__(self) -> str:
        return f"from {self.least:g} to {self.most:g}"


Share = Annotated[float, Range(0, 1)]
NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(1e-6)]
Endless = Annotated[float, Range(0, endless=True)]
Count = Annotated[int, Range(1)]
Whole = Annotated[int, Range(0)]


def ranges(of: Any) -> dict[str, Range]:
    """Return the ranges annotated on the parameters of a factory or the fields of a class."""
    try:
        hints = get_type_hints(of, include_extras=True)
    except (NameError, TypeError, AttributeError):  # annotations that only a type checker understands
        return {}
    found = {name: _range(hint) for name, hint in hints.items()}
    return {name: one for name, one in found.items() if one is not None}


def _range(hint: Any) -> Range | None:
    """Find the range in an annotation, also inside a union such as `Share | None`."""
    if isinstance(hint, Range):
        return hint
    return next((one for part in get_args(hint) if (one := _range(part)) is not None), None)

"""Read a pickle without running it: return plain values, and record calls instead of making them.

A pickle is a program for a small stack machine, two of whose operations call any function that the file names. Here
they record the name and the arguments instead, and only names from a given list are accepted. So a file cannot run
code.
"""

import io
import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"}
TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"}
CONTENTS = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
PLAIN = NUMBERS | TEXTS | CONTENTS  # operations whose argument is the value
OPERATIONS = 300_000  # a network's checkpoint has a few thousand
BYTES = b"B\x8eC\x96"  # the operations BINBYTES, BINBYTES8, SHORT_BINBYTES, BYTEARRAY8
LARGEST_KEY = 2**20  # of a number used as a key
LONGEST_TEXT = 2**16  # bytes, also of a number; only arrays' contents are longer


class DamagedFile(ValueError):
    """A file is truncated, of another format than its name says, or inconsistent: another download may help."""


@dataclass(slots=True, eq=False, repr=False)
class PickledCall:
    """A recorded call: of `name` with the arguments `given`, followed by setting `state`."""

    name: str
    given: Any = None  # None: named, not called
    state: Any = None
    items: dict[Any, Any] | None = None  # entries of a mapping other than dict


def read(data: bytes, known: Callable[[str], bool]) -> Any:
    """Return the value of a pickle: None, numbers, text, bytes, lists, tuples, dicts, sets, or a PickledCall.

    `known`: the names (`module.function`) that may occur. An OrderedDict is read as a dict, a persistent id as
    PickledCall("persistent", id). ValueError for any other name or operation, and for a damaged file.
    """
    return read_next(data, known)[0]


def read_next(data: bytes, known: Callable[[str], bool]) -> tuple[Any, int]:
    """Return the value of the pickle at the start of some bytes, as `read` does, and its end."""
    try:
        return _run(data, known)
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError, UnicodeError) as error:
        raise DamagedFile("it is cut short or not a pickle of plain values") from error


def _run(data: bytes, known: Callable[[str], bool]) -> tuple[Any, int]:
    stack: list[Any] = []
    marks: list[list[Any]] = []
    memo: dict[int, Any] = {}
    for count, (operation, value, place) in enumerate(_operations(data)):
        if count > OPERATIONS:
            raise ValueError("it has more operations than any network needs")
        match operation:
            case "PROTO" | "FRAME":
                pass
            case _ if operation in CONSTANTS:
                stack.append(CONSTANTS[operation])
            case _ if operation in PLAIN:
                stack.append(value)
            case _ if operation in EMPTY:
                stack.append(EMPTY[operation]())
            case "MARK":
                marks.append(stack)
                stack = []
            case "TUPLE" | "ADDITEMS" | "APPENDS" | "SETITEMS":
                items, stack = stack, marks.pop()
                _gather(operation, stack, items)
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                size = int(operation[-1])
                _least(stack, size)
                stack[-size:] = [tuple(stack[-size:])]
            case "APPEND":
                item = stack.pop()
                _of(stack[-1], list).append(item)
            case "SETITEM":
                item, key = stack.pop(), stack.pop()
                _set(_map(stack[-1]), [key, item])
            case "BINPUT" | "LONG_BINPUT":
                memo[value] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[value])
            case "GLOBAL":
                stack.append(_named(value.replace(" ", ".", 1), known))
            case "STACK_GLOBAL":
                name, module = _of(stack.pop(), str), _of(stack.pop(), str)
                stack.append(_named(f"{module}.{name}", known))
            case "REDUCE" | "NEWOBJ":
                given, what = _of(stack.pop(), tuple), _of(stack.pop(), PickledCall)
                stack.append(_call(what, given))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], PickledCall):
                    stack[-1].state = state
                else:
                    _of(stack[-1], dict)  # an OrderedDict's attributes hold no weights
            case "BINPERSID":
                stack.append(PickledCall("persistent", stack.pop()))
            case "STOP":
                return stack.pop(), place + 1
            case _:
                raise ValueError(f"it has the pickle operation {operation}, which no file of weights needs")
    raise DamagedFile("it is cut short")


def _gather(operation: str, stack: list[Any], items: list[Any]) -> None:
    """Apply an operation to the values since the last mark."""
    match operation:
        case "TUPLE":
            stack.append(tuple(items))
        case "ADDITEMS":
            _of(stack[-1], set).update(items)
        case "APPENDS":
            _of(stack[-1], list).extend(items)
        case "SETITEMS":
            _set(_map(stack[-1]), items)


class _Careful(io.BytesIO):
    """A file that allows large reads for bytes only, since text may take four times the memory."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self._data, self._start = data, 0

    def tell(self) -> int:
        """Return the position; called before every operation."""
        self._start = super().tell()
        return self._start

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LONGEST_TEXT and self._data[self._start] not in BYTES:
            raise ValueError("a text is too long")
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(LONGEST_TEXT)
        if len(line) == LONGEST_TEXT:
            raise ValueError("a text is too long")
        return line


def _operations(data: bytes) -> Iterator[tuple[str, Any, Any]]:
    try:
        for operation, value, place in pickletools.genops(_Careful(data)):
            yield operation.name, value, place
    except ValueError as error:  # its message may quote the file
        raise DamagedFile("it is cut short or not a pickle") from error


def _named(name: str, known: Callable[[str], bool]) -> PickledCall:
    if not known(name):
        raise ValueError(f"it names {name[:80]!r}, which stored weights do not need, so the file is not used")
    return PickledCall(name)


def _call(what: PickledCall, given: tuple) -> Any:
    if what.given is not None:
        raise ValueError("it calls something that is not a name")
    if what.name != "collections.OrderedDict":
        return PickledCall(what.name, given)
    made: dict[Any, Any] = {}
    for pair in _of(given[0], list) if given else []:
        _set(made, list(pair))
    return made


def _map(value: Any) -> dict[Any, Any]:
    """Return the mapping itself, or the entries of a PickledCall in its place."""
    if isinstance(value, PickledCall):
        value.items = {} if value.items is None else value.items
        return value.items
    return _of(value, dict)


def _set(target: dict, items: list[Any]) -> None:
    if len(items) % 2:
        raise ValueError("it has a key without a value")
    for key, item in zip(items[::2], items[1::2], strict=True):
        if not (isinstance(key, str) or (type(key) is int and abs(key) <= LARGEST_KEY)):
            raise ValueError("it has keys that are neither text nor small numbers")
        target[key] = item


def _of(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise DamagedFile("it is not a pickle of plain values")
    return value


def _least(stack: list[Any], size: int) -> None:
    if len(stack) < size:
        raise DamagedFile("it is cut short")

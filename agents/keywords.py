"""Methods by name, and the keywords that each one takes: the only place that turns text into a method.

JAX is imported only when a method is made, so that listing methods is quick.
"""

import ast
import difflib
import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from .meanings import meanings
from .ranges import Range, ranges
from .working_folder import importable

if TYPE_CHECKING:
    from .method import Method

METHODS = f"{__package__}.methods"
EMPTY = inspect.Parameter.empty
RENAMED = {"pbt": "pbt_small"}  # method names in old records -> today's
RENAMED_KEYWORDS = {"offline": "offline_share"}  # the same for keywords


@cache
def _sources() -> dict[str, Any]:
    """Return the source files of the bundled methods, by name."""
    found = sorted((entry.name, entry) for entry in files(METHODS).iterdir())
    return {name[:-3]: entry for name, entry in found if name.endswith(".py")}


def shipped() -> tuple[str, ...]:
    """Return the names of the bundled methods without opening their files."""
    return tuple(_sources())


def names() -> dict[str, str]:
    """Return the bundled methods: name -> first line of the module's docstring."""
    read = {name: ast.get_docstring(ast.parse(entry.read_text("utf-8"))) for name, entry in _sources().items()}
    return {name: (text or "").partition("\n")[0] for name, text in read.items()}


def known(factory: Callable[..., Any], base: Callable[..., Any] | None = None) -> dict[str, Any]:
    """Return the keywords of a factory and their defaults, `base` left out.

    These are its own parameters and, if it takes `**numbers`, those of its base (the given one, else its default) and
    the numeric fields of Method.
    """
    parameters = inspect.signature(factory).parameters.values()
    own = {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    base = base or own.get("base")
    own.pop("base", None)
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return own
    return {**_numbers(), **(known(base) if callable(base) else {}), **own}


class Keyword(NamedTuple):
    """A keyword of a factory, for the help."""

    name: str
    default: Any  # EMPTY if it must be given
    range: Range | None  # of a number
    meaning: str  # empty if undocumented


def explained(factory: Callable[..., Any], base: Callable[..., Any] | None = None) -> list[Keyword]:
    """Return all keywords of a factory, documented by its own source and that of its base."""
    layers = _layers(factory, base)
    bounds = {name: one for layer in layers for name, one in ranges(layer).items()}
    words = {name: text for layer in layers for name, text in meanings(layer).items()}
    return [
        Keyword(name, default, bounds.get(name), words.get(name, "")) for name, default in known(factory, base).items()
    ]


def takes_base(factory: Callable[..., Any]) -> bool:
    """Return whether a method builds on a base, another method that learns."""
    return "base" in inspect.signature(factory).parameters


def about(factory: Callable[..., Any]) -> str:
    """Return a method's documentation: the docstring of its module, else of its factory."""
    module = inspect.getmodule(factory)
    return inspect.getdoc(module) or inspect.getdoc(factory) or "Its author has not described it."


def _layers(factory: Callable[..., Any], base: Callable[..., Any] | None) -> list[Any]:
    """List the sources of a factory's keywords: Method, then its base and the base's base, and last the factory."""
    parameters = inspect.signature(factory).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return [factory]
    from .method import Method  # here, because it imports JAX

    base = base or (parameters["base"].default if "base" in parameters else None)
    return [*(_layers(base, None) if callable(base) and base is not EMPTY else [Method]), factory]


def find(name: str) -> Callable[..., Any]:
    """Return the factory called `name`, today or in old records, or `package.module:factory`; ValueError if unknown."""
    module, _, attribute = name.partition(":")
    if not attribute:
        name = RENAMED.get(name, name)
        if name not in shipped():
            every = f"take one of {', '.join(shipped())}, or package.module:factory"
            raise ValueError(f"there is no method {name!r}: {meant(name, shipped()) or every}")
        module, attribute = f"{METHODS}.{name}", name
    try:
        if module.startswith("."):
            raise ImportError("its name starts with a dot")
        with importable() if ":" in name else nullcontext():
            factory = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        where = "; it is looked for in this folder and on PYTHONPATH" if module.partition(".")[0] == error.name else ""
        raise ValueError(f"the method {name!r} cannot be imported: {error}{where}") from None
    except (ImportError, ValueError) as error:
        raise ValueError(f"the method {name!r} cannot be imported: {error}") from None
    if not callable(factory):
        raise ValueError(f"the module {module!r} has no factory {attribute!r}: write package.module:factory")
    return factory


def meant(word: str, known: Iterable[str]) -> str:
    """Return "did you mean X?" for the closest known words; empty if none is close."""
    alike = {one.lower(): one for one in known}
    found = [alike[one] for one in difflib.get_close_matches(word.lower(), alike, 2, 0.7)]
    return f"did you mean {' or '.join(found)}?" if found else ""


def make(name: str, settings: Mapping[str, Any]) -> "Method":
    """Make the Method called `name` with these keywords; text is read as the type of the default.

    ValueError for an unknown method or keyword, or an invalid value.
    """
    factory, given = find(name), dict(settings)
    base = given.pop("base", None)
    if base is not None and not takes_base(factory):
        raise ValueError(f"{name} has no base: leave it out")
    base = find(base) if isinstance(base, str) else base
    defaults = known(factory, base)
    given = _renamed(given, defaults)
    if odd := sorted(set(given) - set(defaults)):
        every = f"it takes {', '.join(sorted(defaults))}"
        raise ValueError(f"{name} has no keyword {', '.join(odd)}: {meant(odd[0], defaults) or every}")
    if missing := sorted(key for key, default in defaults.items() if default is EMPTY and key not in given):
        raise ValueError(f"{name} needs a value for {', '.join(missing)}: give it")
    bounds = {key: one for layer in _layers(factory, base) for key, one in ranges(layer).items()}
    read = {key: _read(key, value, defaults[key], bounds.get(key)) for key, value in given.items()}
    try:
        method = factory(**read) if base is None else factory(base=base, **read)
    except ValueError as error:  # a NamedTuple's own message does not name the method
        from .method import Method

        _, unknown, names = str(error).partition("unexpected field names: ")
        if not unknown:
            raise
        raise ValueError(f"{name} sets {names}, which a Method does not have: {', '.join(Method._fields)}") from None
    if not hasattr(method, "weaned"):
        raise ValueError(f"{name} returned {type(method).__name__}: a factory must return a Method")
    return method


def _renamed(given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings under today's names; ValueError if one is given under both of its names."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        now = RENAMED_KEYWORDS.get(key, key)
        name = now if key not in known and now in known else key
        if name in found:
            raise ValueError(f"{key} is the former name of {now}: give only {now}")
        found[name] = value
    return found


def _numbers() -> dict[str, Any]:
    from .method import Method  # here, because it imports JAX

    return {key: value for key, value in Method._field_defaults.items() if type(value) in (int, float)}


def _read(key: str, value: Any, default: Any, bounds: Range | None) -> Any:
    """Return the value in the type of the default; a default of None is a number computed elsewhere."""
    want, text = float if default is None else type(default), str(value).strip()
    if default is None and text in ("", "None"):
        return None
    if want is bool and text.lower() in ("true", "false", "1", "0"):
        return text.lower() in ("true", "1")
    if want in (int, float) and not isinstance(value, bool):
        try:
            number = float(text.replace("_", ""))
        except ValueError:
            number = math.nan
        if number == math.inf and bounds and bounds.endless:
            return number
        if math.isfinite(number) and (want is float or number.is_integer()):
            if bounds and not bounds.least <= number <= bounds.most:
                raise ValueError(f"{key}={value} is out of range: give a value {bounds}")
            return want(number)
    if want not in (bool, int, float):
        return value
    kind = {bool: "true or false", int: "a whole number", float: "a number"}[want]
    raise ValueError(f"{key}={value} cannot be read: give {kind}, such as the default {default}")

"""Methods by name, and the keywords that each one takes: the only place where text becomes a method.

Nothing here imports JAX until a method is made, so that listing them is quick.
"""

import ast
import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .method import Method

METHODS = f"{__package__}.methods"
EMPTY = inspect.Parameter.empty
SHARES = ("discount", "first_discount", "offline", "epsilon", "share", "quantile", "deadline", "hold", "decay", "fade")
SHARES += ("trace", "slow", "shrink", "target_rate", "last_share", "steady", "catch_up", "expectile")
LEAST = {  # the smallest value that makes sense
    **dict.fromkeys(SHARES, 0),
    **dict.fromkeys(("n_step", "batch_size", "replay_capacity", "population", "members", "subset"), 1),
    **dict.fromkeys(("weight", "value_weight", "size", "explore", "settle", "warmup", "horizon", "roll_in"), 0),
    **dict.fromkeys(("shift", "intensity", "speed", "deeper", "weight_decay", "reset_period", "first_n_step"), 0),
    **dict.fromkeys(("keep", "sharpness", "rollout"), 0),
    **dict.fromkeys(("anneal", "epochs"), 1),
    **dict.fromkeys(("learning_rate", "adam_epsilon", "updates_per_step"), 0),
    **dict.fromkeys(("temperature", "v_max", "target_period", "clip"), 1e-6),
    "atoms": 2,
    **dict.fromkeys(("quantiles", "goals", "asked"), 1),
}
RENAMED = {"pbt": "pbt_small"}  # what records of old runs call a method, and its name now
ENDLESS = ("updates_per_step",)  # inf: as many as the budget's FLOPs pay for


def names() -> dict[str, str]:
    """Every method that comes with the package, and the first line of what it says of itself."""
    sources = sorted((entry.name, entry) for entry in files(METHODS).iterdir() if entry.name.endswith(".py"))
    read = {name[:-3]: ast.get_docstring(ast.parse(entry.read_text("utf-8"))) for name, entry in sources}
    return {name: (text or "").partition("\n")[0] for name, text in read.items()}


def known(factory: Callable[..., Any], base: Callable[..., Any] | None = None) -> dict[str, Any]:
    """The keywords of a factory and their defaults, `base` left out.

    They are its own parameters and, if it forwards the rest, those of its base (the given one, else its
    default) and the numbers of every Method.
    """
    parameters = inspect.signature(factory).parameters.values()
    own = {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    base = base or own.get("base")
    own.pop("base", None)
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return own
    return {**_numbers(), **(known(base) if callable(base) else {}), **own}


def find(name: str) -> Callable[..., Any]:
    """The factory called `name` now or in old records, or `package.module:factory`; ValueError if there is none."""
    module, _, attribute = name.partition(":")
    if not attribute:
        name = RENAMED.get(name, name)
        if name not in names():
            raise ValueError(
                f"there is no method {name!r}: take one of {', '.join(names())}, or package.module:factory"
            )
        module, attribute = f"{METHODS}.{name}", name
    try:
        if module.startswith("."):
            raise ImportError("its name starts with a dot")
        factory = getattr(importlib.import_module(module), attribute, None)
    except (ImportError, ValueError) as error:
        raise ValueError(f"the method {name!r} cannot be imported: {error}") from None
    if not callable(factory):
        raise ValueError(f"the module {module!r} has no factory {attribute!r}: write package.module:factory")
    return factory


def make(name: str, settings: Mapping[str, Any]) -> "Method":
    """The Method called `name` with these keywords; text is read as the type of the default.

    ValueError if there is no such method or keyword, or a value makes no sense.
    """
    factory, given = find(name), dict(settings)
    base = given.pop("base", None)
    if base is not None and "base" not in inspect.signature(factory).parameters:
        raise ValueError(f"{name} has no base: leave it out")
    base = find(base) if isinstance(base, str) else base
    defaults = known(factory, base)
    if odd := sorted(set(given) - set(defaults)):
        raise ValueError(f"{name} has no keyword {', '.join(odd)}: it takes {', '.join(sorted(defaults))}")
    if missing := sorted(key for key, default in defaults.items() if default is EMPTY and key not in given):
        raise ValueError(f"{name} needs a value for {', '.join(missing)}: give it")
    read = {key: _read(key, value, defaults[key]) for key, value in given.items()}
    method = factory(**read) if base is None else factory(base=base, **read)
    if not hasattr(method, "weaned"):
        raise ValueError(f"{name} made {type(method).__name__}: a factory returns a Method")
    return method


def _numbers() -> dict[str, Any]:
    from .method import Method  # here, because it imports JAX

    return {key: value for key, value in Method._field_defaults.items() if type(value) in (int, float)}


def _read(key: str, value: Any, default: Any) -> Any:
    """The value in the type of the default; a default of None stands for a number that is found elsewhere."""
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
        if number == math.inf and key in ENDLESS:
            return number
        if math.isfinite(number) and (want is float or number.is_integer()):
            least, most = LEAST.get(key, -math.inf), 1 if key in SHARES else math.inf
            if not least <= number <= most:
                raise ValueError(f"{key}={value} is out of range: give a value from {least} to {most}")
            return want(number)
    if want not in (bool, int, float):
        return value
    kind = {bool: "true or false", int: "a whole number", float: "a number"}[want]
    raise ValueError(f"{key}={value} cannot be read: give {kind}, such as the default {default}")

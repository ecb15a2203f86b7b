"""The Balloon Learning Environment's own simulator, run from its wheel on newer libraries than it supports.

Its last release imports Gym, TensorFlow and gin, and calls functions that JAX, scipy and scikit-learn have since
removed. This module runs its files in a private namespace whose `import` substitutes those few names. Nothing is added
to `sys.modules` and no library is changed, so other code that imports these libraries is not affected.
"""

import builtins
import dataclasses
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

PACKAGE = "balloon_learning_environment"
WHEEL = "balloon-learning-environment"
INSTALL = 'pip install "reincarnate[balloon]" && pip install --no-deps balloon-learning-environment==1.0.1'
NEEDED = ("opensimplex", "s2sphere", "sklearn", "transitions")  # in addition to the wheel
UNITS = ("Distance", "Velocity", "Energy", "Power")  # compared by value, hence refused as dataclass defaults


def folder() -> Path:
    """Return the folder of the installed wheel. ValueError if the wheel or a dependency is missing, saying what to
    install."""
    found = importlib.util.find_spec(PACKAGE)  # finds the package without importing it
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if found is None or not found.submodule_search_locations:
        missing.append(WHEEL)
    if missing:
        raise ValueError(f"the balloon needs {', '.join(missing)}, not installed here: {INSTALL}")
    return Path(found.submodule_search_locations[0])  # pyright: ignore[reportOptionalMemberAccess, reportOptionalSubscript]


def installed() -> bool:
    """Return whether the simulator can be run here."""
    try:
        return folder().is_dir()
    except ValueError:
        return False


@contextmanager
def draws() -> Iterator[None]:
    """Make JAX draw an episode's random numbers on the CPU with today's default generator, whatever the user's
    settings."""
    import jax

    with jax.default_device(jax.local_devices(backend="cpu")[0]), jax.threefry_partitionable(True):
        yield


_once = threading.Lock()


def simulator() -> Any:
    """Return the wheel's module `env.balloon_env`, which has `BalloonEnv`; every call returns the same module."""
    with _once:
        return _simulator()


@cache
def _simulator() -> Any:
    return _Namespace(folder()).module(f"{PACKAGE}.env.balloon_env")


class _Namespace:
    """Modules of the package in a folder, each run once and visible only to one another."""

    def __init__(self, place: Path):
        self._place = place
        self._instead = _stand_ins(place)
        self._modules: dict[str, Any] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def module(self, name: str) -> Any:
        """Return a module or package by its full name; None if there is none."""
        if name in self._instead:
            return self._instead[name]
        path = self._place.joinpath(*name.split(".")[1:])
        if name not in self._modules and (path.is_dir() or path.with_suffix(".py").is_file()):
            module = self._modules[name] = ModuleType(name)
            if not path.is_dir():  # a package's __init__.py would import modules that no longer exist
                self._run(module, path.with_suffix(".py"))
        return self._modules.get(name)

    def _run(self, module: ModuleType, path: Path) -> None:
        vars(module).update(__builtins__=self._builtins, __file__=str(path))
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
        for unit in UNITS if path.stem == "units" else ():
            getattr(module, unit).__hash__ = object.__hash__

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        """Resolve an `import` inside these modules, which import each other only as `from PACKAGE.a import b`."""
        if name.partition(".")[0] == PACKAGE:
            module = self.module(name)
            for part in fromlist:
                if not hasattr(module, part):
                    setattr(module, part, self.module(f"{name}.{part}"))
            return module
        return self._instead.get(name) or builtins.__import__(name, globals, locals, fromlist, level)


def _stand_ins(place: Path) -> dict[str, Any]:
    """Return substitutes for the names that were removed or that the simulator does not need."""
    import gymnasium
    from flax import linen, serialization
    from scipy import interpolate

    opensimplex = importlib.import_module("opensimplex")  # from the extra
    restore = cache(serialization.msgpack_restore)  # 26 MB, shared by all balloons
    of_tables = {"interp1d": interpolate.interp1d, "interp2d": _bilinear}
    logit_normal = SimpleNamespace(distributions=SimpleNamespace(LogitNormal=_LogitNormal))
    return {
        f"{PACKAGE}.models.models": SimpleNamespace(
            load_offlineskies22=cache((place / "models" / "offlineskies22_decoder.msgpack").read_bytes)
        ),
        "absl": SimpleNamespace(logging=SimpleNamespace(info=_nothing, warning=_nothing)),
        "copyreg": SimpleNamespace(pickle=_nothing),
        "dataclasses": SimpleNamespace(**{**vars(dataclasses), "dataclass": _dataclass}),
        "flax": SimpleNamespace(linen=linen, serialization=SimpleNamespace(msgpack_restore=restore)),
        "flax.metrics": SimpleNamespace(tensorboard=SimpleNamespace(SummaryWriter=object)),
        "gin": SimpleNamespace(configurable=_configurable),
        "gym": SimpleNamespace(Env=object, Space=gymnasium.Space, spaces=gymnasium.spaces),
        "opensimplex": SimpleNamespace(
            OpenSimplex=type(
                "OpenSimplex",
                (opensimplex.OpenSimplex,),
                {
                    "noise4d": opensimplex.OpenSimplex.noise4,
                },
            )
        ),
        "scipy": SimpleNamespace(interpolate=SimpleNamespace(**of_tables, interpolate=SimpleNamespace(**of_tables))),
        "sklearn": SimpleNamespace(gaussian_process=_gaussian_process()),
        "tensorflow_probability.substrates": SimpleNamespace(jax=logit_normal),
    }


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _configurable(*given: Any, **_: Any) -> Any:
    """Return the decorated object unchanged; works with and without arguments."""
    return given[0] if given and callable(given[0]) else lambda target: target


def _dataclass(of: Any = None, **options: Any) -> Any:
    """Make a dataclass that can be another one's default, as all could before Python 3.11."""
    made = dataclasses.dataclass(unsafe_hash=True, **options)
    return made(of) if of else made


def _bilinear(x: np.ndarray, y: np.ndarray, z: np.ndarray, fill_value: None) -> Any:
    """Interpolate a table bilinearly, constant outside of it: a replacement for scipy's `interp2d`."""
    from scipy.interpolate import RectBivariateSpline

    spline = RectBivariateSpline(x, y, z.reshape(len(y), len(x)).T, kx=1, ky=1, s=0)
    return lambda at_x, at_y: spline(at_x, at_y)[0, 0]


class _LogitNormal(NamedTuple):
    """The distribution of a normal variable's sigmoid."""

    loc: float
    scale: float

    def sample(self, seed: Any) -> Any:
        import jax

        return jax.nn.sigmoid(self.loc + self.scale * jax.random.normal(seed))


def _gaussian_process() -> Any:
    """Return scikit-learn's Gaussian process with its former output: one standard deviation per point for all
    outputs."""
    gaussian_process = importlib.import_module("sklearn.gaussian_process")  # from the extra

    class OneDeviation(gaussian_process.GaussianProcessRegressor):
        def predict(self, X, return_std=False, return_cov=False):
            mean, deviation = super().predict(X, return_std=True)
            return mean, np.asarray(deviation)[:, 0]

    return SimpleNamespace(kernels=gaussian_process.kernels, GaussianProcessRegressor=OneDeviation)

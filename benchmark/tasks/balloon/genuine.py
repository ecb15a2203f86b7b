"""The Balloon Learning Environment's own simulator, from its wheel, on libraries that it does not know.

Its last release imports Gym, TensorFlow and gin, and calls what JAX, scipy and scikit-learn have since removed. Its
files are run here in a namespace of their own, whose `import` answers with stand-ins for these few names: nothing is
entered in `sys.modules`, no library is changed, and whoever imports them elsewhere sees none of this.
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
NEEDED = ("opensimplex", "s2sphere", "sklearn", "transitions")  # beside the wheel
UNITS = ("Distance", "Velocity", "Energy", "Power")  # compared by value, and so no dataclass takes them as defaults


def folder() -> Path:
    """Return where the wheel is installed; ValueError with what to do where it, or what it needs, is not."""
    found = importlib.util.find_spec(PACKAGE)  # looks for the package, and does not import it
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if found is None or not found.submodule_search_locations:
        missing.append(WHEEL)
    if missing:
        raise ValueError(f"the balloon needs {', '.join(missing)}, not installed here: {INSTALL}")
    return Path(found.submodule_search_locations[0])  # pyright: ignore[reportOptionalMemberAccess, reportOptionalSubscript]


def installed() -> bool:
    """Whether the simulator can be played here."""
    try:
        return folder().is_dir()
    except ValueError:
        return False


@contextmanager
def draws() -> Iterator[None]:
    """Make JAX draw an episode's numbers, on the CPU, as its present default does, whatever is set elsewhere."""
    import jax

    with jax.default_device(jax.local_devices(backend="cpu")[0]), jax.threefry_partitionable(True):
        yield


_once = threading.Lock()


def simulator() -> Any:
    """Return the module `env.balloon_env` of the wheel, with `BalloonEnv` in it; the same one at every call."""
    with _once:
        return _simulator()


@cache
def _simulator() -> Any:
    return _Namespace(folder()).module(f"{PACKAGE}.env.balloon_env")


class _Namespace:
    """Modules of the package at a place, run once each, seen by one another and by nobody else."""

    def __init__(self, place: Path):
        self._place = place
        self._instead = _stand_ins(place)
        self._modules: dict[str, Any] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def module(self, name: str) -> Any:
        """Return a module or a package by its full name; None if there is none."""
        if name in self._instead:
            return self._instead[name]
        path = self._place.joinpath(*name.split(".")[1:])
        if name not in self._modules and (path.is_dir() or path.with_suffix(".py").is_file()):
            module = self._modules[name] = ModuleType(name)
            if not path.is_dir():  # a package's __init__.py would import what is gone
                self._run(module, path.with_suffix(".py"))
        return self._modules.get(name)

    def _run(self, module: ModuleType, path: Path) -> None:
        vars(module).update(__builtins__=self._builtins, __file__=str(path))
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
        for unit in UNITS if path.stem == "units" else ():
            getattr(module, unit).__hash__ = object.__hash__

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        """Answer an `import` in one of the modules; they name their own only as `from PACKAGE.a import b`."""
        if name.partition(".")[0] == PACKAGE:
            module = self.module(name)
            for part in fromlist:
                if not hasattr(module, part):
                    setattr(module, part, self.module(f"{name}.{part}"))
            return module
        return self._instead.get(name) or builtins.__import__(name, globals, locals, fromlist, level)


def _stand_ins(place: Path) -> dict[str, Any]:
    """Return what the simulator's files get for names that are gone, or that they need for nothing."""
    import gymnasium
    from flax import linen, serialization
    from scipy import interpolate

    opensimplex = importlib.import_module("opensimplex")  # of the extra
    restore = cache(serialization.msgpack_restore)  # 26 MB that all balloons share
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
    """Leave what is decorated as it is, with and without arguments."""
    return given[0] if given and callable(given[0]) else lambda target: target


def _dataclass(of: Any = None, **options: Any) -> Any:
    """Make a dataclass that may be the default of another one, as all could before Python 3.11."""
    made = dataclasses.dataclass(unsafe_hash=True, **options)
    return made(of) if of else made


def _bilinear(x: np.ndarray, y: np.ndarray, z: np.ndarray, fill_value: None) -> Any:
    """Return the function of two numbers between the points of a table, constant outside: what `interp2d` was."""
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
    """Return scikit-learn's, with one deviation for all outputs at a point, as it was."""
    gaussian_process = importlib.import_module("sklearn.gaussian_process")  # of the extra

    class OneDeviation(gaussian_process.GaussianProcessRegressor):
        def predict(self, X, return_std=False, return_cov=False):
            mean, deviation = super().predict(X, return_std=True)
            return mean, np.asarray(deviation)[:, 0]

    return SimpleNamespace(kernels=gaussian_process.kernels, GaussianProcessRegressor=OneDeviation)

"""The hardware and software of a run, for ledgers and records."""

import hashlib
import importlib.util
import os
import platform
import time
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "ale-py", "gymnasium", "huggingface-hub")

ARITHMETIC = tuple(  # JAX settings that affect the last bits of results or the FLOPs of a program
    f"jax_{name}"
    for name in (
        *("default_matmul_precision", "default_prng_impl", "threefry_partitionable", "threefry_gpu_kernel_lowering"),
        *("random_seed_offset", "allow_f16_reductions", "numpy_dtype_promotion", "optimization_level"),
        *("disable_most_optimizations", "exec_time_optimization_effort", "memory_fitting_effort"),
        *("memory_fitting_level", "compiler_enable_remat_pass", "high_dynamic_range_gumbel", "enable_pgle"),
        *("softmax_custom_jvp", "use_direct_linearize", "debug_nans", "debug_infs"),
    )
)
ENVIRONMENT = ("NVIDIA_TF32_OVERRIDE", "TF_XLA_FLAGS", "LIBTPU_INIT_ARGS")  # the same, as environment variables
REFUSED = {
    "jax_enable_x64": "learning and its FLOPs are counted in 32 bits",
    "jax_disable_jit": "FLOPs are those of compiled programs",
}


def check_arithmetic() -> None:
    """Raise ValueError if JAX is set to compute in a way that makes runs incomparable."""
    import jax

    for name, reason in REFUSED.items():
        if getattr(jax.config, name, False):
            raise ValueError(f"{name.upper()} is set, but {reason}: unset it and start again")
    try:
        jax.devices()
    except Exception as error:  # whatever the platform's library raises, possibly with no message
        asked = os.environ.get("JAX_PLATFORMS") or getattr(jax.config, "jax_platforms", None) or "a device"
        said = f" ({' '.join(str(error).split())[:200]})" if str(error).strip() else ""
        raise ValueError(
            f"JAX_PLATFORMS asks for {asked}, which JAX cannot start here{said}: unset it, set it to cpu, or "
            "install JAX for that device"
        ) from None


def arithmetic() -> dict[str, Any]:
    """Return the settings that decide how JAX computes: {name: string, number, bool or None}."""
    import jax

    found = {name: getattr(jax.config, name) for name in ARITHMETIC if hasattr(jax.config, name)}
    plain = {name: value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
             for name, value in found.items()}  # fmt: skip
    return plain | {name: os.environ[name] for name in ENVIRONMENT if os.environ.get(name)}


def describe() -> dict[str, Any]:
    """Return the device, system and versions, and the digest of this package's code."""
    import jax

    device = jax.devices()[0]
    return {
        "device": f"{device.platform}: {device.device_kind}",
        "driver": " ".join(device.client.platform_version.split()),
        "devices": jax.device_count(),
        "processor": processor(),
        "cores": cores(),
        "threads": threads(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "arithmetic": arithmetic(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
        "reincarnate": versions(["reincarnate"]).get("reincarnate", "checkout"),
        "code": code_digest(),
        "commit": commit(),
    }


def processor() -> str:
    """Return the CPU model as its maker names it, since XLA may round differently on another model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def instruction_set() -> str:
    """Return a short name for the processor's instruction set."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    except OSError:
        kind = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {kind}".encode()).hexdigest()[:12]


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Return the number of threads that XLA uses on a CPU; another number changes the rounding of sums."""
    asked = os.environ.get("NPROC", "")
    return int(asked) if asked.isdecimal() and int(asked) else cores()


@cache
def peak_flops() -> float:
    """Return the peak FLOPs per second of one device: its fastest float32 product of several large matrices."""
    import jax

    size = 1024 if jax.default_backend() == "cpu" else 8192
    square, product = jax.numpy.ones((size, size)), jax.jit(jax.numpy.matmul)
    product(square, square).block_until_ready()
    took = []
    for _ in range(8):
        started = time.perf_counter()
        product(square, square).block_until_ready()
        took.append(time.perf_counter() - started)
    return 2.0 * size**3 / min(took)


def method_digest(method: str, settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the learning code: the room `agents`, and modules of the method from elsewhere."""
    seal = hashlib.sha256(code_digest(("agents",)).encode())
    for name in (method, str(settings.get("base", ""))):
        module = name.partition(":")[0] if ":" in name else ""
        spec = importlib.util.find_spec(module) if module else None
        if spec and spec.origin and Path(spec.origin).is_file():
            seal.update(Path(spec.origin).read_bytes())
    return seal.hexdigest()


@cache
def code_digest(rooms: tuple[str, ...] = ("agents", "benchmark", "datasets", "leaderboard")) -> str:
    """Return the SHA-256 over the names and texts of all modules of the rooms."""
    root, seal = Path(__file__).parents[1], hashlib.sha256()
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")):
            seal.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return seal.hexdigest()


@cache
def commit() -> str:
    """Return the commit of the running checkout, with a + if files differ from it; empty outside of a checkout."""
    from dulwich import porcelain
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        with Repo(str(Path(__file__).resolve().parents[1])) as repository:
            head = repository.head().decode()
            return head + ("+" if porcelain.status(repository, untracked_files="no").unstaged else "")
    except (NotGitRepository, KeyError, OSError, ValueError):
        return ""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return {name: version} of the installed packages among these."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

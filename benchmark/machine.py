"""What a run was made on, and with: for ledgers and records."""

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "ale-py", "gymnasium", "minatar", "huggingface-hub")


def describe() -> dict[str, Any]:
    """Device, system, versions, and the digest of this package's own code."""
    import jax

    device = jax.devices()[0]
    return {
        "device": f"{device.platform}: {device.device_kind}",
        "devices": jax.device_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
        "reincarnate": versions(["reincarnate"]).get("reincarnate", "checkout"),
        "code": code_digest(),
    }


def code_digest() -> str:
    """SHA-256 over the names and texts of all modules of the four rooms."""
    root, seal = Path(__file__).parents[1], hashlib.sha256()
    for room in ("agents", "benchmark", "datasets", "leaderboard"):
        for path in sorted((root / room).rglob("*.py")):
            seal.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return seal.hexdigest()


def versions(names: Iterable[str]) -> dict[str, str]:
    """Name -> version, of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

"""What holds for every test and for the processes that tests start.

The Hub's own client asks the servers of the tests without Xet, as the README tells its users. What JAX compiles is kept
for the other worker and for later processes, in a folder of the session or in that of JAX_COMPILATION_CACHE_DIR.
"""

import atexit
import os
import shutil
import tempfile
from importlib.metadata import version

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read when huggingface_hub is imported

KEEP = "JAX_COMPILATION_CACHE_DIR"  # this and the two below are read when jax is imported
if KEEP not in os.environ:  # in a worker it is there: the process that started it has chosen the folder
    os.environ[KEEP] = tempfile.mkdtemp(prefix="programs-")
    atexit.register(shutil.rmtree, os.environ[KEEP], ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

HASTE = "--xla_cpu_use_fusion_emitters=false"  # compiles in half the time; read before the first program is compiled


LONGEST = ("test_readme.py", "test_docs.py", "test_survive.py", "test_kill.py")  # among the slow tests


def pytest_collection_modifyitems(items):
    """Begin with the longest files, so that no worker is left alone with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_configure(config):
    """Compile small programs in haste. Slow tests compute with the programs that users have."""
    known = version("jaxlib").startswith("0.10.")  # XLA ends the process at a flag that it does not know
    if known and config.option.markexpr == "not slow" and HASTE not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {HASTE}".strip()

"""Feeds damaged files to every reader of teachers from elsewhere, guided by which lines they reach; prints a tally.

python tests/fuzz/readers.py [inputs for each reader, default 2000] [seed, default 0]

Every input must be read, or be refused by a ValueError of one printable sentence,
within 5 s of the processor and with no more memory than twice its size plus 200 MB above what the
process had; and nothing may be written, started, connected or unpickled on the way.
A reader that breaks this leaves its input in /tmp and the exit code is 1.
"""

import codecs
import json
import lzma
import multiprocessing
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.core
import flax.serialization
import graphs
import mutate
import numpy as np
import safetensors.numpy

from reincarnate.datasets.teachers import claim, dopamine, formats, frozen_graph, sb3, torch_with_config
from reincarnate.datasets.teachers import cleanrl as foreign_cleanrl

FIXTURES = Path(__file__).parents[1] / "fixtures" / "foreign"
SECONDS, MEMORY = 5, 200 * 2**20
FORBIDDEN = ("os.", "shutil.", "subprocess.", "socket.", "pickle.", "exec", "ctypes.", "marshal.", "compile")
CARD = b"""---
library_name: stable-baselines3
model-index:
- name: PPO
  results:
  - dataset: {name: CartPole-v1, type: CartPole-v1}
    metrics: [{type: mean_reward, value: 500.00 +/- 0.00}]
---
"""


def network() -> dict[str, np.ndarray]:
    """Return a small one of dense layers: 4 -> 3 -> 3 -> 2."""
    sizes, rng = (4, 3, 3, 2), np.random.default_rng(0)
    kernels = {f"Dense_{n}/kernel": rng.normal(size=sizes[n : n + 2]).astype(np.float32) for n in range(3)}
    return kernels | {f"Dense_{n}/bias": np.zeros(sizes[n + 1], np.float32) for n in range(3)}


def nested() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, array in network().items():
        layer, leaf = name.split("/")
        tree.setdefault(layer, {})[leaf] = array
    return {"params": tree}


def fixture(name: str) -> bytes:
    return lzma.decompress(next((FIXTURES / name).glob("*.xz")).read_bytes())


def from_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """Return a reader of files as one of bytes; the file is written before the watch begins."""

    def reader(data: bytes) -> Callable[[], Any]:
        folder = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        return lambda: read(folder)

    return reader


def of_bytes(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    return lambda data: lambda: read(data)


def built(folder: Path) -> Any:
    """Return a config.json to its end: the network of it for CartPole, with arrays that may not fit."""
    from reincarnate.benchmark.prior.load import policy_of

    class Env:
        actions = 2

        def observe(self):
            return np.zeros((1, 1, 4), np.float32)

    env: Any = Env()
    return policy_of(formats.config_of(folder), env, {f"params/{k}": a for k, a in network().items()}, "x")


def readers() -> dict[str, tuple[list[bytes], Callable, Callable]]:
    """Return {name: (valid files, how they are damaged, the reader)}."""
    torch_config = {"architecture": {"name": "mlp"}, "actions": 2, "observation": {}}
    flat = {name.replace("/kernel", ".weight").replace("/bias", ".bias"): array.T for name, array in network().items()}
    settings = {"env_id": "CartPole-v1", "n_atoms": 1, "v_min": -1.0, "v_max": 1.0}
    flax_files = [nested(), {"model_weights": nested(), "args": settings}]
    bundle = {"state": np.zeros((1, 2), np.uint8), "training_steps": 7, "online_params": flax.core.freeze(nested())}
    configs: list[dict[str, Any]] = [
        {"architecture": {"name": "mlp", "options": {"size": 3, "depth": 2}}, "actions": 2}
    ]
    inner = {"of": "mlp", "options": {"sizes": [3, 3]}, "atoms": 5, "v_max": 1.0}
    configs += [{"architecture": {"name": name, "options": inner}} for name in ("categorical", "anchored", "ensemble")]
    configs += [{"architecture": {"name": "nature", "options": {"layers": [[1, 1, 1, "SAME"]]}}}]
    cleanrl = foreign_cleanrl.read
    return {
        "flax msgpack": (
            [flax.serialization.to_bytes(tree) for tree in flax_files],
            mutate.damaged,
            of_bytes(lambda data: cleanrl(Path("c51_jax.cleanrl_model" if b"args" in data else "dqn_jax"), data)),
        ),
        "torch state dict": (
            [fixture("cleanrl-dqn")],
            mutate.damaged_zip,
            of_bytes(lambda data: cleanrl(Path("dqn.cleanrl_model"), data)),
        ),
        "stable-baselines3 zip": (
            [fixture("sb3-ppo-relu"), fixture("sb3-dqn-mlp")],
            mutate.damaged_zip,
            of_bytes(lambda data: sb3.read(Path("x.zip"), data)),
        ),
        "dopamine pickle": (
            [pickle.dumps({**bundle, "optimizer_state": ()}, protocol) for protocol in (2, 4, 5)],
            mutate.damaged,
            of_bytes(lambda data: dopamine.read(Path("ckpt.1"), data)),
        ),
        "frozen graph": (
            [graphs.graph(graphs.small()), graphs.graph(graphs.small()[2:], 3, 2)],
            mutate.damaged,
            of_bytes(lambda data: frozen_graph.read(Path("x.pb"), data)),
        ),
        "safetensors": (
            [safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in flat.items()})],
            mutate.damaged_safetensors,
            of_bytes(lambda data: torch_with_config.read(Path("x.safetensors"), data, torch_config)),
        ),
        "config.json": (
            [json.dumps(c).encode() for c in configs],
            mutate.damaged_json,
            from_file("config.json", built),
        ),
        "card": ([CARD], mutate.damaged, from_file("README.md", claim.read)),
    }


class Watch:
    """Record what happens while a reader runs: newly reached lines, and forbidden actions."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, int]] = set()
        self.deeds: list[str] = []
        self.on = False
        for codec in ("cp437", "raw_unicode_escape", "unicode_escape"):  # zipfile and pickletools load them late
            codecs.lookup(codec)
        sys.addaudithook(self._audit)

    def _audit(self, event: str, given: tuple) -> None:
        if self.on and (event.startswith(FORBIDDEN) or (event == "open" and given[1] not in ("r", "rb", None))):
            if event not in ("os.listdir", "os.scandir"):
                self.deeds.append(f"{event} {given!r:.80}")

    def run(self, reader: Callable[[], Any]) -> bool:
        """Run a reader; whether it reached a new pair of lines."""
        new = False

        def local(frame, event, given):
            nonlocal new
            if event == "line":
                pair = (frame.f_code.co_filename, frame.f_lasti, frame.f_lineno)
                if pair not in self.seen:
                    self.seen.add(pair)
                    new = True
            return local

        def calls(frame, event, given):
            return local if "/datasets/" in frame.f_code.co_filename else None

        self.on = True
        sys.settrace(calls)
        try:
            reader()
        finally:
            sys.settrace(None)
            self.on = False
        return new


def late(number, frame):
    raise TimeoutError(f"more than {SECONDS} s")


def fuzz(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """Fuzz one reader: {tried, read, refused, kept: inputs that reached new lines, slowest, broken}."""
    seeds, damage, reader = readers()[name]
    warnings.simplefilter("ignore")  # zipfile's, of the doubled members that are made here
    chance, watch, corpus = random.Random(f"{name} {seed}"), Watch(), list(seeds)
    signal.signal(signal.SIGPROF, late)
    tally: dict[str, Any] = {"reader": name, "tried": 0, "read": 0, "refused": 0, "slowest_s": 0.0, "broken": []}
    for data in seeds:  # also loads what is loaded late, before memory and deeds are watched
        try:
            reader(data)()
        except ValueError:
            pass
    had = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for _ in range(inputs):
        data = damage(chance.choice(corpus), chance)
        ready, started, fault, new = reader(data), time.process_time(), "", False
        resource.setrlimit(resource.RLIMIT_AS, (had + 2 * len(data) + MEMORY, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            new = watch.run(ready)
            tally["read"] += 1
        except ValueError as error:
            tally["refused"] += 1
            fault = "" if 0 < len(str(error)) < 600 and str(error).isprintable() else f"says {error!r:.200}"
        except BaseException as error:  # noqa: BLE001
            fault = f"{type(error).__name__}: {error}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        tally["tried"] += 1
        tally["slowest_s"] = max(tally["slowest_s"], round(time.process_time() - started, 2))
        if fault or watch.deeds:
            path = Path(tempfile.gettempdir()) / f"broken-{name.replace(' ', '-')}-{tally['tried']}"
            path.write_bytes(data)
            tally["broken"].append(f"{path}: {fault or watch.deeds[0]}"[:300])
            watch.deeds.clear()
        elif new and len(corpus) < 500 and len(data) < 2**18:
            corpus.append(data)
    tally["lines"] = len({pair[::2] for pair in watch.seen})
    return tally


def main(inputs: int, seed: int) -> int:
    broken = 0
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # whose limits and alarms are not ours
        for name in readers():
            tally = pool.apply(fuzz, (name, inputs if name != "config.json" else inputs // 10, seed))
            print(json.dumps(tally), flush=True)
            broken += len(tally["broken"])
    return 1 if broken else 0


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(given[0] if given else 2000, given[1] if len(given) > 1 else 0))

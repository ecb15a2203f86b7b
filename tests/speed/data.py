"""Logs: writing, reading, caching, gathering, beside the standard pipelines, in turns in one process.

Plays Pong at random once, repeats those episodes to the asked length, and
prints one JSON line. Where TensorFlow is installed tf.data is measured too.
All rates are transitions a second on one core; the median and best of `--rounds`.

    taskset -c 1 python tests/speed/data.py [--transitions 100000] [--rounds 3]
"""

import argparse
import importlib.util
import json
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from reincarnate.benchmark.environments import make, seeds
from reincarnate.benchmark.task import find
from reincarnate.datasets.cache import cached
from reincarnate.datasets.episode import Episode
from reincarnate.datasets.replay import Replay
from reincarnate.datasets.rlds_copy import copy
from reincarnate.datasets.rlds_read import load
from reincarnate.datasets.rlds_write import LogWriter


def played(transitions: int) -> list[Episode]:
    """Random play of Pong, cut into episodes of a thousand transitions."""
    env = make(find("atari/Pong"), seeds("log", 0, 1))
    rng = np.random.default_rng(0)
    episodes, frames, actions, rewards = [], [env.observe()[0, -1].copy()], [], []
    for _ in range(transitions):
        action = rng.integers(env.actions, size=1)
        told = env.step(action)
        actions.append(action[0])
        rewards.append(told.reward[0])
        over = bool(told.terminated[0] or told.truncated[0])
        frames.append((told.final if over else env.observe()[:, -1])[0].copy())
        if over or len(actions) == 1000:
            ended = bool(told.terminated[0])
            episodes.append(Episode.of(np.stack(frames), np.array(actions), np.array(rewards), ended, len(episodes)))
            frames, actions, rewards = [env.observe()[0, -1].copy()], [], []
    return episodes


def write(folder: Path, episodes: list[Episode], transitions: int) -> tuple[int, int]:
    """(transitions, bytes) of a log that repeats the episodes."""
    with LogWriter(folder, "pong", episodes[0].steps.frame[0], 6) as writer:
        while writer.transitions < transitions:
            writer.add(episodes[writer.episodes % len(episodes)]._replace(episode_id=writer.episodes))
    return writer.transitions, writer.bytes


def rates(ways: dict[str, tuple[int, Callable[[], object]]], rounds: int) -> dict[str, dict[str, int]]:
    """Of each way (transitions it handles, what to do): done in turns, after one warm-up, by clock and CPU."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (_, do) in ways.items():
            clock, cpu = time.perf_counter(), time.process_time()
            do()
            if turn:
                seconds[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    return {
        name: {
            "median": round(count / statistics.median(one[0] for one in seconds[name])),
            "best": round(count / min(one[0] for one in seconds[name])),
            "best_by_cpu": round(count / min(one[1] for one in seconds[name])),
        }
        for name, (count, _) in ways.items()
    }


def data_source(folder: Path, most: int) -> None:
    """TFDS' own reader of ArrayRecord without TensorFlow, step by step."""
    import tensorflow_datasets as tfds

    count = 0
    builder: Any = tfds.builder_from_directory(folder)
    for episode in builder.as_data_source("checkpoint_00"):
        for _ in episode["steps"]:
            count += 1
            if count == most:
                return


def tf_data(folder: Path, most: int, batched: bool) -> None:
    """tf.data over the TFRecord folder: the nested loop of the RLDS tutorial, or batches of the flattened steps."""
    import tensorflow_datasets as tfds

    builder: Any = tfds.builder_from_directory(folder)
    dataset = builder.as_dataset(split="checkpoint_00")
    if batched:
        for _ in dataset.flat_map(lambda e: e["steps"]).batch(1000).take(most // 1000).as_numpy_iterator():
            pass
        return
    count = 0
    for episode in dataset:
        for _ in episode["steps"]:
            count += 1
            if count == most:
                return


def gather(replay: Replay, rounds: int) -> dict[str, float]:
    """Microseconds for a batch of 32 (stack 4, n-step 3) from new random places, beside a copy of its bytes."""
    rng = np.random.default_rng(0)
    flat = replay._frame.reshape(len(replay._frame), -1)
    seconds: dict[str, list[float]] = {"sample": [], "gather": [], "copy": []}
    for _ in range(400 * rounds):
        for name, times in seconds.items():
            places = replay.places(rng, 32, 3)
            assert places is not None
            rows = (places[1][:, None] + np.arange(-3, 4)).ravel() % len(flat)
            started = time.perf_counter()
            if name == "sample":
                replay.sample(rng, 32, 3, 0.99, True)
            elif name == "gather":
                replay.gather(*places, 3, 0.99, True)
            else:
                flat[rows]
            times.append(time.perf_counter() - started)
    return {name: round(statistics.median(times) * 1e6) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--transitions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp())
    try:
        episodes = played(min(20_000, asked.transitions))
        write(place / "warm", episodes, 1)
        clock, cpu = time.perf_counter(), time.process_time()
        size, stored = write(place / "log", episodes, asked.transitions)
        writing = time.perf_counter() - clock, time.process_time() - cpu
        small = min(10_000, size)
        few, _ = write(place / "few", episodes, small)
        copy(place / "few", place / "png", "tfrecord")
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "read array_record": (size, lambda: load(place / "log")),
            "read png tfrecord": (few, lambda: load(place / "png")),
            "tfds as_data_source": (2000, lambda: data_source(place / "few", 2000)),
        }
        if importlib.util.find_spec("tensorflow"):
            ways["tf.data nested"] = (2000, lambda: tf_data(place / "png", 2000, False))
            ways["tf.data batched"] = (small // 1000 * 1000, lambda: tf_data(place / "png", small, True))
        measured = rates(ways, asked.rounds)
        started = time.perf_counter()
        cached(place / "log", root=place / "cache")
        first = time.perf_counter()
        steps = cached(place / "log", root=place / "cache")
        second = time.perf_counter()
        replay = Replay.of(load(place / "log"), 4)
        held = sum(column.nbytes for column in vars(replay).values() if isinstance(column, np.ndarray))
        result = {
            "what": "logs of Pong, random play",
            "transitions": size,
            "bytes_a_transition": round(stored / size, 1),
            "written_a_second": {"clock": round(size / writing[0]), "by_cpu": round(size / writing[1])},
            "read_a_second": measured,
            "seconds_to_open": {"first": round(first - started, 3), "second": round(second - first, 3)},
            "microseconds_a_batch": gather(replay, asked.rounds),
            "microseconds_a_batch_mapped": gather(Replay.of(steps, 4), asked.rounds),
            "ram_bytes_a_transition": round(held / size),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(result))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()

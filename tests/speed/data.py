"""Logs: written, read, opened, gathered from and collected, beside the standard pipeline and the bare limits.

The frames are those of the Pong log that ships with the package: a trained teacher's play, repeated to the asked
length. Prints a JSON line for each thing measured. What is compared is done in turns in one process, after a warm-up;
rates are transitions a second, the median and the best of `--rounds`. Where TensorFlow is installed, tf.data is too.

    taskset -c 1 python tests/speed/data.py read write size
    python tests/speed/data.py open gather collect --transitions 1000000
"""

import argparse
import gc
import importlib.util
import io
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from reincarnate.datasets.hub import hub
from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.rlds import images, write
from reincarnate.datasets.rlds.cache import cached
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.folder import chosen_shards, open_log, records
from reincarnate.datasets.rlds.packed import packed
from reincarnate.datasets.rlds.read import by_shard, load, read
from reincarnate.datasets.rlds.write import Layout, LogWriter
from reincarnate.datasets.transition import outputs

LOG = "reincarnate/pong-rainbow-log"


def say(what: str, **numbers) -> None:
    print(json.dumps({"what": what, **numbers}), flush=True)


def timed(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def rates(ways: dict[str, tuple[int, Callable[[], object]]], rounds: int) -> None:
    """Measure how fast each way is (transitions it handles, what to do), in turns, after one warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (_, do) in ways.items():
            took = timed(do)
            if turn:
                seconds[name].append(took)
    for name, (count, _) in ways.items():
        median, best = statistics.median(seconds[name]), min(seconds[name])
        say(name, transitions=count, a_second=round(count / median), best=round(count / best))


def played() -> list[Episode]:
    episodes = read(hub.open_ref(LOG, "dataset")[0] / "array_record")
    return [one._replace(steps=one.steps._replace(frame=one.steps.frame.copy())) for one in episodes]


def log_of(folder: Path, episodes: list[Episode], transitions: int, format: str = "array_record") -> LogWriter:
    """Return a log that repeats the episodes until it has so many transitions."""
    layout = Layout(teacher_values=True, behavior_epsilon=True, format=format)
    with LogWriter(folder, "pong", episodes[0].steps.frame[0], 6, layout) as writer:
        while writer.transitions < transitions:
            writer.add(episodes[writer.episodes % len(episodes)]._replace(episode_id=writer.episodes))
    return writer


def adaptive_png(frames: np.ndarray) -> list[bytes]:
    """Encode with Pillow, which chooses a filter for each row, as most encoders do."""
    from PIL import Image

    out = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "PNG")
        out.append(file.getvalue())
    return out


def inflating(folder: Path) -> Callable[[], object]:
    """Decompress the frames of a PNG log in memory and nothing else: the bare limit."""
    log = open_log(folder)
    pixels = []
    for shard in log.shards:
        for record in records(log, shard):
            starts = [found.start() for found in re.finditer(rb"\x89PNG\r\n\x1a\n", record)]
            pixels += [bytes(images._idat(memoryview(record)[a:b], 0)) for a, b in zip(starts, [*starts[1:], None])]  # noqa: B905
    return lambda: [images.inflater.decompressobj().decompress(data, 84 * 85) for data in pixels]


def raw_records(folder: Path) -> None:
    """Decompress the records of a log without looking at them: the bare limit."""
    log = open_log(folder)
    for shard in log.shards:
        for _ in records(log, shard):
            pass


def tfds_steps(folder: Path, most: int, how: str) -> None:
    """Read with the standard readers: TFDS's data source, tf.data nested as in RLDS's tutorial, flattened batches."""
    import tensorflow_datasets as tfds

    builder: Any = tfds.builder_from_directory(folder)
    if how == "batched":
        dataset = builder.as_dataset(split="checkpoint_00").flat_map(lambda e: e["steps"])
        for _ in dataset.batch(1000).take(most // 1000).as_numpy_iterator():
            pass
        return
    count = 0
    nested = how == "nested"
    for episode in builder.as_dataset(split="checkpoint_00") if nested else builder.as_data_source("checkpoint_00"):
        for _ in episode["steps"]:
            count += 1
            if count == most:
                return


def reading(place: Path, episodes: list[Episode], rounds: int) -> None:
    size = 20_000
    log_of(place / "raw", episodes, size)
    size = log_of(place / "png", episodes, size, "tfrecord").transitions
    ours, write.encode_png = write.encode_png, adaptive_png
    log_of(place / "mixed", episodes, size, "tfrecord")
    write.encode_png = ours
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "read array_record": (size, lambda: load(place / "raw")),
        "limit: array_record's records": (size, lambda: raw_records(place / "raw")),
        "read png, filter 0 as we write them": (size, lambda: load(place / "png")),
        "limit: inflating those": (size, inflating(place / "png")),
        "read png, mixed filters as Pillow writes them": (size, lambda: load(place / "mixed")),
        "limit: inflating these": (size, inflating(place / "mixed")),
        "standard: tfds as_data_source": (2000, lambda: tfds_steps(place / "raw", 2000, "source")),
    }
    if importlib.util.find_spec("tensorflow"):
        ways["standard: tf.data nested"] = (2000, lambda: tfds_steps(place / "mixed", 2000, "nested"))
        ways["standard: tf.data batched"] = (size // 1000 * 1000, lambda: tfds_steps(place / "mixed", size, "batched"))
    rates(ways, rounds)


def writing(place: Path, episodes: list[Episode], rounds: int) -> None:
    turn = iter(range(100))
    size = sum(one.length for one in episodes)
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        f"write {format}": (size, lambda format=format: log_of(place / f"w{next(turn)}", episodes, size, format))
        for format in ("array_record", "tfrecord")
    }
    rates(ways, rounds)


def sizes(place: Path, episodes: list[Episode]) -> None:
    """Measure bytes a transition, with the teacher's values and all else; random play for games without a teacher."""
    from reincarnate.benchmark.tasks.environments import make, seeds
    from reincarnate.benchmark.tasks.task import find

    writer = log_of(place / "size", episodes, sum(one.length for one in episodes))
    say("size of Pong, trained teacher", bytes_a_transition=round(writer.bytes / writer.transitions, 1))
    for game in ("Breakout", "Pong"):
        env, rng, parts, others = make(find(f"atari/{game}"), seeds("log", 0, 1)), np.random.default_rng(0), [], []
        for _ in range(20_000):
            frame, action = env.observe()[0, -1].copy(), rng.integers(outputs(env.actions), size=1)
            told = env.step(action)
            parts.append((frame, action[0], told.reward[0]))
            if told.terminated[0] or told.truncated[0]:
                frames, actions, rewards = zip(*parts, strict=True)
                others.append(Episode.of([*frames, told.final[0]], actions, rewards, True, len(others)))
                parts = []
        with LogWriter(place / game, "random", others[0].steps.frame[0], env.actions) as writer:
            for one in others:
                writer.add(one)
        say(f"size of {game}, random play", bytes_a_transition=round(writer.bytes / writer.transitions, 1))


def own_memory() -> int:
    """Return the bytes of memory that are this process's alone, without what is only mapped from files."""
    words = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * sum(int(number) for number in re.findall(r"^(?:Anonymous|Shmem\w*):\s+(\d+)", words, re.M))


def opening(place: Path, transitions: int) -> None:
    steps = sum(sum(shard.steps or ()) for shard in chosen_shards(open_log(place / "big"), None))
    gc.collect()
    own_before = own_memory()
    first = timed(lambda: cached(place / "big", root=place / "cache"))
    second = timed(lambda: cached(place / "big", root=place / "cache"))
    say("open", transitions=transitions, first_seconds=round(first, 2), second_seconds=round(second, 4))
    bare = timed(lambda: by_shard(place / "big", None, _records_of))
    say("limit: array_record's records, all cores", seconds=round(bare, 2))
    frames = steps * 7056

    def fill() -> None:
        block = np.random.default_rng(0).integers(0, 256, 1 << 22, np.uint8).data
        with open(place / "fill", "wb") as file:
            for _ in range(frames >> 22):
                file.write(block)

    say("limit: as many bytes into a new file", seconds=round(timed(fill), 2))
    (place / "fill").unlink()
    replay = Replay.of(cached(place / "big", root=place / "cache"), 4)
    for _ in range(1000):
        replay.sample(np.random.default_rng(0), 32, 3, 0.99)
    gc.collect()
    grown = own_memory() - own_before
    say("memory, mapped", bytes_a_transition=round(grown / transitions, 1), of="the file's pages are not counted")


def _records_of(log, shards, _) -> None:
    for shard in shards:
        for _ in records(log, shard):
            pass


def gathering(name: str, steps, rounds: int) -> None:
    """Measure microseconds for a batch of 32 (stack 4, n-step 3) from new random places, beside a copy of its bytes."""
    replay, rng = Replay.of(steps, 4), np.random.default_rng(0)
    frames = replay._frame
    flat = frames.reshape(len(frames), -1) if isinstance(frames, np.ndarray) else None
    if flat is not None:
        flat.max()  # all of it in memory, once
    seconds: dict[str, list[float]] = {"gather": [], "places and gather": [], "limit: copy": []}
    for _ in range(400 * rounds if flat is not None else 50):
        for what, times in seconds.items():
            places = replay.places(rng, 32, 3)
            assert places is not None
            rows = (places[1][:, None] + np.arange(-3, 4)).ravel() % len(frames)
            ways: dict[str, Callable[[], object]] = {
                "gather": lambda places=places: replay.gather(*places, 3, 0.99, True),
                "places and gather": lambda: replay.sample(rng, 32, 3, 0.99, True),
                "limit: copy": lambda rows=rows: None if flat is None else flat[rows],
            }
            times.append(timed(ways[what]))
    medians = {what: statistics.median(times) * 1e6 for what, times in seconds.items()}
    ratio = {} if flat is None else {"ratio": round(medians["gather"] / medians["limit: copy"], 2)}
    say(f"gather, {name}", microseconds={what: round(one) for what, one in medians.items()}, **ratio)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="+", choices=["read", "write", "size", "open", "gather", "collect"])
    parser.add_argument("--transitions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="Where to write; a temporary one by default.")
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        episodes = played()
        if "read" in asked.parts:
            reading(place, episodes, asked.rounds)
        if "write" in asked.parts:
            writing(place, episodes, asked.rounds)
        if "size" in asked.parts:
            sizes(place, episodes)
        if {"open", "gather"} & set(asked.parts):
            transitions = log_of(place / "big", episodes, asked.transitions).transitions
            if "open" in asked.parts:
                opening(place, transitions)
        if "gather" in asked.parts:
            gathering("mapped", cached(place / "big", root=place / "cache"), asked.rounds)
            shutil.rmtree(place / "cache")
            log_of(place / "tenth", episodes, asked.transitions // 10)
            steps = load(place / "tenth")
            replay = Replay.of(steps, 4)
            held = sum(column.nbytes for column in (*vars(replay).values(),) if isinstance(column, np.ndarray))
            each = held / len(replay)
            say("memory, loaded", bytes_a_transition=round(each, 1), over_7056=round(each / 7056 - 1, 4))
            gathering("loaded", steps, asked.rounds)
            few = packed(place / "tenth")
            say("memory, packed", bytes_a_transition=round(few.frame.nbytes / len(replay), 1))
            gathering("packed", few, asked.rounds)
        if "collect" in asked.parts:
            from collecting import collecting

            for n in (8, 32):
                say(f"collect, {n} environments", **collecting(place, n))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()

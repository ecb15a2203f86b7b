"""Draws logs of every format that is imported, right ones and ones with a lie, and compares with a plain reference.

python tests/fuzz/logs.py [logs of each format, default 300] [seed, default 0]

The reference is the list of transitions that was drawn. What is imported must equal it to the last bit and pass our
own check, or be refused by a ValueError of one sentence with nothing left on the disk; a right log must be imported.
"""

import gzip
import io
import json
import pickle
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

from reincarnate.datasets.rlds import importing, tf_example
from reincarnate.datasets.rlds.check import check
from reincarnate.datasets.rlds.read import read
from reincarnate.datasets.rlds.tfrecord import TFRecordWriter

READ, REFUSED, EITHER = "read", "refused", "either"
SHAPES = {
    "float32": ((3,), (1,), (2, 2), ()),
    "float64": ((3,), ()),
    "float16": ((3,),),
    "uint8": ((5,), (32, 34), (6, 7), (32, 34, 3), (3, 32, 34), (7, 6, 4), (9, 9, 1)),
    "int64": ((), (2,)),
    "bool": ((4, 4, 2),),
}


class Play(NamedTuple):
    """One episode as it happened."""

    frames: np.ndarray  # [N + 1, *frame]
    actions: np.ndarray  # [N] from 0
    rewards: np.ndarray  # [N]
    terminal: bool


class Drawn(NamedTuple):
    """A log: what happened, how many actions there are, and the lie that it is told with."""

    plays: list[Play]
    actions: int
    lie: str


def draw(rng: np.random.Generator, lies: tuple[str, ...], dtypes: tuple[str, ...]) -> Drawn:
    """Return a log of 1 to 4 short episodes, half of them with a lie."""
    dtype = str(rng.choice(dtypes))
    shape, actions = SHAPES[dtype][rng.integers(len(SHAPES[dtype]))], int(rng.integers(2, 7))
    plays = []
    for _ in range(rng.integers(1, 5)):
        n = int(rng.integers(1, 8))
        frames = rng.normal(size=(n + 1, *shape)).astype(dtype) if dtype[0] == "f" else None
        high = {"uint8": 256, "bool": 2, "int64": 10_000}.get(dtype, 2)
        frames = rng.integers(0, high, (n + 1, *shape)).astype(dtype) if frames is None else frames
        rewards = rng.choice([0.0, 1.0, -2.5, 0.1, 1e6], n).astype(np.float32)
        plays.append(Play(frames, rng.integers(0, actions, n), rewards, bool(rng.integers(2))))
    return Drawn(plays, actions, str(rng.choice(lies)) if rng.random() < 0.5 else "")


# How a lie changes the columns of an episode: actions, rewards.
CHANGES: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "": lambda a, r: (a, r),
    "action of shape (1,)": lambda a, r: (a[:, None], r),
    "reward of shape (1,)": lambda a, r: (a, r[:, None]),
    "float actions": lambda a, r: (a + 0.25, r),
    "two actions": lambda a, r: (np.stack([a, a], 1), r),
    "one-hot actions": lambda a, r: (np.eye(7)[a], r),
    "negative action": lambda a, r: (np.append(a[:-1], -1), r),
    "huge reward": lambda a, r: (a, r.astype(np.float64) + 1e300),
    "infinite reward": lambda a, r: (a, np.append(r[:-1], np.float32(np.inf))),
    "two rewards": lambda a, r: (a, np.stack([r, r], 1)),
}
OUTCOME = {"": READ, "action of shape (1,)": READ, "reward of shape (1,)": READ}
LIES = tuple(CHANGES)[1:]
LOST = {**OUTCOME, "negative action": EITHER, "infinite reward": EITHER}  # of one row, which a ring may have lost


def npz(folder: Path, log: Drawn, rng: np.random.Generator) -> tuple[Path, dict, str]:
    """Return a ring of Stable-Baselines3, perhaps round already, perhaps without what was seen next."""
    rows = [
        (p.frames[t], p.frames[t + 1], a, r, t == len(p.actions) - 1, t == len(p.actions) - 1 and not p.terminal)
        for p in log.plays
        for t, (a, r) in enumerate(zip(*CHANGES[log.lie](p.actions, p.rewards), strict=True))
    ]
    size = max(2, len(rows) + int(rng.integers(-3, 4)))
    ring: list[Any] = [tuple(np.zeros_like(part) for part in rows[0])] * size
    for number, row in enumerate(rows):
        ring[number % size] = row
    names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
    arrays = {name: np.stack([row[n] for row in ring])[:, None] for n, name in enumerate(names)}
    if arrays["actions"].ndim == 2 and rng.random() < 0.5:
        arrays["actions"] = arrays["actions"][..., None]
    arrays |= {"pos": np.array(len(rows) % size), "full": np.array(len(rows) >= size)}
    if rng.random() < 0.2:  # as another machine wrote them
        arrays = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in arrays.items()}
    if rng.random() < 0.3:
        del arrays["next_observations"]
    elif rng.random() < 0.3:  # CleanRL's, which stores only whether an episode terminated
        arrays["dones"] = arrays["dones"] & ~arrays.pop("timeouts")
    np.savez(folder / "buffer.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return folder / "buffer.npz", {}, LOST.get(log.lie, REFUSED)


def dopamine(folder: Path, log: Drawn, rng: np.random.Generator) -> tuple[Path, dict, str]:
    """Return a ring of Dopamine's with its padding, and the list of the ends of episodes."""
    rows, ends = [], []
    for play in log.plays:
        blank = (np.zeros_like(play.frames[0]), play.actions[0] * 0, np.float32(0), 0)
        actions, rewards = CHANGES[log.lie](play.actions, play.rewards)
        rows += [tuple(np.zeros_like(part) for part in (blank[0], actions[0], rewards[0], 0))] * 3
        last = len(play.actions) - 1
        rows += [(play.frames[t], actions[t], rewards[t], int(play.terminal and t == last)) for t in range(last + 1)]
        ends.append(len(rows) - 1)
    size = max(5, len(rows) + int(rng.integers(-4, 5)))
    ring: list[Any] = [rows[0]] * size
    for number, row in enumerate(rows):
        ring[number % size] = row
    names = ("$store$_observation", "$store$_action", "$store$_reward", "$store$_terminal")
    arrays = {name: np.stack([np.asarray(row[n]) for row in ring]) for n, name in enumerate(names)}
    for name, array in {**arrays, "add_count": np.array(len(rows))}.items():
        with gzip.open(folder / f"{name}_ckpt.0.gz", "wb", 1) as file:
            np.save(file, array)  # pyright: ignore[reportArgumentType]
    places = {np.int64(end % size) for end in ends if end >= len(rows) - size}
    with gzip.open(folder / "episode_end_indices_ckpt.0.gz", "wb") as file:
        pickle.dump(places, file, protocol=int(rng.integers(3, 6)))  # pyright: ignore[reportArgumentType]
    return folder, {}, LOST.get(log.lie, REFUSED)


def minari(folder: Path, log: Drawn, rng: np.random.Generator) -> tuple[Path, dict, str]:
    """Write HDF5, Arrow or Parquet with its metadata, actions from a random start."""
    kind, start = str(rng.choice(["hdf5", "arrow", "parquet"])), int(rng.integers(-3, 12))
    frame, data = log.plays[0].frames[0], folder / "data"
    data.mkdir()
    space: dict[str, Any] = {"type": "Box", "dtype": frame.dtype.name, "shape": list(frame.shape), "low": 0, "high": 1}
    if frame.dtype == bool:
        space = {"type": "MultiBinary", "n": list(frame.shape)}
    about = {"total_episodes": len(log.plays), "data_format": kind, "observation_space": json.dumps(space)}
    action = {"type": "Discrete", "dtype": "int64", "start": start, "n": log.actions}
    (data / "metadata.json").write_text(json.dumps({**about, "action_space": json.dumps(action)}))
    for number, play in enumerate(log.plays):
        actions, rewards = CHANGES[log.lie](play.actions, play.rewards)
        n, frames = len(actions), play.frames.astype(np.int8) if frame.dtype == bool else play.frames
        marks = np.arange(n) == n - 1
        columns = {"observations": frames, "actions": actions + start, "rewards": rewards}
        columns |= {"terminations": marks & play.terminal, "truncations": marks & (not play.terminal)}
        if kind == "hdf5":
            with h5py.File(data / "main_data.hdf5", "a") as file:
                for name, column in columns.items():
                    file[f"episode_{number}/{name}"] = column
            continue
        (data / str(number)).mkdir()
        padded = {name: column if name == "observations" else _pad(column) for name, column in columns.items()}
        batch = pa.RecordBatch.from_pydict({name: _arrow(np.asarray(column)) for name, column in padded.items()})
        path = data / str(number) / f"part-0.{kind}"
        if kind == "parquet":
            parquet.write_table(pa.Table.from_batches([batch]), path)
        else:
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)
    return folder, {}, OUTCOME.get(log.lie, REFUSED)


def _pad(column: np.ndarray) -> np.ndarray:
    return np.concatenate([column, np.zeros_like(column[:1])])


def _arrow(column: np.ndarray) -> Any:
    if column.ndim == 1:
        return pa.array(column)
    return pa.FixedSizeListArray.from_arrays(pa.array(column.ravel()), int(np.prod(column.shape[1:])))


def rlds(folder: Path, log: Drawn, rng: np.random.Generator) -> tuple[Path, dict, str]:
    """Write TFRecord in one of the encodings, with ids of one kind or none, nested or not, in 1 or 2 shards."""
    frame, nested = log.plays[0].frames[0], bool(rng.random() < 0.3)
    encoding = str(rng.choice(["bytes", "zlib"]))
    if frame.dtype.kind == "f" and frame.dtype != np.float64 and rng.random() < 0.5:
        encoding = "none"
    if frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] in (1, 3) and rng.random() < 0.5:
        encoding = "png"
    kind, discounted = rng.choice(["int64", "int32", "uint8"]), bool(rng.random() < 0.5)
    records: list[bytes] = []
    actions = rewards = np.empty(0)
    ids, text = rng.permutation(50).tolist(), str(rng.choice(["text", "int", "none"]))
    for number, play in enumerate(log.plays):
        actions, rewards = CHANGES[log.lie](play.actions, play.rewards)
        if not log.lie:
            actions = actions.astype(kind)
        at = np.arange(len(play.frames))
        shown: Any = play.frames if encoding == "none" else np.ascontiguousarray(play.frames)
        shown = shown if encoding in ("none", "png") else shown.reshape(len(at), -1).view(np.uint8)
        if encoding in PACKED:
            shown = [PACKED[encoding](one) for one in shown]
        columns: dict[str, Any] = {f"steps/observation{'/seen' if nested else ''}": shown}
        columns |= {"steps/action": _pad(np.asarray(actions)), "steps/reward": _pad(rewards).astype(np.float32)}
        columns |= {"steps/is_first": at == 0, "steps/is_last": at == at[-1]}
        columns |= {"steps/is_terminal": (at == at[-1]) & play.terminal}
        if discounted:
            columns["steps/discount"] = np.where((at >= at[-1] - 1) & play.terminal, 0, 1).astype(np.float32)
        if text != "none":
            columns["episode_id"] = [f"e{number}".encode()] if text == "text" else np.array([ids[number]])
        records.append(tf_example.encode(columns))
    outcome = OUTCOME.get(log.lie, REFUSED)
    seen = _tensor(frame.shape, frame.dtype.name, encoding)
    seen = {"pythonClassName": "x", "featuresDict": {"features": {"seen": seen}}} if nested else seen
    steps = {"observation": seen, "action": _tensor(np.shape(actions)[1:], np.asarray(actions).dtype.name)}
    steps |= {"reward": _tensor(rewards.shape[1:], "float32")}
    steps |= {name: _tensor((), "bool") for name in ("is_first", "is_last", "is_terminal")}
    steps |= {"discount": _tensor((), "float32")} if discounted else {}
    inner = {"pythonClassName": "x", "featuresDict": {"features": steps}}
    top: dict[str, Any] = {"steps": {"pythonClassName": "x", "sequence": {"feature": inner, "length": "-1"}}}
    if text != "none":
        top["episode_id"] = {"pythonClassName": "x", "text": {}} if text == "text" else _tensor((), "int64")
    (folder / "features.json").write_text(json.dumps({"pythonClassName": "x", "featuresDict": {"features": top}}))
    cut = int(rng.integers(0, len(records) + 1))
    parts = [part for part in (records[:cut], records[cut:]) if part]
    split = {"name": "train", "shardLengths": [str(len(part)) for part in parts], "numBytes": "1"}
    info = {"name": "odd", "version": "1.0.0", "fileFormat": "tfrecord", "splits": [split]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    for number, part in enumerate(parts):
        with TFRecordWriter(folder / f"odd-train.tfrecord-{number:05d}-of-{len(parts):05d}") as writer:
            for record in part:
                writer.write(record)
    return folder, {}, outcome


def _png(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame).save(file, "PNG")
    return file.getvalue()


PACKED: dict[str, Callable[[np.ndarray], bytes]] = {"zlib": lambda frame: zlib.compress(frame.tobytes()), "png": _png}


def _tensor(shape: tuple, dtype: str, encoding: str = "none") -> dict[str, Any]:
    said = {"shape": {"dimensions": [str(size) for size in shape]}, "dtype": dtype}
    if encoding == "png":
        return {"pythonClassName": "x", "image": {**said, "encodingFormat": "png"}}
    return {"pythonClassName": "x", "tensor": {**said, "encoding": encoding}}


def plain_parquet(folder: Path, log: Drawn, rng: np.random.Generator) -> tuple[Path, dict, str]:
    """Return a row a step by pyarrow alone, its observations flat lists."""
    tables = []
    for number, play in enumerate(log.plays):
        actions, rewards = CHANGES[log.lie](play.actions, play.rewards)
        at = np.arange(len(play.frames))
        flat = play.frames.reshape(len(at), -1)
        columns = {"episode_id": np.full(len(at), number), "step": at, "is_last": at == at[-1]}
        columns |= {"is_terminal": (at == at[-1]) & play.terminal}
        lists = {"observation": flat.tolist() if play.frames.ndim > 1 else play.frames}
        lists |= {"action": _pad(np.asarray(actions)).tolist(), "reward": _pad(np.asarray(rewards)).tolist()}
        kinds = {"observation": pa.from_numpy_dtype(flat.dtype)}
        kinds["observation"] = pa.list_(kinds["observation"]) if play.frames.ndim > 1 else kinds["observation"]
        arrays = {name: pa.array(column) for name, column in columns.items()}
        arrays |= {name: pa.array(column, kinds.get(name)) for name, column in lists.items()}
        tables.append(pa.table(arrays))
    parquet.write_table(pa.concat_tables(tables), folder / "train-00000-of-00001.parquet", row_group_size=3)
    return folder, {}, OUTCOME.get(log.lie, REFUSED)


FORMATS: dict[str, tuple[Callable, tuple[str, ...], tuple[str, ...]]] = {  # the writer, its lies, its types
    "npz": (npz, LIES, tuple(SHAPES)),
    "dopamine": (dopamine, LIES, ("uint8", "float32", "float64")),
    "minari": (minari, LIES, tuple(SHAPES)),
    "rlds": (rlds, tuple(lie for lie in LIES if lie != "huge reward"), tuple(SHAPES)),
    "parquet": (plain_parquet, LIES, ("float32", "float64", "uint8", "int64")),
}


def transitions(frames: np.ndarray, actions: np.ndarray, rewards: np.ndarray, terminal: bool) -> list[tuple]:
    """Return (seen, action, reward, whether it ended) of an episode; floats as float32, shapes aside."""
    seen = frames.astype(np.float32) if frames.dtype == np.float64 else frames
    ends = [False] * (len(actions) - 1) + [terminal]
    shown = [(seen.dtype.name, frame.tobytes()) for frame in seen]
    rows = zip(shown, actions.tolist(), rewards.astype(np.float32).tolist(), ends, strict=False)
    return [(*row, after) for row, after in zip(rows, shown[1:], strict=False)]


def difference(got: list[list[tuple]], true: list[list[tuple]]) -> str:
    """How the imported differ from the truth; empty where every transition is a true one, in the true order.

    A ring may have lost its beginning; where a format does not keep what was seen last, a blank stands for it after
    an end, and the last transition of an episode that was cut off is left out.
    """
    flat = [row for episode in true for row in episode]
    at = 0
    for number, episode in enumerate(got):
        for t, row in enumerate(episode):
            while at < len(flat) and not _alike(row, flat[at], t == len(episode) - 1):
                at += 1
            if at == len(flat):
                return f"episode {number}, transition {t} never happened, or not then"
            at += 1
    return ""


def _alike(got: tuple, true: tuple, last: bool) -> bool:
    if got == true:
        return True
    blank = got[3] and not any(got[4][1]) and got[4][0] == true[4][0]
    return got[:3] == true[:3] and last and (blank and true[3] or not true[3] and got[4] == true[4])


def judge(kind: str, log: Drawn, rng: np.random.Generator, folder: Path) -> tuple[str, str]:
    """Return what became of one log, and what is wrong with that."""
    (folder / "in").mkdir(parents=True)
    source, options, expected = FORMATS[kind][0](folder / "in", log, rng)
    out = folder / "out"
    true = [transitions(p.frames, p.actions, p.rewards, p.terminal) for p in log.plays]
    try:
        importing.write(importing.open_source(kind, source, **options), out)
    except ValueError as error:
        left = [path.name for path in folder.iterdir() if path.name != "in"]
        fault = f"leaves {left}" if left else "" if str(error).isprintable() else f"says {error!r:.300}"
        return REFUSED, fault or (f"is refused: {error}" if expected == READ and "holds no" not in str(error) else "")
    report = check(out / "array_record")
    if report.violations:
        return READ, f"does not pass our check: {report.violations[0]}"
    got = [
        transitions(e.steps.frame, e.steps.action[:-1], e.steps.reward[:-1], bool(e.steps.is_terminal[-1]))
        for e in read(out / "array_record")
    ]
    if expected == REFUSED:
        return READ, f"is read, though it has {log.lie}"
    whole = kind in ("minari", "rlds", "parquet")
    fault = "" if not whole or got == true else f"{sum(map(len, got))} transitions for {sum(map(len, true))}, or others"
    return READ, fault or difference(got, true)


def main(count: int, seed: int) -> int:
    """Fuzz every importer; prints a line for each and returns how many logs went wrong."""
    broken = 0
    for kind, (_, lies, dtypes) in FORMATS.items():
        rng, told, faults = np.random.default_rng(seed), Counter(), []
        for number in range(count):
            log = draw(rng, lies, dtypes)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    outcome, fault = judge(kind, log, rng, Path(folder))
                except Exception as error:  # noqa: BLE001
                    outcome, fault = "crashed", f"{type(error).__name__}: {error}"
            told[outcome] += 1
            if fault:
                shape = log.plays[0].frames.dtype.name, log.plays[0].frames.shape[1:]
                faults.append(f"log {number} of seed {seed}, {shape}, {log.lie or 'no lie'}: {fault}"[:400])
        print(json.dumps({"format": kind, **told, "broken": len(faults)}), *faults[:5], sep="\n", flush=True)
        broken += len(faults)
    return broken


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(given[0] if given else 300, given[1] if len(given) > 1 else 0) > 0)

"""Write a log, a TFDS/RLDS folder that appears whole or not at all, without TensorFlow."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from ..transition import Actions, outputs, stated
from . import tf_example
from .episode import Episode, discounts, violations
from .folder import MANIFEST
from .images import encode_png
from .schema import features, stored_shape

OPTIONS = "group_size:1,zstd:{}"  # one episode per chunk: random access, and compression across its frames
SMALLEST = 22  # zstd's highest level: for MinAtar a fifth smaller than the default, and a hundred times slower


class Layout(NamedTuple):
    """Storage options and metadata of a log."""

    teacher_values: bool = False  # whether it has that column
    behavior_epsilon: bool = False
    description: str = ""
    version: str = "1.0.0"
    format: str = "array_record"  # or tfrecord, pixels as PNG: larger and slower, but users of tf.data can read it
    shard_bytes: int = 512 << 20  # before compression (Atari: 10 to 60 times)
    level: int = 9  # of compression by zstd, SMALLEST at most


class LogWriter:
    """Stream episodes into `<folder>.partial`, and rename it to `folder` at the end.

    Splits are checkpoints, `checkpoint_00` and so on, and must come in order. A shard counts once it is complete on
    disk and in the manifest. After a crash, `resume=True` continues after the last such shard: `episodes` is the number
    of safe episodes, and later ones must be added again.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        frame: np.ndarray,
        actions: Actions,
        layout: Layout = Layout(),  # noqa: B008 (it cannot change)
        resume: bool = False,
    ):
        """Open the log for writing; `frame` is an example."""
        format = layout.format
        if format not in ("array_record", "tfrecord"):
            raise ValueError(f"A log's format is array_record or tfrecord, not {format!r}.")
        self.folder = Path(folder)
        self._partial = self.folder.with_name(self.folder.name + ".partial")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"A log's name consists of lower-case letters, digits and underscores, not {name!r}.")
        if self.folder.exists():
            raise ValueError(f"{self.folder} exists already; choose another folder or remove it first.")
        self._features = {name: getattr(layout, name) for name in ("teacher_values", "behavior_epsilon")}
        self._png = format == "tfrecord" and frame.dtype == np.uint8 and stored_shape(frame.shape)[2:] in ((1,), (3,))
        self._actions, self._frame = actions, (tuple(frame.shape), frame.dtype)
        self._text = {"description": layout.description or name, "version": layout.version}
        self._shard_bytes, self._level = layout.shard_bytes, layout.level
        self._writer: Any = None
        self._manifest: dict[str, Any] = {
            "format": format,
            "name": name,
            "actions": stated(actions),
            "frame": {"shape": list(stored_shape(frame.shape)), "dtype": frame.dtype.name},
            "shards": [],
        }
        if self._partial.exists() and not resume:
            raise ValueError(f"{self._partial} is an unfinished log; resume it or remove it first.")
        self._partial.mkdir(parents=True, exist_ok=True)
        if (self._partial / MANIFEST).exists():
            self._resume()

    def _resume(self) -> None:
        """Keep the shards listed in the manifest, and remove all other files."""
        found = json.loads((self._partial / MANIFEST).read_bytes())
        if {**found, "shards": []} != self._manifest:
            raise ValueError(f"{self._partial} was begun with other settings; remove it to start again.")
        for path in list(self._partial.iterdir()):  # a crash in `finish` leaves shards under their final names
            path.rename(path.with_name(_first_name(path.name)))
        for shard in found["shards"]:
            shard["file"] = _first_name(shard["file"])
        keep = {MANIFEST} | {shard["file"] for shard in found["shards"]}
        for path in list(self._partial.iterdir()):
            if path.name not in keep:
                path.unlink()
        self._manifest = found

    @property
    def shards(self) -> list[dict[str, Any]]:
        """Return split, file, sha256, bytes, raw_bytes and steps per episode of every finished shard."""
        return self._manifest["shards"]

    @property
    def episodes(self) -> int:
        """Return the number of episodes added; right after a resume, of the safe ones."""
        return sum(len(shard["steps"]) for shard in self.shards) + (len(self._steps) if self._writer else 0)

    @property
    def transitions(self) -> int:
        """Return the number of transitions added."""
        lengths = [steps for shard in self.shards for steps in shard["steps"]] + (self._steps if self._writer else [])
        return sum(lengths) - len(lengths)

    @property
    def bytes(self) -> int:
        """Return the bytes on disk in finished shards."""
        return sum(shard["bytes"] for shard in self.shards)

    @property
    def bytes_on_disk(self) -> int:
        """Return the bytes on disk, including the written part of the unfinished shard."""
        path = self._partial / self._file if self._writer else None
        return self.bytes + (path.stat().st_size if path and path.exists() else 0)

    def add(self, episode: Episode) -> None:
        """Append an episode; ValueError if it breaks a rule of RLDS or does not fit the log's features."""
        self._check(episode)
        split = f"checkpoint_{episode.checkpoint_id:02d}"
        if self._writer and split != self._split:
            self._close_shard()
        done = [shard["split"] for shard in self.shards]
        if not self._writer:
            if done and (split != done[-1] and split in done or episode.checkpoint_id < self._last_checkpoint()):
                raise ValueError(f"Episodes must come in the order of their checkpoints; {split} is already complete.")
            self._open_shard(split, done.count(split))
        record = _record(episode, self._png)
        self._writer.write(record)
        self._steps.append(len(episode.steps.action))
        self._raw_bytes += len(record)
        if self._raw_bytes >= self._shard_bytes:
            self._close_shard()

    def _last_checkpoint(self) -> int:
        return int(self.shards[-1]["split"].removeprefix("checkpoint_"))

    def _check(self, episode: Episode) -> None:
        steps, (shape, dtype) = episode.steps, self._frame
        values = (len(steps.action), outputs(self._actions)) if self._features["teacher_values"] else None
        for what, there, wanted in (
            ("frames", (steps.frame.shape, steps.frame.dtype), ((len(steps.action), *shape), dtype)),
            ("teacher_values", steps.teacher_values is not None and steps.teacher_values.shape or None, values),
            ("behavior_epsilon", steps.behavior_epsilon is not None, self._features["behavior_epsilon"]),
        ):
            if there != wanted:
                raise ValueError(f"Episode {episode.episode_id}: {what} should be {wanted}, not {there}.")
        if episode.length < 1:
            raise ValueError(f"Episode {episode.episode_id} has no transition.")
        for step, wrong in violations(steps, self._actions)[:1]:
            raise ValueError(f"Episode {episode.episode_id}, step {step}: {wrong}.")

    def _open_shard(self, split: str, number: int) -> None:
        self._split, self._steps, self._raw_bytes = split, [], 0
        self._file = f"{self._manifest['name']}-{split}.{self._manifest['format']}-{number:05d}"
        self._writer = _shard(str(self._partial / self._file), self._manifest["format"], self._level)

    def _close_shard(self) -> None:
        self._writer.close()
        self._writer = None
        path = self._partial / self._file
        digest, size = _sync_and_hash(path)
        entry = {"split": self._split, "file": self._file, "sha256": digest, "bytes": size}
        self.shards.append({**entry, "raw_bytes": self._raw_bytes, "steps": self._steps})
        self._write_manifest(self._manifest)

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        path = self._partial / MANIFEST
        temporary = path.with_suffix(".tmp")
        with open(temporary, "w") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def close(self) -> None:
        """Write the last shard and TFDS's two JSON files, then rename the shards and the folder."""
        if self._writer:
            self._close_shard()
        if not self.shards:
            raise ValueError(f"Nothing was logged to {self.folder}.")
        splits: dict[str, list[dict[str, Any]]] = {}
        for shard in self.shards:
            splits.setdefault(shard["split"], []).append(shard)
        self._write_info(splits)
        final = {**self._manifest, "shards": []}
        for shards in splits.values():
            for shard in shards:
                name = f"{shard['file']}-of-{len(shards):05d}"
                os.replace(self._partial / shard["file"], self._partial / name)
                final["shards"].append({**shard, "file": name})
        self._write_manifest(final)
        os.replace(self._partial, self.folder)

    def _write_info(self, splits: dict[str, list[dict[str, Any]]]) -> None:
        import tensorflow_datasets as tfds

        core, name = tfds.core, self._manifest["name"]
        shape, dtype = self._frame
        identity = core.dataset_info.DatasetIdentity(
            name=name, version=core.Version(self._text["version"]), data_dir=str(self._partial), module_name=""
        )
        columns = features(shape, dtype, self._actions, **self._features, png=self._png)
        # DatasetInfo's annotation asks for a builder, its code for a builder or an identity.
        info = core.DatasetInfo(builder=identity, features=columns, description=self._text["description"])  # pyright: ignore[reportArgumentType]
        info.set_file_format(self._manifest["format"])
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        info.set_splits(
            core.splits.SplitDict(
                [
                    core.splits.SplitInfo(
                        name=split,
                        shard_lengths=[len(shard["steps"]) for shard in shards],
                        num_bytes=sum(shard["raw_bytes"] for shard in shards),
                        filename_template=core.ShardedFileTemplate(
                            dataset_name=name,
                            data_dir=self._partial,
                            split=split,
                            filetype_suffix=self._manifest["format"],
                            template=template,
                        ),
                    )
                    for split, shards in splits.items()
                ]
            )
        )
        info.write_to_directory(self._partial)

    def discard(self) -> None:
        """Remove everything written so far."""
        self._writer = None
        shutil.rmtree(self._partial, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.close()
        elif self._writer:  # leave the finished shards for a resume
            self._writer.close()


def _shard(path: str, format: str, level: int) -> Any:
    if format == "tfrecord":
        from .tfrecord import TFRecordWriter

        return TFRecordWriter(path)
    from .array_record import RecordWriter

    return RecordWriter(path, OPTIONS.format(level))


def _record(episode: Episode, png: bool) -> bytes:
    steps = episode.steps
    size = len(steps.action)
    frame = steps.frame.reshape(size, -1)
    raw = frame if frame.dtype.kind == "f" else frame.view(np.uint8)
    invalid = np.arange(size) == size - 1
    columns: dict[str, Any] = {
        "steps/observation": encode_png(steps.frame) if png else raw,
        "steps/action": _zero_last(steps.action),
        "steps/reward": np.where(invalid, np.float32(0), steps.reward),
        "steps/discount": discounts(steps),
        "steps/is_first": steps.is_first,
        "steps/is_last": steps.is_last,
        "steps/is_terminal": steps.is_terminal,
        "checkpoint_id": np.array([episode.checkpoint_id]),
        "episode_id": np.array([episode.episode_id]),
        "episode_return": np.array([episode.clipped_return], np.float32),
        "episode_length": np.array([episode.length]),
        "raw_return": np.array([episode.raw_return], np.float32),
        "environment_config": [episode.environment_config.encode()],
        "agent_id": [episode.agent_id.encode()],
        "invalid": np.array([episode.invalid]),
    }
    if steps.teacher_values is not None:
        columns["steps/teacher_values"] = steps.teacher_values
    if steps.behavior_epsilon is not None:
        columns["steps/behavior_epsilon"] = steps.behavior_epsilon
    return tf_example.encode(columns)


def _zero_last(action: np.ndarray) -> np.ndarray:
    action = action.copy()
    action[-1] = 0
    return action


def _first_name(file: str) -> str:
    return re.sub(r"-of-\d+$", "", file)


def _sync_and_hash(path: Path) -> tuple[str, int]:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size

"""Read a TFDS folder's metadata and encoded records, without TensorFlow. Nothing in the folder is trusted."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..folders import regular
from ..transition import Actions, said
from ..words import several
from . import array_record, tfrecord
from .schema import FeatureLayout, Schema, WantedFields, layout, read_schema

MANIFEST = "manifest.json"
SHARDS = "array_record"  # the folder of the shards within a log's repository


class Shard(NamedTuple):
    """One file of a log."""

    path: Path
    split: str
    episodes: int
    sha256: str | None  # from the manifest
    steps: list[int] | None  # of each episode, from the manifest


class Log(NamedTuple):
    """A folder's metadata."""

    name: str
    format: str  # "array_record" or "tfrecord"
    schema: Schema
    actions: Actions | None  # where a manifest states it
    shards: list[Shard]
    own: bool  # written by this package, with a manifest
    columns: dict[str, tuple[str, FeatureLayout]]  # RLDS name -> the log's own name, and the column's layout

    @property
    def splits(self) -> list[str]:
        """Return the splits by name, which for checkpoints is the order of training."""
        return sorted({shard.split for shard in self.shards}, key=by_number)


def shards_in(folder: Path) -> Path:
    """Return the folder of a log's shards, given that folder or its repository's."""
    return folder / SHARDS if (folder / SHARDS).is_dir() else folder


def open_log(folder: str | os.PathLike, wanted: WantedFields = WantedFields()) -> Log:  # noqa: B008
    """Read the JSON files of a TFDS folder; ValueError if they are missing, broken or not those of a log.

    `wanted`: the log's names of fields that differ from RLDS.
    """
    folder = Path(folder)
    info = _json(folder / "dataset_info.json")
    manifest = _json(folder / MANIFEST) if regular(folder / MANIFEST).exists() else {}
    try:
        stated = {entry["file"]: entry for entry in manifest.get("shards", ())}
        name, kind = info["name"], info.get("fileFormat", "tfrecord")
        shards = []
        for split in info["splits"]:
            lengths = [int(length) for length in split["shardLengths"]]
            template = split.get("filepathTemplate") or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
            for number, episodes in enumerate(lengths):
                places = {
                    "DATASET": name,
                    "SPLIT": split["name"],
                    "FILEFORMAT": kind,
                    "SHARD_INDEX": f"{number:05d}",
                    "NUM_SHARDS": f"{len(lengths):05d}",
                    "SHARD_X_OF_Y": f"{number:05d}-of-{len(lengths):05d}",
                }
                file = re.sub(r"\{(\w+)\}", lambda match, places=places: str(places[match[1]]), template)
                if Path(file).name != file:
                    raise ValueError(f"the file name {file!r} leaves the folder")
                entry = stated.get(file, {})
                shards.append(
                    Shard(folder / file, str(split["name"]), episodes, entry.get("sha256"), entry.get("steps"))
                )
                if shards[-1].steps is not None and len(entry["steps"]) != episodes:
                    raise ValueError(f"{MANIFEST} and dataset_info.json disagree on {file}")
        actions = None if manifest.get("actions") is None else said(manifest["actions"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder / 'dataset_info.json'} does not describe a log: {error!r}.") from None
    if kind not in ("array_record", "tfrecord"):
        raise ValueError(f"{folder} is stored as {kind}; only array_record and tfrecord can be read.")
    schema = read_schema(folder)
    try:
        columns = layout(schema, wanted)
    except ValueError as error:
        raise ValueError(f"{folder / 'features.json'}: {error}.") from None
    if actions is None and "action" in columns:
        actions = columns["action"][1].classes
    return Log(str(name), kind, schema, actions, shards, bool(manifest), columns)


def by_number(name: str) -> list[str | int]:
    """Return a natural sort key: checkpoint_99 comes before checkpoint_100."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _json(path: Path) -> dict[str, Any]:
    regular(path)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: {path.parent} is not a TFDS folder.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid json: {error}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a json object.")
    return content


def chosen_shards(log: Log, split: str | Sequence[str] | None) -> list[Shard]:
    """Return the shards of the given splits, or all, in the order of splits; ValueError for an unknown split."""
    wanted = log.splits if split is None else [split] if isinstance(split, str) else list(split)
    for name in wanted:
        if name not in log.splits:
            raise ValueError(f"The log {log.name} has no split {name!r}; it has {', '.join(log.splits)}.")
    return [shard for name in wanted for shard in log.shards if shard.split == name]


def records(log: Log, shard: Shard) -> Iterator[bytes]:
    """Yield the records of a shard, after checking its digest against the manifest."""
    if not shard.path.exists():
        raise ValueError(f"{shard.path} is missing; fetch the log again.")
    regular(shard.path)
    if shard.sha256 is not None:
        with open(shard.path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                raise ValueError(f"{shard.path} is damaged: its sha256 is not the one in {MANIFEST}; fetch it again.")
    count = 0
    source = array_record.read_records if log.format == "array_record" else tfrecord.read_records
    try:
        for record in source(shard.path):
            yield record
            count += 1
    except GeneratorExit:
        raise
    except Exception as error:  # ArrayRecord raises errors of many types
        raise ValueError(f"{shard.path}, episode {count}: {_one_line(error)}.") from None
    if count != shard.episodes:
        raise ValueError(f"{shard.path} holds {several(count, 'episode')} where {shard.episodes} are stated.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")

"""Check that a folder can be read back before it is published: others would find the damage only when they use it."""

from pathlib import Path

from ...datasets.rlds.folder import chosen_shards, open_log, records, shards_in
from ...datasets.teachers import formats, weights


def check_whole(folder: Path) -> None:
    """Raise ValueError if a policy's weights, or a log's metadata or files, are damaged.

    A log's files are compared with the digests in its manifest; of other logs only the first record is read.
    """
    if (folder / "policy.safetensors").exists():
        formats.config_of(folder)
        weights.load(folder / "policy.safetensors")
    place = shards_in(folder)
    if (place / "dataset_info.json").exists():
        log = open_log(place)
        for shard in chosen_shards(log, None):
            next(iter(records(log, shard)), None)

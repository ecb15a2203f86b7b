"""The rest of a log's repository, once its shards are written: TFRecord, preview, provenance and card."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from ...datasets import atomic
from ...datasets.hub.card import log_card
from ...datasets.rlds import copy
from ...datasets.rlds.folder import SHARDS
from ...datasets.rlds.preview import write_preview
from ...datasets.rlds.read import read
from ...datasets.rlds.write import SMALLEST, Layout
from ..machine import versions
from ..tasks.environment import ENVIRONMENTS
from ..tasks.task import FAMILIES, Task

SHARD_BYTES = 128 << 20  # before compression; what a crash loses at most
SMALL = 50_000  # transitions; smaller logs have a TFRecord copy too
# Packages whose versions shape the experience:
MAKERS = tuple(sorted({"reincarnate", *(family.package for family in FAMILIES.values())}))
VIEWER = [{"config_name": "preview", "data_files": [{"split": "train", "path": "preview/*.parquet"}]}]


class LogRequest(NamedTuple):
    """What a log is asked for."""

    steps: int  # transitions, at least: episodes are whole
    epsilon: float = 0.01  # share of random actions
    seed: int = 0  # of environments and exploration
    environments: int = ENVIRONMENTS
    name: str = "local/log"  # user/name of its repository
    command: str = ""  # what makes it again
    tfrecord: bool = False  # also a copy for users of tf.data, as small logs always have
    smallest: bool = (
        False  # no such copy, none of what the teacher can be asked again, and compressed as far as it goes
    )

    @property
    def level(self) -> int:
        """Return the level of compression."""
        return SMALLEST if self.smallest else Layout().level


def dataset_name(task: Task) -> str:
    """Name a data set as TFDS wants it: atari/SpaceInvaders -> atari_spaceinvaders."""
    return re.sub(r"[^a-z0-9]", "_", task.name.lower())


def finish(folder: Path, asked: LogRequest, task: Task, **facts: Any) -> int:
    """Add to a folder that has its shards what makes it a Hub dataset and return the number of transitions.

    Reads the shards back once. `facts` go into `provenance.json` and the card. A
    `tfrecord` folder is written on request, and for small logs unless they shall be the smallest.
    """
    manifest = json.loads((folder / SHARDS / "manifest.json").read_bytes())
    facts["returns"] = [episode.raw_return for episode in read(folder / SHARDS)]
    facts["episodes"] = len(facts["returns"])
    facts["transitions"] = sum(sum(shard["steps"]) - len(shard["steps"]) for shard in manifest["shards"])
    copied = asked.tfrecord or (facts["transitions"] <= SMALL and not asked.smallest)
    if copied and not (folder / "tfrecord").exists():
        copy.copy(folder / SHARDS, folder / "tfrecord", "tfrecord", resume=True)
    (folder / "preview").mkdir(exist_ok=True)
    write_preview(folder / SHARDS, folder / "preview" / "train.parquet")
    facts = {"task": task.name, "protocol": task.protocol(), **facts, "versions": versions(MAKERS)}
    size = sum(shard["bytes"] for shard in manifest["shards"])
    card = log_card(asked.name, {**facts, "environment": task.environment, "bytes": size, "configs": VIEWER})
    atomic.write(folder / "provenance.json", (json.dumps(facts, indent=1) + "\n").encode())
    atomic.write(folder / "README.md", card.encode())
    return facts["transitions"]

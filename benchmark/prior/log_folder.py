"""Complete a log's repository once its shards are written: TFRecord, preview, provenance and card."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from ...datasets import atomic
from ...datasets.folders import regular
from ...datasets.hub.card import log_card
from ...datasets.rlds import copy
from ...datasets.rlds.folder import SHARDS
from ...datasets.rlds.preview import write_preview
from ...datasets.rlds.read import read
from ...datasets.rlds.write import SMALLEST, Layout
from ..machine import versions
from ..tasks.environment import ENVIRONMENTS
from ..tasks.task import FAMILIES, Task

SHARD_BYTES = 128 << 20  # before compression; the most that a crash can lose
SMALL = 50_000  # transitions; smaller logs also have a TFRecord copy
# Packages whose versions affect the experience.
MAKERS = tuple(sorted({"reincarnate", *(family.package for family in FAMILIES.values())}))
VIEWER = [{"config_name": "preview", "data_files": [{"split": "train", "path": "preview/*.parquet"}]}]


class LogRequest(NamedTuple):
    """The request for a log."""

    steps: int  # minimum number of transitions; episodes are whole
    epsilon: float = 0.01  # share of random actions
    seed: int = 0  # of environments and exploration
    environments: int = ENVIRONMENTS
    name: str = "local/log"  # user/name of its repository
    command: str = ""  # the command that makes it
    tfrecord: bool = False  # also write a copy for tf.data, as small logs always have
    smallest: bool = (
        False  # without that copy and the values that the teacher can recompute, at the highest compression
    )

    @property
    def level(self) -> int:
        """Return the compression level."""
        return SMALLEST if self.smallest else Layout().level


def dataset_name(task: Task) -> str:
    """Return a task's name in the form that TFDS requires: atari/SpaceInvaders -> atari_spaceinvaders."""
    return re.sub(r"[^a-z0-9]", "_", task.name.lower())


def finish(folder: Path, asked: LogRequest, task: Task, **facts: Any) -> int:
    """Add to a folder of shards what makes it a dataset on the Hub, and return the number of transitions.

    Reads the shards once. `facts` go into `provenance.json` and the card. A `tfrecord` folder is written on request,
    and for small logs except with `smallest`.
    """
    manifest = json.loads(regular(folder / SHARDS / "manifest.json").read_bytes())
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

"""Small logs for the tests of this folder, made of random steps."""

import hashlib
import json

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from reincarnate.datasets.rlds import tf_example
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.source import Bad
from reincarnate.datasets.rlds.write import Layout, LogWriter

FRAMES = {  # what the environments of the suite show
    "pixels": lambda rng, n: rng.integers(0, 256, (n, 84, 84), np.uint8),
    "planes": lambda rng, n: rng.random((n, 10, 10, 4)) < 0.3,
    "vector": lambda rng, n: rng.standard_normal((n, 4)).astype(np.float32),
}


def episode(rng, number, kind="pixels", actions=6, checkpoint=0, size=None, values=False, terminal=None):
    """Return a random episode of 1 to 12 transitions with rewards beyond [-1, 1]."""
    n = size or int(rng.integers(1, 13))
    return Episode.of(
        FRAMES[kind](rng, n + 1),
        rng.integers(0, actions, n),
        rng.integers(-3, 4, n).astype(np.float32),
        bool(rng.integers(2)) if terminal is None else terminal,
        episode_id=number,
        checkpoint_id=checkpoint,
        agent_id="tester",
        environment_config={"sticky_actions": 0.25},
        teacher_values=rng.standard_normal((n + 1, actions)) if values else None,
        behavior_epsilon=rng.random(n + 1) if values else None,
    )


def log(folder, kind="pixels", checkpoints=(3, 2), values=False, seed=0, **options):
    """Write a log of so many episodes for each checkpoint; returns the episodes."""
    rng = np.random.default_rng(seed)
    episodes = []
    for checkpoint, count in enumerate(checkpoints):
        for _ in range(count):
            episodes.append(episode(rng, len(episodes), kind, checkpoint=checkpoint, values=values))
    frame = episodes[0].steps.frame[0]
    with LogWriter(folder, "toy", frame, 6, Layout(values, values, **options)) as writer:
        for one in episodes:
            writer.add(one)
    return episodes


def same(a, b):
    """Return whether two Steps are equal, except for the last step's action and reward."""
    for name in a._fields:
        x, y = getattr(a, name), getattr(b, name)
        if x is None or y is None:
            if x is not y:
                return False
            continue
        if name in ("action", "reward"):
            x, y = x[~a.is_last], y[~b.is_last]
        if x.dtype != y.dtype or not np.array_equal(x, y):
            return False
    return True


def columns(record):
    """Return the lists of an encoded record by name."""
    get = {1: tf_example.byte_rows, 2: tf_example.floats, 3: tf_example.ints}
    return {name: get[field.kind](field) for name, field in tf_example.decode(record).items()}


def rewrite(folder, change, episode=0):
    """Change one record of the first shard and states the new digest, as a hostile publisher might."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    shard = manifest["shards"][0]
    path = folder / shard["file"]
    reader = ArrayRecordReader(str(path))
    records = [reader.read([number])[0] for number in range(reader.num_records())]
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for number, record in enumerate(records):
        writer.write(change(record) if number == episode else record)
    writer.close()
    shard["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def taken(stream):
    """Return the episodes of a reader's stream. Raises ValueError with the first bad one."""
    found = list(stream)
    for one in found:
        if isinstance(one, Bad):
            raise ValueError(one.sentence)
    return [one for one in found if isinstance(one, Episode)]

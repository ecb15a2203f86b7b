"""The student's own experience as RLDS: its last transitions of training.

It is written when a run is complete, from the replay's parts in its checkpoints. A part of it can then be published as
the log of the teacher that the student became.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...agents.teacher import digest, flatten
from ...datasets import atomic
from ...datasets.folders import regular
from ...datasets.replay.replay import COLUMNS
from ...datasets.rlds.copy import write as write_episodes
from ...datasets.rlds.episode import Episode
from ...datasets.rlds.folder import SHARDS, open_log
from ...datasets.rlds.read import read_last
from ...datasets.rlds.write import Layout, LogWriter
from ...datasets.transition import Actions
from ...leaderboard import record as records
from ..prior.collect import Player
from ..prior.log_folder import SHARD_BYTES, LogRequest, dataset_name, finish
from ..tasks.task import Task
from . import checkpoint


def write(run: Path, task: Task, command: str, actions: Actions) -> int:
    """Write the log of a run to its folder `log`, and return the number of transitions.

    An episode's checkpoint is the number of the sample budget during which it ended. Episodes truncated by an
    interruption or by the end of the run are included as `invalid`.
    """
    agent = f"run {json.loads(regular(run / 'ledger.jsonl').open().readline())['run']}"
    folder, writer, count = run / "log", None, 0
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier attempt
    for steps, point, invalid in episodes(run / "checkpoints"):
        about = {"checkpoint_id": point, "agent_id": agent, "invalid": invalid}
        about["environment_config"] = json.dumps(task.protocol(), sort_keys=True)
        frames, action, reward = steps["frame"], steps["action"][:-1], steps["reward"][:-1]
        episode = Episode.of(frames, action, reward, bool(steps["is_terminal"][-1]), count, **about)
        if writer is None:
            text = f"{task.name} as {agent} learned it. Rewards are not clipped."
            layout = Layout(description=text, shard_bytes=SHARD_BYTES)
            writer = LogWriter(folder / SHARDS, dataset_name(task), frames[0], actions, layout)
        writer.add(episode)
        count += 1
    if writer is None:
        return 0
    writer.close()
    parents = [{"kind": "teacher", "reference": agent}]
    return finish(folder, LogRequest(count), task, parents=parents, command=command)


def publish(run: Path, player: Player, task: Task, asked: LogRequest, folder: Path) -> int:
    """Make a log of the last transitions that a run learned from, and return their number.

    The run was made with `log`, and the player is one of its students. The log has whole episodes in the order in which
    they ended, each with the number of its sample budget. Raises ValueError if it is another run, or has no log.
    """
    atomic.vacant(folder)
    source = run / "log" / SHARDS
    if not source.is_dir():
        raise ValueError(f"{run} has no log of its training: a run writes one with --log")
    record = records.load(run / "record.json")
    if digest(flatten(player.policy.params)) not in {point.parameters for point in record.points}:
        raise ValueError(f"{player.agent} is not a student of the run in {run}: name the teacher that was made from it")
    log = open_log(source)
    assert log.actions is not None  # our own logs always have them
    partial = folder.with_name(f".{folder.name}.training.partial")  # not that of `collect`, which may be resumed
    shutil.rmtree(partial, ignore_errors=True)
    text = f"The last transitions of training of {player.agent}. Rewards are not clipped."
    layout = Layout(description=text, shard_bytes=SHARD_BYTES, level=asked.level)
    write_episodes(read_last(source, asked.steps), partial / SHARDS, log.name, log.actions, layout)
    weights = digest(flatten(player.policy.params))
    parents = [{"kind": "teacher", "reference": player.agent, "digest": weights}]
    command = f"{record.command} --out {run}\n{asked.command}"  # the same run again, then this
    count = finish(partial, asked, task, parents=parents, command=command, description=text)
    partial.rename(folder)
    return count


def episodes(folder: Path) -> Iterator[tuple[dict[str, np.ndarray], int, bool]]:
    """Return (rows including the last frame, number of the sample budget, whether it was truncated) of each episode of
    a run."""
    parts, cuts, shown_last = checkpoint.experience(folder)
    playing: dict[tuple[int, int], list[dict[str, np.ndarray]]] = {}
    point = 0
    for member, point, rows in parts:
        counts = rows["added"] - rows["first"]
        for stream, (first, end) in enumerate(zip(rows["first"], np.cumsum(counts), strict=True)):
            mine = {name: rows[name][end - counts[stream] : end] for name in COLUMNS}
            begin = 0
            for at in np.flatnonzero(mine["is_last"]).tolist():
                rest = {name: array[begin : at + 1] for name, array in mine.items()}
                yield _joined([*playing.pop((member, stream), []), rest]), point, [member, stream, first + at] in cuts
                begin = at + 1
            if begin < counts[stream]:
                playing.setdefault((member, stream), []).append({name: a[begin:] for name, a in mine.items()})
    for (member, stream), pieces in sorted(playing.items()):
        final = {name: array[-1:] for name, array in pieces[-1].items()} | {"is_terminal": np.zeros(1, bool)}
        yield _joined([*pieces, final | {"frame": shown_last[member][stream][None]}]), point, True


def _joined(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in COLUMNS}

"""The student's own experience, logged as RLDS while it learns: a next teacher's last transitions of training."""

import json
from pathlib import Path

import numpy as np

from ..datasets.episode import Episode
from ..datasets.rlds_write import LogWriter
from .environments import Step
from .log_folder import SHARD_BYTES, SHARDS, dataset_name, finish
from .task import Task


class Experience:
    """Writes whole episodes as they end, with the number of the sample budget they ended in as their checkpoint.

    What is still being played at the end is written too, as cut off and
    `invalid`, so that no transition is lost. The folder appears when it is closed.
    """

    def __init__(self, folder: Path, task: Task, agent: str, streams: int, frame: np.ndarray, actions: int):
        self._folder, self._task, self._agent, self._checkpoint = folder, task, agent, 0
        self._parts: list[list[tuple]] = [[] for _ in range(streams)]  # (frame, action, reward) of each episode
        self._finals: list[np.ndarray] = [frame] * streams
        self._written = 0
        self._frame, self._actions = frame, actions
        self._writer: LogWriter | None = None  # opened by the first episode: until then nothing is on disk

    def keep(self, first: int, frames: np.ndarray, actions: np.ndarray, told: Step, shown: np.ndarray) -> None:
        """One step of the streams from `first` on: frames [k, *frame] acted on, actions [k], and what came of it.

        `shown` [N, *frame] are the frames after the step, of the next episode where one has ended.
        """
        for i, (frame, action) in enumerate(zip(frames, actions, strict=True)):
            stream = first + i
            self._parts[stream].append((frame, int(action), float(told.reward[i])))
            if told.terminated[i] or told.truncated[i]:
                self._write(stream, told.final[i], bool(told.terminated[i]), False)
            else:
                self._finals[stream] = shown[i].copy()  # the next step may change it

    def point(self) -> None:
        """A sample budget is reached: what ends from now on belongs to the next checkpoint."""
        self._checkpoint += 1

    def close(self, command: str) -> int:
        """Writes what is still being played, and returns the number of transitions."""
        for stream in range(len(self._parts)):
            if self._parts[stream]:
                self._write(stream, self._finals[stream], False, True)
        if self._writer is None:
            return 0
        self._writer.close()
        parents = [{"kind": "teacher", "reference": self._agent}]
        return finish(self._folder, "local/log", self._task, False, parents=parents, command=command)

    def _open(self) -> LogWriter:
        text = f"{self._task.name} as {self._agent} learned it. Rewards are not clipped."
        options = {"description": text, "shard_bytes": SHARD_BYTES}
        return LogWriter(self._folder / SHARDS, dataset_name(self._task), self._frame, self._actions, **options)

    def _write(self, stream: int, final: np.ndarray, terminal: bool, invalid: bool) -> None:
        frames, actions, rewards = zip(*self._parts[stream], strict=True)
        number, self._written = self._written, self._written + 1
        about = {"checkpoint_id": self._checkpoint, "agent_id": self._agent, "invalid": invalid}
        about["environment_config"] = json.dumps(self._task.protocol(), sort_keys=True)
        episode = Episode.of(np.stack([*frames, final]), actions, rewards, terminal, number, **about)
        self._writer = self._writer or self._open()
        self._writer.add(episode)
        self._parts[stream] = []

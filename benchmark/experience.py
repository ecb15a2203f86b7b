"""The student's own experience, logged as RLDS while it learns: a next teacher's last transitions of training."""

import json
from pathlib import Path

import numpy as np

from ..datasets import atomic
from ..datasets.card import log_card
from ..datasets.episode import Episode
from ..datasets.rlds_write import LogWriter
from .collect import FOLDER, SHARD_BYTES
from .environments import Step
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
        self._returns: list[float] = []
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
                self._finals[stream] = shown[i]

    def point(self) -> None:
        """A sample budget is reached: what ends from now on belongs to the next checkpoint."""
        self._checkpoint += 1

    def close(self, command: str) -> int:
        """Writes what is still being played, and returns the number of transitions."""
        for stream in range(len(self._parts)):
            if self._parts[stream]:
                self._write(stream, self._finals[stream].copy(), False, True)
        if self._writer is None:
            return 0
        self._writer.close()
        facts = {
            "task": self._task.name,
            "protocol": self._task.protocol(),
            "parents": [{"kind": "teacher", "reference": self._agent}],
            "transitions": self._writer.transitions,
            "episodes": len(self._returns),
            "returns": self._returns,
            "command": command,
        }
        card = log_card("local/log", {**facts, "environment": self._task.environment, "bytes": self._writer.bytes})
        atomic.write(self._folder / "provenance.json", (json.dumps(facts, indent=1) + "\n").encode())
        atomic.write(self._folder / "README.md", card.encode())
        return self._writer.transitions

    def _open(self) -> LogWriter:
        name = "".join(c if c.isalnum() else "_" for c in self._task.name.lower())
        text = f"{self._task.name} as {self._agent} learned it. Rewards are not clipped."
        options = {"description": text, "shard_bytes": SHARD_BYTES}
        return LogWriter(self._folder / FOLDER, name, self._frame, self._actions, **options)

    def _write(self, stream: int, final: np.ndarray, terminal: bool, invalid: bool) -> None:
        frames, actions, rewards = zip(*self._parts[stream], strict=True)
        number = len(self._returns)
        about = {"checkpoint_id": self._checkpoint, "agent_id": self._agent, "invalid": invalid}
        about["environment_config"] = json.dumps(self._task.protocol(), sort_keys=True)
        episode = Episode.of(np.stack([*frames, final]), actions, rewards, terminal, number, **about)
        self._writer = self._writer or self._open()
        self._writer.add(episode)
        self._returns.append(episode.raw_return)
        self._parts[stream] = []

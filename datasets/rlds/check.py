"""Check a log against all rules of RLDS, and describe it."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..folders import regular
from . import columns, tf_example
from .decode import decode, step_column
from .episode import Episode, discounts, fingerprint, violations
from .folder import Log, Shard, chosen_shards, open_log, records
from .images import encode_png
from .read import read
from .survey import ONE_HOT, one_hot


class Report(NamedTuple):
    """A description of a log, which conforms if there are no violations."""

    violations: list[str]  # one sentence each
    episodes: int
    transitions: int
    terminated: int  # terminated episodes; the others were truncated
    returns: np.ndarray  # [episodes] unclipped, in the order of the log
    lengths: np.ndarray  # [episodes] transitions
    actions: np.ndarray  # [A] count of each discrete action; [0] if continuous
    spans: np.ndarray  # [D, 2] range of each continuous action dimension; [0, 2] if discrete
    splits: dict[str, int]  # transitions by split
    duplicates: list[str]  # repeated episodes, which break no rule: short ones repeat by chance
    checksums: str  # "verified", "none stated" or "damaged"
    bytes: int  # of all shards


def check(folder: str | os.PathLike, split: str | Sequence[str] | None = None, most: int = 1000) -> Report:
    """Read and check the whole log; ValueError only if it is not a log. Lists at most `most` violations."""
    log = open_log(folder)
    wrong: list[str] = []
    returns: list[float] = []
    lengths: list[int] = []
    chosen = _ActionStatistics()
    splits: Counter[str] = Counter()
    seen: dict[bytes, str] = {}
    ids: dict[int | str, str] = {}
    duplicates: list[str] = []
    terminated = 0
    for shard in chosen_shards(log, split):
        number = -1
        try:
            for number, record in enumerate(records(log, shard)):
                where = f"{shard.path.name}, episode {number}"
                try:
                    episode, found = _episode(record, log, shard, number)
                except ValueError as error:
                    wrong.append(f"{where}: {error}.")
                    continue
                wrong += [f"{where}, {sentence}." for sentence in found]
                steps = episode.steps
                identity = episode.named or episode.episode_id
                if identity is not None:  # optional
                    if identity in ids:
                        wrong.append(f"{where}: episode_id {identity} is also that of {ids[identity]}.")
                    ids.setdefault(identity, where)
                digest = fingerprint(steps)
                if digest in seen:
                    duplicates.append(f"{where} is the same as {seen[digest]}.")
                seen.setdefault(digest, where)
                returns.append(episode.raw_return)
                lengths.append(episode.length)
                splits[shard.split] += episode.length
                chosen.add(steps.action[:-1])
                terminated += bool(steps.is_terminal[-1])
        except ValueError as error:
            wrong.append(str(error))
    wrong += chosen.wrong(str(folder))
    return Report(
        violations=wrong[:most],
        episodes=len(returns),
        transitions=sum(lengths),
        terminated=terminated,
        returns=np.array(returns),
        lengths=np.array(lengths, int),
        actions=chosen.counts(log.actions if isinstance(log.actions, int) else 0),
        spans=chosen.spans,
        splits=dict(splits),
        duplicates=duplicates,
        checksums=_checksums(log),
        bytes=sum(shard.path.stat().st_size for shard in log.shards if shard.path.exists()),
    )


class _ActionStatistics:
    """Statistics of a log's actions."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._one_hot, self.spans = False, np.empty((0, 2))

    def add(self, actions: np.ndarray) -> None:
        """Add the actions of an episode: [N] or [N, D]."""
        if actions.ndim == 1 or not len(actions):
            self._counts.update(actions.tolist() if actions.ndim == 1 else ())
            return
        ends = np.stack([actions.min(axis=0), actions.max(axis=0)], axis=1)
        before = self.spans if len(self.spans) == len(ends) else ends
        self._one_hot = one_hot(actions) and (self._one_hot or not len(self.spans))
        self.spans = np.stack([np.minimum(before[:, 0], ends[:, 0]), np.maximum(before[:, 1], ends[:, 1])], axis=1)

    def counts(self, stated: int) -> np.ndarray:
        """Return the count of each action, for at least the stated number of actions."""
        return np.array([self._counts[n] for n in range(max(1 + max(self._counts, default=-1), stated))], int)

    def wrong(self, where: str) -> list[str]:
        """Return a warning if continuous actions are in fact one-hot choices, else an empty text."""
        return [f"{where}: {ONE_HOT.format(len(self.spans))}."] if self._one_hot else []


def _episode(record: bytes, log: Log, shard: Shard, number: int) -> tuple[Episode, list[str]]:
    """Return the episode and its violations; ValueError if it cannot be decoded."""
    episode = decode(record, log, shard, number, strict=False)
    steps = episode.steps
    found = [f"step {step}: {what}" for step, what in violations(steps, log.actions)]
    fields = tf_example.decode(record)
    if len(steps.action) < 2:
        found.append("it has no transition")
    elif "discount" in log.columns and "steps/discount" in fields:
        stated = columns.rewards(
            step_column(fields["steps/discount"], log.columns["discount"][1], "discount"), "discount"
        )
        wanted = discounts(steps)
        # RLDS leaves the discount of the last step open.
        for step in np.flatnonzero((stated[:-1] == 0) != (wanted[:-1] == 0)):
            found.append(f"step {step}: the discount is {stated[step]:g} where {wanted[step]:g} belongs")
    sums = {"episode_length": (episode.length,), "raw_return": (episode.raw_return,)}
    sums["episode_return"] = (episode.clipped_return, episode.raw_return)  # clipped in RL Unplugged, raw elsewhere
    for name, allowed in sums.items():
        field = fields.get(name)
        value = None if field is None or field.kind == 0 else _first(field)
        if value is None or not np.isfinite(allowed).all():
            continue
        if not any(np.isclose(value, one, rtol=1e-4, atol=1e-3) for one in allowed):
            found.append(f"its {name} is stated as {value:g} but is {allowed[0]:g}")
    return episode, found


def _first(field: tf_example.Field) -> float:
    return float((tf_example.floats(field) if field.kind == tf_example.FLOATS else tf_example.ints(field))[0])


def _checksums(log: Log) -> str:
    if any(shard.sha256 is None for shard in log.shards):
        return "none stated"
    for shard in log.shards:
        if not shard.path.exists() or hashlib.sha256(regular(shard.path).read_bytes()).hexdigest() != shard.sha256:
            return "damaged"
    return "verified"


def picture_strip(folder: str | os.PathLike, path: Path, episodes: int = 4, frames: int = 10) -> None:
    """Write a PNG of a few episodes spread over the log: one row each, with frames from start to end."""
    rows, total = [], sum(shard.episodes for shard in open_log(folder).shards)
    wanted = set(np.linspace(0, max(total - 1, 0), episodes).astype(int).tolist())
    for number, episode in enumerate(read(folder, on_bad_episode=lambda sentence: None)):
        if number in wanted:
            shown = episode.steps.frame[np.linspace(0, episode.length, frames).astype(int)]
            rows.append(np.concatenate(_grey(shown), axis=1))
    if not rows:
        raise ValueError(f"{folder} has no episode whose frames can be shown.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(encode_png(np.concatenate(rows)[None])[0])
    os.replace(partial, path)


def _grey(frames: np.ndarray) -> np.ndarray:
    """Turn [T, H, W] or [T, H, W, C] into grey bytes [T, H, W], planes as shades; ValueError for vectors."""
    if frames.ndim == 4:
        shades = np.linspace(1.0, 0.4, frames.shape[-1]) if frames.dtype == bool else 1 / frames.shape[-1]
        frames = (frames * shades).max(axis=-1) * 255 if frames.dtype == bool else (frames * shades).sum(axis=-1)
    if frames.ndim != 3:
        raise ValueError("The observations are vectors; there is nothing to show.")
    return np.clip(frames, 0, 255).astype(np.uint8)

"""Checkpoints of a run: complete or absent, verified when read, the last two kept.

A checkpoint is `<number>.safetensors` with all arrays, and `<number>.json` with the counters and the digests of all
files it needs, written last. The replay is kept in parts, each with the steps since the previous one, so that every
step is written only once.
"""

import hashlib
import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow

from ...agents.method import Clock, Learner
from ...datasets import atomic
from ...datasets.folders import regular
from ...datasets.teachers import weights
from ..training.state import Member, Pending, TrainingState

KEPT = 2
COUNTERS = ("spent", "phases", "due", "rng_state", "count", "shown", "checked", "turn", "online", "over")
COUNTERS += ("losses", "cuts")
NUMBERS = ("score", "best", "proof", "updates_due", "made", "weaned", "weaning")  # of each member
WRITTEN = {"rng_state": "luck", "updates_due": "owed"}  # names in a checkpoint, where they differ
LIMIT = 4 * 2**30  # maximum bytes of a file


class DamagedCheckpoint(ValueError):
    """A checkpoint is unusable."""


def save(
    folder: Path, state: TrainingState, parts: list[dict], with_replay: bool = True, all_of_it: bool = False
) -> list[dict]:
    """Write a checkpoint, and return the list of its replay's parts for the next one.

    `parts` is the result of the previous call; `all_of_it` keeps parts that the ring has dropped. Raises OSError if the
    disk is full; earlier checkpoints then stay unchanged.
    """
    number = 1 + max(numbers(folder), default=0)
    if with_replay:
        part = _write_part(folder, number, state, parts)
        parts = [*(parts if all_of_it else _useful(parts, state)), part]
    arrays = {"read": np.packbits(state.read)} if state.read is not None else {}
    for m in state.members:
        arrays |= {f"{m.number}/{name}": array for name, array in _arrays(m, with_replay).items()}
    path = folder / f"{number:06d}.safetensors"
    weights.save(path, arrays)
    content = {WRITTEN.get(name, name): getattr(state, name) for name in COUNTERS} | {"parts": parts}
    content |= {"recent": list(state.recent), "arrays": _digest(path.read_bytes())}
    content["members"] = [{WRITTEN.get(name, name): getattr(m, name) for name in NUMBERS} for m in state.members]
    text = json.dumps(content, sort_keys=True)
    atomic.write(folder / f"{number:06d}.json", json.dumps({"digest": _digest(text.encode()), "state": text}).encode())
    _sweep(folder, number)
    return parts


def load(
    folder: Path, number: int, state: TrainingState, go_online: Callable[[Learner], Learner]
) -> tuple[TrainingState, list[dict]]:
    """Return the state of a checkpoint and the parts of its replay; `state` is that of the same run at its start.

    `go_online` turns a learner into its state after the offline phase. The replays are filled, and episodes in progress
    are truncated, since environments cannot be saved. Raises DamagedCheckpoint in one sentence, before `state` is
    changed, if a file is missing or was changed.
    """
    content = _content(folder / f"{number:06d}.json")
    arrays = weights.load(_checked(folder / f"{number:06d}.safetensors", content["arrays"]), LIMIT)
    stored = [_read_part(folder / part["file"], part) for part in content["parts"]]
    for m in state.members:
        m.learner = go_online(m.learner) if content["online"] else m.learner
        _fits(m, _of(m.number, arrays))
    cuts = list(content["cuts"])
    for m, numbers_of in zip(state.members, content["members"], strict=True):
        for part in stored:
            m.replay.put(_of(m.number, part))
        cuts += _fill(m, _of(m.number, arrays))
        _take(m, NUMBERS, numbers_of)
    _take(state, COUNTERS, content)
    state.cuts = cuts
    state.recent = deque(content["recent"], maxlen=state.recent.maxlen)
    if state.read is not None:
        state.read = np.unpackbits(arrays["read"], count=len(state.read)).astype(bool)
    return state, content["parts"]


def _take(owner: TrainingState | Member, names: Sequence[str], content: Mapping[str, Any]) -> None:
    """Set the values of a checkpoint; older versions may lack some."""
    for name in names:
        setattr(owner, name, content.get(WRITTEN.get(name, name), getattr(owner, name)))


def experience(folder: Path) -> tuple[Iterator[tuple[int, int, dict]], list[list[int]], dict[int, np.ndarray]]:
    """Return a run's experience: (member, evaluations before, rows) of each part in order; [member, stream, step] of
    the ends due to interruptions; and the last frames [N] of each member.

    Raises DamagedCheckpoint if a file of the newest checkpoint is missing or was changed.
    """
    number = max(numbers(folder))
    content = _content(folder / f"{number:06d}.json")
    arrays = weights.load(_checked(folder / f"{number:06d}.safetensors", content["arrays"]), LIMIT)
    members = range(len(content["members"]))

    def parts() -> Iterator[tuple[int, int, dict]]:
        for part in content["parts"]:
            rows = _read_part(folder / part["file"], part)
            for member in members:
                yield member, part["shown"], _of(member, rows)

    return parts(), content["cuts"], {member: arrays[f"{member}/frames"] for member in members}


def numbers(folder: Path) -> list[int]:
    """Return the numbers of a folder's checkpoints, oldest first."""
    found = (re.fullmatch(r"(\d{6})\.json", path.name) for path in folder.glob("*.json"))
    return sorted(int(match[1]) for match in found if match)


def shown(folder: Path, number: int) -> int:
    """Return how many students had been shown before a checkpoint. Raises DamagedCheckpoint."""
    return _content(folder / f"{number:06d}.json").get("shown", 0)


def _arrays(m: Member, with_replay: bool) -> dict[str, np.ndarray]:
    """Return all arrays of a member except for the rows of its replay."""
    leaves = jax.tree.leaves(jax.device_get(m.learner))
    found = {f"learner/{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    found |= {"episode": m.clock.episode, "step": m.clock.step, "frames": m.shown()}
    if with_replay and m.replay.priorities is not None:
        found |= {"priorities": m.replay.priorities, "highest": np.array(m.replay.highest)}
        if m.pending:
            rows, values = m.pending.ready()
            found |= {"pending/rows": rows, "pending/values": values}
    return found


def _of(number: int, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of one member under their own names."""
    return {name.partition("/")[2]: a for name, a in arrays.items() if name.startswith(f"{number}/")}


def _fits(m: Member, arrays: dict[str, np.ndarray]) -> None:
    for i, mine in enumerate(jax.tree.leaves(m.learner)):
        theirs = arrays.get(f"learner/{i}")
        if theirs is None or (theirs.shape, theirs.dtype) != (np.shape(mine), np.asarray(mine).dtype):
            raise DamagedCheckpoint("the checkpoint belongs to another network or optimizer")


def _fill(m: Member, arrays: dict[str, np.ndarray]) -> list[list[int]]:
    leaves, tree = jax.tree.flatten(m.learner)
    stored = [jax.numpy.array(arrays[f"learner/{i}"]) for i in range(len(leaves))]  # copies: an update overwrites them
    m.learner = jax.tree.unflatten(tree, stored)
    if "priorities" in arrays:
        m.replay.priorities, m.replay.highest = arrays["priorities"], float(arrays["highest"])
    if "pending/rows" in arrays:  # the replay gets them before the next update, as without an interruption
        rows = arrays["pending/rows"]
        m.pending = Pending(rows, rows >= 0, arrays["pending/values"])  # older versions have negative rows for the log
    m.clock = Clock(arrays["episode"].copy(), arrays["step"].copy())
    return m.cut(arrays["frames"])


def _write_part(folder: Path, number: int, state: TrainingState, parts: list[dict]) -> dict:
    since = parts[-1]["added"] if parts else [[0] * len(m.replay.added) for m in state.members]
    arrays, added = {}, []
    for m, before in zip(state.members, since, strict=True):
        arrays |= {f"{m.number}/{name}": array for name, array in m.replay.rows(np.array(before)).items()}
        added.append(m.replay.added.tolist())
    plain = io.BytesIO()
    np.savez(plain, **arrays)
    data = pyarrow.compress(plain.getbuffer(), codec="zstd", asbytes=True)
    name = f"{number:06d}.replay"
    atomic.write(folder / name, data)
    return {
        "file": name,
        "digest": _digest(data),
        "shown": state.shown,
        "added": added,
        "bytes": plain.getbuffer().nbytes,
    }


def _read_part(path: Path, part: dict) -> dict[str, np.ndarray]:
    _checked(path, part["digest"])
    plain = pyarrow.decompress(path.read_bytes(), decompressed_size=part["bytes"], codec="zstd", asbytes=True)
    with np.load(io.BytesIO(plain), allow_pickle=False) as arrays:
        return dict(arrays)


def _useful(parts: list[dict], state: TrainingState) -> list[dict]:
    """Return the parts of which the replays still hold a step."""
    oldest = [m.replay.oldest for m in state.members]
    return [p for p in parts if any((np.array(a) > o).any() for a, o in zip(p["added"], oldest, strict=True))]


def _content(path: Path) -> dict[str, Any]:
    try:
        sealed = json.loads(regular(path).read_bytes())
        if _digest(sealed["state"].encode()) == sealed["digest"]:
            return json.loads(sealed["state"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    raise DamagedCheckpoint(f"{path} is damaged")


def _checked(path: Path, digest: str) -> Path:
    """Return the path of a file with the expected digest; else raise DamagedCheckpoint."""
    if not path.is_file() or path.stat().st_size > LIMIT or _digest(path.read_bytes()) != digest:
        raise DamagedCheckpoint(f"{path} is missing or damaged")
    return path


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sweep(folder: Path, newest: int) -> None:
    """Remove files that no kept checkpoint needs, and partial ones from a crash."""
    kept = [number for number in numbers(folder) if number <= newest][-KEPT:]
    needed = {f"{number:06d}{end}" for number in kept for end in (".json", ".safetensors")}
    for number in kept:
        try:
            needed |= {part["file"] for part in _content(folder / f"{number:06d}.json")["parts"]}
        except DamagedCheckpoint:
            continue
    for path in folder.iterdir():
        if path.name not in needed:
            path.unlink(missing_ok=True)

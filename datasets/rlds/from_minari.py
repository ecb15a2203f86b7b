"""Episodes from elsewhere: Minari's files, replay buffers saved as npz, and any Gymnasium environment and policy.

What is logged is the action that the policy chose. Where actions are sticky,
the environment may have repeated the one before it instead.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .decode import newest
from .episode import Episode


def minari(folder: str | os.PathLike) -> Iterator[Episode]:
    """The episodes of a Minari dataset with discrete actions, stored as HDF5 (which needs h5py) or Arrow.

    Raises ValueError for nested observations, continuous actions and JPEG frames, which lost what was seen.
    """
    data = Path(folder) / "data" if (Path(folder) / "data").is_dir() else Path(folder)
    path = data / "main_data.hdf5"
    try:
        about = data / "metadata.json"
        space = json.loads(json.loads(about.read_bytes())["observation_space"]) if about.exists() else {}
        shape = space.get("shape")
        numbers = sorted(int(part.parent.name) for part in data.glob("*/part-0.arrow"))
        if numbers and not path.exists():
            for number in numbers:
                yield _minari_episode(_arrow(data, number, shape), number, f"{data / str(number)}", shape)
            return
        try:
            import h5py  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ValueError("Minari's files are read with h5py, which is not installed; pip install h5py.") from None
        with h5py.File(path, "r") as file:
            for name in sorted(file, key=lambda name: int(str(name).removeprefix("episode_"))):
                yield _minari_episode(file[name], int(name.removeprefix("episode_")), f"{path}, {name}", shape)
    except (OSError, KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError) as error:
        raise ValueError(f"{data} is not a Minari dataset: {error}.") from None


def _arrow(data: Path, number: int, shape: list[int] | None) -> dict[str, np.ndarray]:
    """The columns of one episode of Minari's Arrow layout, in which all but the observations end with padding."""
    import pyarrow

    with pyarrow.memory_map(str(data / str(number) / "part-0.arrow")) as file:
        table = pyarrow.ipc.open_file(file).read_all()
    columns = {name: table[name].combine_chunks() for name in table.column_names if name != "infos"}
    seen = columns.pop("observations")
    if pyarrow.types.is_fixed_size_list(seen.type):
        frames = seen.flatten().to_numpy(zero_copy_only=False).reshape(len(seen), *(shape or [-1]))
    else:
        frames = np.empty(len(seen), object)  # nested, or JPEG
    return {"observations": frames, **{name: c.to_numpy(zero_copy_only=False)[:-1] for name, c in columns.items()}}


def _minari_episode(group: Any, number: int, where: str, shape: list[int] | None) -> Episode:
    """`shape` is what an observation has, where the metadata say so: JPEGs of equal length look like vectors."""
    frames, actions = group["observations"], group["actions"]
    plain = hasattr(frames, "shape") and hasattr(actions, "shape") and frames.dtype.kind in "uifb"
    if not plain or shape is not None and list(frames.shape[1:]) != shape:
        raise ValueError(f"{where}: nested or JPEG-encoded observations are not read.")
    if actions.dtype.kind not in "ui" or actions.ndim != 1:
        raise ValueError(f"{where}: its actions are not discrete.")
    if frames.nbytes > 1 << 34 or len(frames) != len(actions) + 1:
        raise ValueError(f"{where}: {len(frames)} observations do not fit {len(actions)} actions.")
    frames = frames[:]
    frames = frames.astype(np.float32) if frames.dtype.kind in "f" else frames
    ended = bool(group["terminations"][-1])
    return Episode.of(frames, actions[:], group["rewards"][:], ended, number, agent_id="minari")


def npz(path: str | os.PathLike) -> Iterator[Episode]:
    """The episodes of a replay buffer of Stable-Baselines3 or CleanRL whose arrays were saved with `np.savez`.

    Needs `observations` [T, N, ...], `actions`, `rewards` and `dones` [T, N]; uses `next_observations`, `timeouts`,
    `pos` and `full` where they are. Of stacks [T, N, 4, H, W] only the newest frames are kept.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        columns = [_streams(arrays[name]) for name in ("actions", "rewards", "dones")]
        frames = _newest_channel(arrays["observations"])
    except KeyError as error:
        raise ValueError(f"{path} has no array {error}; observations, actions, rewards and dones are needed.") from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a replay buffer saved as npz: {error}.") from None
    actions, rewards, dones = columns
    if any(column.shape != frames.shape[:2] for column in columns):
        raise ValueError(f"{path}: its arrays differ in their first two sizes.")
    after = _newest_channel(arrays["next_observations"]) if "next_observations" in arrays else None
    cut = _streams(arrays["timeouts"]) if "timeouts" in arrays else np.zeros_like(dones)
    size = len(frames)
    first = int(arrays["pos"]) if bool(arrays.get("full", False)) and "pos" in arrays else 0
    end = size if first or "pos" not in arrays or bool(arrays.get("full", False)) else int(arrays["pos"])
    order = (first + np.arange(min(end, size))) % size if size else np.empty(0, int)
    number = 0
    for env in range(frames.shape[1]):
        ends = np.flatnonzero(dones[order, env] != 0)
        for begin, stop in zip([0, *(ends + 1)], [*(ends + 1), len(order)], strict=True):
            rows = order[begin:stop]
            if len(rows) == 0:
                continue
            done = bool(dones[rows[-1], env])
            final = np.zeros_like(frames[0, env]) if after is None else after[rows[-1], env]
            if after is None and not (done and not cut[rows[-1], env]):  # nothing to bootstrap from: one fewer
                final, rows = frames[rows[-1], env], rows[:-1]
            if len(rows):
                seen = np.concatenate([frames[rows, env], final[None]])
                ended = done and not bool(cut[order[stop - 1], env])
                yield Episode.of(seen, actions[rows, env], rewards[rows, env], ended, number, agent_id=Path(path).stem)
                number += 1


def _streams(column: np.ndarray) -> np.ndarray:
    """[T], [T, N] or [T, N, 1] -> [T, N]."""
    column = column[..., 0] if column.ndim == 3 else column
    return column[:, None] if column.ndim == 1 else column


def _newest_channel(frames: np.ndarray) -> np.ndarray:
    """[T, N, ...]; stacks of frames [T, N, 4, H, W] or [T, N, H, W, 4] become [T, N, H, W]. Floats become float32."""
    if frames.dtype.kind == "f":
        frames = frames.astype(np.float32)
    if frames.dtype == np.uint8 and frames.ndim == 5:
        return frames[:, :, -1] if frames.shape[2] in (1, 4) else frames[..., -1]
    return frames


def play(
    env: Any, policy: Callable[[Any], int], transitions: int, seed: int = 0, agent_id: str = "", **about
) -> Iterator[Episode]:
    """Plays a Gymnasium environment (or whatever has its `reset` and `step`) with any Python callable.

    Yields whole episodes; the one that reaches the number of transitions is cut there.
    """
    number = done = 0
    while done < transitions:
        observation, _ = env.reset(seed=seed if number == 0 else None)
        frames, actions, rewards = [np.asarray(observation)], [], []
        terminated = truncated = False
        while not (terminated or truncated) and done < transitions:
            action = int(policy(observation))
            observation, reward, terminated, truncated, _ = env.step(action)
            frames.append(np.asarray(observation))
            actions.append(action)
            rewards.append(float(reward))
            done += 1
        seen = newest(np.stack(frames))
        seen = seen.astype(np.float32) if seen.dtype.kind == "f" else seen
        yield Episode.of(seen, actions, rewards, bool(terminated), number, agent_id=agent_id, **about)
        number += 1

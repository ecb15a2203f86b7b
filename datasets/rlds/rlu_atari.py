"""RL Unplugged Atari (Gulcehre et al., 2020) as TFDS prepares it: a folder for each game and run.

Its rewards and returns are clipped to [-1, 1], whatever the names of their fields say.
"""

import os
import re
from pathlib import Path

NAMES = ("rlu_atari_checkpoints_ordered", "rlu_atari_checkpoints", "rlu_atari")


def folder(root: str | os.PathLike, game: str, run: int) -> Path:
    """Return where a game's run lies under TFDS' data folder, the newest version of it,
    in training order if that is there.

    Its splits are checkpoints, `checkpoint_00` to `checkpoint_49`, which `read` and `select` take. Raises
    ValueError that lists what there is.
    """
    root = Path(root)
    for name in NAMES:
        versions = [path for path in (root / name / f"{game}_run_{run}").glob("*") if _version(path) is not None]
        if versions:
            return max(versions, key=lambda path: _version(path) or ())
    there = sorted({path.name for name in NAMES for path in (root / name).glob("*_run_*")})
    raise ValueError(f"{root} has no run {run} of {game}; it has {', '.join(there) or 'none of RL Unplugged Atari'}.")


def _version(path: Path) -> tuple[int, ...] | None:
    return tuple(int(n) for n in path.name.split(".")) if re.fullmatch(r"\d+\.\d+\.\d+", path.name) else None

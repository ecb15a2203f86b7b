"""Check a request as far as possible before anything is fetched, compiled or written."""

import os
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp

from ...agents import keywords, presets
from ...agents.networks import build, parse_network
from ...datasets.hub import place
from ...datasets.rlds.select import LogPart
from ..tasks.environments import actions_of, array_maker, make, seeds
from ..tasks.task import Task, find
from ..training import fused
from ..training.preset_choice import settle
from ..training.teacher_values import reads_log
from .request import RunRequest


def check(request: RunRequest) -> None:
    """Raise ValueError in one sentence for an invalid request.

    The teacher and the log are checked later, when they are read.
    """
    task = find(request.task)
    if request.hub != "bundled":
        place.find(request.hub)
    seeds("train", request.seed, max(request.environments, 1))
    for text in request.teacher_log:
        LogPart.parse(text)
    _, settings = settle(task, request.method, request.budget, request.settings, request.preset)
    if settings.get("network"):
        check_network(task, str(settings["network"]))
    if request.fused:
        method = keywords.make(request.method, presets.absolute(settings, dict.fromkeys(presets.UNITS, 1.0)))
        array_maker(task)
        fused.check(method, task, reads_log(method._replace(offline_share=0.0)))


def check_network(task: Task, text: str) -> None:
    """Raise ValueError unless the network can be built for the observations and the actions of the task."""
    asked = parse_network(text)
    net, obs = build(asked, actions_of(task)), jnp.asarray(make(task, seeds("random", 0, 1)).observe())
    try:
        jax.eval_shape(net.init, jax.random.key(0), obs)
    except ArithmeticError:  # the image is too small for the convolutions
        raise ValueError(f"the network {asked.name!r} does not support observations {obs.shape[1:]}") from None


def check_folder(folder: Path) -> None:
    """Raise ValueError unless the folder is new and can be created."""
    if folder.exists():
        raise ValueError(
            f"{folder} exists: give another folder with --out, resume it with --resume {folder}, or remove it"
        )
    check_writable(folder, "--out")


def check_writable(path: Path, option: str) -> None:
    """Raise ValueError unless a path, existing or not, can be written."""
    above = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".reincarnate-", dir=above))
    except OSError:
        raise ValueError(f"{path} cannot be written: give another place with {option}") from None

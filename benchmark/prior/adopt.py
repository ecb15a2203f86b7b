"""Turn a teacher from elsewhere into one of ours: its weights under our names, and a card that states its source."""

import shutil
from pathlib import Path
from typing import Any

from ...agents.teacher import flatten
from ...datasets import atomic
from ...datasets.teachers import weights
from ...leaderboard.record import Evaluation
from ..display import Display
from ..evaluation.evaluator import Evaluator
from ..tasks.task import find
from .load import pull_teacher
from .promote import Description, write_teacher
from .recognised import content, facts, library_of, task_of


def adopt(
    place: Path, out: Path, name: str, task: str, episodes: int, about: dict[str, str], show: Display
) -> Evaluation:
    """Write the repository of a teacher from elsewhere to a new folder, and return how it plays.

    `about`: `source`, where it is from, and `license`. Its original file is identified by its SHA-256 and not copied.
    Its cost is unknown, so the card does not state one. ValueError if it cannot be read, or does not fit its task.
    """
    atomic.vacant(out)
    if episodes < 0:
        raise ValueError(f"{episodes} episodes cannot be played: give a positive number, or 0 for the task's default")
    played = find(task) if task else task_of(place, str(place))
    policy, parent = pull_teacher(place, "bundled", played)
    assert parent is not None
    config, _ = content(place)
    judging = played._replace(evaluation_episodes=episodes, evaluation_steps=0) if episodes else played
    judged = Evaluator(judging, 0, 0, show).play(policy.apply, policy.params, "promotion", "evaluating the teacher")
    known = facts(place, played)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        weights.save(partial / "policy.safetensors", flatten(policy.params), {"format": "reincarnate"})
        kept = ("architecture", "actions", "observation", "outputs", "origin", "claim")
        ours: dict[str, Any] = {key: config[key] for key in kept if key in config}
        ours |= {"task": played.name, "protocol": played.protocol(), "name": name}
        ours["origin"] = {**ours.get("origin", {}), **({"source": about["source"]} if about.get("source") else {})}
        card = {
            "task": played.name,
            "protocol": judging.protocol(),
            "network": config["architecture"],
            "license": _given(about, known, "license") or "other",
            "description": _description(known, library_of(config), _given(about, known, "source")),
        }
        write_teacher(partial, judging, policy, judged, Description(name, ours, card), show)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return judged


def _given(about: dict[str, str], known: dict[str, str], what: str) -> str:
    """Return what the user says about a teacher, or else what is known of it."""
    said = about.get(what, "")
    return said if said not in ("", "other") else known.get(what, "")


def _description(known: dict[str, str], library: str, source: str) -> str:
    """Return the first paragraphs of the card: its author, the original file, and the author's description."""
    said = [f"A policy made with {library}, not with `reincarnate`, and converted to its layout."]
    said.append(f"Source: {source}." if source else "Its origin was not stated.")
    said.append(f"Made from the file {known['file']}.")
    if "normalised by" in known:
        said.append(f"Observations are normalised by the statistics of its {known['normalised by']}.")
    if "claimed" in known:
        where = f" in {known['author names']}" if "author names" in known else ""
        said.append(f"Its author claims a mean return of {known['claimed']}{where}.")
    if "differs" in known:
        said.append(f"Note: {known['differs']}.")
    if "scores" in known:
        said.append(f"Its scores: {known['scores']}.")
    cost = f"Its training took {known['cost']}." if "cost" in known else "Its training cost is unknown."
    return " ".join([*said, cost])

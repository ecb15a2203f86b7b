"""Teachers that other packages ship: found where these are installed, and recognised by their content anywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...datasets.hub.hub import Found
from ...datasets.hub.reference import Ref
from ..tasks.balloon import genuine
from ..tasks.task import canonical

DAY = 86_400.0  # seconds


class FileFacts(NamedTuple):
    """Facts about a file that its library does not state."""

    task: str
    about: Mapping[str, str]  # source, license, cost and scores, a line each
    at_least: Mapping[str, float]  # lower bounds of its unrecorded cost, in units of a budget


class Installed(NamedTuple):
    """A teacher in a package, with a name that works as a reference."""

    name: str
    file: Path
    known: FileFacts


PERCIATELLI44 = "balloon/perciatelli44"
KNOWN = {  # by the SHA-256 of the file
    "f4185886e583324092d5424a2b9a4fa0956e1027e1ad2a05d35e15be59714fc8": FileFacts(
        "balloon/station_keeping",
        {
            "source": "perciatelli44.pb of balloon-learning-environment 1.0.1, "
            "the agent of Bellemare et al. (Nature, 2020) and the teacher of Agarwal et al. (2022)",
            "license": "apache-2.0",
            "cost": "about a month (Agarwal et al., 2022), which nobody counted",
            "scores": "over the 100 seeds of small_eval, mean return 459.6 (95 % interval 404.6 to 517.7) and TWR50 "
            "35.2 % (29.2 to 41.6 %); the Balloon Learning Environment plots 32.3 % over the 10,000 seeds of big_eval",
        },
        # four weeks, and one update on one transition: three passes through its 2.8 million weights
        {"seconds": 28 * DAY, "device": 28 * DAY, "flops": 1.7e7},
    ),
}


def installed() -> list[Installed]:
    """Return the teachers found on this machine."""
    try:
        file = genuine.folder() / "models" / "perciatelli44.pb"
    except ValueError:
        return []
    (known,) = KNOWN.values()
    return [Installed(PERCIATELLI44, file, known)] if file.is_file() else []


def search(text: str, tags: Sequence[str], task: str) -> list[Found]:
    """Return teachers with all words of a text and all tags, for one task or any, in the form of a hub's results."""
    found = []
    for name, _, known in installed():
        theirs = (known.task, "installed", f"license:{known.about['license']}")
        words = " ".join([name, *theirs]).lower()
        wanted = set(tags) <= set(theirs) and all(word in words for word in text.lower().split())
        if wanted and (not task or canonical(task) == known.task):
            found.append(Found(Ref(name), theirs, ""))
    return found


def file_of(name: str) -> Path | None:
    """Return the file of an installed teacher, given its name; None for any other name.

    ValueError if its package is not installed.
    """
    if name != PERCIATELLI44:
        return None
    genuine.folder()
    return next((one.file for one in installed() if one.name == name), None)


def completed(config: dict[str, Any]) -> dict[str, Any]:
    """Return a teacher's configuration; for known files, with their task and origin added."""
    origin = config.get("origin")
    known = KNOWN.get(str(origin.get("sha256"))) if isinstance(origin, dict) else None
    if known is None:
        return config
    return {**config, "task": known.task, "origin": {**config["origin"], **known.about}}


def least(reference: str) -> Mapping[str, float]:
    """Return the least that an installed teacher cost; empty for any other reference."""
    (known,) = KNOWN.values()
    return known.at_least if reference == PERCIATELLI44 else {}

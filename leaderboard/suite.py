"""Suites: tasks that count together, with fixed anchors for scores and fronts.

Anchors never change within a version, so that a new entry cannot change an old one's score. The results repository
holds one file per version, `suites/NAME-v1.json`; the newest one counts.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from .fields import Closed, Date, first_faults
from .submission import plain

NAME = r"^[a-z0-9][a-z0-9-]{0,63}$"
BUNDLED = Path(__file__).parent / "suites"  # a results repository holds its season's


class Span(Closed):
    """The range of costs: `cheap` or less counts fully, `dear` or more not at all."""

    cheap: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    dear: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _in_order(self):
        if self.cheap >= self.dear:
            raise ValueError("cheap must be less than dear")
        return self


class Anchor(Closed):
    """The reference of a task's scores: mean returns of random play and of the suite's teacher."""

    random: Annotated[float, Field(allow_inf_nan=False)]
    teacher: Annotated[float, Field(allow_inf_nan=False)]
    missing: float = 0.0  # score of an entry without a run of this task; 0 is random play
    costs: dict[str, Span] = {}  # by unit: flops, frames, seconds, device
    reference: str = ""  # user/name@commit of the teacher, if known


class Suite(Closed):
    """A named list of tasks at one version."""

    name: Annotated[str, Field(pattern=NAME)]
    version: Annotated[int, Field(ge=1)]
    tasks: Annotated[dict[str, Anchor], Field(min_length=1)]
    about: str = ""
    scale: Literal["teacher", "human"] = "teacher"  # whose return scores 1
    seeds: Annotated[int, Field(ge=1, le=100)] = 5  # runs that an entry needs on each task: seeds 0 to n-1
    hidden: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")  # SHA-256 of the file that ends the season
    ends: Date | Literal[""] = ""  # when that is, UTC; later entries could tune to the hidden tasks


def parse(data: bytes, where: str) -> Suite:
    """Parse a suite's file; ValueError names the invalid field."""
    try:
        return Suite.model_validate(plain(data, where))
    except ValidationError as error:
        raise ValueError(f"{where} is not a suite: {first_faults(error)}") from None


def suite_id(name: str, version: int) -> str:
    """Return the suite's name with its version, as in its file name and on the Hub: `minatar5-v1`."""
    return f"{name}-v{version}"


def season(suite: Suite, path: Path) -> Suite | None:
    """Read the hidden tasks of a suite's season as a suite of their own; None if the season has not ended.

    The file is published at the end: {"task": anchor with the teacher's reference}. ValueError unless its hash is the
    one that the suite published at the start.
    """
    if not suite.hidden or not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != suite.hidden:
        raise ValueError(f"seasons/{path.name} is not the file whose hash {suite.name} published when it began")
    try:
        tasks = TypeAdapter(dict[str, Anchor]).validate_json(data)
    except ValidationError as error:
        raise ValueError(f"seasons/{path.name} is not the tasks of a season: {first_faults(error)}") from None
    about = f"The tasks that {suite.name} version {suite.version} kept hidden until its season ended."
    name, facts = f"{suite.name[:57]}-hidden", {"seeds": suite.seeds, "ends": suite.ends}
    return Suite(name=name, version=suite.version, tasks=tasks, about=about, **facts)


@cache
def bundled() -> tuple[Suite, ...]:
    """Read the bundled suites, the newest version of each last."""
    found = [Suite.model_validate_json(path.read_bytes()) for path in BUNDLED.glob("*.json")]
    return tuple(sorted(found, key=lambda one: (one.version, one.name)))


def anchor_of(task: str, reference: str) -> tuple[str, Anchor] | None:
    """Find a task's anchor in the newest bundled suite with this teacher: (suite and version, anchor)."""
    for suite in reversed(bundled()):
        anchor = suite.tasks.get(task)
        if anchor and suite.scale == "teacher" and reference and anchor.reference == reference:
            return suite_id(suite.name, suite.version), anchor
    return None

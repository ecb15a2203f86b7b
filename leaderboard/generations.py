"""Generations: which promoted students teach which tasks, as `generations.json` of a results repository has it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .fields import first_faults
from .submission import LIMIT, plain

FILE = "generations.json"
PINNED = r"^[\w.-]{1,96}/[\w.-]{1,96}@[0-9a-f]{40}$"


class Generation(BaseModel):
    """A task with a promoted student's teacher and log. The first students teach generation 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generation: Annotated[int, Field(ge=1)]
    task: Annotated[str, Field(max_length=200)]
    teacher: Annotated[str, Field(pattern=PINNED)]
    log: Annotated[str, Field(pattern=PINNED)]
    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$")]  # the student's
    digest: Annotated[str, Field(max_length=200)]  # of its weights


def parse(data: bytes, where: str) -> tuple[Generation, ...]:
    """Parse the file, in the order of promotion; ValueError names the invalid field."""
    if len(data) > LIMIT:
        raise ValueError(f"{where} has more than {LIMIT} bytes: this is not a list of generations")
    try:
        return tuple(TypeAdapter(list[Generation]).validate_python(plain(data, where)))
    except ValidationError as error:
        raise ValueError(f"{where}: {first_faults(error, 10)}") from None


def written(made: Sequence[Generation]) -> bytes:
    """Return the content of the file."""
    return TypeAdapter(list[Generation]).dump_json(list(made), indent=1) + b"\n"


def names(made: Sequence[Generation]) -> dict[str, Generation]:
    """Name each promoted task: TASK@N for the first of generation N, for good, and TASK@RUN for later ones."""
    found: dict[str, Generation] = {}
    for one in made:
        name = f"{one.task}@{one.generation}"
        found[f"{one.task}@{one.run}" if name in found else name] = one
    return found


def find(name: str, made: Sequence[Generation], where: str) -> Generation:
    """Find a promoted task by its name, TASK@N or TASK@RUN; ValueError lists the known ones."""
    known = names(made)
    one = known.get(name) or next((each for each in made if f"{each.task}@{each.run}" == name), None)
    if one is None:
        there = f"there are {', '.join(known)}" if known else "no student of it has been promoted yet"
        raise ValueError(f"{where} has no task {name}: {there}")
    return one

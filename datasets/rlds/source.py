"""A log from elsewhere, opened: what it says of itself, and its episodes or the reasons why they are none."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..transition import Actions
from .episode import Episode

JPEG = "The frames were stored as JPEG, which loses some of what was seen: the log is marked as lossy"
CUT = "Of an episode that was cut off the last transition is left out: what was seen after it is not stored"


class Bad(NamedTuple):
    """An episode that cannot be taken; the sentence names file, episode, step, what was found and what is wanted."""

    sentence: str


class Note(NamedTuple):
    """Something of an episode that is not kept as it was, or not quite; told once for all episodes."""

    sentence: str


class ForeignLog(NamedTuple):
    """What a reader gives. `read` begins anew at each call and gives the same again."""

    read: Callable[[], Iterator[Episode | Bad | Note]]
    name: str = "imported"
    actions: Actions | None = None  # where the format states it
    notes: tuple[str, ...] = ()  # what is left out or changed in all of it
    where: str = ""  # its file or folder

"""An opened log of another format: its metadata, and its episodes or the faults that invalidate them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..transition import Actions
from .episode import Episode

JPEG = "The frames were stored as JPEG, which is lossy: the log is marked as lossy"
CUT = "The last transition of a truncated episode is left out: the observation after it is not stored"


class Bad(NamedTuple):
    """An episode that cannot be taken; the sentence names file, episode, step, what was found and what is wanted."""

    sentence: str


class Note(NamedTuple):
    """A change to an episode in the import; reported once for all episodes."""

    sentence: str


class ForeignLog(NamedTuple):
    """The result of a reader. Each call of `read` yields the same episodes from the start."""

    read: Callable[[], Iterator[Episode | Bad | Note]]
    name: str = "imported"
    actions: Actions | None = None  # if the format states them
    notes: tuple[str, ...] = ()  # changes to the whole log
    where: str = ""  # its file or folder

"""Limits on clients' use of the server, before and after authentication."""

from typing import NamedTuple

SMALL = 64 * 2**10  # bytes of a body from somebody who may not write, and where no more is needed
LARGE = 16 * 2**20  # bytes of a body where texts or lists of files are sent
COMMIT = 2 * 2**30  # bytes of a commit, which goes to the disk
IN_MEMORY = 2**20  # bytes of a body; what is beyond them waits on the disk
STRANGERS = 2  # bodies of those who may not write that are parsed at a time: a card of YAML may take a second


class Limits(NamedTuple):
    """Times in seconds and numbers of connections; tests take smaller ones."""

    headers: float = 10.0  # until a request's headers are there, from its connection or the answer before on
    window: float = 10.0  # over which the pace of a body is measured
    pace: float = 1024.0  # bytes a second that a body must have
    reading: float = 60.0  # for which a client may take nothing of an answer
    surplus: int = 2**20  # bytes of a body that are thrown away once it was refused, so that the client hears why
    connections: int = 512  # open at a time; fewer where the process may not open twice as many files
    an_address: int = 256  # of one address
    uncommitted: float = 24 * 3600.0  # for which an upload waits for a commit that names it


LIMITS = Limits()

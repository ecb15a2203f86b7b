"""Limits on clients' use of the server, before and after authentication."""

from typing import NamedTuple

SMALL = 64 * 2**10  # bytes of a body from a client without write access, and of short requests
LARGE = 16 * 2**20  # bytes of a body with texts or lists of files
COMMIT = 2 * 2**30  # bytes of a commit, which goes to the disk
IN_MEMORY = 2**20  # bytes of a body kept in memory; the rest goes to the disk
STRANGERS = 2  # bodies from clients without write access parsed at a time: a card's YAML may take a second


class Limits(NamedTuple):
    """Times in seconds and numbers of connections; tests take smaller ones."""

    headers: float = 10.0  # from the connection, or the previous answer, until a request's headers are complete
    window: float = 10.0  # over which the pace of a body is measured
    pace: float = 1024.0  # bytes a second that a body must have
    reading: float = 60.0  # for which a client may read nothing of an answer
    surplus: int = 2**20  # bytes of a refused body that are read and discarded, so that the client hears why
    connections: int = 512  # open at a time; fewer where the process may not open twice as many files
    an_address: int = 256  # of one address
    uncommitted: float = 24 * 3600.0  # for which an upload waits for a commit that names it


LIMITS = Limits()

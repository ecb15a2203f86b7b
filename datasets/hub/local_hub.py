"""The hub of this machine: the server with this user as admin and the bundled repositories.

Those are there at the very commits that they have in the package.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dulwich.object_store import MemoryObjectStore
from dulwich.objects import Blob

from . import bundled, repository
from .place import owner
from .reference import KINDS, Ref
from .server.accounts import User
from .server.large_files import pointer_to
from .server.serve import Address, serve
from .server.store import Hub

SEEDER = User("reincarnate", admin=True)


def beginning(users: Sequence[str] = (), empty: bool = False) -> Callable[[Hub], None]:
    """Return a function that sets a hub up: this user as admin, other users, and the bundle unless `empty`."""

    def begin(hub: Hub) -> None:
        for user in (f"{owner()}:admin", *users):
            hub.accounts.add(user)
        if not empty:
            seed(hub)

    return begin


def seed(hub: Hub) -> None:
    """Add the bundled repositories that the hub lacks; changed ones stay."""
    for kind in KINDS:
        there = {one.name for one in hub.all(kind)}
        for ref in bundled.newest(kind):
            if ref.repo not in there:
                _add(hub, ref, kind)


def _add(hub: Hub, ref: Ref, kind: str) -> None:
    folder = bundled.snapshot(ref, kind)
    made = hub.create(kind, ref.repo, False, SEEDER)
    git, large, memory = hub.git(made), hub.large(made), MemoryObjectStore()
    entries = repository.listing(folder)
    for name, entry in entries.items():
        data = (folder / name).read_bytes()
        if entry.lfs_sha256 is not None:
            partial = large.begin(entry.lfs_sha256)
            partial.write_bytes(data)
            large.finish(partial, entry.lfs_sha256)
            large.keep(entry.lfs_sha256)
            data = pointer_to(entry.lfs_sha256, entry.size)
        git.add([Blob.from_string(data)])
    commit = repository.commit(entries, memory)
    git.add([memory[sha] for sha in memory])
    with hub.database.change():
        hub.set_ref(made, "refs/heads/main", commit.id.decode())
    hub.copy_ref(made, "refs/heads/main")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the local hub and print its URL; clients start it as `python -m reincarnate.datasets.hub.local_hub`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", action="append", default=[])
    parser.add_argument("--idle", type=float, default=0.0)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--log", type=Path)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begin = beginning(given.user, given.empty)
    try:
        address = Address(given.host, given.port)
        serve(given.root, address, begin, given.idle, given.log, ready=lambda url, hub: print(url, flush=True))
    except ValueError as error:
        sys.exit(f"reincarnate: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

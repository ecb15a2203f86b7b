"""What a new hub begins with: the repositories that ship with the package, at the very commits they have there."""

from dulwich.object_store import MemoryObjectStore
from dulwich.objects import Blob

from .. import bundled, repository
from ..reference import KINDS, Ref
from .accounts import User
from .hub import Hub

SEEDER = User("reincarnate", admin=True)


def seed(hub: Hub) -> None:
    """Add what the hub does not have yet; what somebody has changed stays."""
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
            data = repository.pointer(entry.lfs_sha256, entry.size)
        git.add([Blob.from_string(data)])
    commit = repository.commit(entries, memory)
    git.add([memory[sha] for sha in memory])
    with hub.database.change():
        hub.set_ref(made, "refs/heads/main", commit.id.decode())
    hub.copy_ref(made, "refs/heads/main")

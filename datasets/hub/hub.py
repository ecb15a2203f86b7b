"""Teachers and logs from a Hub: `bundled` with the package, `local` on this machine, `hf`, or at a URL.

Nothing falls back from one hub to another. A reference is resolved once to its
40-hex commit, which is logged; what has been fetched once needs no network.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..folders import regular
from ..teachers.claim import claim
from . import bundled
from .bundled import BUNDLE, bundle
from .client import client, log
from .reference import KINDS, Ref
from .server.cards import metadata

__all__ = ["BUNDLE", "KINDS", "bundle", "client"]  # from the modules behind this one


class Found(NamedTuple):
    """One answer to a search."""

    ref: Ref  # pinned to the newest commit
    tags: tuple[str, ...]
    claim: str  # the mean return that its author states, such as `291.10 +/- 116.43`


def open_ref(
    text: str | os.PathLike[str], kind: str, hub: str = "bundled", root: Path | None = None, under: str = ""
) -> tuple[Path, Ref | None]:
    """Return the files at a folder's path or of `user/name[@commit]`, and the pinned reference.

    A folder that exists comes first and has no reference. `under`: of a repository only this folder need be there, but
    the whole may. ValueError if there is no such thing.
    """
    text = os.fspath(text)
    path = os.path.expanduser(text)  # os.path is never surprised: no name is too long or too odd for it
    if os.path.isdir(path):
        return Path(path), None
    if os.path.isfile(path) or os.path.exists(path) and regular(Path(path)) or text.startswith((".", "~", "/")):
        raise ValueError(f"{text} is not a folder: give the folder that holds the files, or user/name@commit")
    try:
        ref = resolve(Ref.parse(text), kind, hub, root)
    except ValueError as error:  # a mistyped path is named too, not only what the hub lacks
        raise error if "@" in text else ValueError(f"there is no folder {text}, and {error}") from None
    folder = snapshot(ref, kind, hub, root, under)
    log.info("hub %s: %s %s", hub, kind, ref)
    return folder, ref


def resolve(ref: Ref, kind: str, hub: str = "bundled", root: Path | None = None) -> Ref:
    """Return the same reference, pinned to its 40-hex commit;
    ValueError if the hub has no such repository or revision."""
    if hub == "bundled":
        return bundled.resolve(ref, kind, root)
    from . import place as hub_place
    from . import remote

    return ref if ref.pinned else remote.resolve(ref, kind, hub_place.find(hub, root))


def snapshot(ref: Ref, kind: str, hub: str = "bundled", root: Path | None = None, under: str = "") -> Path:
    """Return the folder with the files of a reference, or those below one of its folders, every one checked against its
    digest.

    ValueError if the hub does not have it, or if a file is missing, damaged or strange.
    """
    if hub == "bundled":
        return bundled.snapshot(ref, kind, root)
    from . import place as hub_place
    from . import remote

    place = hub_place.find(hub, root)
    return remote.snapshot(remote.resolve(ref, kind, place), kind, place, under)


def folder_of(text: str, hub: str = "hf", root: Path | None = None) -> Path:
    """Return the files that `hf://user/name/folder` means, as Minari writes it: one folder of a dataset's repository.

    `hub` is asked for it. ValueError if it is not such a text, or the hub does not have the folder.
    """
    user, _, rest = text.removeprefix("hf://").partition("/")
    name, _, under = rest.partition("/")
    ref, under = Ref.parse(f"{user}/{name}"), under.strip("/")
    if ".." in under.split("/") or any(letter in under for letter in "*?[]\\"):
        raise ValueError(f"{text} names no folder of a repository: write hf://user/name/folder")
    from . import place as hub_place
    from . import remote

    place = hub_place.find("hf" if hub == "bundled" else hub, root)
    ref = remote.resolve(ref, "dataset", place)
    log.info("hub %s: dataset %s", place.name, ref)
    return remote.snapshot(ref, "dataset", place, under) / under


def search(
    kind: str,
    hub: str = "bundled",
    root: Path | None = None,
    text: str = "",
    tags: Sequence[str] = (),
    most: int = 100,
    fits: Callable[[str], bool] = lambda environment: True,
) -> list[Found]:
    """Return the repositories of a kind that have all the words of `text` in name or tags, and all the tags.

    `fits`: of which environment the author's claim is wanted.
    """
    if hub == "bundled":
        rows = []
        for ref in bundled.newest(kind, root):
            card = metadata(bundled.read_file(ref, kind, "README.md", root).decode(errors="replace"))
            rows.append((ref, [str(tag) for tag in card.get("tags") or ()], card))
        words = text.lower().split()
        rows = [row for row in rows if all(word in " ".join([row[0].repo, *row[1]]).lower() for word in words)]
        rows = [row for row in rows if set(tags) <= set(row[1])][:most]
    else:
        from . import place as hub_place
        from . import remote

        rows = remote.search(kind, hub_place.find(hub, root), text, tags, most)
    return [Found(ref, tuple(their), claim(card, fits).get("mean_reward", "")) for ref, their, card in rows]


def read_file(ref: Ref, kind: str, name: str, hub: str = "bundled", root: Path | None = None) -> bytes:
    """Return one file of a pinned reference, empty if it has none of that name."""
    if hub == "bundled":
        return bundled.read_file(ref, kind, name, root)
    from . import place as hub_place
    from . import remote

    return remote.read_file(ref, kind, name, hub_place.find(hub, root))


def files(ref: Ref, kind: str, hub: str = "bundled", root: Path | None = None) -> dict[str, int]:
    """Return {name: bytes} of a pinned reference."""
    if hub == "bundled":
        return bundled.files(ref, kind, root)
    from . import place as hub_place
    from . import remote

    return remote.files(ref, kind, hub_place.find(hub, root))


def forget(ref: Ref, kind: str, hub: str, root: Path | None = None) -> None:
    """Delete everything that was fetched of a hub's repository from this machine."""
    from . import place as hub_place
    from . import remote

    remote.forget(ref, kind, hub_place.find(hub, root))


def is_published(ref: Ref, kind: str, hub: str = "bundled", root: Path | None = None) -> bool:
    """Return whether a pinned reference is a commit of the branch that its owner publishes,
    not of somebody's request."""
    if hub == "bundled":
        return bundled.resolve(ref, kind, root).pinned
    from . import place as hub_place
    from . import remote

    return remote.is_published(ref, kind, hub_place.find(hub, root))


def publish(
    folder: Path,
    repo: str,
    kind: str,
    hub: str,
    root: Path | None = None,
    private: bool = False,
    message: str = "Add files",
) -> Ref:
    """Upload a folder as one commit and return its reference; ValueError if the hub does not take it."""
    Ref.parse(repo)
    if hub == "bundled":
        raise ValueError("the bundled hub is read-only: publish with --hub local, --hub hf or --hub URL")
    from . import place as hub_place
    from . import remote

    ref = remote.publish(folder, repo, kind, hub_place.find(hub, root), private, message)
    log.info("hub %s: %s %s", hub, kind, ref)
    return ref

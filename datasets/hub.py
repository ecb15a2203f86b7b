"""Teachers and logs from a Hub: the only module that talks to `huggingface_hub`.

The hub `bundled` is a read-only Hub cache that ships with the package: no
network, no account, no server. Every byte of it is checked before it is used.
"""

import os
from pathlib import Path
from types import ModuleType

from . import reference, repository
from .reference import KINDS, Ref

HUBS = ("bundled",)
BUNDLE = "REINCARNATE_BUNDLE"  # environment variable: another folder in place of the one in the package
CURE = "reinstall reincarnate (pip install --force-reinstall --no-deps reincarnate)"
SETTINGS = {  # read when huggingface_hub is imported; what the user has set stays
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",  # its answers name paths to write to, and any server may give them
}


def client() -> ModuleType:
    """`huggingface_hub`, imported at the first call, since that takes 0.3 s, and kept from calling home."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import huggingface_hub

    return huggingface_hub


def bundle(root: Path | None = None) -> Path:
    """The folder of the bundled Hub: the one given, the one in the environment, or the package's own."""
    return Path(root or os.environ.get(BUNDLE) or Path(__file__).parent / "bundled")


def open_ref(text: str, kind: str, hub: str = "bundled", root: Path | None = None) -> tuple[Path, Ref | None]:
    """The files that a user means by a folder's path or by `user/name[@commit]`, and the pinned reference.

    A folder that exists comes first and has no reference. ValueError if there is no such thing.
    """
    path = os.path.expanduser(text)  # os.path is never surprised: no name is too long or too odd for it
    if "@" not in text and os.path.isdir(path):
        return Path(path), None
    if "@" not in text and (os.path.isfile(path) or text.startswith((".", "~", "/"))):
        raise ValueError(f"{text} is no folder: give the folder that holds the files, or user/name@commit")
    ref = resolve(Ref.parse(text), kind, hub, root)
    return snapshot(ref, kind, hub, root), ref


def resolve(ref: Ref, kind: str, hub: str = "bundled", root: Path | None = None) -> Ref:
    """The same reference, pinned to its 40-hex commit; ValueError if the hub has no such repository or revision."""
    home = _home(ref, kind, hub, root)
    main = home / "refs" / (ref.revision or "main")
    if not ((home / "snapshots" / str(ref.revision)).is_dir() if ref.pinned else main.is_file()):
        there = ", ".join(map(str, search(kind, hub, root))) or "nothing"
        raise ValueError(f"the bundled hub has no {kind} {ref}; it has {there}")
    return ref if ref.pinned else Ref(ref.repo, _commit(main))


def snapshot(ref: Ref, kind: str, hub: str = "bundled", root: Path | None = None) -> Path:
    """The folder with the files of a reference, every one checked against its digest.

    ValueError if the hub does not have it, or if a file is missing, damaged or strange.
    """
    ref = resolve(ref, kind, hub, root)
    if fault := repository.problem(_home(ref, kind, hub, root), str(ref.revision)):
        raise ValueError(f"{fault}: {CURE}")
    how = {"cache_dir": bundle(root), "local_files_only": True}
    return Path(client().snapshot_download(ref.repo, repo_type=kind, revision=ref.revision, **how))


def search(kind: str, hub: str = "bundled", root: Path | None = None) -> list[Ref]:
    """All repositories of a kind, each pinned to its newest commit, by name."""
    _require(hub)
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r} of repository; there are {' and '.join(KINDS)}")
    found = []
    for main in sorted(bundle(root).glob(f"{kind}s--*--*/refs/main")):
        _, user, name = main.parent.parent.name.split("--", 2)
        found.append(Ref(f"{user}/{name}", _commit(main)))
    return found


def _home(ref: Ref, kind: str, hub: str, root: Path | None) -> Path:
    _require(hub)
    return bundle(root) / reference.folder(ref, kind)


def _commit(main: Path) -> str:
    sha = main.read_bytes().decode(errors="replace").strip()
    if not reference.is_commit(sha):
        raise ValueError(f"{main} is damaged: {CURE}")
    return sha


def _require(hub: str) -> None:
    if hub not in HUBS:
        raise ValueError(f"there is no hub {hub!r}; there are: {', '.join(HUBS)}")

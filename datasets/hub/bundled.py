"""The hub `bundled`: a read-only Hub cache that ships with the package, checked byte by byte before use."""

import difflib
import os
from pathlib import Path

from . import reference, repository
from .reference import KINDS, Ref

BUNDLE = "REINCARNATE_BUNDLE"  # environment variable: another folder in place of the one in the package
OWN = Path(__file__).parents[1] / "bundled"
FEW = 4  # up to this many repositories are all listed after an unknown name
CURE = "reinstall reincarnate (pip install --force-reinstall --no-deps reincarnate)"


def bundle(root: Path | None = None) -> Path:
    """Return the folder of the bundled hub: the given one, that of the environment variable, or the package's own."""
    return Path(root or os.environ.get(BUNDLE) or OWN)


def resolve(ref: Ref, kind: str, root: Path | None = None) -> Ref:
    """Pin the reference to its 40-hex commit; ValueError for an unknown repository or revision."""
    home = bundle(root) / reference.folder(ref, kind)
    main = home / "refs" / (ref.revision or "main")
    if not ((home / "snapshots" / str(ref.revision)).is_dir() if ref.pinned else main.is_file()):
        found = newest(kind, root)
        there = ", ".join(str(one) if one.repo == ref.repo else one.repo for one in found) or "nothing"
        told, names = f"it has {there}", [one.repo for one in found]
        if len(names) > FEW and ref.repo not in names:
            alike = difflib.get_close_matches(ref.repo, names, 2, 0.8)
            listed = f"`reincarnate {'teachers' if kind == 'model' else 'datasets'} search` lists what it has"
            told = f"did you mean {' or '.join(alike)}?" if alike else listed
        elif len(names) > FEW:
            told = f"it has {next(str(one) for one in found if one.repo == ref.repo)}"
        raise ValueError(f"the bundled hub has no {kind} {ref}; {told}")
    return ref if ref.pinned else Ref(ref.repo, _commit(main))


def snapshot(ref: Ref, kind: str, root: Path | None = None) -> Path:
    """Return the folder with the files of a reference; ValueError if a file is missing, damaged or strange."""
    ref = resolve(ref, kind, root)
    home = bundle(root) / reference.folder(ref, kind)
    if fault := repository.problem(home, str(ref.revision)):
        raise ValueError(f"{fault}: {CURE}")
    return home / "snapshots" / str(ref.revision)


def newest(kind: str, root: Path | None = None) -> list[Ref]:
    """Return all repositories of a kind, each pinned to its newest commit, by name."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of repository: use {' or '.join(KINDS)}")
    found = []
    for main in sorted(bundle(root).glob(f"{kind}s--*--*/refs/main")):
        _, user, name = main.parent.parent.name.split("--", 2)
        found.append(Ref(f"{user}/{name}", _commit(main)))
    return found


def read_file(ref: Ref, kind: str, name: str, root: Path | None = None) -> bytes:
    """Return one file of a pinned reference, empty if it has none of that name."""
    path = bundle(root) / reference.folder(ref, kind) / "snapshots" / str(ref.revision) / name
    return path.read_bytes() if path.is_file() else b""


def files(ref: Ref, kind: str, root: Path | None = None) -> dict[str, int]:
    """Return {name: bytes} of a pinned reference."""
    folder = snapshot(ref, kind, root)
    return {name: (folder / name).stat().st_size for name in repository.names(folder)}


def _commit(main: Path) -> str:
    sha = main.read_bytes().decode(errors="replace").strip()
    if not reference.is_commit(sha):
        raise ValueError(f"{main} is damaged: {CURE}")
    return sha

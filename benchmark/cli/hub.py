"""`reincarnate hub ...`, `teachers ...` and the same for `datasets`: search, show, pull and publish on a Hub."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ...datasets.folders import regular
from ...datasets.hub import hub as hubs
from ...datasets.hub import repository
from ...datasets.hub.reference import Ref
from ...datasets.hub.server.cards import metadata
from ...datasets.teachers.claim import claim
from ...datasets.words import several
from .datasets import Json, datasets
from .help import group
from .options import OfFile, OfTask, Quiet, with_file

teachers = group("Policies on a Hub: search, pull, publish.")
hub = group("A Hub of your own: for a class, a lab or yourself.")

HUBS = "bundled, local (on this machine), hf (huggingface.co), or http://..."
Where = Annotated[str, typer.Option("--hub", help=HUBS)]
Root = Annotated[Path | None, typer.Option(help="Folder of the local hub; default: one for each user.")]
Name = Annotated[str, typer.Option(help="user/name of the repository; default: the name in the card.")]
Private = Annotated[bool, typer.Option("--private", help="Make a new repository visible to its owner only.")]


def search(kind: str, text: str, tag: list[str] | None, task: str, most: int, where: str, as_json: bool) -> None:
    """Print the repositories of a hub. A task matches our own tag, and other names of its environment."""
    from ..prior import installed
    from ..tasks.task import find, game_of

    tags = tag or []
    game = game_of(find(task).env) if task else ""
    found = {}
    for of_task in _names_of(task) if task else [None]:
        for one in hubs.search(
            kind,
            where,
            text=text,
            tags=[*tags, *filter(None, [of_task])],
            most=most,
            fits=lambda environment: game in ("", game_of(environment)),
        ):
            found[one.ref] = one
    if kind == "model" and where == "bundled":
        found |= {one.ref: one for one in installed.search(text, tags, task)}
    rows = list(found.values())[:most]
    if as_json:
        typer.echo(json.dumps([{"reference": str(r.ref), "claim": r.claim, "tags": r.tags} for r in rows], indent=1))
        return
    if not rows:
        typer.echo(f"nothing on the hub {where} matches")
        return
    _table(("name", "commit", "author's claim", "tags"), [(*_short(one.ref), one.claim, _tags(one)) for one in rows])


def show(kind: str, reference: str, where: str, as_json: bool) -> None:
    """Print a hub's information on a repository, without downloading its large files."""
    ref = hubs.resolve(Ref.parse(reference), kind, where)
    card = metadata(hubs.read_file(ref, kind, "README.md", where).decode(errors="replace"))
    name = "config.json" if kind == "model" else "provenance.json"
    try:
        facts = json.loads(hubs.read_file(ref, kind, name, where) or b"{}")
        facts = facts if isinstance(facts, dict) else {}
    except (ValueError, RecursionError):
        facts = {}
    files = hubs.files(ref, kind, where)
    said = claim(card).get("mean_reward", "")
    told = {"reference": str(ref), "hub": where, "claim": said, "tags": card.get("tags") or []}
    if as_json:
        typer.echo(json.dumps({**told, "files": files, name: facts}, indent=1))
        return
    measured = facts.get("evaluation", {}).get("returns") if isinstance(facts.get("evaluation"), dict) else None
    rows = [(key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in told.items()]
    if measured and all(isinstance(one, int | float) for one in measured):
        from ...datasets.hub.card import mean_reward

        rows.append(("measured when published", f"{mean_reward(measured)} over {several(len(measured), 'episode')}"))
    for key in ("task", "architecture", "actions", "observation", "transitions", "episodes", "parents", "spent"):
        if facts.get(key):
            rows.append((key, json.dumps(facts[key])[:300]))
    rows.append(("files", "\n".join(f"{path}  {size:,}" for path, size in sorted(files.items())[:50])))
    _table(("", ""), rows)


def pull(kind: str, reference: str, where: str, as_json: bool) -> None:
    """Fetch a commit once and print its location; for a policy also its origin, or why it cannot be a teacher."""
    ref = hubs.resolve(Ref.parse(reference), kind, where)
    folder = hubs.snapshot(ref, kind, where)
    more: dict[str, str] = {}
    if kind == "model":
        from ..prior.recognised import describe

        try:
            more = {"teacher": describe(folder)}
        except ValueError as error:
            more = {"no teacher": str(error)}
    if as_json:
        typer.echo(json.dumps({"reference": str(ref), "hub": where, "folder": str(folder), **more}))
    else:
        typer.echo("\n".join([f"{ref} from the hub {where}", str(folder), *map(": ".join, more.items())]))


def publish(kind: str, folder: Path, name: str, where: str, root: Path | None, private: bool, as_json: bool) -> None:
    """Upload a folder as one commit and print its reference."""
    from ..prior.whole import check_whole

    name = name or _own_name(folder, kind)
    check_whole(folder)
    ref = hubs.publish(folder, name, kind, where, root, private, f"Publish {folder.name}")
    typer.echo(json.dumps({"reference": str(ref), "hub": where}) if as_json else f"{kind} {ref} at the hub {where}")


@teachers.command("search")
def search_teachers(
    text: Annotated[str, typer.Argument(help="Words in the name or the tags.")] = "",
    task: Annotated[str, typer.Option(help="Only teachers of this task: atari/Pong.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Only those with this tag; may be repeated.")] = None,
    most: Annotated[int, typer.Option("--limit", help="Show at most N.")] = 30,
    where: Where = "bundled",
    as_json: Json = False,
) -> None:
    """List the policies on a hub."""
    search("model", text, tag, task, most, where, as_json)


@datasets.command("search")
def search_logs(
    text: Annotated[str, typer.Argument(help="Words in the name or the tags.")] = "",
    task: Annotated[str, typer.Option(help="Only logs of this task: atari/Pong.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Only those with this tag; may be repeated.")] = None,
    most: Annotated[int, typer.Option("--limit", help="Show at most N.")] = 30,
    where: Where = "bundled",
    as_json: Json = False,
) -> None:
    """List the logs on a hub."""
    search("dataset", text, tag, task, most, where, as_json)


@teachers.command("show")
def show_teacher(
    reference: Annotated[str, typer.Argument(help="user/name[@commit], or a teacher's folder or file.")],
    task: OfTask = "",
    file: OfFile = "",
    where: Where = "bundled",
    as_json: Json = False,
) -> None:
    """Show a hub's information on a policy, or what is recognised in a folder or file: library, network, claim, task.

    With --task or --file, the files of a reference are downloaded and recognised too.
    """
    import os

    from ..prior.installed import file_of

    local = os.path.exists(os.path.expanduser(reference)) or file_of(reference) is not None
    if not local and not task and not file:
        return show("model", reference, where, as_json)
    from ..prior.recognised import facts, place_of
    from ..tasks.task import find

    found = facts(place_of(with_file(reference, file), where)[0], find(task) if task else None)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _table(("", ""), list(found.items()))


@datasets.command("show")
def show_log(reference: str, where: Where = "bundled", as_json: Json = False) -> None:
    """Show a hub's information on a log."""
    show("dataset", reference, where, as_json)


@teachers.command("pull")
def pull_teacher(reference: str, where: Where = "bundled", as_json: Json = False) -> None:
    """Fetch a policy; a commit is only downloaded once."""
    pull("model", reference, where, as_json)


@datasets.command("pull")
def pull_log(reference: str, where: Where = "bundled", as_json: Json = False) -> None:
    """Fetch a log; a commit is only downloaded once."""
    pull("dataset", reference, where, as_json)


@teachers.command("publish")
def publish_teacher(
    folder: Annotated[str, typer.Argument(help="A run's folder, or a teacher's folder or file, from any library.")],
    name: Name = "",
    task: OfTask = "",
    file: OfFile = "",
    source: Annotated[str, typer.Option(help="For an outside teacher: its origin, for the card.")] = "",
    licence: Annotated[str, typer.Option("--license", help="For an outside teacher: its licence.")] = "other",
    where: Where = "local",
    episodes: Annotated[
        int, typer.Option(help="For a run or an outside teacher: episodes for its score; 0: the task's default.")
    ] = 0,
    parents: Annotated[str, typer.Option(help="For a run: the hub of its parents, to add up their costs.")] = "bundled",
    private: Private = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Upload a policy: a run's student first becomes a teacher, and one from elsewhere gets a card with its source."""
    import tempfile

    from ...datasets.teachers import formats
    from ..display import Display
    from ..prior import recognised
    from ..prior.adopt import adopt
    from ..prior.promote import promote

    run = (Path(folder) / "students").is_dir()
    place = Path(folder) if run else recognised.place_of(with_file(folder, file), where)[0]
    if not run and (place / "policy.safetensors").exists():
        formats.config_of(place)
        return publish("model", place, name, where, None, private, as_json)
    if not run:
        recognised.describe(place)  # ValueError if there is none
    if not name:
        what = "a run" if run else "an outside teacher"
        raise ValueError(f"{folder} is {what}, which has no name on a hub: name it with --name user/name")
    Ref.parse(name)
    made = name.partition("/")[2]
    with tempfile.TemporaryDirectory() as temporary, Display(quiet) as shown:
        if run:
            promote(place, Path(temporary) / made, name, episodes=episodes, show=shown, hub=parents)
        else:
            about = {"source": source, "license": licence}
            adopt(place, Path(temporary) / made, name, task, episodes, about, shown)
        publish("model", Path(temporary) / made, name, where, None, private, as_json)


@datasets.command("publish")
def publish_log(
    folder: Annotated[Path, typer.Argument(help="Folder of a log, as `log` writes it, or of a run with --log.")],
    name: Name = "",
    where: Where = "local",
    private: Private = False,
    as_json: Json = False,
) -> None:
    """Upload a log."""
    own = folder / "log"
    publish("dataset", own if own.is_dir() else folder, name, where, None, private, as_json)


@hub.command("serve")
def serve(
    root: Root = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all addresses.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.")] = 0,
    user: Annotated[
        list[str] | None, typer.Option(help="NAME, NAME:read or NAME+ORGANISATION; may be repeated; users are kept.")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="File with such users, one per line.")] = None,
    name: Annotated[list[str] | None, typer.Option(help="Host name to answer to; may be repeated.")] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Leave out the repositories bundled with the package.")
    ] = False,
    log: Annotated[Path | None, typer.Option(help="File to log requests to, one line each.")] = None,
) -> None:
    """Serve a Hub from a folder until Ctrl-C; its folder `tokens` holds users' tokens, one file each."""
    import signal

    from ...datasets.hub import local_hub
    from ...datasets.hub.place import local_root
    from ...datasets.hub.server import serve as server

    def ready(url: str, served: Any) -> None:
        typer.echo(f"{url}\nserves {served.root}; tokens of its users are in {served.root / 'tokens'}")
        typer.echo(f"with this suite: --hub {url}, and REINCARNATE_HUB_TOKEN to publish")
        typer.echo(f"with other tools: HF_ENDPOINT={url} HF_HUB_DISABLE_XET=1 HF_TOKEN=...")

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    everybody = [*(user or ()), *(_listed(users) if users else ())]
    try:
        address = server.Address(host, port, name or ())
        server.serve(local_root(root), address, local_hub.beginning(everybody, empty), log=log, ready=ready)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _listed(path: Path) -> list[str]:
    """Return the users in a file: one per line, skipping empty lines and those that start with #."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a list of users: {error}") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


@hub.command("tokens")
def tokens(root: Root = None, as_json: Json = False) -> None:
    """List the users of a hub's folder with their tokens, to hand out; users put theirs in REINCARNATE_HUB_TOKEN."""
    from ...datasets.hub.place import local_root

    folder = local_root(root) / "tokens"
    found = {path.name: path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("[!.]*"))}
    if not found:
        raise ValueError(f"{folder.parent} has no users yet: start the hub with `reincarnate hub serve --root FOLDER`")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _table(("user", "token"), list(found.items()))


@hub.command("add")
def add(
    folder: Annotated[Path, typer.Argument(help="A teacher's or a log's folder, or a results repository.")],
    name: Name = "",
    root: Root = None,
    private: Private = False,
    as_json: Json = False,
) -> None:
    """Put a folder into the local hub."""
    publish(_kind(folder), folder, name, "local", root, private, as_json)


@hub.command("ls")
def ls(root: Root = None, as_json: Json = False) -> None:
    """List the contents of the local hub."""
    rows = [(kind, one) for kind in hubs.KINDS for one in hubs.search(kind, "local", root, most=1000)]
    if as_json:
        typer.echo(json.dumps([{"kind": kind, "reference": str(one.ref)} for kind, one in rows], indent=1))
    else:
        _table(
            ("kind", "name", "commit", "author's claim"), [(kind, *_short(one.ref), one.claim) for kind, one in rows]
        )


def _names_of(task: str) -> list[str]:
    """Return the tags that mark a task."""
    from ..tasks.task import find

    found = find(task)
    endings = ("NoFrameskip-v4", "NoFrameskip-v0") if found.family == "atari" else ()
    return [f"task:{found.name}", found.environment, *(found.name.partition("/")[2] + one for one in endings)]


def _kind(folder: Path) -> str:
    """Return what a folder holds; ValueError if this cannot be determined."""
    if regular(folder / "config.json").is_file():
        return "model"
    logs = ((folder / place / "dataset_info.json").is_file() for place in (".", "array_record", "tfrecord"))
    if (folder / "suites").is_dir() or any(logs):
        return "dataset"
    from ...datasets.teachers import formats

    if folder.is_dir() and (found := formats.recognise(folder)):
        say = f"{folder} holds a teacher of {found[0]}, which has no card yet: add it with "
        raise ValueError(f"{say}`reincarnate teachers publish {folder} --name user/name --hub local`")
    raise ValueError(f"{folder} is not a teacher (config.json), a log (dataset_info.json) or results (suites/)")


def _own_name(folder: Path, kind: str) -> str:
    """Return the name of a repository according to its own files."""
    repository.names(folder)  # no pipe is ever opened
    try:
        if kind == "model":
            found = json.loads((folder / "config.json").read_text(encoding="utf-8"))["name"]
        else:
            found = (folder / "README.md").read_text(encoding="utf-8").partition("\n# ")[2].partition("\n")[0]
        return Ref.parse(str(found).strip()).repo
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{folder} does not state its name: give one with --name user/name") from None


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table: in a pipe one record per line; in a terminal long cells wrap, except for names."""
    from rich.table import Table
    from rich.text import Text

    from .. import tables

    if (width := tables.room()) == tables.WIDE:
        columns = [tables.Column(title) for title in head]
        typer.echo(tables.text(columns, rows, width).removeprefix("\n" if not any(head) else ""))
        return
    table = Table(box=None, show_header=any(head), pad_edge=False)
    for title in head:
        table.add_column(title, no_wrap=any(head) and title is not head[-1])
    for row in rows:
        table.add_row(*(Text(_plain(cell), overflow="fold") for cell in row))
    tables.console().print(table)


def _short(ref: Ref) -> tuple[str, str]:
    return ref.repo, str(ref.revision or "")[:12]


def _tags(one: hubs.Found) -> str:
    return ", ".join(tag for tag in one.tags if "reinforcement" not in tag and not tag.startswith("license:"))


def _plain(text: str) -> str:
    """Remove control characters from text, since a card is untrusted."""
    return "".join(c for c in text if c == "\n" or c.isprintable())

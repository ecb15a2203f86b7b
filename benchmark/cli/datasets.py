"""`reincarnate datasets ...` and `reincarnate cache ...`: check, convert and copy logs, and manage their cache."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ...datasets.folders import regular
from ...datasets.hub import hub as hubs
from ...datasets.words import several
from .help import group

datasets = group("Logs: list, check, import and export them.")
cache = group("Logs decoded once, as memory-mapped arrays.")

Reference = Annotated[str, typer.Argument(help="A log's folder, or user/name[@commit].")]
Hub = Annotated[str, typer.Option(help="Hub on which references are looked up.")]
Splits = Annotated[
    str, typer.Option(help="Only these splits, comma-separated: checkpoint_00,checkpoint_01; default: all.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Skip = Annotated[bool, typer.Option("--skip-bad-episodes", help="Skip bad episodes, and count them.")]


REMARKS = 5  # repeated episodes to name; all are counted


def log_folder(reference: str, hub: str) -> Path:
    """Return the folder with a log's shards, given that folder, its repository, or a reference."""
    from ...datasets.rlds.folder import shards_in

    return shards_in(hubs.open_ref(reference, "dataset", hub)[0])


@datasets.command("ls")
def list_logs(hub: Hub = "bundled") -> None:
    """List the logs on a hub."""
    for one in hubs.search("dataset", hub):
        typer.echo(str(one.ref))


@datasets.command()
def check(
    reference: Reference,
    split: Splits = "",
    strip: Annotated[str, typer.Option(help="Write a PNG with frames of a few episodes here.")] = "",
    hub: Hub = "bundled",
    as_json: Json = False,
) -> None:
    """Check a log against every rule of RLDS and describe it; exit with 1 if it breaks one.

    Repeated episodes are only a remark, since short ones can repeat by chance.
    """
    from ...datasets.rlds import check as checks

    folder = log_folder(reference, hub)
    report = checks.check(folder, _splits(split))
    if strip:
        checks.picture_strip(folder, Path(strip))
    bad = bool(report.violations or report.checksums == "damaged")
    if as_json:
        plain = {key: getattr(value, "tolist", lambda value=value: value)() for key, value in report._asdict().items()}
        typer.echo(json.dumps(plain))
        raise typer.Exit(1 if bad else 0)
    for sentence in report.violations:
        typer.echo(sentence)
    for sentence in report.duplicates[:REMARKS]:
        typer.echo(f"remark: {sentence}")
    chosen = ", ".join(f"{count / max(report.actions.sum(), 1):.0%}" for count in report.actions)
    lines = {
        "episodes": _ends(report.episodes, report.terminated),
        "transitions": ", ".join(f"{split} {count:,}" for split, count in report.splits.items()),
        "bytes": f"{report.bytes:,}, {report.bytes / max(report.transitions, 1):.0f} a transition",
        "actions": chosen or ", ".join(f"{low:.3g} to {high:.3g}" for low, high in report.spans),
        "checksums": report.checksums,
        "rules of RLDS": f"{len(report.violations)} broken" if report.violations else "all kept",
        "duplicates": str(len(report.duplicates)) + (" (short episodes repeat by chance)" if report.duplicates else ""),
    }
    if lossy := _facts(folder.parent).get("lossy"):
        lines["frames"] = f"lossy: they were {str(lossy).upper()}"
    if report.episodes:
        low, mean, high = report.returns.min(), report.returns.mean(), report.returns.max()
        lines["returns"] = f"mean {mean:.2f}, from {low:g} to {high:g}"
        lines["lengths"] = f"mean {report.lengths.mean():.0f}, from {report.lengths.min()} to {report.lengths.max()}"
    for name, line in lines.items():
        typer.echo(f"{name:14} {line}")
    raise typer.Exit(1 if bad else 0)


@datasets.command("import")
def import_log(
    source: Annotated[str, typer.Argument(help="Folder or file to import, or hf://USER/NAME/FOLDER.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    kind: Annotated[str, typer.Option("--from", help="rlds, dopamine, minari, npz or parquet.")],
    task: Annotated[str, typer.Option(help="Task of the log; frames and actions must match it.")] = "",
    split: Annotated[str, typer.Option(help="Only these splits, comma-separated.")] = "",
    observation: Annotated[str, typer.Option(help="Field that holds the observation.")] = "",
    teacher_values: Annotated[str, typer.Option(help="Field that holds a teacher's values or logits.")] = "",
    actions: Annotated[int, typer.Option(help="Number of actions; 0: as stated, or the highest plus one.")] = 0,
    checkpoint: Annotated[int, typer.Option(help="Checkpoint of a Dopamine log; -1: the last.")] = -1,
    name: Annotated[str, typer.Option(help="Name of the log: lower-case letters, digits, underscores.")] = "",
    hub: Annotated[str, typer.Option(help="Hub for hf:// sources: hf, local or a URL.")] = "hf",
    skip: Skip = False,
) -> None:
    """Convert experience from elsewhere: TFDS folders, Dopamine replay logs, Minari, npz replay buffers, Parquet."""
    from ...datasets.rlds import importing

    place = hubs.folder_of(source, hub) if source.startswith("hf://") else Path(source).expanduser()
    options = {"split": _splits(split), "observation": observation, "teacher_values": teacher_values}
    opened = importing.open_source(kind, place, **options, checkpoint=checkpoint)
    wish = importing.Wish(name, actions, None, skip)
    facts = {"imported_from": kind, "source": place.name, **({"task": task} if task else {})}
    if task:
        frame, there = _shown(task)
        wish = wish._replace(frame=frame, actions=actions or there)
    made = importing.write(opened, out, wish, facts)
    _say_skipped(made.skipped)
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{made.folder}: written; see it with `reincarnate datasets check {out}`")


def _shown(name: str):
    """Describe the observations and actions of a task."""
    from ...datasets.rlds.survey import Frame
    from ..tasks import environments
    from ..tasks.task import find

    env = environments.make(find(name), environments.seeds("log", 0, 1))
    frame = env.observe()[0, -1]
    return Frame(frame.shape, frame.dtype), env.actions


@datasets.command()
def export(
    reference: Reference,
    out: Annotated[Path, typer.Argument(help="Folder to write; it must not exist.")],
    format: Annotated[
        str, typer.Option("--to", "--format", help="tfrecord (for tf.data and rlds), array_record, parquet or minari.")
    ] = "tfrecord",
    split: Splits = "",
    hub: Hub = "bundled",
    skip: Skip = False,
) -> None:
    """Copy a log to a new folder: as TFRecord for tf.data, as plain Parquet, or for Minari."""
    from ...datasets.rlds import exporting

    skipped: list[str] = []
    folder, told = log_folder(reference, hub), skipped.append if skip else None
    how = exporting.export(folder, out, format, _splits(split), on_bad_episode=told)
    _say_skipped(skipped)
    typer.echo(f"{out}: written as {format}{how}")


@cache.command("ls")
def list_cache(as_json: Json = False) -> None:
    """List the decoded logs."""
    from ...datasets.rlds.cache import entries

    for entry in entries():
        if as_json:
            typer.echo(json.dumps({**entry._asdict(), "folder": str(entry.folder)}))
        else:
            typer.echo(f"{entry.key[:12]}  {entry.steps:>12,} steps  {entry.bytes / 1e6:>10,.1f} MB  {entry.source}")


@cache.command("rm")
def remove_cache(
    keys: Annotated[
        list[str] | None, typer.Argument(help="Keys, or their first characters, as `cache ls` shows them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove every decoded log.")] = False,
) -> None:
    """Remove decoded logs; they are decoded again when needed."""
    from ...datasets.rlds.cache import entries, remove

    wanted = [entry.key for entry in entries()] if everything else keys or []
    if not wanted:
        print("reincarnate: nothing to remove: give a key from `reincarnate cache ls`, or --all", file=sys.stderr)
        raise typer.Exit(0 if everything else 2)
    for key in wanted:
        entry = remove(key)
        typer.echo(f"removed {entry.key[:12]}: {entry.bytes / 1e6:,.1f} MB")


def _facts(folder: Path) -> dict:
    """Return the provenance of a log; empty if none can be read."""
    try:
        found = json.loads(regular(folder / "provenance.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ends(episodes: int, ended: int) -> str:
    """Count a log's episodes by how they ended: `3, of which 2 ended and 1 was cut off`."""
    cut = episodes - ended
    if episodes < 2 or not cut or not ended:
        word = "ended" if ended else "cut off"
        return f"{episodes:,}" + (f", {'all ' if episodes > 1 else ''}{word}" if episodes else "")
    return f"{episodes:,}, of which {ended:,} ended and {cut:,} {'was' if cut == 1 else 'were'} cut off"


def _say_skipped(sentences: list[str]) -> None:
    for sentence in sentences:
        typer.echo(f"skipped: {sentence}", err=True)
    if sentences:
        typer.echo(f"{several(len(sentences), 'bad episode')} skipped", err=True)


def _splits(text: str) -> list[str] | None:
    return [part for part in text.split(",") if part] or None

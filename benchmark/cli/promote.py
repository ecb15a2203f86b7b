"""`reincarnate promote` and `reincarnate log`: turn a student into a teacher, and a policy's experience into a log."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.hub.reference import Ref
from ...datasets.words import several
from ..tasks.environment import ENVIRONMENTS
from .options import POLICY, OfFile, OfTask, Out, Quiet, given, with_file

PLAYED = {"--epsilon", "--checkpoints", "--seed", "--environments", "--resume"}  # options for playing a policy


def promote(
    run: Annotated[str, typer.Argument(help="A run's folder; with --at: the id of a re-scored run.")],
    name: Annotated[
        str, typer.Option(help="user/name of the teacher's repository; default with --at: task and id.")
    ] = "",
    out: Out = "",
    point: Annotated[float | None, typer.Option(help="Student at this many agent steps, instead of the last.")] = None,
    episodes: Annotated[int, typer.Option(help="Fresh episodes for its score; 0: the task's default.")] = 0,
    into: Annotated[str, typer.Option(help="Also add it to the Hub cache at this folder, as a commit.")] = "",
    bar: Annotated[
        float, typer.Option(help="With --at: lowest re-evaluated score that a student needs to teach.")
    ] = 0.5,
    at: Annotated[str, typer.Option("--at", help="user/name of the results repository with the run.")] = "",
    hub: Annotated[
        str, typer.Option(help="Hub with the run's teachers (default: bundled), or with --at that repository (local).")
    ] = "",
    steps: Annotated[str, typer.Option(help="With --at: transitions to log: 20k, 1M.")] = "50k",
    quiet: Quiet = False,
) -> None:
    """Turn a run's student into a teacher: weights, configuration, card, record and ledger in one folder.

    With --at, publish a re-scored student as a teacher with its log; the two define a task of the next generation.
    """
    from ..display import Display

    if name:
        Ref.parse(name)
    with Display(quiet) as show:
        if not at:
            from ...datasets.hub import place
            from ..prior.promote import promote as make

            if hub not in ("", "bundled"):
                place.find(hub)  # an ancestor that cannot be read has no price, so a wrong name would not be noticed
            folder, name = Path(out) if out else Path(run) / "teacher", name or "local/teacher"
            make(Path(run), folder, name, point, episodes, show, hub or "bundled")
            return _install(folder, name, "model", into)
        if out or into or episodes or point is not None:
            raise ValueError("a re-scored run is promoted as it is: leave out --out, --into, --episodes and --point")
        from ...datasets.hub.pull_requests import DatasetRepository
        from ..submission.next_generation import promote_run
        from ..training.budget import amount_of

        hub = hub or "local"
        task, made = promote_run(run, DatasetRepository(at, hub), hub, int(amount_of(steps)), name, show=show, bar=bar)
    typer.echo(f"{task}: {made.teacher}, {made.log}")
    typer.echo(f"reincarnate run --task {task} --at {at} --hub {hub} --method qdagger --budget steps=100k")


def log(
    context: typer.Context,
    policy: Annotated[str, typer.Argument(help=POLICY)],
    steps: Annotated[str, typer.Option(help="Least number of transitions to log: 20k, 1M.")],
    task: OfTask = "",
    file: OfFile = "",
    name: Annotated[str, typer.Option(help="user/name of the log's repository.")] = "local/log",
    epsilon: Annotated[float, typer.Option(help="Share of random actions.")] = 0.01,
    checkpoints: Annotated[int, typer.Option(help="Number of a run's last students to play, in equal shares.")] = 1,
    training: Annotated[
        str, typer.Option(help="Copy the end of this run's own log instead of playing: a folder of a run with --log.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of environments and exploration.")] = 0,
    environments: Annotated[int, typer.Option(help="Environments stepped together.")] = ENVIRONMENTS,
    out: Out = "",
    hub: Annotated[str, typer.Option(help="Hub on which references are looked up.")] = "bundled",
    into: Annotated[str, typer.Option(help="Also add it to the Hub cache at this folder, as a commit.")] = "",
    tfrecord: Annotated[
        bool, typer.Option("--tfrecord", help="Also write TFRecord; small logs always have it.")
    ] = False,
    smallest: Annotated[
        bool,
        typer.Option("--smallest", help="Leave out TFRecord and the teacher's values, and compress most: slow."),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a log that was interrupted.")] = False,
    quiet: Quiet = False,
) -> None:
    """Play a policy and write its experience as an RLDS log.

    With --training, write the last transitions of its own training instead.
    """
    from ..display import Display
    from ..prior.collect import collect
    from ..prior.log_folder import LogRequest
    from ..prior.promote import open_players
    from ..runs import own_log
    from ..runs.check_request import check_writable
    from ..training.budget import amount_of

    Ref.parse(name)
    if training and (other := sorted(given(context) & PLAYED)):
        raise ValueError(f"--training plays nothing: leave out {', '.join(other)}")
    if checkpoints < 1:
        raise ValueError(f"--checkpoints {checkpoints} leaves no student to play: give at least 1")
    if into:
        check_writable(Path(into), "--into")
    if smallest and tfrecord:
        raise ValueError("--smallest writes no TFRecord: leave out --tfrecord")
    amount = int(amount_of(steps))
    policy = with_file(policy, file)
    players, played = open_players(policy, hub, checkpoints, task)
    folder = Path(out) if out else Path("logs") / name.replace("/", "-")
    with Display(quiet) as show:
        for remark in players[0].policy.remarks:
            show.note(remark, "bold")
        if training:
            command = f"reincarnate log {policy} --training {training} --steps {steps}" + " --smallest" * smallest
            asked = LogRequest(amount, name=name, command=command, tfrecord=tfrecord, smallest=smallest)
            count = own_log.publish(Path(training), players[0], played, asked, folder)
        else:
            options = f"--epsilon {epsilon:g} --seed {seed} --environments {environments} --checkpoints {checkpoints}"
            options += f" --task {played.name}" * bool(task) + f" --hub {hub}" * (hub != "bundled")
            options += " --smallest" * smallest
            command = f"reincarnate log {policy} --steps {steps} {options}"
            asked = LogRequest(amount, epsilon, seed, environments, name, command, tfrecord, smallest)
            count = collect(played, players, asked, folder, resume, show)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    typer.echo(f"{folder}: {several(count, 'transition')}, {size / 1e6:.1f} MB, {size / count:.0f} bytes each")
    _install(folder, name, "dataset", into)


def _install(folder: Path, name: str, kind: str, into: str) -> None:
    if into:
        from ...datasets.hub.repository import install

        typer.echo(f"{into}: {kind} {install(folder, name, kind, Path(into))}")
    else:
        typer.echo(f"{folder}: {kind} {name}")

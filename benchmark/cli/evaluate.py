"""`reincarnate evaluate`: play the episodes of a run again, or others."""

import re
from pathlib import Path
from typing import Annotated

import typer

from .options import POLICY, Json, OfFile, OfTask, Quiet, with_file

SEEDS = "Environment seeds, one per episode, first and last: 0..99; or one of the balloon's suites, such as small_eval."


def evaluate(
    policy: Annotated[str, typer.Argument(help=POLICY)],
    task: OfTask = "",
    file: OfFile = "",
    point: Annotated[
        float | None, typer.Option(help="For a run: its student at this many agent steps instead of the last.")
    ] = None,
    episodes: Annotated[int, typer.Option(help="Whole episodes; 0: the run's number, or the task's default.")] = 0,
    seeds: Annotated[str, typer.Option(help=SEEDS)] = "",
    sticky: Annotated[float | None, typer.Option(help="Probability of sticky actions; default: the task's.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="Share of random actions; default: the task's.")] = None,
    environments: Annotated[int, typer.Option(help="Environments stepped together; does not change the returns.")] = 32,
    threads: Annotated[int, typer.Option(help="Threads of the environments; does not change the returns.")] = 0,
    video: Annotated[str, typer.Option(help="Also film the episode nearest to the mean, as out.mp4.")] = "",
    hub: Annotated[str, typer.Option(help="Hub on which references are looked up.")] = "bundled",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Play whole episodes with a policy and print its scores.

    A run's student plays the episodes of its run by default; on the same kind of machine the returns are bitwise equal.
    """
    from ..display import Display
    from ..runs.reevaluate import EvaluationRequest
    from ..runs.reevaluate import evaluate as play

    asked = EvaluationRequest(
        with_file(policy, file),
        hub,
        point,
        episodes,
        span_of(seeds),
        sticky,
        epsilon,
        environments,
        threads,
        video and Path(video),
        task,
    )
    with Display(quiet, json) as show:
        told = play(asked, display=show)
    if json:
        import json as text

        typer.echo(text.dumps(told.plain(), indent=1))
        return
    typer.echo(told.sentence())
    if told.differs:
        raise typer.Exit(1)


def span_of(text: str) -> range | None:
    """Parse `3..7` -> 3, 4, 5, 6, 7, or a suite of the balloon's such as small_eval; ValueError otherwise."""
    if not text:
        return None
    from ..tasks.balloon_envs import SUITES

    if text in SUITES:
        return range(SUITES[text])
    match = re.fullmatch(r"(\d{1,10})\.\.(\d{1,10})", text.strip())
    if not match or not int(match[1]) <= int(match[2]) < 2**31 or int(match[2]) - int(match[1]) >= 100_000:
        raise ValueError(
            f"--seeds {text} cannot be read: write the first and the last seed, such as 0..99, or {', '.join(SUITES)}"
        )
    return range(int(match[1]), int(match[2]) + 1)

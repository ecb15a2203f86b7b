"""A run's record in the terminal: a table, and a plot as PNG."""

from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from ...datasets.words import several
from ...leaderboard.record import RunRecord
from ...leaderboard.shown import HEAD, figure, title
from ...leaderboard.shown import rows as shown_rows
from ...leaderboard.units import short
from ..training.weaning import sentence


def table(record: RunRecord) -> Table:
    """Tabulate random play, the teacher and the student at each sample budget: means, scores and 95 % intervals."""
    shown = Table(title=title(record), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column(HEAD[0])
    for name in HEAD[1:]:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in shown_rows(record):
        shown.add_row(*map(escape, row))
    shown.caption_justify = "left"
    episodes = played(record)
    shown.caption = (
        f"{episodes};{' ' if episodes.endswith('each') else chr(10)}score: 0 is random play, 1 the teacher;\n"
        "intervals: bootstrap over the episodes of this one run"
    )
    if record.weaned:
        shown.caption += f"\n{sentence(record.weaned.model_dump())}"
    if validated := record.points[-1].spent.get("validated"):
        shown.caption += f"\nits validation scores cost {short(validated)} agent steps, which no budget limits"
    if record.teacher and record.teacher.mean <= record.random.interval[1]:
        shown.caption += "\n[bold]The teacher hardly beats random play: scores relative to it mean little.[/bold]"
    if any(parent.claim for parent in record.parents):
        shown.caption += "\nclaimed: the teacher's mean return as stated by its author, under the author's own protocol"
    return shown


def played(record: RunRecord) -> str:
    """State how many whole episodes each row of the table averages."""
    rows = {"random": [record.random], "teacher": [record.teacher] if record.teacher else []}
    rows["student"] = [point.evaluation for point in record.points]
    counts = {name: [len(judged.returns) for judged in found] for name, found in rows.items() if found}
    if len(each := {count for found in counts.values() for count in found}) == 1:
        return f"{several(each.pop(), 'whole episode')} each"
    told = {name: set(found) if len(set(found)) == 1 else found for name, found in counts.items()}
    return "whole episodes: " + "; ".join(f"{name} {', '.join(map(str, found))}" for name, found in told.items())


def plot(record: RunRecord, path: Path) -> None:
    """Write the learning curve as PNG, completely or not at all."""
    partial = path.with_name(f".{path.stem}.partial.png")
    figure(record).savefig(partial)
    partial.replace(path)

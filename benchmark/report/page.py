"""A report as a folder: a self-contained HTML page, and its plots as PNG."""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from ...datasets import atomic
from ...datasets.words import several
from ...leaderboard import ledger
from ...leaderboard.curves import scale_fault
from ...leaderboard.record import RunRecord
from ...leaderboard.score import normalise
from ...leaderboard.units import LIMITS, NAMES, UNIT
from ..training.weaning import sentence
from . import plots as drawn
from .against import rivals, sentences
from .groups import Group, Run, curve, groups, read, summary

PAGE = Path(__file__).parent / "pages" / "report.html"
MAIN = ("guidance", "budget", "time")  # plots about whole runs
HEADS = {"flops": "FLOPs", "seconds": "clock", "device": "device time"}  # of columns; others have their unit's name
VIDEO = 16 * 2**20  # maximum bytes of a video embedded in the page


def report(folders: Sequence[Path], out: Path) -> dict:
    """Write `report.html`, `report.json` and the plots to `out`, and return the content of the JSON file.

    Runs of a sweep are compared with its tabula rasa run, if there is one with the same task, seed and budget.

    ValueError if a folder is not a run with a record, or if the same run is given twice.
    """
    folders = [*folders, *rivals(folders)]
    runs = [read(folder) for folder in folders]
    ids = [run.record.run for run in runs]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        one, other, *_ = (run for run in runs if run.record.run == twice[0])
        line = ledger.parting(one.lines, other.lines)
        told = f"was copied and continued twice, in {one.folder} and {other.folder}" if line else "is given twice"
        raise ValueError(f"run {twice[0]} {told}: name each run once")
    found = groups(runs)
    tasks = list(dict.fromkeys(group.task for group in found))
    sections, pictures = [], {}
    for place, task in enumerate(tasks):
        figures: dict[str, str] = {}
        for name, title, figure in drawn.plots(task, found):
            file = f"{name}.png" if len(tasks) == 1 else f"{task.replace('/', '-')}-{name}.png"
            pictures[file] = drawn.png(figure)
            picture = drawn.svg(figure, f"t{place}-{name}")
            figures[name] = f"<figure><figcaption>{escape(title)}</figcaption>{picture}</figure>"
        sections.append(_task(task, [group for group in found if group.task == task], arranged(figures, f"t{place}")))
    count = f"{len(runs)} runs" if len(runs) > 1 else "One run"
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(_title(found)),
        subtitle=escape(f"{count}. Bands and brackets: 95 % by bootstrap, over the seeds where there are several, "
                        "else over the episodes of the one run, which says nothing about other seeds."),
        body="\n".join(sections),
    )  # fmt: skip
    told = {"page": str(out / "report.html"), "plots": [str(out / file) for file in pictures], "groups": summary(found)}
    texts = {"report.html": page.encode(), "report.json": (json.dumps(told, indent=1) + "\n").encode()}
    atomic.write_all(out, pictures | texts)
    return told


def _went_on(record: RunRecord) -> str:
    copied = f", {record.copied} of them as a copy of its folder" if record.copied else ""
    return f", resumed {several(record.resumed, 'time')}{copied}" if record.resumed else ""


def _title(found: Sequence[Group]) -> str:
    tasks = list(dict.fromkeys(group.task for group in found))
    labels = list(dict.fromkeys(group.label for group in found))
    words = [
        ", ".join(each) if len(each) < 4 else f"{len(each)} {what}"
        for each, what in ((tasks, "tasks"), (labels, "methods"))
    ]
    return ": ".join(words)


def arranged(figures: Mapping[str, str], name: str) -> str:
    """Arrange the figures of a task {file: HTML}: curves along a selectable cost, plots about whole runs, and the rest
    folded away. `name` must be unique among the tasks of a page."""
    curves = {file.removeprefix("curve-"): html for file, html in figures.items() if file.startswith("curve-")}
    first = "flops" if "flops" in curves else next(iter(curves), "")
    tabs = [
        f'<input type="radio" name="{name}-axis" id="{name}-{axis}"{" checked" if axis == first else ""}>'
        f'<label for="{name}-{axis}">{escape(UNIT[axis].label)}</label>{html}'
        for axis, html in curves.items()
    ]
    main = [figures[file] for file in MAIN if file in figures]
    rest = [html for file, html in figures.items() if file not in MAIN and not file.startswith("curve-")]
    more = f'<details><summary>Losses and training episodes</summary><div class="plots">{"".join(rest)}</div></details>'
    chosen = f'<fieldset class="axes"><legend>Return against</legend>{"".join(tabs)}</fieldset>' if tabs else ""
    return f'{chosen}<div class="plots">{"".join(main)}</div>{more if rest else ""}'


def _task(task: str, found: Sequence[Group], figures: str) -> str:
    weak = any(_hardly(group.runs[0].record) for group in found)
    warning = "The teacher hardly beats random play: scores relative to it mean little."
    parts = [
        f"<h2>{escape(task)}</h2>",
        *(f"<p><strong>{escape(text)}</strong></p>" for text in sentences(found)),
        _table(found),
        f'<p class="warn">{warning}</p>' if weak else "",
        figures,
    ]
    if all(not line.get("guidance") for group in found for run in group.runs for line in run.metrics):
        parts.append('<p class="hint">No distillation weight is shown: these methods state none.</p>')
    parts += [_points(group) for group in found]
    parts.append("<h3>Runs</h3>")
    parts += [_run(run) for group in found for run in group.runs]
    return "\n".join(parts)


def _table(found: Sequence[Group]) -> str:
    """Tabulate what each group reached and spent, as means over its runs."""
    units = [unit for unit in NAMES if any(run.end.get(unit) for group in found for run in group.runs)]
    head = ["method", "seeds", "return [95 %]", "score", *(HEADS.get(unit, unit) for unit in units), "of peak FLOP/s"]
    rows = []
    for group in found:
        ends, at = [run.end for run in group.runs], curve(group)
        teacher, scale = group.runs[0].record.teacher, group.runs[0].record
        score = f"{float(normalise(at.value[-1], scale.random.mean, teacher.mean)):.2f}" if teacher else ""
        peaks = [share for run in group.runs if (share := run.peak_share()) is not None]
        spent = [_amount(unit, sum(end.get(unit, 0.0) for end in ends) / len(ends)) for unit in units]
        reached = f"{at.value[-1]:.1f} [{at.low[-1]:.1f}, {at.high[-1]:.1f}]"
        peak = f"{sum(peaks) / len(peaks):.1%}" if peaks else ""
        rows.append([group.label, str(len(group.runs)), reached, score, *spent, peak])
    return _rows(head, rows)


def _hardly(record: RunRecord) -> bool:
    return bool(record.teacher and scale_fault(np.array(record.random.returns), np.array(record.teacher.returns)))


def _points(group: Group) -> str:
    """Tabulate the points of the curve."""
    at = curve(group)
    units = [unit for unit in LIMITS if unit in at.costs and at.costs[unit].any()]
    rows = []
    for number, mean in enumerate(at.value):
        spent = [_amount(unit, at.costs[unit][number]) for unit in units]
        rows.append([str(number), *spent, f"{mean:.2f} [{at.low[number]:.2f}, {at.high[number]:.2f}]"])
    table = _rows(["point", *(HEADS.get(unit, unit) for unit in units), "return [95 %]"], rows)
    return f"<details><summary>{escape(group.label)}: the curve in numbers</summary>{table}</details>"


def _run(run: Run) -> str:
    record = run.record
    state = "complete" if record.complete else "not complete"
    facts = {
        "folder": str(run.folder),
        "run": f"{record.run}, {state}" + _went_on(record),
        "budget": ", ".join(f"{unit} {_amount(unit, limit)}" for unit, limit in record.budget.items()),
        "network": json.dumps(record.network),
        "settings": json.dumps(record.settings) if record.settings else "the method's own",
        "weaning": sentence(record.weaned.model_dump()) if record.weaned else "",
        "machine": ", ".join(f"{record.machine.get(key, '')}" for key in ("device", "system")),
    }
    for parent in record.parents:
        claim = f"; its author claims {parent.claim}" if parent.claim else ""
        facts[parent.kind] = f"{parent.reference}{f', {parent.part}' if parent.part else ''}{claim}"
    told = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items() if value)
    film = _film(run) if run.video else ""
    summary = f"{record.method}, seed {record.seed}: {record.points[-1].evaluation.mean:.1f}"
    opened = " open" if film else ""
    body = f"<dl>{told}</dl><pre>{escape(record.command)}</pre>{film}"
    return f"<details{opened}><summary>{escape(summary)}</summary>{body}</details>"


def _film(run: Run) -> str:
    assert run.video is not None
    if run.video.stat().st_size > VIDEO:
        return f'<p class="warn">{escape(str(run.video))} is too large for this page.</p>'
    still, picture = run.video.with_suffix(".png"), ""
    if still.is_file() and still.stat().st_size <= VIDEO:
        data = base64.b64encode(still.read_bytes()).decode()
        image = f'<img alt="its whole course" src="data:image/png;base64,{data}">'
        picture = f"<figure><figcaption>An episode, filmed below</figcaption>{image}</figure>"
    data = base64.b64encode(run.video.read_bytes()).decode()
    return f'{picture}<video controls muted loop playsinline src="data:video/mp4;base64,{data}"></video>'


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first = "".join(f"<th>{escape(name)}</th>" for name in head)
    rest = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{first}</tr></thead><tbody>{rest}</tbody></table></div>'


def _amount(unit: str, number: float) -> str:
    return UNIT[unit].written(number)

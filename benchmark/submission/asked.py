"""The request in the first line of a run's ledger: the only source for training it again."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...agents import presets
from ...agents.method import Teacher
from ...leaderboard.record import RunRecord
from .. import machine
from ..prior.measure import measure
from ..runs.request import RunRequest
from ..tasks.task import Task
from ..training.preset_choice import settle

# Tolerance of a teacher's measures for another device's arithmetic. Sums of 16 bits occasionally change an action, and
# from there whole episodes, of which there are 16. A gap is a median.
NEAR = {"gap": 0.2, "episode": 0.7}


def read(start: Mapping[str, Any]) -> RunRequest:
    """Return the request in a ledger's first line; ValueError if there is none, or if its fields are invalid."""
    told = start.get("request")
    if not isinstance(told, dict):
        raise ValueError("the ledger's first line does not say what the run was asked for")
    return RunRequest.from_json(told)


def faults(start: Mapping[str, Any], record) -> list[str]:
    """Return where the request differs from the record, one sentence each."""
    try:
        asked = read(start)
        limits = asked.limits.limits()
        command = asked.command()
    except (ValueError, TypeError, AttributeError) as error:
        return [f"the ledger: {error}"]
    found = []
    for name in ("task", "method", "seed", "environments"):
        if name == "environments" and asked.environments == 0:
            continue  # the method's own number
        if getattr(asked, name) != getattr(record, name):
            told = f"{str(getattr(record, name))[:80]} is not what was asked for, {str(getattr(asked, name))[:80]}"
            found.append(f"record.{name}: {told}")
    if limits != record.budget:
        found.append(f"record.budget: {record.budget} is not what was asked for, {limits}")
    for key, value in asked.settings.items():
        if key != "network" and record.settings.get(key) != value:
            found.append(
                f"record.settings.{str(key)[:80]}: {str(record.settings.get(key))[:80]} is not what was asked for"
            )
    if set(record.settings) - set(asked.settings) and not record.preset:
        found.append("record.settings: they hold more than was asked for, and no preset explains it")
    if record.command != command:
        found.append("record.command: it is not the command of this request")
    return found


def settled(
    start: Mapping[str, Any], record: RunRecord, task: Task, guides: Sequence[Teacher]
) -> tuple[list[str], list[str]]:
    """Compare settings that the request does not name with the record's preset: (faults, remarks).

    Another version's preset may differ; this is a remark, which the verdict keeps. Relative settings are measured again
    if the teacher is available.
    """
    request = read(start)
    given = {key: record.settings[key] for key in request.settings if key in record.settings}
    found, remarks = _relative(record, task, guides), []
    if not record.preset:
        return found, remarks  # then it only has those of the request
    if record.preset not in presets.PRESETS or request.preset not in ("", record.preset):
        return [f"record.preset: {record.preset[:40]!r} is not what was asked for, or no preset"], []
    rows = {row.keyword for preset in presets.PRESETS.values() for row in preset.rows}
    if odd := sorted(set(record.settings) - set(given) - rows):
        return [f"record.settings.{odd[0][:80]}: it was not asked for, and no preset has such a row"], []
    name, today = settle(task, record.method, request.budget, given, request.preset)
    keys = sorted(key for key in {*today, *record.settings} if today.get(key) != record.settings.get(key))
    told = [f"record.preset: {record.preset} is not that of this task and budget, {name}"] * (name != record.preset)
    for key in keys:
        was, now = (str(settings.get(key, "not there"))[:40] for settings in (record.settings, today))
        told.append(f"record.settings.{key}: {was} is neither asked for nor from the preset {name}, where it is {now}")
    if record.machine.get("code") == machine.code_digest():
        return [*found, *told], remarks
    return found, [f"of another version's preset: {each}" for each in told]


def _relative(record: RunRecord, task: Task, guides: Sequence[Teacher]) -> list[str]:
    """Check that settings such as 8gap equal that many times the teacher's measure."""
    units, found = presets.units_of(record.settings), []
    if units and guides:
        ours = measure(task, guides[0], units)
        for unit in sorted(units):
            theirs = record.measured.get(unit, 0.0)
            if abs(theirs - ours[unit]) > NEAR[unit] * ours[unit]:
                found.append(f"record.measured.{unit}: {theirs:g} is not the teacher's, {ours[unit]:g}")
    plain = presets.absolute(record.settings, record.measured)
    for key, value in record.settings.items():
        if plain[key] != value and record.resolved.get(key, plain[key]) != plain[key]:
            found.append(f"record.resolved.{key}: {str(record.resolved[key])[:40]} is not what {value} resolves to")
    return found

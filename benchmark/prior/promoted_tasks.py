"""Tasks of later generations: `minatar/breakout@2` in a results repository has a promoted student as its teacher."""

from collections.abc import Sequence

from ...datasets.hub import hub as hubs
from ...datasets.hub.reference import Ref
from ...leaderboard import generations
from ...leaderboard.generations import Generation
from ..tasks.task import find
from .load import texts


def listed(at: str, hub: str) -> tuple[Generation, ...]:
    """Return the promotions in a results repository, `user/name` or `user/name@commit`, in order."""
    ref = hubs.resolve(Ref.parse(at), "dataset", hub)
    data = hubs.read_file(ref, "dataset", generations.FILE, hub)
    return generations.parse(data, f"{ref}/{generations.FILE}") if data else ()


def known(at: str, hub: str) -> list[tuple[str, str]]:
    """Return (name, teacher and log) of each task of a results repository's generations."""
    return [(name, f"{one.teacher}  {one.log}") for name, one in generations.names(listed(at, hub)).items()]


def resolve(
    name: str, at: str, hub: str, teacher: str = "", teacher_log: str | Sequence[str] = ()
) -> tuple[str, str, tuple[str, ...]]:
    """Return (task, teacher, logs): those of a generation's task, pinned to their commits; other tasks unchanged.

    ValueError if there is no such generation, if `at` is missing, or if a teacher is given as well.
    """
    if "@" not in name:
        if at:
            raise ValueError(f"--at needs a task with a generation: write {name}@1, or leave out --at")
        return name, teacher, texts(teacher_log)
    if not at:
        raise ValueError(f"{name} is a task of a results repository: name the repository with --at user/name")
    if teacher or texts(teacher_log):
        raise ValueError(f"{name} has its own teacher and log: leave out --teacher and --teacher-log")
    one = generations.find(name, listed(at, hub), at)
    find(one.task)
    return one.task, one.teacher, (one.log,)


def resolve_all(text: str, at: str, hub: str) -> tuple[str, dict[str, dict[str, object]]]:
    """Return comma-separated tasks as plain ones, and for generations their teacher and log as arguments of `run`.

    ValueError if two of them are the same game, since their runs would share a folder.
    """
    if "@" not in text and not at:
        return text, {}
    found: dict[str, dict[str, object]] = {}
    for name in text.split(","):
        task, teacher, logs = resolve(name.strip(), at if "@" in name else "", hub)
        if task in found:
            raise ValueError(f"{text} names {task} twice: sweep each generation separately")
        found[task] = {"teacher": teacher, "teacher_log": list(logs)} if logs else {}
    if not any(found.values()):
        raise ValueError(f"--at needs tasks with a generation, and {text} names none: write TASK@1, or leave out --at")
    return ",".join(found), {task: prior for task, prior in found.items() if prior}

"""README.md cards for teachers and logs: description, measurements and origin, in the Hub's own format.

Both take a plain dict and leave out what it does not have. The field names are
those of a run's record.
"""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ..rlds.folder import SHARDS
from .client import client
from .reference import Ref

RESULTS = ".eval_results/reincarnate.yaml"  # where the Hub looks for results
BENCHMARK = "reincarnate/results"  # the dataset whose leaderboard they are for
RL_TAGS = ["reinforcement-learning", "deep-reinforcement-learning", "reincarnating-rl"]
STICKY = (
    "The action of a step is the one that the policy chose. With sticky actions, the environment repeats the action "
    "before instead with probability {}; whether it did is not recorded. The policy is what a student should learn."
)


def teacher_card(name: str, record: Mapping[str, Any]) -> str:
    """Return the README.md of a policy: front matter with a `model-index`, then a page for people.

    `record` may have: task, environment (its id, such as ALE/Pong-v5), protocol {name: value}, method, settings
    {name: value}, seed, network {name: value}, evaluation {returns [episodes], epsilon, seeds}, random and teacher
    (evaluations as well), spent {unit: amount}, total (spent by it and its ancestors, and those unpriced), film
    {episode, return, seconds}, curve (a picture's file), parents [{kind, repo and revision, or reference}], command,
    license, description. Without evaluation and spent, those of the last of its `points` stand.
    """
    last = record["points"][-1] if record.get("points") else {}
    evaluation = record.get("evaluation") or last.get("evaluation") or {}
    returns = evaluation.get("returns") or ()
    environment, parents = _environment(record), _parents(record)
    logs = [ref.repo for kind, ref in parents if kind == "log" and isinstance(ref, Ref)]
    teachers = [f"teacher:{ref.repo}" for kind, ref in parents if kind != "log" and isinstance(ref, Ref)]
    hub, taught = client(), any(kind == "teacher" for kind, _ in parents)
    result = hub.EvalResult(
        task_type="reinforcement-learning",
        task_name="reinforcement-learning",
        dataset_type=environment,
        dataset_name=environment,
        metric_type="mean_reward",
        metric_value=mean_reward(returns) if returns else "",
        metric_name="mean_reward",
        metric_args={"episodes": len(returns)},
        verified=False,
    )
    data = hub.ModelCardData(
        library_name="reincarnate",
        license=record.get("license", "apache-2.0"),
        pipeline_tag="reinforcement-learning",
        tags=_tags(RL_TAGS, [environment], _task(record), teachers),
        datasets=logs or None,
        model_name=_line(name),
        eval_results=[result] if returns else None,
    )
    scores = [
        (policy, mean_reward(found["returns"]), len(found["returns"]))
        for policy, found in (
            ("random", record.get("random")),
            ("its teacher" if taught else "the task's teacher", record.get("teacher")),
            ("**this one**", evaluation),
        )
        if isinstance(found, Mapping) and found.get("returns")
    ]
    measured = {
        **record.get("protocol", {}),
        **{f"evaluation {key}": value for key, value in evaluation.items() if key in ("epsilon", "seeds")},
    }
    task = record.get("task")
    use = _line(f"reincarnate run --method qdagger --task {task} --teacher {name} --budget frames=400k")
    page = [
        f"# {_line(name)}",
        record.get("description") or f"A policy for `{environment}`, trained and measured by `reincarnate`.",
        "## How good it is",
        _table(("policy", "mean return +/- std", "episodes"), scores) or "It has not been evaluated.",
        _film(record.get("film") or {}),
        f"![mean return over agent steps]({_line(record['curve'])})" if record.get("curve") else "",
        "## How it was evaluated",
        "Whole episodes, unclipped returns, the greedy action but for the evaluation's epsilon.",
        _table(("setting", "value"), measured.items()),
        *_made(record, parents, record.get("spent") or last.get("spent") or {}),
        *(("## How to learn from it", _code(use)) if task else ()),
    ]
    return _card(data, page)


def results(record: Mapping[str, Any]) -> str:
    """Return the Hub's file of results: the mean return, and details as text.
    `record` as for `teacher_card`."""
    import yaml

    evaluation, hub = record["evaluation"], client()
    returns = evaluation["returns"]
    words = f"{mean_reward(returns)} over {len(returns)} whole episodes in {_environment(record)}"
    entry = hub.EvalResultEntry(
        dataset_id=BENCHMARK,
        task_id=_line(record["task"]),
        value=round(statistics.fmean(returns), 4),
        notes=f"{words}, unclipped, epsilon {evaluation['epsilon']:g}, seeds {evaluation['seeds'][0]} and up",
    )
    return yaml.safe_dump(hub.eval_result_entries_to_yaml([entry]), sort_keys=False)


def log_card(name: str, provenance: Mapping[str, Any]) -> str:
    """Return the README.md of an RLDS log: front matter, then a page for people.

    `provenance` may have: task, environment, protocol {name: value; `sticky` is a probability}, method, settings,
    seed, transitions, episodes, returns [episodes], bytes, epsilon (of the behaviour), spent, parents (the policy
    that played: kind "teacher"), command, license, description, configs (of the Hub's viewer, which is off otherwise).
    """
    environment, parents = _environment(provenance), _parents(provenance)
    teachers = [f"teacher:{ref.repo}" for kind, ref in parents if kind != "log" and isinstance(ref, Ref)]
    transitions, configs = provenance.get("transitions"), provenance.get("configs")
    data = client().DatasetCardData(
        license=provenance.get("license", "apache-2.0"),
        pretty_name=_line(name.rpartition("/")[2]),
        task_categories=["reinforcement-learning"],
        tags=_tags(RL_TAGS, ["rlds", "tfds", "offline-rl"], [environment], _task(provenance), teachers),
        size_categories=None if transitions is None else [size_category(transitions)],
        **({"configs": configs} if configs else {"viewer": False}),  # it would take features.json for the data
    )
    content = {key: provenance[key] for key in ("transitions", "episodes", "bytes", "epsilon") if key in provenance}
    if provenance.get("returns"):
        content["mean return +/- std"] = mean_reward(provenance["returns"])
    sticky = provenance.get("protocol", {}).get("sticky")
    code = f"""import tensorflow_datasets as tfds
from huggingface_hub import snapshot_download

folder = snapshot_download("{_line(name)}", repo_type="dataset")
episodes = tfds.builder_from_directory(f"{{folder}}/{SHARDS}").as_data_source()  # {{split: episodes}}"""
    page = [
        f"# {_line(name)}",
        provenance.get("description") or f"Logged experience in `{environment}` as RLDS, written by `reincarnate`.",
        "## What is in it",
        _table(("", ""), content.items()),
        "An episode of N transitions has N + 1 steps: the last one holds only the final observation. "
        "Frames are stored once and not stacked; rewards are not clipped.",
        *((STICKY.format(sticky),) if sticky else ()),
        _table(("setting", "value"), provenance.get("protocol", {}).items()),
        "## How to read it",
        _code(code, "python"),
        *_made(provenance, parents, provenance.get("spent") or {}),
    ]
    return _card(data, page)


def mean_reward(returns: Sequence[float]) -> str:
    """Format as `291.10 +/- 116.43`: mean and population standard deviation, like the Hub's RL models."""
    return f"{statistics.fmean(returns):.2f} +/- {statistics.pstdev(returns):.2f}"


def size_category(examples: int) -> str:
    """Return the Hub's size class: 10000 -> `10K<n<100K`."""
    names = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    above = sum(examples >= 10**power for power in range(3, 13))
    if above == 0:
        return "n<1K"
    return "n>1T" if above == len(names) else f"{names[above - 1]}<n<{names[above]}"


def _made(record: Mapping[str, Any], parents: list[tuple[str, Ref | str]], spent: Mapping[str, Any]) -> list[str]:
    """Return how it was made, from which parents, and at what cost."""
    facts = {key: record[key] for key in ("method", "seed") if record.get(key) is not None}
    facts |= record.get("settings") or {}
    facts |= {f"network {key}": value for key, value in (record.get("network") or {}).items()}
    lines = "\n".join(f"- {kind}: `{_line(ref)}`" for kind, ref in parents)
    return [
        "## How it was made",
        _table(("", ""), facts.items()),
        _code(record["command"]) if record.get("command") else "",
        "## What it was made from",
        lines or "Nothing: no teacher and no log.",
        *_cost(spent, record.get("total") or {}),
    ]


def _cost(spent: Mapping[str, Any], total: Mapping[str, Any]) -> list[str]:
    """Return the cost of its own training, and that including all distinct ancestors."""
    if not spent:
        return []
    sums = total.get("spent") or {}
    if not sums:
        return ["## What it cost", _table(("unit", "spent"), spent.items())]
    rows = [(unit, amount, sums.get(unit, amount)) for unit, amount in spent.items()]
    unknown = ", ".join(f"`{_line(name)}`" for name in total.get("unpriced") or ())
    words = f"At least this much: the cost of {unknown} is unknown." if unknown else ""
    return ["## What it cost", _table(("unit", "itself", "with its ancestors"), rows), words]


def _film(film: Mapping[str, Any]) -> str:
    if not film:
        return ""
    return (
        f"`replay.mp4` shows the episode with the return nearest to the mean, {film['return']:g} "
        f"(at most its first {film['seconds']} seconds)."
        + (f"\n\n![that episode]({_line(film['still'])})" if film.get("still") else "")
    )


def _environment(record: Mapping[str, Any]) -> str:
    return _line(record.get("environment") or record.get("protocol", {}).get("env") or record.get("task", "unknown"))


def _task(record: Mapping[str, Any]) -> list[str]:
    return [f"task:{_line(record['task'])}"] if record.get("task") else []


def _parents(record: Mapping[str, Any]) -> list[tuple[str, Ref | str]]:
    """Return ("teacher" or "log", its reference, or a text if it is not on a Hub)."""
    found = []
    for parent in record.get("parents") or ():
        kind = "log" if parent.get("kind") in ("log", "dataset") else "teacher"
        text = parent.get("reference") or str(Ref(parent.get("repo", ""), parent.get("revision")))
        try:
            found.append((kind, Ref.parse(text)))
        except ValueError:
            found.append((kind, f"{PurePath(text).name} (a folder, not on the Hub)"))  # its path is nobody's business
    return found


def _tags(*groups: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(tag for group in groups for tag in group))


def _card(data: Any, page: Iterable[str]) -> str:
    body = "\n\n".join(part for part in page if part)
    return f"---\n{data.to_yaml()}\n---\n\n{body}\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple]) -> str:
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) if lines else ""


def _cell(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = math.isfinite(value) and value == int(value) and abs(value) < 1e12
        return f"{int(value):,}" if whole else f"{value:.6g}"
    return _line(value).replace("|", "\\|")


def _line(value: Any) -> str:
    """Put the text on one line, so that it cannot end the front matter, a table or a heading."""
    return re.sub(r"\s+", " ", str(value)).strip()


def _code(text: str, language: str = "sh") -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    return f"{fence}{language}\n{text.strip()}\n{fence}"

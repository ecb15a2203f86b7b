"""The board in the formats of the Hub and of Every Eval Ever, with one scheme of task ids.

The id of a task is its name, `minatar/breakout`, and its value a mean return. The id of a suite is its name and
version, `minatar5-v1`, and its value the IQM of scores. `eval.yaml`, which declares a dataset as a benchmark, lists
both. The `.eval_results` of a student's repository name its task; those of an entry name the suites.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from .suite import Suite, suite_id

FRAMEWORK = "reincarnate"  # must be in the list that huggingface.js keeps
SCHEMA = "0.3.0"  # of Every Eval Ever
NAMES = uuid.UUID("6b8f3c1e-6c0c-4c55-9a4e-7f0b4a4f2d10")  # namespace that makes the file names deterministic


def eval_yaml(suites: Iterable[Suite], name: str = "Reincarnating RL") -> str:
    """Return the `eval.yaml` of a results repository, with all tasks and suites."""
    suites = sorted(suites, key=lambda one: (one.name, one.version))
    tasks = sorted({task for suite in suites for task in suite.tasks})
    ids = [*tasks, *(suite_id(suite.name, suite.version) for suite in suites)]
    about = "Mean returns of tasks, and IQMs of scores of suites, where 0 is random play and 1 the suite's teacher."
    told = {"name": name, "description": about, "evaluation_framework": FRAMEWORK, "tasks": [{"id": id} for id in ids]}
    return _dumped(told)


def eval_results(board: Mapping[str, Any], dataset: str) -> dict[str, str]:
    """Return the text of a `.eval_results` file for each entry: one value per suite."""
    told = {}
    for entry in board["entries"]:
        runs = "one run" if entry["runs"] == 1 else f"{entry['runs']} runs"
        found = [
            {
                "dataset": {"id": dataset, "task_id": suite_id(suite["name"], suite["version"])},
                "value": entry["suites"][suite["name"]]["end"]["iqm"][0],
                "date": entry["submitted"][:10],
                "notes": f"IQM of {suite['scale']}-normalised scores over {runs}, {entry['state']}",
            }
            for suite in board["suites"]
            if suite["name"] in entry["suites"] and suite["scale"] == "teacher"
        ]
        told[entry["id"]] = _dumped(found)
    return told


def _dumped(told: Any) -> str:
    """Return YAML, by libyaml if this installation has it: it writes the same five times as fast."""
    return yaml.dump(told, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)


def every_eval_ever(board: Mapping[str, Any], dataset: str, version: str, when: float) -> dict[str, dict[str, Any]]:
    """Return a record in Every Eval Ever's schema for each entry and suite, by path: `SUITE/AUTHOR/ENTRY/UUID.json`.

    `when`: time of the board's build, in seconds since 1970. The intervals are the board's own.
    """
    found = {}
    for suite in board["suites"]:
        for entry in board["entries"]:
            of = entry["suites"].get(suite["name"])
            if of is None:
                continue
            id = suite_id(suite["name"], suite["version"])
            model = f"{entry['author']}/{entry['entry']}"
            path = f"{id}/{model}/{uuid.uuid5(NAMES, id + '/' + entry['id'])}.json"
            found[path] = {
                "schema_version": SCHEMA,
                "evaluation_id": f"{id}/{model}/{when}",
                "evaluation_timestamp": entry["accepted"] or entry["submitted"],
                "retrieved_timestamp": str(when),
                "source_metadata": {
                    "source_name": "reincarnate leaderboard",
                    "source_type": "evaluation_run",
                    "source_organization_name": dataset.partition("/")[0],
                    "evaluator_relationship": "third_party",  # maintainers play the submitted students
                    "additional_details": {"verdict": entry["state"], "cost": entry["cost_badge"]},
                },
                "eval_library": {"name": "reincarnate", "version": version},
                "model_info": {"name": entry["entry"], "id": model, "developer": entry["author"], **_model(entry)},
                "evaluation_results": _results(suite, entry, of, id, dataset),
            }
    return found


def _model(entry: Mapping[str, Any]) -> dict[str, Any]:
    spent = {f"full_{unit}": f"{amount:.6g}" for unit, amount in entry["cost"]["full"].items()}
    spent |= {f"own_{unit}": f"{amount:.6g}" for unit, amount in entry["cost"]["marginal"].items()}
    told = {"methods": ", ".join(entry["methods"]), "networks": ", ".join(entry["networks"]), "track": entry["track"]}
    told |= {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
    }  # the board's page says what is available
    return {"additional_details": {**told, "reuses": entry["reuses"], **spent}}


def _results(suite: Mapping[str, Any], entry: Mapping[str, Any], of: Mapping[str, Any], id: str, dataset: str) -> list:
    scores = [score for task in of["tasks"].values() for score in task["scores"]]
    low, high = min([0.0, *scores]), max([1.0, *scores])

    def result(name: str, about: str, value: list[float], runs: int) -> dict[str, Any]:
        uncertainty: dict[str, Any] = {"num_samples": runs}
        if len(value) > 2:
            how = "95 % stratified bootstrap over whole runs"
            ends = {"lower": value[1], "upper": value[2], "confidence_level": 0.95, "method": how}
            uncertainty["confidence_interval"] = ends
        return {
            "evaluation_name": name,
            "source_data": {"dataset_name": id, "source_type": "hf_dataset", "hf_repo": dataset},
            "metric_config": {
                "evaluation_description": about,
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": low,  # scores are unbounded; these are the bounds of the entry's own runs
                "max_score": high,
                "additional_details": {"zero": "random play", "one": suite["scale"], "bounds": "none: the runs' own"},
            },
            "score_details": {"score": value[0], "uncertainty": uncertainty},
        }

    whole = result(id, "Interquartile mean of scores over runs and tasks", of["end"]["iqm"], entry["runs"])
    tasks = [
        result(task, "Mean score of the runs of this task", told["score"], told["runs"])
        for task, told in of["tasks"].items()
    ]
    return [whole, *tasks]

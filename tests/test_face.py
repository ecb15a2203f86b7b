"""What `import reincarnate` gives: every public name, nothing heavy before it is used, results that show themselves."""

import ast
import inspect
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import reincarnate as rr
from reincarnate.leaderboard.record import Evaluation, Point, RunRecord

ROOT = Path(__file__).parents[1]
HEAVY = {"jax", "flax", "optax", "numpy", "pydantic", "typer", "matplotlib", "gymnasium", "ale_py", "huggingface_hub"}
# What `--help`, `tasks` and `methods` import stays light, too; numpy and pydantic may be there.
EARLY = ("benchmark.cli.main", "benchmark.tasks.task", "benchmark.training.budget", "datasets.hub.hub")
LATE = HEAVY - {"numpy", "pydantic", "typer"} | {"tensorflow", "tensorflow_datasets", "minatar"}


def fresh(code: str, *options: str, **variables: str) -> str:
    """Return what a new interpreter prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src"), **variables}
    done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_public_name_is_there_and_explained():
    assert sorted(rr.__all__) == sorted(["__version__", *rr._HOME]) and set(rr.__all__) <= set(dir(rr))
    for name in rr.__all__:
        found = getattr(rr, name)
        if name != "__version__":
            assert (inspect.getdoc(found) or "").strip(), f"{name} says nothing of itself"
    for name in ("run", "resume", "evaluate", "sweep", "tasks", "load_teacher", "load_log", "load_record", "plot"):
        signature = inspect.signature(getattr(rr, name))
        assert signature.return_annotation is not inspect.Parameter.empty
        assert all(one.annotation is not inspect.Parameter.empty for one in signature.parameters.values())
    with pytest.raises(AttributeError, match="nothing_like_it"):
        rr.nothing_like_it  # noqa: B018


def test_types_are_told_of_every_public_name():
    """A type checker sees the imports under TYPE_CHECKING, an interpreter the table: they are the same."""
    tree = ast.parse((ROOT / ".src" / "reincarnate" / "__init__.py").read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.name: node.module if alias.name != "losses" else f"{node.module}.losses"
        for node in ast.walk(checked)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == rr._HOME
    assert (ROOT / ".src" / "reincarnate" / "py.typed").is_file()


def test_importing_it_is_quick_and_brings_nothing_heavy():
    code = "import sys; before = set(sys.modules); import reincarnate; print(*sorted(set(sys.modules) - before))"
    assert not {name.partition(".")[0] for name in fresh(code).split()} & HEAVY
    took = "import time; t = time.perf_counter(); import reincarnate; print(time.perf_counter() - t)"
    assert min(float(fresh(took)) for _ in range(3)) < 0.1


@pytest.mark.parametrize("module", EARLY)
def test_what_every_command_imports_is_light(module):
    asked = fresh(f"import sys, reincarnate.{module}; print(*sys.modules)").split()
    assert {name.partition(".")[0] for name in asked} & LATE == set()


def test_the_version_is_said():
    said = fresh("import sys; sys.argv = ['reincarnate', '--version']; import reincarnate.__main__ as m; m.main()")
    assert said == f"reincarnate {rr.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "reincarnate", "--version"], capture_output=True, text=True)
    assert done.stdout == said


def judged(value: float) -> Evaluation:
    return Evaluation(returns=(value - 1.0, value + 1.0), lengths=(1, 1), epsilon=0.0, seeds=(0, 1))


def record(seed: int = 0, task: str = "gym/CartPole-v1") -> RunRecord:
    points = tuple(
        Point(spent=dict.fromkeys(("frames", "steps", "updates", "flops", "seconds"), at), evaluation=judged(at / 10),
              parameters="0" * 64, file=f"students/{at:.0f}.safetensors", due=int(at))
        for at in (0.0, 50.0, 100.0)
    )  # fmt: skip
    return RunRecord(
        run=f"{seed:016x}", task=task, protocol={}, method="dqn", settings={}, network={"name": "mlp"}, seed=seed,
        environments=1, budget={"steps": 100.0}, parents=(), random=judged(0.0), teacher=judged(10.0), points=points,
        complete=True, ledger="0" * 64, command="reincarnate run", machine={},
    )  # fmt: skip


def test_a_record_prints_as_a_short_table():
    lines = repr(record()).splitlines()
    assert str(record()) == repr(record()) and len(lines) == 7
    assert lines[0] == "gym/CartPole-v1, dqn, seed 0" and lines[1].startswith("policy ")
    assert lines[-1].split() == [
        "student,",
        "end",
        "100",
        "100",
        "100",
        "10.0",
        "[9.0,",
        "11.0]",
        "1.00",
        "[0.90,",
        "1.10]",
    ]
    assert len({len(line) for line in lines[1:]}) == 1, "columns are straight"


def test_a_record_is_read_from_its_folder_or_file(tmp_path):
    (tmp_path / "record.json").write_text(record().model_dump_json())
    assert rr.load_record(tmp_path) == rr.load_record(tmp_path / "record.json") == record()
    with pytest.raises(ValueError, match="no record at"):
        rr.load_record(tmp_path / "nowhere")


def test_plots_leave_the_notebooks_backend_alone(tmp_path):
    made = [record(seed).model_dump_json() for seed in (0, 1)]
    (tmp_path / "records.json").write_text(json.dumps(made))
    code = f"""
import json, matplotlib, sys
matplotlib.use("svg")
import reincarnate as rr
records = [rr.RunRecord.model_validate_json(one) for one in json.load(open({str(tmp_path / "records.json")!r}))]
figures = [records[0].plot(), rr.plot(records[0]), rr.plot(records, along="flops")]
assert all(type(figure).__name__ == "Figure" and figure._repr_png_().startswith(b"\\x89PNG") for figure in figures)
from reincarnate.benchmark.report import groups, plots, terminal
from pathlib import Path
terminal.plot(records[0], Path({str(tmp_path / "curve.png")!r}))
list(plots.plots(records[0].task, groups.groups([groups.of_record(one) for one in records])))
assert matplotlib.get_backend() == "svg" and "matplotlib.pyplot" not in sys.modules
"""
    fresh(code)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_shows_one_task_along_a_known_cost():
    with pytest.raises(ValueError, match="one of frames"):
        rr.plot(record(), along="stones")
    with pytest.raises(ValueError, match="shows one task"):
        rr.plot([record(), record(task="gym/Acrobot-v1")])
    with pytest.raises(ValueError, match="of none"):
        rr.plot([])


def test_a_teacher_answers_with_the_values_of_its_network():
    teacher = rr.load_teacher(task="minatar/breakout")
    assert teacher.task.name == "minatar/breakout" and "@" in teacher.reference
    again = rr.load_teacher(teacher.reference)
    assert again.reference == teacher.reference and repr(again).endswith("minatar")
    obs = np.random.default_rng(0).random((3, 1, 10, 10, 4)) < 0.1
    shown = np.asarray(teacher.policy.apply(teacher.policy.params, obs))
    assert teacher.values(obs) == pytest.approx(shown, rel=1e-5) and (teacher.act(obs) == shown.argmax(1)).all()
    with pytest.raises(ValueError, match="no teacher is named"):
        rr.load_teacher()
    with pytest.raises(ValueError, match="no teacher of its own"):
        rr.load_teacher(task="gym/CartPole-v1")


def test_a_log_is_arrays():
    reference = next(ref for ref in bundled_logs() if "breakout" in ref and "minatar" in ref)
    log = rr.load_log(reference)
    assert log.steps.frame.shape[1:] == (10, 10, 4) and log.steps.action.dtype == np.int32
    assert log.transitions + log.episodes >= len(log.steps.action) > log.transitions > 0
    assert f"{log.transitions:,} transitions" in repr(log)
    with pytest.raises(ValueError, match="choose among its steps"):
        rr.load_log(f"{reference}:returns=0.5-1")


READ = "tests/datasets/rlds/fixtures"  # logs of other libraries


def test_a_log_of_every_format_that_is_imported_is_arrays_too(tmp_path):
    """`load_log` reads the same formats as `datasets import --from`: equal steps, and the omissions are reported."""
    from reincarnate.datasets.rlds import exporting, importing
    from tests.datasets.logs import log

    log(tmp_path / "ours", "vector")
    exporting.export(tmp_path / "ours", tmp_path / "parquet", "parquet")
    found = {
        "rlds": rr.load_log(tmp_path / "ours", format="rlds"),
        "parquet": rr.load_log(tmp_path / "parquet", format="parquet"),
        "npz": rr.load_log(ROOT / READ / "cleanrl.npz", format="npz"),
        "dopamine": rr.load_log(ROOT / READ / "dopamine", format="dopamine"),
        "minari": rr.load_log(ROOT / READ / "minari" / "rows" / "arrow-v0", format="minari"),
    }
    assert set(found) == set(importing.READERS)
    ours = rr.load_log(tmp_path / "ours")
    for name in ("rlds", "parquet"):
        assert (found[name].steps.frame == ours.steps.frame).all() and found[name].episodes == 5
    for name, one in found.items():
        assert one.transitions > 0 and one.steps.is_first[0] and one.steps.is_last[-1], name
    with pytest.raises(ValueError, match="there is no reader for 'hdf4': give"):
        rr.load_log(tmp_path / "ours", format="hdf4")
    with pytest.raises(ValueError, match="is for imported logs only: name their format"):
        rr.load_log(tmp_path / "ours", observation="pixels")


def bundled_logs() -> list[str]:
    from reincarnate.datasets.hub import hub

    return [str(one.ref) for one in hub.search("dataset")]


def test_a_budget_is_a_value_or_a_text(tmp_path):
    from reincarnate.benchmark.training.budget import parse, written

    for budget in (
        rr.Budget(frames=400e3, flops=2.5e14),
        rr.Budget(seconds=0.1),
        rr.Budget(flops=1e22, logged=1234567.0),
    ):
        assert parse(written(budget)) == budget
    assert written("frames=400k") == "frames=400k"
    began = time.monotonic()
    made = rr.run("gym/CartPole-v1", "dqn", rr.Budget(steps=60), settings={"batch_size": 4}, out=tmp_path / "run",
                  episodes=1, points=(1.0,), environments=2)  # fmt: skip
    assert made.budget == {"steps": 60.0} and made.complete and time.monotonic() - began < 120
    assert rr.evaluate(tmp_path / "run").recorded == made.points[-1].evaluation
    assert "gym/CartPole-v1" in repr(rr.evaluate(tmp_path / "run"))


def test_tasks_and_losses_and_the_middle_of_scores():
    assert "minatar/breakout" in rr.tasks() and rr.losses.td.__doc__ and rr.iqm(np.arange(8.0)[:, None]) == 3.5

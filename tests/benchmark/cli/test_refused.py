"""Every option with a wrong value: one sentence, exit code 2, and nothing written, fetched or compiled before it."""

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from reincarnate.benchmark.cli import main as entry

STUDENT = next((Path(__file__).parents[3] / "docs" / "students").glob("minatar-breakout-*"))
TEACHER = "reincarnate/minatar-breakout"
WRONG = {
    "run --task minatar/breakout --budget steps=2k": """
        --task atari/Pnog | --task gym/Foo-v1 | --budget stps=2k | --budget steps=abc | --budget steps=-1
        --method qdager
        --method nomod:factory | --seed x | --seed -1 | --seed 99999 | --set foo | --set foo=1 | --set temperature=abc
        --set deadline=7 | --set network=foo | --network foo | --network impala:width=0 | --network impala:width=nan
        --network nature | --network minatar:foo=2 | --network actor_critic | --teacher nobody/none | --teacher ./none
        --teacher reincarnate/minatar-freeway | --file none | --teacher-log nobody/none | --hub nowhere
        --hub http://127.0.0.1:9 | --points 0,2 | --points abc | --episodes -1 | --environments -1
        --environments 100000000 | --threads -1 | --threads 100000000 | --metrics foo | --preset foo
        --method ppo --fused | --task atari/Pong --fused | --at foo
        --task minatar/breakout@2 | --task minatar/breakout@2 --at foo/bar
        --out /proc/x | --out /dev/null/x | --out RUN | --resume none | --on mars | --option a=b | --dry-run | --foo
        --on jobs --dry-run --option foo=1 | --on jobs --dry-run --option flavor=foo | --on jobs --dry-run --network foo
        --on jobs --dry-run --option timeout=abc | --on jobs --dry-run --method foo | --on jobs --dry-run --seed -1
        --teacher-log reincarnate/minatar-breakout-log:checkpoints=x
        --teacher-log reincarnate/minatar-breakout-log --teacher-log reincarnate/minatar-breakout-log
    """,
    "run --resume": ". | none",
    "sweep minatar5 --methods dqn --budget steps=2k": """
        --methods dqm | --methods dqn:network=foo | --network foo | --set foo=1 | --set updates_per_step=abc
        --budget step=2k | --seeds x | --seeds 0..99999 | --seeds 4..0 | --on mars | --jobs -3 | --cpus 0 | --gpus -2
        --gpus nan | --memory -1 | --memory nan | --option foo=1 | --option foo | --preset foo | --points 3
        --episodes -1
        --environments 5000 | --metrics foo | --hub foo | --at foo | --out RUN | --teacher-log a/b:foo=2
        --teacher-log a/b --teacher-log a/b
        --on jobs --option flavor=foo | --on jobs --option timeout=x
    """,
    "sweep": """
        minatar6 --methods dqn --budget steps=2k | minatar5 --methods dqn | minatar5 --budget steps=2k | status none
    """,
    f"evaluate {TEACHER}": """
        --task minatar/brekout | --task minatar/freeway | --file none | --episodes -1 | --seeds x | --seeds 5..2
        --sticky 2 | --sticky nan | --epsilon -0.1 | --epsilon x | --environments 0 | --environments -1
        --threads -1 | --threads 100000000 | --point 100 | --hub foo | --video out.txt | --video /proc/x/y.mp4
    """,
    "evaluate": "none | nobody/none | RUN --point 7",
    f"log {TEACHER} --steps 100": """
        --steps x | --steps 0 | --steps -5 | --task foo | --task minatar/freeway | --file foo | --name foo
        --name a/b/c
        --epsilon 2 | --epsilon nan | --checkpoints 0 | --checkpoints 3 | --training none | --seed -1 | --seed 99999
        --environments 0 | --environments 5000 | --out RUN | --out /proc/x | --hub foo | --into /proc/x
        --tfrecord --smallest
    """,
    "log nobody/none --steps 100": "--seed 0",
    "submit RUN": """
        --track foo | --tuning none | --at-least foo | --at-least foo/bar:flops=abc | --at-least foo/bar:flop=1
        --at foo
        --hub foo | --hub http://127.0.0.1:9 | --out /proc/x | --out RUN | --entry ../x | --send --hub bundled | RUN
    """,
    "submit": "none",
    "verify": """
        --quiet | 7 --hub foo | 7 --at foo | none | --queue --hub http://127.0.0.1:9 | RUN --episodes -1
        RUN --seconds -1
        RUN --seconds nan | --queue --retrain -1 | RUN --results none | 7 --merge
    """,
    "promote": "none | RUN --name foo | RUN --episodes -1 | RUN --point 7 | RUN --hub foo",
    "quickstart --short": "--seed -1 | --seed 99999 | --out /proc/x | --out RUN",
    "report": "none",
}
APART = ("verify none", "verify RUN --results none")  # read in a process of their own
CASES = [
    pytest.param(case, marks=pytest.mark.slow if case in APART else ())
    for command, lines in WRONG.items()
    for line in lines.split("\n")
    for options in line.split(" | ")
    if (case := f"{command} {options.strip()}") != f"{command} "
]


@pytest.mark.parametrize("command", CASES)
def test_a_wrong_value_is_refused_before_anything_is_done(command, tmp_path, monkeypatch, capfd):
    work, caches = tmp_path / "work", tmp_path / "caches"
    caches.mkdir()
    shutil.copytree(STUDENT, work / "RUN")
    monkeypatch.chdir(work)
    monkeypatch.setenv("REINCARNATE_CACHE", str(caches))
    monkeypatch.setenv("REINCARNATE_HUB_ROOT", str(caches / "hub"))
    monkeypatch.setattr(sys, "argv", ["reincarnate", *shlex.split(command)])
    before = sorted(work.rglob("*"))
    with pytest.raises(SystemExit) as end:
        entry.main()
    out, said = capfd.readouterr()
    assert end.value.code == 2 and out == ""
    assert said.startswith("reincarnate: ") and said.count("\n") == 1 and "TRACEBACK" not in said, said
    assert sorted(work.rglob("*")) == before
    assert list(caches.rglob("*")) == []

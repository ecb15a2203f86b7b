"""The comparison of a quickstart: a game, a budget, a reincarnation method, and a method that learns from scratch."""

from typing import NamedTuple

from ..sweep import grid, sweep

SETTINGS = {"updates_per_step": "inf"}  # both spend all FLOPs, so that they cost the same


class Demo(NamedTuple):
    """The comparison of a quickstart. All other settings come from the task's preset, for both students."""

    task: str
    budget: str
    points: str  # evaluation points; by the task's protocol unless `episodes` is set
    reincarnated: str = "qdagger"
    scratch: str = "dqn"
    episodes: int = 0


DEMO = Demo("minatar/breakout", "steps=50k,flops=500G", "0,0.25,0.5,0.75,1")
# 2 TFLOP are 500 to 2,500 updates here: enough to keep what given weights can do, too few to distil it into new ones.
ATARI = Demo("atari/Pong", "steps=50k,flops=2T", "0,0.5,1", "fine_tuning:base=rainbow")


def shortest(demo: Demo) -> Demo:
    """Return a version that takes seconds: it checks that everything works, and hardly learns."""
    return demo._replace(budget="steps=2k,flops=8G", points="0,1", episodes=2)


def sweep_of(demo: Demo, seed: int) -> grid.Sweep:
    """Return the two runs as a sweep, to which `reincarnate sweep` can add methods and seeds."""
    methods = (demo.reincarnated, demo.scratch)
    options = {"settings": SETTINGS, "points": demo.points, "episodes": demo.episodes}
    return sweep.asked_for(demo.task, methods, demo.budget, (seed,), **options)

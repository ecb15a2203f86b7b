"""What a quickstart compares: a game, a budget, a way to reincarnate, and what learns from scratch."""

from typing import NamedTuple

from ..sweep import grid, sweep

SETTINGS = {"updates_per_step": "inf"}  # both spend all FLOPs, so that they cost the same


class Demo(NamedTuple):
    """What a quickstart compares. All settings but these are those of the task's preset, for both students."""

    task: str
    budget: str
    points: str  # where students are evaluated, by the task's protocol unless `episodes` says otherwise
    reincarnated: str = "qdagger"
    scratch: str = "dqn"
    episodes: int = 0


DEMO = Demo("minatar/breakout", "steps=50k,flops=500G", "0,0.25,0.5,0.75,1")
# 2 TFLOP are some 500 updates: they can go on from weights, and are too few to distil values into new ones.
ATARI = Demo("atari/Pong", "steps=50k,flops=2T", "0,0.5,1", "fine_tuning:base=rainbow")


def shortest(demo: Demo) -> Demo:
    """Return the same in seconds: it shows that everything works, and learns next to nothing."""
    return demo._replace(budget="steps=2k,flops=8G", points="0,1", episodes=2)


def sweep_of(demo: Demo, seed: int) -> grid.Sweep:
    """Return the two runs as a sweep, which `reincarnate sweep` can add methods and seeds to."""
    methods = (demo.reincarnated, demo.scratch)
    options = {"settings": SETTINGS, "points": demo.points, "episodes": demo.episodes}
    return sweep.asked_for(demo.task, methods, demo.budget, (seed,), **options)

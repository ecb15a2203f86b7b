"""The main job in a few minutes: the bundled Pong teacher becomes a new student."""

from pathlib import Path

from ...leaderboard.record import RunRecord
from ..display import Display
from .run import run

TASK = "atari/Pong"
METHOD = "qdagger"
BUDGET = "updates=5000,frames=80k"
# The teacher's values differ by hundredths between actions: a low temperature makes its policy as sharp as its play.
SETTINGS = {"warmup": 500, "target_period": 250, "temperature": 0.02}
SHORT_BUDGET = "updates=40,frames=2k"
SHORT_SETTINGS = {"warmup": 100, "target_period": 20, "temperature": 0.02}
NEXT = (
    "Next: look at {out}/curve.png, then try another method under the same budget:\n"
    "  reincarnate run --task atari/Pong --method kickstarting --budget updates=5000,frames=80k"
)


def quickstart(out: str | Path, seed: int = 0, short: bool = False, display: Display | None = None) -> RunRecord:
    """Pull the bundled teacher and log, train a QDagger student with the Nature CNN and evaluate it.

    The short form has the same parts and a budget of seconds.
    """
    return run(
        TASK,
        METHOD,
        SHORT_BUDGET if short else BUDGET,
        seed,
        settings=SHORT_SETTINGS if short else SETTINGS,
        network="nature",
        out=out,
        points=(0.0, 1.0) if short else (0.0, 0.5, 1.0),
        episodes=2 if short else 10,
        preset="paper",  # its settings are all given
        display=display,
    )

"""The table of units that runs spend; budgets, ledgers, metrics, the board and the help derive from it."""

from typing import NamedTuple


class Unit(NamedTuple):
    """A counted quantity."""

    name: str  # in files and on the command line
    label: str  # on axes and in headings
    limits: bool = True  # whether a budget may limit it
    is_time: bool = False  # seconds, known only once spent: they may exceed their limit by one update
    on_every_line: bool = False  # on every ledger line, in any run
    on_board: bool = False  # an axis of the board and of its fronts
    detail: str = ""  # added to the name in the help
    counted: str = ""  # follows an amount, if not the name: 12.3M frames

    @property
    def amounts(self) -> str:
        """Return the word that follows an amount: 12.3M frames."""
        return self.counted or self.name

    def written(self, amount: float) -> str:
        """Write an amount for people: 12.3M, or 1:15 for times."""
        return clock(amount) if self.is_time else short(amount)


UNITS = (
    Unit("frames", "environment frames", on_every_line=True, on_board=True),
    Unit("steps", "agent steps", on_every_line=True),
    Unit("updates", "gradient updates", on_every_line=True),
    Unit("flops", "FLOPs", on_every_line=True, on_board=True, counted="FLOPs"),
    Unit("seconds", "wall-clock time", True, True, True, True, "of training", "seconds of training"),
    Unit("device", "device time", True, True, False, True, "seconds of work", "device seconds"),
    Unit("queries", "teacher queries", detail="of the teacher"),
    Unit("logged", "logged transitions read", detail="distinct transitions read"),
    Unit("validated", "validation steps, unpaid", limits=False),
)
UNIT = {unit.name: unit for unit in UNITS}
NAMES = tuple(UNIT)
LIMITS = tuple(unit.name for unit in UNITS if unit.limits)
FREE = tuple(unit.name for unit in UNITS if not unit.limits)  # counted, but without a limit in budgets
COUNTERS = tuple(unit.name for unit in UNITS if unit.on_every_line)
TIMES = tuple(unit.name for unit in UNITS if unit.is_time)
AXES = tuple(unit.name for unit in UNITS if unit.on_board)
HELP = ", ".join(f"{unit.name} ({unit.detail})" if unit.detail else unit.name for unit in UNITS if unit.limits)


def short(number: float) -> str:
    """Shorten a number: 12345678 -> 12.3M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if float(f"{number:.3g}") >= size:  # 999,960 is 1M
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def clock(seconds: float) -> str:
    """Write seconds as a clock: 75 -> 1:15; 3700 -> 1:01:40."""
    whole = int(max(seconds, 0.0))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"

"""How fast a run goes, how far it is, and how long it will take."""

from .keeper import Status

WINDOW = 1.0  # seconds over which a speed is measured, at least


class Speed:
    """Agent steps and updates a second, lately; an evaluation in between does not count."""

    def __init__(self) -> None:
        self.steps = self.updates = 0.0
        self._before: tuple[float, float, float] | None = None

    def see(self, status: Status) -> None:
        """Takes in where the run is; its own clock stands still during evaluations."""
        now = tuple(status.spent[unit] for unit in ("seconds", "steps", "updates"))
        took, steps, updates = (a - b for a, b in zip(now, self._before or now, strict=True))
        if self._before is None or took >= WINDOW:
            self._before = now  # pyright: ignore[reportAttributeAccessIssue]
            if took:
                self.steps, self.updates = steps / took, updates / took


def share(status: Status) -> float:
    """How much of the phase is done, in [0, 1]."""
    spent, plan = status.spent, status.plan
    if status.phase == "offline":
        return min(spent["updates"] / max(plan.offline_updates, 1), 1.0)
    return min(spent["steps"] / max(plan.steps, 1), 1.0)


def seconds_left(status: Status, speed: Speed) -> float | None:
    """As the run goes now: the slower of steps and updates, unless a limit on time comes first.

    None while neither is known, as before the first update.
    """
    spent, plan = status.spent, status.plan
    if not speed.updates:
        return None
    ahead = [max(plan.updates - spent["updates"], 0.0) / speed.updates]
    if speed.steps:
        ahead.append(max(plan.steps - spent["steps"], 0.0) / speed.steps)
    left = max(ahead)
    for unit, (used, limit) in status.limits().items():
        if unit in ("device", "seconds") and used:  # the device works for a part of the seconds only
            left = min(left, max(limit - used, 0.0) * spent["seconds"] / used)
    return left

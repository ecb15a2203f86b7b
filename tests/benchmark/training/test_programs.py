"""Every program's first call is its compilation, whoever had its place in memory before."""

import jax.numpy as jnp

from reincarnate.benchmark.training.budget import Cost
from reincarnate.benchmark.training.programs import Alone, Device, Program
from reincarnate.benchmark.training.stopwatch import Stopwatch


class Phases(Stopwatch):
    """Record the phases that a device is billed for."""

    def __init__(self):
        super().__init__()
        self.told: list[str] = []

    def to(self, phase: str) -> None:
        self.told.append(phase)


def test_a_program_that_was_freed_lends_its_name_to_nobody():
    device = Device.__new__(Device)
    device._watch, device._worker, device._compiled, device.running = Phases(), Alone(), {}, None
    for _ in range(100):
        program = Program(lambda: jnp.zeros(1), Cost(0.0, 0.0))  # in CPython the next one gets the same id
        device.call("update", program)
        device.call("update", program)
        del program
    billed = [phase for phase in device._watch.told if phase != "other"]
    assert billed == ["compile", "update"] * 100

"""Speeds of the devices that runs name, to check their seconds."""

from collections.abc import Mapping
from typing import Any

CORE = 4e11  # FLOPs per second of a core: two units that multiply and add 16 numbers, at 6 GHz
CORES = 256  # maximum that a machine may claim
# Dense 16-bit matrix FLOPs per second, as specified by the makers; 32-bit ones are never faster. The first name that
# XLA's device name contains selects the row.
PEAKS = {
    name: flops * 1e12
    for name, flops in (
        *(("b300", 2500), ("gb200", 2500), ("b200", 2250), ("h100", 990), ("h200", 990), ("h800", 990), ("a100", 312)),
        *(("a800", 312), ("a10", 125), ("a30", 165), ("a40", 150), ("a6000", 155), ("l40s", 362), ("l40", 181)),
        *(("l4", 121), ("v100", 130), ("p100", 22), ("titan", 130), ("rtx 6000 ada", 364), ("rtx pro 6000", 510)),
        *(("rtx 5090", 420), ("rtx 5080", 230), ("rtx 5070", 180), ("rtx 4090", 330), ("rtx 4080", 210)),
        *(("rtx 4070", 140), ("rtx 4060", 61), ("rtx 3090", 160), ("rtx 3080", 140), ("rtx 3070", 82)),
        *(("rtx 3060", 52), ("rtx 2080", 110), ("rtx 2070", 60), ("mi355", 2500), ("mi350", 2300), ("mi325", 1310)),
        *(("mi300", 1310), ("mi250", 383), ("mi210", 182), ("tpu7", 2310), ("tpu v7", 2310), ("tpu v6", 920)),
        *(("tpu v5 lite", 200), ("tpu v5e", 200), ("tpu v5", 460), ("tpu v4", 275), ("tpu v3", 123), ("tpu v2", 46)),
        ("t4", 65),
    )
}


def peak(machine: Mapping[str, Any]) -> float:
    """Return the FLOPs per second that a record's machine cannot exceed.

    Unknown names get the speed of the slowest device in the table, so that made-up names gain nothing. Maintainers add
    a row for a new device when its first run is submitted.
    """
    platform, _, kind = str(machine.get("device", "")).lower().partition(": ")
    if platform == "cpu":
        cores = machine.get("cores")
        return CORE * min(max(cores, 1), CORES) if type(cores) is int else CORE * 8
    return next((flops for name, flops in PEAKS.items() if name in kind), min(PEAKS.values()))

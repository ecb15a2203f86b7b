"""The committed results: each is what its ledger says, the table is made from them, and one is trained again here."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.benchmark import sweep, sweep_table
from reincarnate.benchmark.machine import processor
from reincarnate.leaderboard import ledger, record

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "learning"
PROCESSOR = "AMD EPYC"  # what they were made on: XLA may round differently on another kind


@pytest.fixture(scope="module")
def committed() -> dict[sweep.Cell, record.RunRecord]:
    return sweep_table.gather(FOLDER, sweep.load(FOLDER))


def test_the_table_is_that_of_the_committed_records(committed):
    asked = sweep.load(FOLDER)
    assert committed.keys() == set(sweep.cells(asked))
    table = sweep_table.markdown(sweep_table.report(asked, committed))
    assert table in (DOCS / "results.md").read_text()


@pytest.mark.slow
def test_every_record_says_what_its_ledger_says(committed):
    for cell, one in committed.items():
        lines = ledger.read(FOLDER / "cells" / cell.name / "ledger.jsonl")
        assert ledger.faults(lines) == [] and record.mismatches(lines, one) == []
        method, _ = sweep.method_of(cell.method)
        assert one.complete and (one.task, one.method, one.seed) == (cell.task, method, cell.seed)


@pytest.mark.slow
@pytest.mark.skipif(processor() != PROCESSOR, reason=f"made on {PROCESSOR}, and this is {processor()}")
def test_the_cheapest_cell_comes_out_the_same_to_the_last_digit(committed, tmp_path):
    cheapest = min(committed.values(), key=lambda one: one.points[-1].spent["flops"])
    command = [sys.executable, "-m", "reincarnate.benchmark.cli", *shlex.split(cheapest.command)[1:]]
    subprocess.run([*command, "--out", str(tmp_path / "run")], check=True)  # these tests compile in haste, it does not
    again = record.load(tmp_path / "run" / "record.json")
    assert [point.parameters for point in again.points] == [point.parameters for point in cheapest.points]
    assert [point.evaluation for point in again.points] == [point.evaluation for point in cheapest.points]
    for point, before in zip(again.points, cheapest.points, strict=True):
        assert all(point.spent[unit] == before.spent[unit] for unit in ("frames", "steps", "updates", "flops"))

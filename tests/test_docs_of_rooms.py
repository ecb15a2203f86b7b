"""The commands of leaderboard/README.md and datasets/README.md run, in the order in which they stand there."""

import json
import lzma

import pytest

from .test_docs import FILES, Reader, blocks

SMALLER = {  # of the rooms' own pages, whose runs would take minutes
    "--budget steps=100k,flops=1T": "--budget steps=4k,flops=20G --points 0,1",
    "--budget steps=20k": "--budget steps=500,updates=300",
    "--steps 1M": "--steps 2k",
    "--steps 100k": "--steps 1k",
    "https://...": "https://example.org/old-agent",
}


@pytest.fixture
def reader(tmp_path):
    made = Reader(tmp_path)
    yield made
    made.close()


def smaller(page: str) -> list[str]:
    """Return the commands of one of the rooms' own pages, with small budgets, each block on its own."""
    found = list(blocks(f"../{page}"))
    for long, short in SMALLER.items():
        found = [block.replace(long, short) for block in found]
    return found


@pytest.mark.slow
def test_the_commands_of_the_rules(reader):
    """One takes part, a maintainer accepts the run, it is promoted, and the next student learns from it."""
    taking_part, promoting = smaller("leaderboard/README.md")
    reader.types(taking_part)
    reader.types("reincarnate verify --queue --merge --at reincarnate/results --hub local")
    run = json.loads((reader.folder / "runs/freeway-0/record.json").read_bytes())["run"]
    reader.types(promoting.replace("RUN", run))
    (last,) = [path for path in reader.folder.glob("runs/*/record.json") if "freeway-0" not in str(path)]
    record = json.loads(last.read_bytes())
    assert record["complete"] and {parent["kind"] for parent in record["parents"]} == {"teacher", "log"}
    assert all(parent["reference"].split("/")[0] != "reincarnate" for parent in record["parents"])  # it is the promoted


@pytest.mark.slow
def test_the_commands_for_a_teacher_from_elsewhere(reader):
    for name, packed in FILES.items():
        (reader.folder / name).write_bytes(lzma.decompress(packed.read_bytes()))
    (block,) = smaller("datasets/README.md")
    reader.types(block)
    assert list(reader.folder.glob("runs/*/record.json"))

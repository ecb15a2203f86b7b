"""The commands that talk to a Hub: what they say to people and to programs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.datasets.hub import hub, place
from reincarnate.datasets.hub.reference import Ref

from .test_datasets import refused, reincarnate

TEACHER = "reincarnate/pong-rainbow"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Return a local hub and caches of these tests alone."""
    at = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REINCARNATE_CACHE", str(at / "caches"))
        patch.setenv(place.ROOT, str(at / "root"))
        patch.setattr(place, "IDLE", 5)
        patch.setenv("COLUMNS", "200")
        yield at


@pytest.fixture(scope="module")
def folder(house):
    """Return a teacher's folder."""
    return hub.open_ref(TEACHER, "model")[0]


def told(*words: object):
    """Return what a command tells programs."""
    answer = reincarnate(*words, "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


@pytest.mark.slow
def test_the_local_hub_is_searched_too(house):
    assert told("teachers", "search", "--task", "atari/Pong", "--hub", "local") != []


def test_search(house):
    found = [Ref.parse(one["reference"]) for one in told("teachers", "search")]
    assert TEACHER in [ref.repo for ref in found]
    assert {ref.repo for ref in found if not ref.pinned} <= {"balloon/perciatelli44"}  # comes with an installed wheel
    assert told("teachers", "search", "--task", "atari/Boxing") == []
    assert told("teachers", "search", "--tag", "ALE/Pong-v5", "--tag", "none") == []
    assert [one["claim"] for one in told("teachers", "search", "pong-rainbow-first", "--limit", "1")] != [""]
    table = reincarnate("datasets", "search")
    assert table.code == 0 and "author's claim" in table.out
    shown = [line.split()[0] for line in table.out.splitlines() if line.startswith("reincarnate/")]
    names = [one["reference"].partition("@")[0] for one in told("datasets", "search")]
    assert shown == names  # where no terminal reads it, one record is one line, and names are whole
    assert "nothing on the hub bundled matches" in reincarnate("teachers", "search", "none").out


def test_show(house):
    shown = told("teachers", "show", TEACHER)
    assert Ref.parse(shown["reference"]).pinned and "policy.safetensors" in shown["files"]
    assert shown["config.json"]["task"] == "atari/Pong" and "+/-" in shown["claim"]
    text = reincarnate("teachers", "show", TEACHER).out
    assert "measured when published" in text and "claim" in text
    assert "transitions" in reincarnate("datasets", "show", "reincarnate/pong-rainbow-log").out


def test_publish_then_pull(house, folder):
    made = told("teachers", "publish", folder, "--name", "me/copy")
    assert made["hub"] == "local"
    pulled = told("teachers", "pull", "me/copy", "--hub", "local")
    assert pulled["teacher"].startswith("reincarnate, ")
    assert pulled["reference"] == made["reference"]
    assert (Path(pulled["folder"]) / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert told("teachers", "publish", folder)["reference"].startswith(f"{TEACHER}@")  # its own name
    log = hub.open_ref("reincarnate/pong-rainbow-log", "dataset")[0]
    assert told("datasets", "publish", log, "--name", "me/log", "--private")["reference"].startswith("me/log@")
    assert told("hub", "add", log, "--name", "me/added")["reference"].startswith("me/added@")
    assert {"me/copy", "me/log", "me/added"} <= {one["reference"].partition("@")[0] for one in told("hub", "ls")}


def test_a_hostile_card_does_not_steer_the_terminal(house, folder, tmp_path):
    for name in ("config.json", "policy.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    index = 'model-index: [{results: [{metrics: [{type: mean_reward, value: "\\e[2J9"}]}]}]'
    (tmp_path / "README.md").write_text(f'---\ntags: ["\\e]0;x\\a"]\n{index}\n---\n')
    told("teachers", "publish", tmp_path, "--name", "me/hostile")
    for words in (("search", "hostile"), ("show", "me/hostile")):
        assert not {"\x1b", "\a"} & set(reincarnate("teachers", *words, "--hub", "local").out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["teachers", "pull", "me/none"], "the bundled hub has no model me/none; `reincarnate teachers search` lists"),
        (["teachers", "pull", "none", "--hub", "local"], "is not a reference"),
        (["teachers", "pull", "me/none", "--hub", "local"], "local has no model me/none"),
        (["teachers", "show", f"{TEACHER}@none", "--hub", "local"], "no such revision|has no model"),
        (["teachers", "search", "--hub", "http://127.0.0.1:9"], "does not answer: check the network, or"),
        (["teachers", "pull", f"me/x@{'0' * 40}", "--hub", "http://127.0.0.1:9"], "does not answer"),
        (["teachers", "search", "--hub", "nowhere"], "there is no hub 'nowhere'"),
        (["teachers", "publish", "{here}"], "holds no teacher: neither one of ours, with a config.json, nor one"),
        (["hub", "add", "{here}"], "is not a teacher"),
        (["datasets", "publish", "{here}"], "does not state its name"),
        (["teachers", "publish", "{folder}", "--hub", "bundled"], "the bundled hub is read-only"),
        (["teachers", "search", "--task", "none"], "there is no task"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(house, folder, tmp_path, words, says):
    (tmp_path / "notes.txt").write_text("an empty folder is refused for that")
    refused(reincarnate(*(word.format(here=tmp_path, folder=folder) for word in words)), says)


def test_what_nobody_could_read_is_not_published(house, folder, tmp_path):
    log = hub.open_ref("reincarnate/pong-rainbow-log", "dataset")[0]
    shard = next(path for path in (log / "array_record").iterdir() if "array_record-" in path.name)
    flipped = bytearray(shard.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    for words, source, name, data, says in (
        (("teachers", "publish"), folder, "policy.safetensors", b"", "policy.safetensors is cut short"),
        (("hub", "add"), folder, "config.json", b"{}", "config.json does not say what the network is"),
        (("datasets", "publish"), log, "array_record/dataset_info.json", b"{", "dataset_info.json is not valid json"),
        (("hub", "add"), log, f"array_record/{shard.name}", bytes(flipped), "is damaged: its sha256 is not"),
    ):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(source, copy)
        (copy / name).unlink()
        (copy / name).write_bytes(data)
        refused(reincarnate(*words, copy, "--name", "me/damaged"), says)
    assert not any("me/damaged" in one["reference"] for one in told("hub", "ls"))


@pytest.mark.parametrize("made", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_a_pipe_in_the_place_of_a_folders_config_is_named(tmp_path, made):
    made(tmp_path / "config.json")
    refused(reincarnate("hub", "add", tmp_path, "--name", "me/pipe"), r"config\.json is a .*, not a file: put the file")


def test_a_hub_for_a_class(house, folder, tmp_path, monkeypatch):
    """`hub serve` says where it is, gives its users tokens, lets one server have a folder, and stops when told."""
    program = [sys.executable, "-m", "reincarnate", "hub", "serve", "--empty"]
    program += ["--root", str(tmp_path), "--user", "ann", "--user", "ben:read"]
    env = {**os.environ, "PYTHONPATH": str(Path(hub.__file__).absolute().parents[3])}
    server = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        second = subprocess.run(program, capture_output=True, text=True, env=env)
        assert second.returncode == 2 and "another server is using the hub" in second.stderr
        monkeypatch.setenv(place.TOKEN, (tmp_path / "tokens/ann").read_text().strip())
        assert told("teachers", "publish", folder, "--name", "ann/pong", "--hub", url)["hub"] == url
        monkeypatch.setenv(place.TOKEN, (tmp_path / "tokens/ben").read_text().strip())
        refused(reincarnate("teachers", "publish", folder, "--name", "ben/pong", "--hub", url), "may only read")
        monkeypatch.delenv(place.TOKEN)
        assert told("teachers", "pull", "ann/pong", "--hub", url)["reference"].startswith("ann/pong@")
        assert (tmp_path / "tokens/ann").stat().st_mode & 0o777 == 0o600
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0

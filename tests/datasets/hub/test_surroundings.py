"""Hubs among proxies, without a network, and folders whose names look like references."""

import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.datasets.hub import client, hub, place, remote

from .server.conftest import start


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    running = start(root, "--user", "alice")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def house(tmp_path, server, monkeypatch):
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "caches"))
    monkeypatch.setenv(place.TOKEN, server.token("alice"))
    folder = tmp_path / "rows-v0"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "metadata.json").write_text("{}")
    return folder


ASK = """
import sys
from reincarnate.datasets.hub import hub
print(hub.open_ref("alice/asked", "dataset", sys.argv[1])[1])
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"http_proxy": "http://127.0.0.1:9", "no_proxy": "intranet.example"},
        {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""},
        {"HF_HUB_OFFLINE": "1"},
    ],
    ids=["socks", "no_proxy", "NO_PROXY", "offline"],
)
def test_a_hub_on_this_machine_needs_no_proxy_and_no_network(server, house, environment, monkeypatch):
    made = hub.publish(house, "alice/asked", "dataset", server.url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    answer = subprocess.run([sys.executable, "-c", ASK, server.url], capture_output=True, text=True, timeout=120)
    assert answer.stdout.strip() == str(made), answer.stderr


@pytest.mark.parametrize(("url", "proxies"), [("http://127.0.0.1:9", False), ("https://huggingface.co", True)])
def test_the_clients_settings_are_ours_only_while_it_is_asked(monkeypatch, url, proxies):
    """Other users of the client in this process keep Xet, their proxies and their connections."""
    constants, http = client.client().constants, client.client().utils._http
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    theirs = http._GLOBAL_CLIENT_FACTORY

    def look():
        return constants.HF_HUB_DISABLE_XET, http._GLOBAL_CLIENT_FACTORY is theirs

    def fail():
        raise ConnectionError

    assert client.ask(url, look, "the hub", "nothing") == (True, proxies)
    assert look() == (False, True)
    with pytest.raises(ValueError, match="does not answer"):
        client.ask(url, fail, "the hub", "nothing")
    assert look() == (False, True)


def test_offline_a_branch_is_the_commit_that_was_fetched_last(server, house, monkeypatch, caplog):
    made = hub.publish(house, "alice/later", "dataset", server.url)
    folder, _ = hub.open_ref("alice/later", "dataset", server.url)
    monkeypatch.setattr(client.client().constants, "HF_HUB_OFFLINE", True)
    for module in (client, remote):
        monkeypatch.setattr(module, "is_here", lambda url: False)  # as if it were elsewhere
    assert hub.open_ref("alice/later", "dataset", server.url) == (folder, made)
    assert "HF_HUB_OFFLINE is set: using alice/later at" in caplog.text
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set, and dataset alice/never is not in the cache"):
        hub.open_ref("alice/never", "dataset", server.url)


def test_one_folder_of_a_repository_is_fetched_as_minari_names_it(server, house, tmp_path):
    for name in ("one-v0", "two-v0"):
        (tmp_path / "all" / "pong" / name / "data").mkdir(parents=True)
        (tmp_path / "all" / "pong" / name / "data" / "metadata.json").write_text(f'{{"name": "{name}"}}')
    hub.publish(tmp_path / "all", "alice/atari", "dataset", server.url)
    folder = hub.folder_of("hf://alice/atari/pong/two-v0", server.url)
    assert (folder / "data" / "metadata.json").read_text() == '{"name": "two-v0"}'
    assert not (folder.parent / "one-v0").exists()
    assert hub.folder_of("hf://alice/atari/pong/two-v0", server.url) == folder
    with pytest.raises(ValueError, match="has no folder 'pong/three-v0'"):
        hub.folder_of("hf://alice/atari/pong/three-v0", server.url)
    for text in ("hf://alice", "hf://alice/atari/../x", "hf://alice/atari/*"):
        with pytest.raises(ValueError, match="is not a reference|names no folder"):
            hub.folder_of(text, server.url)


def test_of_a_repository_with_many_teachers_one_folder_is_fetched_and_the_settings_above_it(server, tmp_path):
    files = ("config.json", "README.md", "big.bin", "games/Pong/a+b/config.json", "games/Pong/a+b/0", "games/Qbert/0")
    for name in files:
        (tmp_path / "many" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "many" / name).write_text("{}")
    hub.publish(tmp_path / "many", "alice/many", "model", server.url)
    folder, ref = hub.open_ref("alice/many", "model", server.url, under="games/Pong/a+b")
    got = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert got == ["README.md", "config.json", "games/Pong/a+b/0", "games/Pong/a+b/config.json"]
    whole, _ = hub.open_ref(str(ref), "model", server.url)
    assert all((whole / name).is_file() for name in files)


@pytest.mark.parametrize("name", ["user@lab", "a@b/c@d", "with space@x"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_that_exists_comes_before_any_meaning_of_its_name(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd" / name).mkdir(parents=True)
    for path in (Path("odd") / name, tmp_path / "odd" / name):
        assert hub.open_ref(kind(path), "dataset") == (Path(path), None)
    assert hub.open_ref(kind("."), "dataset") == (Path("."), None)


@pytest.mark.parametrize("root", ["/dev/null/.local/share/hub", "full"])
def test_a_local_hub_that_cannot_be_kept_says_why_and_how_to_keep_it_elsewhere(tmp_path, monkeypatch, root):
    """Check a HOME that cannot be written, and a full disk."""
    folder = Path(root) if root.startswith("/") else tmp_path / root
    disk = None
    if root == "full":
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("a small file system cannot be mounted here")
        disk = folder
    monkeypatch.setenv(place.ROOT, str(folder))
    why = "the disk is full: make room" if disk else "Not a directory: let it be written"
    try:
        with pytest.raises(ValueError, match=f"cannot be kept in {folder}: {why}, or name another .* {place.ROOT}"):
            hub.search("model", "local")
    finally:
        if disk:
            subprocess.run(["umount", "-l", str(disk)], check=True)

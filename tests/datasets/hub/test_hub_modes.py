"""The hubs `local` and `URL`: one cache and one token each, pinned commits, and the number of requests."""

import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.datasets.hub import hub, place
from reincarnate.datasets.hub.reference import Ref

from .server.conftest import start


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server that writes down every request."""
    root = tmp_path_factory.mktemp("hub")
    running = start(root, "--user", "alice", "--log", str(root / "requests"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def house(tmp_path, server, monkeypatch):
    """Use a cache of this test alone, and nobody's token but alice's."""
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "caches"))
    monkeypatch.setenv(place.TOKEN, server.token("alice"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_another_hub")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "policy.safetensors").write_bytes(bytes(2_000_000))
    return folder


def requests(server) -> list[str]:
    """Return method and path of all requests since the last call."""
    text = (server.root / "requests").read_text()
    (server.root / "requests").write_text("")
    return [" ".join(line.split()[2:4]) for line in text.splitlines()]


def test_publish_then_pull_then_nothing(server, house):
    made = hub.publish(house, "alice/pong", "model", server.url)
    assert made.pinned and hub.resolve(Ref("alice/pong"), "model", server.url) == made
    requests(server)
    folder, ref = hub.open_ref("alice/pong", "model", server.url)
    assert ref == made and (folder / "policy.safetensors").read_bytes() == bytes(2_000_000)
    asked = requests(server)
    assert len(asked) == 10, asked  # is it there; the commit; the listing, twice; HEAD and GET of each of three files
    assert hub.open_ref(str(made), "model", server.url) == (folder, made)
    assert requests(server) == []
    assert hub.open_ref("alice/pong", "model", server.url) == (folder, made)
    assert requests(server) == ["GET /api/models/alice/pong"]


def test_damage_in_the_cache_is_seen_and_mended(server, house):
    made = hub.publish(house, "alice/mend", "model", server.url)
    folder = hub.snapshot(made, "model", server.url)
    (folder / "policy.safetensors").resolve().write_bytes(b"short")
    assert (hub.snapshot(made, "model", server.url) / "policy.safetensors").read_bytes() == bytes(2_000_000)


def test_two_hubs_share_nothing(server, house, tmp_path, monkeypatch):
    """A name on two hubs means two repositories, whatever is cached, and a hub that is gone is not replaced."""
    other = start(tmp_path / "other", "--user", "alice")
    try:
        made = hub.publish(house, "alice/same", "model", server.url)
        hub.snapshot(made, "model", server.url)
        monkeypatch.setenv(place.TOKEN, other.token("alice"))
        with pytest.raises(ValueError, match=rf"{other.url} has no model alice/same, or hides it from you"):
            hub.open_ref("alice/same", "model", other.url)
        with pytest.raises(ValueError, match="or hides it from you"):
            hub.open_ref(str(made), "model", other.url)
    finally:
        other.stop()
    with pytest.raises(ValueError, match=rf"{other.url} does not answer: check the network"):
        hub.open_ref("alice/same", "model", other.url)


def test_the_local_hub_starts_by_itself_with_what_ships(house, tmp_path, monkeypatch):
    monkeypatch.setenv(place.ROOT, str(tmp_path / "root"))
    monkeypatch.setattr(place, "IDLE", 20)  # less, and it stops between two requests of a busy machine
    bundled = {one.ref for one in hub.search("model")}
    assert {one.ref for one in hub.search("model", "local")} == bundled != set()  # the very same commits
    assert (tmp_path / "root/tokens" / place.owner().lower()).stat().st_mode & 0o777 == 0o600
    made = hub.publish(house, "me/mine", "dataset", "local")
    assert hub.open_ref("me/mine", "dataset", "local")[1] == made
    newest = min(bundled)
    assert hub.snapshot(newest, "model", "local").name == newest.revision
    url = place.running(tmp_path / "root")
    assert url and place.find("local").api().endpoint == url


def test_a_saved_token_goes_to_its_own_hub_only(server, house, tmp_path, monkeypatch):
    """In a process of its own, since the client looks for tokens when it is imported."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/token").write_text("hf_saved")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for variable, value, expected in (
        ("HF_TOKEN", "hf_in_the_environment", "hf_in_the_environment"),
        ("HF_TOKEN", "", "hf_saved"),
    ):
        monkeypatch.setenv(variable, value)
        program = "from reincarnate.datasets.hub import place as p; print(p.find('hf').api().token, p.find('http://h').api().token)"
        monkeypatch.delenv(place.TOKEN, raising=False)
        path = str(Path(hub.__file__).absolute().parents[3])
        monkeypatch.setenv("PYTHONPATH", path)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout.split() == [expected, "False"], done.stderr


@pytest.mark.parametrize(
    "text", ["ftp://host", "http://", "http://user:password@host", "http://host?x", "localhost:80"]
)
def test_what_is_no_hub(text):
    with pytest.raises(ValueError, match="there is no hub"):
        hub.search("model", text)


def test_publishing_says_why_not(server, house, monkeypatch):
    with pytest.raises(ValueError, match="the bundled hub is read-only"):
        hub.publish(house, "alice/x", "model", "bundled")
    with pytest.raises(ValueError, match="rights to write to the namespace bob"):
        hub.publish(house, "bob/x", "model", server.url)
    monkeypatch.delenv(place.TOKEN)
    with pytest.raises(ValueError, match="takes uploads only with a token: put yours into REINCARNATE_HUB_TOKEN"):
        hub.publish(house, "alice/x", "model", server.url)

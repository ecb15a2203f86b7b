"""References mean what they say, and the bundled hub gives checked files without a network or says what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.datasets.hub import hub, repository
from reincarnate.datasets.hub.reference import Ref

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def root(tmp_path):
    """Return a bundle with two teachers and a log."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for repo, kind in (("ours/pong", "model"), ("ours/breakout", "model"), ("ours/pong-log", "dataset")):
        (folder / "config.json").write_text(f'"{repo}"')
        repository.install(folder, repo, kind, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.mark.parametrize("text", ["user/name", f"User_1/a.b-c@{COMMIT}", "u/n@main", "u/n@refs/pr/1", "u/n@v1.0"])
def test_a_reference_survives_the_round_trip(text):
    assert str(Ref.parse(text)) == text
    assert Ref.parse(text).pinned == (COMMIT in text)


@pytest.mark.parametrize(
    "text",
    ["", "name", "a/b/c", "a/b@", "a/b@-x", "a/b@../../x", "a/b@x@y", "a--b/c", "a/b\n", "a b/c", "a/b\0", "x" * 5000],
)
def test_what_is_no_reference_is_refused(text):
    for call in (Ref.parse, lambda text: hub.open_ref(text, "model")):
        with pytest.raises(ValueError, match="is not a reference: write user/name or user/name@commit"):
            call(text)


def test_a_path_with_a_fault_is_told_as_one(root):
    said = "^there is no folder teachers/pong, and the bundled hub has no model teachers/pong; it has .*ours/pong"
    with pytest.raises(ValueError, match=said):
        hub.open_ref("teachers/pong", "model", root=root)
    with pytest.raises(ValueError, match=f"^the bundled hub has no model ours/pong@{COMMIT}; it has .*ours/pong@"):
        hub.open_ref(f"ours/pong@{COMMIT}", "model", root=root)


def test_only_a_whole_lower_case_commit_pins():
    assert not any(
        Ref("a/b", revision).pinned for revision in (None, "main", COMMIT[:39], COMMIT.upper(), COMMIT + "0")
    )


def test_a_snapshot_is_the_folder_of_the_pinned_commit(root):
    newest = hub.resolve(Ref("ours/pong"), "model", root=root)
    path = hub.snapshot(newest, "model", root=root)
    assert newest.pinned and path.name == newest.revision
    assert (path / "config.json").read_text() == '"ours/pong"'
    for revision in (None, "main"):
        assert hub.snapshot(Ref("ours/pong", revision), "model", root=root) == path


def test_an_older_commit_stays_readable(root, tmp_path):
    old = hub.resolve(Ref("ours/pong"), "model", root=root)
    (tmp_path / "folder" / "config.json").write_text("newer")
    new = repository.install(tmp_path / "folder", "ours/pong", "model", root)
    assert (hub.snapshot(old, "model", root=root) / "config.json").read_text() == '"ours/pong"'
    assert hub.resolve(Ref("ours/pong"), "model", root=root) == new != old


def test_search_lists_pinned_references_by_kind(root):
    assert [one.ref.repo for one in hub.search("model", root=root)] == ["ours/breakout", "ours/pong"]
    assert [one.ref for one in hub.search("dataset", root=root)] == [
        hub.resolve(Ref("ours/pong-log"), "dataset", root=root)
    ]
    assert [one.ref.repo for one in hub.search("model", root=root, text="PONG ours")] == ["ours/pong"]
    assert hub.search("model", root=root / "absent") == []


def test_the_bundle_may_be_elsewhere(root, monkeypatch):
    monkeypatch.setenv(hub.BUNDLE, str(root))
    assert len(hub.search("model")) == 2
    monkeypatch.delenv(hub.BUNDLE)
    assert hub.bundle().name == "bundled" and hub.bundle().parent.samefile(Path(hub.__file__).parents[1])


def test_open_ref_takes_folders_and_references(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, ref = hub.open_ref("ours/pong", "model", root=root)
    assert ref is not None and ref.pinned and path.name == ref.revision
    assert hub.open_ref(str(ref), "model", root=root) == (path, ref)
    assert hub.open_ref(str(tmp_path / "folder"), "model", root=root) == (tmp_path / "folder", None)
    (tmp_path / "ours" / "pong").mkdir(parents=True)  # a folder of that name comes first, a pin always means the hub
    local, none = hub.open_ref("ours/pong", "model", root=root)
    assert none is None and local.samefile(tmp_path / "ours" / "pong")
    assert hub.open_ref(str(ref), "model", root=root) == (path, ref)


@pytest.mark.parametrize("text", ["./absent", "/absent/x", "~/absent-x", "~nobody-x/y", "../a/b/c", "/" + "x" * 5000])
def test_open_ref_says_that_there_is_no_folder(root, text):
    with pytest.raises(ValueError, match="is not a folder"):
        hub.open_ref(text, "model", root=root)


def test_a_file_is_no_folder(root, tmp_path):
    with pytest.raises(ValueError, match="is not a folder: give the folder that holds the files"):
        hub.open_ref(str(tmp_path / "folder" / "config.json"), "model", root=root)


@pytest.mark.parametrize(
    "ref", [Ref("ours/absent"), Ref("ours/pong", COMMIT), Ref("ours/pong", "v2"), Ref("ours/pong-log")]
)
def test_what_the_bundle_lacks_is_said_with_what_it_has(root, ref):
    with pytest.raises(ValueError, match=rf"has no model {ref}; it has ours/breakout, ours/pong(@[0-9a-f]{{40}})?$"):
        hub.snapshot(ref, "model", root=root)


def test_an_empty_bundle_says_so(tmp_path):
    with pytest.raises(ValueError, match="has no model a/b; it has nothing"):
        hub.snapshot(Ref("a/b"), "model", root=tmp_path)


def test_unknown_hubs_and_kinds_are_refused(root):
    with pytest.raises(ValueError, match="there is no hub 'huggingface'; there are: bundled, local, hf, or its URL"):
        hub.snapshot(Ref("ours/pong"), "model", "huggingface", root)
    for call in (lambda: hub.search("space", root=root), lambda: hub.snapshot(Ref("ours/pong"), "space", root=root)):
        with pytest.raises(ValueError, match="'space' is not a kind of repository: use model or dataset"):
            call()


def test_damage_is_one_sentence_with_the_file_and_what_to_do(root, capfd):
    ref = hub.resolve(Ref("ours/pong"), "model", root=root)
    home = root / "models--ours--pong"
    config = home / "snapshots" / str(ref.revision) / "config.json"
    config.write_text("x")
    with pytest.raises(ValueError, match=r"config\.json is damaged: reinstall reincarnate"):
        hub.snapshot(ref, "model", root=root)
    config.unlink()
    with pytest.raises(ValueError, match=r"config\.json is missing: reinstall reincarnate"):
        hub.snapshot(ref, "model", root=root)
    (home / "trees" / f"{ref.revision}.json").write_text("{")
    with pytest.raises(ValueError, match=rf"{ref.revision}\.json is missing or damaged: reinstall"):
        hub.snapshot(ref, "model", root=root)
    (home / "refs" / "main").write_bytes(b"\xff\xfe")
    for call in (lambda: hub.search("model", root=root), lambda: hub.snapshot(Ref("ours/pong"), "model", root=root)):
        with pytest.raises(ValueError, match=r"refs/main is damaged: reinstall reincarnate"):
            call()
    assert capfd.readouterr() == ("", "")


def test_nothing_is_written_asked_or_imported_before_it_is_needed(root, tmp_path):
    """In a process of its own, with sockets forbidden and a read-only bundle."""
    program = f"""
import os, socket, sys
from pathlib import Path
def refuse(*_, **__): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
from reincarnate.datasets.hub import hub
assert "huggingface_hub" not in sys.modules
path, ref = hub.open_ref("ours/pong", "model", root=Path({str(root)!r}))
assert "huggingface_hub" not in sys.modules
before = dict(os.environ)
hub.client()
assert dict(os.environ) == before
assert not {{"jax", "torch", "tensorflow"}} & set(sys.modules)
print(ref)
"""
    before = sorted(root.rglob("*"))
    package = os.path.join(os.path.dirname(hub.__file__), "..", "..", "..")
    env = {**os.environ, "PYTHONPATH": package, "HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Ref.parse(done.stdout.strip()) == hub.resolve(Ref("ours/pong"), "model", root=root)
    assert done.stderr == "" and sorted(root.rglob("*")) == before and not (tmp_path / "home").exists()


def test_everything_that_ships_with_the_package_is_whole():
    for kind in hub.KINDS:
        for one in hub.search(kind):
            assert hub.snapshot(one.ref, kind).name == one.ref.revision

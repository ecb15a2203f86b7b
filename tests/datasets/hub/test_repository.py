"""A folder's commit is git's own, the same everywhere, and the Hub's unmodified client opens what is installed."""

import json
import os
import shutil
import subprocess

import pytest
from dulwich.objects import Blob
from dulwich.repo import Repo

from reincarnate.datasets.hub import repository
from reincarnate.datasets.hub.client import client
from reincarnate.datasets.hub.reference import Ref

FILES = {
    "README.md": b"# A teacher\n",
    "config.json": b"{}\n",
    "policy.safetensors": b"small, but a pointer in git",
    "logs/x-train.array_record-00000-of-00001": b"\x00\x01",
    "logs-1/empty": b"",  # sorts between logs and logs/ only if trees are ordered as git orders them
    ".eval_results/pong.yaml": b"- value: 1\n",
    "large.bin": bytes(repository.LARGE + 1),
}
COMMIT = "abae95c7f347a59808cfb81b2636e551ed518e86"  # test_git_itself_agrees


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "teacher", FILES)


def fill(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_the_same_files_have_the_same_commit_everywhere(folder, tmp_path):
    assert repository.digest(folder) == COMMIT
    other = fill(tmp_path / "elsewhere" / "copy", dict(reversed(FILES.items())))
    (other / "empty").mkdir()  # git has no empty folders
    os.chmod(other / "config.json", 0o755)
    os.utime(other / "README.md", (0, 0))
    assert repository.digest(other) == COMMIT
    (other / "README.md").write_bytes(b"# a teacher\n")
    assert repository.digest(other) != COMMIT


def test_digests_are_those_that_git_and_lfs_define(folder):
    listing = repository.listing(folder)
    # `printf '{}\n' | git hash-object --stdin`, and the empty blob that every git repository knows
    assert listing["config.json"] == (3, "0967ef424bce6791893e9a57bb952f80fd536e93", None)
    assert listing["logs-1/empty"].blob_id == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 27\n"
    weights = listing["policy.safetensors"]
    assert weights.size == 27 and weights.lfs_sha256 is not None
    assert weights.blob_id == Blob.from_string(pointer.format(weights.lfs_sha256).encode()).id.decode()
    large = {name for name, entry in listing.items() if entry.lfs_sha256}
    assert large == {"policy.safetensors", "logs/x-train.array_record-00000-of-00001", "large.bin"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git itself is not installed")
def test_git_itself_agrees(folder, tmp_path):
    bare = tmp_path / "bare.git"
    repo = Repo.init_bare(str(bare), mkdir=True)
    entries = repository.listing(folder)
    for name, entry in entries.items():
        blob = Blob.from_string((folder / name).read_bytes())
        if entry.lfs_sha256:
            text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{entry.lfs_sha256}\nsize {entry.size}\n"
            blob = Blob.from_string(text.encode())
        repo.object_store.add_object(blob)
    made = repository.commit(entries, repo.object_store)
    repo.close()
    git = ["git", "-C", str(bare)]
    subprocess.run([*git, "update-ref", "refs/heads/main", made.id.decode()], check=True)
    subprocess.run([*git, "fsck", "--full", "--strict", "--no-dangling"], check=True, capture_output=True)
    # git makes the same tree from a flat index, and the same commit from that tree
    index = {**os.environ, "GIT_INDEX_FILE": str(tmp_path / "index")}
    lines = "".join(f"100644 {entry.blob_id}\t{name}\n" for name, entry in entries.items())
    subprocess.run([*git, "update-index", "--index-info"], input=lines.encode(), check=True, env=index)
    tree = subprocess.run([*git, "write-tree"], check=True, capture_output=True, env=index).stdout.decode().strip()
    who = {"NAME": "reincarnate", "EMAIL": "reincarnate@localhost", "DATE": "1640995200 +0000"}
    identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    command = [*git, "commit-tree", tree, "-m", "Add files"]
    sha = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **identity}).stdout
    assert sha.decode().strip() == made.id.decode() == COMMIT


def test_the_hubs_client_opens_a_read_only_installation(folder, tmp_path):
    root = tmp_path / "root"
    ref = repository.install(folder, "some-one/Pong_v5.dqn", "model", root)
    assert ref == Ref("some-one/Pong_v5.dqn", COMMIT)
    everything = sorted(root.rglob("*"))
    assert not [path for path in everything if path.is_symlink() or path.name.endswith(".partial")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    how = {"cache_dir": root, "local_files_only": True}
    found = client().snapshot_download(ref.repo, **how)
    assert found == client().snapshot_download(ref.repo, revision=ref.revision, **how)
    assert repository.names(root / found) == sorted(FILES)
    assert client().hf_hub_download(ref.repo, "config.json", revision="main", **how).endswith("config.json")
    tree = client().get_cached_repo_tree(ref.repo, cache_dir=root)
    assert {file.path: (file.size, file.blob_id) for file in tree} == {
        name: entry[:2] for name, entry in repository.listing(folder).items()
    }
    assert sorted(root.rglob("*")) == everything
    for path in everything:
        path.chmod(0o755)


def test_a_newer_folder_moves_main_and_keeps_the_old_commit(folder, tmp_path):
    root = tmp_path / "root"
    old = repository.install(folder, "a/b", "dataset", root)
    (folder / "config.json").write_text("[]")
    new = repository.install(folder, "a/b", "dataset", root)
    assert new != old and repository.install(folder, "a/b", "dataset", root) == new
    home = root / "datasets--a--b"
    assert (home / "refs/main").read_text() == new.revision
    assert repository.problem(home, str(old.revision)) is None and repository.problem(home, str(new.revision)) is None


def test_installing_again_repairs_what_was_damaged(folder, tmp_path):
    ref = repository.install(folder, "a/b", "model", tmp_path / "root")
    home = tmp_path / "root" / "models--a--b"
    (home / "snapshots" / str(ref.revision) / "config.json").unlink()
    assert repository.problem(home, str(ref.revision))
    repository.install(folder, "a/b", "model", tmp_path / "root")
    assert repository.problem(home, str(ref.revision)) is None


def damage_flip(home, sha):
    path = home / "snapshots" / sha / "policy.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def damage_flip_small(home, sha):
    (home / "snapshots" / sha / "config.json").write_bytes(b"[]\n")


def damage_truncate(home, sha):
    (home / "snapshots" / sha / "large.bin").write_bytes(b"")


def damage_missing(home, sha):
    (home / "snapshots" / sha / "README.md").unlink()


def damage_extra(home, sha):
    (home / "snapshots" / sha / "logs" / "extra").write_text("")


def damage_listing(home, sha):
    path = home / "trees" / f"{sha}.json"
    path.write_bytes(path.read_bytes()[:-20])


def damage_listing_gone(home, sha):
    (home / "trees" / f"{sha}.json").unlink()


def damage_both(home, sha):
    """Change a file and its digest in the listing: only the commit gives it away."""
    damage_flip_small(home, sha)
    path = home / "trees" / f"{sha}.json"
    data = json.loads(path.read_text())
    data["files"]["config.json"] = repository.entry(home / "snapshots" / sha / "config.json", False).to_json()
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_flip, "policy.safetensors is damaged"),
        (damage_flip_small, "config.json is damaged"),
        (damage_truncate, "large.bin is damaged"),
        (damage_missing, "README.md is missing"),
        (damage_extra, "logs/extra does not belong there"),
        (damage_listing, f"{COMMIT}.json is missing or damaged"),
        (damage_listing_gone, f"{COMMIT}.json is missing or damaged"),
        (damage_both, f"{COMMIT}.json is missing or damaged"),
    ],
)
def test_every_damage_is_named(folder, tmp_path, damage, says):
    repository.install(folder, "a/b", "model", tmp_path / "root")
    home = tmp_path / "root" / "models--a--b"
    assert repository.problem(home, COMMIT) is None
    damage(home, COMMIT)
    assert str(repository.problem(home, COMMIT)).endswith(says)


ZERO = {"size": 1, "blob_id": "0" * 40}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[" * 100_000,
        '{"format_version": 1}',
        '{"format_version": 1, "files": []}',
        json.dumps({"format_version": 2, "files": {"a": ZERO}}),
        json.dumps({"format_version": 1, "files": {"a": 1}}),
        json.dumps({"format_version": 1, "files": {"a": {**ZERO, "size": "1"}}}),
        json.dumps({"format_version": 1, "files": {"a": {**ZERO, "blob_id": 7}}}),
        json.dumps({"format_version": 1, "files": {"a": {**ZERO, "lfs_sha256": "short"}}}),
        json.dumps({"format_version": 1, "files": {"../../a": ZERO}}),
        json.dumps({"format_version": 1, "files": {"/etc/passwd": ZERO}}),
        json.dumps({"format_version": 1, "files": {"a": ZERO, "a/b": ZERO}}),
        json.dumps({"format_version": 1, "files": {"a/" * 10_000 + "a": ZERO}}),
    ],
)
def test_a_hostile_listing_is_only_damaged(folder, tmp_path, text):
    repository.install(folder, "a/b", "model", tmp_path / "root")
    home = tmp_path / "root" / "models--a--b"
    (home / "trees" / f"{COMMIT}.json").write_text(text)
    assert str(repository.problem(home, COMMIT)).endswith("is missing or damaged")


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "ü.txt",
        "a\\b",
        "a:b",
        "nul",
        "COM1.txt",
        "end.",
        ".git/config",
        ".gitmodules",
        "git~1",
        "GIT~1/config",
        "GITMOD~1.x",
        "~x",
        "x.partial",
        "-rf",
        "a\nb",
        "x" * 151,
    ],
)
def test_names_that_do_not_travel_are_refused(tmp_path, name):
    fill(tmp_path / "odd", {name: b""})
    with pytest.raises(ValueError, match="no portable name: use ASCII letters"):
        repository.install(tmp_path / "odd", "a/b", "model", tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_links_and_special_files_and_twins_and_nothing_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="is not a folder"):
        repository.names(tmp_path / "absent")
    (tmp_path / "bare" / "empty").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no file"):
        repository.names(tmp_path / "bare")
    fill(folder, {"CONFIG.json": b""})
    with pytest.raises(ValueError, match="CONFIG.json and config.json in .* differ only in case"):
        repository.names(folder)
    (folder / "CONFIG.json").unlink()
    (folder / "link").symlink_to("config.json")
    with pytest.raises(ValueError, match="link in .* is a link"):
        repository.names(folder)
    (folder / "link").unlink()
    (folder / "outside").symlink_to("/etc")
    with pytest.raises(ValueError, match="outside in .* is a link"):
        repository.names(folder)
    (folder / "outside").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError, match="pipe in .* special file"):
        repository.names(folder)


@pytest.mark.parametrize(
    "repo", ["gpt2", "a/b/c", "a--x/b", "../b", "a/..", "a/b.git", "a/b ", "ä/b", "a/", "/b", "a/b@"]
)
def test_repositories_have_a_user_and_a_name(folder, tmp_path, repo):
    with pytest.raises(ValueError, match="is not a reference"):
        repository.install(folder, repo, "model", tmp_path / "root")

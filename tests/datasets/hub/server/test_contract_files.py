"""The unmodified client against the server: uploads, listings, downloads, and what git makes of them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.hub.client import client

from .refused import refused

BIG = np.random.default_rng(0).bytes(12_500_000)  # more than one piece of a download
MODEL, LOG = "alice/weights", "alice/log"


@pytest.fixture(scope="module")
def uploaded(alice, tmp_path_factory):
    """Upload a model with a large file, an empty one, odd names and a folder, and a dataset; return its folder."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "sub").mkdir()
    (folder / "policy.safetensors").write_bytes(BIG)
    (folder / "empty.bin").write_bytes(b"")
    for name in ("config.json", "sub/a b.txt", "sub/h#x?.txt", "100%.txt", "sub/ü.json"):
        (folder / name).write_text(name)
    alice.create_repo(MODEL)
    commit = alice.upload_folder(folder_path=folder, repo_id=MODEL, commit_message="add policy")
    again = alice.upload_folder(folder_path=folder, repo_id=MODEL)
    assert len(commit.oid) == 40 and commit.pr_url is None and again.oid == commit.oid  # nothing new, no new commit
    alice.create_repo(LOG, repo_type="dataset")
    shard = "log-train.tfrecord-00000-of-00001"
    alice.upload_file(path_or_fileobj=BIG[:100], path_in_repo=shard, repo_id=LOG, repo_type="dataset")
    return folder


def files(folder) -> dict[str, bytes]:
    root = Path(folder)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_goes_up_comes_down(alice, nobody, uploaded, tmp_path):
    sha = alice.model_info(MODEL).sha
    there = Path(nobody.snapshot_download(MODEL, cache_dir=tmp_path))
    assert there.name == sha and files(there).items() >= files(uploaded).items()
    assert nobody.snapshot_download(MODEL, revision=sha, cache_dir=tmp_path) == str(there)
    plain = Path(nobody.snapshot_download(MODEL, local_dir=tmp_path / "plain"))
    assert (plain / "policy.safetensors").read_bytes() == BIG
    log = nobody.snapshot_download(LOG, repo_type="dataset", allow_patterns=["*.tfrecord*"], cache_dir=tmp_path)
    assert list(files(log).values()) == [BIG[:100]]


def test_listings(alice, uploaded):
    there = {one.path: one for one in alice.list_repo_tree(MODEL, recursive=True)}
    assert there["policy.safetensors"].lfs.sha256 == hashlib.sha256(BIG).hexdigest()
    assert there["policy.safetensors"].size == len(BIG) and there["empty.bin"].size == 0
    assert there["config.json"].lfs is None and "sub" in there
    assert {one.path for one in alice.list_repo_tree(MODEL, "sub")} == {"sub/a b.txt", "sub/h#x?.txt", "sub/ü.json"}
    found = alice.get_paths_info(MODEL, ["policy.safetensors", "sub", "none"], expand=True)
    assert {one.path for one in found} == {"policy.safetensors", "sub"}
    assert alice.file_exists(MODEL, "config.json") and not alice.file_exists(MODEL, "none")
    [log] = [one for one in alice.list_repo_tree(LOG, repo_type="dataset") if "tfrecord" in one.path]
    assert log.lfs.size == 100


def test_what_is_not_there(alice, uploaded, tmp_path):
    errors = client().errors
    for name, file, revision, error in (
        (MODEL, "config.json", "none", errors.RevisionNotFoundError),
        (MODEL, "none", "main", errors.RemoteEntryNotFoundError),
        ("alice/none", "config.json", "main", errors.RepositoryNotFoundError),
    ):
        with pytest.raises(error):
            alice.hf_hub_download(name, file, revision=revision, cache_dir=tmp_path)


def test_commits_delete_copy_and_refuse_stale_parents(alice, uploaded, tmp_path):
    hub = client()
    alice.create_repo("alice/operations")
    alice.upload_folder(folder_path=uploaded, repo_id="alice/operations")
    old = alice.model_info("alice/operations").sha
    operations = [
        hub.CommitOperationDelete("sub/"),
        hub.CommitOperationDelete("empty.bin"),
        hub.CommitOperationCopy("policy.safetensors", "copy.safetensors"),
        hub.CommitOperationCopy("config.json", "copy.json"),
        hub.CommitOperationAdd("one/two/three.txt", b"3"),
    ]
    alice.create_commit("alice/operations", operations, commit_message="operations", commit_description="why")
    there = set(alice.list_repo_files("alice/operations"))
    assert there == {".gitattributes", "policy.safetensors", "config.json", "100%.txt"} | {
        "copy.safetensors",
        "copy.json",
        "one/two/three.txt",
    }
    copy = alice.hf_hub_download("alice/operations", "copy.safetensors", cache_dir=tmp_path)
    assert Path(copy).read_bytes() == BIG
    assert alice.list_repo_commits("alice/operations")[0].message == "why"
    add = [hub.CommitOperationAdd("a", b"1")]
    assert refused(alice.create_commit, "alice/operations", add, commit_message="x", parent_commit=old) == 412
    assert refused(alice.delete_file, "nothere", "alice/operations") == 404
    clash = [hub.CommitOperationAdd("config.json/x", b"1")]
    assert refused(alice.create_commit, "alice/operations", clash, commit_message="x") == 400


def test_only_writers_write(bob, carol, nobody, uploaded):
    def upload(api):
        return refused(api.upload_file, path_or_fileobj=b"1", path_in_repo="x", repo_id=MODEL)

    assert [upload(api) for api in (nobody, bob, carol)] == [401, 403, 403]


def test_a_listing_has_pages(alice):
    hub = client()
    alice.create_repo("alice/many", repo_type="dataset")
    add = [hub.CommitOperationAdd(f"d/{number:04}.txt", b"%d" % number) for number in range(1100)]
    alice.create_commit("alice/many", add, commit_message="many", repo_type="dataset")
    assert len(alice.list_repo_files("alice/many", repo_type="dataset")) == 1101


def test_the_file_system_of_the_client(alice, uploaded):
    system = client().HfFileSystem(endpoint=alice.endpoint, token=alice.token)
    assert system.cat_file(f"{MODEL}/config.json") == b"config.json"
    assert system.read_block(f"{MODEL}/policy.safetensors", 100, 50) == BIG[100:150]
    assert f"datasets/{LOG}/.gitattributes" in system.ls(f"datasets/{LOG}", detail=False)


def test_a_download_goes_on_where_it_broke(alice, uploaded):
    """Request a range of a large file and of one in git, like the client after a broken connection."""
    for name, content in (("policy.safetensors", BIG), ("config.json", b"config.json")):
        url = f"{alice.endpoint}/{MODEL}/resolve/main/{name}"
        answer = client().utils.get_session().get(url, headers={"Range": f"bytes={len(content) - 7}-"})
        assert (answer.status_code, answer.content) == (206, content[-7:])
        assert answer.headers["content-range"] == f"bytes {len(content) - 7}-{len(content) - 1}/{len(content)}"
        assert client().utils.get_session().get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_git_accepts_and_clones_it(hub, alice, uploaded, tmp_path):
    for folder in hub.root.glob("*s/*/*.git"):
        done = subprocess.run(["git", "-C", folder, "fsck", "--full", "--strict"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), folder
    env = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"}
    source, clone = hub.root / f"models/{MODEL}.git", tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", source, clone], check=True, env=env)
    assert (clone / "policy.safetensors").read_text().startswith("version https://git-lfs")
    assert (clone / "sub/ü.json").read_text() == "sub/ü.json"
    head = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert head.stdout.strip() == alice.model_info(MODEL).sha


def test_the_command_line_of_the_client(hub, uploaded, tmp_path):
    """In a process that knows the hub by the environment only, as a class would set it."""
    tool = Path(sys.executable).parent / "hf"
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token("alice"), "HF_HOME": str(tmp_path)}
    env |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    (tmp_path / "new.txt").write_text("new")
    for command in (
        ["upload", MODEL, tmp_path / "new.txt", "new.txt"],
        ["download", MODEL, "new.txt"],
        ["discussions", "list", MODEL],
    ):
        done = subprocess.run([tool, *command], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr

"""The unmodified client against the server: pull requests from people without write access."""

import json
import threading
from pathlib import Path

import pytest

from reincarnate.datasets.hub.client import client

from .refused import refused

RESULTS = {"repo_id": "lab/board", "repo_type": "dataset"}


def add(path: str, content: bytes = b"{}"):
    return [client().CommitOperationAdd(path, content)]


def propose(api, path: str, content: bytes = b"{}", **more):
    return api.create_commit(operations=add(path, content), commit_message=path, create_pr=True, **RESULTS, **more)


@pytest.fixture(scope="module", autouse=True)
def board(alice):
    alice.create_repo(**RESULTS)


def test_from_submission_to_merge(alice, bob, carol, nobody, tmp_path):
    large = bytes(200) * 1000
    made = propose(bob, "results/bob/run.json", json.dumps({"score": 1.0}).encode(), commit_description="why")
    number = made.pr_num
    assert made.pr_revision == f"refs/pr/{number}" and made.pr_url.endswith(f"/discussions/{number}")
    more = add("results/bob/big.npz", large)
    bob.create_commit(operations=more, commit_message="more", revision=made.pr_revision, **RESULTS)
    with pytest.raises(client().errors.RemoteEntryNotFoundError):
        alice.hf_hub_download(filename="results/bob/run.json", cache_dir=tmp_path, **RESULTS)
    there = Path(alice.snapshot_download(revision=made.pr_revision, cache_dir=tmp_path, **RESULTS))
    assert json.loads((there / "results/bob/run.json").read_text())["score"] == 1.0
    assert (there / "results/bob/big.npz").read_bytes() == large
    open_ones = alice.get_repo_discussions(discussion_type="pull_request", discussion_status="open", **RESULTS)
    assert [(one.num, one.author, one.status) for one in open_ones] == [(number, "bob", "open")]

    assert [refused(api.merge_pull_request, discussion_num=number, **RESULTS) for api in (nobody, bob)] == [401, 403]
    assert refused(carol.create_commit, operations=add("x"), commit_message="x", create_pr=True, **RESULTS) == 403
    stranger = {"operations": add("x"), "commit_message": "x", "revision": "refs/pr/999"}
    assert refused(bob.create_commit, **stranger, **RESULTS) == 404
    alice.comment_discussion(discussion_num=number, comment="looks good", **RESULTS)
    told = alice.get_discussion_details(discussion_num=number, **RESULTS)
    assert told.conflicting_files == [] and '+{"score": 1.0}' in told.diff and "results/bob/big.npz" in told.diff
    assert [event.type for event in told.events] == ["comment", "commit", "commit", "comment"]
    assert told.events[0].content == "why" and told.events[3].content == "looks good"

    alice.merge_pull_request(discussion_num=number, comment="thanks", **RESULTS)
    told = alice.get_discussion_details(discussion_num=number, **RESULTS)
    assert told.status == "merged" and told.merge_commit_oid == alice.dataset_info(RESULTS["repo_id"]).sha
    assert '+{"score": 1.0}' in told.diff  # still what it brought
    assert "results/bob/run.json" in alice.list_repo_files(**RESULTS)
    assert refused(alice.merge_pull_request, discussion_num=number, **RESULTS) == 400
    late = {"operations": add("late"), "commit_message": "late", "revision": made.pr_revision}
    assert refused(bob.create_commit, **late, **RESULTS) == 400


def test_a_folder_as_a_pull_request(alice, bob, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    made = bob.upload_folder(folder_path=tmp_path, path_in_repo="results/folder", create_pr=True, **RESULTS)
    alice.merge_pull_request(discussion_num=made.pr_num, **RESULTS)
    assert "results/folder/run.json" in alice.list_repo_files(**RESULTS)


def test_both_changed_the_same_file(alice, bob, tmp_path):
    first, second = propose(bob, "same.json", b"1"), propose(bob, "same.json", b"2")
    other = propose(bob, "other.json", b"3")
    alice.merge_pull_request(discussion_num=first.pr_num, **RESULTS)
    assert alice.get_discussion_details(discussion_num=second.pr_num, **RESULTS).conflicting_files == ["same.json"]
    assert refused(alice.merge_pull_request, discussion_num=second.pr_num, **RESULTS) == 409
    alice.merge_pull_request(discussion_num=other.pr_num, **RESULTS)  # a conflict is not an obstacle for others
    bob.change_discussion_status(discussion_num=second.pr_num, new_status="closed", **RESULTS)
    assert alice.get_discussion_details(discussion_num=second.pr_num, **RESULTS).status == "closed"
    path = alice.hf_hub_download(filename="same.json", cache_dir=tmp_path, **RESULTS)
    assert Path(path).read_bytes() == b"1"


def test_one_deleted_what_the_other_changed(alice, bob):
    alice.create_commit(operations=add("kept.json", b"1"), commit_message="kept", **RESULTS)
    change = propose(bob, "kept.json", b"2")
    alice.delete_file("kept.json", **RESULTS)
    assert refused(alice.merge_pull_request, discussion_num=change.pr_num, **RESULTS) == 409
    folder = propose(bob, "place", b"a file")
    alice.create_commit(operations=add("place/inside.json"), commit_message="a folder", **RESULTS)
    assert refused(alice.merge_pull_request, discussion_num=folder.pr_num, **RESULTS) == 409


def test_drafts_titles_and_plain_discussions(alice, bob):
    draft = bob.create_pull_request(title="soon", **RESULTS)
    assert draft.status == "draft" and draft.git_reference == f"refs/pr/{draft.num}"
    bob.create_commit(operations=add("soon"), commit_message="now", revision=draft.git_reference, **RESULTS)
    bob.change_discussion_status(discussion_num=draft.num, new_status="open", **RESULTS)
    bob.rename_discussion(discussion_num=draft.num, new_title="now", **RESULTS)
    assert alice.get_discussion_details(discussion_num=draft.num, **RESULTS).title == "now"
    talk = alice.create_discussion(title="a question", description="how?", **RESULTS)
    assert not talk.is_pull_request and talk.events[0].content == "how?"
    assert refused(bob.rename_discussion, discussion_num=talk.num, new_title="mine", **RESULTS) == 403
    assert refused(alice.merge_pull_request, discussion_num=talk.num, **RESULTS) == 400
    assert refused(alice.get_discussion_details, discussion_num=999, **RESULTS) == 404


def test_many_at_once(alice, bob):
    before = len(list(alice.get_repo_discussions(**RESULTS)))
    made = []
    threads = [threading.Thread(target=lambda n=n: made.append(propose(bob, f"c{n}.json").pr_num)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16 and len(list(alice.get_repo_discussions(**RESULTS))) == before + 16

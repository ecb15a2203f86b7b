"""The unmodified client against the server: users, repositories, search, branches, tags, rights."""

import pytest

from reincarnate.datasets.hub.card import teacher_card
from reincarnate.datasets.hub.client import client

from .refused import refused

ENVIRONMENTS = {"alice/dqn-cartpole": "CartPole-v1", "alice/ppo-hopper": "Hopper-v4"}


@pytest.fixture(scope="module")
def models(alice):
    """Create two models with cards."""
    for name, environment in ENVIRONMENTS.items():
        alice.create_repo(name)
        card = teacher_card(name, {"environment": environment, "evaluation": {"returns": [1.0, 3.0]}})
        alice.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=name)
    return list(ENVIRONMENTS)


def test_who_am_i(alice, nobody):
    me = alice.whoami()
    assert (me["name"], [one["name"] for one in me["orgs"]]) == ("alice", ["lab"])
    assert refused(client().HfApi(endpoint=alice.endpoint, token="hf_wrong").whoami) == 401
    assert refused(client().HfApi(endpoint=alice.endpoint, token="x").whoami) == 401


def test_repositories_are_made_once_by_those_who_may(alice, bob, carol, nobody, models):
    assert alice.create_repo("dqn-cartpole", exist_ok=True).repo_id == "alice/dqn-cartpole"
    assert refused(alice.create_repo, "alice/dqn-cartpole") == 409
    assert refused(alice.create_repo, "alice/DQN-cartpole") == 409  # one folder on some file systems
    assert alice.create_repo("lab/results", repo_type="dataset").repo_type == "dataset"
    assert [refused(api.create_repo, "alice/no") for api in (nobody, bob, carol)] == [401, 403, 403]
    assert refused(carol.create_repo, "carol/no") == 403  # her token only reads
    assert refused(alice.create_repo, "alice/app", repo_type="space", space_sdk="static") == 400


def test_a_private_repository_is_nobodys_business(alice, bob, nobody, tmp_path):
    alice.create_repo("alice/secret", private=True)
    alice.upload_file(path_or_fileobj=b"s", path_in_repo="s.txt", repo_id="alice/secret")
    for api, code in ((nobody, 401), (bob, 404)):
        assert refused(api.model_info, "alice/secret") == code
        with pytest.raises(client().errors.RepositoryNotFoundError):
            api.hf_hub_download("alice/secret", "s.txt", cache_dir=tmp_path)
        assert "alice/secret" not in {one.id for one in api.list_models()}
    assert "alice/secret" in {one.id for one in alice.list_models()}
    alice.auth_check("alice/secret", write=True)
    alice.update_repo_settings("alice/secret", private=False)
    assert bob.model_info("alice/secret").private is False
    assert refused(bob.auth_check, "alice/secret", write=True) == 403


def test_search_by_tag_text_author_and_pages(alice, models):
    def found(**query):
        return {one.id for one in alice.list_models(author="alice", **query)}

    assert found(filter="reinforcement-learning") == set(models)
    assert found(filter=["reinforcement-learning", "Hopper-v4"]) == {"alice/ppo-hopper"}
    assert found(search="CARTPOLE") == {"alice/dqn-cartpole"} == found(search="CartPole-v1")  # a tag
    assert found(filter="no-such-tag") == set() == {one.id for one in alice.list_models(author="none")}
    assert len(list(alice.list_models(limit=1))) == 1
    one = next(alice.list_models(filter="Hopper-v4", cardData=True))
    assert one.card_data.eval_results[0].metric_value == "2.00 +/- 1.00"
    for number in range(3):
        alice.create_repo(f"lab/page{number}", repo_type="dataset")
    pages = alice.list_datasets(author="lab", search="page", limit=2)
    assert len(list(pages)) == 2


def test_info_of_a_model(alice, models):
    info = alice.model_info(models[0], files_metadata=True)
    assert info.library_name == "reincarnate" and "CartPole-v1" in info.tags and len(info.sha) == 40
    assert {one.rfilename for one in info.siblings} == {".gitattributes", "README.md"} and info.siblings[0].blob_id
    assert alice.repo_exists(models[0]) and not alice.repo_exists("alice/none")
    assert alice.resolve_revision(models[0]).resolved == info.sha


def test_branches_and_tags_keep_what_they_point_to(alice, bob, models, tmp_path):
    def read(revision):
        return open(alice.hf_hub_download(models[0], "v", revision=revision, cache_dir=tmp_path)).read()

    alice.upload_file(path_or_fileobj=b"1", path_in_repo="v", repo_id=models[0])
    first = alice.model_info(models[0]).sha
    alice.create_tag(models[0], tag="v1.0", tag_message="first")
    alice.create_branch(models[0], branch="feat/x")
    alice.upload_file(path_or_fileobj=b"2", path_in_repo="v", repo_id=models[0])
    assert [read(revision) for revision in ("v1.0", first, "feat/x", "main")] == ["1", "1", "1", "2"]
    refs = alice.list_repo_refs(models[0])
    assert {one.name for one in refs.branches} == {"main", "feat/x"} and refs.tags[0].target_commit == first
    assert refused(alice.create_branch, models[0], branch="feat/x") == 409
    assert refused(alice.create_branch, models[0], branch="feat") == 409  # a file where git has a folder
    assert refused(alice.create_branch, models[0], branch="a..b") == 400
    assert refused(bob.create_tag, models[0], tag="v2") == 403
    alice.delete_branch(models[0], branch="feat/x")
    alice.delete_tag(models[0], tag="v1.0")
    assert refused(alice.delete_branch, models[0], branch="main") == 403
    assert [one.name for one in alice.list_repo_refs(models[0]).branches] == ["main"]
    titles = [one.title for one in alice.list_repo_commits(models[0])]
    assert titles[-1] == "initial commit" and len(titles) == 4


def test_delete(alice, bob):
    alice.create_repo("alice/gone")
    assert refused(bob.delete_repo, "alice/gone") == 403
    alice.delete_repo("alice/gone")
    assert not alice.repo_exists("alice/gone")
    alice.delete_repo("alice/gone", missing_ok=True)
    alice.create_repo("alice/gone")
    assert alice.list_repo_files("alice/gone") == [".gitattributes"]


def test_results_make_a_leaderboard(alice, bob, models):
    hub = client()

    def results(value):
        entry = hub.EvalResultEntry(dataset_id="lab/bench", task_id="breakout", value=value, notes="seed 0")
        import yaml

        return yaml.safe_dump(hub.eval_result_entries_to_yaml([entry])).encode()

    alice.create_repo("lab/bench", repo_type="dataset")
    text = b"name: B\ndescription: d\nevaluation_framework: x\ntasks:\n  - id: breakout\n"
    alice.upload_file(path_or_fileobj=text, path_in_repo="eval.yaml", repo_id="lab/bench", repo_type="dataset")
    place = ".eval_results/bench.yaml"
    alice.upload_file(path_or_fileobj=results(1.5), path_in_repo=place, repo_id=models[0])
    bob.upload_file(path_or_fileobj=results(2.5), path_in_repo=place, repo_id=models[1], create_pr=True)
    assert alice.model_info(models[0], expand=["evalResults"]).eval_results[0].value == 1.5
    rows = alice.get_dataset_leaderboard("lab/bench")
    assert [(row.rank, row.model_id, row.value, row.pull_request) for row in rows] == [
        (1, models[1], 2.5, 1),
        (2, models[0], 1.5, None),
    ]
    assert [one.id for one in alice.list_datasets(benchmark=True)] == ["lab/bench"]

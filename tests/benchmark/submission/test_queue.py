"""The queue writes exactly what it judged, whatever races, whoever is killed, however many submit at once."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import threading
from typing import Any

import httpx2
import pytest

from reincarnate.benchmark.submission import queue as queues
from reincarnate.benchmark.submission.queue import queue
from reincarnate.benchmark.submission.verify import submitted
from reincarnate.datasets.hub import place
from reincarnate.datasets.hub.pull_requests import DatasetRepository
from reincarnate.leaderboard.results import paths, verdict_path
from reincarnate.leaderboard.submission import Verdict

from ...leaderboard.makers import record, submission
from .hub import RESULTS, House, files_of, house

pytestmark = pytest.mark.slow


class Stub:
    """Judges without playing: whatever can be read is good, and `meanwhile` is what others do in the meantime."""

    def __init__(self, meanwhile=lambda request: None):
        self.meanwhile, self.judged = meanwhile, []

    def examine(self, repository, hub, request, base, episodes, seconds):
        told = []
        for path in sorted(repository.difference(request).added):
            if path.endswith(".ledger.jsonl"):
                continue
            run = path.rpartition("/")[2].removesuffix(".json")
            one, _ = submitted(request, repository, run)
            both = {
                each: hashlib.sha256(repository.read(each, request.head)).hexdigest()
                for each in paths(request.author, run)
            }
            end = one.record.points[-1]
            facts = {"rescored": end.evaluation, "parameters": end.parameters, "task": one.record.task}
            name = f"#{request.number}@{request.head}"
            told.append(
                Verdict(run=run, state="re-scored", seals=both, request=name, accepted="2026-01-01T00:00:00Z", **facts)
            )
        self.judged.append(request.number)
        self.meanwhile(request)
        return told


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with house(tmp_path_factory.mktemp("queue"), ("lab", "ann", "mallory", *(f"u{n}" for n in range(16)))) as made:
        yield made


def runs_of(user: str, *names: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in names:
        found |= files_of(json.loads(submission(record(name), user).model_dump_json()), b'{"event": "start"}\n')
    return found


def test_a_push_between_verdict_and_writing_changes_nothing(hub: House):
    """Files of others, verdicts, suites, generations, and other bytes for what was judged; then rivals removed."""
    repository = hub.as_user("ann")
    rival = repository.propose(runs_of("ann", "rival"), "honest", "")
    assert list(queue(hub.as_user("lab"), hub.url, judge=Stub())) == [rival]
    before = hub.main()
    number = hub.as_user("mallory").propose(runs_of("mallory", "judged"), "runs", "")

    def push(request):
        api, more = hub.api("mallory"), runs_of("mallory", "ghost")
        more |= {verdict_path("mallory", "ghost"): b"{}", "suites/poles.json": b"{}", "generations.json": b"[]"}
        more |= {paths("mallory", "judged")[0]: b'{"other": "bytes"}', "queue.json": b"[]", "prices.json": b"[]"}
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations = [CommitOperationAdd(path, data) for path, data in more.items()]
        operations += [CommitOperationDelete(path) for path in before if path.startswith("results/ann/")]
        revision = f"refs/pr/{request.number}"
        api.create_commit(RESULTS, operations, commit_message="more", revision=revision, repo_type="dataset")

    told = queue(hub.as_user("lab"), hub.url, judge=Stub(push))
    assert [one.state for one in told[number]] == ["re-scored"]
    after = hub.main()
    wanted = {*paths("mallory", "judged"), verdict_path("mallory", "judged")}
    assert set(after) - set(before) == wanted and set(before) <= set(after)
    assert {path for path in before if after[path] != before[path]} == {"queue.json"}
    repository = hub.as_user("lab")
    judged = json.loads(repository.read(paths("mallory", "judged")[0], repository.head()))
    assert judged["author"] == "mallory" and judged["record"]["run"] == "judged"
    assert number not in [request.number for request in repository.requests()]


def test_main_that_moves_meanwhile_is_judged_again(hub: House):
    number = hub.as_user("ann").propose(runs_of("ann", "moved"), "honest", "")
    moves = iter([True, False, False])

    def move(request):
        if next(moves):
            hub.api("lab").upload_file(
                path_or_fileobj=b"x", path_in_repo="README.md", repo_id=RESULTS, repo_type="dataset"
            )

    stub = Stub(move)
    assert [one.state for one in queue(hub.as_user("lab"), hub.url, judge=stub)[number]] == ["re-scored"]
    assert stub.judged.count(number) == 2 and verdict_path("ann", "moved") in hub.main()


def test_who_filled_a_request_later_comes_later_whatever_its_number(hub: House):
    """mallory opens an empty request first, and fills it after ann's was seen."""
    early = hub.api("mallory").create_pull_request(RESULTS, "to be filled", repo_type="dataset").num
    queue(hub.as_user("lab"), hub.url, judge=Broken())
    ann = hub.as_user("ann").propose(runs_of("ann", "mine"), "honest", "")
    queue(hub.as_user("lab"), hub.url, judge=Broken())  # seen, not accepted
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(path, data) for path, data in runs_of("mallory", "copied").items()]
    hub.api("mallory").create_commit(
        RESULTS, operations, commit_message="late", revision=f"refs/pr/{early}", repo_type="dataset"
    )
    queue(hub.as_user("lab"), hub.url, judge=Broken())
    repository = hub.as_user("lab")
    rows = json.loads(repository.read("queue.json", repository.head()))
    order = [row["request"] for row in rows]
    assert order.index(ann) < order.index(early)


@pytest.mark.parametrize("looked", [True, False])
def test_who_filled_an_early_request_before_the_first_look_at_both_comes_later(hub: House, looked: bool):
    """mallory's request has the smaller number, and her copy came after ann's run; one look sees both at once."""
    early = hub.api("mallory").create_pull_request(RESULTS, "to be filled", repo_type="dataset").num
    if looked:
        queue(hub.as_user("lab"), hub.url, judge=Broken())
    ann = hub.as_user("ann").propose(runs_of("ann", f"first{looked}"), "honest", "")
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(path, data) for path, data in runs_of("mallory", f"late{looked}").items()]
    hub.api("mallory").create_commit(
        RESULTS, operations, commit_message="late", revision=f"refs/pr/{early}", repo_type="dataset"
    )
    stub = Stub()
    queue(hub.as_user("lab"), hub.url, judge=stub)
    assert [number for number in stub.judged if number in (ann, early)] == [ann, early]


def test_nobody_fills_the_queue_alone(hub: House):
    """mallory opens more requests than take turns, then ann one: hers is judged before the rest of them."""
    mallory = hub.as_user("mallory")
    many = [mallory.propose(runs_of("mallory", f"many{n}"), "runs", "") for n in range(queues.WAITING + 3)]
    ann = hub.as_user("ann").propose(runs_of("ann", "patient"), "honest", "")
    stub = Stub()
    told = queue(hub.as_user("lab"), hub.url, judge=stub)
    assert set(told) >= {*many, ann}
    assert [number for number in stub.judged if number in {*many, ann}] == [
        *many[: queues.WAITING],
        ann,
        *many[queues.WAITING :],
    ]


class Broken(Stub):
    """A judge that crashes at every request."""

    def examine(self, repository, hub, request, base, episodes, seconds):
        raise MemoryError("too much")


def test_whatever_a_judge_dies_of_is_that_requests_verdict_and_the_queue_goes_on(hub: House):
    first = hub.as_user("mallory").propose(runs_of("mallory", "bomb"), "bomb", "")
    second = hub.as_user("ann").propose(runs_of("ann", "behind"), "honest", "")

    class Half(Stub):
        def examine(self, repository, hub, request, base, episodes, seconds):
            if request.number == first:
                raise RuntimeError("nobody thought of this")
            return super().examine(repository, hub, request, base, episodes, seconds)

    told = queue(hub.as_user("lab"), hub.url, judge=Half())
    assert [one.state for one in told[first]] == ["rejected"] and [one.state for one in told[second]] == ["re-scored"]
    assert not queue(hub.as_user("lab"), hub.url, judge=Half()).keys() & {first, second}


def test_sixteen_hand_in_at_once_while_the_queue_is_killed_at_random(hub: House):
    """Nothing is lost, nothing is written twice, and every request ends with one comment of acceptance."""
    before, rng = hub.main(), random.Random(0)
    threads, sent = _sixteen(hub, "a")
    written: list[str] = []
    for turn in range(60):
        for thread in threads if turn == 30 else ():  # on a busy machine some come late
            thread.join()
        lab = hub.as_user("lab")
        real = lab.write

        def write(files, message, parent="", real=real):
            real(files, message, parent)
            written.extend(path for path in files if path.startswith("results/"))

        lab.write = write  # type: ignore[method-assign]
        deadly = rng.choice(["write", "comment", "close", "", ""]) if turn < 30 else ""
        if deadly:
            after = rng.randrange(3)
            lab.__dict__[deadly] = _dies(getattr(lab, deadly), after, rng.random() < 0.5)
        try:
            queue(lab, hub.url, judge=Stub())
        except KeyboardInterrupt:
            continue
        if not any(thread.is_alive() for thread in threads) and not set(sent.values()) & {
            request.number for request in hub.as_user("lab").requests()
        }:
            break
    for thread in threads:
        thread.join()
    assert len(written) == len(set(written))
    _nothing_lost_or_twice(hub, before, sent, "a")


def _sixteen(hub: House, tag: str) -> tuple[list[threading.Thread], dict[str, int]]:
    """Start 16 clients that hand in two runs each; their threads, and {user: number of the request} as they come."""
    from huggingface_hub import CommitOperationAdd, HfApi

    sent: dict[str, int] = {}

    def hand_in(user: str) -> None:
        api = HfApi(endpoint=hub.url, token=hub.token(user))
        files = runs_of(user, f"{user}-{tag}0", f"{user}-{tag}1")
        operations = [CommitOperationAdd(path, data) for path, data in files.items()]
        how: dict[str, Any] = {"repo_type": "dataset"}
        while user not in sent:
            # All threads share the client's connections, which it closes when one breaks: look before trying again.
            with contextlib.suppress(OSError, httpx2.HTTPError, RuntimeError):
                there = [one for one in api.get_repo_discussions(RESULTS, **how) if one.author == user]
                mine = [one.num for one in there if one.title == f"runs {tag}"]
                made = mine or [
                    api.create_commit(RESULTS, operations, commit_message=f"runs {tag}", create_pr=True, **how).pr_num
                ]
                sent[user] = int(made[0] or 0)

    threads = [threading.Thread(target=hand_in, args=(f"u{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    return threads, sent


def _nothing_lost_or_twice(hub: House, before: dict, sent: dict[str, int], tag: str) -> None:
    """Assert that there are all runs with verdicts and no others, with one commit and one comment a request."""
    after = hub.main()
    names = [(f"u{n}", f"u{n}-{tag}{m}") for n in range(16) for m in range(2)]
    wanted = {path for name in names for path in (*paths(*name), verdict_path(*name))}
    assert set(after) - set(before) - {"queue.json"} == wanted
    assert {path for path in before if after.get(path) != before[path]} <= {"queue.json"}
    lab = hub.as_user("lab")
    titles = [one.title for one in hub.api("lab").list_repo_commits(RESULTS, repo_type="dataset")]
    for number in sent.values():
        assert titles.count(f"Verdict on pull request {number}") == 1
        said = [text for author, text in lab.comments(number) if author == "lab" and "reincarnate verdict" in text]
        assert len(said) == 1


def _work(url: str, token: str, caches: str, begun) -> None:
    os.environ |= {place.TOKEN: token, "REINCARNATE_CACHE": caches}
    begun.set()
    queue(DatasetRepository(RESULTS, url), url, judge=Stub())


def test_sixteen_hand_in_at_once_while_the_queue_gets_signal_9(hub: House):
    """Kill the queue's process at an arbitrary moment and start it again."""
    before, rng = hub.main(), random.Random(1)
    threads, sent = _sixteen(hub, "k")
    many = multiprocessing.get_context("forkserver")
    many.set_forkserver_preload([__name__])
    killed = 0
    for turn in range(60):
        for thread in threads if turn == 25 else ():
            thread.join()
        begun = many.Event()
        caches = str(hub.at / "caches" / f"killed-{turn % 2}")
        worker = many.Process(target=_work, args=(hub.url, hub.token("lab"), caches, begun))
        worker.start()
        assert begun.wait(120)
        worker.join(rng.uniform(0.0, 3.0) if turn < 25 else 300)
        if worker.exitcode is None:
            worker.kill()
            worker.join()
        killed += worker.exitcode == -9
        assert worker.exitcode in (0, -9)
        if not any(thread.is_alive() for thread in threads) and not set(sent.values()) & {
            request.number for request in hub.as_user("lab").requests()
        }:
            break
    for thread in threads:
        thread.join()
    assert killed >= 3
    _nothing_lost_or_twice(hub, before, sent, "k")


RACES = ("push", "replace", "remove", "close", "others", "main", "comment")


def _race(kind: str, hub: House, request, rng: random.Random) -> None:
    """Do what mallory does while her request is judged."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api, mine = hub.api("mallory"), f"refs/pr/{request.number}"
    own = [path for path in hub.as_user("mallory").difference(request).added]
    if kind == "close":
        api.change_discussion_status(RESULTS, request.number, "closed", repo_type="dataset")
    elif kind == "comment":
        text = f"<!-- reincarnate verdict on {request.head} -->\n**re-scored**"
        api.comment_discussion(RESULTS, request.number, text, repo_type="dataset")
    elif kind == "main":
        hub.as_user("lab").write({"README.md": str(rng.random()).encode()}, "meanwhile")
    elif kind == "others":
        hub.as_user("mallory").propose(runs_of("mallory", f"other{request.number}"), "more", "")
    else:
        change = {
            "push": [CommitOperationAdd(f"results/ann/{rng.random()}.json", b"{}"), CommitOperationAdd("x", b"x")],
            "replace": [CommitOperationAdd(path, b"other bytes") for path in own],
            "remove": [CommitOperationDelete(path) for path in own],
        }[kind]
        api.create_commit(RESULTS, change, commit_message=kind, revision=mine, repo_type="dataset")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_races_what_is_written_is_what_was_judged(hub: House, seed: int):
    """Draws of everything that a submitter can do meanwhile, one after another in the same look at the queue."""
    rng, before = random.Random(seed), hub.main()
    numbers = {}
    for n in range(3):
        files = runs_of("mallory", f"raced{seed}{n}")
        numbers[hub.as_user("mallory").propose(files, "runs", "")] = files

    def meanwhile(request):
        if request.number in numbers:
            for kind in rng.sample(RACES, rng.randrange(1, 4)):
                with contextlib.suppress(Exception):  # a request that is closed takes no more, say
                    _race(kind, hub, request, rng)

    queue(hub.as_user("lab"), hub.url, judge=Stub(meanwhile))
    last = hub.as_user("ann").propose(runs_of("ann", f"behind{seed}"), "honest", "")
    assert [one.state for one in queue(hub.as_user("lab"), hub.url, judge=Stub())[last]] == ["re-scored"]
    after, lab = hub.main(), hub.as_user("lab")
    fresh = set(after) - set(before)
    allowed = {"README.md", "queue.json", *(path for path in fresh if path.startswith("seen/"))}
    for name in [f"raced{seed}{n}" for n in range(3)] + [f"other{number}" for number in numbers]:
        allowed |= {*paths("mallory", name), verdict_path("mallory", name)}
    allowed |= {*paths("ann", f"behind{seed}"), verdict_path("ann", f"behind{seed}")}
    assert fresh <= allowed and {path for path in before if after.get(path) != before[path]} <= allowed
    for files in numbers.values():
        for path, data in files.items():
            assert path not in after or lab.read(path, lab.head()) == data


def _dies(real, after: int, done: bool):
    """Return a call that works so many times, and then kills the queue before or after it has done its work."""
    left = [after]

    def call(*arguments, **more):
        if left[0] == 0:
            if done:
                real(*arguments, **more)
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*arguments, **more)

    return call

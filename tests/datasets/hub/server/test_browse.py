"""The hub in a browser: what everybody may see, with whatever people stored shown as text and never run."""

import urllib.error
import urllib.request
from html.parser import HTMLParser

import pytest

from reincarnate.datasets.hub.client import client

from ....leaderboard.browser import WINDOWS, needs_chromium, picture_file, window

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
RESULTS = "alice/results-of-a-class"
STUDENTS = "Students: alice/a-model, alice/hidden, alice/no<where"
VERDICT = "<!-- reincarnate verdict on abc -->\n**r1: re-scored**\n- claimed 1.00, re-scored 0.90 over 9 episodes\n"


@pytest.fixture(scope="module", autouse=True)
def stored(alice, bob):
    """Return a repository whose card, files, requests and comments hold markup; a board; a model; something private."""
    tags = f"tags: [reinforcement-learning, '{EVIL[:20]}', 'atari/Pong']"
    card = f"---\n{tags}\n---\n# Title {EVIL}\n\nText {EVIL}\n".encode()
    card += b"\n| a | b |\n|---|---|\n| long | " + b"c" * 60 + b" |\n\n- teacher: `alice/a-model@" + b"d" * 40 + b"`\n"
    alice.create_repo(RESULTS, repo_type="dataset")
    how = {"repo_id": RESULTS, "repo_type": "dataset"}
    alice.upload_file(path_or_fileobj=card, path_in_repo="README.md", **how)
    alice.upload_file(path_or_fileobj=EVIL.encode(), path_in_repo="page.html", **how)
    alice.create_repo("alice/a-board", repo_type="dataset")
    alice.upload_file(path_or_fileobj=b"<p>", path_in_repo="index.html", repo_id="alice/a-board", repo_type="dataset")
    alice.create_repo("alice/a-model")
    alice.create_repo("alice/hidden", private=True)

    def add():
        return client().CommitOperationAdd("results/bob/a.json", b"{}")

    bob.create_commit(operations=[add()], commit_message=f"one {EVIL}", commit_description=EVIL, create_pr=True, **how)
    bob.comment_discussion(RESULTS, 1, "**r1: promoted**", repo_type="dataset")
    bob.create_commit(operations=[add()], commit_message="two", commit_description=STUDENTS, create_pr=True, **how)
    alice.comment_discussion(RESULTS, 2, VERDICT + '```json\n[{"run": "r1"}]\n```', repo_type="dataset")


def get(hub, path: str) -> str:
    with urllib.request.urlopen(f"{hub.url}{path}") as answer:
        assert answer.headers.get_content_type() == "text/html"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script" not in policy and "frame-ancestors 'none'" in policy
        return answer.read().decode()


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.names, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/datasets/{RESULTS}",
        f"/datasets/{RESULTS}/discussions",
        f"/datasets/{RESULTS}/discussions/1",
        f"/datasets/{RESULTS}/discussions/2",
        "/alice/a-model",
        "/alice/a-model/discussions",
    ],
)
def test_what_people_stored_is_text(hub, path):
    elements = Elements()
    elements.feed(get(hub, path))
    assert not elements.names & {"script", "img", "iframe", "form", "object", "link", "base"}
    assert elements.attributes <= {"lang", "charset", "name", "content", "href", "class", "scope", "tabindex"}


def test_the_first_page_lists_what_there_is(hub):
    page = get(hub, "/")
    assert '<a href="/pages/alice/a-board/">alice/a-board</a>' in page and "alice/hidden" not in page
    assert f'<a href="/datasets/{RESULTS}">' in page and '<a href="/alice/a-model">' in page and "atari/Pong" in page
    assert f'<a href="/datasets/{RESULTS}/discussions/2">two</a>' in page
    assert "reinforcement-learning" not in page  # a tag that nearly every repository has


def test_requests_have_the_verdicts_of_those_who_may_give_them(hub):
    listed = get(hub, f"/datasets/{RESULTS}/discussions")
    assert '<span class="state good">re-scored</span> r1, by alice' in listed
    assert "promoted</span>" not in listed and "bob: **r1: promoted**" in listed  # anybody may say that
    one = get(hub, f"/datasets/{RESULTS}/discussions/2")
    assert "claimed 1.00, re-scored 0.90 over 9 episodes" in one and "<!--" not in one and "&lt;!--" not in one
    assert "<details><summary>as data</summary>" in one
    assert 'Students: <a href="/alice/a-model">alice/a-model</a>, alice/hidden, alice/no&lt;where' in one


def test_a_card_without_its_metadata_and_files_that_are_only_handed_out(hub):
    page = get(hub, f"/datasets/{RESULTS}")
    assert "<h2>Title &lt;script&gt;" in page and "tags:" not in page and "2 requests, 2 open" in page
    assert '<th scope="col">a</th>' in page and "<li>teacher: <code>alice/a-model@" in page
    address = next(
        part.partition('"')[0] for part in page.split('href="') if part.partition('"')[0].endswith("page.html")
    )
    with urllib.request.urlopen(hub.url + address) as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path",
    ["/alice/hidden", "/alice/nothing", "/datasets/alice/a-model", f"/datasets/{RESULTS}/discussions/99", "/nothing"],
)
def test_what_is_not_there_or_private_is_said_on_a_page_to_browsers_alone(hub, path):
    for accept, kind in (("text/html,*/*", "text/html"), ("application/json", "application/json")):
        request = urllib.request.Request(f"{hub.url}{path}", headers={"Accept": accept})
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(request)
        assert told.value.code in (401, 404) and told.value.headers.get_content_type() == kind


PAGES = {"first": "/", "card": f"/datasets/{RESULTS}", "requests": f"/datasets/{RESULTS}/discussions",
         "request": f"/datasets/{RESULTS}/discussions/2", "model": "/alice/a-model"}  # fmt: skip

BROKEN = """[...document.querySelectorAll("th, td a")].filter(one => {
  const words = one.textContent.split(/[\\s\\-\\/]+/).filter(w => w.length < 12);
  const longest = Math.max(0, ...words.map(w => w.length)), size = parseFloat(getComputedStyle(one).fontSize);
  return one.closest("th, td").clientWidth < longest * size * 0.45 }).map(one => one.textContent)"""  # cells too narrow


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_its_pages_can_be_read_everywhere(hub, tmp_path, width, dark):
    with window(width, dark) as browser:
        for name, path in PAGES.items():
            browser.open(f"{hub.url}{path}")
            browser.wait("document.querySelector('h1') !== null")
            browser.picture(picture_file(tmp_path, f"hub-{name}", width, dark))
            assert browser.js("document.documentElement.scrollWidth") <= width, path
            assert browser.faint() == [], path
            assert browser.js("document.body.innerText.length") > 40, path
            assert browser.js(BROKEN) == [], path

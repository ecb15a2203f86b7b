"""Static pages of a dataset repository: each file has its type, and no power over the hub that shows it."""

import urllib.error
import urllib.request

import pytest

BOARD = "alice/board"


@pytest.fixture(scope="module", autouse=True)
def board(alice, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "data").mkdir()
    (folder / "index.html").write_text("<p>hello")
    (folder / "data" / "board.js").write_text("1")
    (folder / "data" / "film.mp4").write_bytes(b"\0" * 1000)  # kept as a large file
    for name, private in ((BOARD, False), ("alice/secret", True)):
        alice.create_repo(name, repo_type="dataset", private=private)
        alice.upload_folder(repo_id=name, folder_path=folder, repo_type="dataset")


@pytest.mark.parametrize(
    ("path", "kind", "data"),
    [
        ("", "text/html", b"<p>hello"),
        ("index.html", "text/html", b"<p>hello"),
        ("data/board.js", "text/javascript", b"1"),
        ("data/film.mp4", "video/mp4", b"\0" * 1000),
    ],
)
def test_a_file_is_shown_as_what_it_is(hub, path, kind, data):
    with urllib.request.urlopen(f"{hub.url}/pages/{BOARD}/{path}") as answer:
        assert answer.headers.get_content_type() == kind and answer.read() == data
        policy = answer.headers["Content-Security-Policy"]
        assert "sandbox allow-scripts" in policy and "allow-same-origin" not in policy
        assert "connect-src 'none'" in policy and answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["pages/alice/board/nothing", "pages/alice/board/../secret/index.html", "pages/alice/secret/index.html"]
)
def test_what_is_not_there_or_private_is_not_shown(hub, path):
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(f"{hub.url}/{path}")
    assert told.value.code in (401, 404)

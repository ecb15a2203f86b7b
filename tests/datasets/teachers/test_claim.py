"""An author's claim is shown as text of a known form, or not at all; no card builds objects, hangs or crashes."""

import pytest

from reincarnate.datasets.hub.server.cards import metadata
from reincarnate.datasets.teachers import claim

CARD = """---
tags: [PongNoFrameskip-v4, reinforcement-learning]
library_name: cleanrl
model-index:
- name: DQN
  results:
  - task: {type: reinforcement-learning, name: reinforcement-learning}
    dataset: {name: PongNoFrameskip-v4, type: PongNoFrameskip-v4}
    metrics: [{type: mean_reward, value: 20.40 +/- 0.66, name: mean_reward, verified: false}]
---
# (CleanRL) **DQN** Agent Playing **PongNoFrameskip-v4**
"""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALIASES = list(zip(LETTERS, LETTERS[1:], strict=False))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# no front matter",
        "---\nmodel-index: 1\n---\n",
        "---\n" + "[" * 30_000 + "\n---\n",
        "---\n" + "- " * 15_000 + "\n---\n",
        "---\n" + "? " * 15_000 + "\n---\n",
        "---\n" + "!" * 30_000 + "\n---\n",
        "---\n&" + "a" * 30_000 + "\n---\n",
        "---\n" + "1:" * 15_000 + "1\n---\n",
        "---\na: " + "9" * 30_000 + "\n---\n",
        "---\na: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [*{a}, *{a}, *{a}]}}\n" for a, b in ALIASES) + "---\n",
        "---\n" + "a: 1\n" * 6_000 + "---\n",
        "---\n" + "a: 1\n" * 100_000 + "---\n",
    ],
)
def test_a_card_that_claims_nothing_readable_is_no_claim(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    assert claim.read(tmp_path) == {}


def test_a_card_makes_no_objects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = CARD.replace("library_name: cleanrl", "library_name: !!python/object/apply:os.system ['touch hacked']")
    (tmp_path / "README.md").write_text(text)
    assert claim.read(tmp_path)["environment"] == "PongNoFrameskip-v4"
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("score", ["very good", "'\\e[31m1 +/- 2'", "[1, 2]", "{a: 1}", ""])
def test_a_score_that_is_no_number_is_left_out(tmp_path, score):
    (tmp_path / "README.md").write_text(CARD.replace("20.40 +/- 0.66", score))
    assert claim.read(tmp_path) == {"environment": "PongNoFrameskip-v4"}


def test_an_environment_that_is_no_name_is_left_out(tmp_path):
    (tmp_path / "README.md").write_text(CARD.replace("name: PongNoFrameskip-v4", "name: [1]"))
    assert claim.read(tmp_path) == {"mean_reward": "20.40 +/- 0.66"}


def test_no_card_is_no_claim(tmp_path):
    assert claim.read(tmp_path) == {}
    (tmp_path / "README.md").mkdir()
    assert claim.read(tmp_path) == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("change", [str, lambda text: "\n \n" + text, lambda text: text.replace("\n", "\r")])
def test_a_card_may_be_saved_as_editors_do(tmp_path, encoding, change):
    (tmp_path / "README.md").write_bytes(change(CARD).encode(encoding))
    assert claim.read(tmp_path) == {"environment": "PongNoFrameskip-v4", "mean_reward": "20.40 +/- 0.66"}


def test_a_card_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "README.md").write_bytes(CARD.encode("utf-16-le"))  # without the mark that tells
    with pytest.raises(ValueError, match=r"README\.md is not UTF-8 text"):
        claim.check_card(tmp_path)


def test_a_claim_may_be_nan_and_negative(tmp_path):
    (tmp_path / "README.md").write_text(CARD.replace("20.40 +/- 0.66", "-20.4 +/- nan").replace("\n", "\r\n"))
    assert claim.read(tmp_path)["mean_reward"] == "-20.4 +/- nan"


TWO = """---
model-index:
- name: PPO
  results:
  - dataset: {name: CartPole-v1}
  - dataset: {name: Acrobot-v1}
    metrics: [{type: mean_reward, value: -81.20 +/- 1.57}]
  - dataset: {name: CartPole-v1}
    metrics: [{type: episodes, value: 3}, {type: mean_reward, value: 20.50 +/- 0.40}]
---
"""


@pytest.mark.parametrize("change", [lambda s: s, lambda s: "\ufeff" + s, lambda s: s.replace("\n", "\r\n")])
def test_of_several_results_the_one_in_the_tasks_environment_counts(tmp_path, change):
    """Whatever a card begins with, and however its lines end: client, claims and server read the same."""
    (tmp_path / "README.md").write_bytes(change(TWO).encode())
    first = {"environment": "Acrobot-v1", "mean_reward": "-81.20 +/- 1.57"}
    fitting = {"environment": "CartPole-v1", "mean_reward": "20.50 +/- 0.40"}
    assert claim.read(tmp_path) == first  # the first that says a score
    assert claim.read(tmp_path, lambda environment: environment == "CartPole-v1") == fitting
    assert claim.read(tmp_path, lambda environment: environment == "Pong-v5") == first  # so that it can be refused
    card = metadata(change(TWO))
    assert claim.claim(card) == first and claim.claims(card)[0] == {"environment": "CartPole-v1"}
    claim.check_card(tmp_path)


@pytest.mark.parametrize("lines", ["a: [", "a: *b", "\t- x", "a: {"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_a_card_that_cannot_be_read_is_said_to_be(tmp_path, begin, lines):
    (tmp_path / "README.md").write_text(f"{begin}---\n{lines}\n---\n")
    with pytest.raises(ValueError, match=r"the metadata of .*README.md cannot be read") as told:
        claim.check_card(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["", "no card", "---\n", "--- x\n", "---\n---\n", "----\na: 1\n---\n"])
def test_a_readme_without_metadata_is_no_fault(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    claim.check_card(tmp_path)
    assert claim.read(tmp_path) == {}


def test_a_claim_is_read_from_a_card_or_from_results(tmp_path):
    (tmp_path / ".eval_results").mkdir()
    (tmp_path / ".eval_results" / "pong.yaml").write_text("- dataset: {id: a/b, task_id: pong}\n  value: 17.5\n")
    assert claim.read(tmp_path) == {"mean_reward": "17.5"}
    (tmp_path / "README.md").write_text(CARD)
    assert claim.read(tmp_path) == {"environment": "PongNoFrameskip-v4", "mean_reward": "20.40 +/- 0.66"}
    (tmp_path / "README.md").write_text(CARD.replace("20.40 +/- 0.66", "20.40"))
    assert claim.read(tmp_path)["mean_reward"] == "20.40"


@pytest.mark.parametrize(
    "said", [None, 7, [], {"mean_reward": 3}, {"mean_reward": "\x1b[31m1"}, {"environment": "a b"}]
)
def test_a_claim_of_another_form_is_none(said):
    assert claim.of(said) == {}

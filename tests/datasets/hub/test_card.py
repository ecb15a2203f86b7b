"""The Hub's own client understands the cards, and people find what matters on them."""

import re

import pytest
import yaml

from reincarnate.datasets.hub import card
from reincarnate.datasets.hub.client import client

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RECORD = {
    "task": "atari/Pong",
    "environment": "ALE/Pong-v5",
    "protocol": {"sticky": 0.25, "frame_skip": 4, "max_steps": 27_000},
    "method": "qdagger",
    "settings": {"temperature": 0.1},
    "network": {"name": "nature"},
    "seed": 3,
    "evaluation": {"returns": [10.0, 14.0, 18.0], "lengths": [1, 2, 3], "epsilon": 0.001},
    "random": {"returns": [-21.0, -20.0]},
    "spent": {"frames": 400_000.0, "flops": 2e14, "seconds": 12.5},
    "parents": [
        {"repo": "ours/pong-dqn", "revision": COMMIT},
        {"kind": "log", "reference": f"ours/pong-log@{COMMIT}"},
        {"kind": "teacher", "reference": "/home/me/old run"},
    ],
    "command": "reincarnate run --task atari/Pong \\\n  --seed 3",
}


def front_matter(text):
    """Return what stands between the first two lines of three dashes, as any YAML reader sees it."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match
    return yaml.safe_load(match[1])


def test_a_teachers_card_is_read_by_the_hubs_client():
    text = card.teacher_card("ours/pong-qdagger", RECORD)
    data = client().ModelCard(text).data
    assert data.library_name == "reincarnate" and data.license == "apache-2.0" and data.base_model is None
    assert data.tags == [
        "reinforcement-learning",
        "deep-reinforcement-learning",
        "reincarnating-rl",
        "ALE/Pong-v5",
        "task:atari/Pong",
        "teacher:ours/pong-dqn",
    ]
    assert data.datasets == ["ours/pong-log"]
    (result,) = data.eval_results
    assert (result.task_type, result.dataset_type) == ("reinforcement-learning", "ALE/Pong-v5")
    assert (result.metric_type, result.metric_value) == ("mean_reward", "14.00 +/- 3.27")  # sqrt(32 / 3)
    assert result.metric_args == {"episodes": 3} and result.verified is False
    assert front_matter(text)["model-index"][0]["name"] == "ours/pong-qdagger"


def test_a_teachers_page_says_how_it_was_measured_and_made():
    page = client().ModelCard(card.teacher_card("ours/pong-qdagger", RECORD)).text
    for line in (
        "# ours/pong-qdagger",
        "| random | -20.50 +/- 0.50 | 2 |",
        "| **this one** | 14.00 +/- 3.27 | 3 |",
        "| sticky | 0.25 |",
        "| max_steps | 27,000 |",
        "| evaluation epsilon | 0.001 |",
        "| temperature | 0.1 |",
        "| network name | nature |",
        "```sh\nreincarnate run --task atari/Pong \\\n  --seed 3\n```",
        f"- teacher: `ours/pong-dqn@{COMMIT}`",
        f"- log: `ours/pong-log@{COMMIT}`",
        "- teacher: `old run (a folder, not on the Hub)`",
        "| frames | 400,000 |",
        "| flops | 2e+14 |",
        "reincarnate run --method qdagger --task atari/Pong --teacher ours/pong-qdagger --budget frames=400k",
    ):
        assert f"\n{line}\n" in f"\n{page}\n", line


def test_a_runs_record_will_do_and_its_last_point_counts():
    evaluation = {"returns": [1.0], "epsilon": 0.0}
    points = [
        {"spent": {"steps": 1}, "evaluation": {"returns": [0.0]}},
        {"spent": {"steps": 9}, "evaluation": evaluation},
    ]
    record = {key: value for key, value in RECORD.items() if key not in ("evaluation", "spent")}
    text = card.teacher_card("a/b", {**record, "teacher": None, "points": points})
    assert client().ModelCard(text).data.eval_results[0].metric_value == "1.00 +/- 0.00"
    assert "| steps | 9 |" in text


def test_little_is_enough():
    text = card.teacher_card("a/b", {})
    assert client().ModelCard(text).data.get("model-index") is None
    assert "It has not been evaluated." in text and "Nothing: no teacher and no log." in text
    assert client().DatasetCard(card.log_card("a/b", {})).data.get("size_categories") is None


LOG = {
    "task": "atari/Pong",
    "environment": "ALE/Pong-v5",
    "protocol": {"sticky": 0.25},
    "transitions": 20_000,
    "episodes": 11,
    "returns": [20.0, 10.0],
    "epsilon": 0.01,
    "parents": [{"repo": "ours/pong-dqn", "revision": COMMIT}],
    "command": "reincarnate log ...",
}


def test_a_logs_card_is_read_by_the_hubs_client():
    text = card.log_card("ours/pong-log", LOG)
    data = client().DatasetCard(text).data
    assert data.tags[:3] == card.RL_TAGS and {"rlds", "ALE/Pong-v5", "teacher:ours/pong-dqn"} <= set(data.tags)
    assert data.size_categories == ["10K<n<100K"] and data.task_categories == ["reinforcement-learning"]
    assert data.pretty_name == "pong-log" and data.viewer is False
    for line in ("| transitions | 20,000 |", "| mean return +/- std | 15.00 +/- 5.00 |", "reincarnate log ..."):
        assert line in text.splitlines()
    assert "repeats the action before instead with probability 0.25" in text
    assert 'snapshot_download("ours/pong-log", repo_type="dataset")' in text


def test_a_viewer_that_has_something_to_show_is_on_and_no_sticky_actions_no_note():
    configs = [{"config_name": "preview", "data_files": "preview/*.parquet"}]
    text = card.log_card("a/b", {**LOG, "configs": configs, "protocol": {"sticky": 0.0}})
    assert front_matter(text)["configs"] == configs and "viewer" not in front_matter(text)
    assert "sticky actions" not in text


@pytest.mark.parametrize(
    ("examples", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (50_000_000, "10M<n<100M"),
        (10**11, "100B<n<1T"),
        (10**12, "n>1T"),
    ],
)
def test_size_categories_are_the_hubs(examples, category):
    assert card.size_category(examples) == category


def test_odd_texts_stay_where_they_belong():
    odd = "x\n---\nlicense: evil\n# y | z"
    record = {**RECORD, "environment": odd, "settings": {odd: odd}, "command": "echo '```'\n```", "task": odd}
    for text in (card.teacher_card(odd, record), card.log_card(odd, {**record, "transitions": 1})):
        data = front_matter(text)
        assert data["license"] == "apache-2.0" and "x --- license: evil # y | z" in data["tags"]
        assert "\n````sh\necho '```'\n```\n````\n" in text
        assert "\n# y" not in text and "| x --- license: evil # y \\| z | x --- license: evil # y \\| z |" in text


def test_the_same_record_gives_the_same_card():
    assert card.teacher_card("a/b", RECORD) == card.teacher_card("a/b", RECORD)
    assert card.log_card("a/b", LOG) == card.log_card("a/b", LOG)


def test_the_results_file_is_as_the_hub_reads_it():
    evaluation = {"returns": [1.0, 3.0], "epsilon": 0.001, "seeds": (7, 8)}
    text = card.results({"task": "atari/Pong", "environment": "ALE/Pong-v5", "evaluation": evaluation})
    [entry] = client().parse_eval_result_entries(yaml.safe_load(text))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("reincarnate/results", "atari/Pong", 2.0)
    assert "2.00 +/- 1.00 over 2 whole episodes" in entry.notes


def test_the_cost_of_the_ancestors_stands_beside_its_own():
    total = {"spent": {"frames": 1200.0, "steps": 300.0}, "unpriced": ("a/b",)}
    text = card.teacher_card("me/x", {"environment": "E-v0", "spent": {"frames": 200.0}, "total": total})
    assert "| frames | 200 | 1,200 |" in text and "the cost of `a/b` is unknown" in text


def test_the_film_is_named_with_its_return():
    text = card.teacher_card("me/x", {"environment": "E-v0", "film": {"episode": 1, "return": -3.0, "seconds": 180}})
    assert "`replay.mp4` shows the episode with the return nearest to the mean, -3 " in text


def test_the_curve_is_shown_and_a_yardstick_is_no_teacher_of_its_own():
    """A run without a teacher is compared with its task's."""
    alone = {"environment": "E-v0", "teacher": {"returns": [1.0]}, "curve": "curve.png"}
    text = card.teacher_card("me/x", alone)
    assert "](curve.png)" in text and "the task's teacher" in text and "its teacher" not in text
    taught = card.teacher_card("me/x", {**alone, "curve": "", "parents": [{"kind": "teacher", "reference": "a/b"}]})
    assert "curve.png" not in taught and "its teacher" in taught

"""Genuine published teachers, where they lie beside the checkout: all are read, and play as their authors say.

They are not part of the project: REINCARNATE_TEACHERS names the folder, else ../shared/teachers beside the checkout.
"""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reincarnate.benchmark.prior.recognised import facts, task_of
from reincarnate.benchmark.runs.reevaluate import evaluate
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.teachers import formats

ROOT = Path(__file__).parents[3]
SHELF = Path(os.environ.get("REINCARNATE_TEACHERS", ROOT.parent / "shared" / "teachers"))
pytestmark = pytest.mark.skipif(not SHELF.is_dir(), reason=f"there are no published teachers at {SHELF}")
ZOO = sorted({path.parent for path in SHELF.glob("rl-trained-agents/*/*/*.zip")})
GYMNAX = sorted({path.parent for path in SHELF.glob("gymnax-blines/*/*.pkl")})
CLAIMS = {  # of the authors of the zoo: mean and deviation of an episode's return, in its benchmark.md
    "dqn/Acrobot-v1_1": (-76.6, 11.8),
    "dqn/CartPole-v1_1": (500.0, 0.0),
    "dqn/MountainCar-v0_1": (-100.8, 9.9),
    "ppo/Acrobot-v1_1": (-73.5, 18.2),
    "ppo/CartPole-v1_1": (500.0, 0.0),
    "ppo/MountainCar-v0_1": (-110.4, 19.5),
    "qrdqn/Acrobot-v1_1": (-69.1, 10.0),
    "qrdqn/CartPole-v1_1": (500.0, 0.0),
    "qrdqn/MountainCar-v0_1": (-106.0, 15.5),
}
LANDERS = {
    "dqn/LunarLander-v2_1": (154.4, 79.2),
    "ppo/LunarLander-v2_1": (242.1, 31.8),
    "qrdqn/LunarLander-v2_1": (70.2, 225.5),
}


@pytest.mark.parametrize("folder", ZOO + GYMNAX, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_every_artefact_is_read_as_what_its_author_made(folder):
    config, arrays = formats.read(folder)
    found, continuous = facts(folder), folder.parent.name in ("sac", "tqc")
    assert all(np.isfinite(array).all() for array in arrays.values())
    if folder in GYMNAX:
        game = folder.name.removesuffix("-MinAtar")
        assert config["origin"]["library"] == "gymnax" and config["outputs"] == "logits"
        assert task_of(folder, "x").name == find(f"minatar/{game}").name
        assert config["architecture"]["options"]["sizes"][-2:] == [256, 256]
        return
    name = folder.name.rpartition("_")[0]
    with zipfile.ZipFile(folder / f"{name}.zip") as archive:
        said = json.loads(archive.read("data"))
    assert config["observation"]["shape"][1:] == said["observation_space"].get(
        "_shape", said["observation_space"].get("shape")
    )
    assert found["author names"] == name and found["library"] == "stable-baselines3"
    kinds = {"ppo": "logits", "sac": "continuous actions", "tqc": "continuous actions"}
    assert config["outputs"] == kinds.get(folder.parent.name, "values")
    normalised = list(folder.glob("*/vecnormalize.pkl")) != []
    assert (config["architecture"]["name"] == "normalized") == normalised == ("normalised by" in found)
    if continuous:
        options = config["architecture"]["options"]
        assert options["critics"] == 2 and options["quantiles"] == (25 if folder.parent.name == "tqc" else 1)
        assert len(options["low"]) == config["actions"] and max(options["low"]) < 0 < min(options["high"])
    if "LunarLander" in name:
        assert found["task"] == "gym/LunarLander-v3" and "since v3 wind begins anew" in found["differs"]


@pytest.mark.slow
@pytest.mark.parametrize("place", sorted(CLAIMS | LANDERS))
def test_thirty_episodes_return_what_the_authors_claim(place):
    """Within four standard errors, theirs as little as ours, of 30 episodes."""
    if "LunarLander" in place:
        pytest.importorskip("Box2D", reason="LunarLander needs gymnasium[box2d]")
    mean, deviation = (CLAIMS | LANDERS)[place]
    found = evaluate(SHELF / "rl-trained-agents" / place, episodes=30).evaluation
    error = max(deviation, float(np.std(found.returns)), 1e-9) / 30**0.5
    print(f"{place}: {found.mean:.2f} +/- {np.std(found.returns):.2f}, claimed {mean:.1f} +/- {deviation:.1f}")
    assert abs(found.mean - mean) < 4 * error, (place, found.mean, mean)


@pytest.mark.slow
@pytest.mark.parametrize(("game", "claimed"), [("Asterix", 17.82), ("Freeway", 58.80)])
def test_gymnax_agents_play_minatar_as_they_played_gymnax(game, claimed):
    """Its rules are gymnax's own and its actions were drawn: a third of its return is allowed for that."""
    found = evaluate(SHELF / "gymnax-blines" / f"{game}-MinAtar", episodes=30).evaluation
    print(f"{game}: {found.mean:.2f} +/- {np.std(found.returns):.2f}, claimed {claimed}")
    assert abs(found.mean - claimed) < claimed / 3

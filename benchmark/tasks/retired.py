"""Versions of environments that Gymnasium has removed, and how their successors differ."""

import re

BINDINGS = (4, "MuJoCo is called by its own bindings, not by mujoco-py")
HEAVIER = (4, f"{BINDINGS[1]}, and its capsules have their exact masses, which are larger")
HEALTHY = "the reward for being healthy is paid only while it is healthy"
DIFFERENCES = {  # name without version -> (new version, what it changed), newest last
    "LunarLander": [(3, "the wind starts afresh in each episode, and the bounds of observations are wider")],
    "LunarLanderContinuous": [(3, "the wind starts afresh in each episode, and the bounds of observations are wider")],
    "CarRacing": [
        (1, "the rules for completing the track differ"),
        (2, "its random colours are an option"),
        (3, "an episode that ends with the lap is terminated, not truncated"),
    ],
    "BipedalWalker": [(2, "energy costs reward"), (3, "the lidar gives the closest trace, not the furthest")],
    "BipedalWalkerHardcore": [(2, "energy costs reward"), (3, "the lidar gives the closest trace, not the furthest")],
    "Acrobot": [(1, "it lasts 500 steps, not 200, and shows sines and cosines of its angles")],
    "CartPole": [(1, "it lasts 500 steps, not 200")],
    "Pendulum": [(1, "the same equations are written in a simpler way")],
    "FrozenLake": [(1, "faults in its rewards are corrected")],
    "Blackjack": [(1, "naturals are paid as the rules say")],
    "CliffWalking": [(1, "a slippery kind was added")],
    "Taxi": [
        (2, "the taxi does not start at its goal"),
        (3, "the map is corrected"),
        (4, "rain and fickle passengers, which are options, are corrected"),
    ],
    "Ant": [
        (4, "MuJoCo is called by its own bindings, and contact forces are not shown"),
        (5, f"contact forces are shown and cost reward, and {HEALTHY}"),
    ],
    "HalfCheetah": [BINDINGS, (5, "its model can be chosen")],
    "Hopper": [HEAVIER, (5, HEALTHY)],
    "Humanoid": [BINDINGS, (5, f"numbers that are always 0 are not shown, contacts cost reward, and {HEALTHY}")],
    "HumanoidStandup": [BINDINGS, (5, "numbers that are always 0 are not shown")],
    "InvertedDoublePendulum": [BINDINGS, (5, f"numbers that are always 0 are not shown, and {HEALTHY}")],
    "InvertedPendulum": [BINDINGS, (5, HEALTHY)],
    "Pusher": [BINDINGS, (5, "its object is heavier than air, and the reward is for what a step has led to")],
    "Reacher": [BINDINGS, (5, "a number that is always 0 is not shown, and the reward is for what a step has led to")],
    "Swimmer": [BINDINGS, (5, "its rewards and first states can be chosen")],
    "Walker2d": [HEAVIER, (5, f"both feet have the same friction, and {HEALTHY}")],
}
UNKNOWN = "what changed between the two is in Gymnasium's documentation"


def present(environment: str) -> tuple[str, str]:
    """Return the newest version of a retired environment and how it differs; two empty texts if it is not retired.

    `LunarLander-v2` -> (`LunarLander-v3`, "the wind starts afresh ...").
    """
    from gymnasium.envs.registration import registry

    match = re.fullmatch(r"([\w:./-]+?)-v(\d{1,4})", environment)
    if not match or _played(environment):
        return "", ""
    name, version = match[1], int(match[2])
    of_name = (re.fullmatch(rf"{re.escape(name)}-v(\d{{1,4}})", known) for known in registry)
    newest = max((int(found[1]) for found in of_name if found and _played(found[0])), default=-1)
    if newest <= version:
        return "", ""
    return f"{name}-v{newest}", between(environment, f"{name}-v{newest}")


def _played(environment: str) -> bool:
    """Return whether Gymnasium has an environment. It keeps the names of old MuJoCo ones, which only raise."""
    from gymnasium.envs.registration import registry

    found = registry.get(environment)
    return found is not None and "mujoco_py_error" not in getattr(found.entry_point, "__name__", "")


def between(one: str, other: str) -> str:
    """Return what changed between two versions of an environment; empty if they are different environments."""
    first, last = (re.fullmatch(r"([\w:./-]+?)-v(\d{1,4})", text) for text in (one, other.partition("+")[0]))
    if not first or not last or first[1] != last[1] or first[2] == last[2]:
        return ""
    low, high = sorted((int(first[2]), int(last[2])))
    changes = [f"since v{at} {change}" for at, change in DIFFERENCES.get(first[1], []) if low < at <= high]
    return "; ".join(changes) or UNKNOWN

"""Presets: settings that fit a task and the length of a run, each with its source.

The methods' defaults come from their papers and assume a million updates or more; the preset `paper` keeps them.
Shorter runs need a higher learning rate, a faster target, less warm-up, and exploration while they learn. A preset is a
table of rows. A user's setting overrides it, and a row is skipped if the method has no such keyword. Amounts below 1
are shares of the plan (see `schedules`). A number with a unit is relative to the teacher: `8gap` is eight times the
median gap between the values of its best and second-best action, `1episode` the mean length of its episodes.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .keywords import meant

UNITS = {"gap": "the teacher's gaps between actions", "episode": "the teacher's episodes"}
RELATIVE = re.compile(rf"\s*([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)\s*({'|'.join(UNITS)})s?\s*")
CONTROL = ("sac", "td3")  # bases for continuous actions, of which the first is taken unless another is named
ONLY_CONTROL = ("residual",)  # methods for continuous actions alone
DENSE = ("cal_ql", "wsrl", "pex")  # with continuous actions they need a policy with densities, so a base like sac,
SURE = ("ibrl", "residual")  # and these one without, so a base like td3
NOT_FOR = {**dict.fromkeys(DENSE, "td3"), **dict.fromkeys(SURE, "sac")}  # the base that each of them refuses
BOTH = (  # for both kinds of actions
    *("fine_tuning", "rehearsal", "qdagger", "kickstarting", "dagger", "bc_rl", "jsrl", "rlpd", "surgery", "pbt_small"),
    *("cal_ql", "wsrl", "pex", "ibrl"),
)


def actions(method: str) -> str:
    """Return the kinds of actions that a bundled method is for, in words."""
    if method in BOTH:
        return "discrete or continuous"
    return "continuous" if method in (*CONTROL, *ONLY_CONTROL) else "discrete"


NEWEST = ("pqn", "ppo")  # learn from rollouts: their settings are for MinAtar and ALE, and none is about a replay
POLICIES = ("ppo",)  # bases whose network gives the logits of a policy
FOR_POLICIES = ("kickstarting", "qdagger", "dagger", "dagger_ql", "distillation", "bc_rl", "fine_tuning")
OWN_TARGET = (*NEWEST, "rlpd", "cal_ql", "wsrl", "iql", "pex", "ibrl", "tgrl", "drq")
OWN_RATE = ("fine_tuning", "surgery", "nature_dqn", *OWN_TARGET)
SCHEDULES = ("dopamine_dqn", "nature_dqn")  # named after a schedule, which has its own rows for MinAtar
DISTILLING = ("qdagger", "retain", "kickstarting", "dagger", "dagger_ql", "distillation", "pbt_small", "tgrl")
FROM_TEACHER = ("fine_tuning", "surgery", "ibrl", "iql")  # their replay starts with the log
PRETRAINED = (  # they act well from the start, and do not explore
    *("qdagger", "retain", "dqfd", "cql", "cal_ql", "bc_rl", "pex", "wsrl", "dagger", "dagger_ql", "pbt_small"),
    *FROM_TEACHER,
    "residual",
)
GUIDED = ("kickstarting", "rehearsal", "jsrl", "tgrl", "annealed_mixing", "hy_q", "rlpd")  # a teacher explores


class Row(NamedTuple):
    """One setting of a preset."""

    keyword: str
    value: Any
    source: str
    only: tuple[str, ...] = ()  # methods and bases it applies to; none: to all
    but: tuple[str, ...] = ()  # methods and bases that keep their own


class Preset(NamedTuple):
    """Settings for a kind of task and a length of run."""

    about: str
    family: str  # whose tasks take it by default; empty: none
    rows: tuple[Row, ...]


DOPAMINE = "Dopamine's MinAtar configurations (Castro et al., 2018)"
YOUNG = "the DQN that MinAtar's authors publish beside it (Young and Tian, 2019)"
SCALED = "the paper's share of its own run"
SEARCHED = "chosen here, on seeds 100 and up: docs/settings.md"
ALONE = f"otherwise students without a teacher discover Freeway's reward too late; {SEARCHED}"
RARE = f"5 and 10 are for 2 to 20 updates a step, and a TFLOP pays for 0.2; {SEARCHED}"
FEW = "as for the other methods: with the published 256, a TFLOP pays for 300 to 2,800 updates"
SHORT = (  # for short runs on any task
    Row("temperature", "8gap", SEARCHED, only=DISTILLING),
    Row("horizon", "1episode", "the paper's 1,000 steps are about a teacher's episode", only=("jsrl",)),
    Row("settle", 0.016, SCALED, only=("surgery",)),
    Row("warmup", 0.0, "a reloaded agent starts at once: its replay is full (Agarwal et al., 2022)", only=FROM_TEACHER),
)
PRESETS = {
    "paper": Preset("the methods' own defaults, for a million updates and more", "", ()),
    "minatar": Preset(
        "MinAtar below a million updates",
        "minatar",
        (
            Row("learning_rate", 2.5e-4, DOPAMINE, but=OWN_RATE),
            Row("adam_epsilon", 3.125e-4, DOPAMINE, but=OWN_RATE),
            Row("target_period", 0.0125, f"250 of 20,000 updates: {DOPAMINE}", but=OWN_TARGET),
            Row("warmup", 0.01, f"1,000 of 100,000 steps: {DOPAMINE}", but=(*NEWEST, "wsrl", "pex")),
            Row("explore", 0.25, SEARCHED, only=GUIDED),
            Row("explore", 0.5, ALONE, but=(*NEWEST, *PRETRAINED, *GUIDED)),
            Row("epsilon", 0.01, "the paper's", but=(*NEWEST, "nature_dqn")),
            Row("replay_capacity", 100_000, DOPAMINE, but=NEWEST),
            Row("batch_size", 32, FEW, only=("rlpd", "wsrl", "cal_ql", "iql", "pex", "ibrl")),
            Row("members", 2, RARE, only=("rlpd", "wsrl", "ibrl")),
            Row("v_max", 20.0, "above the discounted returns of all five games' teachers (at most 18.2)"),
            *(
                Row(keyword, value, DOPAMINE, only=("dopamine_dqn",))
                for keyword, value in (("target_period", 250.0), ("warmup", 1_000.0), ("explore", 250_000.0))
            ),
            *(
                Row(keyword, value, YOUNG, only=("nature_dqn",))
                for keyword, value in (
                    *(("rms_epsilon", 0.01), ("target_period", 1_000.0), ("warmup", 5_000.0), ("explore", 100_000.0)),
                    ("updates_per_step", 1.0),
                )
            ),
            *SHORT,
        ),
    ),
    "atari-100k": Preset(
        "ALE below a million updates",
        "atari",
        (
            Row("learning_rate", 1e-4, "DrQ(eps) and DER (Agarwal et al., 2021)", but=(*OWN_RATE, *SCHEDULES)),
            Row("target_rate", 0.005, "BBF (Schwarzer et al., 2023)", but=("drq", "ibrl", *NEWEST, *SCHEDULES)),
            Row("warmup", 0.016, "1,600 of 100,000 steps: DrQ(eps)", but=("wsrl", "pex", *NEWEST, *SCHEDULES)),
            Row("explore", 0.05, "5,000 of 100,000 steps: DrQ(eps)", but=(*PRETRAINED, *NEWEST, *SCHEDULES)),
            Row("n_step", 10, "DrQ(eps), SPR, BBF", but=(*OWN_RATE, *SCHEDULES, "hy_q")),
            *SHORT,
        ),
    ),
    "classic": Preset(
        "Gymnasium's small tasks below a million updates",
        "gym",
        (
            Row(
                "learning_rate",
                2.5e-4,
                "CleanRL's DQN for classic control (Huang et al., 2022)",
                but=(*OWN_RATE, *SCHEDULES),
            ),
            Row("target_rate", 0.005, "BBF (Schwarzer et al., 2023)", but=("drq", "ibrl", *NEWEST, *SCHEDULES)),
            Row("warmup", 0.02, "10,000 of 500,000 steps: CleanRL", but=("wsrl", "pex", *NEWEST, *SCHEDULES)),
            Row("explore", 0.5, "CleanRL", but=(*PRETRAINED, *NEWEST, *SCHEDULES)),
            Row("epsilon", 0.05, "CleanRL", but=(*NEWEST, *SCHEDULES)),
            *SHORT,
        ),
    ),
}
STEEP = "Pendulum, seeds 100 and 101: weaned at 0.6, four students of five fell; with 1.0, one of four"
FROZEN = "their 5,000 steps, which in 10,000 are too many: Pendulum, seeds 100 and 101, pex better with 500 than 100"
HELD = "Pendulum, seeds 100 and 101: weight 0.2, both students fell to -1,000; 1, one to -630; 5, none (-164, -180)"
SPINNING = "10,000 steps at random of a million: Haarnoja et al. (2018), and their code"
PRESETS["control"] = Preset(
    "continuous actions, for runs of any length",
    "",
    (
        Row("base", "sac", "the base of nearly all methods' own papers for continuous actions"),
        Row("base", "td3", "Hu et al. (2024); Johannink et al. (2019)", only=SURE),
        Row("learning_rate", 3e-4, "Haarnoja et al. (2018); Fujimoto et al. (2018), their code", but=("ibrl",)),
        Row("warmup", 0.01, SPINNING, but=("wsrl", "pex", *FROM_TEACHER)),
        Row("warmup", 0.0, "a reloaded agent starts at once (Agarwal et al., 2022)", only=FROM_TEACHER),
        Row("warmup", 0.05, FROZEN, only=("wsrl", "pex")),
        Row("explore", 0.01, SPINNING, but=PRETRAINED),
        Row("explore", 0.0, "they act well when they begin", only=PRETRAINED),
        Row("actor_rate", 1e-4, "their code (Nakamoto et al., 2023), as CQL's", only=("cal_ql", "wsrl")),
        Row("soft_goal", False, "their code (Nakamoto et al., 2023)", only=("cal_ql",)),
        Row("entropy", -0.5, "their code (Ball et al., 2023)", only=("rlpd",)),
        Row("delay", 20, "an update of the actor for 20 of the critics (Ball et al., 2023)", only=("rlpd",)),
        Row("delay", 4, "an update of the actor for 4 of the critics (Zhou et al., 2025)", only=("wsrl",)),
        Row("deadline", 1.0, STEEP, only=("qdagger", "kickstarting")),
        Row("weight", 5.0, HELD, only=("bc_rl",)),
        *(row for row in SHORT if row.keyword in ("horizon", "settle")),
    ),
)
BALLOON = "the Balloon Learning Environment's quantile.gin and finetune_perciatelli.gin (Greaves et al., 2021)"
QUICK = "chosen for tens of thousands of steps on one core, and hardly tuned: docs/balloon.md"
CHEAP = f"an update takes a sixth of the FLOPs of one of the teacher's network; {QUICK}"
FAST = f"the published 2e-6 is for millions of updates; {QUICK}"
BATCH = f"an update takes three times as long with 128 as with 32; {QUICK}"
UNSCORED = "a score from 30 episodes has a standard error of 0.16, and they take as many steps as a short run"
FEWER = "with the paper's 64, 64 and 32 an update takes five times the FLOPs"
CLOSE = f"actions differ by 1 % of their values, so with 8 gaps the teacher was hardly followed; {QUICK}"
SUMMED = "the TD term is a sum over the quantiles, and the usual weight is for a single one"
NOT_DISTILLED = ("bc_rl", "dqfd", "cql", "cal_ql", "wsrl", "distillation", "tgrl")  # `weight` is of something else
FLOWN = (  # what does not depend on the length of a run
    Row("adam_epsilon", 2e-5, BALLOON, but=(*OWN_TARGET, *SCHEDULES)),
    Row("discount", 0.993, BALLOON),
    Row("n_step", 5, BALLOON, but=(*OWN_TARGET, *SCHEDULES, "hy_q")),
    Row("target_period", 100.0, BALLOON, but=(*OWN_TARGET, *SCHEDULES)),
)
PRESETS["balloon"] = Preset(
    "the stratospheric balloon below a million updates",
    "balloon",
    (
        *FLOWN,
        Row("network", "mlp:size=256,depth=3", CHEAP, but=("fine_tuning", "surgery", *CONTROL, *ONLY_CONTROL)),
        Row("learning_rate", 3e-4, FAST, but=(*OWN_TARGET, *SCHEDULES)),
        Row("learning_rate", 2e-6, BALLOON, only=("fine_tuning", "surgery")),
        Row("batch_size", 128, BATCH, but=(*OWN_TARGET, *SCHEDULES)),
        Row(
            "updates_per_step", 0.0625, f"the published 0.25 of 32 transitions; {QUICK}", but=(*OWN_TARGET, *SCHEDULES)
        ),
        Row("target_period", 50.0, QUICK, but=(*OWN_TARGET, *SCHEDULES)),
        Row("learning_rate", 1e-3, QUICK, only=(*DISTILLING, "bc_rl")),
        Row("weight", 150.0, f"3 for each of 51: {SUMMED}", only=("qr_dqn",), but=NOT_DISTILLED),
        Row("weight", 24.0, f"3 for each of 8: {SUMMED}", only=("iqn",), but=NOT_DISTILLED),
        Row("weight", 10.0, f"0.2 for each of 51: {SUMMED}", only=("bc_rl",)),
        Row("hold", 1.0, UNSCORED, only=("qdagger", "kickstarting", "dqfd")),
        *(Row(keyword, 8, FEWER, only=("iqn",)) for keyword in ("quantiles", "goals", "asked")),
        Row("warmup", 0.02, QUICK, but=(*FROM_TEACHER, *OWN_TARGET, *SCHEDULES)),
        Row("explore", 0.25, QUICK, but=(*PRETRAINED, *OWN_TARGET, *SCHEDULES)),
        *SHORT,
        Row("temperature", "1gap", CLOSE, only=DISTILLING),
    ),
)
PRESETS["balloon-long"] = Preset(
    "the stratospheric balloon from a million updates on",
    "balloon",
    (
        *FLOWN,
        Row("learning_rate", 2e-6, BALLOON, but=(*OWN_TARGET, *SCHEDULES)),
        Row("warmup", 500.0, BALLOON, but=(*FROM_TEACHER, *OWN_TARGET, *SCHEDULES)),
        *(row for row in SHORT if row.keyword != "settle"),
    ),
)
LONG = 1e6  # planned updates from which a family's second preset, or else `paper`, is the default


def chosen(family: str, updates: float) -> str:
    """Return the default preset for a task's family and a number of planned updates."""
    fitting = [name for name, preset in PRESETS.items() if preset.family == family]
    return [*fitting, "paper"][0 if updates < LONG else 1] if fitting else "paper"


def settings(preset: str, method: str, base: str, known: Iterable[str]) -> dict[str, Any]:
    """Return a preset's settings for a method with this base, limited to its keywords; later rows override earlier."""
    if preset not in PRESETS:
        hint = meant(preset, PRESETS) or f"take one of {', '.join(PRESETS)}"
        raise ValueError(f"there is no preset {preset!r}: {hint}")
    names, keywords = {method, base} - {""}, {*known, *(("base",) if base else ())}
    return {
        row.keyword: row.value
        for row in PRESETS[preset].rows
        if row.keyword in keywords and not names & set(row.but) and (not row.only or names & set(row.only))
    }


def units_of(given: Mapping[str, Any]) -> set[str]:
    """Return the units of relative settings: a subset of `UNITS`."""
    found = [RELATIVE.fullmatch(value) for value in given.values() if isinstance(value, str)]
    return {match[2] for match in found if match}


def absolute(given: Mapping[str, Any], measured: Mapping[str, float]) -> dict[str, Any]:
    """Return the settings with relative ones converted to plain numbers, given the measured size of each unit."""

    def plain(value: Any) -> Any:
        match = RELATIVE.fullmatch(value) if isinstance(value, str) else None
        if not match:
            return value
        size = float(match[1]) * measured[match[2]]
        return round(size) if match[2] == "episode" else float(f"{size:.4g}")  # episodes are in whole agent steps

    return {key: plain(value) for key, value in given.items()}

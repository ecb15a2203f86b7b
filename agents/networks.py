"""Networks from observations [B, S, *frame] to action values [B, A].

Pixels are bytes and are scaled to [0, 1]; the S frames of a stack become channels. Parameters are float32. `layers`
documents the options.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from ..datasets.transition import Actions, Box, outputs
from . import limits
from .actor_critic import ActorCritic
from .keywords import meant
from .layers import NOISE
from .method import Architecture
from .torsos import MLP, Conv, Impala


class Ensemble(nn.Module):
    """Return the mean over the members [B, A]; `each` gives every member [E, B, A]."""

    actions: int
    of: str
    options: Mapping[str, Any]
    members: int = 4

    def setup(self):
        make, options = NETWORKS[self.of]
        stacked = nn.vmap(
            make,
            in_axes=None,  # pyright: ignore[reportArgumentType]
            axis_size=self.members,
            variable_axes={"params": 0},
            split_rngs={"params": True, NOISE: True},
        )
        self.stack = stacked(self.actions, **{**options, **self.options})

    def each(self, obs: Array) -> Array:
        return self.stack(obs)

    def __call__(self, obs: Array) -> Array:
        return self.each(obs).mean(axis=0)


def copies(module: "Anchored | Guided | Implicit", count: int) -> list[Any]:
    """Return `number` networks of the module's kind."""
    make, options = NETWORKS[module.of]
    return [make(module.actions, **{**options, **module.options}) for _ in range(count)]


class Anchored(nn.Module):
    """A network with a frozen copy of its past self: a call runs the network, `past` the copy."""

    actions: int
    of: str
    options: Mapping[str, Any]

    def setup(self):
        self.student, self.memory = copies(self, 2)

    def past(self, obs: Array) -> Array:
        return jax.lax.stop_gradient(self.memory(obs))

    def logits(self, obs: Array) -> Array:
        return self.student.logits(obs)

    def heads(self, obs: Array) -> tuple[Array, Array]:
        return self.student.heads(obs)

    def support(self, obs: Array) -> Array:
        return self.student.support(obs)

    def spread(self, obs: Array) -> Array:
        return self.student.spread(obs)

    def draws(self, obs: Array, count: int) -> tuple[Array, Array]:
        return self.student.draws(obs, count)

    def __call__(self, obs: Array) -> Array:
        if self.is_initializing():
            self.memory(obs)
        return self.student(obs)


class Guided(nn.Module):
    """Three networks of one kind and a scalar: a call runs the first.

    `alone` runs the second, `hints` the third; `multiplier` is the scalar.
    """

    actions: int
    of: str
    options: Mapping[str, Any]

    def setup(self):
        self.student, self.other, self.judge = copies(self, 3)
        self.number = self.param("multiplier", nn.initializers.zeros, ())

    def alone(self, obs: Array) -> Array:
        return self.other(obs)

    def hints(self, obs: Array) -> Array:
        return self.judge(obs)

    def multiplier(self, obs: Array) -> Array:
        return self.number

    def __call__(self, obs: Array) -> Array:
        if self.is_initializing():
            for one in (self.other, self.judge):
                one(obs)
        return self.student(obs)


class Implicit(nn.Module):
    """A policy, critics (`each` [E, B, A]) and a state value (`state` [B]), all networks of one kind.

    A call gives the policy's logits. With `expanded` there is also a `first` policy, with a frozen copy `past`: a call
    then gives the minimum over the critics for actions that one of the two policies proposes, and less for all others.
    """

    actions: int
    of: str
    options: Mapping[str, Any]
    members: int = 2
    expanded: bool = False

    def setup(self):
        self.actor, self.memory = copies(self, 2)
        self.critics = Ensemble(self.actions, self.of, self.options, self.members)
        make, options = NETWORKS[self.of]
        self.worth = make(1, **{**options, **self.options})

    def policy(self, obs: Array) -> Array:
        return self.actor(obs)

    def first(self, obs: Array) -> Array:
        return self.memory(obs)

    def past(self, obs: Array) -> Array:
        return jax.lax.stop_gradient(self.memory(obs))

    def each(self, obs: Array) -> Array:
        return self.critics.each(obs)

    def state(self, obs: Array) -> Array:
        return self.worth(obs)[:, 0]

    def __call__(self, obs: Array) -> Array:
        if self.is_initializing():
            for one in (self.each, self.state):
                one(obs)
        logits = self.actor(obs)
        if not self.expanded:
            return logits
        proposed = (jax.nn.one_hot(jnp.argmax(each, axis=-1), self.actions) for each in (logits, self.past(obs)))
        least = self.each(obs).min(axis=0)
        return jnp.where(sum(proposed) > 0.0, least, least.min(axis=-1, keepdims=True) - 1.0)


class Policy(nn.Module):
    """Return the logits of a policy [B, A]; `heads` gives these and the value of the state [B].

    Both are linear in the last hidden layer of one network, as in Mnih et al. (2016) for Atari.
    """

    actions: int
    of: str
    options: Mapping[str, Any]

    def setup(self):
        self.inner = build(Architecture(self.of, self.options), self.actions + 1)

    def heads(self, obs: Array) -> tuple[Array, Array]:
        both = self.inner(obs)
        return both[:, :-1], both[:, -1]

    def __call__(self, obs: Array) -> Array:
        return self.heads(obs)[0]


class Categorical(nn.Module):
    """Return expected values [B, A]; `logits` gives the logits of the return distributions [B, A, atoms].

    The atoms are spaced evenly from -v_max to v_max (Bellemare et al., 2017).
    """

    actions: int
    of: str
    options: Mapping[str, Any]
    atoms: int = 51
    v_max: float = 10.0

    def setup(self):
        self.inner = build(Architecture(self.of, {**self.options, "atoms": self.atoms}), self.actions)

    def logits(self, obs: Array) -> Array:
        return self.inner(obs).reshape(obs.shape[0], self.actions, self.atoms)

    def support(self, obs: Array) -> Array:
        return jnp.linspace(-self.v_max, self.v_max, self.atoms)

    def __call__(self, obs: Array) -> Array:
        return jax.nn.softmax(self.logits(obs)) @ self.support(obs)


class Quantile(nn.Module):
    """Return mean values [B, A]; `spread` gives the quantiles [B, A, quantiles]."""

    actions: int
    of: str
    options: Mapping[str, Any]
    quantiles: int = 51

    def setup(self):
        self.inner = build(Architecture(self.of, {**self.options, "atoms": self.quantiles}), self.actions)

    def spread(self, obs: Array) -> Array:
        return self.inner(obs).reshape(obs.shape[0], self.actions, self.quantiles)

    def __call__(self, obs: Array) -> Array:
        return self.spread(obs).mean(axis=-1)


class ImplicitQuantile(nn.Module):
    """Return the mean [B, A] over `asked` quantiles.

    `draws` gives `count` quantiles and their fractions in [0, 1]: [B, A, count], [B, count]. With a random key the
    fractions are drawn; without one, as in evaluation, they are evenly spaced. The network embeds each fraction as 64
    cosines, numbered from `waves_from`: 0 in the paper, 1 in Dopamine and others.
    """

    actions: int
    of: str
    options: Mapping[str, Any]
    asked: int = 32
    waves_from: int = 0

    def setup(self):
        self.inner = build(Architecture(self.of, self.options), self.actions)

    def draws(self, obs: Array, count: int) -> tuple[Array, Array]:
        shape = (obs.shape[0], count)
        places = jnp.broadcast_to((jnp.arange(count) + 0.5) / count, shape)
        if self.has_rng(NOISE):
            places = jax.random.uniform(self.make_rng(NOISE), shape)
        waves = jnp.cos(jnp.pi * jnp.arange(self.waves_from, self.waves_from + 64) * places[:, :, None])
        values = self.inner(obs, waves).reshape(*shape, self.actions)
        return jnp.moveaxis(values, 1, 2), places

    def __call__(self, obs: Array) -> Array:
        return self.draws(obs, self.asked)[0].mean(axis=-1)


class Normalized(nn.Module):
    """A network on clip((obs - mean) * scale, -clip, clip); mean and scale [S, *frame] are constants."""

    actions: int
    of: str
    options: Mapping[str, Any]
    shape: Sequence[int]  # of an observation, [S, *frame]
    clip: float = 10.0
    atoms: int = 1  # values per action

    def setup(self):
        self.inner = build(Architecture(self.of, {**self.options, "atoms": self.atoms}), self.actions)
        self.mean = self.param("mean", nn.initializers.zeros, tuple(self.shape))
        self.scale = self.param("scale", nn.initializers.ones, tuple(self.shape))

    def __call__(self, obs: Array) -> Array:
        mean, scale = jax.lax.stop_gradient((self.mean, self.scale))
        return self.inner(jnp.clip((obs.astype(jnp.float32) - mean) * scale, -self.clip, self.clip))


NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {  # name -> module and its fixed options
    "nature": (Conv, {"layers": NATURE}),  # Mnih et al., 2015
    "nature_same": (Conv, {"layers": NATURE, "padding": "SAME"}),  # as in Dopamine's JAX agents
    "dqn2013": (Conv, {"layers": ((16, 8, 4), (32, 4, 2)), "dense": 256}),  # Mnih et al., 2013
    "impala": (Impala, {}),
    "minatar": (Conv, {"layers": ((16, 3, 1),), "dense": 128}),  # Young and Tian, 2019
    "mlp": (MLP, {}),
    "ensemble": (Ensemble, {}),
    "categorical": (Categorical, {}),
    "quantile": (Quantile, {}),
    "implicit_quantile": (ImplicitQuantile, {}),
    "anchored": (Anchored, {}),
    "guided": (Guided, {}),
    "normalized": (Normalized, {}),
    "implicit": (Implicit, {}),
    "policy": (Policy, {}),
    "actor_critic": (ActorCritic, {}),
}
POLICIES = ("policy", "implicit")  # networks that give the logits of a policy
CONTINUOUS = ("actor_critic",)  # for continuous actions; all others are for discrete ones


def parse_network(text: str) -> Architecture:
    """Parse `impala` or `impala:width=2,dense=256`; ValueError if the options cannot be read."""
    name, _, rest = text.partition(":")
    options = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        try:
            options[option] = value if value in limits.NAMES.get(option, ()) else json.loads(value)
        except ValueError:
            raise ValueError(f"{part!r} is not an option of a network: write NAME:width=2,layer_norm=true") from None
    return Architecture(name, options)


def gives(architecture: Architecture) -> str:
    """Return what a network for discrete actions outputs: action "values", or "logits" of a policy."""
    name, options = architecture
    if name in POLICIES and not options.get("expanded"):
        return "logits"
    return gives(Architecture(options["of"], options.get("options", {}))) if "of" in options else "values"


def with_options(architecture: Architecture, **more: Any) -> Architecture:
    """Return the architecture with more options, set on the innermost network."""
    name, options = architecture
    if "of" not in options:
        return Architecture(name, {**options, **more})
    inner = with_options(Architecture(options["of"], options.get("options", {})), **more)
    return Architecture(name, {**options, "options": inner.options})


def alike(one: Architecture, other: Architecture) -> bool:
    """Return whether two architectures make the same network, also if only one of them writes defaults out."""
    if one.name != other.name or one.name not in NETWORKS:
        return one == other
    make, fixed = NETWORKS[one.name]
    try:
        return make(1, **{**fixed, **one.options}) == make(1, **{**fixed, **other.options})
    except TypeError:  # an option that there is not, of which `build` complains
        return False


def build(architecture: Architecture, actions: Actions) -> nn.Module:
    """Make the module of an architecture; ValueError for an unknown name or option, or the wrong kind of actions."""
    if architecture.name not in NETWORKS:
        every = f"take one of {', '.join(sorted(NETWORKS))}"
        raise ValueError(f"there is no network {architecture.name!r}: {meant(architecture.name, NETWORKS) or every}")
    limits.check(architecture)
    if isinstance(actions, Box) != (architecture.name in CONTINUOUS):
        kind = "continuous" if isinstance(actions, Box) else "discrete"
        raise ValueError(f"the network {architecture.name!r} does not support {kind} actions: take another")
    make, options = NETWORKS[architecture.name]
    if "of" in architecture.options:  # check the network inside too
        build(Architecture(architecture.options["of"], architecture.options.get("options", {})), actions)
    try:
        return make(outputs(actions), **{**options, **architecture.options})
    except TypeError:
        given = ", ".join(architecture.options)
        raise ValueError(f"the network {architecture.name!r} does not take all of these options: {given}") from None

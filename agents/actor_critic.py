"""Networks for continuous actions: an actor, an ensemble of critics and a temperature, in one tree of parameters.

An actor consists of dense layers. For each of the D numbers of an action it gives a mean and, if it is stochastic, the
logarithm of a standard deviation; the hyperbolic tangent of a sample is the action, between -1 and 1. A critic reads
the observation concatenated with the action. The parameters name the three parts `actor`, `critics` and `temperature`,
so that an optimizer and `Method.delayed` can tell them apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from .layers import XAVIER, flat

LEAST_LOG, MOST_LOG = -20.0, 2.0  # bounds of the log-deviation (Haarnoja et al., 2018)


class Body(nn.Module):
    """Dense layers of these sizes, each followed by layer norm (optional) and an activation."""

    sizes: Sequence[int]
    activation: str = "relu"
    layer_norm: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for number, size in enumerate(self.sizes):
            x = nn.Dense(size, kernel_init=XAVIER, name=f"Dense_{number}")(x)
            x = nn.LayerNorm(name=f"LayerNorm_{number}")(x) if self.layer_norm else x
            x = getattr(nn, self.activation)(x)
        return x


class Actor(nn.Module):
    """[B, S, *frame] -> mean and logarithm of the deviation [B, D], before the hyperbolic tangent.

    Without `stochastic` there is no deviation. With `sde` it comes from one matrix over the features, not from a layer.
    """

    actions: int
    sizes: Sequence[int]
    activation: str = "relu"
    stochastic: bool = True
    sde: bool = False
    clip_mean: float = 0.0

    @nn.compact
    def __call__(self, obs: Array) -> tuple[Array, Array]:
        x = Body(self.sizes, self.activation, name="body")(flat(obs))
        mean = nn.Dense(self.actions, kernel_init=XAVIER, name="mean")(x)
        mean = jnp.clip(mean, -self.clip_mean, self.clip_mean) if self.clip_mean else mean
        if not self.stochastic:
            return mean, jnp.full_like(mean, LEAST_LOG)
        if self.sde:
            each = self.param("log_std", nn.initializers.constant(-3.0), (x.shape[-1], self.actions))
            log_std = 0.5 * jnp.log(jnp.square(x) @ jnp.exp(2.0 * each) + 1e-6)
        else:
            log_std = nn.Dense(self.actions, kernel_init=XAVIER, name="log_std")(x)
        return mean, jnp.clip(log_std, LEAST_LOG, MOST_LOG)


OF_ACTOR = ("width", "depth", "sizes", "activation", "stochastic", "sde", "clip_mean")  # options that shape an actor


def actor_of(actions: int, given: Mapping[str, Any]) -> Actor:
    """Return the actor that an actor-critic of these options has."""
    sizes = tuple(given.get("sizes", ())) or (given.get("width", 256),) * given.get("depth", 2)
    rest = {name: given[name] for name in ("activation", "stochastic", "sde", "clip_mean") if name in given}
    return Actor(actions, sizes, **rest)


class Critic(nn.Module):
    """[B, S, *frame] and actions [B, D] -> values [B], the mean over their quantiles where there are several."""

    sizes: Sequence[int]
    activation: str = "relu"
    layer_norm: bool = False
    quantiles: int = 1

    @nn.compact
    def __call__(self, obs: Array, action: Array) -> Array:
        x = jnp.concatenate([flat(obs), action], axis=-1)
        x = Body(self.sizes, self.activation, self.layer_norm, name="body")(x)
        return nn.Dense(self.quantiles, kernel_init=XAVIER, name="value")(x).mean(axis=-1)


class ActorCritic(nn.Module):
    """Return the actor's mean action [B, D] between -1 and 1.

    `policy` gives mean and deviation, `judge` the values of actions by each member [E, B], or by those of the numbers
    `members`, and `advise` the same by critics that no gradient reaches: what an actor's term is made of. `past` is the
    mean action of a frozen copy of the actor that stands beside it with `memory`; `worth` [B] the value of the state,
    of a network that is there with `state`. With `expanded` what is called gives that of the two actors' actions which
    the least critic prefers; with `beneath`, the options of another actor that is frozen, the sum of its action and the
    actor's, within the bounds.
    """

    actions: int
    width: int = 256
    depth: int = 2
    sizes: Sequence[int] = ()
    critic_sizes: Sequence[int] = ()  # if they differ from the actor's
    activation: str = "relu"
    layer_norm: bool = False  # of the critics
    members: int = 2
    quantiles: int = 1
    stochastic: bool = True
    sde: bool = False
    clip_mean: float = 0.0
    memory: bool = False
    state: bool = False
    expanded: bool = False
    beneath: Mapping[str, Any] | None = None

    def setup(self):
        mine = {name: getattr(self, name) for name in OF_ACTOR}
        self.actor = actor_of(self.actions, mine)
        stacked = nn.vmap(
            Critic,
            in_axes=None,  # pyright: ignore[reportArgumentType]
            axis_size=self.members,
            variable_axes={"params": 0},
            split_rngs={"params": True},
        )
        self.critics = stacked(*self._shape())
        self.temperature = self.param("temperature", nn.initializers.zeros, ())
        if self.memory or self.beneath:
            self.frozen = actor_of(self.actions, self.beneath or mine)
        if self.state:
            self.value = Critic(*self._shape()[:3])

    def policy(self, obs: Array) -> tuple[Array, Array]:
        return self.actor(obs)

    def judge(self, obs: Array, action: Array, members: Array | None = None) -> Array:
        return self.critics(obs, action) if members is None else self._of(self.critics.variables, obs, action, members)

    def advise(self, obs: Array, action: Array, members: Array | None = None) -> Array:
        module, variables = self.critics.unbind()
        variables = jax.lax.stop_gradient(variables)
        if members is None:
            return module.apply(variables, obs, action)  # pyright: ignore[reportReturnType]
        return self._of(variables, obs, action, members)

    def _of(self, critics: Any, obs: Array, action: Array, members: Array) -> Array:
        """Ask these members alone: the others cost nothing."""
        one = Critic(*self._shape(), parent=None)  # pyright: ignore[reportCallIssue]
        some = jax.tree.map(lambda stacked: stacked[members], critics)
        return jax.vmap(one.apply, in_axes=(0, None, None))(some, obs, action)  # pyright: ignore[reportReturnType]

    def _shape(self) -> tuple[Sequence[int], str, bool, int]:
        sizes = tuple(self.critic_sizes or self.sizes) or (self.width,) * self.depth
        return sizes, self.activation, self.layer_norm, self.quantiles

    def log_temperature(self, obs: Array) -> Array:
        return self.temperature

    def past(self, obs: Array) -> Array:
        return jax.lax.stop_gradient(jnp.tanh(self.frozen(obs)[0]))

    def worth(self, obs: Array) -> Array:
        return self.value(obs, jnp.zeros((obs.shape[0], 0)))

    def __call__(self, obs: Array) -> Array:
        mean = jnp.tanh(self.actor(obs)[0])
        if self.is_initializing():
            self.critics(obs, mean)
            if self.memory:
                self.frozen(obs)
            if self.state:
                self.worth(obs)
        if self.beneath:
            return jnp.clip(self.past(obs) + mean, -1.0, 1.0)
        if self.expanded:
            mine, old = (self.critics(obs, action).min(axis=0) for action in (mean, self.past(obs)))
            return jnp.where((old > mine)[:, None], self.past(obs), mean)
        return mean

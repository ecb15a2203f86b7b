"""The pure functions that every method shares: initial learner, update and act."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..datasets.transition import Actions, Batch, Box, Transition
from .layers import CACHED, NOISE, by_products
from .method import Apply, Clock, Learner, Method, Params, Progress, Terms, Values
from .optimizers import names as keys_of
from .resets import longest
from .schedules import period


def once(apply: Apply, params: Params, noise: Array | None = None) -> Values:
    """Bind the parameters, and compute each forward pass once.

    A loss made of other losses calls student(batch.obs) many times; all calls get the same traced array. The
    observations are kept with the results so that no other array can reuse their id. With a key, each pass has its own
    noise.
    """
    seen = {}

    def values(obs: Array, **options) -> Array:
        key = (id(obs), *((name, _told(options[name])) for name in sorted(options)))
        if key not in seen:
            fresh = {} if noise is None else {"rngs": {NOISE: jax.random.fold_in(noise, len(seen))}}
            seen[key] = (obs, options), apply(params, obs, **options, **fresh)
        return seen[key][1]

    return values


def _told(option: Any) -> Any:
    """Return a cache key for an option: its value, or the id of an array."""
    return option if isinstance(option, (str, int, float)) else id(option)


def labels(teach: Apply, teacher: Params, steps: Transition, shown: Transition, known: Array | None) -> Values:
    """Return the teacher as a function of the augmented observations `shown` that answers for the original `steps`.

    Known values on the observations are not computed again.
    """
    before = {id(shown.obs): steps.obs, id(shown.next_obs): steps.next_obs}
    ask = once(teach, teacher)

    def values(obs: Array, /, **options: Any) -> Array:
        if known is not None and obs is shown.obs and not options:
            return known
        return ask(before.get(id(obs), obs), **options)

    return values


def init_learner(method: Method, params: Params) -> Learner:
    """Return an untrained learner; its target is the student."""
    return Learner(params, params, method.optimizer.init(params), jnp.zeros((), jnp.int32))


def owned(learner: Learner) -> Learner:
    """Copy all arrays, so that a donating update may overwrite them."""
    return jax.tree.map(jnp.array, learner)


def transition_of(batch: Batch, n_step: int, actions: Actions = 0) -> Transition:
    """Cut the two observations out of each window of S + n frames; scale continuous actions to [-1, 1]."""
    stack = batch.window.shape[1] - n_step
    cut = jax.vmap(lambda window, start: jax.lax.dynamic_slice_in_dim(window, start, stack))
    obs, next_obs = batch.window[:, :stack], cut(batch.window, batch.span)
    action = actions.unit(batch.action) if isinstance(actions, Box) else batch.action
    whole = (batch.reward, batch.discount, next_obs, batch.from_teacher, batch.return_to_go, batch.played)
    return Transition(obs, action, *whole)


PRIORITY = "priority"  # key of the new priorities among the loss terms
CRITICS = ("critics", "value")  # no teacher teaches them, so they always learn at the full rate
STUDENT, TARGET, AUGMENT = 101, 102, 103  # folded into a key, one for each use


def key_of(seed: int, count: int) -> np.ndarray:
    """Return the raw key of one iteration of a run; made on the host, and wrapped inside the jitted call."""
    return np.array([seed, count], np.uint32)


def _awake(progress: Progress) -> Progress:
    return progress._replace(key=jax.random.wrap_key_data(progress.key, impl="threefry2x32"))


def shard_batch(batch: Batch) -> Batch:
    """Shard a batch over all devices if its size is a multiple of their number; else return it unchanged.

    XLA then partitions the update: each device holds a copy of the learner, and gradients are summed across devices.
    """
    devices = jax.devices()
    if len(devices) == 1 or len(batch.action) % len(devices):
        return batch
    return jax.device_put(batch, NamedSharding(Mesh(np.array(devices), ("batch",)), PartitionSpec("batch")))


def checked(terms: dict[str, Array], size: int) -> dict[str, Array]:
    """Return the terms of a loss; ValueError that names one whose shape is not [B]. It costs nothing once traced.

    A mean or a column would be weighted and averaged like a batch, and silently train something else.
    """
    for name, term in terms.items():
        if jnp.shape(term) != (size,):
            shape = list(jnp.shape(term))
            raise ValueError(f"the loss term {name!r} has shape {shape}: give one number for each step, [{size}]")
    return terms


def terms_of(method: Method, values: tuple[Values, Values, Values], batch: Transition, progress: Progress) -> Terms:
    """Call a method's loss; ValueError that names an unknown field it reads, and the existing ones."""
    try:
        return method.loss(*values, batch, progress)
    except AttributeError as error:
        if not isinstance(error.obj, Transition | Progress):
            raise
        kind, there = type(error.obj).__name__, ", ".join(error.obj._fields)
        raise ValueError(f"the loss asks for {error.name!r}, but the fields of a {kind} are {there}") from error


def make_update(
    method: Method,
    apply: Apply,
    teach: Apply,
    donate: bool = False,
    actions: Actions = 0,
    light: bool = False,
    online: bool = False,
):
    """Return update(learner, teacher's params, batch, progress) -> (learner, mean of each loss term).

    Importance weights multiply every term. For a prioritized replay the new priorities [B] are among the means (Schaul
    et al., 2016; as in Dopamine's Rainbow). The teacher is not run if the batch carries its values. With `donate` the
    old learner's arrays are overwritten: pass an `owned` learner, or one that this update returned. A `light` update
    leaves out the terms that the method names in `delayed`, and leaves their parameters and moments unchanged; an
    `online` one leaves out those of `offline_only`, with their work.
    """

    @partial(jax.jit, donate_argnums=0 if donate else ())
    @partial(by_products, most=CACHED)
    def update(learner: Learner, teacher: Params, batch: Batch, progress: Progress):
        steps, progress = transition_of(batch, longest(method), actions), _awake(progress)
        shown = method.augment(jax.random.fold_in(progress.key, AUGMENT), steps)
        noise = [jax.random.fold_in(progress.key, number) if method.noisy else None for number in (STUDENT, TARGET)]

        def total(params: Params):
            guide = labels(teach, teacher, steps, shown, batch.teacher_values)
            values = once(apply, params, noise[0]), once(apply, learner.target, noise[1]), guide
            terms = checked(terms_of(method, values, shown, progress), len(batch.action))
            left_out = (*method.delayed * light, *method.offline_only * online)
            means = {name: (batch.weight * term).mean() for name, term in terms.items() if name not in left_out}
            total = sum(means.values()) if means else jnp.zeros(())
            if method.prioritized:
                surprise = terms.get("td", jnp.ones(batch.action.shape[0]))  # without a TD term the replay is uniform
                means[PRIORITY] = jnp.sqrt(surprise + 1e-10)
            return total, means

        grads, terms = jax.grad(total, has_aux=True)(learner.params)
        updates, opt_state = method.optimizer.update(grads, learner.opt_state, learner.params)
        slowed = optax.tree.scale(method.learning_rate_factor(progress), updates)
        updates = held(CRITICS, updates, slowed) if method.continuous else slowed
        params = optax.apply_updates(learner.params, updates)
        if light:
            params, opt_state = held(method.delayed, (learner.params, learner.opt_state), (params, opt_state))
        count = learner.updates + 1
        waits = light and method.target_waits
        target = learner.target if waits else followed(method, params, learner.target, count, progress.updates)
        return Learner(params, target, opt_state, count), terms

    return update


def several(update: Callable[..., tuple[Learner, dict[str, Array]]]) -> Callable[..., tuple[Learner, dict[str, Array]]]:
    """Return updates(learner, teacher's params, batches, progresses) -> (learner, means of each loss term [K]).

    Of K batches and progresses, stacked, one after another in one call of the device.
    """

    @partial(jax.jit, donate_argnums=0)
    def updates(learner: Learner, teacher: Params, batches: Batch, progresses: Progress):
        return jax.lax.scan(lambda one, given: update(one, teacher, *given), learner, (batches, progresses))

    return updates


def held(names: tuple[str, ...], old: Any, new: Any) -> Any:
    """Return the new tree, with the old leaves wherever a key on the path is one of `names`."""

    def kept(path: Any, before: Array, after: Array) -> Array:
        return before if any(key in names for key in keys_of(path)) else after

    return jax.tree_util.tree_map_with_path(kept, old, new)


def followed(method: Method, params: Params, target: Params, count: Array, planned: Array) -> Params:
    """Return the target after update number `count`: Polyak-averaged, or periodically copied from the student."""
    if method.target_rate < 1.0:
        return optax.incremental_update(params, target, method.target_rate)
    return optax.periodic_update(params, target, count, period(method.target_period, planned))


def make_act(method: Method, apply: Apply, teach: Apply, actions: Actions = 0):
    """Return act(params, teacher's params, obs, clock, progress) -> actions [N], or [N, D] in the environment's units.

    `actions`: the environment's action space.
    """

    @jax.jit
    def act(params: Params, teacher: Params, obs: Array, clock: Clock, progress: Progress) -> Array:
        progress = _awake(progress)
        noise = jax.random.fold_in(progress.key, STUDENT) if method.noisy else None
        chosen = method.act(once(apply, params, noise), once(teach, teacher), obs, clock, progress)
        return actions.real(chosen) if isinstance(actions, Box) else chosen

    return act


def cure(value: float, method: Method) -> str:
    """Return advice for a loss that is NaN or infinite."""
    if value == -float("inf") and method.needs_return_to_go:
        return "batch.return_to_go is -inf where a return is unknown, so leave those rows out"
    return "lower the learning rate, or look for a logarithm of zero or a division by zero in the method"

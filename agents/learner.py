"""The pure functions that every method shares: fresh, update and act."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..datasets.transition import Batch, Transition
from .method import Apply, Clock, Learner, Method, Params, Progress, Values


def once(apply: Apply, params: Params) -> Values:
    """Fills in the parameters, and pays for each forward pass once.

    A loss made of other losses calls student(batch.obs) many times; all get the
    same traced array. The observations are kept beside the results so that no
    other array can take their id.
    """
    seen = {}

    def values(obs: Array, **options) -> Array:
        key = (id(obs), *sorted(options.items()))
        if key not in seen:
            seen[key] = obs, apply(params, obs, **options)
        return seen[key][1]

    return values


def fresh(method: Method, params: Params) -> Learner:
    """A learner at its start: the target is the student, nothing is learned."""
    return Learner(params, params, method.optimizer.init(params), jnp.zeros((), jnp.int32))


def unpack(batch: Batch, n_step: int) -> Transition:
    """Cuts the two observations out of each window of S + n frames."""
    stack = batch.window.shape[1] - n_step
    cut = jax.vmap(lambda window, start: jax.lax.dynamic_slice_in_dim(window, start, stack))
    obs, next_obs = batch.window[:, :stack], cut(batch.window, batch.span)
    return Transition(obs, batch.action, batch.reward, batch.discount, next_obs, batch.from_teacher)


PRIORITY = "priority"  # name of what is no loss term but the new priorities


def key_of(seed: int, count: int) -> np.ndarray:
    """The raw key of one act of a run; made on the host at no cost, and turned into a key inside the jitted call."""
    return np.array([seed, count], np.uint32)


def _awake(progress: Progress) -> Progress:
    return progress._replace(key=jax.random.wrap_key_data(progress.key, impl="threefry2x32"))


def spread(batch: Batch) -> Batch:
    """Puts equal parts of a batch on all devices, where there are several and they divide it; else leaves it alone.

    The update then runs on all of them, with the learner copied to each and the
    gradients summed between them, by XLA's own partitioning.
    """
    devices = jax.devices()
    if len(devices) == 1 or len(batch.action) % len(devices):
        return batch
    return jax.device_put(batch, NamedSharding(Mesh(np.array(devices), ("batch",)), PartitionSpec("batch")))


def make_update(method: Method, apply: Apply, teach: Apply):
    """Returns update(learner, teacher's params, batch, progress) -> (learner, mean of each loss term).

    Importance weights multiply every term. A method with a prioritized replay
    finds the new priorities [B] among the means (Schaul et al., 2016; as Dopamine's Rainbow has it).
    """

    @jax.jit
    def update(learner: Learner, teacher: Params, batch: Batch, progress: Progress):
        steps, progress = unpack(batch, method.n_step), _awake(progress)

        def total(params: Params):
            values = once(apply, params), once(apply, learner.target), once(teach, teacher)
            terms = method.loss(*values, steps, progress)
            means = {name: (batch.weight * term).mean() for name, term in terms.items()}
            total = sum(means.values())
            if method.prioritized:
                surprise = terms.get("td", jnp.ones(batch.action.shape[0]))  # methods without rewards replay uniformly
                means[PRIORITY] = jnp.sqrt(surprise + 1e-10)
            return total, means

        grads, terms = jax.grad(total, has_aux=True)(learner.params)
        updates, opt_state = method.optimizer.update(grads, learner.opt_state, learner.params)
        updates = optax.tree.scale(method.rate(progress), updates)
        params = optax.apply_updates(learner.params, updates)
        count = learner.updates + 1
        target = optax.periodic_update(params, learner.target, count, method.target_period)
        return Learner(params, target, opt_state, count), terms

    return update


def make_act(method: Method, apply: Apply, teach: Apply):
    """Returns act(params, teacher's params, obs, clock, progress) -> actions [N]."""

    @jax.jit
    def act(params: Params, teacher: Params, obs: Array, clock: Clock, progress: Progress) -> Array:
        return method.act(once(apply, params), once(teach, teacher), obs, clock, _awake(progress))

    return act

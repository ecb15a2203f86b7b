"""Updates/s of each base and network, beside the same mathematics as one bare jitted function, in turns.

The bare function is written out here without hooks, caches or progress, on the same arrays; it owns its learner and
computes small convolutions as products, as ours does. `share of the peak`: of what products of matrices reach in the
same process. FLOPs are those that XLA counts, beside a count by hand: each multiplication and addition of the layers,
once for each pass forward, twice for each pass back (the first layer's inputs need none). Prints one JSON line per base
and network, the last one for the teacher's stored values.

    python tests/speed/update.py [--bases dqn,rainbow,drq] [--networks nature,impala,...] [--rounds 20] [--seconds 0.1]
"""

import argparse
import json
import statistics
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from reincarnate.agents import keywords
from reincarnate.agents.layers import CACHED, by_products
from reincarnate.agents.learner import init_learner, key_of, make_update, owned
from reincarnate.agents.method import Architecture, Learner, Progress
from reincarnate.agents.methods.drq import brightened, shifted
from reincarnate.agents.networks import NATURE, build
from reincarnate.datasets.transition import Batch

from peak import peak  # isort: skip  # beside this script

BASES, NETWORKS = ("dqn", "rainbow", "drq"), ("nature", "nature_same", "dqn2013", "impala", "minatar", "mlp")
ACTIONS, ATOMS = 6, 51
NOW = Progress(*(np.float32(x) for x in (0, 0.5, 1e6, 0, 0)), key=key_of(0, 1))


def batch_of(method, network: str) -> Any:
    """Return a batch of Pong's shapes, or for small networks of MinAtar's."""
    size, rng = method.batch_size, np.random.default_rng(0)
    frame, stack = ((10, 10, 4), 1) if network in ("minatar", "mlp") else ((84, 84), 4)
    window = rng.integers(0, 255, (size, stack + method.n_step, *frame)).astype(np.uint8)
    window = window > 200 if network in ("minatar", "mlp") else window
    whole, real = np.ones(size, np.int32), np.ones(size, np.float32)
    return Batch(window, whole * method.n_step, whole, real, 0.9 * real, real, real, whole)


def bare(base: str, method, net):
    """Return the update written out: cut, augment, target, loss, gradient, Adam, a new target now and then."""
    optimizer, n = optax.adam(1e-4 if base == "drq" else 6.25e-5, eps=1.5e-4), method.n_step
    support = jnp.linspace(-10.0, 10.0, ATOMS)

    def distribution(params, obs):
        return net.apply(params, obs, method="logits")

    def rainbow_loss(params, target, batch, obs, ahead):
        after = jax.nn.softmax(distribution(target, ahead))
        best = jnp.argmax(after @ support, axis=-1)
        mass = after[jnp.arange(len(best)), best]
        places = jnp.clip(batch.reward[:, None] + batch.discount[:, None] * support, -10.0, 10.0)
        near = jnp.abs(places[:, None, :] - support[None, :, None]) / (support[1] - support[0])
        goal = jnp.einsum("bij,bj->bi", jnp.clip(1.0 - near, 0.0, 1.0), mass)
        logits = jax.nn.log_softmax(distribution(params, obs)[jnp.arange(len(best)), batch.action])
        each = -jnp.sum(goal * logits, axis=-1)
        return (batch.weight * each).mean(), jnp.sqrt(each + 1e-10)

    def value_loss(params, target, batch, obs, ahead):
        after = net.apply(target, ahead)
        chooser = net.apply(params, ahead) if base == "drq" else after
        best = jnp.take_along_axis(after, jnp.argmax(chooser, axis=-1)[:, None], axis=-1)[:, 0]
        goal = jax.lax.stop_gradient(batch.reward + batch.discount * best)
        q = jnp.take_along_axis(net.apply(params, obs), batch.action[:, None], axis=-1)[:, 0]
        return (batch.weight * optax.huber_loss(q, goal)).mean(), goal

    @partial(jax.jit, donate_argnums=0)
    @partial(by_products, most=CACHED)
    def update(learner, batch, key):
        stack = batch.window.shape[1] - n
        cut = jax.vmap(lambda window, start: jax.lax.dynamic_slice_in_dim(window, start, stack))
        obs, ahead = batch.window[:, :stack], cut(batch.window, batch.span)
        if base == "drq":
            keys = jax.random.split(jax.random.wrap_key_data(key, impl="threefry2x32"), 4)
            obs = brightened(keys[0], shifted(keys[1], obs, 4), 0.05)
            ahead = brightened(keys[2], shifted(keys[3], ahead, 4), 0.05)
        loss = rainbow_loss if base == "rainbow" else value_loss
        (mean, own), gradient = jax.value_and_grad(loss, has_aux=True)(
            learner.params, learner.target, batch, obs, ahead
        )
        change, state = optimizer.update(gradient, learner.opt_state)
        params, count = optax.apply_updates(learner.params, change), learner.updates + 1
        target = optax.periodic_update(params, learner.target, count, method.target_period)
        return Learner(params, target, state, count), (mean, own)

    return update


def by_hand(base: str, network: str, batch: Any) -> float:
    """Return the FLOPs of an update's layers: each pass forward, and back."""
    size, stack, *frame = batch.window[:, : 1 if network in ("minatar", "mlp") else 4].shape
    height, channels = frame[0], stack * (frame[2] if len(frame) == 3 else 1)
    outputs = ACTIONS * (ATOMS if base == "rainbow" else 1) + (1 if base == "drq" else 0)
    costs = []  # multiplications and additions of each layer

    def conv(features: int, kernel: int, stride: int, same: bool) -> None:
        nonlocal height, channels
        before, height = height, -(-height // stride) if same else (height - kernel) // stride + 1
        first = -(max((height - 1) * stride + kernel - before, 0) // 2) if same else 0  # what is padded is not counted
        starts = [first + stride * place for place in range(height)]
        taps = sum(min(start + kernel, before) - max(start, 0) for start in starts)  # along one axis
        costs.append(2 * taps**2 * channels * features)
        channels = features

    if network == "mlp":
        sizes = [int(np.prod(frame)) * stack, 128, 128, outputs]
    elif network == "impala":
        for features in (16, 32, 32):
            conv(features, 3, 1, True)
            height = -(-height // 2)
            for _ in range(4):
                conv(features, 3, 1, True)
        sizes = [height**2 * channels, 512, outputs]
    else:
        layers = {"dqn2013": ((16, 8, 4), (32, 4, 2)), "minatar": ((16, 3, 1),)}.get(network, NATURE)
        for layer in layers:
            conv(*layer, same=network == "nature_same")
        sizes = [height**2 * channels, {"dqn2013": 256, "minatar": 128}.get(network, 512), outputs]
    costs += [2 * before * after for before, after in zip(sizes[:-1], sizes[1:], strict=True)]
    passes = 3 if base == "drq" else 2  # the student here and the target ahead; as it is double, the student ahead
    return float(size * (passes * sum(costs) + 2 * sum(costs) - costs[0]))


def race(ways: dict, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure updates/s of each way, in turns, compiled and warm."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, go in ways.items():
            done, started, result = 0, time.perf_counter(), None
            while time.perf_counter() - started < (seconds if turn else 0.1):
                result = go()
                done += 1
                if done % 8 == 0:
                    jax.block_until_ready(result)
            jax.block_until_ready(result)
            if turn:
                rates[name].append(done / (time.perf_counter() - started))
    return rates


def measure(base: str, network: str, rounds: int, seconds: float) -> dict:
    method = keywords.make(base, {"network": network})
    net: Any = build(method.network(Architecture(network), None), ACTIONS)
    batch = batch_of(method, network)
    obs = batch.window[:1, : batch.window.shape[1] - method.n_step]
    start = init_learner(method, net.init(jax.random.key(0), jnp.asarray(obs)))
    ours, floor = make_update(method, net.apply, net.apply, donate=True), bare(base, method, net)
    mine, theirs = owned(start), owned(start)

    def hooks():
        nonlocal mine
        mine, terms = ours(mine, (), batch, NOW)
        return mine, terms

    def written_out():
        nonlocal theirs
        theirs, terms = floor(theirs, batch, NOW.key)
        return theirs, terms

    rates = race({"ours": hooks, "bare": written_out}, rounds, seconds)
    ratios = [a / b for a, b in zip(rates["ours"], rates["bare"], strict=True)]
    flops = float((ours.lower(start, (), batch, NOW).cost_analysis() or {})["flops"])
    return {
        "base": base,
        "network": network,
        "updates/s": round(statistics.median(rates["ours"]), 1),
        "bare": round(statistics.median(rates["bare"]), 1),
        "ratio": round(statistics.median(ratios), 3),
        "share of the peak": round(flops * statistics.median(rates["ours"]) / peak(), 3),
        "FLOPs": flops,
        "by hand": by_hand(base, network, batch),
        "FLOPs ratio": round(flops / by_hand(base, network, batch), 3),
    }


def stored(rounds: int, seconds: float) -> dict:
    """Measure offline QDagger with the Nature CNN and such a teacher: asked in every batch, and with stored values."""
    method = keywords.make("qdagger", {"network": "nature"})
    net: Any = build(Architecture("nature"), ACTIONS)
    asking = batch_of(method, "nature")
    told = asking._replace(teacher_values=np.zeros((method.batch_size, ACTIONS), np.float32))
    params = net.init(jax.random.key(0), jnp.asarray(asking.window[:1, :4]))
    update, start = make_update(method, net.apply, net.apply), init_learner(method, params)
    ways = {name: (lambda batch=batch: update(start, params, batch, NOW)) for name, batch in
            (("asked", asking), ("stored", told))}  # fmt: skip
    rates = race(ways, rounds, seconds)
    flops = [
        float((update.lower(start, params, batch, NOW).cost_analysis() or {})["flops"]) for batch in (asking, told)
    ]
    return {
        "what": "an offline update of qdagger, Nature CNN, teacher asked and with its values stored",
        "FLOPs": flops,
        "FLOPs saved": round(1 - flops[1] / flops[0], 3),
        "updates/s": [round(statistics.median(rates[name]), 1) for name in ("asked", "stored")],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bases", default=",".join(BASES))
    options.add_argument("--networks", default=",".join(NETWORKS))
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seconds", type=float, default=0.1)
    chosen = options.parse_args()
    for base in chosen.bases.split(","):
        for network in chosen.networks.split(","):
            print(json.dumps(measure(base, network, chosen.rounds, chosen.seconds)), flush=True)
    print(json.dumps(stored(chosen.rounds, chosen.seconds)))


if __name__ == "__main__":
    main()

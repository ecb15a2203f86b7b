"""A method: a few pure functions and a few numbers.

A method defines how a student uses a teacher. It never sees files, environments or budgets: the harness calls its hooks
and counts their cost. A factory makes it; the factory's keyword arguments are the hyperparameters.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import optax
from jax import Array

from ..datasets.transition import Transition
from .ranges import Count, Endless, NotNegative, Positive, Share, Whole
from .returns import lambda_returns

Params = Any  # a pytree of arrays
Apply = Callable[..., Any]  # (params, obs [B, S, *frame]) -> action values or logits [B, A], or actions [B, D]
Terms = dict[str, Array]  # the named terms of a loss, each [B]


class Architecture(NamedTuple):
    """A network as a name and options, as in `config.json`; `networks.build` makes it."""

    name: str
    options: Mapping[str, Any] = {}


class Progress(NamedTuple):
    """The progress of a run as a method sees it, and a fresh random key."""

    offline: Any  # 1.0 until the first environment step, then 0.0
    spent: Any  # share of the planned agent steps taken, in [0, 1]
    planned: Any  # agent steps planned for the whole run
    score: Any  # of the last validation, one every tenth of the steps: 0 is random play, 1 the teacher
    best: Any  # the highest lower bound of the score so far, at 95 % confidence, at least 0
    key: Any  # a fresh key whose first word is the run's seed; raw between host and device, uint32 [2]
    updates: Any = 1.0  # updates planned for the whole run, offline ones included


class Clock(NamedTuple):
    """The position of each of N environments."""

    episode: Any  # [N] index of the episode, unique in the run
    step: Any  # [N] steps since the episode's start


class Teacher(NamedTuple):
    """A policy as a value, without its files."""

    architecture: Architecture
    apply: Apply
    params: Params
    optimizer: Mapping[str, Any] = {}  # its own optimizer's state by name, if saved
    outputs: str = "values"  # or "logits", or "actions": one-hot of the action taken
    remarks: tuple[str, ...] = ()  # warnings about its use for a task, one sentence each


class Learner(NamedTuple):
    """Everything that training changes."""

    params: Params
    target: Params
    opt_state: Any  # the optimizer's state
    updates: Any  # gradient updates so far


class Values(Protocol):
    """The student, its target or the teacher inside a hook, with its parameters bound."""

    def __call__(self, obs: Array, /, **options: Any) -> Any:
        """Return action values or logits [B, A] of observations [B, S, *frame].

        `method`: another output, by the name of the network's method in `networks`, such as "logits" [B, A, N] of a
        categorical network, with that method's arguments, such as `action`. Repeated calls are computed once.
        """
        ...


class LossHook(Protocol):
    """Compute the terms that an update minimises."""

    def __call__(
        self, student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress, /
    ) -> Terms:
        """Return named terms, each [B]; the update minimises the sum of their means under the replay's weights.

        `batch`: `obs`, `next_obs` [B, S, *frame], n steps apart; `action` [B] int or [B, D]; `reward` [B], their
        discounted sum; `discount` [B], discount**n, or 0 where the episode terminated; `from_teacher` [B], 1 for steps
        of the log; `return_to_go` [B], the discounted return until the episode's end, -inf if unknown, None unless
        `needs_return_to_go`. A prioritized replay ranks transitions by the term "td".
        """
        ...


class ActHook(Protocol):
    """Choose the student's actions in training."""

    def __call__(self, student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress, /) -> Array:
        """Return actions [N], or [N, D] between -1 and 1, for the observations [N, S, *frame] of N environments."""
        ...


class WorthHook(Protocol):
    """Value an observation by the network that played, for the returns of a rollout."""

    def __call__(self, student: Values, obs: Array, /) -> Array:
        """Return values [B] of the next observations [B, S, *frame]."""
        ...


class RecallHook(Protocol):
    """Record outputs of the network that played, which a loss needs after the network has changed."""

    def __call__(self, student: Values, obs: Array, action: Array, /) -> Array:
        """Return the K numbers that `remembers` names for each step of a rollout [B, K]: `batch.played`."""
        ...


class ProgressHook(Protocol):
    """Compute a share, a factor, a weight or a condition from the run's progress."""

    def __call__(self, progress: Progress, /) -> Any:
        """Return a number or a truth value; an array [] when traced."""
        ...


class InitHook(Protocol):
    """Make the learner that a run begins with."""

    def __call__(self, learner: Learner, teacher: Teacher, /) -> Learner:
        """Return the first learner, given a fresh one with parameters of the student's shapes."""
        ...


class OnlineHook(Protocol):
    """Change the learner between the offline phase and the first step."""

    def __call__(self, learner: Learner, /) -> Learner:
        """Return a learner of the same shapes."""
        ...


class EvolveHook(Protocol):
    """Replace members of a population by others, at each tenth of the steps."""

    def __call__(self, key: Array, learners: Sequence[Learner], scores: Sequence[float], /) -> Sequence[Learner]:
        """Return the same number of learners, of the same shapes; `scores`: of their latest validation."""
        ...


class RenewHook(Protocol):
    """Reset a learner."""

    def __call__(self, learner: Learner, fresh: Learner, shrink: float, /) -> Learner:
        """Return a learner of the same shapes; `shrink`: factor kept of the weights of layers that read images."""
        ...


class NetworkHook(Protocol):
    """Choose the student's network."""

    def __call__(self, own: Architecture, teachers: Architecture | None, /) -> Architecture:
        """Return an architecture, given the task's own and the teacher's, if any."""
        ...


class AugmentHook(Protocol):
    """Augment a batch for the student; the teacher sees the original observations."""

    def __call__(self, key: Array, batch: Transition, /) -> Transition:
        """Return a batch of the same shapes."""
        ...


class ReturnsHook(Protocol):
    """Compute the returns of a rollout's steps."""

    def __call__(self, reward: Any, discount: Any, value: Any, cut: Any, trace: float, /) -> Any:
        """Return the returns [T, N] from arrays [T, N]; they become batch.reward, and nothing is bootstrapped."""
        ...


def greedy_worth(student: Values, obs: Array, /) -> Array:
    """Return the value of the best action: [B, S, *frame] -> [B]."""
    return student(obs).max(axis=-1)


class Method(NamedTuple):
    """Hooks, numbers that the harness reads, and when it may stop asking the teacher."""

    # Inside an update or an action, jitted:
    loss: LossHook
    """(student, target, teacher, batch, progress) -> named terms, each [B]."""
    act: ActHook
    """(student, teacher, obs, clock, progress) -> actions [N], or [N, D] between -1 and 1."""
    learning_rate_factor: ProgressHook
    """progress -> factor on the learning rate; the critics of an actor-critic keep theirs."""
    # Around them, on the host:
    log_share: ProgressHook
    """progress -> expected share of a batch drawn from the teacher's log."""
    init: InitHook
    """(fresh learner, teacher) -> first learner."""
    go_online: OnlineHook
    """learner after the offline phase -> learner before the first step."""
    evolve: EvolveHook
    """(key, learners, scores) -> learners, at each tenth of the steps."""
    # Network, optimizer and numbers:
    network: NetworkHook
    """(the task's own architecture, the teacher's if any) -> the student's."""
    optimizer: optax.GradientTransformation
    n_step: Count = 3  # rewards of a return before it is bootstrapped
    discount: Share = 0.99  # per agent step
    offline_share: Share = 0.0  # share of all updates made before the first step
    keep_log: bool = False  # whether the replay starts with the teacher's log, which new steps then overwrite
    prioritized: bool = False  # whether steps are sampled in proportion to the square root of their term "td"
    inherits: bool = False  # whether `init` takes the teacher's weights
    needs_values: bool = False  # whether a teacher's outputs must be action values, not logits
    scored: bool = False  # whether progress.score or best is read before weaning, or evolve reads scores
    updates_per_step: Endless = 0.25  # inf: as many as the budget's FLOPs allow
    rollout: Whole = 0  # steps of each environment in a rollout, learned from and discarded; 0: use a replay
    epochs: Count = 1  # passes over each rollout, in batches of batch_size
    trace: Share = 0.65  # lambda of a rollout's returns
    batch_size: Count = 32  # transitions of an update
    target_period: Positive = 2_000.0  # updates between two syncs of the target; below 1, a share of the planned ones
    target_rate: Share = 1.0  # below 1: share by which every update moves the target to the student (Polyak)
    reset_period: Whole = 0  # updates between two resets, 0: none; no reset in the last period
    shrink: Share = 0.5  # factor that a reset keeps of layers that read images; others start afresh
    first_n_step: Whole = 0  # n at the start and after a reset, falling to n_step; 0: n_step throughout
    first_discount: Share = 0.0  # discount at the start and after a reset; 0: `discount` throughout
    anneal: Count = 10_000  # updates until n and the discount reach their final values
    warmup: NotNegative = 20_000.0  # agent steps before the first online update; below 1, a share of the planned ones
    replay_capacity: Count = 1_000_000  # capacity of the replay in agent steps
    continuous: bool = False  # whether actions are vectors in [-1, 1], [N, D]
    delay: Count = 1  # every how many updates the terms and parameters named in `delayed` learn
    delayed: tuple[str, ...] = ()  # loss terms left out of the other updates, and the parameters they train
    offline_only: tuple[str, ...] = ()  # loss terms of the offline phase, left out of the updates after it
    target_waits: bool = False  # whether the target moves only in the updates in which those learn
    population: Count = 1  # students trained side by side
    policy: bool = False  # whether the student's network gives policy logits, not action values
    remembers: tuple[str, ...] = ()  # names of the K numbers stored with each step of a rollout
    noisy: bool = False  # whether the network draws noise in every update and action
    target_acts: bool = False  # whether the target network chooses the actions in training
    needs_return_to_go: bool = False  # whether the loss reads batch.return_to_go
    returns: ReturnsHook = lambda_returns
    """(reward, discount, value, cut, trace) of a rollout, [T, N] each -> returns, used as batch.reward."""
    worth: WorthHook = greedy_worth
    """(student that played, obs) -> values [B] that bootstrap the returns of a rollout."""
    recall: RecallHook | None = None
    """(student that played, obs, action) -> batch.played [B, K]; zeros for steps of a log."""
    augment: AugmentHook = lambda key, batch: batch
    """(key, batch) -> augmented batch for the student; the teacher sees the original observations."""
    renew: RenewHook = lambda learner, fresh, shrink: fresh
    """(learner, fresh learner, shrink) -> learner after a reset."""
    weaned: ProgressHook = lambda progress: False
    """progress -> whether the teacher no longer has any influence, now or later."""
    guidance: ProgressHook = lambda progress: 0.0
    """progress -> the teacher's present weight in the loss or share of the actions; for display only."""


Factory = Callable[..., Method]  # makes a method; its keywords are hyperparameters

"""What a method is: a few pure functions and a few numbers.

A method says how a student uses a teacher. It never sees files, environments or
budgets: the harness calls its hooks and counts what they cost. A method is made
by a factory whose keyword arguments are its hyperparameters.
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
    """A network by name and numbers, as `config.json` states it; `networks.build` makes it."""

    name: str
    options: Mapping[str, Any] = {}


class Progress(NamedTuple):
    """All that the harness tells a method about the run so far, and a fresh key."""

    offline: Any  # 1.0 until the first environment step, then 0.0
    spent: Any  # share of the planned agent steps taken, in [0, 1]
    planned: Any  # agent steps planned for the whole run
    score: Any  # at the last validation, one each tenth of the steps: 0 is random play, 1 the teacher's
    best: Any  # the highest lower bound of such a score so far, at a confidence of 95 %, and at least 0
    key: Any  # a fresh key, its first word the run's seed; between host and device its raw data, uint32 [2]
    updates: Any = 1.0  # updates planned for the whole run, those of the offline phase included


class Clock(NamedTuple):
    """Where each of N environments stands."""

    episode: Any  # [N] number of the episode, unique over the run
    step: Any  # [N] steps since its start


class Teacher(NamedTuple):
    """A policy as a value. What it was made of stays with the harness."""

    architecture: Architecture
    apply: Apply
    params: Params
    optimizer: Mapping[str, Any] = {}  # what its own optimizer kept, by name, if that was saved
    outputs: str = "values"  # or logits, or actions: 1 for the one that it takes
    remarks: tuple[str, ...] = ()  # what people should know who use it for a task, a sentence each


class Learner(NamedTuple):
    """All that training changes."""

    params: Params
    target: Params
    opt_state: Any  # what the optimizer keeps
    updates: Any  # gradient updates so far


class Values(Protocol):
    """The student, its target or the teacher inside a hook, with its parameters filled in."""

    def __call__(self, obs: Array, /, **options: Any) -> Any:
        """Return action values or logits [B, A] of observations [B, S, *frame].

        `method`: another output of the network, by the name of its method in `networks`, such as "logits" [B, A, N] of
        a categorical one, with what that takes, such as `action`. What is asked about twice is computed once.
        """
        ...


class LossHook(Protocol):
    """Say what an update makes small."""

    def __call__(
        self, student: Values, target: Values, teacher: Values, batch: Transition, progress: Progress, /
    ) -> Terms:
        """Return named terms, each [B]; the update descends the sum of their means, weighted by the replay's weights.

        `batch`: `obs`, `next_obs` [B, S, *frame], n steps apart; `action` [B] int or [B, D]; `reward` [B], their
        discounted sum; `discount` [B], discount**n and 0 where the episode terminated; `from_teacher` [B], 1 for
        steps of the log; `return_to_go` [B], discounted, to the episode's end, -inf where unknown, None unless
        `needs_return_to_go`. A term called "td" is what a prioritized replay ranks by.
        """
        ...


class ActHook(Protocol):
    """Say what the student does in training."""

    def __call__(self, student: Values, teacher: Values, obs: Array, clock: Clock, progress: Progress, /) -> Array:
        """Return actions [N], or [N, D] between -1 and 1, for the observations [N, S, *frame] of N environments."""
        ...


class WorthHook(Protocol):
    """Say what an observation is worth to the network that played, for the returns of a rollout."""

    def __call__(self, student: Values, obs: Array, /) -> Array:
        """Return values [B] of the observations [B, S, *frame] that steps led to."""
        ...


class RecallHook(Protocol):
    """Say what else of the network that played a loss needs to know, after it has changed."""

    def __call__(self, student: Values, obs: Array, action: Array, /) -> Array:
        """Return [B, K] numbers, those that `remembers` names, of the steps of a rollout: `batch.played`."""
        ...


class ProgressHook(Protocol):
    """Say a number by how far the run is: a share, a factor, a weight, or whether something holds."""

    def __call__(self, progress: Progress, /) -> Any:
        """Return a number, an array [] where it is traced, or a truth."""
        ...


class InitHook(Protocol):
    """Make the learner that a run begins with."""

    def __call__(self, learner: Learner, teacher: Teacher, /) -> Learner:
        """Return the first learner; the one given is fresh, with parameters of the student's shapes."""
        ...


class OnlineHook(Protocol):
    """Change the learner between the offline phase and the first step."""

    def __call__(self, learner: Learner, /) -> Learner:
        """Return a learner of the same shapes."""
        ...


class EvolveHook(Protocol):
    """Replace members of a population by others, at each tenth of the steps."""

    def __call__(self, key: Array, learners: Sequence[Learner], scores: Sequence[float], /) -> Sequence[Learner]:
        """Return as many learners as there are, of the same shapes; `scores`: of their latest validation."""
        ...


class RenewHook(Protocol):
    """Reset a learner."""

    def __call__(self, learner: Learner, fresh: Learner, shrink: float, /) -> Learner:
        """Return a learner of the same shapes; `shrink`: what is left of the layers that read images."""
        ...


class NetworkHook(Protocol):
    """Choose the student's network."""

    def __call__(self, own: Architecture, teachers: Architecture | None, /) -> Architecture:
        """Return it from the task's own, and the teacher's if there is one."""
        ...


class AugmentHook(Protocol):
    """Change what the student sees of a batch; the teacher is asked about the observations as they were."""

    def __call__(self, key: Array, batch: Transition, /) -> Transition:
        """Return a batch of the same shapes."""
        ...


class ReturnsHook(Protocol):
    """Say what the steps of a rollout return."""

    def __call__(self, reward: Any, discount: Any, value: Any, cut: Any, trace: float, /) -> Any:
        """Return [T, N] from [T, N] each: it becomes batch.reward, which is then not discounted."""
        ...


def greedy_worth(student: Values, obs: Array, /) -> Array:
    """Return the value of the best action: [B, S, *frame] -> [B]."""
    return student(obs).max(axis=-1)


class Method(NamedTuple):
    """Hooks, the numbers that the harness reads, and when it may stop asking the teacher."""

    # Inside an update or an action, jitted:
    loss: LossHook
    """(student, target, teacher, batch, progress) -> named terms, each [B]."""
    act: ActHook
    """(student, teacher, obs, clock, progress) -> actions [N], or [N, D] between -1 and 1."""
    learning_rate_factor: ProgressHook
    """progress -> factor on the learning rate."""
    # Around them, on the host:
    log_share: ProgressHook
    """progress -> expected share of a batch drawn from the teacher's log."""
    init: InitHook
    """(fresh learner, teacher) -> first learner."""
    go_online: OnlineHook
    """learner after the offline phase -> learner before the first step."""
    evolve: EvolveHook
    """(key, learners, scores) -> learners, at each tenth of the steps."""
    # And what they work with:
    network: NetworkHook
    """(the task's own architecture, the teacher's if there is one) -> the student's."""
    optimizer: optax.GradientTransformation
    n_step: Count = 3  # rewards of a return before it is completed by a value
    discount: Share = 0.99  # of a reward one agent step later
    offline_share: Share = 0.0  # share of all updates made before the first step
    keep_log: bool = False  # whether the replay starts with the teacher's log in it, which new steps then overwrite
    prioritized: bool = False  # whether steps are replayed in proportion to the square root of their term "td"
    inherits: bool = False  # whether init takes the teacher's weights
    needs_values: bool = False  # whether a teacher's outputs must be action values, not logits
    scored: bool = False  # whether progress.score or best is read before the student is weaned, or evolve reads scores
    updates_per_step: Endless = 0.25  # infinite: as many as the budget's FLOPs pay for
    rollout: Whole = 0  # steps of each environment that it learns from before it forgets them; 0: it has a replay
    epochs: Count = 1  # of each rollout, in batches of batch_size
    trace: Share = 0.65  # lambda of a rollout's returns
    batch_size: Count = 32  # transitions of an update
    target_period: Positive = 2_000.0  # updates between two syncs of the target; below 1 a share of those planned
    target_rate: Share = 1.0  # below 1: in every update the target moves towards the student by this share (Polyak)
    reset_period: Whole = 0  # updates from one reset to the next, 0: none; no reset in the last period
    shrink: Share = 0.5  # what a reset leaves of the layers that read images; the others begin anew
    first_n_step: Whole = 0  # n at the start and after a reset, from which it falls to n_step; 0: n_step throughout
    first_discount: Share = 0.0  # the discount at the start and after a reset; 0: discount throughout
    anneal: Count = 10_000  # updates until n and discount are what they stay
    warmup: NotNegative = 20_000.0  # agent steps before the first online update; below 1 a share of those planned
    replay_capacity: Count = 1_000_000  # agent steps that the replay holds
    continuous: bool = False  # whether actions are numbers between -1 and 1, [N, D], not choices
    delay: Count = 1  # updates from one of the terms and parameters named in `delayed` to the next
    delayed: tuple[str, ...] = ()  # terms of the loss that are left out of the others, and what they train
    target_waits: bool = False  # whether the target moves only where those learn too
    population: Count = 1  # students that are trained side by side
    policy: bool = False  # whether the student's network gives the logits of a policy, not action values
    remembers: tuple[str, ...] = ()  # names of the K numbers that are kept of each step of a rollout
    noisy: bool = False  # whether the network has noise in it, afresh in every update and action
    target_acts: bool = False  # whether in training the target's weights choose the actions, not the newest
    needs_return_to_go: bool = False  # whether the loss reads batch.return_to_go
    returns: ReturnsHook = lambda_returns
    """(reward, discount, value, cut, trace) of a rollout, [T, N] each -> what is then batch.reward, not discounted."""
    worth: WorthHook = greedy_worth
    """(student that played, obs) -> values [B] that the returns of a rollout are completed by."""
    recall: RecallHook | None = None
    """(student that played, obs, action) -> [B, K], which the loss finds in batch.played: zeros for steps of a log."""
    augment: AugmentHook = lambda key, batch: batch
    """(key, batch) -> batch that the student learns from; the teacher is asked about the observations as they were."""
    renew: RenewHook = lambda learner, fresh, shrink: fresh
    """(learner, fresh learner, shrink) -> learner after a reset."""
    weaned: ProgressHook = lambda progress: False
    """progress -> whether nothing that the teacher says matters any more, now and for good."""
    guidance: ProgressHook = lambda progress: 0.0
    """progress -> weight of what the teacher says now, of a loss term or a share of the actions: only shown."""


Factory = Callable[..., Method]  # what makes a method; its keywords are hyperparameters

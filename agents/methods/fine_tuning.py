"""Continue from the teacher's weights, optimizer and log, with a low learning rate and no new exploration.

This is the reloaded agent of Agarwal et al. (2022).
"""

from ..method import Architecture, Factory, Learner, Method, Teacher
from ..moments import restored
from ..networks import alike
from ..ranges import Count, NotNegative
from .dqn import dqn

RETURNS = {"categorical": "rainbow", "quantile": "qr_dqn", "implicit_quantile": "iqn"}  # networks of distributions
HEADS = {**RETURNS, "policy": "ppo"}  # network -> its base


def fine_tuning(
    base: Factory = dqn,
    learning_rate: NotNegative = 1e-5,
    explore: NotNegative = 0.0,
    keep_log: bool = True,
    n_step: Count = 1,
    warmup: NotNegative = 0.0,
    moments: bool = True,
    **numbers,
) -> Method:
    """Make the method: the student takes the teacher's architecture, and its support if it learned distributions.

    `keep_log`: whether the replay starts with the log, so that learning starts at once. `moments`: whether the
    optimizer starts with the teacher's moments, if they were saved.
    """
    numbers |= {"keep_log": keep_log, "n_step": n_step, "warmup": warmup}
    own = base(learning_rate=learning_rate, explore=explore, **numbers)

    def network(task: Architecture, teacher: Architecture | None) -> Architecture:
        if teacher is None:
            raise ValueError("this method starts from a teacher's weights: give a teacher")
        inner, head = teacher, HEADS.get(teacher.name, "")
        if head:
            inner = Architecture(teacher.options["of"], teacher.options["options"])
        mine = own.network(inner, teacher)
        if teacher.name == mine.name == "categorical":  # the loss takes its support from the network
            mine = Architecture(mine.name, {**teacher.options, **{key: mine.options[key] for key in ("of", "options")}})
        if not alike(mine, teacher):
            numbers = "".join(
                f", {key}={teacher.options[key]}" for key in ("quantiles", "asked") if key in teacher.options
            )
            cure = f"give it base={head}{numbers}" if head else "choose no other"
            raise ValueError(f"this method gives the student its teacher's network, {teacher.name}: {cure}")
        return teacher

    def init(learner: Learner, teacher: Teacher) -> Learner:
        state = own.optimizer.init(teacher.params)
        if moments and teacher.optimizer:
            state = restored(state, teacher.optimizer)
        return own.init(learner._replace(params=teacher.params, target=teacher.params, opt_state=state), teacher)

    return own._replace(network=network, inherits=True, init=init)

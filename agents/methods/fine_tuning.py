"""Go on from the teacher's weights, optimizer and log, with a small step and no new exploration.

The reloaded agent of Agarwal et al. (2022).
"""

from ..method import Architecture, Method
from ..moments import restored
from .dqn import dqn


def fine_tuning(
    base=dqn,
    learning_rate: float = 1e-5,
    explore: float = 0.0,
    keep_log: bool = True,
    n_step: int = 1,
    moments: bool = True,
    **numbers,
) -> Method:
    """The student has the teacher's architecture. `keep_log`: whether its replay starts with the log in it.

    `moments`: whether its optimizer starts with what the teacher's had gathered, if that was saved.
    """
    own = base(learning_rate=learning_rate, explore=explore, keep_log=keep_log, n_step=n_step, **numbers)

    def network(task, teacher):
        if teacher is None:
            raise ValueError("this method starts from a teacher's weights: give a teacher")
        options = teacher.options
        inner = Architecture(options["of"], options["options"]) if teacher.name == "categorical" else teacher
        if own.network(inner, teacher) != teacher:
            cure = "name no other"
            if inner != teacher:
                head = f"base=rainbow, atoms={options['atoms']} and v_max={options['v_max']:g}"
                cure = f"give it {head}, which its teacher had"
            raise ValueError(f"the student of this method has its teacher's network, {teacher.name}: {cure}")
        return teacher

    def init(learner, teacher):
        state = own.optimizer.init(teacher.params)
        if moments and teacher.optimizer:
            state = restored(state, teacher.optimizer)
        return own.init(learner._replace(params=teacher.params, target=teacher.params, opt_state=state), teacher)

    return own._replace(network=network, inherits=True, init=init)

"""Create a results repository: a dataset repository with the bundled suites, and a card."""

from collections.abc import Sequence

from ...datasets.hub.pull_requests import DatasetRepository
from ...leaderboard import suite as suites
from ...leaderboard.hub_formats import eval_yaml
from ..tasks.task import find

CARD = """---
pretty_name: Results of {name}
tags: [reinforcement-learning, reincarnate, leaderboard]
---
# {name}

Results of reincarnating reinforcement learning, and what a maintainer found. The suites: {suites}.

To take part: `reincarnate submit RUN --at {name} --hub {hub} --send --out sent`. To judge what was sent:
`reincarnate verify --queue --merge --at {name} --hub {hub}`. To see the board: `hf download {name} --repo-type dataset
--local-dir results`, then `reincarnate leaderboard build results`.
"""


def create(at: str, hub: str, names: Sequence[str] = ()) -> list[str]:
    """Create a results repository at a hub and return its suites: the named ones, or all that have the tasks' teachers.

    `names`: of suites, or of versions such as `minatar5-v2`, whatever their teachers. ValueError if the repository
    exists, or if there is no such suite.
    """
    known = {suites.suite_id(one.name, one.version): one for one in suites.bundled()}
    own = {key: one for key, one in known.items() if key in names or _pinned(one)}
    wanted = {key: one for key, one in own.items() if not names or key in names or one.name in names}
    if odd := [name for name in names if name not in {*wanted, *(one.name for one in wanted.values())}]:
        raise ValueError(f"there is no bundled suite {odd[0]!r}: the bundled ones are {', '.join(known)}")
    repository = DatasetRepository(at, hub)
    text = CARD.format(name=repository.repo, hub=hub, suites=", ".join(wanted))
    files = {f"suites/{key}.json": (suites.BUNDLED / f"{key}.json").read_bytes() for key in wanted}
    files["eval.yaml"] = eval_yaml(wanted.values()).encode()  # registers it as a benchmark on the Hub
    repository.create()
    repository.write({"README.md": text.encode(), **files}, "Begin a results repository")
    return sorted(wanted)


def _pinned(suite: suites.Suite) -> bool:
    """Return whether a suite's teachers are the tasks' default ones."""
    return all(anchor.reference in ("", find(task).teacher) for task, anchor in suite.tasks.items())

"""Names of repositories, in the form that the Hub's client allows."""

import re

KINDS = ("model", "dataset")  # teachers and students are models, logs are datasets
NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
REPOSITORY = re.compile(rf"{NAME}/{NAME}")


def is_repository(text: str) -> bool:
    """Return whether a text is user/name."""
    return REPOSITORY.fullmatch(text) is not None and not re.search(r"--|\.\.|\.git$", text)

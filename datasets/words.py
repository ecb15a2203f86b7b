"""Numbers with their nouns in messages, so that one file is not "1 files"."""


def several(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 episode`, `2 episodes`, `1,200 entries` of ("entry", "entries")."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"

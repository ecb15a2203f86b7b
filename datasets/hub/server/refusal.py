"""Refusals, with the status and the codes that the Hub's client turns into its exceptions."""


class Refusal(Exception):
    """An answer other than 200. `code` is the Hub's X-Error-Code, such as RepoNotFound."""

    def __init__(self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}


def login_needed() -> Refusal:
    """Return the refusal where there is no token, or it may not do this."""
    return Refusal(401, "Invalid username or password.")

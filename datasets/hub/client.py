"""Access to `huggingface_hub`: lazy import, retries while a hub is busy, and errors as one sentence each."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TypeVar
from urllib.parse import urlsplit

BUSY = (429, 500, 502, 503, 504)  # as the client's own rules have it, and so are the waits
WAITS = (1, 2, 4, 8, 8)  # seconds
PATIENCE = 45  # seconds; what the client has waited by itself counts

_asking = threading.RLock()  # the client's settings are those of the whole process

log = logging.getLogger("reincarnate")
Answer = TypeVar("Answer")


def client() -> ModuleType:
    """Return `huggingface_hub`, imported on the first call because that takes 0.3 s."""
    import huggingface_hub
    import huggingface_hub.constants
    import huggingface_hub.errors
    import huggingface_hub.utils

    return huggingface_hub


def is_here(url: str) -> bool:
    """Return whether a hub is on this machine, where neither proxies nor HF_HUB_OFFLINE apply."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


@contextlib.contextmanager
def ours(url: str) -> Iterator[None]:
    """Change the client's settings for a hub while the block runs, and restore them afterwards.

    Xet is off, since its answers name paths to write to, and any server may give them. A hub on this machine is asked
    without proxies.
    """
    hub = client()
    with _asking:
        xet, factory = hub.constants.HF_HUB_DISABLE_XET, hub.utils._http._GLOBAL_CLIENT_FACTORY
        hub.constants.HF_HUB_DISABLE_XET = True
        if is_here(url):
            hub.set_client_factory(_without_proxies)
        try:
            yield
        finally:
            hub.constants.HF_HUB_DISABLE_XET = xet
            if is_here(url):
                hub.set_client_factory(factory)


def _without_proxies():
    import httpx2

    return httpx2.Client(follow_redirects=True, timeout=None, trust_env=False)


def ask(url: str, call: Callable[[], Answer], where: str, what: str) -> Answer:
    """Call the client for the hub at `url`, with retries and a log message while the hub is busy.

    `where` and `what` name the hub and the repository in the ValueErrors that the client's own errors become.
    """
    started = time.monotonic()
    for wait in (*WAITS, None):
        try:
            with ours(url):
                return call()
        except Exception as error:
            status = _status(error)
            if status not in BUSY or wait is None or time.monotonic() - started > PATIENCE:
                raise _sentence(error, status, where, what) from None
            wait = _retry_after(error) or wait
            log.warning("%s is busy (%s): trying again in %d s", where, status, wait)
            time.sleep(wait)
    raise AssertionError("the last wait is None")


def reach(url: str, where: str) -> None:
    """Raise ValueError at once if there is no network; the client would retry for half a minute."""
    ask(url, lambda: client().utils.get_session().head(url, timeout=10), where, "page")


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes: the client hides a refusal behind a file missing in the cache."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _status(error: Exception) -> int | None:
    for one in _chain(error):
        if (response := getattr(one, "response", None)) is not None:
            return response.status_code
    return None


def _retry_after(error: Exception) -> int:
    for one in _chain(error):
        if (response := getattr(one, "response", None)) is not None:
            text = response.headers.get("retry-after", "")
            return min(int(text), 60) if text.isdigit() else 0
    return 0


def _sentence(error: Exception, status: int | None, where: str, what: str) -> Exception:
    """Return a hub's error as a sentence for users; other errors unchanged."""
    kinds, errors = _chain(error), client().errors

    def has(*types: type[BaseException]) -> bool:
        return any(isinstance(one, types) for one in kinds)

    if has(errors.OfflineModeIsEnabled):
        return ValueError(f"HF_HUB_OFFLINE is set, and {what} is not in the cache: unset it, or use --hub bundled")
    if has(ImportError):
        return ValueError(
            f"{where} is behind a SOCKS proxy, whose support is not installed: pip install 'httpx2[socks]'"
        )
    if has(errors.GatedRepoError):
        return ValueError(f"{where} gives {what} only to those who have accepted its terms: do that on its page")
    if has(errors.RepositoryNotFoundError):
        return ValueError(f"{where} has no {what}, or hides it from you: check the name, or log in")
    if has(errors.RevisionNotFoundError):
        return ValueError(f"{where} has no such revision of {what}: give an existing branch, tag or commit")
    if status in (401, 403):
        return ValueError(f"{where} refuses this for {what}: {_said(kinds)}: use a token with the permission to do it")
    if status is not None:
        return ValueError(f"{where} answers {status} for {what}: {_said(kinds)}")
    network = any(type(one).__module__.startswith("httpx") for one in kinds)  # the client's own client
    if network or has(errors.LocalEntryNotFoundError, ConnectionError, TimeoutError):
        return ValueError(f"{where} does not answer: check the network, or use --hub bundled, which needs none")
    if has(errors.HfUriError, errors.HFValidationError, TypeError, KeyError, AttributeError, AssertionError):
        return ValueError(f"{where} does not answer like a Hub: {' '.join(str(error).split())[:200]}")
    return error


def _said(kinds: list[BaseException]) -> str:
    for one in kinds:
        if text := getattr(one, "server_message", None):
            return " ".join(str(text).split())[:300].rstrip(".")
    return " ".join(str(kinds[0]).split())[:300]

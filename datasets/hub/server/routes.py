"""Routing of requests to functions, and the form of answers and refusals."""

import re
from collections.abc import Callable
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlencode

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, Response

from . import parsing
from .accounts import User
from .client_limits import SMALL
from .refusal import Refusal
from .store import Hub, Repository

REPOSITORY = r"/(?P<kind>model|dataset|space)s/(?P<name>[^/]+/[^/]+)"
PREFIX = {"model": "", "dataset": "datasets/"}


class Call(NamedTuple):
    """A parsed request."""

    hub: Hub
    method: str
    path: str  # as it was sent: %2F is not a slash
    origin: str  # http://host:port as the client knows the server, which answers must repeat
    query: QueryParams
    headers: Headers
    user: User | None
    body: Any  # of JSON and forms
    file: IO[bytes]  # of everything

    def address(self, repository: Repository) -> str:
        """Return the page of a repository."""
        return f"{self.origin}/{PREFIX[repository.kind]}{repository.name}"

    def find(self, kind: str, name: str, write: bool = False) -> Repository:
        """Return a repository that this user may read, or write."""
        return self.hub.find(kind, name, self.user, write)


class Route(NamedTuple):
    """A function for a pattern of addresses."""

    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    answer: Callable[..., Any]
    allows: Callable[..., Any]  # raises a Refusal, from a request's line and headers alone
    body: int  # most bytes of a body, for clients with write access
    open: bool  # also to readers and strangers


class Routes(list[Route]):
    """The routes of one subject."""

    def at(
        self,
        methods: str,
        pattern: str,
        allows: Callable[..., Any] = lambda call, **parts: None,
        body: int = SMALL,
        open: bool = False,
    ) -> Callable:
        """Register a function for an address; `{repo}` stands for a kind and a name.

        What is not a GET is for accounts that write, unless it is `open`.
        """
        known, expression = tuple(methods.split()), re.compile(pattern.replace("{repo}", REPOSITORY))
        open = open or not {"POST", "PUT", "DELETE"} & {*known}

        def register(answer: Callable) -> Callable:
            self.append(Route(known, expression, answer, allows, body, open))
            return answer

        return register


def find(routes: list[Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the function for a request, and the parts of its path, each decoded by itself."""
    for route in routes:
        if method in route.methods and (found := route.pattern.fullmatch(path)):
            return route, {key: unquote(value) for key, value in found.groupdict().items() if value is not None}
    raise Refusal(404, f"This hub has no {method} {path}")


def reads(call: Call, kind: str, name: str, **parts: str) -> Repository:
    """Return the repository of a request; Refusal if its user may not see it."""
    return call.find(kind, name)


def writes(call: Call, kind: str, name: str, **parts: str) -> Repository:
    """Return the repository of a request; Refusal if its user may not change it."""
    return call.find(kind, name, write=True)


def page(call: Call, items: list, limit: int) -> Response:
    """Return a page of a list, with the address of the next page in the header that the client reads."""
    start = _whole(call.query.get("cursor"), 0)
    headers = {}
    if start + limit < len(items):
        query = [(key, value) for key, value in call.query.multi_items() if key != "cursor"]
        address = f"{call.origin}{call.path}?{urlencode([*query, ('cursor', start + limit)])}"
        headers["Link"] = f'<{address}>; rel="next"'
    return JSONResponse(items[start : start + limit], headers=headers)


def limit_of(call: Call, most: int) -> int:
    """Return the number of items that a request asks for."""
    return max(1, min(_whole(call.query.get("limit"), most), most))


def truth(text: str | None) -> bool:
    """Return whether a query parameter is true; older clients write True."""
    return (text or "").lower() in ("1", "true", "yes")


def refused(error: Refusal) -> Response:
    """Return a refusal in the form that the Hub's client reads."""
    message = "".join(c if " " <= c <= "~" else " " for c in error.message).strip()
    headers = {"X-Error-Message": message, **error.headers}
    if error.code:
        headers["X-Error-Code"] = error.code
    return JSONResponse({"error": error.message}, error.status, headers=headers)


def read_body(kind: str, file: IO[bytes]) -> Any:
    """Parse the body of a request as JSON or as a form."""
    if "ndjson" in kind:
        return None
    data = file.read()
    if "json" in kind and data:
        return parsing.read(data)
    if "urlencoded" in kind:
        if data.count(b"&") > parsing.PARTS:
            raise ValueError(f"more than {parsing.PARTS} values")
        return QueryParams(data.decode())
    return {}


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() and len(text) < 10 else otherwise

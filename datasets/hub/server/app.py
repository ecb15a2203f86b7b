"""The server as an ASGI application: checks the host, reads the request, calls its function, answers."""

import asyncio
import hashlib
import ipaddress
import os
import re
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import html, routes, routes_browse, routes_discussions, routes_files, routes_pages, routes_repositories
from .accounts import writer
from .client_limits import IN_MEMORY, SMALL, STRANGERS
from .git import stamp
from .large_files import LargeFiles
from .refusal import Refusal
from .routes import Call
from .store import Hub

ROUTES = [*routes_repositories.routes, *routes_files.routes, *routes_discussions.routes, *routes_pages.routes]
ROUTES += routes_browse.routes  # last: their addresses are the widest
UPLOAD = re.compile(r"/upload/(model|dataset)s/([^/]+/[^/]+)/([0-9a-f]{64})/(\d{1,15})")
CHUNK = 2**20
IDENTITY = "/api/reincarnate"  # who this server is, for clients on the same machine
BAD = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)  # what a strange body leads to


class Server:
    """The application of a hub. `names`: accepted host names, besides addresses and this machine's names."""

    def __init__(self, hub: Hub, names: Iterable[str] = (), instance: str = "", log: Path | None = None):
        self.hub, self.instance = hub, instance
        self._log = open(log, "a", buffering=1) if log else None
        self.names = {"localhost", *(name.lower() for name in names)}
        self.busy, self.last = 0, time.monotonic()
        self._strangers = asyncio.Semaphore(STRANGERS)
        methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
        self.app = Starlette(routes=[Route("/{path:path}", self.endpoint, methods=methods)])

    def idle(self) -> float:
        """Return seconds since the last request ended."""
        return 0.0 if self.busy else time.monotonic() - self.last

    async def endpoint(self, request: Request) -> Response:
        """Answer one request."""
        self.busy += 1
        started = time.time()
        try:
            answer = await self._answer_or_refuse(request)
        finally:
            self.busy, self.last = self.busy - 1, time.monotonic()
        if self._log:
            path, client = request.scope["raw_path"].decode("ascii", "replace"), request.client
            took = 1000 * (time.time() - started)
            who = client.host if client else "-"
            self._log.write(f"{stamp(started)} {who} {request.method} {path} {answer.status_code} {took:.0f} ms\n")
        return answer

    async def _answer_or_refuse(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return html.page("Not here", html.tag("p", refusal.message), status=refusal.status)
            return routes.refused(refusal)
        except ClientDisconnect:
            return Response(status_code=400)
        except BAD as error:
            traceback.print_exc()
            return routes.refused(Refusal(400, f"This request cannot be understood: {type(error).__name__}: {error}"))
        except OSError as error:
            traceback.print_exc()
            return routes.refused(Refusal(507, f"The hub cannot write: {error.strerror}"))

    async def _answer(self, request: Request) -> Response:
        host = request.headers.get("host", "")
        if not self.serves(host):
            raise Refusal(421, f"This hub does not answer to the name {host!r}: start it with --name {host}")
        path = request.scope["raw_path"].decode("ascii").partition("?")[0]  # raw: refs%2Fpr%2F1 is one part
        if path == IDENTITY:
            return JSONResponse({"instance": self.instance})
        if request.method == "PUT" and (found := UPLOAD.fullmatch(path)):
            return await self._receive(request, *found.groups())
        route, parts = routes.find(ROUTES, request.method, path)
        origin = f"{request.url.scheme}://{host}"
        call = Call(self.hub, request.method, path, origin, request.query_params, request.headers, None, {}, BytesIO())
        call = await run_in_threadpool(self._let_in, route, call, parts)  # before any of the body is read
        request.state.known = call.user is not None
        trusted = call.user is not None and call.user.writes
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            await _take(request, route.body if trusted else min(route.body, SMALL), file)
            async with nullcontext() if trusted or not file.tell() else self._strangers:
                told = await run_in_threadpool(_carry_out, route.answer, call._replace(file=file), parts)
        return told if isinstance(told, Response) else JSONResponse(told)

    def _let_in(self, route: routes.Route, call: Call, parts: dict[str, str]) -> Call:
        """Return the call with its user; Refusal for what the request line and headers rule out."""
        call = call._replace(user=self.hub.accounts.of(call.headers.get("authorization")))
        if not route.open:
            writer(call.user)
        route.allows(call, **parts)
        return call

    async def _receive(self, request: Request, kind: str, name: str, oid: str, text: str) -> Response:
        """Receive a large file; its bytes are on disk before the answer."""
        size, query = int(text), dict(request.query_params)
        large = await run_in_threadpool(self._address, query, kind, name, oid, size)
        request.state.known = True
        if int(request.headers.get("content-length", 0)) > size:
            raise Refusal(413, f"The upload of {oid} has more than the announced {size} bytes")
        partial, digest, waiting = large.begin(oid), hashlib.sha256(), bytearray()
        try:
            with open(partial, "xb") as file:

                def write() -> None:
                    digest.update(waiting)
                    file.write(waiting)
                    waiting.clear()

                async for chunk in request.stream():
                    waiting += chunk
                    if file.tell() + len(waiting) > size:
                        raise Refusal(413, f"The upload of {oid} has more than the announced {size} bytes")
                    if len(waiting) > CHUNK:
                        await run_in_threadpool(write)
                write()
                if digest.hexdigest() != oid or file.tell() != size:
                    raise Refusal(400, "The uploaded bytes do not have the announced digest")
                file.flush()
                await run_in_threadpool(os.fsync, file.fileno())
            await run_in_threadpool(large.finish, partial, oid)
        finally:
            partial.unlink(missing_ok=True)
        return Response(headers={"ETag": f'"{oid}"'})

    def _address(self, query: dict[str, str], kind: str, name: str, oid: str, size: int) -> LargeFiles:
        """Return the target of an upload; Refusal unless this hub issued its address."""
        found = next((one for one in self.hub.all(kind) if one.name == name), None)
        if found is None:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        self.hub.signer.check(query, kind, found.id, oid, size)
        return self.hub.large(found)

    def serves(self, host: str) -> bool:
        """Return whether a Host header names this server; a foreign web page sends another one."""
        name = re.sub(r":\d+$", "", host).strip("[]").lower()
        try:
            ipaddress.ip_address(name)  # a rebound name is never a bare address
        except ValueError:
            return name in self.names
        return True


async def _take(request: Request, limit: int, file: IO[bytes]) -> None:
    """Write a body to a file; Refusal as soon as it is too long."""
    if int(request.headers.get("content-length", 0)) > limit:
        raise _too_long(limit)
    left = limit
    async for chunk in request.stream():
        if (left := left - len(chunk)) < 0:
            raise _too_long(limit)
        file.write(chunk)


def _too_long(limit: int) -> Refusal:
    return Refusal(413, f"This request is longer than the {limit} bytes that this account may send here")


def _carry_out(answer: Callable[..., Any], call: Call, parts: dict[str, str]) -> Any:
    """Parse the body and answer, in a separate thread."""
    call.file.seek(0)
    body = routes.read_body(call.headers.get("content-type", ""), call.file)
    call.file.seek(0)
    return answer(call._replace(body=body), **parts)

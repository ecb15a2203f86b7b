"""Limits on connections: their number, and the time that a client may take to send and to read.

The newest connection gets the place of the oldest that has not asked for anything yet, so that
whoever holds hundreds of half requests open keeps nobody else out, not even at the same address.
"""

import asyncio
import ipaddress
from collections.abc import Iterator
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from .client_limits import Limits

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nContent-Length: 49\r\n"
    b"Connection: close\r\n\r\nThe hub has too many open connections: wait a bit"
)
LOOKS = 4  # at a connection within the shortest time limit


class Door:
    """Admit and count connections."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._open: dict[Connection, str] = {}  # oldest first
        self._most = min(limits.connections, _files() // 2)
        self._most_each = min(limits.an_address, self._most)

    def enter(self, one: "Connection", address: str) -> bool:
        """Admit a connection if there is room, or room can be made."""
        same = (other for other, theirs in self._open.items() if theirs == address)
        if list(self._open.values()).count(address) >= self._most_each and not _drop_one(same):
            return False
        if len(self._open) >= self._most and not _drop_one(iter(self._open)):
            return False
        self._open[one] = address
        return True

    def leave(self, one: "Connection") -> None:
        """Forget a connection that was closed."""
        self._open.pop(one, None)

    def connection(self, **of_uvicorn: Any) -> "Connection":
        """Make the protocol of a new connection."""
        return Connection(self, **of_uvicorn)


class Connection(H11Protocol):
    """A connection that is dropped if its client sends or reads too slowly."""

    def __init__(self, door: Door, **of_uvicorn: Any):
        super().__init__(**of_uvicorn)
        self._door, self._limits = door, door.limits
        self._stage, self._since, self._bytes, self._surplus = self.stage(), self.loop.time(), 0, 0
        self._timer: asyncio.TimerHandle | None = None

    def stage(self) -> tuple[Any, str]:
        """Return the current request and its stage: the next `request`, its `body`, or the `answer`."""
        if self.cycle is None or self.cycle.response_complete:
            return self.cycle, "request"
        return self.cycle, "body" if self.cycle.more_body else "answer"

    def is_idle(self) -> bool:
        """Return whether it can be dropped without harm to users: no request is complete."""
        stage = self.stage()[1]
        return stage == "request" or (stage == "body" and not self.scope.get("state", {}).get("known"))

    def drop(self) -> None:
        """Close it at once, discarding unsent data."""
        self._door.leave(self)
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Serve it, or answer that there are too many."""
        if not self._door.enter(self, network(transport.get_extra_info("peername"))):
            transport.write(BUSY)
            return transport.close()
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.transport is not None:  # else it was never let in
            self._door.leave(self)
            if self._timer:
                self._timer.cancel()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data, of a refused body only a limited amount."""
        if self.transport is None:
            return
        self._bytes += len(data)
        refused = self.cycle is not None and self.cycle.response_complete and self.cycle.more_body
        self._surplus = self._surplus + len(data) if refused else 0
        if self._surplus > self._limits.surplus:
            return self.drop()
        super().data_received(data)

    def resume_writing(self) -> None:
        """Record that the client has read data."""
        self._since = self.loop.time()
        super().resume_writing()

    def _look(self) -> None:
        """Drop it if its stage takes too long, else check again later."""
        stage, now = self.stage(), self.loop.time()
        if stage != self._stage:
            self._stage, self._since, self._bytes = stage, now, 0
        if self._is_late(stage[1], now - self._since):
            return self.drop()
        self._timer = self.loop.call_later(min(self._limits.headers, self._limits.window) / LOOKS, self._look)

    def _is_late(self, stage: str, took: float) -> bool:
        if stage == "request":
            return took > self._limits.headers
        if stage == "answer":
            return self.flow.write_paused and took > self._limits.reading
        if not self.flow.read_paused and took <= self._limits.window:
            return False
        came, self._since, self._bytes = self._bytes, self.loop.time(), 0
        return not self.flow.read_paused and came < self._limits.pace * took  # paused: the server is the slow one


def network(peer: Any) -> str:
    """Return the key that a connection counts for: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0])
    except (TypeError, ValueError, AttributeError, IndexError):
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _drop_one(connections: "Iterator[Connection]") -> bool:
    oldest = next((one for one in connections if one.is_idle()), None)
    if oldest:
        oldest.drop()
    return oldest is not None


def _files() -> int:
    """Return the number of files that this process may open."""
    try:
        import resource
    except ImportError:  # Windows
        return 2048
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2**20 if most == resource.RLIM_INFINITY else most

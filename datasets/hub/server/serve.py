"""Serve a hub: lock the folder, bind, announce the address, and answer until stopped or idle.

Nothing in this folder imports anything of the rest: it could be a package of its own.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .client_limits import LIMITS, Limits
from .store import Hub

FILE = "server.json"  # in the root while a server runs: its URL, process and identity


class Address(NamedTuple):
    """A server's address."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any that is free
    names: Sequence[str] = ()  # host names by which it may be called, beside the machine's own


def serve(
    root: Path,
    address: Address = Address(),  # noqa: B008 (it cannot change)
    begin: Callable[[Hub], None] = lambda hub: None,
    idle: float = 0.0,
    log: Path | None = None,
    ready: Callable[[str, Hub], None] = lambda url, hub: None,
    limits: Limits = LIMITS,
) -> None:
    """Serve a hub until SIGINT or SIGTERM, or until there was no request for `idle` seconds (0: forever).

    `begin` gives the hub its users and first repositories before anything is answered. Each request is a line in
    `log`. `ready` is called with the URL once requests are answered. Raises ValueError if another server has the root,
    or the port.
    """
    import uvicorn

    from .app import Server
    from .connections import Door

    hub, stopping = Hub(root), threading.Event()
    sweeper = threading.Thread(target=_forget_uploads, args=(hub, limits.uncommitted, stopping), daemon=True)
    try:
        begin(hub)
        host = address.host
        with _listen(host, address.port) as bound:
            url = f"http://{_literal(host)}:{bound.getsockname()[1]}"
            instance = secrets.token_hex(16)
            local = [socket.gethostname(), socket.getfqdn()] if host not in ("127.0.0.1", "::1", "localhost") else []
            server = Server(hub, [*address.names, *local, host], instance, log)
            config = uvicorn.Config(
                server.app,
                http=Door(limits).connection,  # type: ignore[arg-type]
                log_level="warning",
                lifespan="off",
                access_log=False,
                timeout_graceful_shutdown=5,
                ws="none",
            )
            process = uvicorn.Server(config)
            _announce(hub.root / FILE, {"url": url, "pid": os.getpid(), "instance": instance})
            if idle:
                threading.Thread(target=_stop_when_idle, args=(process, server, idle), daemon=True).start()
            sweeper.start()
            ready(url, hub)
            try:
                process.run(sockets=[bound])
            finally:
                (hub.root / FILE).unlink(missing_ok=True)
    finally:
        stopping.set()
        if sweeper.ident:
            sweeper.join()
        hub.close()


def _announce(path: Path, told: dict[str, str | int]) -> None:
    """Write the server's address atomically, readable by this user only."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    partial.touch(mode=0o600, exist_ok=False)
    partial.write_text(json.dumps(told))
    os.replace(partial, path)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(256)  # from here on a client waits instead of being refused
    except OSError as error:
        bound.close()
        raise ValueError(f"the hub cannot listen at {host}, port {port}: {error.strerror}") from None
    return bound


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _stop_when_idle(process, server, idle: float) -> None:
    while server.idle() < idle:
        time.sleep(min(1.0, idle / 4))
    process.should_exit = True


def _forget_uploads(hub: Hub, age: float, stopping: threading.Event) -> None:
    """Remove uncommitted uploads periodically while the server runs."""
    while not stopping.wait(min(600.0, age / 4)):
        try:
            hub.forget_uploads(age)
        except OSError as error:
            print(f"reincarnate: old uploads were not removed: {error}", file=sys.stderr)

"""The server's process: takes the folder, binds, says where it is, serves until it is stopped or not needed."""

import argparse
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ... import atomic
from ..place import owner
from .hub import Hub
from .limits import LIMITS, Limits
from .seed import seed

ADDRESS = "server.json"  # in the root while a server runs: its URL, process and identity


def serve(
    root: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    users: Sequence[str] = (),
    names: Sequence[str] = (),
    idle: float = 0.0,
    empty: bool = False,
    log: Path | None = None,
    ready: Callable[[str, Hub], None] = lambda url, hub: None,
    limits: Limits = LIMITS,
) -> None:
    """Serve a hub until SIGINT or SIGTERM, or until nobody has asked for `idle` seconds (0: for ever).

    A new hub has what ships with the package, unless it shall be `empty`. Each request is a line in `log`.
    `ready` is called with the URL once requests are answered. ValueError if another server has the root, or the port.
    """
    import uvicorn

    from .app import Server
    from .connections import Door

    hub, stopping = Hub(root), threading.Event()
    sweeper = threading.Thread(target=_forget_uploads, args=(hub, limits.uncommitted, stopping), daemon=True)
    try:
        for user in (f"{owner()}:admin", *users):
            hub.accounts.add(user)
        if not empty:
            seed(hub)
        with _listen(host, port) as bound:
            url = f"http://{_literal(host)}:{bound.getsockname()[1]}"
            instance = secrets.token_hex(16)
            local = [socket.gethostname(), socket.getfqdn()] if host not in ("127.0.0.1", "::1", "localhost") else []
            server = Server(hub, [*names, *local, host], instance, log)
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
            address = {"url": url, "pid": os.getpid(), "instance": instance}
            atomic.write(hub.root / ADDRESS, json.dumps(address).encode(), mode=0o600)
            if idle:
                threading.Thread(target=_stop_when_idle, args=(process, server, idle), daemon=True).start()
            sweeper.start()
            ready(url, hub)
            try:
                process.run(sockets=[bound])
            finally:
                (hub.root / ADDRESS).unlink(missing_ok=True)
    finally:
        stopping.set()
        if sweeper.ident:
            sweeper.join()
        hub.close()


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
    """Remove uploads that nobody commits, as long as the server runs."""
    while not stopping.wait(min(600.0, age / 4)):
        try:
            hub.forget_uploads(age)
        except OSError as error:
            print(f"reincarnate: old uploads stay: {error}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m reincarnate.datasets.hub.server.serve`: what a client starts for the local hub; prints the URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", action="append", default=[])
    parser.add_argument("--idle", type=float, default=0.0)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--log", type=Path)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(
            given.root,
            given.host,
            given.port,
            given.user,
            idle=given.idle,
            empty=given.empty,
            log=given.log,
            ready=lambda url, hub: print(url, flush=True),
        )
    except ValueError as error:
        sys.exit(f"reincarnate: {error}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

"""Accounts and rights: users with tokens, the organisations they write for, and access to repositories."""

import hmac
import json
import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple

from .database import Database
from .refusal import Refusal, login_needed

USER = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38}[A-Za-z0-9])?)(?P<role>:read|:admin)?")


class User(NamedTuple):
    """A user identified by a token."""

    name: str
    organisations: tuple[str, ...] = ()
    writes: bool = True
    admin: bool = False

    def owns(self, namespace: str) -> bool:
        """Return whether the namespace is the user's own or that of one of the user's organisations."""
        return self.admin or namespace.lower() in {name.lower() for name in (self.name, *self.organisations)}


def writer(user: User | None) -> User:
    """Return the user of a token with write access anywhere; Refusal otherwise."""
    if user is None:
        raise login_needed()
    if not user.writes:
        raise Refusal(403, f"The token of {user.name} may only read")
    return user


class Accounts:
    """Users in the database, and their tokens in files that only the owner of the hub can read."""

    def __init__(self, database: Database, folder: Path):
        self._database, self._folder = database, folder
        folder.mkdir(exist_ok=True, mode=0o700)
        self._tokens = {self.token(row["name"]): row["name"] for row in database.ask("SELECT name FROM users")}

    def add(self, text: str) -> str:
        """Add or change a user: `NAME`, `NAME:read`, `NAME:admin`, `NAME+ORGANISATION+...`; return the name."""
        head, *organisations = text.split("+")
        found = USER.fullmatch(head)
        if not found or not all(USER.fullmatch(one) and ":" not in one for one in organisations):
            raise ValueError(
                f"{text!r} is not a user: write NAME, NAME:read or NAME+ORGANISATION, in letters and digits"
            )
        role = (found["role"] or ":write")[1:]
        with self._database.change():
            self._database.ask(
                "INSERT INTO users VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET role = ?2, organisations = ?3",
                *(found["name"], role, json.dumps(organisations)),
            )
        self._tokens[self.token(found["name"])] = found["name"]
        return found["name"]

    def token(self, name: str) -> str:
        """Return a user's token, created on the first call with mode 0600."""
        return private_token(self._folder / name.lower())

    def of(self, authorization: str | None) -> User | None:
        """Return the user of an Authorization header, None without one; Refusal for a wrong token."""
        if authorization is None:
            return None
        shown = authorization.removeprefix("Bearer ").encode()
        for token, name in self._tokens.items():
            if hmac.compare_digest(token.encode(), shown):
                return self.named(name)
        raise Refusal(401, "Invalid credentials in Authorization header")

    def named(self, name: str) -> User | None:
        """Return the user of that name, or None."""
        rows = self._database.ask("SELECT * FROM users WHERE name = ?", name)
        if not rows:
            return None
        organisations, role = tuple(json.loads(rows[0]["organisations"])), rows[0]["role"]
        return User(rows[0]["name"], organisations, role != "read", role == "admin")


def private_token(path: Path) -> str:
    """Return the token in a file, which is created with mode 0600 if missing."""
    try:
        with open(path, opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            if found := file.read().strip():
                return found
    except FileNotFoundError:
        pass
    token = f"hf_{secrets.token_urlsafe(24)}"
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with open(partial, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return token

"""Who may log in by name and password: a file with one line each, `NAME ROLE SALT HASH`, that only its owner can read.

Roles: `operator` may call everything, `observer` only reads and listens. Passwords are kept as scrypt (RFC 7914) hashes.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Literal, get_args

import msgspec

from pipeline import plain_file
from pipeline.errors import ConfigError

Role = Literal["operator", "observer"]
ROLES: tuple[Role, ...] = get_args(Role)
LARGEST_BYTES = 65_536
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 256
_COST = {"n": 1 << 13, "r": 8, "p": 1}  # 8 MiB and tens of ms for each attempt
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}\Z")
_LINE = re.compile(r"(\S{1,64}) (operator|observer) ([0-9a-f]{32}) ([0-9a-f]{64})")
_NOBODY = (bytes(16), bytes(32))


class Entry(msgspec.Struct, frozen=True):
    """One user's line."""

    name: str
    role: Role
    salt: bytes
    digest: bytes

    def line(self) -> str:
        """As it stands in the file."""
        return f"{self.name} {self.role} {self.salt.hex()} {self.digest.hex()}\n"


def read_users(path: Path) -> dict[str, Entry]:
    """Users by name.

    Raises:
        ConfigError: the file is missing, others than its owner may read it, or a line is none.
    """
    text = plain_file.read(path, LARGEST_BYTES, ConfigError).decode("utf-8", "replace")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError("others may read the users", where=str(path), next_command=f"chmod 600 {path}")
    users: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not _NAME.match(match[1]) or match[1] in users:
            raise ConfigError(
                f"line {number} is no user, or one that stands there already",
                where=str(path),
                next_command=f"datumd bridge opcua --users {path} --add-user NAME",
            )
        role: Role = "operator" if match[2] == "operator" else "observer"
        users[match[1]] = Entry(match[1], role, bytes.fromhex(match[3]), bytes.fromhex(match[4]))
    return users


def add_user(path: Path, name: str, role: Role, password: str) -> None:
    """Add a user, or give one another password and role; the file is made where it is not there.

    Raises:
        ConfigError: no name, a password that is too short, or a file that cannot be used.
    """
    if not _NAME.match(name):
        raise ConfigError(f"{name!r} is no name for a user", allowed="letters, digits and _ . @ -, 64 at most")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ConfigError("the password", allowed=f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    users = read_users(path) if path.exists() else {}
    salt = secrets.token_bytes(16)
    users[name] = Entry(name, role, salt, _digest(password, salt))
    whole = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("".join(entry.line() for entry in users.values()))
            file.flush()
            os.fsync(descriptor)
        whole.replace(path)
    except OSError as problem:
        raise ConfigError(f"cannot be written ({problem.strerror})", where=str(path)) from None


def role_of(users: dict[str, Entry], name: str, password: str) -> Role | None:
    """The user's role, None where the name or the password is wrong; it takes as long for a name that is not there."""
    entry = users.get(name)
    salt, digest = _NOBODY if entry is None else (entry.salt, entry.digest)
    if len(password) > LONGEST_PASSWORD:
        return None
    is_right = hmac.compare_digest(_digest(password, salt), digest)
    return entry.role if is_right and entry is not None else None


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **_COST)

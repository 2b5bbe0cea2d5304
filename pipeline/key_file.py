"""The files of a pair of keys: NAME.key (public and secret, for its owner alone) and NAME.pub (public, for the other side).

Their format is that of ZeroMQ certificates, which other languages' libraries read, too. Keys are Z85 (RFC 32/ZMQ).
"""

import os
import re
import stat
import struct
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from pipeline import plain_file
from pipeline.errors import ConfigError

SECRET, PUBLIC = ".key", ".pub"
LARGEST_BYTES = 4096
MOST_CLIENTS = 1000
LOCAL = "local"  # the station itself, or anybody on this machine where nobody has to show a key

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_LINE = re.compile(r'^[ \t]*(public|secret)-key[ \t]*=[ \t]*"([^"\s]{40})"[ \t\r]*$', re.ASCII | re.MULTILINE)
_ALLOWED = f"letters, digits, - _ and ., 64 at most, not {LOCAL}"


class KeyPair(msgspec.Struct, frozen=True):
    """A name's keys, Z85 (RFC 32/ZMQ)."""

    public: bytes
    secret: bytes


def new_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make NAME.key, which only its owner can read from the first moment, and NAME.pub.

    Raises:
        ConfigError: no name, there are such files, or they cannot be written. Nothing is ever overwritten.
    """
    if not _NAME.match(name) or name == LOCAL:
        raise ConfigError(f"{name!r} is no name for a key", allowed=_ALLOWED)
    secret_path, public_path = folder / f"{name}{SECRET}", folder / f"{name}{PUBLIC}"
    for path in (secret_path, public_path):
        if os.path.lexists(path):
            raise ConfigError("is there already", where=str(path), next_command="give another name, or remove it")
    public, secret = (key.decode() for key in zmq.curve_keypair())
    whose = f'metadata\n    name = "{name}"\ncurve\n    public-key = "{public}"\n'
    _write(secret_path, f'# Secret: for {name} alone.\n{whose}    secret-key = "{secret}"\n', 0o600)
    _write(public_path, f"# Public: {name} is known by it.\n{whose}", 0o644)
    return secret_path, public_path


def read_public(path: Path, *, follow: bool = True) -> bytes:
    """The public key in a .pub or .key file. Raises ConfigError where there is none."""
    return _read(path, follow=follow)["public"]


def read_pair(path: Path) -> KeyPair:
    """The keys in a .key file.

    Raises:
        ConfigError: it is missing, holds no pair of keys, or others than its owner may read or change it.
    """
    keys = _read(path)
    if "secret" not in keys:
        raise ConfigError("holds no secret key", where=str(path), next_command="datumd keys new NAME")
    try:
        mode = path.stat().st_mode
    except OSError as problem:
        raise ConfigError(f"cannot be read ({problem.strerror})", where=str(path)) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"others may read this secret (mode {stat.S_IMODE(mode):04o})",
            where=str(path),
            allowed="its owner alone",
            next_command=f"chmod 600 {path}",
        )
    if zmq.curve_public(keys["secret"]) != keys["public"]:
        raise ConfigError("its secret and its public key do not belong together", where=str(path))
    return KeyPair(keys["public"], keys["secret"])


def client_files(folder: Path) -> list[Path]:
    """The NAME.pub files of a folder of clients, at most MOST_CLIENTS, in order. Raises OSError where there is no folder."""
    return sorted(path for path in folder.iterdir() if path.suffix == PUBLIC and path.name[0] != ".")[:MOST_CLIENTS]


def read_client(path: Path) -> bytes:
    """The public key in a file of a folder of clients.

    Raises:
        ConfigError: a name or a content that is not allowed, or a link, which could lead out of the folder.
    """
    if not _NAME.match(path.stem) or path.stem == LOCAL:
        raise ConfigError("is no name for a client", where=str(path), allowed=_ALLOWED)
    keys = _read(path, follow=False)
    if "secret" in keys:
        raise ConfigError("holds a secret key, which belongs to the client alone", where=str(path))
    return keys["public"]


def _read(path: Path, *, follow: bool = True) -> dict[str, bytes]:
    """The keys of a file by "public" and "secret"."""
    text = plain_file.read(path, LARGEST_BYTES, ConfigError, follow=follow).decode("latin-1")
    found = _LINE.findall(text)
    keys = {kind: key.encode("latin-1") for kind, key in found}
    if len(keys) != len(found) or "public" not in keys or not all(_is_key(key) for key in keys.values()):
        raise ConfigError("is no key file", where=str(path), next_command="datumd keys new NAME")
    return keys


def _is_key(text: bytes) -> bool:
    try:
        return len(z85.decode(text)) == 32
    except (KeyError, struct.error):  # a character that Z85 has not, five that are more than 32 bits
        return False


def _write(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as problem:
        raise ConfigError(f"cannot be written ({problem.strerror})", where=str(path)) from None

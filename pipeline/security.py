"""Keys, and who may connect: CURVE (RFC 26/ZMQ) for the stream and for requests, with an allow-list of client keys.

A key pair is two files: NAME.key (public and secret, for its owner alone) and NAME.pub (public, for the other side), in the
format of ZeroMQ certificates, which other languages' libraries read, too. A station lets in whose NAME.pub lies in its folder
of clients; the folder is read at each handshake, so a file that is removed refuses the next connection of that client.
"""

import logging
import os
import re
import stat
import struct
import time
from pathlib import Path
from typing import Any

import msgspec
import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

from pipeline import plain_file
from pipeline.config import SecuritySettings
from pipeline.errors import ConfigError

SECRET, PUBLIC = ".key", ".pub"
LARGEST_BYTES = 4096
MOST_CLIENTS = 1000
LARGEST_MESSAGE_BYTES = 1 << 20  # from a client: what is larger ends its connection; requests are limited further
HANDSHAKE_MS = 3000  # a connection that has not said who it is by then is closed
BACKLOG = 256
LOG_EVERY_S = 10.0
DOMAIN = "datumd"
LOCAL = "local"  # the peer where nobody has to show a key

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_LINE = re.compile(r'^\s*(public|secret)-key\s*=\s*"([^"\s]{40})"\s*$', re.ASCII | re.MULTILINE)
_log = logging.getLogger(__name__)


class KeyPair(msgspec.Struct, frozen=True):
    """A name's keys, Z85 (RFC 32/ZMQ)."""

    public: bytes
    secret: bytes


class ClientKeys(msgspec.Struct, frozen=True):
    """What a client needs: its own keys and the station's public one, Z85."""

    public: bytes
    secret: bytes
    server: bytes


def new_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make NAME.key, which only its owner can read from the first moment, and NAME.pub.

    Raises:
        ConfigError: no name, there are such files, or they cannot be written. Nothing is ever overwritten.
    """
    if not _NAME.match(name):
        raise ConfigError(f"{name!r} is no name for a key", allowed="letters, digits, - _ and ., 64 at most")
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


def load_client_keys(path: Path, server: Path | None = None) -> ClientKeys:
    """A client's keys from its own NAME.key and the station's public file.

    Raises:
        ConfigError: a file cannot be used, or the station's is missing.
    """
    pair = read_pair(path)
    if server is None:
        raise ConfigError(
            "a client with a key must know the station's, too", where=str(path), allowed="--server-key STATION.pub"
        )
    return ClientKeys(pair.public, pair.secret, read_public(server))


def own_client_keys(settings: SecuritySettings | None) -> ClientKeys | None:
    """The keys with which the station's own processes are its clients: its own. Raises ConfigError as `read_pair`."""
    if settings is None:
        return None
    pair = read_pair(Path(settings.key))
    return ClientKeys(pair.public, pair.secret, pair.public)


def secure_client(socket: "zmq.Socket[Any]", keys: ClientKeys | None) -> None:
    """Give a client's socket its keys, before it connects. With None it speaks in the clear."""
    if keys is not None:
        socket.curve_serverkey = keys.server
        socket.curve_publickey = keys.public
        socket.curve_secretkey = keys.secret


def check_security(settings: SecuritySettings | None) -> list[str]:
    """Read everything that a `Gate` will read; returns the names of the clients that may connect.

    Raises:
        ConfigError: the station's key cannot be used, the folder of clients is missing or others may write in it, or a
            file in it holds no public key. (A gate refuses such a client and goes on.)
    """
    if settings is None:
        return []
    read_pair(Path(settings.key))
    folder = Path(settings.clients)
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            raise ConfigError(
                "anybody may put a key in it",
                where=str(folder),
                next_command=f"chmod o-w {folder}",
                allowed="its owner",
            )
        paths = client_files(folder)
    except OSError as problem:
        raise ConfigError(f"no folder of clients' keys ({problem.strerror})", where=str(folder)) from None
    for path in paths:
        _client(path)
    return [path.stem for path in paths]


def client_files(folder: Path) -> list[Path]:
    """The NAME.pub files of a folder of clients, at most MOST_CLIENTS, in order. Raises OSError where there is no folder."""
    return sorted(path for path in folder.iterdir() if path.suffix == PUBLIC and path.name[0] != ".")[:MOST_CLIENTS]


class Gate:
    """Decides who may connect to the sockets of one ZeroMQ context, and who a message is from.

    Handshakes are answered in a thread of its own. Without settings it lets everybody in, as on loopback.

    Attributes:
        refused: clients that completed a handshake without an allowed key.
    """

    def __init__(self, context: "zmq.Context[Any]", settings: SecuritySettings | None) -> None:
        """Read the station's keys, and start to answer handshakes. One gate for each context.

        Raises:
            ConfigError: the station's key cannot be used.
        """
        self._pair = None if settings is None else read_pair(Path(settings.key))
        self._authenticator: _Authenticator | None = None
        if settings is not None and self._pair is not None:
            self._authenticator = _Authenticator(context, self._pair.public, Path(settings.clients))
            self._authenticator.start()

    @property
    def refused(self) -> int:
        """Handshakes refused so far."""
        return 0 if self._authenticator is None else self._authenticator.refused

    def secure_server(self, socket: "zmq.Socket[Any]") -> None:
        """Let only allowed clients speak with this socket, and none for long without a name; before it is bound."""
        socket.maxmsgsize = LARGEST_MESSAGE_BYTES
        socket.handshake_ivl = HANDSHAKE_MS
        socket.backlog = BACKLOG
        if self._pair is not None:
            socket.zap_domain = DOMAIN.encode()
            socket.curve_publickey = self._pair.public
            socket.curve_secretkey = self._pair.secret
            socket.curve_server = True

    def peer(self, frame: zmq.Frame) -> str:
        """Who sent a message part that was received with copy=False: the client's name, LOCAL where nobody has one."""
        if self._authenticator is None:
            return LOCAL
        return str(frame.get("User-Id"))

    def close(self) -> None:
        """Answer no more handshakes; before the context ends."""
        if self._authenticator is not None:
            self._authenticator.stop()


class _Authenticator(ThreadAuthenticator):
    """pyzmq's, with a folder that is read anew each time. Nothing in here may raise: it would end the thread."""

    def __init__(self, context: "zmq.Context[Any]", own: bytes, folder: Path) -> None:
        super().__init__(context)
        self._own = own
        self._folder = folder
        self._name = ""
        self._said = 0.0
        self.refused = 0
        self.configure_curve_callback(DOMAIN, self)

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002 - what pyzmq calls
        """Whether this key (Z85) may connect."""
        name = LOCAL if key == self._own else self._find(key)
        if name is None:
            self.refused += 1
            self._say(f"refused a client with the key {key.decode()}: there is none such in {self._folder}")
            return False
        self._name = name
        return True

    def curve_user_id(self, client_public_key: bytes) -> str:  # noqa: ARG002 - it is the one just found
        """The name under which the audit trail lists it."""
        return self._name

    def _find(self, key: bytes) -> str | None:
        try:
            paths = client_files(self._folder)
        except OSError as problem:
            self._say(f"{self._folder}: {problem.strerror}, so nobody is let in")
            return None
        for path in paths:
            try:
                if _client(path) == key:
                    return path.stem
            except ConfigError as problem:
                self._say(str(problem))
        return None

    def _say(self, what: str) -> None:
        """Log, but let nobody fill the log."""
        if time.monotonic() - self._said > LOG_EVERY_S:
            self._said = time.monotonic()
            _log.warning("%s", what)


def _client(path: Path) -> bytes:
    """The public key in a client's file. Raises ConfigError for a name or a content that is not allowed, and for a link."""
    if not _NAME.match(path.stem) or path.stem == LOCAL:
        raise ConfigError("is no name for a client", where=str(path), allowed="letters, digits, - _ and ., 64 at most")
    keys = _read(path, follow=False)
    if "secret" in keys:
        raise ConfigError("holds a secret key, which belongs to the client alone", where=str(path))
    return keys["public"]


def _read(path: Path, *, follow: bool = True) -> dict[str, bytes]:
    """The keys of a file by "public" and "secret"."""
    text = plain_file.read(path, LARGEST_BYTES, ConfigError, follow=follow).decode("ascii", "replace")
    found = _LINE.findall(text)
    keys = {kind: key.encode("ascii", "replace") for kind, key in found}
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

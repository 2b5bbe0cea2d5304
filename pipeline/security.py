"""Who may connect, and how: CURVE (RFC 26/ZMQ) for the stream and for requests, with an allow-list of client keys.

A station lets in whose NAME.pub lies in its folder of clients. The folder is read at each handshake, so a file that is removed
refuses the next connection of that client.
"""

import contextlib
import logging
import stat
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import zmq
from zmq.auth.base import Authenticator

from pipeline import key_file
from pipeline.config import SecuritySettings
from pipeline.errors import ConfigError
from pipeline.key_file import LOCAL

LARGEST_MESSAGE_BYTES = 1 << 20  # from a client: what is larger ends its connection; requests are limited further
HANDSHAKE_MS = 3000  # a connection that has not said who it is by then is closed
BACKLOG = 256
LOG_EVERY_S = 10.0
STOP_POLL_MS = 100
DOMAIN = "datumd"

_log = logging.getLogger(__name__)


class ClientKeys(msgspec.Struct, frozen=True):
    """What a client needs: its own keys and the station's public one, Z85."""

    public: bytes
    secret: bytes
    server: bytes


def load_client_keys(path: Path, server: Path | None = None) -> ClientKeys:
    """A client's keys from its own NAME.key and the station's public file.

    Raises:
        ConfigError: a file cannot be used, or the station's is missing.
    """
    pair = key_file.read_pair(path)
    if server is None:
        raise ConfigError(
            "a client with a key must know the station's, too", where=str(path), allowed="--server-key STATION.pub"
        )
    return ClientKeys(pair.public, pair.secret, key_file.read_public(server))


def own_client_keys(settings: SecuritySettings | None) -> ClientKeys | None:
    """The keys with which the station's own processes are its clients: its own. Raises ConfigError as `read_pair`."""
    if settings is None:
        return None
    pair = key_file.read_pair(Path(settings.key))
    return ClientKeys(pair.public, pair.secret, pair.public)


def secure_client(socket: "zmq.Socket[Any]", keys: ClientKeys | None) -> None:
    """Give a client's socket its keys, before it connects. With None it speaks in the clear."""
    if keys is not None:
        socket.curve_serverkey = keys.server
        socket.curve_publickey = keys.public
        socket.curve_secretkey = keys.secret


def check_security(settings: SecuritySettings | None, *, clients: bool = True) -> list[str]:
    """Read everything that a `Gate` will read; returns the names of the clients that may connect.

    Raises:
        ConfigError: the station's key cannot be used, the folder of clients is missing or others may write in it, or,
            with `clients`, a file in it holds no public key. (A gate refuses such a client and goes on.)
    """
    if settings is None:
        return []
    key_file.read_pair(Path(settings.key))
    folder = Path(settings.clients)
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            raise ConfigError(
                "anybody may put a key in it",
                where=str(folder),
                next_command=f"chmod o-w {folder}",
                allowed="its owner",
            )
        paths = key_file.client_files(folder)
    except OSError as problem:
        raise ConfigError(f"no folder of clients' keys ({problem.strerror})", where=str(folder)) from None
    for path in paths if clients else []:
        key_file.read_client(path)
    return [path.stem for path in paths]


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
        self._pair = None if settings is None else key_file.read_pair(Path(settings.key))
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


class _Authenticator(Authenticator):
    """pyzmq's, with a folder that is read anew each time, in a thread. Nothing in here may raise: it would end the thread.

    Not pyzmq's own ThreadAuthenticator, which would have every client import asyncio (40 ms).
    """

    def __init__(self, context: "zmq.Context[Any]", own: bytes, folder: Path) -> None:
        super().__init__(context)
        self._own = own
        self._folder = folder
        self._name = ""
        self._read: dict[Path, tuple[tuple[int, int, int], bytes]] = {}  # what a file was when it was read, and its key
        self._said = -LOG_EVERY_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="handshakes", daemon=True)
        self.refused = 0
        self.configure_curve_callback(DOMAIN, self)

    def start(self) -> None:
        """Answer handshakes from now on."""
        super().start()
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._stop.set()
        self._thread.join()
        super().stop()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self.zap_socket.poll(STOP_POLL_MS):
                answering = self.handle_zap_message(self.zap_socket.recv_multipart())
                with contextlib.suppress(StopIteration):
                    answering.send(None)  # to its end: there is nothing that it waits for

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
            paths = key_file.client_files(self._folder)
        except OSError as problem:
            self._say(f"{self._folder}: {problem.strerror}, so nobody is let in")
            return None
        former, self._read = self._read, {}
        for path in paths:
            try:
                status = path.lstat()
                mark = status.st_ino, status.st_ctime_ns, status.st_size
                known = former.get(path)
                self._read[path] = known if known and known[0] == mark else (mark, key_file.read_client(path))
            except OSError as problem:
                self._say(f"{path}: {problem.strerror}")
            except ConfigError as problem:
                self._say(str(problem))
        return next((path.stem for path, (_, public) in self._read.items() if public == key), None)

    def _say(self, what: str) -> None:
        """Log, but let nobody fill the log."""
        if time.monotonic() - self._said > LOG_EVERY_S:
            self._said = time.monotonic()
            _log.warning("%s", what)

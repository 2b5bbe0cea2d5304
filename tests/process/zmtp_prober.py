"""A raw ZMTP peer (RFC 37) that says what it likes, and a relay that writes down what a server sends to a real client."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

GREETING_BYTES = 64
COMMAND, LARGE = 4, 2
SIGNATURE = b"\xff" + bytes(8) + b"\x7f"


def greeting(mechanism: bytes, *, as_server: bool = False, version: bytes = b"\x03\x01") -> bytes:
    """64 bytes: signature, version, mechanism, role, filler."""
    return SIGNATURE + version + mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31)


def command(name: bytes, body: bytes = b"") -> bytes:
    """A command frame."""
    content = bytes([len(name)]) + name + body
    if len(content) > 255:
        return bytes([COMMAND | LARGE]) + len(content).to_bytes(8, "big") + content
    return bytes([COMMAND, len(content)]) + content


def message(body: bytes) -> bytes:
    """A message frame, the last of its message."""
    return bytes([0, len(body)]) + body


@dataclass
class Said:
    """What a server said after its greeting: names of the commands, and how many message frames."""

    greeted: bool
    commands: list[bytes] = field(default_factory=list)
    messages: int = 0
    rest: bytes = b""


def parse(heard: bytes) -> Said:
    """What these bytes of a server are. ZMTP 3: a greeting of 64 bytes, then frames."""
    said = Said(len(heard) >= GREETING_BYTES and heard.startswith(b"\xff"))
    left = heard[GREETING_BYTES:]
    while len(left) >= 2:
        size_bytes = 8 if left[0] & LARGE else 1
        size = int.from_bytes(left[1 : 1 + size_bytes], "big")
        content, after = left[1 + size_bytes : 1 + size_bytes + size], left[1 + size_bytes + size :]
        if len(content) < size or len(left) < 1 + size_bytes:
            break
        if left[0] & COMMAND:
            said.commands.append(content[1 : 1 + content[0]])
        else:
            said.messages += 1
        left = after
    said.rest = left
    return said


def probe(port: int, chunks: list[bytes], *, listen_s: float = 1.0) -> bytes:
    """Send the chunks one after the other; all that comes back until the server hangs up or the time is over."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as peer:
        peer.settimeout(0.05)
        until = time.monotonic() + listen_s
        waiting = list(chunks)
        while time.monotonic() < until:
            try:
                if waiting:
                    peer.sendall(waiting.pop(0))
                part = peer.recv(65536)
                if not part:
                    return heard
                heard += part
            except TimeoutError:
                continue
            except OSError:  # hung up on
                return heard
    return heard


@dataclass
class Relay:
    """Where a client connects to, and what the server behind has said to it."""

    port: int
    heard: bytes = b""


@contextmanager
def relay(server_port: int) -> Iterator[Relay]:
    """A relay to a server for the first connection made to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Relay(listener.getsockname()[1])
        stop = threading.Event()
        thread = threading.Thread(target=_relay, args=(listener, server_port, found, stop), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            stop.set()
            thread.join()


def _relay(listener: socket.socket, server_port: int, found: Relay, stop: threading.Event) -> None:
    listener.settimeout(0.02)
    client = None
    while client is None and not stop.is_set():
        try:
            client = listener.accept()[0]
        except TimeoutError:
            continue
    if client is None:
        return
    with client, socket.create_connection(("127.0.0.1", server_port), timeout=5.0) as server:
        client.settimeout(0.01)
        server.settimeout(0.01)
        try:
            while not stop.is_set():
                up, down = _part(client), _part(server)
                if up == b"" or down == b"":
                    return
                server.sendall(up or b"")
                found.heard += down or b""
                client.sendall(down or b"")
        except OSError:  # one of them has hung up
            return


def _part(peer: socket.socket) -> bytes | None:
    """What has come; None when nothing has, b"" at the end."""
    try:
        return peer.recv(65536)
    except TimeoutError:
        return None

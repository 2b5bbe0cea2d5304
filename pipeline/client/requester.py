"""A client's line to a station's requests: one ZeroMQ DEALER socket."""

from typing import Any

import zmq

from pipeline.errors import ConfigError
from pipeline.security import ClientKeys, secure_client

KEEPALIVE = (10, 5, 3)  # s of silence before the first probe, s between probes, probes without an answer


def connect(socket: "zmq.Socket[Any]", endpoint: str, keys: ClientKeys | None) -> None:
    """Connect, secured where there are keys; HOST:PORT alone means tcp://HOST:PORT.

    Raises:
        ConfigError: `endpoint` is no address.
    """
    socket.linger = 0
    socket.tcp_keepalive = 1  # or a station whose machine lost its power would be waited for for ever
    socket.tcp_keepalive_idle, socket.tcp_keepalive_intvl, socket.tcp_keepalive_cnt = KEEPALIVE
    secure_client(socket, keys)
    try:
        socket.connect(endpoint if "://" in endpoint else f"tcp://{endpoint}")
    except zmq.ZMQError as error:
        socket.close()
        raise ConfigError(
            f"{endpoint!r} is no address ({error.strerror})", where="results", allowed="tcp://HOST:PORT"
        ) from error


def requests_endpoint(results: str, control_port: int) -> str:
    """Where the host of the address `results` answers requests; "" where its heartbeats do not say it."""
    if not control_port or results.startswith(("ipc://", "inproc://")):
        return ""
    return f"{results.rpartition(':')[0]}:{control_port}"


class Requester:
    """Sends requests and hears replies; never waits. What cannot be sent at once is not sent."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, keys: ClientKeys | None) -> None:
        self.endpoint = endpoint
        self.socket = context.socket(zmq.DEALER)
        self.socket.immediate = (
            True  # or requests would wait for a daemon to come, and be answered when nobody asks any more
        )
        self.socket.sndhwm = self.socket.rcvhwm = 16
        connect(self.socket, endpoint, keys)

    def send(self, request: bytes) -> bool:
        """Whether there was somebody to send it to."""
        try:
            self.socket.send(request, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes]:
        """The parts of a reply that is there, none where none is."""
        try:
            parts = self.socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return []
        return parts[1:] if len(parts) > 1 and not parts[0] else parts  # a ROUTER may answer as to a REQ socket

    def close(self) -> None:
        """Let go of the socket."""
        self.socket.close()

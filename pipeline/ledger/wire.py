"""The result stream, wire v1: ZeroMQ multipart [topic, JSON] on one XPUB socket."""

import contextlib

import msgspec
import zmq

from pipeline.errors import AlreadyRunning
from pipeline.security import Gate
from pipeline.status import Heartbeat, Status

# A subscriber that does not keep up loses messages rather than holding up the line; it sees the gap in `seq`.
HIGH_WATER_MARK = 10_000
MOST_READ = 10_000  # messages of subscribers read at each heartbeat


class ResultStream:
    """Publishes results, heartbeats and status of one station."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", station: str, endpoint: str, gate: Gate) -> None:
        """Bind the stream; `gate` says who may listen. Raises AlreadyRunning when the address is taken."""
        self._station = station.encode()
        self._early: list[bytes] | None = None
        self._socket = context.socket(zmq.XPUB)
        self._socket.sndhwm = HIGH_WATER_MARK
        self._socket.linger = 500
        gate.secure_server(self._socket)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(linger=0)
            raise AlreadyRunning(
                f"cannot bind: {error.strerror}",
                where=f"results.bind {endpoint}",
                next_command="ss -ltnp, or set another results.bind",
            ) from error

    def publish_result(self, payload: bytes) -> None:
        """Send one result: JSON of schema v1."""
        if self._early is not None:
            self._early.append(payload)
        self._send(b"result/", payload)

    def keep_early(self) -> None:
        """Keep the results that are published from here on until `publish_early`."""
        self._early = []

    def publish_early(self) -> None:
        """Send what was kept once more, for subscribers that have only now connected to this ledger."""
        early, self._early = self._early, None
        for payload in early or []:
            self._send(b"result/", payload)

    def publish_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Send a heartbeat."""
        self._forget_subscriptions()
        self._send(b"heartbeat/", msgspec.json.encode(heartbeat))

    def publish_status(self, status: Status) -> None:
        """Send the status."""
        self._send(b"status/", msgspec.json.encode(status))

    def _forget_subscriptions(self) -> None:
        """An XPUB socket keeps every subscription, and whatever subscribers send, until it is read."""
        with contextlib.suppress(zmq.Again):
            for _ in range(MOST_READ):
                self._socket.recv_multipart(zmq.DONTWAIT)

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._socket.send_multipart([kind + self._station + b"/", payload])

    def close(self) -> None:
        """Send what is queued (at most half a second) and close."""
        self._socket.close()

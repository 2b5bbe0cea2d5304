"""The public Python API: subscribe to a station's results.

from pipeline.client import Subscription

with Subscription("tcp://127.0.0.1:5570") as subscription:
for result in subscription.results():
print(result.trigger_number, result.result_evaluation)
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import msgspec
import zmq

from pipeline import result as result_schema
from pipeline.clock import monotonic_ns
from pipeline.errors import ConfigError
from pipeline.result import Result
from pipeline.status import Heartbeat, Status

Message = Result | Heartbeat | Status

_decode_heartbeat = msgspec.json.Decoder(Heartbeat).decode
_decode_status = msgspec.json.Decoder(Status).decode


class Subscription:
    """A subscription to one station's stream, or to all stations that an address publishes.

    The stream is lossy by nature: a subscriber that was away, or is slower than the line, misses messages. `missed` counts
    results whose absence their numbers showed.

    Attributes:
        missed: results known to be missed in the sessions seen.
        malformed: messages that could not be decoded; they are dropped.
    """

    def __init__(self, endpoint: str, station: str = "") -> None:
        """Connect. `endpoint` is a ZeroMQ address such as tcp://127.0.0.1:5570; there need be nobody there yet.

        Raises:
            ConfigError: `endpoint` is no address.
        """
        self.missed = 0
        self.malformed = 0
        self._session = 0
        self._seq = 0
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.rcvhwm = 100_000
        for kind in ("result", "heartbeat", "status"):
            self._socket.subscribe(f"{kind}/{station}/" if station else f"{kind}/")
        try:
            self._socket.connect(endpoint if "://" in endpoint else f"tcp://{endpoint}")
        except zmq.ZMQError as error:
            self.close()
            raise ConfigError(
                f"{endpoint!r} is no address ({error.strerror})", where="results", allowed="tcp://HOST:PORT"
            ) from error

    def receive(self, timeout_s: float) -> Message | None:
        """The next message of any kind, None when `timeout_s` is over."""
        until = monotonic_ns() + int(timeout_s * 1e9)
        while True:
            left_ms = max(0, (until - monotonic_ns()) // 1_000_000)
            if not self._socket.poll(left_ms):
                return None
            message = self._decoded(self._socket.recv_multipart())
            if message is not None:
                return message

    def results(self, timeout_s: float | None = None) -> Iterator[Result]:
        """Every result as it comes; ends when none has come for `timeout_s` (None: never)."""
        last = monotonic_ns()
        while timeout_s is None or monotonic_ns() - last < timeout_s * 1e9:
            message = self.receive(0.25)
            if isinstance(message, Result):
                last = monotonic_ns()
                yield message

    def _decoded(self, parts: list[bytes]) -> Message | None:
        try:
            topic, payload = parts
            if topic.startswith(b"result/"):
                result = result_schema.decode(payload)
                self._note(result.session, result.seq - 1)
                self._seq = result.seq
                return result
            if topic.startswith(b"heartbeat/"):
                heartbeat = _decode_heartbeat(payload)
                self._note(heartbeat.session, heartbeat.last_seq)
                return heartbeat
            return _decode_status(payload)
        except (ValueError, msgspec.MsgspecError):
            self.malformed += 1
            return None

    def _note(self, session: int, seq: int) -> None:
        """Everything up to `seq` of the session has been published: what we have not seen of it is missed."""
        if session != self._session:
            self._session, self._seq = session, seq
        self.missed += max(0, seq - self._seq)
        self._seq = max(self._seq, seq)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""What is published, decoded: results, heartbeats and status of a station."""

import re
from dataclasses import dataclass

import msgspec

from pipeline import result as result_schema
from pipeline.requests import Gap
from pipeline.result import Result
from pipeline.status import Heartbeat, Status

Message = Result | Heartbeat | Status | Gap
KINDS = ("result", "heartbeat", "status")
LARGEST_SESSION, LARGEST_SEQ = 10**14 - 1, 10**15 - 1  # what a line of a cursor file has room for
_TOPIC = re.compile(rb"(result|heartbeat|status)/([A-Za-z0-9][A-Za-z0-9_-]{0,31})/")

_decode_heartbeat = msgspec.json.Decoder(Heartbeat).decode
_decode_status = msgspec.json.Decoder(Status).decode


@dataclass(frozen=True, slots=True)
class Published:
    """A message with the station of its topic and its length in bytes."""

    station: str
    message: Result | Heartbeat | Status
    size: int


def read_published(parts: list[bytes]) -> Published:
    """A message of the stream. Raises ValueError where it is none of wire v1."""
    topic, payload = parts
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise ValueError("no topic of wire v1")
    try:
        message = _decode(match[1], payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return Published(match[2].decode("ascii"), message, len(payload))


def read_result(payload: bytes) -> Result:
    """The JSON of a result. Raises ValueError where it is none."""
    try:
        result = result_schema.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    _check(result.session, result.seq, 1)
    return result


def _decode(kind: bytes, payload: bytes) -> Result | Heartbeat | Status:
    if kind == b"result":
        return read_result(payload)
    if kind == b"heartbeat":
        heartbeat = _decode_heartbeat(payload)
        _check(heartbeat.session, heartbeat.last_seq, 0)
        return heartbeat
    return _decode_status(payload)


def _check(session: int, seq: int, first: int) -> None:
    if not (0 < session <= LARGEST_SESSION and first <= seq <= LARGEST_SEQ):
        raise ValueError(f"no session and number: {session}, {seq}")

"""What a client has sent, which may be anything: read it, or say what is wrong with it, or drop it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pipeline import requests
from pipeline.requests import LARGEST_REQUEST_BYTES, Command, Reply

LONGEST_ERROR = 300  # characters: it may hold what the client has sent


class _Named(msgspec.Struct):
    """As much of a request as must be understood to answer it."""

    id: requests.RequestId = ""


_decode_named = msgspec.json.Decoder(_Named).decode


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """A request and the way back.

    Attributes:
        back: what the reply's parts begin with: the peer's routing id and, for a REQ socket, the empty part.
        said: the command, or the reply that says what is wrong with it.
    """

    back: tuple[bytes, ...]
    said: Command | Reply


def read_client_message(parts: Sequence[bytes]) -> ClientMessage | None:
    """The parts as a ROUTER socket receives them: [routing id, (empty,) JSON]. None where they are malformed or too large."""
    is_enveloped = len(parts) == 3 and not parts[1]
    if not (len(parts) == 2 or is_enveloped) or len(parts[-1]) > LARGEST_REQUEST_BYTES:
        return None
    try:
        said = _read(parts[-1])
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    return ClientMessage(tuple(parts[:-1]), said)


def _read(payload: bytes) -> Command | Reply:
    """Raises ValueError, msgspec.MsgspecError or RecursionError where this is no JSON object with a fit id."""
    try:
        command: Command = requests.decode_request(payload)
    except msgspec.ValidationError as error:
        return Reply(
            _decode_named(payload).id, f"not understood: {str(error)[:LONGEST_ERROR]}", "see docs/wire-format.md"
        )
    return command

"""What the station has answered before the bridge heard it, from the station's journal."""

import logging
import threading
from dataclasses import dataclass

import msgspec
import zmq

from pipeline import requests
from pipeline.client.message import read_result
from pipeline.client.requester import Requester
from pipeline.clock import monotonic_ns
from pipeline.requests import LARGEST_PAGE, Replay
from pipeline.result import Result
from pipeline.security import ClientKeys
from pipeline.status import Heartbeat

log = logging.getLogger(__name__)

PAST_S = 3.0


@dataclass(frozen=True, slots=True)
class Past:
    """Results in order, and from where on none is missing.

    Attributes:
        since: (session, seq); of what the station has answered after it, all is here or is heard live.
    """

    results: list[Result]
    since: tuple[int, int]


def read_past(endpoint: str, keys: ClientKeys | None, beat: Heartbeat, depth: int, stop: threading.Event) -> Past:
    """The newest `depth` results of the heartbeat's session; fewer, where the journal does not tell them soon."""
    newest = (beat.session, beat.last_seq)
    since = place = (beat.session, max(0, beat.last_seq - depth))
    results: list[Result] = []
    until = monotonic_ns() + int(PAST_S * 1e9)
    with zmq.Context[zmq.Socket[bytes]]() as context:
        requester = Requester(context, endpoint, keys)
        try:
            while place < newest:
                page = _page(requester, place, min(depth, LARGEST_PAGE), until, stop)
                if not page:
                    break
                reply = requests.decode_reply(page[0])
                if reply.error or (reply.session, reply.seq) <= place:
                    break
                results += _read(page[1:])
                place = reply.session, reply.seq
                since = max([since, *((gap.session, max(gap.first, gap.last)) for gap in reply.expired)])
        finally:
            requester.close()
    return Past(results, since if place >= newest else newest)


def _page(
    requester: Requester, place: tuple[int, int], limit: int, until_ns: int, stop: threading.Event
) -> list[bytes]:
    """The parts of a reply; none where none comes in time."""
    request = requests.encode(Replay(id="past", session=place[0], seq=place[1], limit=limit))
    while not requester.send(request):
        if monotonic_ns() >= until_ns or stop.wait(0.02):
            return []
    while monotonic_ns() < until_ns and not stop.is_set():
        requester.socket.poll(50)
        if parts := requester.receive():
            return parts
    return []


def _read(payloads: list[bytes]) -> list[Result]:
    results = []
    for payload in payloads:
        try:
            results.append(read_result(payload))
        except (ValueError, msgspec.MsgspecError):
            log.warning("a result of the journal cannot be read")
    return results

"""What a station, or somebody in its place, sends to a subscriber: the stream and the replies to its requests."""

import functools
import random
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from pipeline import requests
from pipeline.client.feed import Feed
from pipeline.client.message import read_published
from pipeline.client.order import MOST_HELD, PATIENCE_NS
from pipeline.requests import Gap
from pipeline.result import Result
from pipeline.result_text import line
from tests.fuzz.mutation import vary_json
from tests.fuzz.target import Target

SPLIT, PART = b"\xff\xfe", b"\xff\xfd"  # between messages, and between the parts of one
ENDPOINT = "inproc://fuzzed-requests"
STEP_NS = 300_000_000
MOST_MESSAGES = 30


@dataclass(frozen=True, slots=True)
class _Server:
    context: "zmq.Context[zmq.Socket[bytes]]"
    router: "zmq.Socket[Any]"


@functools.cache
def _server() -> _Server:
    context = zmq.Context[zmq.Socket[bytes]]()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.bind(ENDPOINT)
    return _Server(context, router)


def execute(data: bytes) -> Hashable:
    """Messages in their order: TOPIC, JSON of the stream; anything else is the reply to whatever was asked last."""
    server = _server()
    feed = Feed(server.context, "s", None, PATIENCE_NS, None)
    feed.connect(ENDPOINT)
    now, found, taken = 10 * STEP_NS, list[Hashable](), _Taken()
    try:
        for message in data.split(SPLIT)[:MOST_MESSAGES]:
            now += STEP_NS
            parts = message.split(PART)
            if message.startswith((b"result/", b"heartbeat/", b"status/")):
                found.append(_published(feed, parts, now))
            else:
                _reply(server, feed, parts, now)
            feed.ask(now)
            feed.order.tick(now)
            taken.take(feed)
        feed.order.tick(now + 2 * PATIENCE_NS)
        taken.take(feed)
    finally:
        feed.close()
    return tuple(found[:4]), min(feed.malformed, 3), taken.results, taken.gaps


def _published(feed: Feed, parts: list[bytes], now: int) -> Hashable:
    try:
        published = read_published(parts)
    except ValueError:
        return "malformed"
    if isinstance(published.message, Result):
        assert "\n" not in line(published.message)
    feed.take(published.message, published.size, now)
    return type(published.message).__name__


def _reply(server: _Server, feed: Feed, parts: list[bytes], now: int) -> None:
    """Answer every request that has come as these parts say, under the id that it waits for."""
    while server.router.poll(0):
        peer, request = server.router.recv_multipart()
        asked = msgspec.json.decode(request)["id"].encode()
        server.router.send_multipart([peer, parts[0].replace(b'"?"', b'"%s"' % asked), *parts[1:]])
        feed.hear(now)
    try:
        requests.decode_reply(parts[0])
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return


@dataclass(slots=True)
class _Taken:
    """What was delivered: in order, and each once."""

    results: int = 0
    gaps: int = 0
    newest: tuple[int, int] = (0, 0)

    def take(self, feed: Feed) -> None:
        assert len(feed.order.deliveries) <= MOST_HELD + 4 * MOST_MESSAGES
        while feed.order.deliveries:
            delivery = feed.order.deliveries.popleft()
            if isinstance(delivery, Gap):
                assert delivery.first <= delivery.last + 1
                self.gaps += 1
                if delivery.last < delivery.first:  # the station's numbers have begun anew
                    self.newest = (0, 0)
                continue
            place = (delivery.session, delivery.seq)
            assert place != self.newest, f"{place} is given twice"
            self.newest = place
            self.results += 1


def vary(data: bytes, rng: random.Random) -> bytes:
    """Vary one part of a message, or the order of the messages."""
    found = [message.split(PART) for message in data.split(SPLIT)]
    place = rng.randrange(len(found))
    if rng.random() < 0.3:
        found.insert(rng.randint(0, len(found)), found.pop(place))
    else:
        part = rng.randrange(len(found[place]))
        found[place][part] = vary_json(found[place][part], rng)
    return SPLIT.join(PART.join(parts) for parts in found)


TARGET = Target("wire", execute, vary)

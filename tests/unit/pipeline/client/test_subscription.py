"""The subscription, against a real stream on loopback."""

import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from pipeline.client import Message, Subscription
from pipeline.errors import AlreadyRunning, ConfigError
from pipeline.ledger.wire import ResultStream
from pipeline.result import Result
from pipeline.status import Heartbeat
from tests.results import result


@pytest.fixture
def endpoint(free_port: Callable[[], int]) -> str:
    return f"tcp://127.0.0.1:{free_port()}"


@pytest.fixture
def stream(endpoint: str) -> Iterator[ResultStream]:
    context = zmq.Context[zmq.Socket[bytes]]()
    stream = ResultStream(context, "L3-S20", endpoint)
    yield stream
    stream.close()
    context.term()


def heartbeat(session: int, last_seq: int) -> Heartbeat:
    return Heartbeat("L3-S20", session, last_seq, "2026-01-01T00:00:00.000000Z")


def joined(stream: ResultStream, subscription: Subscription, session: int, last_seq: int = 0) -> Message:
    """Beat until the subscription has taken effect."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        stream.publish_heartbeat(heartbeat(session, last_seq))
        message = subscription.receive(0.05)
        if message is not None:
            return message
    raise AssertionError("the subscription never took effect")


def drained(subscription: Subscription) -> list[Message]:
    """Everything until the stream is quiet."""
    messages = []
    while (message := subscription.receive(0.3)) is not None:
        messages.append(message)
    return messages


def test_what_is_no_address_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"'no address' is no address .*; allowed: tcp://HOST:PORT"):
        Subscription("no address")


def test_host_and_port_alone_are_an_address(stream: ResultStream, endpoint: str) -> None:
    with Subscription(endpoint.removeprefix("tcp://")) as subscription:
        assert isinstance(joined(stream, subscription, 1), Heartbeat)


def test_what_subscribers_send_is_not_kept(stream: ResultStream, endpoint: str) -> None:
    context = zmq.Context[zmq.Socket[bytes]]()
    with Subscription(endpoint) as subscription, context, context.socket(zmq.XSUB) as rude:
        rude.linger = 1000
        rude.connect(endpoint)
        rude.send(b"\x01result/")
        rude.send(b"\x02nobody asked")
        joined(stream, subscription, 1)
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            stream.publish_heartbeat(heartbeat(1, 0))
        assert not stream._socket.poll(0)  # memory that nothing else shows


def test_results_come_typed_and_in_order(stream: ResultStream, endpoint: str) -> None:
    with Subscription(endpoint, "L3-S20") as subscription:
        assert isinstance(joined(stream, subscription, 1), Heartbeat)
        sent = [result(session=1, seq=seq) for seq in (1, 2, 3)]
        for entry in sent:
            stream.publish_result(entry)
        assert [entry for entry in drained(subscription) if isinstance(entry, Result)] == sent
        assert subscription.missed == 0


def test_a_gap_in_the_numbers_and_one_at_the_tail_are_counted(stream: ResultStream, endpoint: str) -> None:
    with Subscription(endpoint, "L3-S20") as subscription:
        joined(stream, subscription, 1, last_seq=10)
        stream.publish_result(result(session=1, seq=11))
        stream.publish_result(result(session=1, seq=14))
        drained(subscription)
        assert subscription.missed == 2
        stream.publish_heartbeat(heartbeat(1, 15))
        drained(subscription)
        assert subscription.missed == 3


def test_a_new_session_starts_the_count_anew(stream: ResultStream, endpoint: str) -> None:
    with Subscription(endpoint, "L3-S20") as subscription:
        joined(stream, subscription, 1, last_seq=500)
        stream.publish_result(result(session=2, seq=1))
        drained(subscription)
        assert subscription.missed == 0


def test_another_station_is_not_heard_and_nonsense_is_counted(stream: ResultStream, endpoint: str) -> None:
    with Subscription(endpoint, "L3-S2") as other, Subscription(endpoint) as everything:
        joined(stream, everything, 1)
        stream._send(b"result/", b"{not json")
        stream.publish_result(result(session=1, seq=1))
        assert [type(message) for message in drained(everything) if not isinstance(message, Heartbeat)] == [Result]
        assert everything.malformed == 1
        assert drained(other) == []


@pytest.mark.usefixtures("stream")
def test_an_address_that_is_taken_is_told(endpoint: str) -> None:
    context = zmq.Context[zmq.Socket[bytes]]()
    with pytest.raises(AlreadyRunning, match="cannot bind"):
        ResultStream(context, "twin", endpoint)
    context.term()

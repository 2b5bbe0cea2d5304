"""The subscription, against a real stream, a real journal and the process that answers from it, on loopback."""

import contextlib
import signal
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import zmq

from pipeline import result as result_schema
from pipeline.client import Gap, Message, Subscription
from pipeline.errors import AlreadyRunning, ConfigError
from pipeline.ledger.wire import ResultStream
from pipeline.result import Result
from pipeline.security import Gate
from pipeline.status import Heartbeat
from tests.played_stations import PlayedStation
from tests.results import result

Given = Result | Gap


def joined(station: PlayedStation, subscription: Subscription) -> None:
    """Beat until the subscription has taken effect."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        station.beat()
        if isinstance(subscription.receive(0.05), Heartbeat):
            return
    raise AssertionError("the subscription never took effect")


def given(station: PlayedStation, subscription: Subscription, count: int, limit_s: float = 15.0) -> list[Given]:
    """So many results and gaps, while the station beats."""
    found: list[Given] = []
    deadline = time.monotonic() + limit_s
    next_beat = 0.0
    while len(found) < count and time.monotonic() < deadline:
        if time.monotonic() > next_beat:
            station.beat()
            next_beat = time.monotonic() + 0.2
        message = subscription.receive(0.05)
        if isinstance(message, Given):
            found.append(message)
    assert len(found) == count, f"{len(found)} of {count} came: {short(found)}"
    return found


def quiet(station: PlayedStation, subscription: Subscription) -> None:
    """Nothing more comes."""
    station.beat()
    deadline = time.monotonic() + 0.6
    while time.monotonic() < deadline:
        assert not isinstance(subscription.receive(0.1), Given)


def short(found: list[Given]) -> list[tuple[int, ...]]:
    """(session, seq) of results, (session, first, last) of gaps."""
    return [
        (each.session, each.seq) if isinstance(each, Result) else (each.session, each.first, each.last)
        for each in found
    ]


def numbers(session: int, first: int, last: int) -> list[tuple[int, ...]]:
    return [(session, seq) for seq in range(first, last + 1)]


def test_what_is_no_address_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"'no address' is no address .*; allowed: tcp://HOST:PORT"):
        Subscription("no address")


def test_host_and_port_alone_are_an_address(station: PlayedStation) -> None:
    with Subscription(station.endpoint.removeprefix("tcp://")) as subscription:
        joined(station, subscription)


def test_results_come_typed_and_in_order(station: PlayedStation) -> None:
    with Subscription(station.endpoint, station.name) as subscription:
        joined(station, subscription)
        station.publish(3)
        assert given(station, subscription, 3) == [station.result(seq) for seq in (1, 2, 3)]
        quiet(station, subscription)
        assert subscription.missed == 0


def test_a_subscription_is_an_iterator_of_results(station: PlayedStation) -> None:
    with Subscription(station.endpoint) as subscription:
        joined(station, subscription)
        station.publish(3)
        assert [found.seq for found in islice(subscription, 3)] == [1, 2, 3]


def test_what_the_stream_loses_comes_from_the_journal(station: PlayedStation) -> None:
    with station.answering(), Subscription(station.endpoint) as subscription:
        joined(station, subscription)
        station.publish(2)
        station.publish(3, live=False)
        station.publish(2)
        station.publish(4, live=False)  # at the tail: the heartbeat shows it
        assert short(given(station, subscription, 11)) == numbers(station.session, 1, 11)
        quiet(station, subscription)
        assert not subscription.gaps


def test_a_new_session_comes_after_the_rest_of_the_old_one(station: PlayedStation) -> None:
    with station.answering(), Subscription(station.endpoint) as subscription:
        joined(station, subscription)
        first = station.session
        station.publish(2)
        station.publish(3, live=False)
        station.new_ledger()
        station.publish(2, live=False)
        second = station.session
        station.new_ledger()
        for seq in (4, 5):  # rows of an earlier session, published again
            station.publish_again(result_schema.encode(result(station=station.name, session=first, seq=seq)))
        station.publish(2)
        expected = [*numbers(first, 1, 5), *numbers(second, 1, 2), *numbers(station.session, 1, 2)]
        assert short(given(station, subscription, 9)) == expected
        quiet(station, subscription)
        assert not subscription.gaps


def test_without_a_journal_patience_ends_and_the_gap_is_told(station: PlayedStation) -> None:
    with Subscription(station.endpoint, patience_s=0.5) as subscription:  # nobody answers requests
        joined(station, subscription)
        station.publish(1)
        station.publish(3, live=False)
        station.publish(2)
        session = station.session
        found = short(given(station, subscription, 4))
        assert found == [(session, 1), (session, 2, 4), (session, 5), (session, 6)]
        assert list(subscription.gaps) == [Gap(session, 2, 4, station.name)]
        assert subscription.missed == 3


def test_what_never_reached_the_journal_is_a_gap_and_the_rest_is_not(station: PlayedStation) -> None:
    with station.answering(), Subscription(station.endpoint, patience_s=0.5) as subscription:
        joined(station, subscription)
        station.publish(1)
        station.publish(3, live=False)
        station.publish(2, journaled=False, live=False)
        station.publish(1, journaled=False)
        session = station.session
        assert short(given(station, subscription, 6)) == [*numbers(session, 1, 4), (session, 5, 6), (session, 7)]


def test_a_consumer_goes_on_where_it_ended(station: PlayedStation, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    first = station.session
    with station.answering():
        with Subscription(station.endpoint, cursor=cursor) as subscription:
            joined(station, subscription)
            station.publish(5)
            assert short(given(station, subscription, 3)) == numbers(first, 1, 3)
        station.publish(2)
        station.new_ledger()
        station.publish(2)
        with Subscription(station.endpoint, cursor=cursor) as subscription:
            expected = [*numbers(first, 4, 7), *numbers(station.session, 1, 2)]
            assert short(given(station, subscription, 6)) == expected
            quiet(station, subscription)
            assert not subscription.gaps


def test_what_was_being_consumed_at_a_death_is_given_again(station: PlayedStation, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    with station.answering():
        subscription = Subscription(station.endpoint, cursor=cursor)
        joined(station, subscription)
        station.publish(3)
        given(station, subscription, 2)
        subscription.close()  # not asked for the next one, so the last one is not consumed
        with Subscription(station.endpoint, cursor=cursor) as subscription:
            assert short(given(station, subscription, 2)) == numbers(station.session, 2, 3)


def test_a_consumer_that_died_before_its_first_result_misses_none(station: PlayedStation, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    station.publish(2)
    with station.answering():
        subscription = Subscription(station.endpoint, cursor=cursor)
        joined(station, subscription)
        subscription.close()  # as a kill would
        station.publish(2)
        with Subscription(station.endpoint, cursor=cursor) as subscription:
            assert short(given(station, subscription, 2)) == numbers(station.session, 3, 4)


def test_from_the_start_means_the_oldest_in_the_journal(station: PlayedStation) -> None:
    first = station.session
    station.publish(1200)
    station.new_ledger()
    station.publish(2)
    with station.answering(), Subscription(station.endpoint, from_start=True) as subscription:
        found = short(given(station, subscription, 1202))
        assert found == [*numbers(first, 1, 1200), *numbers(station.session, 1, 2)]


def test_two_consumers_do_not_share_a_cursor(station: PlayedStation, tmp_path: Path) -> None:
    with (
        Subscription(station.endpoint, cursor=tmp_path / "cursor"),
        pytest.raises(AlreadyRunning, match=r"cursor .*: another subscriber goes on from this file"),
    ):
        Subscription(station.endpoint, cursor=tmp_path / "cursor")


def test_two_stations_behind_one_address_are_each_in_order(
    station: PlayedStation, run_dir: Path, free_port: Callable[[], int]
) -> None:
    (run_dir / "other").mkdir()
    other = PlayedStation(run_dir / "other", f"{station.name}-2", free_port(), free_port())
    address = f"tcp://127.0.0.1:{free_port()}"
    context = zmq.Context[zmq.Socket[bytes]]()
    with context, context.socket(zmq.XSUB) as inward, context.socket(zmq.XPUB) as outward:
        for each in (station, other):
            inward.connect(each.endpoint)
        inward.send(b"\x01")
        outward.bind(address)

        def forward() -> None:
            while inward.poll(20):
                outward.send_multipart(inward.recv_multipart())
            while outward.poll(0):
                outward.recv_multipart()

        with station.answering(), other.answering(), Subscription(address) as subscription:
            found: dict[str, list[int]] = {station.name: [], other.name: []}
            heard = set()
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and [len(seqs) for seqs in found.values()] != [6, 6]:
                for each in (station, other):
                    each.beat()
                    if each.seq == 0 and len(heard) == 2:
                        each.publish(2)
                        each.publish(2, live=False)
                        each.publish(2)
                forward()
                while (message := subscription.receive(0.05)) is not None:
                    if isinstance(message, Heartbeat):
                        heard.add(message.station)
                    elif isinstance(message, Result):
                        found[message.station].append(message.seq)
            assert found == {station.name: [1, 2, 3, 4, 5, 6], other.name: [1, 2, 3, 4, 5, 6]}
    other.close()


def test_another_station_is_not_heard_and_nonsense_is_counted(station: PlayedStation) -> None:
    with Subscription(station.endpoint, station.name[:-1]) as other, Subscription(station.endpoint) as everything:
        joined(station, everything)
        station.publish_again(b"{not json")
        station.publish_again(b"[" * 100_000)
        station.publish(1)
        assert short(given(station, everything, 1)) == numbers(station.session, 1, 1)
        assert everything.malformed == 2
        assert other.receive(0.3) is None


def test_without_replay_messages_come_as_they_come_and_gaps_are_counted(station: PlayedStation) -> None:
    with station.answering(), Subscription(station.endpoint, replay=False) as subscription:
        joined(station, subscription)
        station.publish(1)
        station.publish(2, live=False)
        station.publish(1)
        station.publish(1, live=False)
        assert short(given(station, subscription, 2)) == [(station.session, 1), (station.session, 4)]
        drained: list[Message] = []
        while (message := subscription.receive(0.3)) is not None:
            drained.append(message)
        station.beat()
        assert isinstance(subscription.receive(5.0), Heartbeat)
        assert subscription.missed == 3
        station.new_ledger()
        joined(station, subscription)
        assert subscription.missed == 3


def test_what_subscribers_send_is_not_kept(station: PlayedStation) -> None:
    context = zmq.Context[zmq.Socket[bytes]]()
    with Subscription(station.endpoint) as subscription, context, context.socket(zmq.XSUB) as rude:
        rude.linger = 1000
        rude.connect(station.endpoint)
        rude.send(b"\x01result/")
        rude.send(b"\x02nobody asked")
        joined(station, subscription)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            station.beat()
        assert not station._stream._socket.poll(0)  # memory that nothing else shows


def test_an_address_that_is_taken_is_told(station: PlayedStation) -> None:
    context = zmq.Context[zmq.Socket[bytes]]()
    with pytest.raises(AlreadyRunning, match="cannot bind"):
        ResultStream(context, "twin", station.endpoint, Gate(context, None))
    context.term()


def test_an_interrupted_consumer_has_not_consumed_what_it_was_not_given(station: PlayedStation, tmp_path: Path) -> None:
    class Interrupted(Exception):  # noqa: N818 - what happened
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    former = signal.signal(signal.SIGALRM, interrupt)
    got: list[int] = []
    try:
        with station.answering(), Subscription(station.endpoint, cursor=tmp_path / "cursor") as subscription:
            joined(station, subscription)
            station.publish(5, live=False)
            station.beat()
            while not isinstance(subscription.receive(1.0), Heartbeat):
                pass
            asked = subscription.receive(0.0)  # the journal is asked, and hardly so quick
            got += [asked.seq] if isinstance(asked, Result) else []
            time.sleep(0.5)  # the answer of the journal comes while the consumer is busy
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            with contextlib.suppress(Interrupted):
                while True:
                    message = subscription.receive(1.0)
                    if isinstance(message, Result):
                        got.append(message.seq)
        with station.answering(), Subscription(station.endpoint, cursor=tmp_path / "cursor") as subscription:
            got += [one.seq for one in given(station, subscription, 5 - len(got)) if isinstance(one, Result)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert got == [1, 2, 3, 4, 5]

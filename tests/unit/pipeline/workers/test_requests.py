"""The process that answers clients, against real sockets, a real journal and a ledger that the test plays."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from pipeline import requests
from pipeline import result as result_schema
from pipeline.ledger.journal_reader import CHECKPOINT_BYTES
from pipeline.messages import Asked, Refused, RequestsHello, Told
from pipeline.requests import LARGEST_REQUEST_BYTES, Replay, Reply, Start, Trigger
from tests.played_stations import PlayedStation


@pytest.fixture
def station(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[PlayedStation]:
    station = PlayedStation(run_dir, station_name, free_port(), free_port())
    with station.answering():
        yield station
    station.close()


@contextmanager
def client(station: PlayedStation, kind: int = zmq.DEALER) -> Iterator["zmq.Socket[bytes]"]:
    context = zmq.Context[zmq.Socket[bytes]]()
    socket = context.socket(kind)
    socket.linger = 1000
    socket.rcvtimeo = 10_000
    socket.connect(station.runtime.control_endpoint)
    yield socket
    socket.close()
    context.term()


def reply_of(socket: "zmq.Socket[bytes]") -> tuple[Reply, list[bytes]]:
    header, *payloads = socket.recv_multipart()
    return requests.decode_reply(header), payloads


def ask(socket: "zmq.Socket[bytes]", request: requests.Command | bytes) -> tuple[Reply, list[bytes]]:
    socket.send(request if isinstance(request, bytes) else requests.encode(request))
    return reply_of(socket)


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_results_are_given_a_page_at_a_time(station: PlayedStation, kind: int) -> None:
    station.publish(5)
    with client(station, kind) as socket:
        reply, payloads = ask(socket, Replay(id="a", limit=3))
        assert reply == Reply("a", session=station.session, seq=3, more=True)
        assert [result_schema.decode(payload) for payload in payloads] == [station.result(seq) for seq in (1, 2, 3)]
        reply, payloads = ask(socket, Replay(id="b", session=reply.session, seq=reply.seq))
        assert reply == Reply("b", session=station.session, seq=5)
        assert [result_schema.decode(payload).seq for payload in payloads] == [4, 5]
        reply, payloads = ask(socket, Replay(id="c", session=reply.session, seq=reply.seq))
        assert (reply, payloads) == (Reply("c", session=station.session, seq=5), [])


def test_a_page_is_bounded_in_bytes(station: PlayedStation) -> None:
    station.fill(1000, 10_000)
    with client(station) as socket:
        reply, payloads = ask(socket, Replay(limit=1000))
        assert reply.more
        assert 1 << 20 <= sum(map(len, payloads)) < 2 << 20
        rest, _ = ask(socket, Replay(session=reply.session, seq=reply.seq, limit=1))
        assert rest.seq == len(payloads) + 1


def test_commands_go_to_the_ledger_and_its_replies_come_back(station: PlayedStation) -> None:
    assert isinstance(station.hear(), RequestsHello)
    with client(station) as socket:
        socket.send(requests.encode(Trigger("SN-1", id="a")))
        asked = station.hear()
        assert isinstance(asked, Asked)
        assert (asked.peer, asked.command) == ("local", Trigger("SN-1", id="a"))
        station.tell(Told(asked.ticket, requests.encode(Reply("a", trigger=9))))
        assert reply_of(socket) == (Reply("a", trigger=9), [])
        assert ask(socket, Trigger("SN-1", id="a")) == (Reply("a", trigger=9), [])
        assert station.hear(Asked, timeout_s=0.3) is None


def test_commands_wait_their_turn_and_none_is_forgotten(station: PlayedStation) -> None:
    assert isinstance(station.hear(), RequestsHello)
    with client(station) as socket:
        for number in range(20):
            socket.send(requests.encode(Start(id=str(number))))
        for number in range(20):
            if not number:
                time.sleep(0.2)  # all of them have come
            asked = station.hear()
            assert isinstance(asked, Asked)
            assert asked.command.id == str(number)
            station.tell(Told(asked.ticket, requests.encode(Reply(str(number)))))
            assert reply_of(socket) == (Reply(str(number)), [])


def test_a_new_ledger_is_asked_again_what_the_old_one_did_not_answer(station: PlayedStation) -> None:
    hello = station.hear()
    with client(station) as socket:
        socket.send(requests.encode(Start(id="a")))
        assert isinstance(station.hear(), Asked)
        station.new_ledger()
        again = station.hear()
        assert isinstance(hello, RequestsHello)
        assert isinstance(again, RequestsHello)
        assert again.session == station.session > hello.session
        asked = station.hear()
        assert isinstance(asked, Asked)
        station.tell(Told(asked.ticket, requests.encode(Reply("a"))))
        assert reply_of(socket) == (Reply("a"), [])


@pytest.mark.parametrize(
    "parts",
    [
        [b"nonsense"],
        [b"["],
        [b"[" * 60_000],
        [b"7"],
        [b"null"],
        [b"[]"],
        [b'"start"'],
        [b""],
        [b'{"command":"start","id":7}'],
        [b'{"command":"start","id":"' + b"x" * 65 + b'"}'],
        [b'{"command":"start"}', b"more"],
        [b"", b"", b""],
        [b'{"command":"start","id":"' + b" " * LARGEST_REQUEST_BYTES + b'"}'],
        [b'{"command":"start","id":"\xff"}'],
    ],
)
def test_what_is_malformed_is_dropped_and_counted(station: PlayedStation, parts: list[bytes]) -> None:
    with client(station) as socket:
        socket.send_multipart(parts)
        assert ask(socket, Replay(id="a"))[0].id == "a"
    assert station.hear(Refused, Asked) == Refused(1)


@pytest.mark.parametrize(
    ("request_text", "error"),
    [
        (b'{"command":"fly","id":"a"}', "fly"),
        (b'{"id":"a"}', "command"),
        (b'{"command":"select_recipe","id":"a"}', "number"),
        (b'{"command":"select_recipe","id":"a","number":-1}', "$.number"),
        (b'{"command":"replay","id":"a","limit":1001}', "$.limit"),
        (b'{"command":"trigger","id":"a","part_id":"line\\nbreak"}', "$.part_id"),
        (b'{"command":"bind","id":"a","parts":[[1,"A"],[2]]}', "$.parts[1]"),
    ],
)
def test_what_is_wrong_is_answered_with_the_reason(station: PlayedStation, request_text: bytes, error: str) -> None:
    with client(station) as socket:
        reply, _ = ask(socket, request_text)
    assert reply.id == "a"
    assert reply.error.startswith("not understood: ")
    assert error in reply.error


def test_fields_that_are_not_known_are_ignored(station: PlayedStation) -> None:
    with client(station) as socket:
        assert ask(socket, b'{"command":"replay","id":"a","colour":"red"}')[0].error == ""


def test_a_client_that_floods_holds_up_nobody_else(station: PlayedStation) -> None:
    station.fill(1000, 3000)
    station.hear(RequestsHello)
    with client(station) as greedy, client(station) as other:
        greedy.sndtimeo = 0
        sent = 0
        for turn in range(20):
            for _ in range(50):
                try:
                    greedy.send(requests.encode(Replay(id=str(sent), limit=1000)))
                    sent += 1
                except zmq.Again:
                    break
            assert ask(other, Replay(id=str(turn), limit=1))[0].seq == 1
            other.send(requests.encode(Start(id=f"start {turn}")))
            asked = station.hear(Asked)
            assert isinstance(asked, Asked)
            station.tell(Told(asked.ticket, requests.encode(Reply(asked.command.id))))
            assert reply_of(other)[0].id == f"start {turn}"
        assert sent > 200
        replies = [reply_of(greedy)[0] for _ in range(5)]
        assert {reply.error for reply in replies} <= {"", "too many requests are waiting"}


def test_a_client_that_does_not_read_loses_its_replies(station: PlayedStation) -> None:
    station.fill(200, 10_000)
    before = resident_bytes()
    with client(station) as deaf, client(station) as other:
        deaf.rcvhwm = 1
        for _ in range(200):
            deaf.send(requests.encode(Replay(limit=1000)))
            assert ask(other, Replay(limit=1))[0].seq == 1
    assert resident_bytes() - before < 100e6  # 200 replies are 200 MB


def test_a_journal_that_cannot_be_read_is_an_error_and_not_the_end(station: PlayedStation) -> None:
    station.publish(2)
    with client(station) as socket:
        assert ask(socket, Replay())[0].seq == 2
        path = station.state / "journal.db"
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            (station.state / name).rename(station.state / f"{name} aside")
        path.write_bytes(b"no database at all" * 1000)
        reply, payloads = ask(socket, Replay(id="a"))
        assert reply.id == "a"
        assert "journal.db" in reply.error
        assert payloads == []
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            (station.state / f"{name} aside").rename(station.state / name)
        assert ask(socket, Replay())[0].seq == 2


def test_the_journal_is_moved_out_of_the_wal_meanwhile(station: PlayedStation) -> None:
    station.fill(4000, 10_000)
    assert (station.state / "journal.db-wal").stat().st_size > CHECKPOINT_BYTES
    deadline = time.monotonic() + 10
    while (station.state / "journal.db").stat().st_size < 8e6 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (station.state / "journal.db").stat().st_size > 8e6


def test_the_reply_is_json_that_any_language_reads(station: PlayedStation) -> None:
    with client(station) as socket:
        socket.send(b'{"command":"replay","id":"a"}')
        header = socket.recv_multipart()[0]
    assert msgspec.json.decode(header)["id"] == "a"


def resident_bytes() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096

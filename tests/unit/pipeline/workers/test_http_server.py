"""The HTTP server of pictures that are sent: who is turned away, and that nobody stays for ever."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import AlreadyRunning, ConfigError
from pipeline.workers.http import read_token
from pipeline.workers.http_answers import Answers
from pipeline.workers.http_server import MOST_CONNECTIONS, Request, Response, Server
from tests.results import result
from tests.stations import any_free_port

TOKEN = b"a-token-of-a-test-0123456789"
SECOND_NS = 1_000_000_000


@contextmanager
def serving(
    inspect: Callable[[Request], Response], queue: int = 1, reading_ns: int = 20 * SECOND_NS
) -> Iterator[Server]:
    bind = f"127.0.0.1:{any_free_port()}"
    with Server(bind, TOKEN, 1000, queue, inspect, 20 * SECOND_NS, reading_ns) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Server, content: bytes = b"picture", token: bytes = TOKEN) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    headers = {"Authorization": f"Bearer {token.decode()}"}
    connection.request("POST", "/inspect?part_id=a%20b&recipe=3&part=2", content, headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.server_address[1])), timeout=10)


def test_a_request_is_passed_on_as_it_was_asked() -> None:
    asked: list[Request] = []

    def inspect(request: Request) -> Response:
        asked.append(request)
        return Response(200, b"found")

    with serving(inspect) as server:
        assert ask(server) == (200, b"found")
        assert ask(server, token=TOKEN + b"x")[0] == ask(server, token=b"")[0] == 401
    assert asked == [Request(b"picture", "a b", 3, False, 2)]


def test_who_finds_no_place_is_told_to_come_again_and_a_failure_is_an_answer() -> None:
    is_in, go_on = threading.Event(), threading.Event()

    def inspect(_: Request) -> Response:
        is_in.set()
        go_on.wait(10)
        raise RuntimeError("of a test")

    with serving(inspect) as server:
        answers: list[tuple[int, bytes]] = []
        first = threading.Thread(target=lambda: answers.append(ask(server)))
        first.start()
        assert is_in.wait(10)
        assert ask(server)[0] == 429
        go_on.set()
        first.join()
        assert answers[0][0] == 500
        assert b"Traceback" not in answers[0][1]
        assert b"of a test" not in answers[0][1]
        assert ask(server)[0] == 500  # its place is free again


def test_who_sends_a_byte_now_and_then_does_not_stay_for_ever() -> None:
    with serving(lambda _: Response(200, b""), reading_ns=SECOND_NS // 5) as server, connected(server) as slow:
        slow.settimeout(0.02)
        for letter in b"POST /inspect HTTP/1.1\r\nX: " + b"x" * 1000:
            server.reap()
            try:
                slow.sendall(bytes([letter]))
                if slow.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            raise AssertionError("it was let stay")


def test_too_many_connections_are_turned_away_and_the_others_served() -> None:
    with serving(lambda _: Response(200, b"")) as server:
        idle = [connected(server) for _ in range(MOST_CONNECTIONS)]
        with connected(server) as more:
            assert more.recv(100).startswith(b"HTTP/1.1 503 ")
        for one in idle:
            one.close()


def test_an_address_that_is_taken_is_refused() -> None:
    with serving(lambda _: Response(200, b"")) as server:
        bind = f"127.0.0.1:{server.server_address[1]}"
        with pytest.raises(AlreadyRunning, match="cannot bind"):
            Server(bind, TOKEN, 1, 1, lambda _: Response(200, b""), 1)


def test_answers_are_whole_whoever_comes_first() -> None:
    answers = Answers()
    parts = [result(software_trigger=4, part_index=index, part_count=2) for index in (0, 1)]
    answers.put(result(software_trigger=None))
    answers.put(parts[1])
    assert answers.wait(4, 0) is None
    answers.put(parts[0])
    assert answers.wait(4, 0) == parts
    assert answers.wait(4, 0) is None


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("short", 0o600, "holds no token"),
        ("two words are no token", 0o600, "no token"),
        (TOKEN.decode(), 0o640, "chmod 600"),
    ],
)
def test_a_token_is_long_and_nobody_elses(tmp_path: Path, content: str, mode: int, words: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=words):
        read_token(path)
    path.write_bytes(TOKEN + b"\n")
    path.chmod(0o600)
    assert read_token(path) == TOKEN

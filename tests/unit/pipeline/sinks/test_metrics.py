"""The HTTP side of the metrics, against clients that do as they like."""

import socket
import struct
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import pytest

from pipeline.sinks.figures import Figures
from pipeline.sinks.metrics import _serve


@pytest.fixture
def port(free_port: Callable[[], int]) -> Iterator[int]:
    number = free_port()
    server = _serve(f"127.0.0.1:{number}", Figures())
    yield number
    server.shutdown()
    server.server_close()


def test_a_client_that_goes_away_leaves_no_word_in_the_log(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by reset
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        assert b"datumd_live 0.0" in page.read()
    assert capfd.readouterr().err == ""

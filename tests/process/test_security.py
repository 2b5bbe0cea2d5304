"""Who gets in, on real sockets of loopback: nothing but a greeting and the handshake reaches a peer without an allowed key."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq

from pipeline import key_file
from pipeline.security import HANDSHAKE_MS, ClientKeys, load_client_keys, secure_client
from tests.process import zmtp_prober
from tests.process.zmtp_prober import command, greeting, message, parse, probe, relay

PATIENCE_MS = 10_000
SOON_MS = 350
SUBSCRIBE = b"\x01"
HALF_OPEN = 300
ROUNDS = 4
GROWTH_KB = 4096

STRANGERS = {
    "nothing": [],
    "NULL": [greeting(b"NULL"), command(b"READY", b"\x0bSocket-Type\0\0\0\3SUB"), message(SUBSCRIBE)],
    "NULL, as a server": [greeting(b"NULL", as_server=True), command(b"READY", b"\x0bSocket-Type\0\0\0\3SUB")],
    "PLAIN": [greeting(b"PLAIN"), command(b"HELLO", b"\4user\6secret"), message(SUBSCRIBE)],
    "CURVE, then in the clear": [
        greeting(b"CURVE"),
        command(b"READY", b"\x0bSocket-Type\0\0\0\3SUB"),
        message(SUBSCRIBE),
    ],
    "CURVE, as a server": [greeting(b"CURVE", as_server=True), command(b"WELCOME", bytes(160))],
    "CURVE, a HELLO for another key": [greeting(b"CURVE"), command(b"HELLO", b"\1\0" + bytes(72) + bytes(120))],
    "CURVE, INITIATE before HELLO": [greeting(b"CURVE"), command(b"INITIATE", bytes(249))],
    "ZMTP 1.0": [b"\x01\x00", b"\x02\x00\x01"],
    "ZMTP 2.0": [zmtp_prober.SIGNATURE + b"\x01\x02\x00\x00", b"\x00\x01\x01"],
    "ZMTP 3.0 NULL": [greeting(b"NULL", version=b"\x03\x00"), command(b"READY", b"\x0bSocket-Type\0\0\0\6DEALER")],
    "HTTP": [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    "a huge frame": [greeting(b"CURVE"), b"\x06\x7f" + bytes(7), bytes(100_000)],
    "garbage": [bytes((7 * place * place) % 256 for place in range(5000))],
}


@dataclass(frozen=True)
class Server:
    """A gated server: its ports (stream, requests), its keys' folder and process."""

    ports: dict[str, int]
    folder: Path
    process: "subprocess.Popen[str]"

    def keys(self, name: str) -> ClientKeys:
        return load_client_keys(self.folder / f"{name}.key", self.folder / "station.pub")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    clients = tmp_path / "clients"
    clients.mkdir()
    for name in ("station", "press4", "stranger"):
        key_file.new_keys(tmp_path, name)
    shutil.copy(tmp_path / "press4.pub", clients)
    arguments = [sys.executable, "-m", "tests.process.gated_server", str(tmp_path / "station.key"), str(clients)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = process.stdout.readline().split()
        try:
            yield Server(dict(zip(("stream", "requests"), map(int, ports), strict=True)), tmp_path, process)
        finally:
            process.kill()


class Clients:
    """Real clients of a test."""

    def __init__(self) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._open: list[zmq.Socket[Any]] = []

    def connect(self, where: str, port: int, keys: ClientKeys | None) -> "zmq.Socket[Any]":
        """A subscriber to everything, or one that has asked who it is."""
        client = self._context.socket(zmq.SUB if where == "stream" else zmq.DEALER)
        self._open.append(client)
        client.linger = 0
        client.reconnect_ivl = -1  # one connection, which the relay writes down
        client.rcvhwm = 0
        secure_client(client, keys)
        if where == "stream":
            client.subscribe(b"")
        client.connect(f"tcp://127.0.0.1:{port}")
        if where == "requests":
            client.send(b"who am I?")
        return client

    def close(self) -> None:
        for client in self._open:
            client.close()
        self._context.term()


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    made.close()


@pytest.mark.parametrize("where", ["stream", "requests"])
@pytest.mark.parametrize("words", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_hears_a_greeting_alone(server: Server, where: str, words: list[bytes]) -> None:
    said = parse(probe(server.ports[where], words, listen_s=0.4))
    assert said.commands == []
    assert said.messages == 0
    assert said.rest == b""
    assert server.process.poll() is None


def refusing(server: Server, where: str, clients: Clients, keys: ClientKeys | None) -> set[bytes]:
    """Names of the commands that the server says to a real client with these keys, which must get no message."""
    with relay(server.ports[where]) as between:
        client = clients.connect(where, between.port, keys)
        assert not client.poll(SOON_MS)
        said = parse(between.heard)
    assert said.messages == 0
    assert b"READY" not in said.commands
    return set(said.commands)


@pytest.mark.parametrize("where", ["stream", "requests"])
def test_an_allowed_client_gets_everything(server: Server, where: str, clients: Clients) -> None:
    with relay(server.ports[where]) as between:
        client = clients.connect(where, between.port, server.keys("press4"))
        assert client.poll(PATIENCE_MS)
        heard = client.recv_multipart()
        said = parse(between.heard)
    assert said.commands[:2] == [b"WELCOME", b"READY"]
    assert said.messages > 0, "the relay would not see a message that leaks"
    if where == "requests":
        assert heard == [b"press4", b"0"], "the server does not know who asks"
    else:
        assert heard[0] == b"result/s/"


@pytest.mark.parametrize("where", ["stream", "requests"])
def test_a_client_without_an_allowed_key(server: Server, where: str, clients: Clients) -> None:
    assert refusing(server, where, clients, None) == set()
    stranger = server.keys("stranger")
    assert refusing(server, where, clients, stranger) == {b"WELCOME", b"ERROR"}
    allowed = server.keys("press4")
    guessed = ClientKeys(allowed.public, allowed.secret, stranger.public)
    assert refusing(server, where, clients, guessed) == set(), "a client that does not know the station's key"
    forged = zmq.curve_keypair()[1]
    assert refusing(server, where, clients, ClientKeys(allowed.public, forged, allowed.server)) <= {b"WELCOME"}
    [counted] = connected_answer(server, clients)
    assert counted == b"1", "the one that showed an unknown key is counted"


def connected_answer(server: Server, clients: Clients) -> list[bytes]:
    client = clients.connect("requests", server.ports["requests"], server.keys("press4"))
    assert client.poll(PATIENCE_MS)
    return client.recv_multipart()[1:]  # type: ignore[no-any-return]  # pyzmq's frames have no type


def test_the_station_is_its_own_client(server: Server, clients: Clients) -> None:
    client = clients.connect("requests", server.ports["requests"], server.keys("station"))
    assert client.poll(PATIENCE_MS)
    assert client.recv_multipart()[0] == b"local"


def test_files_decide_at_each_connection(server: Server, clients: Clients) -> None:
    allowed = server.folder / "clients" / "press4.pub"
    allowed.unlink()
    assert refusing(server, "stream", clients, server.keys("press4")) == {b"WELCOME", b"ERROR"}
    outside = server.folder / "press4.pub"
    allowed.symlink_to(outside)
    assert b"READY" not in refusing(server, "stream", clients, server.keys("press4")), "a link leads out of the folder"
    allowed.unlink()
    (allowed.parent / "broken.pub").write_bytes(b"\xff" * 10_000)
    shutil.copy(outside, allowed)
    assert clients.connect("stream", server.ports["stream"], server.keys("press4")).poll(PATIENCE_MS)
    shutil.rmtree(allowed.parent)
    assert refusing(server, "stream", clients, server.keys("press4")) == {b"WELCOME", b"ERROR"}
    assert server.process.poll() is None


def test_a_message_without_measure_ends_its_connection(server: Server, clients: Clients) -> None:
    client = clients.connect("requests", server.ports["requests"], server.keys("press4"))
    assert client.poll(PATIENCE_MS)
    client.recv_multipart()
    client.send(bytes(2 << 20))
    client.send(b"and now?")
    assert not client.poll(SOON_MS)
    assert connected_answer(server, clients) == [b"0"]


def resident_kb(process: "subprocess.Popen[str]") -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def flood(port: int) -> list[socket.socket]:
    """Connections that never say who they are: silent, half a greeting, a greeting, garbage."""
    words = [b"", greeting(b"CURVE")[:11], greeting(b"CURVE"), greeting(b"CURVE") + b"\x04\xff", bytes(3000)]
    opened = []
    for number in range(HALF_OPEN):
        peer = socket.create_connection(("127.0.0.1", port), timeout=5.0)
        opened.append(peer)
        try:
            peer.sendall(words[number % len(words)])
        except OSError:  # the server has hung up already
            continue
    return opened


def test_a_flood_of_strangers_stops_nobody(server: Server, clients: Clients) -> None:
    port = server.ports["stream"]
    subscriber = clients.connect("stream", port, server.keys("press4"))
    assert subscriber.poll(PATIENCE_MS)
    sizes, opened = [], []
    for _ in range(ROUNDS):
        opened += flood(port)
        new = clients.connect("stream", port, server.keys("press4"))
        assert new.poll(PATIENCE_MS), "a client with a key waits behind strangers"
        new.close()
        time.sleep(HANDSHAKE_MS / 1000 / 2)  # so that those of the round before last have been closed
        sizes.append(resident_kb(server.process))
    for peer in opened:
        peer.close()
    numbers = []
    while subscriber.poll(0) and len(numbers) < 100_000:
        numbers.append(int(subscriber.recv_multipart()[1]))
    assert len(numbers) > 1000
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a result was missed"
    assert sizes[-1] - sizes[1] < GROWTH_KB, sizes

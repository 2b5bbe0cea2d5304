"""The workers' lines to the ledger: messages of any length, in order, over ledgers that come and go."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.messages import Abandoned, CameraStatus, Copied, Counted, Exhausted, Told
from pipeline.workers.line import CHUNK_BYTES, Line, framed
from pipeline.workers.link import LedgerLink
from pipeline.workers.switchboard import Switchboard
from tests.played_ledger import PlayedLedger


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    lines = tuple(Line(end) for end in socket.socketpair())
    yield lines[0], lines[1]
    for line in lines:
        line.close()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 4, CHUNK_BYTES - 3, 3 * CHUNK_BYTES])
def test_messages_of_every_length_arrive_whole_and_in_order(ends: tuple[Line, Line], size: int) -> None:
    one, other = ends
    sent = [bytes([number]) * size for number in range(3)]
    for payload in sent:
        one.send(payload)
    found: list[bytes] = []
    while len(found) < 3:
        found += other.receive()
        one.flush()
    assert found == sent
    assert not one.has_unsent


def test_a_message_in_pieces_is_given_when_it_is_whole() -> None:
    near, far = socket.socketpair()
    line = Line(near)
    message = framed(b"whole") + framed(b"next")
    for cut in range(len(message)):
        far.send(message[cut : cut + 1])
        expected = {8: [b"whole"], len(message) - 1: [b"next"]}.get(cut, [])
        assert line.receive() == expected
    line.close()
    far.close()


def test_an_end_that_does_not_read_is_not_waited_for(ends: tuple[Line, Line]) -> None:
    one, other = ends
    sent = [os.urandom(CHUNK_BYTES) for _ in range(40)]  # more than the kernel takes
    for payload in sent:
        one.send(payload)
    assert one.has_unsent
    assert one.unsent == sent[-len(one.unsent) :], "what is left are whole messages"
    found: list[bytes] = []
    while len(found) < len(sent):
        found += other.receive()
        one.flush()
    assert found == sent


def test_an_end_that_is_gone_shows_and_raises_nothing(ends: tuple[Line, Line]) -> None:
    one, other = ends
    one.send(b"last words")
    one.close()
    assert other.receive() == [b"last words"]
    assert other.receive() == []
    assert not other.is_open
    other.send(b"to nobody")
    assert other.unsent == [b"to nobody"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def test_a_worker_that_starts_first_is_heard_once_there_is_a_ledger(path: Path) -> None:
    link = LedgerLink(path, "grab.top")
    link.send(Exhausted("top"))
    assert list(link.receive(0.0)) == []
    assert link.descriptor is None
    ledger = PlayedLedger(path)
    assert list(link.receive(0.0)) == []
    assert ledger.hear() == Exhausted("top")
    ledger.tell("grab.top", Abandoned(3, 7))
    assert list(link.receive(10.0)) == [Abandoned(3, 7)]
    link.close()
    ledger.close()


def test_what_a_dead_ledger_did_not_take_goes_to_the_next_whole_and_in_order(path: Path) -> None:
    first = PlayedLedger(path)
    link = LedgerLink(path, "evidence")
    count = 0
    while not link.has_unsent:  # it does not read
        link.send(Copied(count, 1, good=True))
        count += 1
    first.close()
    second = PlayedLedger(path)
    link.send(Copied(count, 1, good=True))
    assert list(link.receive(0.0)) == []
    taken = second.hear()
    assert isinstance(taken, Copied)
    assert taken.slot > 0, "the kernel took the first ones for the dead ledger"
    for slot in range(taken.slot + 1, count + 1):
        link.send(Exhausted("x"))  # any call passes on what waits
        assert second.hear(Copied) == Copied(slot, 1, good=True)
    link.close()
    second.close()


def test_reconnecting_drops_what_was_meant_for_the_old_ledger(path: Path) -> None:
    link = LedgerLink(path, "infer.0")
    link.send(Counted("top", 1))
    ledger = PlayedLedger(path)
    link.reconnect()
    link.send(Counted("top", 2))
    assert ledger.hear() == Counted("top", 2)
    link.close()
    ledger.close()


def test_a_worker_that_was_started_again_takes_its_forerunners_name(path: Path) -> None:
    ledger = PlayedLedger(path)
    before, after = (LedgerLink(path, "requests") for _ in range(2))
    before.send(Counted("top", 1))
    after.send(Counted("top", 2))
    assert [ledger.hear(), ledger.hear()] == [Counted("top", 1), Counted("top", 2)]
    ledger.tell("requests", Told(1, b"{}"))
    assert list(after.receive(10.0)) == [Told(1, b"{}")]
    assert list(before.receive(0.0)) == []
    before.close()
    after.send(Counted("top", 3))
    assert ledger.hear() == Counted("top", 3)
    ledger.tell("requests", Told(2, b"{}"))
    assert list(after.receive(10.0)) == [Told(2, b"{}")], "the name stays with the newer line"
    ledger.tell("nobody", Told(3, b"{}"))
    after.close()
    ledger.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        framed(b"\xff\xfe"),
        framed(b"grab.top") + framed(b"\xc1"),
        framed(b"grab.top") + framed(b"\x91\xa4What"),
        b"\xff" * 9,
    ],
    ids=["name", "bytes", "message", "length"],
)
def test_one_who_speaks_nonsense_is_hung_up_and_the_others_are_heard(path: Path, nonsense: bytes) -> None:
    ledger = PlayedLedger(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(str(path))
        stranger.sendall(nonsense)
        link = LedgerLink(path, "infer.0")
        link.send(Counted("top", 1))
        assert ledger.hear() == Counted("top", 1)
        stranger.settimeout(10.0)
        assert stranger.recv(1) == b"", "the line is closed"
    link.close()
    ledger.close()


def test_the_last_words_of_a_process_that_was_killed_are_heard(path: Path) -> None:
    ledger = PlayedLedger(path)
    words = f"""
import os, signal
from pathlib import Path
from pipeline.messages import Counted
from pipeline.workers.link import LedgerLink
link = LedgerLink(Path({str(path)!r}), "grab.top")
for number in range(200):
    link.send(Counted("top", number))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", words], check=False)
    assert [ledger.hear() for _ in range(200)] == [Counted("top", number) for number in range(200)]
    ledger.close()


def test_last_words_are_heard_though_they_were_answered_too_late(path: Path) -> None:
    ledger = PlayedLedger(path)
    link = LedgerLink(path, "grab.top")
    link.send(Counted("top", 1))
    assert ledger.hear() == Counted("top", 1)
    for number in range(2, 200):
        link.send(Counted("top", number))
    link.close()
    ledger.tell("grab.top", Told(1, b"{}"))  # to nobody
    assert [ledger.hear() for _ in range(2, 200)] == [Counted("top", number) for number in range(2, 200)]
    ledger.close()


def test_the_last_words_of_a_ledger_are_heard_though_they_were_answered_too_late(path: Path) -> None:
    ledger = PlayedLedger(path)
    link = LedgerLink(path, "evidence")
    link.send(Exhausted("x"))
    assert ledger.hear() == Exhausted("x")
    ledger.tell("evidence", Abandoned(3, 7))
    ledger.close()
    link.send(Exhausted("y"))
    assert list(link.receive(0.0)) == [Abandoned(3, 7)]
    assert list(link.receive(0.0)) == []
    successor = PlayedLedger(path)
    link.send(Exhausted("z"))
    assert [successor.hear(), successor.hear()] == [Exhausted("y"), Exhausted("z")]
    link.close()
    successor.close()


def test_all_the_last_words_of_a_process_come_before_its_end_and_its_successor(path: Path) -> None:
    switchboard = Switchboard(path)
    words = f"""
import os, signal
from pathlib import Path
from pipeline.messages import CameraStatus
from pipeline.workers.link import LedgerLink
link = LedgerLink(Path({str(path)!r}), "grab.top")
link.send(CameraStatus("top", True, "x" * {2 * CHUNK_BYTES}))
link.send(CameraStatus("top", False, "last"))
assert not link.has_unsent
print("said", flush=True)
os.read(0, 1)
"""
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"said\n"
        switchboard.greet("grab.top", child.pid)
    successor = LedgerLink(path, "grab.top")
    successor.send(Counted("top", 1))
    switchboard.wait(0)  # it has come
    switchboard.wait(0)
    heard = list(switchboard.hear())
    assert [len(one.text) for one in heard if isinstance(one, CameraStatus)] == [2 * CHUNK_BYTES, len("last")]
    assert heard[2:] == [Counted("top", 1)]
    assert switchboard.ended() == ["grab.top"]
    successor.close()
    switchboard.close()


def test_a_message_longer_than_the_kernel_takes_goes_on_as_soon_as_it_is_read(path: Path) -> None:
    ledger = PlayedLedger(path)
    link = LedgerLink(path, "infer.0")
    text = "x" * (20 * CHUNK_BYTES)
    link.send(CameraStatus("top", up=True, text=text))
    assert link.has_unsent
    heard: list[object] = []
    reader = threading.Thread(target=lambda: heard.append(ledger.hear(timeout_ms=5_000)))
    reader.start()
    while link.has_unsent and reader.is_alive():
        assert list(link.receive(10.0)) == []  # nobody says anything
    reader.join()
    assert heard == [CameraStatus("top", up=True, text=text)]
    link.close()
    ledger.close()

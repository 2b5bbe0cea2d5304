"""Pictures sent over HTTP, through the whole daemon: each request gets the results of its own picture, or why not."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from pipeline.client import Control, Subscription
from pipeline.result import Result
from simulator.child import DaemonProcess
from tests.recipes import frame_with_part, make_recipe
from tests.stations import any_free_port, running, write_station

TOKEN = "a-token-of-a-test-0123456789"  # noqa: S105 - of a test
MEASURED = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = 2.0\n'


def png(shift_px: float = 0.0) -> bytes:
    """A part whose dots a, b are 128 px + `shift_px` apart."""
    wide = frame_with_part()
    wide[:128, 128:] = frame_with_part(shift_px=(shift_px, 0.0))[:128, 128:]
    return cv2.imencode(".png", wide)[1].tobytes()


@dataclass(frozen=True)
class Answer:
    code: int
    headers: dict[str, str]
    content: bytes

    @property
    def said(self) -> dict[str, object]:
        told: dict[str, object] = json.loads(self.content)
        return told


@dataclass(frozen=True)
class Scene:
    port: int
    control: str
    daemon: DaemonProcess
    subscription: Subscription

    def ask(
        self, content: bytes = b"", query: str = "", *, method: str = "POST", path: str = "/inspect", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Authorization": f"Bearer {TOKEN}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection.request(method, path + query, content, given)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("http")
    make_recipe(folder / "recipes" / "dots", ["top"], rest=MEASURED)
    token = folder / "http.token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    port, results, control = any_free_port(), any_free_port(), any_free_port()
    camera = (
        f'[camera.top]\ntype = "http"\nbind = "127.0.0.1:{port}"\ntoken = "http.token"\nwidth = 256\nheight = 256\n'
        f'limit_mb = 0.25\n[part]\ndeadline_ms = 5000\n[control]\nbind = "tcp://127.0.0.1:{control}"\n'
    )
    station = write_station(folder, f"http{os.getpid()}", folder / "recipes", results, any_free_port(), camera)
    with running(station, results) as (daemon, subscription):
        made = Scene(port, f"tcp://127.0.0.1:{control}", daemon, subscription)
        until = time.monotonic() + 30
        while made.ask(png()).code == 503 and time.monotonic() < until:  # until it has heard a heartbeat
            time.sleep(0.1)
        yield made


def test_a_picture_is_answered_by_its_own_result_which_the_journal_has_too(scene: Scene) -> None:
    answer = scene.ask(png(5.0), "?part_id=SN-1&recipe=1")
    assert answer.code == 200
    assert answer.said["disposition"] == "REJECT"
    (result,) = answer.said["results"]  # type: ignore[misc]  # JSON
    assert (result["part_id"], result["software_trigger"]) == ("SN-1", answer.said["trigger"])
    assert result["measurements"][0]["value"] == pytest.approx(133.0, abs=0.2)
    assert result["journaled"] is True
    assert scene.ask(png()).said["disposition"] == "PASS"


def test_many_at_once_get_each_its_own_or_are_told_to_come_again(scene: Scene) -> None:
    answers: dict[int, Answer] = {}

    def send(number: int) -> None:
        while (answer := scene.ask(png(number / 4), f"?part_id=SN-{number}")).code == 429:
            assert answer.headers["Retry-After"] == "1"
            time.sleep(0.02)
        answers[number] = answer

    threads = [threading.Thread(target=send, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.code for answer in answers.values()} == {200}
    for number, answer in answers.items():
        (result,) = answer.said["results"]  # type: ignore[misc]  # JSON
        assert result["part_id"] == f"SN-{number}"
        assert result["measurements"][0]["value"] == pytest.approx(128.0 + number / 4, abs=0.2)
    assert len({answer.said["trigger"] for answer in answers.values()}) == 24


def test_the_picture_comes_back_with_what_was_found(scene: Scene) -> None:
    answer = scene.ask(png(5.0), Accept="image/png")
    assert (answer.code, answer.headers["Content-Type"]) == (200, "image/png")
    assert (answer.headers["Datumd-Evaluation"], answer.headers["Datumd-Disposition"]) == ("NOT_OK", "REJECT")
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (256, 256, 3)
    assert (picture[:, :, 2].astype(int) - picture[:, :, 1]).max() > 100


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"content": b"no picture"}, 415, "is no image"),
        ({"content": png()[:40]}, 422, "cannot be decoded"),
        (
            {"content": cv2.imencode(".png", np.zeros((8, 9), np.uint8))[1].tobytes()},
            422,
            "is 9 x 8; allowed: 256 x 256",
        ),
        ({"content": bytes(1 << 19)}, 413, "262144 bytes at most"),
        ({"content": png(), "Authorization": "Bearer wrong"}, 401, "token"),
        ({"content": png(), "query": "?recipe=7"}, 409, "recipe 1 is selected, not 7; nothing was triggered"),
        ({"content": png(), "query": "?recipe=x"}, 400, "numbers"),
        ({"content": png(), "query": "?colour=red"}, 400, "unknown in the query"),
        ({"content": png(), "query": "?part_id=%00"}, 400, "part_id"),
        ({"content": png(), "query": "?part=2", "Accept": "image/png"}, 422, "there is no part 2, there are 1"),
        ({"content": png(), "Transfer_Encoding": "chunked"}, 411, "Content-Length"),
        ({"path": "/"}, 404, "/inspect"),
        ({"method": "GET"}, 405, "POST"),
    ],
)
def test_what_cannot_be_answered_is_told_in_one_line(
    scene: Scene, given: dict[str, str], code: int, words: str
) -> None:
    answer = scene.ask(**given)  # type: ignore[arg-type]  # the content is bytes
    assert answer.code == code
    assert words in str(answer.said["error"])


def test_a_trigger_that_brings_no_picture_is_answered_and_takes_nobody_elses(scene: Scene) -> None:
    with Control(scene.control) as control:
        number = control.trigger("by hand")
        until = time.monotonic() + 20
        while time.monotonic() < until:
            message = scene.subscription.receive(0.2)
            if isinstance(message, Result) and message.software_trigger == number:
                assert [reason.code for reason in message.reasons] == ["not_triggered"]
                break
        else:
            raise AssertionError("no answer to the trigger")
        control.stop()  # software triggers are inspected all the same
        assert scene.ask(png(), "?part_id=after").said["results"][0]["part_id"] == "after"  # type: ignore[index]  # JSON
        control.start()


def test_slow_clients_hold_nobody_up(scene: Scene) -> None:
    head = f"POST /inspect HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9999\r\n\r\n".encode()
    slow = [socket.create_connection(("127.0.0.1", scene.port)) for _ in range(20)]
    for number, one in enumerate(slow):
        one.sendall(head + b"\x89" if number % 2 else head[:20])
    try:
        for number in range(5):
            assert scene.ask(png(), f"?part_id={number}").code == 200
    finally:
        for one in slow:
            one.close()


def test_each_request_gets_one_answer_while_processes_die(scene: Scene) -> None:
    codes: list[int] = []
    stop = threading.Event()
    with Control(scene.control) as control:
        workers = {process.name: process.pid for process in control.status().processes}

    def send() -> None:
        while not stop.is_set():
            codes.append(scene.ask(png()).code)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        for name in ("grab.top", "ledger", "infer.0"):
            time.sleep(0.5)
            os.kill(workers[name], signal.SIGKILL)
            time.sleep(2.0)
    finally:
        stop.set()
        thread.join(40)
    assert not thread.is_alive()
    assert set(codes) <= {200, 503, 504}
    assert codes.count(200) > 0
    until = time.monotonic() + 30
    while scene.ask(png()).code != 200:
        assert time.monotonic() < until
        time.sleep(0.2)

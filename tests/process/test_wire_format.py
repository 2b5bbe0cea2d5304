"""docs/wire-format.md against the code: every field is described, and both of its subscribers receive a result."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from pipeline.ledger.wire import ResultStream
from pipeline.result import Keypoint, Measurement, Reason, Result, View
from pipeline.status import CameraReport, Heartbeat, ProcessReport, Status
from tests.results import RESULT

DOCUMENT = (Path(__file__).parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")


def snippet(language: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def first_line_of(words: list[str], publish: Callable[[], None]) -> str:
    """Publishes until the subscriber has printed a line; a subscriber joins a stream at a moment of its own."""
    subscriber = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert subscriber.stdout is not None
        poller = zmq.Poller()
        poller.register(subscriber.stdout, zmq.POLLIN)
        deadline = time.monotonic() + 30.0
        while not poller.poll(50):
            assert time.monotonic() < deadline, "the subscriber printed nothing"
            publish()
        return subscriber.stdout.readline().strip()
    finally:
        subscriber.kill()
        subscriber.wait()
        if subscriber.stdout is not None:
            subscriber.stdout.close()


@pytest.fixture
def stream(free_port: Callable[[], int]) -> Iterator[tuple[ResultStream, str]]:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with zmq.Context() as context:
        stream = ResultStream(context, "demo", endpoint)
        yield stream, endpoint
        stream.close()


def test_python_subscriber(stream: tuple[ResultStream, str], tmp_path: Path) -> None:
    source = tmp_path / "subscriber.py"
    source.write_text(snippet("python").replace("tcp://127.0.0.1:5570", stream[1]))
    line = first_line_of([sys.executable, "-u", str(source)], lambda: stream[0].publish_result(RESULT))
    assert line == f"{RESULT.seq} {RESULT.trigger_number} {RESULT.result_evaluation} {RESULT.disposition}"


@pytest.mark.needs_debian("libzmq3-dev")
def test_c_subscriber(stream: tuple[ResultStream, str], tmp_path: Path) -> None:
    source, program = tmp_path / "subscriber.c", tmp_path / "subscriber"
    source.write_text(snippet("c").replace("tcp://127.0.0.1:5570", stream[1]))
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lzmq"], check=True, timeout=60)
    line = first_line_of([str(program)], lambda: stream[0].publish_result(RESULT))
    assert msgspec.json.decode(line, type=Result) == RESULT


def documented(heading: str) -> set[str]:
    section = re.split(rf"^##+ {heading}$", DOCUMENT, flags=re.MULTILINE)[1]
    table = re.split(r"^#", section, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(
    ("heading", "struct"),
    [
        ("Result", Result),
        ("Reason", Reason),
        ("View", View),
        ("Keypoint", Keypoint),
        ("Measurement", Measurement),
        ("Heartbeat", Heartbeat),
        ("Status", Status),
        ("Camera", CameraReport),
        ("Process", ProcessReport),
    ],
)
def test_every_field_is_described(heading: str, struct: type[msgspec.Struct]) -> None:
    assert documented(heading) == set(struct.__struct_encode_fields__)

"""docs/wire-format.md against the code: fields and codes are described, examples decode, its short subscribers work."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import zmq

from pipeline import requests
from pipeline import result as result_schema
from pipeline.ledger.wire import ResultStream
from pipeline.loss import LOSS_KINDS
from pipeline.requests import Gap, RecipeEntry, Reply
from pipeline.result import Defect, DefectMask, Keypoint, Measurement, Reason, Result, View
from pipeline.security import Gate
from pipeline.status import CameraReport, EvidenceReport, Heartbeat, JournalReport, ProcessReport, StationState, Status
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
        stream = ResultStream(context, "demo", endpoint, Gate(context, None))
        yield stream, endpoint
        stream.close()


def test_python_subscriber(stream: tuple[ResultStream, str], tmp_path: Path) -> None:
    source = tmp_path / "subscriber.py"
    source.write_text(snippet("python").replace("tcp://127.0.0.1:5570", stream[1]))
    line = first_line_of(
        [sys.executable, "-u", str(source)], lambda: stream[0].publish_result(result_schema.encode(RESULT))
    )
    assert line == f"{RESULT.seq} {RESULT.trigger_number} {RESULT.result_evaluation} {RESULT.disposition}"


@pytest.mark.needs_debian("libzmq3-dev")
def test_c_subscriber(stream: tuple[ResultStream, str], tmp_path: Path) -> None:
    source, program = tmp_path / "subscriber.c", tmp_path / "subscriber"
    source.write_text(snippet("c").replace("tcp://127.0.0.1:5570", stream[1]))
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lzmq"], check=True, timeout=60)
    line = first_line_of([str(program)], lambda: stream[0].publish_result(result_schema.encode(RESULT)))
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
        ("Defect", Defect),
        ("Mask", DefectMask),
        ("Heartbeat", Heartbeat),
        ("Status", Status),
        ("Camera", CameraReport),
        ("Process", ProcessReport),
        ("Journal", JournalReport),
        ("Images", EvidenceReport),
        ("Reply", Reply),
        ("Gap", Gap),
        ("Recipe", RecipeEntry),
    ],
)
def test_every_field_is_described(heading: str, struct: type[msgspec.Struct]) -> None:
    assert documented(heading) == set(struct.__struct_encode_fields__)


def test_every_loss_and_state_is_described() -> None:
    named = set(re.findall(r"`(\w+)`", DOCUMENT))
    assert {*LOSS_KINDS, *StationState} <= named


def examples() -> list[str]:
    blocks = re.findall(r"^```json\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_command_has_an_example_and_a_row() -> None:
    given = {json.loads(line).get("command") for line in examples()} - {None}
    known = {kind.__struct_config__.tag for kind in get_args(requests.Command)}
    assert given == known == documented_commands()


def documented_commands() -> set[str]:
    table = re.split(r"^### Reply$", DOCUMENT.split("## Requests")[1], flags=re.MULTILINE)[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))


@pytest.mark.parametrize("line", examples(), ids=lambda line: line[:40])
def test_examples_are_what_is_sent_byte_for_byte(line: str) -> None:
    """A field of another name would be ignored in decoding, and so be missing here."""
    if "command" in json.loads(line):
        command = requests.decode_request(line)
        assert json.loads(requests.encode(command)).items() >= json.loads(line).items()
    else:
        assert requests.encode(requests.decode_reply(line)).decode() == line

"""The commands that speak with a running station, in a shell; the ledger is played by the test."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from pipeline import requests
from pipeline import result as result_schema
from pipeline.messages import Asked, Told
from pipeline.requests import (
    AskStatus,
    Command,
    ListRecipes,
    RecipeEntry,
    Reply,
    Resynchronise,
    SelectRecipe,
    Start,
    Stop,
    Trigger,
)
from pipeline.result import Disposition, Evaluation
from pipeline.status import CameraReport, JournalReport, StationState, Status
from tests.played_stations import PlayedStation

RECIPES = [
    RecipeEntry(1, "bracket", True, "ab12cd34ef56ab78"),
    RecipeEntry(2, "plate", False, fault="has changed since it was sealed"),
]
CAMERA = CameraReport("top", "top", True, "armed", "counted", 12, {"incomplete": 2, "stale": 0}, None)
STATUS = Status(
    "L3-S20", 7, StationState.ContinuousExecution, "", "0.1.0", 1, "bracket", "ab12cd34ef56ab78", "onnxruntime",
    [CAMERA], [], 14, 1, {"OK": 11, "UNDEFINED": 2}, 0, 0, "2026-01-01T00:00:00Z",
    recipes=RECIPES, journal=JournalReport(fault="disk full", unwritten=3),
)  # fmt: skip


@pytest.fixture
def station(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[PlayedStation]:
    station = PlayedStation(run_dir, station_name, free_port(), free_port())
    with station.answering():
        yield station
    station.close()


def datumd(
    station: PlayedStation, words: list[str], answer: Callable[[Command], Reply]
) -> tuple[int, str, str, list[Command]]:
    """Exit code, what it said, and what reached the ledger."""
    command = [sys.executable, "-m", "pipeline", *words, station.endpoint]
    heard = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < deadline:
            station.beat()
            asked = station.hear(Asked, timeout_s=0.05)
            if isinstance(asked, Asked):
                heard.append(asked.command)
                station.tell(Told(asked.ticket, requests.encode(answer(asked.command))))
        child.kill()
        words_out, errors = child.communicate()
        return child.returncode, words_out, errors, heard


def answered(command: Command) -> Reply:
    match command:
        case ListRecipes():
            return Reply(command.id, recipes=RECIPES)
        case AskStatus():
            return Reply(command.id, status=msgspec.Raw(msgspec.json.encode(STATUS)))
        case SelectRecipe(number=9):
            return Reply(command.id, "there is no recipe 9", "datumd recipe list")
    return Reply(command.id)


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("start", Start, "every trigger is inspected\n"),
        ("stop", Stop, "software triggers alone are inspected\n"),
        ("resynchronise", Resynchronise, "the cameras' counters count the same triggers from here on\n"),
    ],
)
def test_a_word_reaches_the_ledger(station: PlayedStation, word: str, kind: type[Command], said: str) -> None:
    code, words, errors, heard = datumd(station, [word], answered)
    assert (code, words, errors) == (0, said, "")
    assert [type(command) for command in heard] == [kind]


def test_on_a_terminal_the_status_renews_itself_until_it_is_interrupted(station: PlayedStation) -> None:
    status = msgspec.structs.replace(STATUS, station=station.name)
    here, there = pty.openpty()
    os.set_blocking(here, False)
    command = [sys.executable, "-m", "pipeline", "status", station.endpoint]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    seen, is_ended = b"", False
    with subprocess.Popen(
        command, stdin=there, stdout=there, stderr=there, env=environment, start_new_session=True
    ) as child:
        os.close(there)
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            station.beat()
            asked = station.hear(Asked, timeout_s=0.1)
            if isinstance(asked, Asked):
                reply = Reply(asked.command.id, status=msgspec.Raw(msgspec.json.encode(status)))
                station.tell(Told(asked.ticket, requests.encode(reply)))
            station.say(msgspec.structs.replace(status, triggers=4711))
            station.publish(journaled=False)
            with suppress(OSError):  # nothing yet, or the terminal's other end is closed
                seen += os.read(here, 1 << 16)
            if b"triggers 4711" in seen and b"pin_span.high" in seen and not is_ended:
                child.send_signal(signal.SIGINT)
                is_ended = True
        child.kill()
    os.close(here)
    assert is_ended, seen
    assert child.returncode == 0
    assert seen.startswith(b"\x1b[?1049h")  # a screen of its own, so that what was there comes back


def test_status_is_for_people_and_for_programs(station: PlayedStation) -> None:
    code, words, _, _ = datumd(station, ["status"], answered)
    assert code == 0
    assert "station    L3-S20  ContinuousExecution\n" in words
    assert "camera     top: up, armed, 12 frames, counted, incomplete 2\n" in words
    assert "journal    disk full, 3 unwritten, 0 forgotten\n" in words
    code, words, _, _ = datumd(station, ["status", "--json"], answered)
    assert msgspec.json.decode(words, type=Status) == STATUS


def test_a_station_in_error_is_no_success(station: PlayedStation) -> None:
    failed = msgspec.structs.replace(STATUS, state=StationState.Error, text="camera top is not there")
    reply = msgspec.Raw(msgspec.json.encode(failed))
    code, words, _, _ = datumd(station, ["status"], lambda command: Reply(command.id, status=reply))
    assert code == 1
    assert "Error: camera top is not there\n" in words


def test_recipes_are_listed_selected_and_refused(station: PlayedStation) -> None:
    _, words, _, _ = datumd(station, ["recipe", "list"], answered)
    assert words.splitlines() == [
        "    1  bracket                  selected  ab12cd34ef56",
        "    2  plate                              has changed since it was sealed",
    ]
    code, words, _, heard = datumd(station, ["recipe", "select", "1"], answered)
    assert (code, words) == (0, "recipe 1 is selected, from the next part on\n")
    assert isinstance(heard[0], SelectRecipe)
    assert heard[0].number == 1
    code, words, errors, _ = datumd(station, ["recipe", "select", "9"], answered)
    assert (code, words) == (2, "")
    assert errors.endswith("there is no recipe 9; next: datumd recipe list\n")
    assert errors.count("\n") == 1
    assert datumd(station, ["recipe", "status"], answered)[1] == "1  bracket  ab12cd34ef56ab78\n"


@pytest.mark.parametrize(("evaluation", "code"), [(Evaluation.OK, 0), (Evaluation.NOT_OK, 3)])
def test_trigger_prints_its_own_answer(station: PlayedStation, evaluation: Evaluation, code: int) -> None:
    def fire(command: Command) -> Reply:
        assert isinstance(command, Trigger)
        station.publish(1)  # of the line
        for index in (0, 1):
            station.seq += 1
            passes = evaluation is Evaluation.OK or index == 0
            found = msgspec.structs.replace(
                station.result(station.seq),
                trigger_number=77,
                part_id=command.part_id,
                part_index=index,
                part_count=2,
                result_evaluation=Evaluation.OK if passes else evaluation,
                disposition=Disposition.PASS if passes else Disposition.REJECT,
                software_trigger=5,
            )
            station.publish_again(result_schema.encode(found))
        return Reply(command.id, trigger=5)

    exit_code, words, _, heard = datumd(station, ["trigger", "--part-id", "SN-1"], fire)
    assert exit_code == code
    assert [line.split()[0] for line in words.splitlines()] == ["77/1", "77/2"]
    assert isinstance(heard[0], Trigger)
    assert heard[0].part_id == "SN-1"


def test_a_trigger_without_an_answer_is_told(station: PlayedStation) -> None:
    code, words, errors, _ = datumd(
        station, ["trigger", "--timeout", "1"], lambda command: Reply(command.id, trigger=5)
    )
    assert (code, words) == (1, "")
    assert errors == "datumd: no answer within 1 s; next: datumd status\n"


def test_nobody_there_is_told_in_one_line(free_port: Callable[[], int]) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "pipeline", "status", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"datumd: {address}: a station was not heard within 5 s: none runs, or it publishes elsewhere; "
        "next: datumd run STATION.toml, or this command with the station's results address\n"
    )

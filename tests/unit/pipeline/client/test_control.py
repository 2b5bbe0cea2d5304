"""Control against the process that answers clients, with a ledger that the test plays."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from pipeline import requests
from pipeline.client import Control, NoAnswer, RequestRefused, find_control
from pipeline.messages import Asked, Told
from pipeline.requests import (
    AskStatus,
    Bind,
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
from pipeline.status import StationState, Status
from tests.played_stations import PlayedStation

STATUS = Status(
    "L3-S20", 1, StationState.Ready, "", "1", 1, "a", "b", "c", [], [], 0, 0, {}, 0, 0, "2026-01-01T00:00:00Z"
)
RECIPES = [RecipeEntry(1, "bracket", True), RecipeEntry(2, "plate", False, fault="not sealed")]


@contextmanager
def ledger(station: PlayedStation, answer: Callable[[Command], Reply | None]) -> Iterator[list[Command]]:
    """Answers what is asked; gives what was."""
    heard: list[Command] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            asked = station.hear(Asked, timeout_s=0.05)
            if isinstance(asked, Asked):
                heard.append(asked.command)
                reply = answer(asked.command)
                if reply is not None:
                    station.tell(Told(asked.ticket, requests.encode(reply)))

    thread = threading.Thread(target=run)
    with station.answering():
        thread.start()
        try:
            yield heard
        finally:
            stop.set()
            thread.join()


def answered(command: Command) -> Reply:
    match command:
        case Trigger():
            return Reply(command.id, trigger=7)
        case ListRecipes():
            return Reply(command.id, recipes=RECIPES)
        case AskStatus():
            return Reply(command.id, status=msgspec.Raw(msgspec.json.encode(STATUS)))
        case SelectRecipe(number=9):
            return Reply(command.id, "there is no recipe 9", "datumd recipe list")
        case _:
            return Reply(command.id)


def test_every_request_reaches_the_ledger_and_is_answered(station: PlayedStation) -> None:
    with ledger(station, answered) as heard, Control(station.runtime.control_endpoint) as control:
        assert control.trigger("SN-1") == 7
        control.bind([(1, "A"), (2, "B")])
        control.start()
        control.stop()
        control.select_recipe(2)
        assert control.recipes() == RECIPES
        assert control.status() == STATUS
        control.resynchronise()
    kinds = [Trigger, Bind, Start, Stop, SelectRecipe, ListRecipes, AskStatus, Resynchronise]
    assert [type(command) for command in heard] == kinds
    assert heard[0] == Trigger("SN-1", id=heard[0].id)
    assert heard[1] == Bind([(1, "A"), (2, "B")], id=heard[1].id)
    assert len({command.id for command in heard}) == len(heard)


def test_a_refusal_is_told_with_what_to_do_next(station: PlayedStation) -> None:
    with (
        ledger(station, answered),
        Control(station.runtime.control_endpoint) as control,
        pytest.raises(RequestRefused, match=r"there is no recipe 9; next: datumd recipe list"),
    ):
        control.select_recipe(9)


def test_what_is_wrong_from_the_start_is_not_sent(station: PlayedStation) -> None:
    with Control(station.runtime.control_endpoint) as control, pytest.raises(RequestRefused, match=r"part_id"):
        control.trigger("line\nbreak")


def test_a_request_is_sent_again_until_it_is_answered_and_is_carried_out_once(station: PlayedStation) -> None:
    with Control(station.runtime.control_endpoint, timeout_s=20) as control:
        numbers: list[int] = []
        asking = threading.Thread(target=lambda: numbers.append(control.trigger("SN-1")))
        with station.answering():
            asking.start()
            first = station.hear(Asked)
        with ledger(station, answered) as heard:  # the process that was asked has died, another one is there
            asking.join()
    assert numbers == [7]
    assert isinstance(first, Asked)
    assert heard == [first.command]


def test_silence_is_told(station: PlayedStation) -> None:
    with (
        ledger(station, lambda _command: None),
        Control(station.runtime.control_endpoint, timeout_s=0.5) as control,
        pytest.raises(NoAnswer, match=r"no answer within 0\.5 s"),
    ):
        control.start()
    with (
        Control(station.runtime.control_endpoint, timeout_s=0.3) as control,
        pytest.raises(NoAnswer, match="nobody is there"),
    ):
        control.start()


def test_the_stream_says_where_to_ask(station: PlayedStation) -> None:
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.05):
            station.beat()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        assert find_control(station.endpoint) == station.runtime.control_endpoint
        with pytest.raises(NoAnswer, match=r"station L9 was not heard within 0\.3 s"):
            find_control(station.endpoint, "L9", timeout_s=0.3)
    finally:
        stop.set()
        thread.join()

from pathlib import Path

import msgspec

from pipeline.client import Gap
from pipeline.result import decode
from pipeline.sinks.mqtt.courier import AGAIN_NS, GONE, HEARD_NS, UNHEARD, Courier
from pipeline.sinks.mqtt.topics import BEGIN, END, Missed, Publication, State, page_table
from pipeline.status import CameraReport, Heartbeat, StationState, Status
from tests.results import RESULT

STAMP = "2026-01-01T00:00:00Z"
BEAT = Heartbeat("L3", 1700000000, 7, STAMP, 5571)
CAMERA = CameraReport("top", "top", True, "armed", "counted", 12, {}, None)


def status(state: StationState, triggers: int = 0) -> Status:
    return Status(
        "L3",
        1700000000,
        state,
        f"{triggers} results",
        "0",
        3,
        "bracket",
        "ab",
        "none",
        [CAMERA],
        [],
        triggers,
        0,
        {},
        0,
        0,
        STAMP,
    )


def read(publication: Publication | None) -> State:
    assert publication is not None
    assert publication.topic == "datumd/L3/state"
    assert publication.retained
    return msgspec.json.decode(publication.payload, type=State)


def test_a_result_goes_out_as_it_was_published_and_is_not_retained() -> None:
    sent = Courier("datumd", "L3").hear(RESULT, 5, STAMP)
    assert sent is not None
    assert (sent.topic, sent.retained) == ("datumd/L3/result", False)
    assert decode(sent.payload) == RESULT


def test_the_state_is_told_when_it_changes_and_again_after_a_while() -> None:
    courier = Courier("datumd", "L3")
    assert read(courier.state(0, STAMP)).text == UNHEARD
    assert courier.state(1, STAMP) is None
    courier.hear(status(StationState.Ready), 10, STAMP)
    first = read(courier.state(11, STAMP))
    assert (first.online, first.state, first.recipe_id, first.session) == (True, "Ready", 3, 1700000000)
    courier.hear(status(StationState.Ready, triggers=9), 12, STAMP)
    assert courier.state(13, STAMP) is None
    courier.hear(status(StationState.Error), 14, STAMP)
    assert read(courier.state(15, STAMP)).state == "Error"
    courier.hear(status(StationState.Error, triggers=10), 15, STAMP)  # another text: another fault
    assert read(courier.state(15, STAMP)).text == "10 results"
    courier.hear(BEAT, 15 + AGAIN_NS, STAMP)
    assert read(courier.state(15 + AGAIN_NS, STAMP)).state == "Error"


def test_a_station_that_is_heard_no_more_is_offline_whatever_it_said_last() -> None:
    courier = Courier("datumd", "L3")
    courier.hear(status(StationState.Ready), 0, STAMP)
    assert read(courier.state(1, STAMP)).online
    assert courier.state(HEARD_NS - 1, STAMP) is None
    silent = read(courier.state(HEARD_NS, STAMP))
    assert (silent.online, silent.text) == (False, UNHEARD)
    courier.hear(BEAT, HEARD_NS + 1, STAMP)
    assert read(courier.state(HEARD_NS + 2, STAMP)).online


def test_after_a_break_the_state_replaces_the_will() -> None:
    courier = Courier("datumd", "L3")
    will = read(courier.will(STAMP))
    assert (will.online, will.text) == (False, GONE)
    courier.hear(status(StationState.Ready), 0, STAMP)
    courier.state(1, STAMP)
    courier.connected(10 * HEARD_NS)
    assert read(courier.state(10 * HEARD_NS, STAMP)).online
    assert not read(courier.state(11 * HEARD_NS, STAMP)).online


def test_what_can_be_had_no_more_is_told_and_counted() -> None:
    courier = Courier("datumd", "L3")
    sent = courier.hear(Gap(1700000000, 4, 9, "L3"), 5, STAMP)
    assert sent is not None
    assert sent.topic == "datumd/L3/missed"
    assert msgspec.json.decode(sent.payload, type=Missed) == Missed("L3", 1700000000, 4, 9, STAMP)
    courier.hear(Gap(1700000001, 3, 2, "L3"), 6, STAMP)  # nobody knows how many
    assert read(courier.state(7, STAMP)).missed == 6


def test_the_page_has_the_table_of_the_code() -> None:
    text = (Path(__file__).parents[5] / "docs/mqtt.md").read_text()
    assert text[text.index(BEGIN) : text.index(END) + len(END)] == page_table()

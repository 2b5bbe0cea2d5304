"""The line between a bridge for PLCs and its station: what reaches the handshake, and when. The ledger is played by the test."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pipeline import result as result_schema
from pipeline.sinks.modbus.handshake import Handshake
from pipeline.sinks.modbus.signals import Answer
from pipeline.sinks.modbus.station_link import REST_S, StationLink
from tests.played_stations import PlayedStation


class Listening(Handshake):
    """Notes which answers it is given."""

    def __init__(self) -> None:
        super().__init__(1_000_000_000)
        self.seen: list[int] = []

    def answer(self, answer: Answer, now_ns: int) -> None:
        self.seen.append(answer.place[1])
        super().answer(answer, now_ns)


async def heard(station: PlayedStation, *, own_trigger: bool) -> list[int]:
    """Of 60 results, each tenth by a software trigger, the others by the line: the numbers of those that reach the handshake."""
    listening = Listening()
    link = StationLink(
        listening, station.endpoint, station.name, None, own_trigger=own_trigger, window_ns=1_000_000_000
    )
    link.start()
    try:
        until = time.monotonic() + 30
        while link._heard_ns is None and time.monotonic() < until:
            station.beat()
            await asyncio.sleep(0.02)
        for seq in range(1, 61):
            result = station.result(seq)
            if seq % 10 == 0:
                result = msgspec.structs.replace(result, software_trigger=seq, trigger_number=None)
            station.publish_again(result_schema.encode(result))
            await asyncio.sleep(REST_S / 10)
        while (not listening.seen or listening.seen[-1] != 60) and time.monotonic() < until:
            await asyncio.sleep(0.01)
    finally:
        await asyncio.to_thread(link.close)
    return listening.seen


@pytest.mark.parametrize("own_trigger", [False, True])
def test_what_may_answer_a_trigger_of_ours_is_heard_in_order_and_nothing_else(
    run_dir: Path, station_name: str, free_port: Callable[[], int], own_trigger: bool
) -> None:
    station = PlayedStation(run_dir, station_name, free_port(), free_port())
    try:
        seen = asyncio.run(heard(station, own_trigger=own_trigger))
    finally:
        station.close()
    assert seen == (list(range(1, 61)) if own_trigger else list(range(10, 61, 10)))

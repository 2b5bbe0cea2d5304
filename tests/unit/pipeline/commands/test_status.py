"""The figures and the screen of `datumd status`."""

import io

import msgspec
import pytest
from rich.console import Console

from pipeline.commands.station_watch import StationWatch
from pipeline.commands.status_screen import StatusScreen
from pipeline.result import Disposition, Evaluation, Reason
from pipeline.status import CameraReport, Heartbeat, JournalReport, ProcessReport, StationState, Status
from tests.results import result

S = 1_000_000_000
CAMERA = CameraReport("top", "top", True, "armed", "counted", 12, {"incomplete": 2, "stale": 0}, None)


def status(triggers: int = 0, **changes: object) -> Status:
    processes = [ProcessReport("infer.0", 100, "ready", 130 * 2**20, triggers / 100)]
    made = Status(
        "L3-S20", 7, StationState.ContinuousExecution, "1 cameras up", "0.1.0", 1, "bracket", "ab12cd34ef56ab78",
        "onnxruntime", [CAMERA], processes, triggers, 1, {"OK": 11, "NOT_OK": 1}, 0, 0, "2026-01-01T00:00:00Z",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def shown(watch: StationWatch, now_ns: int, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), record=True, highlight=False)
    console.print(StatusScreen(watch, now_ns), height=height)
    return console.export_text().rstrip().splitlines()


def test_rates_are_of_the_last_seconds_and_of_one_session() -> None:
    watch = StationWatch(status(100), 0)
    assert watch.rate_hz is None
    for second in range(30):
        watch.add(status(100 + 5 * max(0, second - 15)), second * S)
    assert watch.rate_hz == pytest.approx(5.0)
    assert watch.shares == {"infer.0": pytest.approx(0.05)}
    watch.add(status(3, session=8), 30 * S)
    assert watch.rate_hz is None
    watch.add(status(900, station="another"), 31 * S)
    assert watch.status.triggers == 3


def test_results_give_latency_reasons_and_rejects() -> None:
    watch = StationWatch(status(), 0)
    assert watch.latency_ms is None
    for seq in range(1, 101):
        watch.add(
            result(
                seq=seq, times={"received_to_answered_ns": seq * 1_000_000}, reasons=[], disposition=Disposition.PASS
            ),
            0,
        )
    bad = [Reason("high", name="span", value=48.0 + seq, limit=48.3) for seq in range(60)]
    for reason in bad:
        watch.add(result(reasons=[reason, Reason("hidden", name="pin")][: 1 + (reason.value == 48.0)], times={}), 0)
    watch.add(Heartbeat("L3-S20", 7, 1, ""), 0)
    watch.add(None, 0)
    assert watch.latency_ms == (50.0, 99.0, 100.0)
    assert watch.reasons == [("span.high", 60), ("pin.hidden", 1)]
    assert len(watch.rejects) == 50
    assert watch.results == 160


@pytest.mark.parametrize(("width", "height"), [(80, 24), (132, 43), (40, 12)])
def test_it_fits_the_terminal_and_shows_the_newest_reject_first(width: int, height: int) -> None:
    watch = StationWatch(status(12), 0)
    for seq in range(1, 41):
        watch.add(result(seq=seq, trigger_number=seq, result_evaluation=Evaluation.NOT_OK), 0)
    lines = shown(watch, S, width=width, height=height)
    assert max(map(len, lines)) <= width
    newest = next(line for line in lines if " 40  NOT_OK" in line)
    assert lines.index(newest) + 1 < len(lines)
    if height >= 24:
        assert len(lines) <= height
        text = "\n".join(lines)
        for words in ("ContinuousExecution", "recipe 1 bracket", "yield 91.7 %", "p50 9.8", "incomplete 2", "130 MiB"):
            assert words in text
        assert f" {41 - sum('NOT_OK  ' in line for line in lines)}  NOT_OK" in lines[-1]  # every line is used


def test_trouble_is_told_and_nothing_that_a_station_says_is_obeyed() -> None:
    down = msgspec.structs.replace(CAMERA, up=False, text="gone [bold]\x1b[2J")
    watch = StationWatch(status(cameras=[down], journal=JournalReport(fault="disk full")), 0)
    text = "\n".join(shown(watch, 60 * S, width=120))
    assert "not heard for 60 s" in text
    assert "DOWN gone [bold]\\x1b[2J" in text
    assert "journal: disk full" in text
    assert "no reject since you look" in text

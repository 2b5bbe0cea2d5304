import asyncio

import msgspec

from pipeline.result import Disposition, Evaluation, Reason, ResultState
from pipeline.sinks.web.board import KEPT_REJECTED, Board, PartPage
from pipeline.sinks.web.gallery import Gallery
from pipeline.sinks.web.hub import Hub
from pipeline.sinks.web.incidents import Incidents
from pipeline.sinks.web.window import Window
from pipeline.status import CameraReport, ProcessReport, StationState, Status
from tests.results import result

CAMERA = CameraReport("top", "top", True, "armed", "counted", 4, {}, None)
GRAB = ProcessReport("grab.top", 10, "ready", 0, 0.0)


def status(**changes: object) -> Status:
    made = Status(
        "L3", 1, StationState.ContinuousExecution, "well", "0", 1, "part", "ab", "none", [CAMERA], [GRAB], 0, 0, {}, 0, 0, "",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_a_camera_that_was_killed_is_told_whether_the_status_saw_it_down_or_up_again() -> None:
    down = msgspec.structs.replace(CAMERA, up=False, text="grab.top is down")
    seen_down = Incidents()
    assert [seen_down.observe(status()), seen_down.observe(status(cameras=[down]))] == [False, True]
    assert [(one.code, one.is_bad) for one in seen_down.kept] == [("camera_down", True)]
    assert seen_down.observe(status())
    assert seen_down.kept[0].code == "camera_up"
    missed = Incidents()
    missed.observe(status())
    assert missed.observe(status(processes=[msgspec.structs.replace(GRAB, restarts=1)]))
    assert [(one.code, one.name) for one in missed.kept] == [("restart", "grab.top")]


def test_figures_of_the_last_parts() -> None:
    window = Window(parts=4)
    ok = {"result_evaluation": Evaluation.OK, "disposition": Disposition.PASS, "reasons": []}
    for took_ms in (1, 2, 3, 4):  # the first is forgotten
        window.add(result(**ok, times={"received_to_answered_ns": took_ms * 1_000_000}, stages_ns={"coarse": 500_000}))
    window.add(result(result_state=ResultState.FAILED, reasons=[Reason("deadline")], times={}, stages_ns={}))
    figures = window.figures()
    assert (figures.parts, figures.passed, figures.losses, figures.reasons) == (4, 3, [("deadline", 1)], [])
    assert figures.latency is not None
    assert (figures.latency.p50, figures.latency.p99, figures.latency.longest) == (3.0, 4.0, 4.0)
    assert [(stage.name, stage.p50) for stage in figures.stages] == [("coarse", 0.5)]
    window.add(result(reasons=[Reason("high", name="pin_span"), Reason("high", name="pin_span", value=2.0)]))
    assert window.figures().reasons == [("pin_span.high", 1)]


def test_rejected_parts_are_kept_to_a_bound_with_reasons_in_the_stations_language() -> None:
    async def play() -> None:
        hub = Hub()
        hub.begin(asyncio.get_running_loop())
        board = Board(hub, Gallery(), "de", {1: {"pin_span": ("pin_1", "pin_2")}})
        for seq in range(1, KEPT_REJECTED + 3):
            assert board.observe(result(seq=seq, result_id=f"1-{seq}"))
        assert not board.observe(result(disposition=Disposition.PASS))
        board.tick()
        told = await anext(hub.listen(1.0))
        assert len(msgspec.json.decode(told["rejected"])) == KEPT_REJECTED
        assert board.part("1-1") is None
        page = msgspec.json.decode(board.part("1-26") or b"", type=PartPage)
        assert "12.78" in page.reasons[0]
        assert "pin_span" in page.reasons[0]
        assert page.lines == {"pin_span": ["pin_1", "pin_2"]}
        assert not page.archived

    asyncio.run(play())

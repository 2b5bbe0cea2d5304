"""What /metrics says, read back from its text as Prometheus would."""

import shutil
import subprocess

import msgspec
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.result import Evaluation, Keypoint, KeypointState, Reason, ResultState
from pipeline.sinks.figures import LOSS_CODES, Figures
from pipeline.sinks.keypoint_figures import MOST_KEYPOINTS
from pipeline.status import (
    CameraReport,
    EvidenceReport,
    Heartbeat,
    JournalReport,
    ProcessReport,
    StationState,
    Status,
)
from tests.results import RESULT, result


def status(
    session: int = 1, triggers: int = 5, frames: int = 4, pid: int = 10, cpu: float = 2.0, **changes: object
) -> Status:
    made = Status(
        station="L3-S20",
        session=session,
        state=StationState.ContinuousExecution,
        text="1 cameras up",
        version="0.1.0",
        recipe_id=1,
        product_id="bracket",
        configuration_id="ab12" * 16,
        backend="onnxruntime",
        cameras=[
            CameraReport("top", "top", True, "up", "counted", frames, {"incomplete": 1}, "2026-01-01T00:00:00.000000Z")
        ],
        processes=[ProcessReport("infer.0", pid, "ready", 100_000_000, cpu)],
        triggers=triggers,
        open_parts=1,
        results={"OK": 3},
        late_results=0,
        late_frames=0,
        started_time="2026-01-01T00:00:00.000000Z",
    )
    return msgspec.structs.replace(made, **changes)


def values(figures: Figures) -> dict[tuple[str, str], float]:
    """(sample name, its labels' values joined) to value."""
    families = text_string_to_metric_families(generate_latest(figures.registry).decode())
    return {
        (sample.name, " ".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_results_and_losses_are_counted_by_their_kind() -> None:
    figures = Figures()
    figures.observe(RESULT)
    figures.observe(
        result(result_state=ResultState.FAILED, result_evaluation=Evaluation.UNDEFINED, reasons=[Reason("deadline")])
    )
    found = values(figures)
    assert found["datumd_results_total", "NOT_OK production"] == 1
    assert found["datumd_results_total", "UNDEFINED production"] == 1
    assert found["datumd_results_total", "OK production"] == 0
    assert found["datumd_losses_total", "deadline"] == 1
    assert found["datumd_losses_total", "overrun"] == 0
    assert found["datumd_deadline_misses_total", ""] == 1
    assert found["datumd_stage_duration_seconds_count", "coarse"] == 2
    assert found["datumd_received_to_result_seconds_sum", ""] == pytest.approx(0.0196)


def test_parts_that_are_no_product_are_counted_apart_and_say_nothing_of_the_picture() -> None:
    figures = Figures()
    for purpose in ("gauge", "master", "setup", "what-a-later-version-has"):
        figures.observe(result(purpose=purpose))
    found = values(figures)
    counts = {label: value for (name, label), value in found.items() if name == "datumd_results_total" and value}
    assert counts == {"NOT_OK gauge": 1, "NOT_OK master": 1, "NOT_OK setup": 1, "NOT_OK production": 1}
    seen = [value for (name, _), value in found.items() if name == "datumd_keypoints_total" and value]
    assert seen == [1, 1]  # those of the last one alone


def test_totals_of_a_status_become_counters_that_survive_restarts() -> None:
    figures = Figures()
    figures.observe(status(session=1, triggers=5, pid=10, cpu=2.0))
    figures.observe(status(session=1, triggers=8, pid=10, cpu=3.0))
    figures.observe(status(session=2, triggers=2, pid=11, cpu=0.5))
    found = values(figures)
    assert found["datumd_triggers_total", ""] == 10
    assert found["datumd_process_cpu_seconds_total", "infer.0"] == 3.5
    assert found["datumd_camera_up", "top"] == 1
    assert found["datumd_camera_last_frame_timestamp_seconds", "top"] == 1767225600
    assert found["datumd_model_info", "onnxruntime ab12ab12ab12 bracket"] == 1


def test_runs_that_keep_networks_warm_are_counted_over_restarts_of_their_process() -> None:
    figures = Figures()
    for pid, warmed in ((10, 4), (10, 9), (11, 2)):
        processes = [ProcessReport(name, pid, "ready", 1, 1.0, warmed=warmed) for name in ("infer.0", "grab.top")]
        figures.observe(status(processes=processes))
    found = values(figures)
    assert found["datumd_keep_warm_runs_total", "infer.0"] == 11
    assert ("datumd_keep_warm_runs_total", "grab.top") not in found


def test_live_needs_a_heartbeat_and_ready_needs_the_state() -> None:
    figures = Figures()
    assert (figures.is_live(), figures.is_ready()) == (False, False)
    figures.observe(Heartbeat("L3-S20", 1, 0, "2026-01-01T00:00:00.000000Z"))
    assert (figures.is_live(), figures.is_ready()) == (True, False)
    figures.observe(status())
    assert figures.is_ready()


@pytest.mark.parametrize("state", StationState)
def test_the_state_is_one_of_opcs_and_ready_are_those_in_which_it_can_inspect(state: StationState) -> None:
    figures = Figures()
    figures.observe(status(state=state))
    found = values(figures)
    assert {one.value: found["datumd_state", one.value] for one in StationState} == {
        one.value: float(one is state) for one in StationState
    }
    can_inspect = state in ("Ready", "SingleExecution", "ContinuousExecution")
    assert found["datumd_ready", ""] == figures.is_ready() == can_inspect
    assert (figures.state, figures.text) == (state, "1 cameras up")


def test_what_is_kept_and_what_is_lost_shows() -> None:
    figures = Figures()
    figures.observe(
        status(
            session=1,
            journal=JournalReport("disk full", unwritten=7, forgotten=3),
            evidence=EvidenceReport("disk full", stored=20, lost=4, used_bytes=9_000_000, images=18),
            refused_messages=2,
        )
    )
    found = values(figures)
    assert (found["datumd_journal_fault", ""], found["datumd_images_fault", ""]) == (1, 1)
    figures.observe(
        status(
            session=2,
            journal=JournalReport(forgotten=1),
            evidence=EvidenceReport(stored=1, lost=1, used_bytes=5_000_000, images=11),
            refused_messages=1,
        )
    )
    found = values(figures)
    assert (found["datumd_journal_fault", ""], found["datumd_images_fault", ""]) == (0, 0)
    assert (found["datumd_journal_unwritten_results", ""], found["datumd_journal_forgotten_results_total", ""]) == (
        0,
        4,
    )
    assert (found["datumd_images_stored_total", ""], found["datumd_images_lost_total", ""]) == (21, 5)
    assert (found["datumd_images", ""], found["datumd_images_bytes", ""]) == (11, 5_000_000)
    assert found["datumd_refused_messages_total", ""] == 3


def test_losses_of_cameras_and_restarts_grow_with_their_totals() -> None:
    figures = Figures()
    for lost, restarts in ((0, 0), (3, 1), (4, 1)):
        camera = CameraReport("top", "top", True, "up", "counted", 9, {"overrun": lost}, None)
        process = ProcessReport("infer.0", 10 + restarts, "ready", 1, 1.0, restarts=restarts)
        figures.observe(status(cameras=[camera], processes=[process]))
    found = values(figures)
    assert found["datumd_camera_losses_total", "top overrun"] == 4
    assert found["datumd_camera_losses_total", "top incomplete"] == 0
    assert found["datumd_process_restarts_total", "infer.0"] == 1
    assert found["datumd_start_time_seconds", ""] == 1767225600


def test_what_prometheus_shall_see_grow_stands_at_zero_before() -> None:
    found = values(Figures())
    assert {label for name, label in found if name == "datumd_losses_total"} == LOSS_CODES
    assert found["datumd_live", ""] == found["datumd_metrics_missed_results_total", ""] == 0


def test_totals_are_shown_when_they_are_known() -> None:
    figures = Figures()
    assert b"datumd_live" in figures.page()
    assert b"datumd_images_lost_total" not in figures.page()
    figures.observe(status(evidence=EvidenceReport(lost=4)))
    assert b"datumd_images_lost_total 4.0" in figures.page()


def test_results_that_this_subscriber_missed_are_counted() -> None:
    figures = Figures()
    for count in (0, 3, 3, 5):
        figures.missed(count)
    assert values(figures)["datumd_metrics_missed_results_total", ""] == 5


def test_keypoints_are_counted_by_state_and_hidden_ones_lower_no_mean() -> None:
    figures = Figures()
    figures.observe(RESULT)
    found = values(figures)
    assert (
        found["datumd_keypoints_total", "pin_1 visible top"] == found["datumd_keypoints_total", "pin_2 hidden top"] == 1
    )
    assert found["datumd_keypoints_total", "pin_1 unsure top"] == 0
    assert found["datumd_keypoint_visibility_ratio_sum", "pin_1 top"] == 0.99
    assert found["datumd_keypoint_visibility_ratio_count", "pin_2 top"] == 0


def test_keypoints_beyond_the_bound_share_one_label() -> None:
    figures = Figures()
    names = [f"k{n}" for n in range(MOST_KEYPOINTS + 2)]
    shown = [Keypoint(name, "top", 1.0, 2.0, 0.9, KeypointState.visible) for name in names]
    figures.observe(result(keypoints=shown))
    counts = {labels: value for (name, labels), value in values(figures).items() if name.endswith("ratio_count")}
    assert len(counts) == MOST_KEYPOINTS + 1
    assert counts["rest rest"] == 2


@pytest.mark.needs_debian("prometheus", program="promtool")
def test_promtool_accepts_the_page() -> None:
    figures = Figures()
    figures.observe(RESULT)
    figures.observe(status())
    promtool = shutil.which("promtool")
    assert promtool is not None
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=generate_latest(figures.registry), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")

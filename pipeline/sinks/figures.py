"""The figures behind /metrics, kept from the station's own messages. Labels are few and bounded: never a part or a trigger."""

import platform
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, generate_latest

from pipeline.client import Message
from pipeline.clock import monotonic_ns
from pipeline.loss import LOSS_KINDS, LossKind
from pipeline.requests import Purpose
from pipeline.result import Evaluation, Result, ResultState
from pipeline.sinks.archive_figures import ArchiveFigures
from pipeline.sinks.camera_figures import CameraFigures
from pipeline.sinks.keypoint_figures import KeypointFigures
from pipeline.sinks.process_figures import ProcessFigures
from pipeline.status import Heartbeat, StationState, Status

READY_STATES = frozenset({StationState.Ready, StationState.SingleExecution, StationState.ContinuousExecution})
LIVE_NS = 3_000_000_000  # three heartbeats
STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0)
ANSWER_BUCKETS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
PART_CODES = {
    "recipe_missing",
    "image_dark",
    "image_saturated",
    "image_blurred",
    "no_part",
    "part_count",
    "region_outside",
    "network_not_finite",
    "masters_due",
}
PRODUCTION = "production"
PURPOSES: tuple[str, ...] = get_args(Purpose)
LOSS_CODES = frozenset(PART_CODES.union(LOSS_KINDS))


class Figures:
    """A registry of its own, filled by `observe`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.state, self.text = StationState.Preoperational, "no status has been heard"
        self._heard_ns = 0
        self._has_status = False
        self._totals: dict[Counter, tuple[int, float]] = {}
        registry = self.registry
        self._triggers = Counter("datumd_triggers", "Triggers that are owed an answer.", registry=registry)
        self._results = Counter("datumd_results", "Results published.", ["evaluation", "purpose"], registry=registry)
        self._losses = Counter("datumd_losses", "Triggers answered without a verdict.", ["reason"], registry=registry)
        self._deadlines = Counter("datumd_deadline_misses", "Triggers answered at their deadline.", registry=registry)
        self._missed = Counter(
            "datumd_metrics_missed_results", "Results that this page, a subscriber, has not seen.", registry=registry
        )
        self._stages = Histogram(
            "datumd_stage_duration_seconds",
            "Time of one stage for one part.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._answer = Histogram(
            "datumd_received_to_result_seconds",
            "From the last frame's arrival to the answer.",
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        self._ready = Gauge("datumd_ready", "1 when the station can inspect.", registry=registry)
        self._state = Enum("datumd_state", "The station's state.", states=list(StationState), registry=registry)
        self._archive = ArchiveFigures(registry)
        self._cameras = CameraFigures(registry)
        self._processes = ProcessFigures(registry)
        self._keypoints = KeypointFigures(registry)
        self._live = Gauge("datumd_live", "1 when the ledger was heard within three seconds.", registry=registry)
        self._live.set_function(self.is_live)
        self._started = Gauge("datumd_start_time_seconds", "UTC time at which the ledger began.", registry=registry)
        self._refused = Counter(
            "datumd_refused_messages", "Messages of clients that were dropped: malformed, too large.", registry=registry
        )
        self._masters = Gauge("datumd_masters_due", "Masters that must be inspected.", registry=registry)
        self._drifts = Gauge(
            "datumd_master_drifts", "Measurements of masters that are out of control.", registry=registry
        )
        self._open = Gauge("datumd_open_triggers", "Triggers that wait for their answer.", registry=registry)
        self._late = Counter("datumd_late_results", "Answers that came after the deadline's.", registry=registry)
        self._build = Info("datumd_build", "Version of the daemon.", registry=registry)
        self._model = Info("datumd_model", "Recipe and backend in use.", registry=registry)
        for evaluation in Evaluation:
            for purpose in PURPOSES:
                self._results.labels(evaluation.value, purpose)
        for code in LOSS_CODES:  # a counter that begins at 1 has not grown, as Prometheus sees it
            self._losses.labels(code)

    def observe(self, message: Message) -> None:
        """Take one message into account."""
        match message:
            case Result():
                self._result(message)
            case Heartbeat():
                self._heard_ns = monotonic_ns()
            case Status():
                self._status(message)

    def missed(self, count: int) -> None:
        """Results that the subscription knows to have missed."""
        self._count_to(self._missed, 0, count)

    def page(self) -> bytes:
        """All figures in Prometheus' text format; before the first status no more than that nothing was heard.

        A total that stood at 0 until then would seem to have grown, whenever this process is started again.
        """
        registry = self.registry if self._has_status else self.registry.restricted_registry(["datumd_live"])
        return generate_latest(registry)

    def is_live(self) -> bool:
        """Whether the ledger has been heard within three heartbeats."""
        return self._heard_ns > 0 and monotonic_ns() - self._heard_ns < LIVE_NS

    def is_ready(self) -> bool:
        """Whether the station can inspect: it does so now, or waits to be started."""
        return self.state in READY_STATES

    def _result(self, result: Result) -> None:
        purpose = result.purpose if result.purpose in PURPOSES else PRODUCTION
        self._results.labels(result.result_evaluation.value, purpose).inc()
        if result.result_state == ResultState.FAILED and result.part_index == 0:
            for code in {reason.code for reason in result.reasons}:
                if code in LOSS_CODES:
                    self._losses.labels(code).inc()
                if code == LossKind.deadline:
                    self._deadlines.inc()
        for keypoint in result.keypoints if purpose == PRODUCTION else []:  # masters may be bad ones
            self._keypoints.observe(keypoint)
        if result.part_index == 0:
            for stage, duration_ns in result.stages_ns.items():
                self._stages.labels(stage).observe(duration_ns / 1e9)
            took = result.times.get("received_to_answered_ns")
            if took is not None:
                self._answer.observe(took / 1e9)

    def _status(self, status: Status) -> None:
        self._has_status = True
        self.state, self.text = status.state, status.text
        self._ready.set(self.is_ready())
        self._state.state(status.state.value)
        self._archive.observe(status, self._count_to)
        self._count_to(self._refused, status.session, status.refused_messages)
        self._masters.set(sum(master.is_due for master in status.masters.parts))
        self._drifts.set(len(status.masters.drift))
        self._open.set(status.open_parts)
        self._count_to(self._triggers, status.session, status.triggers)
        self._count_to(self._late, status.session, status.late_results)
        self._started.set(datetime.fromisoformat(status.started_time).timestamp())
        self._build.info({"version": status.version, "python": platform.python_version()})
        self._model.info(
            {"recipe": status.product_id, "configuration": status.configuration_id[:12], "backend": status.backend}
        )
        for camera in status.cameras:
            self._cameras.observe(camera, self._count_to)
        for process in status.processes:
            self._processes.observe(process, self._count_to)

    def _count_to(self, counter: Counter, life: int, total: float) -> None:
        """Raise a counter by what a total has grown, which starts again at zero with each `life` of what is counted."""
        before_life, before = self._totals.get(counter, (life, 0.0))
        counter.inc(max(0.0, total - before) if before_life == life else total)
        self._totals[counter] = (life, total)

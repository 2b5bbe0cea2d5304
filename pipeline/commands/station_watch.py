"""What was heard of a station lately, as figures: rates, latency, reasons, the last rejects."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.client import Message
from pipeline.result import Disposition, Result
from pipeline.result_text import percentile, reason_text
from pipeline.status import Status

SPAN_S = 10  # of rates
NEWEST = 1000  # results that latencies and reasons are of
REJECTS = 50


@dataclass(slots=True)
class StationWatch:
    """Fed with every message; times are of CLOCK_MONOTONIC, ns.

    Attributes:
        status: the newest, heard at `heard_ns`.
        rejects: the newest last.
        results: how many were heard.
    """

    status: Status
    heard_ns: int
    rejects: deque[Result] = field(default_factory=lambda: deque(maxlen=REJECTS))
    results: int = 0
    _statuses: deque[tuple[int, Status]] = field(default_factory=lambda: deque(maxlen=SPAN_S + 1))
    _newest: deque[Result] = field(default_factory=lambda: deque(maxlen=NEWEST))

    def add(self, message: Message | None, now_ns: int) -> None:
        """Take in what came, if anything; only of this station, and nothing of a session before its present one."""
        if isinstance(message, Status) and message.station == self.status.station:
            if message.session != self.status.session:  # counted anew
                self._statuses.clear()
            self.status, self.heard_ns = message, now_ns
            self._statuses.append((now_ns, message))
        elif isinstance(message, Result) and message.station == self.status.station:
            self.results += 1
            self._newest.append(message)
            if message.disposition is Disposition.REJECT:
                self.rejects.append(message)

    def quiet_s(self, now_ns: int) -> float:
        """Since the last status."""
        return (now_ns - self.heard_ns) / 1e9

    @property
    def rate_hz(self) -> float | None:
        """Triggers a second over the last SPAN_S, None before there are two statuses."""
        span = self._span()
        if span is None:
            return None
        seconds, before = span
        return (self.status.triggers - before.triggers) / seconds

    @property
    def shares(self) -> Mapping[str, float]:
        """Process to the share of a processor that it took over the last SPAN_S; those that started meanwhile are left out."""
        span = self._span()
        if span is None:
            return {}
        seconds, before = span
        former = {process.pid: process.cpu_seconds for process in before.processes}
        return {
            process.name: (process.cpu_seconds - former[process.pid]) / seconds
            for process in self.status.processes
            if process.pid in former
        }

    @property
    def latency_ms(self) -> tuple[float, float, float] | None:
        """Median, 99th percentile and largest time from frame to answer, ms, of the newest results; None without any."""
        times = [
            one.times["received_to_answered_ns"] / 1e6 for one in self._newest if "received_to_answered_ns" in one.times
        ]
        return (percentile(times, 50), percentile(times, 99), max(times)) if times else None

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Reasons of the newest results that were not passed, most frequent first, without their values."""
        counts = Counter(
            reason_text(type(reason)(reason.code, reason.name, reason.view))
            for one in self._newest
            if one.disposition is Disposition.REJECT
            for reason in one.reasons
        )
        return counts.most_common()

    @property
    def losses(self) -> list[tuple[str, str, int]]:
        """Camera, kind and count of the frames that its camera or the queue lost since the station's start, most first."""
        found = [
            (one.camera, kind, count) for one in self.status.cameras for kind, count in one.losses.items() if count
        ]
        return sorted(found, key=lambda loss: -loss[2])

    def _span(self) -> tuple[float, Status] | None:
        if len(self._statuses) < 2:
            return None
        (then, before), (now, _) = self._statuses[0], self._statuses[-1]
        return (now - then) / 1e9, before

"""The bridges: what they add to an answer and take from the daemon; and no part passes without its own OK, whatever is killed."""

import os
import statistics
import sys

from benchmarks.bridges.chaos import Chaos, measure_chaos
from benchmarks.bridges.latency import LINE, OWN, POLLS_MS, measure_latency, way
from benchmarks.bridges.share import Load, With, measure_share, p99
from benchmarks.report import Figure, Measured, main
from pipeline.result_text import percentile

OVERLOAD_HZ, LEISURE_HZ = 300.0, 15.0
Row = tuple[str | float, ...]


def measure(quick: bool) -> Measured:
    """Measure latency of Modbus and lines beside the client's, frames/s with and without bridges, and a bridge that is killed."""
    ms = measure_latency(60 if quick else 3000)
    loads = measure_share(1 if quick else 5, OVERLOAD_HZ, LEISURE_HZ, 150 if quick else 1500)
    chaos = measure_chaos(60 if quick else 2000)
    figures = [
        Figure("modbus_adds_p50_ms", percentile(ms[way(0.0)], 50) - percentile(ms[OWN], 50)),
        Figure("lines_add_p50_ms", percentile(ms[LINE], 50) - percentile(ms[OWN], 50)),
        Figure("frames_per_s_with_over_without", _rate(loads[With.all]) / _rate(loads[With.none])),
        Figure("p99_with_over_without", p99(loads[With.all]) / p99(loads[With.none])),
        Figure("late_while_stopped", loads[With.stopped].late),
        Figure("passed_without_own_ok", chaos.disagreements),
    ]
    protocols = ", ".join(loads[With.all].protocols)
    return Measured(
        title=f"1280x1024 Mono8, bracket, software triggers; bridges: {protocols}; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[1]:.1f}",
        columns=["what", "parts", "p50", "p99", "max"],
        rows=[*_latency_rows(ms), *(_load_row(kind, load) for kind, load in loads.items()), _chaos_row(chaos)],
        figures=figures,
    )


def _rate(load: Load) -> float:
    return statistics.median(load.parts_per_s)


def _latency_rows(ms: dict[str, list[float]]) -> list[Row]:
    names = [OWN, *(way(poll_ms) for poll_ms in POLLS_MS), LINE]
    return [
        (
            f"trigger to result, ms: {name}",
            str(len(ms[name])),
            *(percentile(ms[name], share) for share in (50, 99, 100)),
        )
        for name in names
    ]


def _load_row(kind: With, load: Load) -> Row:
    answers = [percentile(load.answer_ms, share) for share in (50, 99, 100)]
    return (f"frame to answer, ms: {kind}; {_rate(load):.1f} frames/s; {load.late} late", str(load.answered), *answers)


def _chaos_row(chaos: Chaos) -> Row:
    what = f"played PLC, {chaos.kills} kills: {chaos.passed} passed, {chaos.disagreements} of them without their own OK"
    return (what, str(chaos.parts), "", "", "")


if __name__ == "__main__":
    sys.exit(main("bridges", measure))

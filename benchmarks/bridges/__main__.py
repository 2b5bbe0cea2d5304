"""The bridges: what they add to an answer and take from the daemon; and no part passes without its own OK, whatever is killed."""

import os
import statistics
import sys

from benchmarks.bridges.chaos import Chaos, measure_chaos
from benchmarks.bridges.latency import LINE, OWN, POLLS_MS, measure_latency, way
from benchmarks.bridges.share import Load, Plan, With, measure_share, p99, rate_ratio
from benchmarks.bridges.station import protocols
from benchmarks.report import Figure, Measured, main
from pipeline.result_text import percentile

OVERLOAD_HZ = 80.0  # 1.3 to 1.4 times what the daemon manages on two processors
FLOOD_HZ = 300.0  # every trigger is answered, and every answer is passed on by each bridge: is printed, has no bar
QUICK = Plan((OVERLOAD_HZ, FLOOD_HZ), (1, 1), 15.0, 1, 3.0)
WHOLE = Plan((OVERLOAD_HZ, FLOOD_HZ), (12, 4), 15.0, 5, 7.0)
Row = tuple[str | float, ...]


def measure(quick: bool) -> Measured:
    """Measure latency of Modbus and lines beside the client's, frames/s with and without bridges, and a bridge that is killed."""
    times = measure_latency(60 if quick else 3000)
    ms = times.ms
    loads = measure_share(QUICK if quick else WHOLE)
    chaos = measure_chaos(60 if quick else 2000)
    figures = [
        Figure("modbus_adds_p50_ms", percentile(ms[way(0.0)], 50) - percentile(ms[OWN], 50)),
        Figure("lines_add_p50_ms", percentile(ms[LINE], 50) - percentile(ms[OWN], 50)),
        Figure("frames_per_s_with_over_without", rate_ratio(loads, OVERLOAD_HZ)),
        Figure("p99_with_over_without", p99(loads[With.all]) / p99(loads[With.none])),
        Figure("late_while_stopped", loads[With.stopped].late),
        Figure("passed_without_own_ok", chaos.disagreements),
    ]
    return Measured(
        title=f"1280x1024 Mono8, bracket, software triggers; bridges: {', '.join(protocols())}; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[1]:.1f}",
        columns=["what", "parts", "p50", "p99", "max"],
        rows=[
            *_latency_rows("trigger to result", ms),
            *_latency_rows("the same without the daemon's own time", times.around_ms),
            *_rate_rows(loads),
            *(_load_row(kind, load) for kind, load in loads.items()),
            _chaos_row(chaos),
        ],
        figures=figures,
    )


def _latency_rows(what: str, ms: dict[str, list[float]]) -> list[Row]:
    names = [OWN, *(way(poll_ms) for poll_ms in POLLS_MS), LINE]
    return [
        (
            f"{what}, ms: {name}",
            str(len(ms[name])),
            *(percentile(ms[name], share) for share in (50, 99, 100)),
        )
        for name in names
    ]


def _load_row(kind: With, load: Load) -> Row:
    answers = [percentile(load.answer_ms, share) for share in (50, 99, 100)]
    return (f"frame to answer, ms: {kind}; {load.late} late", str(load.answered), *answers)


def _rate_rows(loads: dict[With, Load]) -> list[Row]:
    rows: list[Row] = []
    for rate_hz, bare in loads[With.none].parts_per_s.items():
        bridged = loads[With.all].parts_per_s[rate_hz]
        what = f"frames/s under {rate_hz:g} triggers/s: {statistics.median(bare):.1f} without, {statistics.median(bridged):.1f} "
        rows.append(
            (f"{what}with all bridges, ratio {rate_ratio(loads, rate_hz):.3f}, rounds", str(len(bare)), "", "", "")
        )
    return rows


def _chaos_row(chaos: Chaos) -> Row:
    what = f"played PLC, {chaos.kills} kills: {chaos.passed} passed, {chaos.disagreements} of them without their own OK"
    return (what, str(chaos.parts), "", "", "")


if __name__ == "__main__":
    sys.exit(main("bridges", measure))

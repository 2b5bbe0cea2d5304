"""python -m benchmarks.metrology: what measurements are worth, against exact mm."""

import sys

from benchmarks.lens import __main__ as lens
from benchmarks.metrology.daemon_parts import measure_through_daemon
from benchmarks.metrology.guard_band import judge
from benchmarks.report import Figure, Measured, main


def measure(quick: bool) -> Measured:
    """Measure rendered parts through the whole daemon, and judge parts near a limit; all in sensor px."""
    parts, judged = (40, 10_000) if quick else (200, 40_000)
    repeats = measure_through_daemon(parts)
    at_limit, inside, outside = judge(0.0, judged), judge(-4.0, judged // 10), judge(4.0, judged // 10)
    rows: list[tuple[str | float, ...]] = [
        (f"distance {one.name} of {parts} parts", one.error_px, one.scatter_px, one.stated_px, "", "")
        for one in repeats
    ]
    rows += [
        (f"{one.parts} parts {one.above:+g} sigma from the limit", "", "", "", 100.0 * one.ok, 100.0 * one.not_ok)
        for one in (at_limit, inside, outside)
    ]
    ratios = [one.stated_px / one.scatter_px for one in repeats]
    return Measured(
        title="hole-centre distances by edge_circle through the daemon, px; verdicts with a guard band of 2 sigma",
        columns=["what", "mean error px", "scatter px", "stated sigma px", "OK %", "NOT_OK %"],
        rows=rows,
        figures=[
            Figure("part_mean_error_px", max(abs(one.error_px) for one in repeats)),
            Figure("part_scatter_px", max(one.scatter_px for one in repeats)),
            Figure("part_stated_over_scatter_mean", sum(ratios) / len(ratios)),
            Figure("part_stated_over_scatter_least", min(ratios)),
            Figure("part_stated_over_scatter_most", max(ratios)),
            Figure("at_limit_wrong_ok_percent", 100.0 * at_limit.ok),
            Figure("at_limit_wrong_not_ok_percent", 100.0 * at_limit.not_ok),
            Figure("decided_4_sigma_off_percent", 100.0 * min(inside.decided, outside.decided)),
        ],
    )


if __name__ == "__main__":
    worst = main("metrology", measure)
    print()
    sys.exit(max(worst, lens.main(["--quick"] if "--quick" in sys.argv else [])))

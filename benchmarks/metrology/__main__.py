"""python -m benchmarks.metrology: what measurements are worth, against exact mm."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.lens import __main__ as lens
from benchmarks.metrology.daemon_parts import Repeats, measure_through_daemon
from benchmarks.metrology.gauge_study import Studied, study
from benchmarks.metrology.guard_band import judge
from benchmarks.metrology.through_a_lens import measure_through_lens
from benchmarks.report import Figure, Measured, main, table_text


def measure(quick: bool) -> Measured:
    """Measure rendered parts through the whole daemon, study it as a gauge, judge parts near a limit; in sensor px."""
    parts, through_lens, judged = (40, 10, 10_000) if quick else (200, 60, 40_000)
    repeats = measure_through_daemon(parts)
    by_lens = measure_through_lens(through_lens)
    with TemporaryDirectory(prefix="datumd-bench-") as folder:
        studied = study(Path(folder))
    print(f"a gauge study of 10 parts, 3 loadings, 3 repeats, and one part 50 times, um\n\n{study_table(studied)}\n")
    at_limit, inside, outside = judge(0.0, judged), judge(-4.0, judged // 10), judge(4.0, judged // 10)
    rows: list[tuple[str | float, ...]] = [
        (f"distance {one.name} of {count} parts{through}", one.error_px, one.scatter_px, one.stated_px, "", "")
        for count, through, of_parts in ((parts, "", repeats), (through_lens, " through a strong lens", by_lens))
        for one in of_parts
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
            Figure("part_mean_error_px", most_off(repeats)),
            Figure("part_scatter_px", max(one.scatter_px for one in repeats)),
            Figure("part_stated_over_scatter_mean", sum(ratios) / len(ratios)),
            Figure("part_stated_over_scatter_least", min(ratios)),
            Figure("part_stated_over_scatter_most", max(ratios)),
            Figure("lens_part_mean_error_px", most_off(by_lens)),
            Figure("lens_part_scatter_px", max(one.scatter_px for one in by_lens)),
            *study_figures(studied),
            Figure("at_limit_wrong_ok_percent", 100.0 * at_limit.ok),
            Figure("at_limit_wrong_not_ok_percent", 100.0 * at_limit.not_ok),
            Figure("decided_4_sigma_off_percent", 100.0 * min(inside.decided, outside.decided)),
        ],
    )


def most_off(repeats: Sequence[Repeats]) -> float:
    """The largest mean error."""
    return max(abs(one.error_px) for one in repeats)


def study_table(studied: Sequence[Studied]) -> str:
    """What was found of each distance beside what is true."""
    columns = ["distance", "EV", "stated sigma", "AV", "true", "PV", "true", "GRR %", "ndc", "Cg", "bias"]
    rows: list[tuple[str | float, ...]] = [
        (
            one.name,
            *(1e3 * value for value in (one.ev, one.stated, one.av, one.true_av, one.pv, one.true_pv)),
            one.grr_percent,
            one.categories,
            one.cg,
            1e3 * one.bias,
        )
        for one in studied
    ]
    return table_text(columns, rows)


def study_figures(studied: Sequence[Studied]) -> list[Figure]:
    """How far the study is off what is true of its parts."""
    ratios = [one.ev / one.stated for one in studied]
    return [
        Figure("study_ev_over_stated_mean", sum(ratios) / len(ratios)),
        Figure("study_av_off_percent", max(100.0 * abs(one.av / one.true_av - 1.0) for one in studied)),
        Figure("study_pv_off_percent", max(100.0 * abs(one.pv / one.true_pv - 1.0) for one in studied)),
        Figure("study_grr_percent", max(one.grr_percent for one in studied)),
    ]


if __name__ == "__main__":
    worst = main("metrology", measure)
    print()
    sys.exit(max(worst, lens.main(["--quick"] if "--quick" in sys.argv else [])))

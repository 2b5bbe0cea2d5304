"""How far the example recipe's keypoints are off on parts rendered with seeds that no training has seen."""

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.report import Figure, Measured, main
from simulator.demo import RECIPE, RECIPES
from training.score import Errors, Report

SEED = 771177  # of the test set; the training sets of examples/README.md have others


def measure(quick: bool) -> Measured:
    """Render parts, run the recipe's own stages over them, compare with the truth."""
    report = _evaluated(60 if quick else 500)
    seen = report.visibility
    rows = [
        _row("coarse", report.coarse),
        _row("refined", report.refined),
        *([_row("refined from truth + 6 px", report.jittered)] if report.jittered else []),
    ]
    false_rates = {
        "false_reject": seen.false_reject,
        "false_accept": seen.false_accept,
        "false_accept_missing": seen.false_accept_missing,
        "false_accept_hidden": seen.false_accept_hidden,
    }
    figures = {
        "refined_median_px": report.refined.median,
        "refined_mean_px": report.refined.mean,
        "refined_p95_px": report.refined.p95,
        "coarse_mean_px": report.coarse.mean,
        "refined_over_true_start": report.refined_over_jittered,
        "failed_parts": report.failed,
        "visibility_auc": seen.auc,
        **false_rates,
    }
    return Measured(
        title=f"recipe {RECIPE}, {report.parts} rendered parts (seed {SEED}), visible keypoints, px of the 1280x1024 frame",
        columns=["keypoints", "mean", "median", "p95", "p99", "within 1 px"],
        rows=rows,
        figures=[Figure(name, value) for name, value in figures.items() if value is not None],
    )


def _row(name: str, errors: Errors) -> tuple[str, float, float, float, float, str]:
    return name, errors.mean, errors.median, errors.p95, errors.p99, f"{errors.pck['1px']:.1%}"


def _evaluated(count: int) -> Report:
    """`datumd render` and `datumd evaluate`, as a user would call them."""
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as name:
        folder = Path(name)
        _datumd("render", folder / "set", "--count", count, "--seed", SEED)
        coco, images = folder / "set" / "annotations.json", folder / "set" / "images"
        _datumd("evaluate", RECIPES / RECIPE, "--coco", coco, "--images", images, "--json", folder / "report.json")
        return msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)


def _datumd(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "pipeline", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main("keypoints", measure))

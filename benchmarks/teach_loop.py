"""The loop closed: one marked photograph, 60 unmarked ones taught without a person's correction, trained on, and judged.

    python -m benchmarks.teach_loop [--model DIR]

Networks are trained twice with the same method and seed, once on the true labels of rendered parts and once on those that were
taught, and judged on parts that neither saw. Some ten minutes of a core for each training. Results are kept in
docs/teach-loop-results.json; without --model the teacher is matching, which needs no network.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import budgets_of, cell_text, faults_of, table_text
from pipeline.camera.image_file import read_image
from pipeline.errors import DataError, DatumdError
from training.data import VISIBLE, Dataset, Part, digest
from training.labels.coco import read_coco
from training.labels.coco_writer import coco_bytes
from training.matching.teacher import MatchingTeacher, RefiningTeacher
from training.review.loading import load_teacher
from training.review.marked import Marked
from training.review.proposing import Example, propose
from training.review.taught import Taught, proposals_bytes
from training.teach.proposal import FindsKeypoints

METHOD = Path(__file__).with_suffix(".toml")
RESULTS = Path(__file__).parents[1] / "docs" / "teach-loop-results.json"
CACHE = Path.home() / ".cache" / "datumd" / "teach-loop"
FAMILY, SEED, TEST_SEED, EXAMPLE_SEED = "bracket", 60_001, 60_002, 60_003
PHOTOS, QUICK_PHOTOS, TEST_PARTS = 60, 9, 150
LEAST = 0.7  # of `datumd teach`
TRUE, MATCHED, MODEL, MODEL_MATCHED = "true labels", "matching", "model", "model, then matching"


class LoopRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training: whose labels, how far off they were, how far off the network is on parts that it never saw (px)."""

    labels: str
    photos: int
    label_median_px: float
    label_p95_px: float
    taken_for_visible: float
    median_px: float | None = None
    mean_px: float | None = None
    p95_px: float | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and print the table. Returns the exit code."""
    options = _options(argv)
    cv2.setNumThreads(1)
    try:
        records = _read(RESULTS) if options.cached else _measured(options)
    except DatumdError as error:
        sys.stderr.write(f"benchmarks.teach_loop: {error}\n")
        return 2
    return _report(records, options)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teach_loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, metavar="DIR", help="a trained teacher; its proposals matched as well")
    parser.add_argument("--cached", action="store_true", help="train nothing: the table of what is there")
    parser.add_argument("--quick", action="store_true", help="a few labels, no training; kept nowhere")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="DIR", help="sets and trainings (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures that have a bar to FILE as well")
    return parser.parse_args(argv)


def _measured(options: argparse.Namespace) -> dict[str, LoopRecord]:
    """Teach, train and judge; what was measured of other teachers stays."""
    count = QUICK_PHOTOS if options.quick else PHOTOS
    truth = _rendered(options.cache / f"photos-{count}", count, SEED)
    example = _example(options.cache / "example")
    found = {TRUE: (truth, compared(TRUE, truth, truth))}
    for name, teacher in _teachers(options).items():
        taught = propose(teacher, truth.images, example, lambda done, of: _say(f"{done}/{of} photographs"))
        dataset = _labels(taught, truth, options.cache / f"{_slug(name)}.json")
        found[name] = dataset, compared(name, dataset, truth)
    if options.quick:
        return {name: record for name, (_, record) in found.items()}
    kept = _read(RESULTS)
    for name, (dataset, record) in found.items():
        if name == TRUE and name in kept:
            continue
        kept[name] = _trained(name, dataset, record, options)
        RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(list(kept.values())), indent=1) + b"\n")
    return kept


def _teachers(options: argparse.Namespace) -> dict[str, FindsKeypoints]:
    if options.model is None:
        return {MATCHED: MatchingTeacher()}
    teacher = load_teacher(options.model, options.threads)
    return {MODEL: teacher, MODEL_MATCHED: RefiningTeacher(teacher)}


def _rendered(folder: Path, count: int, seed: int, occlusion: str = "ordinary") -> Dataset:
    if not (folder / "done").exists():
        words = [
            "render",
            str(folder),
            "--count",
            str(count),
            "--seed",
            str(seed),
            "--family",
            FAMILY,
            "--occlusion",
            occlusion,
        ]
        _datumd(words + (["--force"] if folder.exists() and any(folder.iterdir()) else []))
        (folder / "done").touch()
    return read_coco(folder / "annotations.json", folder / "images")


def _example(folder: Path) -> Example:
    """A photograph of a whole part with nothing in the way, as a person would choose it, with its true points."""
    truth = _rendered(folder, 1, EXAMPLE_SEED, "none")
    (part,) = truth.parts
    if (part.state != VISIBLE).any():
        raise DataError("the example does not show all keypoints", where=str(part.image))
    picture = read_image(part.image, colour=True, error=DataError)
    return Example(part.image, picture, Marked(truth.keypoints, part.xy_sensor_px, truth.name, part.box))


def _labels(taught: Sequence[Taught], truth: Dataset, file: Path) -> Dataset:
    """What `datumd teach` calls confident, by way of the file that it writes."""
    folder = truth.images[0].parent
    sure = [one for one in taught if one.sure >= LEAST]
    file.write_bytes(proposals_bytes(sure, truth.name, truth.keypoints, folder))
    return read_coco(file, folder)


def compared(name: str, labels: Dataset, truth: Dataset) -> LoopRecord:
    """How far visible labels are from the truth, and the share of them whose keypoint cannot be seen."""
    by_image = {part.image: part for part in truth.parts}
    errors: list[NDArray[np.float64]] = []
    wrong = shown = 0
    for part in labels.parts:
        true: Part = by_image[part.image]
        seen = part.state == VISIBLE
        errors.append(np.hypot(*(part.xy_sensor_px - true.xy_sensor_px).T)[seen & (true.state == VISIBLE)])
        wrong, shown = wrong + int((seen & (true.state != VISIBLE)).sum()), shown + int(seen.sum())
    median, p95 = np.percentile(np.concatenate(errors), (50, 95)).tolist()
    return LoopRecord(name, len(labels.parts), round(median, 3), round(p95, 3), round(wrong / max(shown, 1), 4))


def _trained(name: str, labels: Dataset, record: LoopRecord, options: argparse.Namespace) -> LoopRecord:
    _rendered(options.cache / "test", TEST_PARTS, TEST_SEED)
    slug = f"{_slug(name)}-{digest(labels, np.arange(len(labels.parts)))[:8]}"  # other labels are another training
    coco, recipe = options.cache / f"labels-{slug}.json", options.cache / f"recipe-{slug}"
    folder = labels.images[0].parent
    coco.write_bytes(coco_bytes(labels, folder))
    resume = ["--resume"] if recipe.with_name(f"{recipe.name}.training").exists() else []
    threads = ["--threads", str(options.threads), "--seed", "1"]
    words = ["train", str(METHOD), "--coco", str(coco), "--images", str(folder), "--out", str(recipe)]
    _datumd([*words, *threads, *resume])
    test, figures = options.cache / "test", recipe.with_suffix(".json")
    words = ["evaluate", str(recipe), "--coco", str(test / "annotations.json"), "--images", str(test / "images")]
    _datumd([*words, "--json", str(figures)])
    refined = json.loads(figures.read_text(encoding="utf-8"))["refined"]
    return msgspec.structs.replace(
        record, **{f"{key}_px": round(float(refined[key]), 3) for key in ("median", "mean", "p95")}
    )


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")


def _datumd(words: Sequence[str]) -> None:
    _say(f"datumd {' '.join(words)}")
    if subprocess.run([sys.executable, "-m", "pipeline", *words], check=False, stdout=sys.stderr).returncode:
        raise DataError(f"datumd {words[0]} failed", where=" ".join(words))


def _read(file: Path) -> dict[str, LoopRecord]:
    if not file.exists():
        return {}
    return {one.labels: one for one in msgspec.json.decode(file.read_bytes(), type=list[LoopRecord])}


def _report(records: dict[str, LoopRecord], options: argparse.Namespace) -> int:
    columns = (
        "labels",
        "parts",
        "off median px",
        "p95",
        "not to be seen",
        "then: median px",
        "mean",
        "p95",
        "over true",
    )
    true = records[TRUE].median_px if TRUE in records else None
    rows, figures = [], {}
    for name, one in records.items():
        over = one.median_px / true if one.median_px is not None and true else None
        if over is not None and name != TRUE:
            figures[f"{name.replace(', then ', '_').replace(' ', '_')}_median_over_true_labels"] = over
        after = [
            f"{value:.2f}" if value is not None else "-" for value in (one.median_px, one.mean_px, one.p95_px, over)
        ]
        off = [f"{one.label_median_px:.2f}", f"{one.label_p95_px:.2f}", f"{one.taken_for_visible:.1%}"]
        rows.append((name, str(one.photos), *off, *after))
    print(table_text(columns, rows) if rows else "nothing measured yet")
    faults = [] if options.quick else faults_of(figures, budgets_of("teach_loop"))
    for fault in faults:
        print(f"outside the budget: {fault}", file=sys.stderr)
    if options.json:
        record = {"benchmark": "teach_loop", "quick": options.quick, "figures": figures, "outside_budget": faults}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(
        "\nteach_loop: "
        + (", ".join(f"{key} {cell_text(value)}" for key, value in figures.items()) or "no training judged")
    )
    return 1 if faults else 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

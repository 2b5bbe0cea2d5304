"""A gauge study as its user takes it: `datumd gauge record` asks for ten parts three times, then `datumd gauge` evaluates."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.metrology.disc_part import SIDE_PX, DiscParts, distance_mm, write_recipe
from benchmarks.metrology.study_parts import (
    LOADINGS,
    MASTER_REPEATS,
    PARTS,
    REPEATS,
    Pair,
    true_sigmas_mm,
)
from pipeline.client import Subscription
from pipeline.errors import DatumdError
from pipeline.result import Result
from simulator.child import DaemonProcess

RESULTS, METRICS = "127.0.0.1:5595", "127.0.0.1:9595"
LIMIT_S = 600.0
TOLERANCE_MM = 0.1  # to either side
STUDIED: tuple[Pair, ...] = (("a", "b"), ("a", "c"))  # their ends differ from part to part
STATION = """
format = 1
station = "gauge-study"
recipes = "recipes"
[camera.top]
type = "synthetic"
triggers = "software"
width = {side}
height = {side}
frames = "benchmarks.metrology.study_parts:frames"
[part]
deadline_ms = 60000.0
[archive]
folder = "state"
[results]
bind = "tcp://{results}"
[metrics]
bind = "{metrics}"
"""
_WANTING = 3  # exit code of a study that found a gauge wanting: an answer, no fault


@dataclass(frozen=True, slots=True)
class Studied:
    """What was found of one distance, and what is true; mm.

    Attributes:
        ev, av, pv: repeatability, between loadings, between parts.
        stated: root mean square of the sigmas that the results state.
        true_av, true_pv: of the parts as drawn.
        grr_percent: GRR of the total variation.
        cg, bias: of the study of one part.
    """

    name: str
    ev: float
    av: float
    pv: float
    stated: float
    true_av: float
    true_pv: float
    grr_percent: float
    categories: int
    cg: float
    bias: float


def study(folder: Path) -> list[Studied]:
    """Take and evaluate both studies in `folder`: study.csv and master.csv, with the figures and the page of each distance."""
    write_recipe(folder, DiscParts(), TOLERANCE_MM)
    station = folder / "station.toml"
    station.write_text(STATION.format(side=SIDE_PX, results=RESULTS, metrics=METRICS))
    crossed = ["--parts", str(PARTS), "--loadings", str(LOADINGS), "--repeats", str(REPEATS)]
    with Subscription(f"tcp://{RESULTS}") as subscription:
        daemon = DaemonProcess(station, {})
        try:
            daemon.wait_until_ready(subscription)
            results = _recorded(subscription, folder / "study.csv", crossed)
            _recorded(subscription, folder / "master.csv", ["--parts", "nominal", "--repeats", str(MASTER_REPEATS)])
        finally:
            daemon.close()
    return [_studied(folder, pair, results) for pair in STUDIED]


def _recorded(subscription: Subscription, out: Path, plan: Sequence[str]) -> list[Result]:
    """Every inspection of a recording whose user presses Enter each time that he is asked."""
    command = [sys.executable, "-m", "pipeline", "gauge", "record", f"tcp://{RESULTS}", *plan, "--out", str(out)]
    enters, said = out.with_suffix(".enters"), out.with_suffix(".log")
    enters.write_text("\n" * PARTS * LOADINGS)
    results: list[Result] = []
    with enters.open() as pressed, said.open("w") as log:
        child = subprocess.Popen(command, stdin=pressed, stdout=log, stderr=log)
        try:
            until = time.monotonic() + LIMIT_S
            while child.poll() is None and time.monotonic() < until:
                if isinstance(message := subscription.receive(0.2), Result):
                    results.append(message)
        finally:
            child.kill()
            child.wait()
    if child.returncode:
        raise DatumdError(f"the study could not be taken:\n{said.read_text()}")
    return results


def _evaluated(table: Path, kind: str, measurement: str, options: Sequence[str]) -> dict[str, float]:
    """The figures of one measurement, as `datumd gauge` writes them; its page is left beside them."""
    figures = table.with_name(f"{table.stem}-{measurement}.figures.csv")
    command = [sys.executable, "-m", "pipeline", "gauge", kind, str(table), "--measurement", measurement, *options]
    command += ["--csv", str(figures), "--html", str(figures.with_suffix(".html"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, _WANTING):
        raise DatumdError(f"the study could not be evaluated: {done.stderr}")
    with figures.open(newline="") as file:
        return {row["figure"]: _number(row["value"]) for row in csv.DictReader(file)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _studied(folder: Path, pair: Pair, results: Sequence[Result]) -> Studied:
    name = "".join(pair)
    pv, av = true_sigmas_mm(pair)
    figures = _evaluated(folder / "study.csv", "grr", name, [])
    of_master = _evaluated(folder / "master.csv", "type1", name, ["--reference", repr(distance_mm(pair))])
    sigmas = [one.sigma for result in results for one in result.measurements if one.name == name]
    return Studied(
        name=name,
        ev=figures["repeatability (EV), standard deviation mm"],
        av=figures["reproducibility (AV), standard deviation mm"],
        pv=figures["parts (PV), standard deviation mm"],
        stated=math.sqrt(float(np.mean([math.nan if one is None else one * one for one in sigmas]))),
        true_av=av,
        true_pv=pv,
        grr_percent=figures["gauge (GRR), % of total"],
        categories=round(figures["distinct categories"]),
        cg=of_master["Cg"],
        bias=of_master["bias mm"],
    )

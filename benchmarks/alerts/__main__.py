"""Make every alert fire by a fault that is really made, end the fault, and see the alert clear.

A real Prometheus scrapes a real daemon on the simulated line, with the rules of monitoring/ whose times are divided. Before the
first fault of each station 10 to 60 s pass in which nothing may fire but what its own load does. The exit code is 1 where an
alert fires then, does not fire in its fault, or does not clear after it; 2 where the run breaks down.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

import yaml

from benchmarks.alerts.disk_scene import DISK
from benchmarks.alerts.fault import Shown, Watch
from benchmarks.alerts.line_scenes import FLOODED, LINE
from benchmarks.alerts.picture_scenes import DRIFT_SCENE, MASTERS_SCENE
from benchmarks.alerts.prometheus import MONITORING, Prometheus
from benchmarks.alerts.scene import Scene
from benchmarks.report import table_text
from pipeline.errors import DatumdError

SCENES = (LINE, MASTERS_SCENE, DISK, DRIFT_SCENE, FLOODED)
UP_LIMIT_S = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run it. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=alerts(), metavar="ALERT", help=f"of {', '.join(alerts())}")
    options = parser.parse_args(argv)
    if shutil.which("prometheus") is None:
        sys.stderr.write("benchmarks.alerts: there is no Prometheus (next: apt-get install prometheus)\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that everything is ended and unmounted
    wanted = set(options.only or alerts())
    began = time.monotonic()
    shown: list[Shown] = []
    try:
        for scene in SCENES:
            if wanted & set(scene.alerts):
                run(scene, wanted, shown)
    except (DatumdError, RuntimeError, OSError, ValueError, HTTPException, subprocess.SubprocessError) as error:
        print(text(shown))
        sys.stderr.write(f"benchmarks.alerts: {error}\n")
        return 2
    print(text(shown))
    good = sum(not each.fault for each in shown)
    minutes = (time.monotonic() - began) / 60
    print(f"\nalerts: {good} of {len(wanted)} fired and cleared, in {minutes:.0f} minutes", flush=True)
    return verdict(shown, wanted)


def verdict(shown: Sequence[Shown], wanted: set[str]) -> int:
    """The exit code: 0 where all that was wanted fired and cleared, and nothing else is amiss."""
    is_good = all(not each.fault for each in shown) and wanted <= {each.alert for each in shown}
    return 0 if is_good else 1


def alerts() -> list[str]:
    """The names of all alerts of the repository's rules."""
    groups = yaml.safe_load((MONITORING / "rules" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def run(scene: Scene, wanted: set[str], shown: list[Shown]) -> None:
    """Make the scene's faults of which an alert is wanted, and add to `shown` what came of them, also where it breaks down."""
    if lack := scene.lacks():
        shown += [Shown(alert, "nothing", fault=f"left out: {lack}") for alert in scene.alerts if alert in wanted]
        return
    say(f"{scene.name}: a station is started; the rules' times are divided by {scene.divisor}")
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as name:
        folder = Path(name)
        with scene.open(folder) as stage:
            ports = stage.station.ports
            (folder / "prometheus").mkdir()
            prometheus = Prometheus(folder / "prometheus", ports.prometheus, ports.metrics, scene.divisor, stage.nodes)
            watch = Watch(prometheus, say)
            try:
                prometheus.wait(lambda: bool(prometheus.query("datumd_ready == 1")), UP_LIMIT_S)
                say(f"{scene.rest_s:g} s without a fault ...")
                early = watch.rest(scene.rest_s) - set(scene.by_load)
                shown += [Shown(alert, "nothing", fault="fired without a fault") for alert in sorted(early)]
                for fault in stage.faults:
                    if wanted & set(fault.alerts):
                        watch.show(fault)
            finally:
                shown += [each for each in watch.shown if each.alert in wanted]
                prometheus.close()


def say(line: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def text(shown: Sequence[Shown]) -> str:
    """The table."""
    rows = [
        (each.alert, each.what, _seconds(each.fired_s), _seconds(each.cleared_s), each.fault or "fired and cleared")
        for each in shown
    ]
    return table_text(["alert", "what was done", "fired after s", "cleared after s", ""], rows)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


if __name__ == "__main__":
    sys.exit(main())

"""Runs every benchmark, one after the other and each in a process of its own."""

import argparse
import json
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import benchmarks

SOAKS = {
    "bridges",
    "chaos",
    "memory",
}  # half an hour each when they are run in full, by themselves: here they are always quick
# Hours of training, by themselves: here the bars are held to what they left in docs.
TRAINED = {"folds", "methods", "segment", "teach", "teach_loop"}
NOT_BENCHMARKS = {
    "__main__",
    "alerts",  # a fault run of a quarter of an hour, which needs Prometheus; by itself
    "bare",
    "bracket_station",
    "bracket_views",
    "dots",
    "frame_path",
    "killed_camera",
    "lens",
    "onlookers",
    "others",
    "report",
    "transports",
}


def main() -> int:
    """Runs them all; the exit code is 1 when one of them failed or was outside its budget."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under 2 minutes each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of all of them to FILE as well")
    options = parser.parse_args()
    names = sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - NOT_BENCHMARKS)
    failed, records = [], []
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "figures.json"
        for name in names:
            record.unlink(missing_ok=True)
            how = ["--quick"] if options.quick or name in SOAKS else []
            how = ["--cached"] if name in TRAINED else how
            words = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(record), *how]
            if subprocess.run(words, check=False).returncode:
                failed.append(name)
            if record.exists():
                records.append(json.loads(record.read_text(encoding="utf-8")))
            print(flush=True)
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    print(f"{len(names)} benchmarks; failed or outside their budgets: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""A real Prometheus with the repository's own rules, their times divided, so that a fault of hours shows within a minute."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

MONITORING = Path(__file__).parents[2] / "monitoring"
SCRAPE_MS = 500
SHORTEST_MS = 500  # no time of a rule is less: once for each scrape
DIVISOR = 30  # 5m of a rule become 10 s, 30s become 1 s
HOUR = re.compile(r"\b3600\b")  # a rate or a forecast over an hour
DURATION = re.compile(r"(?<![\w:])(\d+)([smhd])\b")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Prometheus:
    """One that scrapes a station twice a second."""

    def __init__(
        self, folder: Path, port: int, metrics_port: int, divisor: int = DIVISOR, nodes: tuple[int, str] | None = None
    ) -> None:
        """Start it; it is up when `wait` says so.

        Args:
            folder: where rules, data and its own words (`words`) lie.
            port: its own, of 127.0.0.1.
            metrics_port: the station's.
            divisor: of the times of all rules.
            nodes: the port of a node exporter, and the only mount point of its that counts.
        """
        self._port = port
        rules = shutil.copytree(MONITORING / "rules", folder / "rules")
        for path in rules.glob("*.yml"):
            path.write_text(shortened(path.read_text(encoding="utf-8"), divisor), encoding="utf-8")
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": f"{SCRAPE_MS}ms", "evaluation_interval": f"{SCRAPE_MS}ms"}
        targets = config["scrape_configs"][0]["static_configs"][0]
        targets["targets"] = [f"127.0.0.1:{metrics_port}"]
        if nodes:
            config["scrape_configs"].append(
                {
                    "job_name": "node",
                    "static_configs": [{**targets, "targets": [f"127.0.0.1:{nodes[0]}"]}],
                    "metric_relabel_configs": [
                        {"source_labels": ["mountpoint"], "regex": re.escape(nodes[1]), "action": "keep"}
                    ],
                }
            )
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._words = folder / "words"
        with self._words.open("w", encoding="utf-8") as words:
            self._child = subprocess.Popen(
                [  # noqa: S607 - wherever it is installed
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=words,
                stderr=words,
            )

    def get(self, path: str, **words: str) -> Any:  # noqa: ANN401 - JSON
        """What the HTTP API answers. Raises OSError where it does not."""
        with urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}?{urlencode(words)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression has now."""
        return list(self.get("query", query=expression)["result"])

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def wait(self, is_so: Callable[[], bool], limit_s: float) -> None:
        """Until something is so.

        Raises:
            TimeoutError: it is not; with the alerts of that moment.
            RuntimeError: Prometheus has ended; with its last words.
        """
        until, alerts = time.monotonic() + limit_s, "no answer"
        while time.monotonic() < until:
            if self._child.poll() is not None:
                raise RuntimeError(f"Prometheus has ended: {self._words.read_text(encoding='utf-8')[-500:]}")
            try:
                if is_so():
                    return
                alerts = str(self.get("alerts"))
            except (OSError, HTTPException):  # it is not up yet
                pass
            time.sleep(0.2)
        raise TimeoutError(f"not so after {limit_s:g} s; {alerts}")

    def close(self) -> None:
        """End it."""
        self._child.terminate()
        self._child.wait(20)


def shortened(rules: str, divisor: int) -> str:
    """The text of rules with every time divided, and the seconds of an hour with it."""
    text = DURATION.sub(lambda found: _shorter(int(found[1]) * UNITS_S[found[2]], divisor), rules)
    return HOUR.sub(f"{3600 / divisor:g}", text)


def _shorter(seconds: int, divisor: int) -> str:
    return f"{max(SHORTEST_MS, seconds * 1000 // divisor)}ms"

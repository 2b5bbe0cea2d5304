"""The figures of the station's processes."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from pipeline.status import ProcessReport

CountTo = Callable[[Counter, int, float], None]


class ProcessFigures:
    """What each process takes, and how often it had to be started again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"datumd_{name}", text, ["process"], registry=registry)

        self._memory = Gauge(
            "datumd_process_resident_memory_bytes", "Memory of a process.", ["process"], registry=registry
        )
        self._cpu = counter("process_cpu_seconds", "CPU time of a process.")
        self._restarts = counter("process_restarts", "How often a process was started again.")
        self._warmed = counter("keep_warm_runs", "Runs of all networks for no part, to keep them warm.")

    def observe(self, process: ProcessReport, count_to: CountTo) -> None:
        """Take a report into account; all but restarts begins again with each process id."""
        self._memory.labels(process.name).set(process.resident_bytes)
        count_to(self._restarts.labels(process.name), 0, process.restarts)
        count_to(self._cpu.labels(process.name), process.pid, process.cpu_seconds)
        if process.name.startswith("infer."):
            count_to(self._warmed.labels(process.name), process.pid, process.warmed)

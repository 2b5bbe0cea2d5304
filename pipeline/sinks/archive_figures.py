"""The figures of the journal and of the images beside it."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from pipeline.status import Status

CountTo = Callable[[Counter, int, float], None]


class ArchiveFigures:
    """Of what is kept on the disk, and of what is lost because it cannot be."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"datumd_{name}", text, registry=registry)

        def counter(name: str, text: str) -> Counter:
            return Counter(f"datumd_{name}", text, registry=registry)

        self._journal_fault = gauge("journal_fault", "1 while results do not reach the disk.")
        self._unwritten = gauge("journal_unwritten_results", "Results that wait in memory for the disk.")
        self._forgotten = counter(
            "journal_forgotten_results", "Results that found no room there, and are in no journal."
        )
        self._images_fault = gauge("images_fault", "1 while images cannot be stored or deleted as they should.")
        self._images_stored = counter("images_stored", "Images that were stored.")
        self._images_lost = counter("images_lost", "Images that should have been kept and were not.")
        self._images = gauge("images", "Images in the folder.")
        self._images_bytes = gauge("images_bytes", "Room that they take.")

    def observe(self, status: Status, count_to: CountTo) -> None:
        """Take a status into account; totals in it start again with each session."""
        journal, evidence = status.journal, status.evidence
        self._journal_fault.set(bool(journal.fault))
        self._unwritten.set(journal.unwritten)
        count_to(self._forgotten, status.session, journal.forgotten)
        self._images_fault.set(bool(evidence.fault))
        count_to(self._images_stored, status.session, evidence.stored)
        count_to(self._images_lost, status.session, evidence.lost)
        self._images.set(evidence.images)
        self._images_bytes.set(evidence.used_bytes)

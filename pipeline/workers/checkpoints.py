"""Has the journal on the disk about once a second, in a thread: a disk may take long, and clients do not wait for it."""

import logging
import threading
from pathlib import Path

from pipeline.ledger.journal_reader import JournalReader

log = logging.getLogger(__name__)

CHECKPOINT_S = 1.0


class Checkpoints:
    """Runs until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._reader = JournalReader.open(folder)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        said = ""
        while not self._stop.wait(CHECKPOINT_S):
            fault = self._reader.checkpoint()
            if fault and fault != said:
                log.warning("%s", fault)
            said = fault
        self._reader.close()

    def close(self) -> None:
        """End the thread; one that the disk holds up ends with the process."""
        self._stop.set()
        self._thread.join(CHECKPOINT_S)

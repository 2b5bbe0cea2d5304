"""A station without cameras: stream, journal and the process that answers clients are real, the ledger is played by the test."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from pipeline import result as result_schema
from pipeline.camera_settings import SyntheticSettings
from pipeline.clock import iso_utc, utc_ns
from pipeline.config import ControlSettings, ResultsSettings, SecuritySettings, Station
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_rows import Row
from pipeline.ledger.wire import ResultStream
from pipeline.messages import FromLedger, ToLedger
from pipeline.result import Evaluation, Result
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.runtime import Runtime
from pipeline.security import Gate
from pipeline.status import Heartbeat, JournalReport, Status
from pipeline.vitals import Vitals
from pipeline.worker import WorkerContext
from pipeline.workers.requests import RequestsWorker
from tests.played_ledger import PlayedLedger
from tests.results import result


class PlayedStation:
    """Publishes what the test wants, journals it or not, and lets ledgers and the requests process come and go."""

    def __init__(
        self, folder: Path, name: str, port: int, control_port: int, security: SecuritySettings | None = None
    ) -> None:
        self.name, self.control_port = name, control_port
        station = Station(
            format=1,
            station=name,
            recipes="",
            camera={"top": SyntheticSettings()},
            results=ResultsSettings(f"tcp://127.0.0.1:{port}"),
            control=ControlSettings(f"tcp://127.0.0.1:{control_port}"),
            security=security,
        )
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        self.runtime = Runtime(station, str(folder), str(self.state), ["requests"])
        self.ring = FrameRing.create(self.runtime.ring_path, RingLayout(4, 4096, 1))
        self.vitals = Vitals(self.runtime.vitals_path, rows=1)
        self.seq = 0
        self._begin()

    @property
    def endpoint(self) -> str:
        """Of the stream."""
        return self.runtime.results_endpoint

    @property
    def session(self) -> int:
        """Of the present ledger."""
        return self.journal.session

    def _begin(self) -> None:
        self.journal = Journal.open(self.state, self.ring.ring_id, self.ring.session, lambda _evaluation: 10_000.0)
        self.seq = 0
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._gate = Gate(self._context, self.runtime.station.security)
        self._workers = PlayedLedger(self.runtime.ledger_path)
        self._stream = ResultStream(self._context, self.name, self.endpoint, self._gate)
        self.ring.begin_session(self.session)

    def end_ledger(self) -> None:
        """The ledger is gone, and with it what it had not journaled."""
        self._stream.close()
        self._workers.close()
        self._gate.close()
        self._context.term()
        self.journal.close()

    def new_ledger(self) -> None:
        """A ledger dies, and another one begins a new session."""
        self.end_ledger()
        self._begin()

    def result(self, seq: int) -> Result:
        """The result of this number in the present session."""
        return result(
            station=self.name, session=self.session, seq=seq, result_id=f"{self.session}-{seq}", trigger_number=seq
        )

    def publish(self, count: int = 1, *, journaled: bool = True, live: bool = True) -> None:
        """So many results more; not `live`: the stream loses them."""
        results = [self.result(self.seq + step) for step in range(1, count + 1)]
        self.seq += count
        if journaled:
            rows = [
                Row(each.seq, utc_ns(), each.result_evaluation, each.seq, "", result_schema.encode(each))
                for each in results
            ]
            self._journal(rows)
        for each in results if live else []:
            self._stream.publish_result(result_schema.encode(each))

    def fill(self, count: int, size: int) -> None:
        """Journal so many rows of `size` bytes that are no results."""
        self._journal([Row(seq, utc_ns(), Evaluation.OK, seq, "", b"x" * size) for seq in range(1, count + 1)])

    def _journal(self, rows: list[Row]) -> None:
        for first in range(0, len(rows), 50):
            self.journal.commit(rows[first : first + 50], [], {})
        deadline = time.monotonic() + 10
        while self.journal.report().unwritten and time.monotonic() < deadline:  # what a busy machine left in memory
            self.journal.retry()
        assert self.journal.report() == JournalReport()

    def publish_again(self, payload: bytes) -> None:
        """Bytes as they are."""
        self._stream.publish_result(payload)

    def beat(self) -> None:
        """A heartbeat."""
        beat = Heartbeat(self.name, self.session, self.seq, iso_utc(utc_ns()), self.control_port)
        self._stream.publish_heartbeat(beat)

    def say(self, status: Status) -> None:
        """A status."""
        self._stream.publish_status(status)

    def hear(self, *kinds: type[ToLedger], timeout_s: float = 10.0) -> ToLedger | None:
        """What the requests process says to the ledger, None when nothing of these kinds comes in time."""
        return self._workers.hear(*kinds, timeout_ms=int(timeout_s * 1000))

    def tell(self, message: FromLedger) -> None:
        """The ledger's message to the requests process."""
        self._workers.tell("requests", message)

    @contextmanager
    def answering(self) -> Iterator[RequestsWorker]:
        """The requests process, in a thread."""
        worker = RequestsWorker(WorkerContext(self.runtime, "requests", self.vitals))
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        try:
            yield worker
        finally:
            stop.set()
            thread.join()
            worker.close()

    def close(self) -> None:
        """Remove everything from shared memory."""
        self.end_ledger()
        self.vitals.close()
        self.runtime.vitals_path.unlink()
        self.ring.close(unlink=True)

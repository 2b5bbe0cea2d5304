"""A station that answers triggers as the test wants, for bridges to be tried at."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from pipeline import requests
from pipeline import result as result_schema
from pipeline.messages import Asked, Told
from pipeline.requests import Reply, SelectRecipe, Trigger
from pipeline.result import Disposition, Evaluation, Measurement, Result, ResultState
from pipeline.status import CameraReport, StationState, Status
from tests.played_stations import PlayedStation
from tests.results import result

CAMERA = CameraReport("top", "top", True, "armed", "counted", 12, {}, None)
Say = Callable[[int, str], Result | None]


def answer_of(number: int, part_id: str, evaluation: Evaluation = Evaluation.OK) -> Result:
    """What the played station publishes for a software trigger."""
    disposition = Disposition.PASS if evaluation is Evaluation.OK else Disposition.REJECT
    return result(
        software_trigger=number, part_id=part_id, result_state=ResultState.COMPLETED, result_evaluation=evaluation,
        disposition=disposition, reasons=[], measurements=[Measurement("w", number + 0.5, "mm", None, None, None, evaluation)],
    )  # fmt: skip


class PlayedLine:
    """The ledger's side in a thread: it beats, says how it is, and answers triggers as `say` wants.

    Attributes:
        flows: results come of the line's own triggers, too, some fifty a second.
    """

    def __init__(self, station: PlayedStation, say: Say) -> None:
        self.station, self.say = station, say
        self.state, self.recipe, self.triggers, self.seq = StationState.Ready, 1, 0, 0
        self.flows = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def playing(self) -> Iterator[None]:
        with self.station.answering():
            self._thread.start()
            try:
                yield
            finally:
                self._stop.set()
                self._thread.join()

    def _run(self) -> None:
        said = 0.0
        while not self._stop.is_set():
            if time.monotonic() - said > 0.1:
                said = time.monotonic()
                self.station.beat()
                self.station.say(self._status())
            if self.flows:
                self.station.publish()
            asked = self.station.hear(Asked, timeout_s=0.02)
            if isinstance(asked, Asked):
                self._answer(asked)

    def _answer(self, asked: Asked) -> None:
        command = asked.command
        if isinstance(command, Trigger):
            self.triggers += 1
            reply = Reply(command.id, trigger=self.triggers)
            self.station.tell(Told(asked.ticket, requests.encode(reply)))
            answer = self.say(self.triggers, command.part_id)
            if answer is not None:
                self.seq += 1
                self.station.publish_again(result_schema.encode(self._placed(answer)))
            return
        error = ""
        if isinstance(command, SelectRecipe):
            if command.number == 9:
                error = "there is no recipe 9"
            else:
                self.recipe = command.number
        self.station.tell(Told(asked.ticket, requests.encode(Reply(command.id, error))))

    def _placed(self, answer: Result) -> Result:
        return msgspec.structs.replace(answer, station=self.station.name, session=self.station.session, seq=self.seq)

    def _status(self) -> Status:
        return Status(
            self.station.name, self.station.session, self.state, "", "0", self.recipe, "part", "ab", "none", [CAMERA], [],
            self.triggers, 0, {}, 0, 0, "2026-01-01T00:00:00Z",
        )  # fmt: skip


def say_by_number(number: int, part_id: str) -> Result | None:
    """Passes, fails, cannot decide, says nothing: in turn."""
    kinds = (Evaluation.OK, Evaluation.NOT_OK, Evaluation.NOT_DECIDABLE, None)
    kind = kinds[(number - 1) % 4]
    return None if kind is None else answer_of(number, part_id, kind)

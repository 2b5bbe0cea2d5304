"""Looks after a camera that has lost its power, as people do: the belt stands still while the counters are resynchronised."""

import time
from collections.abc import Callable

from pipeline.client import Control
from pipeline.errors import DatumdError
from pipeline.status import StationState, Status
from simulator.child import LineProcess

AFTER = 150  # parts after the loss of power: everybody knows of it by then
BEFORE = 500  # parts before it: what was killed is up again
LIMIT_S = 40.0  # for the camera to come back, whatever was killed just before
STILL_S = 1.5  # for what the belt has brought to be answered
ASK_S = 0.25


class Service:
    """Nothing is killed while somebody looks after the line.

    Attributes:
        done: how often the counters were resynchronised.
        failed: what the station still said when patience ended.
    """

    def __init__(self, moments: list[int], line: LineProcess, endpoint: str) -> None:
        self.done = 0
        self.failed: list[str] = []
        self._waiting = [moment + AFTER for moment in moments]
        self._line = line
        self._endpoint = endpoint

    def is_near(self, parts: int) -> bool:
        """Whether a camera has lost its power and is not looked after yet, or will in a moment."""
        return bool(self._waiting) and self._waiting[0] - AFTER - BEFORE <= parts

    def turn(self, parts: int, turn: Callable[[], None]) -> None:
        """When it is time: pause the belt, resynchronise until all agree, let it go on. `turn` is called meanwhile."""
        if not self._waiting or parts < self._waiting[0]:
            return
        self._line.pause()
        said = self._resynchronise(turn)
        self._waiting.pop(0)
        self._line.go()
        if said:
            self.failed.append(said)
        else:
            self.done += 1

    def _resynchronise(self, turn: Callable[[], None]) -> str:
        """Returns what the station says that is not as it should be."""
        said = "nothing"
        until_s = time.monotonic() + LIMIT_S
        still_s = time.monotonic() + STILL_S
        with Control(self._endpoint, timeout_s=1.0) as control:
            while time.monotonic() < until_s:
                turn()
                time.sleep(ASK_S)
                try:
                    status = control.status()
                    said = f"{status.state}: {status.text}"
                    if time.monotonic() > still_s and _are_up(status):
                        if status.state is StationState.ContinuousExecution:
                            return ""
                        control.resynchronise()
                except DatumdError as error:
                    said = str(error)
        return said


def _are_up(status: Status) -> bool:
    return all(camera.up for camera in status.cameras)

"""Selects recipes at random moments, as a line's controller does when other parts come; some requests meet dead processes."""

import random
import threading
import time
from dataclasses import dataclass

from pipeline.client import Control
from pipeline.errors import DatumdError

SHORTEST_S, LONGEST_S = 0.3, 3.0


@dataclass(frozen=True, slots=True)
class Selection:
    """One request: which recipe, when it was sent, when the reply came (monotonic), and `error` where it was refused."""

    number: int
    asked_ns: int
    told_ns: int
    error: str = ""


class Chooser:
    """Asks from a thread of its own until `close`. `fault` is what no client may meet: an error without a type."""

    def __init__(self, endpoint: str, numbers: list[int], seed: int) -> None:
        self.selections: list[Selection] = []
        self.fault = ""
        self._endpoint, self._numbers = endpoint, numbers
        self._random = random.Random(seed + 1)  # noqa: S311 - the same seed gives the same choices
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chooser", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            with Control(self._endpoint) as control:
                while not self._stop.wait(self._random.uniform(SHORTEST_S, LONGEST_S)):
                    self._select(control, self._random.choice(self._numbers))
        except Exception as error:  # whatever ended the thread is told at the end
            self.fault = repr(error)

    def _select(self, control: Control, number: int) -> None:
        asked_ns = time.monotonic_ns()
        error = ""
        try:
            control.select_recipe(number)
        except DatumdError as problem:
            error = str(problem)
        self.selections.append(Selection(number, asked_ns, time.monotonic_ns(), error))

    def close(self) -> None:
        """End the thread, after the request that is under way."""
        self._stop.set()
        self._thread.join(60.0)

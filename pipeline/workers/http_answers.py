"""Results by the software trigger that asked for them, for threads that wait."""

import threading
from collections import OrderedDict

from pipeline.clock import monotonic_ns
from pipeline.result import Result

MOST_KEPT = 256  # triggers; the answer may be there before its number is known


class Answers:
    """One thread puts results in, others wait for all those of one trigger."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._parts: OrderedDict[int, dict[int, Result]] = OrderedDict()

    def put(self, result: Result) -> None:
        """A result of the stream."""
        if result.software_trigger is None:
            return
        with self._news:
            self._parts.setdefault(result.software_trigger, {})[result.part_index] = result
            while len(self._parts) > MOST_KEPT:
                self._parts.popitem(last=False)
            self._news.notify_all()

    def wait(self, trigger: int, until_ns: int) -> list[Result] | None:
        """All results of a trigger, in the order of its parts; None where they have not come by `until_ns`, monotonic."""
        with self._news:
            while not self._is_whole(trigger):
                left_ns = until_ns - monotonic_ns()
                if left_ns <= 0:
                    return None
                self._news.wait(left_ns / 1e9)
            parts = self._parts.pop(trigger)
        return [parts[index] for index in sorted(parts)]

    def _is_whole(self, trigger: int) -> bool:
        parts = self._parts.get(trigger, {})
        return any(len(parts) == result.part_count for result in parts.values())

"""The ledger's end of the workers' lines, played by a test."""

from collections import deque
from pathlib import Path

from pipeline.clock import monotonic_ns
from pipeline.messages import FromLedger, ToLedger
from pipeline.workers.switchboard import Switchboard


class PlayedLedger:
    """Hears what the workers say and tells them what the test wants."""

    def __init__(self, path: Path) -> None:
        self._switchboard = Switchboard(path)
        self._heard: deque[ToLedger] = deque()

    def tell(self, name: str, message: FromLedger) -> None:
        self._switchboard.tell(name, message)

    def hear(self, *kinds: type[ToLedger], timeout_ms: int = 10_000) -> ToLedger | None:
        """The next message of these kinds (of any kind without), None when none comes in time."""
        until_ns = monotonic_ns() + timeout_ms * 1_000_000
        while self._heard or (left_ms := (until_ns - monotonic_ns()) // 1_000_000) >= 0:
            if not self._heard:
                self._switchboard.wait(left_ms)
                self._heard += self._switchboard.hear()
            while self._heard:
                message = self._heard.popleft()
                if not kinds or isinstance(message, kinds):
                    return message
        return None

    def close(self) -> None:
        self._switchboard.close()

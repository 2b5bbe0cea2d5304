"""From one station to many browsers: each has a box with the newest word of each kind, and no queue."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

MOST_CLIENTS = 32


@dataclass(slots=True, eq=False)
class Box:
    """What a browser has not been sent yet: of each kind the newest alone, so that a slow one costs no more than that."""

    waiting: dict[str, bytes] = field(default_factory=dict)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, kind: str, payload: bytes) -> None:
        """Put it in the place of an older one."""
        self.waiting[kind] = payload
        self._filled.set()

    async def take(self, timeout_s: float) -> dict[str, bytes]:
        """All that is there, once something is; nothing where nothing comes in time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._filled.wait(), timeout_s)
        self._filled.clear()
        taken, self.waiting = self.waiting, {}
        return taken


class Hub:
    """Keeps the newest word of each kind, and tells it to those who listen. Of one event loop; `tell` may be called anywhere."""

    def __init__(self) -> None:
        self._newest: dict[str, bytes] = {}
        self._boxes: set[Box] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def listeners(self) -> int:
        """How many browsers look at present."""
        return len(self._boxes)

    @property
    def has_room(self) -> bool:
        """Whether one more browser may listen."""
        return len(self._boxes) < MOST_CLIENTS

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop in which browsers are served."""
        self._loop = loop

    def tell(self, kind: str, payload: bytes) -> None:
        """From any thread: this is the newest word of its kind."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, kind, payload)

    def _tell(self, kind: str, payload: bytes) -> None:
        self._newest[kind] = payload
        for box in self._boxes:
            box.put(kind, payload)

    async def listen(self, silence_s: float) -> AsyncGenerator[dict[str, bytes], None]:
        """What a new browser must know, then what is new, by kind; empty where nothing is new for `silence_s`.

        Ends at once where too many listen already.
        """
        if not self.has_room:
            return
        box = Box()
        for kind, payload in self._newest.items():
            box.put(kind, payload)
        self._boxes.add(box)
        try:
            while True:
                yield await box.take(silence_s)
        finally:
            self._boxes.discard(box)

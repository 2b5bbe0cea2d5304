"""The pictures that browsers may still ask for: of each view the last few, and small ones of the parts that were rejected."""

import threading
from collections import OrderedDict

KEPT_A_VIEW = 4
MOST_SMALL = 96


class Gallery:
    """JPEGs by name; any thread may put and get."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._number = 0
        self._views: dict[str, OrderedDict[int, bytes]] = {}
        self._small: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def put(self, view: str, jpeg: bytes) -> int:
        """Keep the newest picture of a view; returns its number, which no other picture ever has."""
        with self._guard:
            self._number += 1
            kept = self._views.setdefault(view, OrderedDict())
            kept[self._number] = jpeg
            while len(kept) > KEPT_A_VIEW:
                kept.popitem(last=False)
            return self._number

    def get(self, view: str, number: int) -> bytes | None:
        """A picture of a view; None where it is kept no more."""
        with self._guard:
            kept = self._views.get(view)
            return None if kept is None else kept.get(number)

    def put_small(self, part: str, view: str, jpeg: bytes) -> None:
        """Keep a small picture of a part, by its result_id."""
        with self._guard:
            self._small[part, view] = jpeg
            while len(self._small) > MOST_SMALL:
                self._small.popitem(last=False)

    def small(self, part: str, view: str) -> bytes | None:
        """The small picture; None where there is none."""
        with self._guard:
            return self._small.get((part, view))

    def small_views(self, part: str) -> list[str]:
        """Views of which there is a small picture of this part."""
        with self._guard:
            return [view for one, view in self._small if one == part]

"""Has pictures made of the newest part, as often as allowed and while somebody looks, and of each rejected one a small one."""

import threading
from collections import deque
from collections.abc import Callable, Iterator

from pipeline.clock import monotonic_ns
from pipeline.live_picture import Area, PictureLine, Shown, Wanted
from pipeline.result import Result, View
from pipeline.sinks.web.gallery import Gallery

WAIT_S = 0.25
LARGE_PX, SMALL_PX = 1280, 400
SMALL_PERIOD_NS = 300_000_000
FAR_NS = 2**63 - 1
MOST_WAITING = 4  # rejected parts without their small picture; what comes faster has none
MARGIN = 0.03  # around the region, of its longer side
Pictures = dict[str, tuple[int, Shown]]  # view to the number of its picture, and what that shows


class Painter:
    """One thread beside the one that hears results."""

    def __init__(
        self,
        line: PictureLine,
        gallery: Gallery,
        period_s: float,
        is_watched: Callable[[], bool],
        shown: Callable[[Result, Pictures], None],
        small: Callable[[str], None],
    ) -> None:
        """What is done with what it makes.

        Args:
            line: to who copies frames.
            gallery: where pictures go.
            period_s: at least so long from one part that is shown to the next.
            is_watched: whether anybody looks.
            shown: told of a part and its pictures.
            small: told of a part (its result_id) of which there are small pictures now.
        """
        self._line, self._gallery, self._period_ns = line, gallery, int(period_s * 1e9)
        self._is_watched, self._shown, self._small = is_watched, shown, small
        self._wake = threading.Condition()
        self._newest: Result | None = None
        self._rejected: deque[Result] = deque(maxlen=MOST_WAITING)
        self._shown_ns = self._small_ns = 0

    def take(self, result: Result, *, is_rejected: bool) -> None:
        """A result has come."""
        with self._wake:
            is_first = self._newest is None or (is_rejected and not self._rejected)
            if result.part_index == 0 or is_rejected:  # of several parts in a frame the first, or one that is not good
                self._newest = result
            if is_rejected:
                self._rejected.append(result)
            if is_first:  # else it waits for its time already
                self._wake.notify()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            self.turn()
        self._line.close()

    def turn(self) -> None:
        """Wait for something to do, for a while, and do it."""
        large, small = self._next()
        if small is not None:
            self._small_ns = monotonic_ns()
            for view, _, jpeg in self._asked(small, SMALL_PX):
                self._gallery.put_small(small.result_id, view, jpeg)
            self._small(small.result_id)
        if large is not None:
            self._shown_ns = monotonic_ns()
            pictures = {
                view: (self._gallery.put(view, jpeg), shown) for view, shown, jpeg in self._asked(large, LARGE_PX)
            }
            self._shown(large, pictures)

    def _next(self) -> tuple[Result | None, Result | None]:
        """A part to be shown, a part to be shown small; None what need not be yet."""
        with self._wake:
            wait_s = min(WAIT_S, (self._due_ns() - monotonic_ns()) / 1e9)
            if wait_s > 0:
                self._wake.wait(wait_s)
            now = monotonic_ns()
            large = small = None
            if self._rejected and now - self._small_ns >= SMALL_PERIOD_NS:
                small = self._rejected.pop()  # the newest: the frames of the others are gone the sooner
            if self._newest is not None and now - self._shown_ns >= self._period_ns and self._is_watched():
                large, self._newest = self._newest, None
            return large, small

    def _due_ns(self) -> int:
        """When there is something to do, unless more comes. What nobody looks at is never due."""
        is_wanted = self._newest is not None and self._is_watched()
        return min(
            self._shown_ns + self._period_ns if is_wanted else FAR_NS,
            self._small_ns + SMALL_PERIOD_NS if self._rejected else FAR_NS,
        )

    def _asked(self, result: Result, longest_px: int) -> Iterator[tuple[str, Shown, bytes]]:
        for view in result.views:
            area = area_of(view) if result.part_count == 1 or longest_px == SMALL_PX else None
            wanted = Wanted(view.camera, view.frame_id, view.received_time, area, longest_px)
            shown, jpeg = self._line.ask(wanted)
            if shown.shown:
                yield view.view, shown, jpeg


def area_of(view: View) -> Area | None:
    """The part's region with some room around it, in sensor px; None where there is none."""
    if view.region is None:
        return None
    x, y, width, height = view.region
    room = MARGIN * max(width, height)
    return round(x - room), round(y - room), round(width + 2 * room), round(height + 2 * room)

"""Which frames a camera lost: frame ids, underrun counts and trigger numbers turned into losses, each told once."""

from pipeline.camera.source import Loss
from pipeline.loss import LossKind

BLOCK_IDS = 65_535  # GigE Vision 1.x counts 1 … 65535 and round again, without 0
LONGEST_GAP = 1_000_000


class FrameAccount:
    """One run of a camera from `start` to `stop`.

    A producer that runs out of buffers counts that at once, but the gap in the frame ids shows only after the buffers
    that were full by then have been delivered. So underruns wait for their gap. They are told without one when the
    camera has gone quiet, or when so many frames came that the gap must have shown: the producer's frame ids then do
    not count what it dropped itself.
    """

    def __init__(self, buffers: int, underruns: int) -> None:
        """`buffers` are queued at the producer; its underrun counter stands at `underruns` now."""
        self._buffers = buffers
        self._underruns = underruns
        self._waiting = 0  # underruns that no gap has shown yet
        self._waited = 0  # frames delivered since the last of them
        self._told = 0  # underruns told without a gap, which may still show
        self._frame_id: int | None = None
        self._number: int | None = None

    @property
    def next_frame_id(self) -> int:
        """The id for a frame whose producer tells none."""
        return 0 if self._frame_id is None else self._frame_id + 1

    def number_if_last(self, frame_id: int | None, counter: int | None) -> int | None:
        """The trigger number of this newest frame: the line counter now, if as many triggers as frames came since."""
        if frame_id is None or counter is None or self._frame_id is None or self._number is None:
            return None
        return counter if counter - self._number == frame_id - self._frame_id > 0 else None

    def complete(self, frame_id: int, number: int | None, underruns: int) -> list[Loss]:
        """What the arrival of this frame reveals, to be told before it."""
        self._count(underruns)
        losses = self._between(frame_id, number)
        self._frame_id, self._number = frame_id, number
        self._waited += 1
        if self._waiting and self._waited > self._buffers:
            losses += self._tell_waiting()
        return losses

    def incomplete(self, frame_id: int | None, number: int | None, underruns: int) -> list[Loss]:
        """A buffer came with holes; `frame_id` and `number` where they could be read all the same."""
        losses = self.complete(self.next_frame_id if frame_id is None else frame_id, number, underruns)
        return [*losses, Loss(LossKind.incomplete, number)]

    def quiet(self, underruns: int) -> list[Loss]:
        """No frame came for a while: all that was delivered has been taken."""
        self._count(underruns)
        return self._tell_waiting()

    def _count(self, underruns: int) -> None:
        if underruns > self._underruns:
            self._waiting += underruns - self._underruns
            self._waited = 0
        self._underruns = underruns

    def _tell_waiting(self) -> list[Loss]:
        if not self._waiting:
            return []
        count, self._waiting = self._waiting, 0
        self._told += count
        return [Loss(LossKind.lost_buffer, None, count)]

    def _between(self, frame_id: int, number: int | None) -> list[Loss]:
        """Losses between the frame before and this one."""
        missing = _missing(self._frame_id, frame_id)
        first = self._first_number(number, missing)
        told = min(missing, self._told)
        missing -= told
        self._told -= told
        buffer = min(missing, self._waiting)
        self._waiting -= buffer
        losses = []
        if buffer:
            losses.append(Loss(LossKind.lost_buffer, first if not told else None, buffer))
        if missing > buffer:
            first = None if first is None or told else first + buffer
            losses.append(Loss(LossKind.lost_transport, first, missing - buffer))
        return losses

    def _first_number(self, number: int | None, missing: int) -> int | None:
        """The first missing trigger number where ids and numbers agree on how many are missing."""
        if number is None or self._number is None or number - self._number - 1 != missing:
            return None
        return self._number + 1


def _missing(before: int | None, now: int) -> int:
    """Frame ids left out between two frames; 0 where the count began again."""
    if before is None:
        return 0
    gap = now - before - 1
    if gap < 0 and before <= BLOCK_IDS:
        gap = (now - before) % BLOCK_IDS - 1
        gap = gap if gap < BLOCK_IDS // 2 else 0
    return gap if 0 <= gap <= LONGEST_GAP else 0

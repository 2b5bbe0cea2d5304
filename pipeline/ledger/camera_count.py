"""What one camera has shown of the triggers, by its line counter and its frames."""

from dataclasses import dataclass


@dataclass(slots=True)
class CameraCount:
    """As trigger numbers: the camera's own, with `offset` added.

    Attributes:
        before: (counter, offset): frames up to this reading of the counter are of before another offset came.
        is_known: it has shown a number.
        newest: the highest number of its present count.
        shown: what its counter was last said to be, or its newest frame was of.
        delivered: number of its newest frame, or at least not more than that.
        passed: for each number up to this it is settled whether a frame of it comes: cameras deliver in order.
        down_through: numbers up to this passed while there was no ledger, or no worker of the camera.
        covered: astray: what it counted up to here is in the count of the others.
        told_again: what a worker said of the counter at its hello, where that is less than is known already.
        suspect: a number that is perhaps wrong, until the next one.
        late_in_a_row: frames that no part waited for, since one did or since another camera was heard; the first came at
            late_since_ns.
        received_ns: when its newest frame was received.
        is_back: its worker has said hello, and no number yet.
        is_in_order: all its frames up to the newest are known; not so before its worker has spoken to a new ledger.
    """

    offset: int = 0
    before: tuple[int, int] | None = None
    is_known: bool = False
    newest: int = 0
    shown: int = 0
    delivered: int = 0
    passed: int = 0
    down_through: int = 0
    covered: int = 0
    told_again: int | None = None
    suspect: int | None = None
    suspect_is_frame: bool = False
    late_in_a_row: int = 0
    late_since_ns: int = 0
    received_ns: int = 0
    is_astray: bool = False
    is_back: bool = False
    is_in_order: bool = True

    def stand_at(self, number: int, delivered: int = 0) -> None:
        """Its count is at `number`; `delivered` is the number of its newest frame, 0 where that is not known."""
        self.is_known = True
        self.newest = self.passed = self.covered = self.shown = number
        self.delivered = delivered
        self.down_through = min(self.down_through, number)
        self.suspect = self.told_again = None
        self.late_in_a_row = 0

    def stray(self) -> None:
        """It counts no more for the domain."""
        self.is_astray = True
        self.covered = self.newest
        self.late_in_a_row = 0

    def number(self, reading: int, *, is_frame: bool) -> int:
        """The trigger number of what the camera shows."""
        if self.before is not None and reading + (not is_frame) <= self.before[0]:
            return reading + self.before[1]
        return reading + self.offset

    def reading(self, number: int) -> int:
        """What its counter showed of this number."""
        if self.before is not None and number <= sum(self.before):
            return number - self.before[1]
        return number - self.offset

    def skip(self, number: int) -> None:
        """This trigger was given to the other cameras and not to this one: after it, its counter is one more behind."""
        self.before = (number - 1 - self.offset, self.offset)
        self.offset += 1
        self.newest += self.newest >= number - 1
        self.shown += self.shown >= number - 1
        self.covered += self.covered >= number - 1
        self.delivered += self.delivered >= number

    def goes_on(self, number: int, *, is_frame: bool) -> bool:
        """Whether the number may follow those of before."""
        if is_frame and not self.is_in_order:  # an earlier ledger knew of later ones, or answered before this one came
            return number > min(self.passed, self.delivered)
        return number > self.delivered if is_frame else number >= self.newest

    def confirms(self, number: int, largest_step: int, *, is_frame: bool) -> bool:
        """Whether the number shows that the suspect one was right.

        Two frames have two numbers. A counter that is read twice and stands still proves nothing when it is lower than before.
        """
        if self.suspect is None:
            return False
        same = is_frame == self.suspect_is_frame and (is_frame or self.suspect < self.newest)
        return self.suspect + same <= number <= self.suspect + largest_step

    def reset_to(self, suspect: int) -> int:
        """Where its new count began, after the suspect number has been confirmed."""
        begun = suspect - self.suspect_is_frame
        return begun if self.told_again is None else min(begun, self.told_again)

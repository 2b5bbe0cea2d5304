"""Which trigger numbers are owed an answer: the count of each domain, as the line counters of its cameras tell it.

A domain is all cameras where views are joined, else one camera. The numbers of one trigger are the same at all its cameras; a
camera whose numbers are not those of the others is astray: what it shows opens nothing until it meets the others again, until
they are reset as well or go silent, or until somebody resynchronises. There is always one camera at least that is not.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum, auto

from pipeline.ledger.account import Account
from pipeline.ledger.camera_count import CameraCount

LARGEST_COUNTER_STEP = 10_000  # a reading further off is believed when the next one confirms it
LATE_IN_A_ROW = 3  # frames without an open part, after which a camera is astray
FURTHEST_APART = 100  # cameras that are armed one after the other, at a running line, first show numbers as far apart
EXCUSED = 256  # answered numbers that are remembered, whose frames may come late without a fault of their camera


class Heard(Enum):
    """What the reading of a counter means."""

    held = auto()  # perhaps it is wrong: the next one will tell
    astray = auto()  # it is none of the domain's numbers
    believed = auto()  # every trigger up to it is owed an answer
    restarts = auto()  # the old count is over: end what is open of it, `restart`, and hear this reading again


class Domain:
    """The count of one domain: what is owed, what is answered, who counts along."""

    def __init__(
        self, name: str, cameras: Iterable[str], account: Account | None, largest_step: int, late_ns: int
    ) -> None:
        self.name = name
        self.cameras = {camera: CameraCount() for camera in cameras}
        self.is_begun = False
        self.heard_ns = 0  # when a camera was last heard
        self.count = 0
        self.highest = 0  # every number up to this has been opened, or was never owed
        self.part_ids: dict[int, str] = {}
        self.software: dict[int, int] = {}
        self.skipped: deque[range] = deque()  # numbers of this count that passed unseen, still to be opened
        self.mixed = range(0)  # numbers that are of different triggers at different cameras
        self.is_changed = False
        self._through = 0
        self._beyond: set[int] = set()
        self._excused: deque[int] = deque(maxlen=EXCUSED)
        self._largest_step = largest_step
        self._late_ns = late_ns
        self._restart_at = 0
        self._opened_before = 0
        if account is not None:
            self._take_up(account)

    def _take_up(self, account: Account) -> None:
        self.is_begun = True
        self.highest = self._through = account.through
        self.count = account.count
        self.mixed = range(account.mixed[0], account.mixed[1] + 1) if account.mixed else range(0)
        self._opened_before = max(account.through, account.highest)
        self._beyond = set(account.beyond)
        self.part_ids = dict(account.part_ids)
        self.software = dict(account.software)
        for camera, own in self.cameras.items():
            own.offset = account.offsets.get(camera, 0)
            own.before = account.before.get(camera)
            own.stand_at(account.through, account.delivered.get(camera, 0))
            own.is_in_order = False

    # What is owed and what is answered

    def number(self, camera: str, reading: int, *, is_frame: bool = False) -> int:
        """The trigger number of what the camera shows."""
        return self.cameras[camera].number(reading, is_frame=is_frame)

    def opened_before(self) -> range:
        """Numbers above the highest that an earlier ledger has opened, and perhaps answered."""
        return range(self.highest + 1, max(self._opened_before, *self._beyond, *self.software, self.highest) + 1)

    def is_answered(self, number: int) -> bool:
        """Whether the number is answered, or was never owed."""
        return number <= self._through or number in self._beyond

    def answer(self, number: int, *, is_excused: bool) -> None:
        """The number is answered. `is_excused`: frames of it may still come, without any fault of their cameras."""
        self.is_changed = True
        self.part_ids.pop(number, None)
        self.software.pop(number, None)
        if is_excused:
            self._excused.append(number)
        if number > self._through:
            self._beyond.add(number)
        while self._through + 1 in self._beyond:
            self._through += 1
            self._beyond.discard(self._through)

    def account(self) -> Account:
        """What a new ledger must know."""
        return Account(
            through=self._through,
            beyond=tuple(sorted(self._beyond)),
            offsets={camera: own.offset for camera, own in self.cameras.items() if own.offset},
            before={camera: own.before for camera, own in self.cameras.items() if own.before is not None},
            part_ids=dict(self.part_ids),
            count=self.count,
            mixed=(self.mixed[0], self.mixed[-1]) if self.mixed and self.mixed[-1] > self._through else (),
            highest=self.highest,
            delivered={camera: own.delivered for camera, own in self.cameras.items()},
            software=dict(self.software),
        )

    def astray(self) -> list[str]:
        """Cameras that are astray, or whose newest number is in doubt."""
        return [name for name, own in self.cameras.items() if own.is_astray or own.suspect is not None]

    # What the cameras show

    def hear(self, camera: str, reading: int, *, is_frame: bool = False, is_baseline: bool = False) -> Heard:  # noqa: PLR0911 - one for each way to judge a reading
        """The camera's counter has been read, or a frame with a number has come, or is known to be lost.

        `is_baseline`: the counter was read while the camera was being armed, and may have been reset.
        """
        own = self.cameras[camera]
        number = own.number(reading, is_frame=is_frame)
        before = number - is_frame
        if not self.is_begun:
            self.begin(before)
        is_first = own.is_back and not is_frame and not is_baseline
        if own.is_back:
            own.is_back, own.down_through = False, before
        if not own.is_known and self._first(own, before) is Heard.restarts:
            return Heard.restarts
        if not is_frame:
            own.shown = number
        if is_baseline and number < own.newest:
            heard = self._reset(own, number)
            own.delivered = own.newest  # frames of before it was armed do not come
            return heard
        if is_first and number < own.newest:
            own.told_again = number  # the worker read it before some frames that are known
            return Heard.held
        if own.goes_on(number, is_frame=is_frame) and number <= max(own.newest, self.highest) + self._largest_step:
            return self._believe(own, number, is_frame=is_frame, is_baseline=is_baseline)
        if not own.confirms(number, self._largest_step, is_frame=is_frame):
            own.suspect, own.suspect_is_frame = number, is_frame
            return Heard.held
        if self._trust(own, own.suspect or 0) is Heard.restarts:
            return Heard.restarts
        return self.hear(camera, reading, is_frame=is_frame)

    def begin(self, number: int) -> None:
        """The count begins: nothing is owed of before."""
        self.is_begun = self.is_changed = True
        self.highest = self._through = number
        for bound in [bound for bound in self.part_ids if bound <= number]:
            del self.part_ids[bound]

    def _first(self, own: CameraCount, number: int) -> Heard:
        """The first number of a camera, in a domain that counts already and does not know this camera's count."""
        if number > self.highest + FURTHEST_APART:
            own.stand_at(number)
            for other in self.cameras.values():
                if other is not own and other.is_known:
                    other.stray()
            self._restart_at = number
            return Heard.restarts
        own.stand_at(min(number, self.highest))
        own.passed = 0
        if number < self.highest - FURTHEST_APART:
            own.stray()
        return Heard.believed

    def _believe(self, own: CameraCount, number: int, *, is_frame: bool, is_baseline: bool) -> Heard:
        if not (is_frame and own.suspect is not None and own.suspect > number and not own.suspect_is_frame):
            own.suspect = None  # frames come later than the counter that has counted them: they do not clear it
        own.told_again = None
        own.newest = max(own.newest, number)
        own.shown = max(own.shown, number)
        if is_frame or is_baseline:
            own.delivered = number
        if own.is_astray:
            return Heard.astray
        for other in self.cameras.values():
            if other.is_astray and other.is_known:
                other.covered, other.late_in_a_row = other.newest, 0
        return Heard.believed

    def _trust(self, own: CameraCount, suspect: int) -> Heard:
        """The suspect number was right: triggers have passed unseen, or the counter has been reset."""
        if suspect < own.newest:
            return self._reset(own, own.reset_to(suspect))
        own.newest, own.suspect = suspect, None
        if not own.is_astray:
            self._skip_through(suspect)
        return Heard.believed

    def _skip_through(self, number: int) -> None:
        if number > self.highest:
            self.skipped.append(range(self.highest + 1, number + 1))
            self.highest = number
        for one in self.cameras.values():
            one.down_through = max(one.down_through, number)

    # Counts that are reset, and cameras that are astray

    def _reset(self, own: CameraCount, number: int) -> Heard:
        """The camera counts from a lower number. The count goes on while another camera has not been reset."""
        own.stand_at(own.reading(number))
        own.offset, own.before = 0, None
        others = [other for other in self.cameras.values() if other is not own]
        if any(not other.is_astray and other.is_known for other in others):
            own.stray()
            return Heard.astray
        self._restart_at = max((other.covered for other in others if other.is_astray), default=own.covered)
        for one in self.cameras.values():
            one.is_astray = False
        return Heard.restarts

    def late(self, camera: str, number: int, at: int) -> Heard:
        """No part waits for the frame of this number.

        Returns `astray` when the camera has just been found to be so, and `restarts` when it is and nobody else counts: then
        the count goes on with what it counted alone. A worker that was only slow delivers a burst of late frames and then meets
        the others again, so both take `late_ns`.
        """
        own = self.cameras[camera]
        if number in self._excused or number <= self._opened_before:
            return Heard.believed  # it may have been answered before all its frames had come
        own.late_in_a_row += 1
        if own.late_in_a_row == 1:
            own.late_since_ns = at
        if own.late_in_a_row < LATE_IN_A_ROW or at - own.late_since_ns < self._late_ns:
            return Heard.believed
        others = [other for other in self.cameras.values() if other is not own and other.is_known]
        counting = [other for other in others if not other.is_astray]
        if not own.is_astray and counting:
            own.stray()
            return Heard.astray
        if not own.is_astray:
            return Heard.believed
        for other in counting:
            other.stray()
        own.is_astray = False
        self._restart_at = own.covered
        return Heard.restarts

    def met(self, camera: str) -> None:
        """A part waits for the frame of this camera."""
        self.cameras[camera].late_in_a_row = 0
        self.cameras[camera].is_astray = False

    def rest(self) -> None:
        """All counters stand still: those that agree with the count have met it."""
        for camera, own in self.cameras.items():
            if own.is_astray and own.shown == self.highest:
                self.met(camera)

    def restart(self) -> None:
        """The numbers of the old count are forgotten: the new one begins."""
        self.count += 1
        self.mixed = range(0)
        self._opened_before = 0
        self.highest = self._through = self._restart_at
        self._beyond.clear()
        self._excused.clear()
        self.skipped.clear()
        self.part_ids.clear()
        self.software.clear()
        self.is_changed = True
        for own in self.cameras.values():
            if not own.is_astray:
                own.passed = min(own.passed, self.highest)

    def skip(self, camera: str, number: int) -> None:
        """A software trigger got this number at the others, and this camera did not take it."""
        own = self.cameras[camera]
        if own.is_known and not own.is_astray:
            own.skip(number)
            self.is_changed = True

    def resynchronise(self) -> None:
        """The parts of before are answered: whatever the counters show, they count the same triggers from here on."""
        if not self.is_begun:
            return
        for own in self.cameras.values():
            if not own.is_known:
                continue
            offset = self.highest - own.reading(own.shown)
            delivered = min(own.reading(own.delivered) + offset, self.highest)
            own.stand_at(self.highest, delivered)
            own.offset, own.before = offset, None
            own.is_astray = False
        self.part_ids.clear()
        self.mixed = range(0)
        self.is_changed = True

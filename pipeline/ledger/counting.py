"""From what cameras show to open parts: each trigger number that is owed an answer has one, until it is answered."""

from collections import deque
from collections.abc import Mapping

from pipeline.ledger.account import Account
from pipeline.ledger.actions import Part
from pipeline.ledger.book_settings import BookSettings
from pipeline.ledger.parts import Parts
from pipeline.ledger.triggers import Domain, Heard
from pipeline.loss import LossKind


class Counting:
    """Opens parts, and settles those that are known to be lost.

    Attributes:
        running: False: parts of the line's triggers are settled as `stopped`.
        shot_pending: a software trigger is under way: which of the parts opened meanwhile is its, will be known soon.
        undecided: parts that are perhaps its, with the views that are in: they are not inspected before that is known.
    """

    def __init__(self, settings: BookSettings, accounts: Mapping[str, Account]) -> None:
        self.settings = settings
        self.parts = Parts()
        self.triggers = 0
        self.recipe = 0
        self.running = True
        self.shot_pending = False
        self.undecided: dict[int, list[str]] = {}
        cameras = {"": list(settings.views)} if settings.joined else {camera: [camera] for camera in settings.views}
        self.domains = {
            name: Domain(name, members, accounts.get(name), settings.largest_step, settings.late_ns)
            for name, members in cameras.items()
        }
        self._past: deque[tuple[str, int, range, dict[int, str]]] = (
            deque()
        )  # numbers of counts that are over, still to be opened
        self._astray: set[str] = set()
        self._decided: list[tuple[Part, str]] = []
        self._next_part = 0

    def domain(self, camera: str) -> Domain:
        """The domain of a camera."""
        return self.domains["" if self.settings.joined else camera]

    def views(self, part: Part) -> list[str]:
        """The views of a part."""
        if self.settings.joined:
            return list(self.settings.views.values())
        return [self.settings.views[part.domain]]

    # Opening

    def open(self, name: str, trigger_number: int | None, at: int, *, software: int | None = None) -> Part:
        """Open a part, by the recipe that is selected now."""
        domain = self.domains[name]
        deadline_ns = at + self.settings.deadline_ns
        part = Part(self._next_part, name, trigger_number, at, deadline_ns, self.recipe, software, count=domain.count)
        self._next_part += 1
        self.triggers += 1
        if trigger_number is not None and software is None:
            part.software = domain.software.get(trigger_number)
        self.parts.add(part)
        for camera, own in domain.cameras.items():
            if own.is_astray:
                part.lost[self.settings.views[camera]] = LossKind.trigger_mismatch
        is_of_line = part.software is None
        if trigger_number in domain.mixed:
            self.end(part, LossKind.trigger_mismatch)
        elif is_of_line and self.shot_pending and (not self.running or len(domain.cameras) > 1):
            self.undecided[part.number] = []
        elif is_of_line and not self.running:
            self.end(part, LossKind.stopped)
        else:
            self.settle(part)
        return part

    def open_through(self, domain: Domain, number: int, at: int) -> None:
        """Open a part for every number after the highest one, up to this."""
        first, domain.highest = domain.highest + 1, max(domain.highest, number)
        for owed in range(first, number + 1):
            if not domain.is_answered(owed):
                self.open(domain.name, owed, at)

    def open_before(self, now: int) -> None:
        """Open what an earlier ledger had opened and not answered."""
        for domain in self.domains.values():
            owed = domain.opened_before()
            if len(owed) > self.settings.largest_step:
                domain.skipped.append(owed)
                domain.highest = owed[-1]
            elif owed:
                self.open_through(domain, owed[-1], now)

    def next_unseen(self, at: int) -> Part | None:
        """Open a part for one of the numbers that passed unseen, lost. None where there is none."""
        while self._past:
            name, count, numbers, part_ids = self._past.popleft()
            if len(numbers) > 1:
                self._past.appendleft((name, count, numbers[1:], part_ids))
            part = Part(self._next_part, name, numbers[0], at, at, self.recipe, count=count)
            self._next_part += 1
            self.triggers += 1
            part.part_id = part_ids.get(numbers[0], "")
            self.parts.add(part, is_past=True)
            return part
        for domain in self.domains.values():
            while domain.skipped:
                numbers = domain.skipped.popleft()
                if len(numbers) > 1:
                    domain.skipped.appendleft(numbers[1:])
                if not domain.is_answered(numbers[0]) and self.parts.of_trigger(domain.name, numbers[0]) is None:
                    return self.open(domain.name, numbers[0], at)
        return None

    def has_unseen(self) -> bool:
        """Whether `next_unseen` has more."""
        return bool(self._past) or any(domain.skipped for domain in self.domains.values())

    # Hearing

    def hear(self, camera: str, reading: int, at: int, *, is_frame: bool = False, is_baseline: bool = False) -> Heard:
        """The camera has shown a number: open what it tells of."""
        domain = self.domain(camera)
        domain.heard_ns = at
        heard = domain.hear(camera, reading, is_frame=is_frame, is_baseline=is_baseline)
        if heard is Heard.restarts:
            self._restart(domain, camera, at)
            heard = domain.hear(camera, reading, is_frame=is_frame)
        if heard is Heard.believed:
            self.open_through(domain, domain.number(camera, reading, is_frame=is_frame), at)
        self._note_astray(domain)
        return heard

    def part_of(self, camera: str, reading: int, received_ns: int, at: int) -> Part | None:
        """The part of a frame with this number, None where it is answered or the number is in doubt."""
        domain = self.domain(camera)
        own = domain.cameras[camera]
        if received_ns < own.received_ns:  # found after a later one: it tells nothing new of the counter
            return self.parts.of_trigger(domain.name, domain.number(camera, reading, is_frame=True))
        own.received_ns = received_ns
        if self.hear(camera, reading, at, is_frame=True) is Heard.held:
            return None
        number = domain.number(camera, reading, is_frame=True)
        if own.is_in_order:
            self.lose_through(camera, number - 1, LossKind.lost_transport)
        part = self.parts.of_trigger(domain.name, number)
        if part is not None and part.ended is None:
            domain.met(camera)
            self._note_astray(domain)
        elif part is None and domain.late(camera, number, at) is Heard.restarts:
            self._restart(domain, camera, at)
            self.lose_through(camera, number - 1, LossKind.lost_while_down)
            part = self.parts.of_trigger(domain.name, number)
        self._note_astray(domain)
        return part

    def tick(self, now: int) -> None:
        """Where no camera has been heard for long, their counters stand still and can be compared."""
        for domain in self.domains.values() if self._astray else ():
            if now - domain.heard_ns >= self.settings.late_ns:
                domain.rest()
                self._note_astray(domain)

    def _restart(self, domain: Domain, camera: str, at: int) -> None:
        """The domain's old count is over; open what has been counted since by cameras that were reset before."""
        for part in self.parts.numbered(domain.name):
            self._name(part)
            self.parts.forget_number(part)
            self.end(part, LossKind.lost_while_down)
        self._past.extend((domain.name, domain.count, numbers, dict(domain.part_ids)) for numbers in domain.skipped)
        domain.restart()
        for name, own in domain.cameras.items():
            if not own.is_astray and own.is_known:
                self.open_through(domain, own.newest, at)
                if name != camera:
                    self.lose_through(name, own.delivered, LossKind.lost_while_down)

    def _note_astray(self, domain: Domain) -> None:
        """What is open already need not wait for a camera that has just gone astray."""
        for camera, own in domain.cameras.items():
            if own.is_astray and camera not in self._astray:
                for part in self.parts.numbered(domain.name):
                    self.lose(part, self.settings.views[camera], LossKind.trigger_mismatch)
        self._astray -= domain.cameras.keys()
        self._astray |= {camera for camera, own in domain.cameras.items() if own.is_astray}

    def hear_lost(self, camera: str, first: int, count: int, at: int) -> Heard:
        """The camera has told that the frames of these triggers are lost."""
        domain, last = self.domain(camera), first + count - 1
        own = domain.cameras[camera]
        if not domain.is_begun:
            domain.begin(first - 1)
        if (
            own.is_known and own.number(last, is_frame=True) <= own.newest
        ):  # told late, which says nothing of the counter
            return Heard.astray if own.is_astray else Heard.believed
        return self.hear(camera, last, at, is_frame=True)

    def ready(self, camera: str) -> None:
        """The camera's worker has said hello, and all that its forerunner accepted is known."""
        own = self.domain(camera).cameras[camera]
        own.is_back = True
        if not own.is_in_order:
            own.is_in_order = True
            self.lose_through(camera, own.delivered - 1, LossKind.lost_transport)

    def answered(self, part: Part, *, is_excused: bool) -> None:
        """The part is answered. `is_excused`: frames of it may come late through no fault of their cameras."""
        self.undecided.pop(part.number, None)
        domain = self.domains[part.domain]
        if part.trigger_number is not None and part.count == domain.count:
            self._name(part)
            domain.answer(part.trigger_number, is_excused=is_excused)

    def _name(self, part: Part) -> None:
        """Give the part the id that is bound to its number."""
        if part.trigger_number is not None and not part.part_id:
            part.part_id = self.domains[part.domain].part_ids.get(part.trigger_number, "")

    # Losing

    def lose_through(self, camera: str, number: int, kind: LossKind) -> None:
        """No frame of the camera will come for a trigger up to `number`: cameras deliver in order."""
        domain, view = self.domain(camera), self.settings.views[camera]
        own = domain.cameras[camera]
        for part in self.parts.between(domain.name, own.passed + 1, number):
            was_down = part.trigger_number is not None and part.trigger_number <= own.down_through
            self.lose(part, view, LossKind.lost_while_down if was_down else kind)
        own.passed = max(own.passed, number)

    def lose(self, part: Part, view: str, kind: LossKind) -> None:
        """The view of the part will not come."""
        if view not in part.frames:
            part.lost.setdefault(view, kind)
            self.settle(part)

    def settle(self, part: Part) -> None:
        """A part is to be answered as soon as it is known that a view will never come and all others are in."""
        if part.lost and all(view in part.frames or view in part.lost for view in self.views(part)):
            self.parts.settled.append(part)

    def end(self, part: Part, kind: LossKind) -> None:
        """The part is to be answered with this, whatever its views."""
        if part.ended is None:
            part.ended = kind
            self.parts.settled.append(part)

    def missing(self, part: Part) -> dict[str, LossKind]:
        """The views that are missing, each with its reason."""
        unknown = LossKind.view_missing if part.frames else LossKind.lost_transport
        missing = {}
        for camera, own in self.domains[part.domain].cameras.items():
            view = self.settings.views[camera]
            if view not in part.frames:
                was_down = part.trigger_number is not None and part.trigger_number <= own.down_through
                missing[view] = part.lost.get(view, LossKind.lost_while_down if was_down else unknown)
        return missing

    # Software triggers

    def note_software(self, part: Part) -> None:
        """The part's number is that of a software trigger: a new ledger must know."""
        domain = self.domains[part.domain]
        if part.trigger_number is not None and part.software is not None:
            domain.software[part.trigger_number] = part.software
            if part.part_id:
                domain.part_ids[part.trigger_number] = part.part_id
            domain.is_changed = True

    def mix(self, domain: Domain, first: int, last: int) -> None:
        """Triggers of the line came between the cameras' software triggers: these numbers are of different ones."""
        for part in self.parts.between(domain.name, first, last):
            self.end(part, LossKind.trigger_mismatch)
        domain.mixed = range(first, last + 1)
        domain.is_changed = True

    def decide(self) -> None:
        """No software trigger is under way any more: what was opened meanwhile and is not its is the line's."""
        undecided, self.undecided = self.undecided, {}
        for number, views in undecided.items():
            part = self.parts.get(number)
            if part is None:
                continue
            if part.software is None and not self.running:
                self.end(part, LossKind.stopped)
            else:
                self._decided += [(part, view) for view in views]
                self.settle(part)

    def decided(self) -> list[tuple[Part, str]]:
        """Frames that are to be inspected after all, as it is known now what their parts are."""
        decided, self._decided = self._decided, []
        return decided

    def resynchronise(self, domain: Domain) -> None:
        """Whatever the cameras' counters show, they count the same triggers from here on."""
        for part in self.parts.numbered(domain.name):
            self._name(part)
            self.end(part, LossKind.trigger_mismatch)
        domain.resynchronise()
        self._note_astray(domain)

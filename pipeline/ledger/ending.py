"""How parts end: answered, their slots closed and held for the copier or granted anew."""

from collections.abc import Mapping, Sequence

from pipeline.config import GRANTED_AHEAD
from pipeline.ledger.actions import Action, Answer, Close, Copy, ImageLost, Part, ViewFrame
from pipeline.ledger.book_settings import BookSettings
from pipeline.ledger.counting import Counting
from pipeline.ledger.holds import Holds
from pipeline.ledger.slots import Slots
from pipeline.ledger.work import Work
from pipeline.loss import LossKind

ANSWERS_A_TURN = (
    500  # losses answered in one call, so that no deadline waits for the journal; `tick` goes on with the others
)
NOT_KEPT = {LossKind.overrun, LossKind.stopped}  # their images say nothing of the part


class Ending:
    """Answers parts, each once, and frees what they held."""

    def __init__(self, settings: BookSettings, counting: Counting, slots: Slots, work: Work) -> None:
        self.has_copier = False
        self._settings = settings
        self._counting = counting
        self._parts = counting.parts
        self._slots = slots
        self._work = work
        self._holds = Holds(settings.hold_ns)

    def due(self, now: int) -> list[Action]:
        """Answer the parts whose deadline is over, a turn's worth at most, and give up what has been held for too long."""
        actions = self._lose_images(self._holds.over(now))
        for _ in range(ANSWERS_A_TURN):
            part = self._parts.due(now)
            if part is None:
                break
            missing = self._counting.missing(part)
            if part.ended is not None or not missing:
                actions += self.finish(part, part.ended or LossKind.deadline, now)
            else:
                actions += self.finish(part, _kind(missing, part), now, missing)
        return actions

    def settled(self, now: int) -> list[Action]:
        """Answer what is known to be lost, a turn's worth at most."""
        actions: list[Action] = []
        for _ in range(ANSWERS_A_TURN):
            if self._parts.settled:
                part = self._parts.settled.popleft()
                if part in self._parts:
                    actions += self._finish_settled(part, now)
                continue
            unseen = self._counting.next_unseen(now)
            if unseen is None:
                break
            actions += self.finish(unseen, LossKind.lost_while_down, now)
        return actions

    def _finish_settled(self, part: Part, now: int) -> list[Action]:
        if part.ended is not None:
            return self.finish(part, part.ended, now)
        missing = self._counting.missing(part)
        if not missing or any(view not in part.lost for view in missing):
            return []  # a frame has come meanwhile
        return self.finish(part, _kind(missing, part), now, missing)

    def rest(self, now: int) -> list[Action]:
        """The daemon ends: answer everything, a turn's worth at most."""
        self.has_copier = False
        actions = self.settled(now)
        for part in self._parts:
            if len(actions) >= ANSWERS_A_TURN:
                break
            actions += self.finish(part, part.ended or LossKind.daemon_restarted, now)
        return actions

    def finish(
        self,
        part: Part,
        loss: LossKind | None,
        now: int,
        lost_views: Mapping[str, LossKind] | None = None,
        *,
        keep: bool = False,
        worker: str | None = None,
    ) -> list[Action]:
        """Answer the part: what `worker` found, or the loss."""
        self._parts.remove(part)
        self._counting.answered(part, is_excused=loss is not None and not lost_views)
        actions: list[Action] = [Answer(part, loss, lost_views or {}), *self._work.abandon(part, worker)]
        is_kept = keep if loss is None else loss not in NOT_KEPT
        for frame in part.frames.values():
            actions.append(self.close(frame, held=is_kept and self.has_copier))
            if is_kept:
                actions.append(self._keep(part, frame, now))
        return actions

    def close(self, frame: ViewFrame, *, held: bool = False) -> Close:
        """The frame is answered."""
        if held:
            self._slots.hold(frame.slot)
        self._slots.close(frame.slot)
        return Close(frame.slot, frame.generation)

    def copied(self, slot: int, generation: int) -> None:
        """The copier has its copy."""
        if self._holds.remove((slot, generation)):
            self._slots.let_go(slot)

    def copier(self, *, up: bool) -> list[Action]:
        """There is a new copier, or none: nobody reads what was held."""
        self.has_copier = up
        return self._lose_images(self._holds.everything())

    def next_ns(self) -> int | None:
        """When a held frame is given up."""
        return self._holds.next_ns()

    def grants(self) -> list[Action]:
        """Keep a few slots ahead at every camera; none while a source that can wait has filled the queue."""
        ahead = GRANTED_AHEAD
        if self._settings.policy == "wait":
            ahead = 1 if len(self._work) < self._settings.queue_depth else 0
        actions: list[Action] = list(self._slots.grant(ahead))
        while self._slots.poorest(ahead) is not None:
            oldest = self._holds.oldest(self._slots.is_merely_held)
            if oldest is None:
                break
            actions += [*self._lose_images([oldest]), *self._slots.grant(ahead)]
        return actions

    def _keep(self, part: Part, frame: ViewFrame, now: int) -> Copy | ImageLost:
        if not self.has_copier:
            return ImageLost(frame)
        self._holds.add(frame, now)
        return Copy(part, frame)

    def _lose_images(self, frames: Sequence[ViewFrame]) -> list[Action]:
        for frame in frames:
            self._holds.remove(frame.key)
            self._slots.let_go(frame.slot)
        return [ImageLost(frame) for frame in frames]


def _kind(missing: Mapping[str, LossKind], part: Part) -> LossKind:
    """One word for what is missing: a view, or what became of all of them."""
    return LossKind.view_missing if part.frames else next(iter(missing.values()))

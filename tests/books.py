"""A book, and a line that fills the slots which it grants, for the tests of its parts."""

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.actions import Action, Answer, Copy, Dispatch, Grant, ImageLost
from pipeline.ledger.book import Book, BookSettings
from pipeline.loss import LossKind

DEADLINE_NS = 1_000


def settings(**changes: object) -> BookSettings:
    given: dict[str, object] = {
        "views": {"top": "top"},
        "joined": True,
        "deadline_ns": DEADLINE_NS,
        "queue_depth": 2,
        "policy": "drop_oldest",
        "slots": 12,
    }
    return BookSettings(**(given | changes))  # type: ignore[arg-type]  # each test changes what it names


def info(trigger_number: int | None, at: int = 0) -> FrameInfo:
    return FrameInfo(8, 8, PixelFormat.Mono8, trigger_number or 0, trigger_number, None, None, at, at)


def answers(actions: list[Action]) -> list[tuple[int | None, LossKind | None]]:
    return [(action.part.trigger_number, action.loss) for action in actions if isinstance(action, Answer)]


def dispatches(actions: list[Action]) -> list[Dispatch]:
    return [action for action in actions if isinstance(action, Dispatch)]


class Line:
    """Fills granted slots, as a grab worker does."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.grants: dict[str, list[Grant]] = {}

    def note(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            if isinstance(action, Grant):
                self.grants.setdefault(action.camera, []).append(action)
        return actions

    def ready(self, camera: str) -> list[Action]:
        self.grants[camera] = []
        return self.note(self.book.camera_ready(camera))

    def frame(self, camera: str, trigger_number: int | None, now: int = 0) -> list[Action]:
        grant = self.grants[camera].pop(0)
        return self.note(self.book.accepted(camera, grant.slot, grant.generation, info(trigger_number, now), now))


def drained(book: Book, now: int) -> list[tuple[int | None, LossKind | None]]:
    """What `tick` answers until it has nothing more to do at once."""
    found: list[tuple[int | None, LossKind | None]] = []
    while (due := book.next_deadline_ns()) is not None and due <= now:
        turn = answers(book.tick(now))
        assert len(turn) <= 500
        found += turn
    return found


def held(actions: list[Action]) -> list[Action]:
    return [action for action in actions if isinstance(action, Copy | ImageLost)]

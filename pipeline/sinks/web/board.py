"""What the page shows, as JSON, from what the station says."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import msgspec

from pipeline.clock import monotonic_ns
from pipeline.evidence.image_name import parse_path
from pipeline.live_picture import Area
from pipeline.reasons import ReasonTexts
from pipeline.result import Disposition, Reason, Result
from pipeline.sinks.web.gallery import Gallery
from pipeline.sinks.web.hub import Hub
from pipeline.sinks.web.incidents import Incident, Incidents
from pipeline.sinks.web.painter import Pictures
from pipeline.sinks.web.window import Window, WindowFigures
from pipeline.status import Heartbeat, Status

KEPT_REJECTED = 24
HEARD_NS = 2_500_000_000  # two heartbeats and a half
TOLD_NS = 500_000_000  # figures and the strip of rejected parts, at most so often
Lines = Mapping[int, Mapping[str, Sequence[str]]]


class PictureNote(msgspec.Struct, frozen=True):
    """A picture that may be asked for: the area that it shows, in sensor px, of a frame of `width` x `height`."""

    url: str
    area: Area
    width: int
    height: int


class PartPage(msgspec.Struct, frozen=True):
    """A part with everything that is known of it; `archived` are the views whose image should be on the disk."""

    result: Result
    reasons: list[str]
    lines: Mapping[str, Sequence[str]]
    pictures: dict[str, PictureNote]
    archived: list[str]


class RejectedNote(msgspec.Struct, frozen=True):
    """A part in the strip; `small` are the views of which there is a small picture."""

    id: str
    time: str
    trigger_number: int | None
    part_id: str
    evaluation: str
    reasons: list[str]
    small: list[str]


class StatusNote(msgspec.Struct, frozen=True):
    """How the station is; `heard`: its ledger speaks."""

    heard: bool
    status: Status | None


class FiguresNote(msgspec.Struct, frozen=True):
    """Figures of the last parts; `texts`: what its codes of losses are in words."""

    figures: WindowFigures
    texts: dict[str, str]


class IncidentsNote(msgspec.Struct, frozen=True):
    """The newest first."""

    incidents: list[Incident]


class Board:
    """Takes the station's words, and tells `hub`. Any thread may ask; one, the one that hears the station, tells it."""

    def __init__(self, hub: Hub, gallery: Gallery, language: str, lines: Lines) -> None:
        self._hub, self._gallery, self._lines = hub, gallery, lines
        self._texts = ReasonTexts(language)
        self._guard = threading.Lock()
        self._rejected: OrderedDict[str, Result] = OrderedDict()  # the newest last
        self._window, self._incidents = Window(), Incidents()
        self._status: Status | None = None
        self._heard_ns = self._told_ns = 0
        self._was_heard = False
        self._has_news, self._has_new_rejected = True, True

    @property
    def status(self) -> Status | None:
        """The newest."""
        return self._status

    def observe(self, message: Result | Heartbeat | Status) -> bool:
        """Take a message into account. Returns whether it is a rejected part."""
        self._heard_ns = monotonic_ns()
        match message:
            case Result():
                return self._take(message)
            case Status():
                self._status = message
                if self._incidents.observe(message):
                    self._tell_incidents()
                self._tell_status()
        return False

    def recall(self, results: Sequence[Result]) -> None:
        """Results of before this process was there, in order."""
        for result in results:
            self._take(result)

    def tick(self) -> None:
        """Now and then: tell the figures, and whether the station is heard."""
        now = monotonic_ns()
        is_heard = now - self._heard_ns < HEARD_NS
        if self._status is not None and self._incidents.heard(is_heard):
            self._tell_incidents()
        if is_heard != self._was_heard:
            self._was_heard = is_heard
            self._tell_status()
        if now - self._told_ns < TOLD_NS or (self._told_ns and not self._hub.listeners):
            return
        self._told_ns = now
        if self._has_new_rejected:
            self._has_new_rejected = False
            self._tell_rejected()
        if self._has_news:
            self._has_news = False
            figures = self._window.figures()
            texts = {code: self._texts.text(Reason(code)) for code, _ in figures.losses}
            self._tell("figures", FiguresNote(figures, texts))

    def show(self, result: Result, pictures: Pictures) -> None:
        """A part, with the pictures that could be had of it."""
        self._tell("part", self._page(result, pictures))

    def small(self, _part: str) -> None:
        """There are small pictures of a rejected part now."""
        self._has_new_rejected = True

    def part(self, identity: str) -> bytes | None:
        """The JSON of a rejected part that is kept; None where it is not."""
        with self._guard:
            result = self._rejected.get(identity)
        return None if result is None else msgspec.json.encode(self._page(result, {}))

    def result(self, identity: str) -> Result | None:
        """A rejected part that is kept."""
        with self._guard:
            return self._rejected.get(identity)

    def _take(self, result: Result) -> bool:
        self._window.add(result)
        self._has_news = True
        if result.disposition is Disposition.PASS:
            return False
        with self._guard:
            self._rejected[result.result_id] = result
            while len(self._rejected) > KEPT_REJECTED:
                self._rejected.popitem(last=False)
        self._has_new_rejected = True
        return True

    def _page(self, result: Result, pictures: Pictures) -> PartPage:
        notes = {
            view: PictureNote(f"/picture/{view}/{number}", shown.area, shown.width, shown.height)
            for view, (number, shown) in pictures.items()
        }
        archived = [view.view for view in result.views if parse_path(view.image_uri) is not None]
        reasons = [self._texts.text(reason) for reason in result.reasons]
        return PartPage(result, reasons, self._lines.get(result.recipe_id, {}), notes, archived)

    def _tell_rejected(self) -> None:
        with self._guard:
            kept = list(reversed(self._rejected.values()))
        notes = [
            RejectedNote(
                result.result_id,
                result.answered_time,
                result.trigger_number,
                result.part_id,
                result.result_evaluation.value,
                [self._texts.text(reason) for reason in result.reasons],
                self._gallery.small_views(result.result_id),
            )
            for result in kept
        ]
        self._tell("rejected", notes)

    def _tell_status(self) -> None:
        self._tell("status", StatusNote(monotonic_ns() - self._heard_ns < HEARD_NS, self._status))

    def _tell_incidents(self) -> None:
        self._tell("incidents", IncidentsNote(list(self._incidents.kept)))

    def _tell(self, kind: str, note: object) -> None:
        self._hub.tell(kind, msgspec.json.encode(note))

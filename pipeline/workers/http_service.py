"""What is done with a picture that was sent: decoded, handed to the camera, triggered, waited for, answered."""

import io
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.image_file import decode_image
from pipeline.camera.image_size import size_in
from pipeline.camera.picture_post import TICKET_BYTES, post
from pipeline.camera.played import converted
from pipeline.camera_settings import HttpSettings
from pipeline.client import Control, NoAnswer, RequestRefused
from pipeline.clock import monotonic_ns
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import PixelFormat
from pipeline.overlay import draw
from pipeline.result import Disposition, Result
from pipeline.workers.http_answers import Answers

MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM")
SENT = Path("the picture that was sent")
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Request:
    """A picture, and what is asked of it. `recipe`: the number that must be selected; `part`: which one is drawn, from 1."""

    content: bytes
    part_id: str = ""
    recipe: int | None = None
    is_drawn: bool = False
    part: int = 1


@dataclass(frozen=True, slots=True)
class Response:
    """What the client is told."""

    code: int
    content: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON of every response. `trigger`: number of the software trigger, once there is one."""

    error: str = ""
    next_command: str = ""
    trigger: int | None = None
    disposition: Disposition | None = None
    results: list[Result] = []


@dataclass(slots=True)
class Service:
    """Used by many threads at once.

    Attributes:
        view: of the camera.
        wait_ns: how long a result is waited for once it is triggered.
        lines: recipe number to what is drawn, as `overlay.segments` gives.
        open_control: a line to the station.
        is_listening: the station's results are heard, so that none is missed.
    """

    settings: HttpSettings
    view: str
    wait_ns: int
    lines: Mapping[int, Mapping[str, Sequence[str]]]
    answers: Answers
    open_control: Callable[[], Control]
    is_listening: threading.Event
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def inspect(self, request: Request) -> Response:  # noqa: PLR0911 - one for each way to fail
        """Everything from the picture to its answer; always a response."""
        if not self.is_listening.is_set():
            return told(503, "the station is not heard yet", next_command="datumd status")
        try:
            image = self._decoded(request.content)
        except CameraError as problem:
            return told(422 if request.content.startswith(MAGICS) else 415, str(problem))
        ticket = secrets.token_hex(TICKET_BYTES // 2)
        trigger: int | None = None
        try:
            with self._asking, self.open_control() as control:
                if (refusal := _other_recipe(control, request.recipe)) is not None:
                    return refusal
                post(self.settings.bind, ticket, np.ascontiguousarray(image).data.cast("B"))
                trigger = control.trigger(request.part_id, ticket)
        except (CameraLost, RequestRefused) as problem:
            return told(503, problem.what, next_command=problem.next_command)
        except NoAnswer as problem:
            return told(504, f"{problem.what}; whether it was triggered is not known", next_command="datumd status")
        results = self.answers.wait(trigger, monotonic_ns() + self.wait_ns)
        if results is None:
            text = "no result came in time; the journal will have it under this software trigger"
            return told(504, text, trigger=trigger, next_command="datumd export")
        return self._answered(request, trigger, results)

    def _answered(self, request: Request, trigger: int, results: list[Result]) -> Response:
        passes = all(result.disposition is Disposition.PASS for result in results)
        disposition = Disposition.PASS if passes else Disposition.REJECT
        if request.recipe is not None and any(result.recipe_id != request.recipe for result in results):
            text = f"it was inspected by recipe {results[0].recipe_id}, which was selected meanwhile"
            return _response(409, Told(text, trigger=trigger, disposition=Disposition.REJECT, results=results))
        if not request.is_drawn:
            return _response(200, Told(trigger=trigger, disposition=disposition, results=results))
        if request.part > len(results):
            return told(422, f"there is no part {request.part}, there are {len(results)}", trigger=trigger)
        result = results[request.part - 1]
        picture = decode_image(request.content, SENT, colour=True)
        drawn = draw(picture, result, self.view, self.lines.get(result.recipe_id, {}))
        headers = {
            "Datumd-Trigger": str(trigger),
            "Datumd-Parts": str(len(results)),
            "Datumd-Evaluation": result.result_evaluation.value,
            "Datumd-Disposition": disposition.value,
        }
        return Response(200, cv2.imencode(".png", drawn)[1].tobytes(), "image/png", headers)

    def _decoded(self, content: bytes) -> Image:
        """Raises CameraError where it is no picture of the camera."""
        if not content.startswith(MAGICS):
            raise CameraError("is no image", where=str(SENT), allowed="png, jpg, bmp")
        form = PixelFormat[self.settings.pixel_format]
        size = width, height = size_in(io.BytesIO(content), SENT)
        wanted = self.settings.width, self.settings.height
        if size != wanted:  # before it is decoded
            raise CameraError(f"is {width} x {height}", where=str(SENT), allowed=f"{wanted[0]} x {wanted[1]}")
        return converted(decode_image(content, SENT, colour=form is not PixelFormat.Mono8), form)


def told(code: int, error: str, *, trigger: int | None = None, next_command: str = "") -> Response:
    """A response that says why there is no result."""
    return _response(code, Told(error, next_command, trigger))


def _response(code: int, said: Told) -> Response:
    return Response(code, msgspec.json.encode(said) + b"\n")


def _other_recipe(control: Control, wanted: int | None) -> Response | None:
    """What is answered where another recipe is selected than the one that the client counts on."""
    if wanted is None:
        return None
    selected = [recipe.number for recipe in control.recipes() if recipe.selected]
    if wanted in selected:
        return None
    text = f"recipe {selected[0] if selected else 'none'} is selected, not {wanted}; nothing was triggered"
    return told(409, text, next_command=f"datumd recipe select {wanted}")

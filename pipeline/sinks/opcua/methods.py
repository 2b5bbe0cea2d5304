"""What clients call: arguments are checked here, the machine says whether it may be, the link asks the station."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from pipeline.client import Control, NoAnswer, RequestRefused
from pipeline.clock import monotonic_ns
from pipeline.sinks.opcua.address_space import variant
from pipeline.sinks.opcua.nodes import AUTOMATIC, METHODS, MOST_LISTED, RECIPES, RESULTS, STATE_MACHINE, Method
from pipeline.sinks.opcua.result_fields import RESULT
from pipeline.sinks.opcua.shelf import ResultShelf
from pipeline.sinks.opcua.signals import Cause, NotNow, Shown, VisionState
from pipeline.sinks.opcua.station_link import StationLink, Work
from pipeline.sinks.opcua.vision_machine import VisionMachine
from pipeline.status import StationState

log = logging.getLogger(__name__)

LARGEST_ANSWER = 1 << 20  # characters of the results in one answer
LONGEST_TEXT = 200
_PART_ID = re.compile(r"[\x20-\x7e]{0,128}\Z")
_PYTHON = {"String": str, "Int32": int, "Int64": int}
_RUNNING = (VisionState.SingleExecution, VisionState.ContinuousExecution)
Outcome = tuple[object, ...]


class Fault(Exception):  # noqa: N818 - what a client is answered
    """What was called is not done; `code` is the status that the client gets."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Methods:
    """The methods of the table, by path, in `callbacks`."""

    def __init__(
        self, machine: VisionMachine, link: StationLink, shelf: ResultShelf, changed: Callable[[], None]
    ) -> None:
        """`changed` is called after each: events may wait, and variables have other values."""
        self._machine, self._link, self._shelf, self._changed = machine, link, shelf, changed
        work: dict[str, Callable[..., Awaitable[Outcome]]] = {
            f"{STATE_MACHINE}.SelectModeAutomatic": self._select_mode_automatic,
            f"{STATE_MACHINE}.Halt": self._halt,
            f"{STATE_MACHINE}.Reset": self._reset,
            f"{AUTOMATIC}.StartSingleJob": self._start_single_job,
            f"{AUTOMATIC}.StartContinuous": self._start_continuous,
            f"{AUTOMATIC}.Stop": self._stop,
            f"{AUTOMATIC}.Abort": self._abort,
            f"{RECIPES}.PrepareRecipe": self._prepare_recipe,
            f"{RESULTS}.GetResultById": self._get_result_by_id,
            f"{RESULTS}.GetResultListFiltered": self._get_result_list_filtered,
        }
        self.callbacks = {method.path: self._callback(method, work[method.path]) for method in METHODS}

    def _callback(self, method: Method, work: Callable[..., Awaitable[Outcome]]) -> Callable[..., Awaitable[Any]]:
        async def call(_parent: ua.NodeId, *values: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
            try:
                outcome = await work(*_checked(method, values))
            except Fault as fault:
                log.warning("%s: %s", method.name, fault)
                return ua.StatusCode(ua.UInt32(fault.code))
            except NotNow as refusal:
                log.warning("%s: %s", method.name, refusal)
                return ua.StatusCode(ua.UInt32(StatusCodes.BadInvalidState))
            finally:
                self._changed()
            return [variant(value, each.kind) for value, each in zip(outcome, method.outputs, strict=True)]

        return call

    async def _ask(self, work: Work) -> Any:  # noqa: ANN401 - what `work` returns
        try:
            return await self._link.ask(work)
        except RequestRefused as error:
            self._machine.failed_to(Cause.refused, str(error))
            raise Fault(StatusCodes.BadRequestNotAllowed, str(error)) from error
        except NoAnswer as error:
            self._machine.failed_to(Cause.no_reply, str(error))
            raise Fault(StatusCodes.BadTimeout, str(error)) from error

    async def _select_mode_automatic(self) -> Outcome:
        self._machine.select_mode_automatic(monotonic_ns())
        return (0,)

    async def _halt(self, cause: int, text: str) -> Outcome:
        self._machine.halt(_said("Halt", cause, text), monotonic_ns())
        return await self._stop_station()

    async def _reset(self, cause: int, text: str) -> Outcome:
        self._machine.reset(_said("Reset", cause, text), monotonic_ns())
        return await self._stop_station()

    async def _stop(self, cause: int, text: str) -> Outcome:
        self._machine.need(monotonic_ns(), *_RUNNING)
        _said("Stop", cause, text)
        return (0,) if self._machine.state is VisionState.SingleExecution else await self._stop_station()

    async def _abort(self, cause: int, text: str) -> Outcome:
        self._machine.need(monotonic_ns(), *_RUNNING)
        was_continuous = self._machine.state is VisionState.ContinuousExecution
        self._machine.abort(_said("Abort", cause, text), monotonic_ns())
        return await self._stop_station() if was_continuous else (0,)

    async def _stop_station(self) -> Outcome:
        self._changed()  # what it means for clients is told before the station has answered
        await self._ask(Control.stop)
        self._machine.believe(StationState.Ready, monotonic_ns())
        return (0,)

    def _need_recipe(self, recipe: int) -> None:
        at_work = self._machine.outputs().recipe
        if recipe not in (0, at_work):
            raise Fault(StatusCodes.BadInvalidState, f"recipe {at_work} is at work, not {recipe}: PrepareRecipe first")

    async def _start_single_job(self, part_id: str, recipe: int) -> Outcome:
        if not _PART_ID.match(part_id):
            raise Fault(StatusCodes.BadInvalidArgument, f"partId {part_id[:40]!r}")
        self._need_recipe(recipe)
        job = self._machine.begin_job(part_id, monotonic_ns())
        try:
            key = await self._link.ask(lambda control: control.trigger(part_id))
        except RequestRefused as error:
            self._machine.job_refused(job, Cause.refused, str(error), monotonic_ns())
            raise Fault(StatusCodes.BadRequestNotAllowed, str(error)) from error
        except NoAnswer as error:
            self._machine.job_refused(job, Cause.no_reply, str(error), monotonic_ns())
            raise Fault(StatusCodes.BadTimeout, str(error)) from error
        self._machine.job_triggered(job, key, monotonic_ns())
        return job.job_id, 0

    async def _start_continuous(self, recipe: int) -> Outcome:
        self._machine.need(monotonic_ns(), VisionState.Ready)
        self._need_recipe(recipe)
        await self._ask(Control.start)
        self._machine.believe(StationState.ContinuousExecution, monotonic_ns())
        return self._machine.continuous_job, 0

    async def _prepare_recipe(self, recipe: int) -> Outcome:
        if recipe < 0:
            raise Fault(StatusCodes.BadInvalidArgument, f"recipeId {recipe}")
        executing = (VisionState.Initialized, VisionState.Ready, VisionState.ContinuousExecution)
        self._machine.need(monotonic_ns(), *executing)
        await self._ask(lambda control: control.select_recipe(recipe))
        return (0,)

    async def _get_result_by_id(self, result_id: str) -> Outcome:
        shown = self._shelf.by_id(result_id)
        if shown is None:
            self._since()
            raise Fault(StatusCodes.BadNotFound, f"{result_id[:40]!r} is not among the newest results")
        return tuple(field.get(shown) for field in RESULT)

    async def _get_result_list_filtered(
        self, session: int, sequence: int, part_id: str, job_id: str, recipe: int, state: int, most: int
    ) -> Outcome:
        state_of = next(field.get for field in RESULT if field.name == "ResultState")
        content_of = next(field.get for field in RESULT if field.name == "ResultContent")

        def wanted(shown: Shown) -> bool:
            result = shown.result
            return (
                part_id in ("", result.part_id)
                and job_id in ("", shown.job_id)
                and recipe in (0, result.recipe_id)
                and state in (0, state_of(shown))
            )

        since = self._since()
        error = Cause.lost if (0, 0) < (session, sequence) < since else Cause.none
        found, complete = self._shelf.after(
            (session, sequence), wanted, most if 0 < most < MOST_LISTED else MOST_LISTED
        )
        ids: list[str] = []
        contents: list[str] = []
        room = LARGEST_ANSWER
        for shown in found:
            content = str(content_of(shown))
            room -= len(content)
            if room < 0 and ids:
                complete = False
                break
            ids.append(shown.result.result_id)
            contents.append(content)
        return complete, ids, contents, int(error)

    def _since(self) -> tuple[int, int]:
        """From where on the shelf has every result."""
        if self._shelf.since is None:
            raise Fault(StatusCodes.BadNoCommunication, "what the station has answered before is not known yet")
        return self._shelf.since


def _checked(method: Method, values: tuple[ua.Variant, ...]) -> list[Any]:
    """The arguments, each of its type. Raises Fault."""
    if len(values) < len(method.inputs):
        raise Fault(StatusCodes.BadArgumentsMissing, f"{len(values)} arguments, {len(method.inputs)} are wanted")
    if len(values) > len(method.inputs):
        raise Fault(StatusCodes.BadTooManyArguments, f"{len(values)} arguments, {len(method.inputs)} are wanted")
    checked: list[Any] = []
    for value, argument in zip(values, method.inputs, strict=True):
        content = "" if value.Value is None and argument.kind == "String" else value.Value
        if type(content) is not _PYTHON[argument.kind]:
            raise Fault(StatusCodes.BadInvalidArgument, f"{argument.name} is no {argument.kind}")
        checked.append(content)
    return checked


def _said(what: str, cause: int, text: str) -> str:
    """Why a client calls this, for the log and the event."""
    said = f"{what} by a client: cause {cause} {text[:LONGEST_TEXT]!r}" if cause or text else f"{what} by a client"
    log.info("%s", said)
    return said

"""Control of a station: triggers, part ids, recipes, start and stop."""

import secrets
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec
import zmq

from pipeline import requests
from pipeline.client.message import read_published
from pipeline.client.requester import Requester, connect, requests_endpoint
from pipeline.clock import monotonic_ns
from pipeline.errors import DatumdError
from pipeline.requests import (
    Adjust,
    AskStatus,
    Bind,
    Command,
    ListRecipes,
    Note,
    Purpose,
    RecipeEntry,
    Renew,
    Reply,
    Resynchronise,
    SelectRecipe,
    Setup,
    Start,
    Stop,
    Trigger,
)
from pipeline.security import ClientKeys
from pipeline.status import Heartbeat, Status

TIMEOUT_S = 5.0
SEND_AGAIN_S = 1.0
TURN_MS = 50


class NoAnswer(DatumdError):  # noqa: N818 - names what happened
    """The station did not answer in time. What was asked for may have been carried out, and may not."""


class RequestRefused(DatumdError):  # noqa: N818 - names what happened
    """The station answered that it does not do what was asked for, and why."""


class Control:
    """Asks one station; not for use by two threads.

    A request without an answer is sent again under the same id, which the station carries out once. Every method raises
    NoAnswer and RequestRefused.
    """

    def __init__(
        self, endpoint: str, keys: ClientKeys | None = None, timeout_s: float = TIMEOUT_S, who: str = ""
    ) -> None:
        """Connect to where the station answers requests (`find_control` tells); there need be nobody there yet.

        `who` lets this client ask: the audit trail names them.

        Raises:
            ConfigError: `endpoint` is no address.
        """
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._who = who
        self._context = zmq.Context[zmq.Socket[bytes]]()
        try:
            self._requester = Requester(self._context, endpoint, keys)
        except BaseException:
            self._context.term()
            raise

    def trigger(self, part_id: str = "", ticket: str = "", purpose: Purpose = "production") -> int:
        """Trigger the cameras by software. Returns the number that the answer on the stream carries as `software_trigger`.

        `ticket` is the id of the request, by default a new one: a camera to which pictures are sent takes the one of this ticket.
        `purpose` is what the part is there for, which the answer bears.
        """
        return self._ask(Trigger(id=ticket or _new_id(), part_id=part_id, purpose=purpose)).trigger

    def bind(self, parts: Sequence[tuple[int, str]]) -> None:
        """Tell the part ids of triggers to come, by trigger number: all of them, or where one is refused none."""
        self._ask(Bind(id=_new_id(), parts=list(parts)))

    def start(self) -> None:
        """Inspect every trigger."""
        self._ask(Start(id=_new_id()))

    def stop(self) -> None:
        """Inspect software triggers alone; all others are answered `stopped`."""
        self._ask(Stop(id=_new_id()))

    def select_recipe(self, number: int) -> None:
        """Inspect by this recipe from the next part on."""
        self._ask(SelectRecipe(id=_new_id(), number=number))

    def recipes(self) -> list[RecipeEntry]:
        """The station's recipes."""
        return self._ask(ListRecipes(id=_new_id())).recipes

    def status(self) -> Status:
        """How the station is."""
        reply = self._ask(AskStatus(id=_new_id()))
        try:
            return msgspec.json.decode(reply.status, type=Status)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise NoAnswer(f"the answer is no status ({error})", where=self._endpoint) from error

    def resynchronise(self) -> None:
        """The belt stands still, and from here on the cameras' counters count the same triggers, whatever they show."""
        self._ask(Resynchronise(id=_new_id()))

    def setup(self, *, on: bool) -> None:
        """The station is being set up, or is no more: meanwhile it inspects triggers of purpose `setup` alone."""
        self._ask(Setup(id=_new_id(), on=on))

    def adjust(
        self, camera: str, features: Mapping[str, bool | int | float | str | None]
    ) -> dict[str, bool | int | float | str]:
        """Set a camera's features while the station is set up (None: only read); returns what they are now."""
        return self._ask(Adjust(id=_new_id(), camera=camera, features=dict(features))).values

    def renew(self) -> None:
        """Load all recipes anew, while the station is set up. Returns before they are loaded: the status tells."""
        self._ask(Renew(id=_new_id()))

    def note(self, text: str) -> None:
        """Write into the audit trail what was changed by other means."""
        self._ask(Note(id=_new_id(), text=text))

    def _ask(self, command: Command) -> Reply:
        """Send until it is answered."""
        if self._who:
            command = msgspec.structs.replace(command, who=self._who)
        try:
            msgspec.convert(msgspec.to_builtins(command), type(command))
        except msgspec.ValidationError as error:
            raise RequestRefused(str(error), where=self._endpoint) from error
        request = requests.encode(command)
        until = monotonic_ns() + int(self._timeout_s * 1e9)
        again_ns = 0
        while (now := monotonic_ns()) < until:
            if now >= again_ns and self._requester.send(request):
                again_ns = now + int(SEND_AGAIN_S * 1e9)
            self._requester.socket.poll(TURN_MS)
            reply = self._reply(command.id)
            if reply is not None:
                if reply.error:
                    raise RequestRefused(reply.error, where=self._endpoint, next_command=reply.next_command)
                return reply
        raise NoAnswer(
            f"no answer within {self._timeout_s:g} s" if again_ns else "nobody is there, or our key is not allowed",
            where=self._endpoint,
            next_command="datumd listen",
        )

    def _reply(self, request_id: str) -> Reply | None:
        """The reply to this request, where it has come."""
        while parts := self._requester.receive():
            try:
                reply = requests.decode_reply(parts[0])
            except (ValueError, msgspec.MsgspecError, RecursionError):
                continue  # another will come, or none
            if reply.id == request_id:
                return reply
        return None

    def close(self) -> None:
        """Let go of the socket."""
        self._requester.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def find_control(results: str, station: str = "", keys: ClientKeys | None = None, timeout_s: float = TIMEOUT_S) -> str:
    """Where a station answers requests, as its heartbeats on the stream `results` say.

    Raises:
        ConfigError: `results` is no address.
        NoAnswer: no heartbeat was heard, or it names no port.
    """
    with zmq.Context[zmq.Socket[bytes]]() as context, context.socket(zmq.SUB) as socket:
        socket.subscribe(f"heartbeat/{station}/" if station else "heartbeat/")
        connect(socket, results, keys)
        until = monotonic_ns() + int(timeout_s * 1e9)
        while (left_ms := (until - monotonic_ns()) // 1_000_000) > 0:
            if not socket.poll(left_ms):
                break
            try:
                message = read_published(socket.recv_multipart()).message
            except ValueError:
                continue
            if isinstance(message, Heartbeat):
                endpoint = requests_endpoint(results, message.control_port)
                if endpoint:
                    return endpoint
                raise NoAnswer("the station does not say where it answers requests", where=results)
    whom = f"station {station}" if station else "a station"
    raise NoAnswer(
        f"{whom} was not heard within {timeout_s:g} s: none runs, or it publishes elsewhere",
        where=results,
        next_command="datumd run STATION.toml, or this command with the station's results address",
    )


def _new_id() -> str:
    return secrets.token_hex(16)

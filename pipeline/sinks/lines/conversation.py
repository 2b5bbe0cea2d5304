"""What is answered to a controller's lines, a pure state machine without sockets and clock. No part passes without its own OK.

It plays the perfect PLC at the handshake that Modbus uses (pipeline/sinks/modbus/handshake.py): each TRIGGER is an edge, each
result that is shown is sent and acknowledged at once. So windows, part ids and the order of results are those of the handshake.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.sinks.lines import grammar
from pipeline.sinks.lines.grammar import RecipeLine, StatusLine, TriggerLine
from pipeline.sinks.modbus.handshake import Handshake
from pipeline.sinks.modbus.signals import Action, Answer, Cause, Inputs, Inspection, Take

STATUS_NS = 1_000_000_000  # silence tells a controller that the bridge is gone
_IDLE = Inputs(trigger_enable=True)


@dataclass(slots=True)
class _Open:
    """A trigger whose result is to come. `is_doubtful`: another one had the same number meanwhile."""

    number: int
    is_doubtful: bool = False


class Conversation:
    """One controller's lines. `say` is given each line to send, without its end; call `tick` often.

    Args:
        window_ns, first, own_trigger: as of the handshake.
        say: sends a line to the controller, or drops it where there is none.
    """

    def __init__(
        self, window_ns: int, say: Callable[[str], None], *, first: int = 1, own_trigger: bool = False
    ) -> None:
        self._handshake = Handshake(window_ns, first=first, own_trigger=own_trigger)
        self._say = say
        self._open: dict[int, _Open] = {}
        self._asked_recipe: int | None = None
        self._told: tuple[bool, int] | None = None
        self._told_ns = 0

    def begin(self, now_ns: int) -> None:
        """A new connection: nothing of before is answered any more."""
        self._handshake.reset()
        self._handshake.write(_IDLE, now_ns)
        self._open.clear()
        self._asked_recipe = self._told = None
        self._tell_status(now_ns)

    def hear(self, line: str, now_ns: int) -> list[Action]:
        """A line of the controller's: what is to be asked of the station now."""
        actions: list[Action] = []
        try:
            match grammar.read(line):
                case TriggerLine(number, part_id):
                    actions = self._trigger(number, part_id, now_ns)
                case RecipeLine(number):
                    self._asked_recipe = number
                    actions = self._pulse(replace(_IDLE, recipe_request=True, recipe=number), now_ns)
                case StatusLine():
                    self._told = None
        except ValueError as error:
            self._say(grammar.error(str(error)))
        self._settle(now_ns)
        return actions

    def _pulse(self, inputs: Inputs, now_ns: int) -> list[Action]:
        """A bit that rises and is taken back."""
        actions = self._handshake.write(inputs, now_ns)
        self._handshake.write(_IDLE, now_ns)
        return actions

    def _trigger(self, number: int, part_id: str, now_ns: int) -> list[Action]:
        asked = replace(_IDLE, trigger=True, trigger_number=number, part_id=part_id)
        twins = [each for each in self._open.values() if each.number == number]
        if twins:
            twins[0].is_doubtful = True  # nobody could tell whose result it is
            self._say(grammar.result(Inspection.without(0, asked, Cause.number_twice)))
            return []
        actions = self._pulse(asked, now_ns)
        for action in actions:
            if isinstance(action, Take):
                self._open[action.acquisition] = _Open(number)
        if not actions:
            cause = Cause(self._handshake.outputs().error_code)
            self._say(grammar.result(Inspection.without(0, asked, cause)))
            self._pulse(replace(_IDLE, error_reset=True), now_ns)
        return actions

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is awaited; may be asked by any thread."""
        return self._handshake.is_waiting

    def station(self, can_inspect: bool, recipe: int | None) -> None:
        """Whether the station inspects at this moment, and by which recipe."""
        self._handshake.station(can_inspect, recipe)
        if recipe is not None and self._asked_recipe == recipe:
            self._asked_recipe = None
            self._say(grammar.recipe(recipe, good=True))

    def triggered(self, number: int, key: int, now_ns: int) -> None:
        """The station has taken this acquisition up; its answer will carry `key`."""
        self._handshake.triggered(number, key, now_ns)
        if number in self._open:
            self._say(grammar.taken(self._open[number].number))
        self._settle(now_ns)

    def refused(self, number: int, cause: Cause, now_ns: int) -> None:
        """The station does not inspect this acquisition, or nobody knows whether it does."""
        self._handshake.refused(number, cause, now_ns)
        self._settle(now_ns)

    def recipe_refused(self, recipe: int) -> None:
        """The station cannot inspect by this recipe."""
        self._handshake.recipe_refused(recipe)
        if self._asked_recipe == recipe:
            self._asked_recipe = None
            self._say(grammar.recipe(recipe, good=False))

    def answer(self, answer: Answer, now_ns: int) -> None:
        """A result of the stream."""
        self._handshake.answer(answer, now_ns)
        self._settle(now_ns)

    def tick(self, now_ns: int) -> None:
        """Time goes on: windows end, and a controller wants to hear that somebody lives."""
        self._handshake.tick(now_ns)
        self._settle(now_ns)

    def _settle(self, now_ns: int) -> None:
        """Send what is shown, and how the station is where that is news."""
        while (shown := self._handshake.outputs().shown) is not None:
            self._pulse(replace(_IDLE, results_ack=True), now_ns)
            trigger = self._open.pop(shown.number)
            if trigger.is_doubtful:
                shown = Inspection.without(shown.number, shown.asked, Cause.number_twice)
            self._say(grammar.result(shown))
        outputs = self._handshake.outputs()
        if self._told != (outputs.trigger_ready, outputs.current_job_id) or now_ns - self._told_ns >= STATUS_NS:
            self._tell_status(now_ns)

    def _tell_status(self, now_ns: int) -> None:
        outputs = self._handshake.outputs()
        self._told, self._told_ns = (outputs.trigger_ready, outputs.current_job_id), now_ns
        self._say(grammar.status(outputs.trigger_ready, outputs.current_job_id, len(self._open)))

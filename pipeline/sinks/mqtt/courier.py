"""What is told to the broker and when, a pure state machine without sockets and clock."""

import msgspec

from pipeline import result as result_schema
from pipeline.client import Gap, Message
from pipeline.result import Result
from pipeline.sinks.mqtt.topics import Missed, Publication, State, TopicName, publication
from pipeline.status import Heartbeat, StationState, Status

HEARD_NS = 3_000_000_000  # three heartbeats
AGAIN_NS = 60_000_000_000  # the state is told so often though nothing has changed
UNHEARD = "the station is not heard"
GONE = "the bridge is gone"
ENDED = "the bridge has ended"


class Courier:
    """One station's messages. Times are CLOCK_MONOTONIC in ns; `stamp` is RFC 3339 UTC."""

    def __init__(self, prefix: str, station: str) -> None:
        self.missed = 0
        self._prefix, self._station = prefix, station
        self._status: Status | None = None
        self._session = 0
        self._heard_ns: int | None = None
        self._told: State | None = None
        self._told_ns = 0

    def hear(self, message: Message, now_ns: int, stamp: str) -> Publication | None:
        """Take a message in. Returns what must reach the broker before the next is taken."""
        if not isinstance(message, Gap):
            self._heard_ns, self._session = now_ns, message.session
        match message:
            case Status():
                self._status = message
            case Result():
                return self._publication(TopicName.result, result_schema.encode(message))
            case Gap():
                self.missed += max(0, message.last - message.first + 1)
                missed = Missed(self._station, message.session, message.first, message.last, stamp)
                return self._publication(TopicName.missed, msgspec.json.encode(missed))
            case Heartbeat():
                pass
        return None

    def connected(self, now_ns: int) -> None:
        """The broker is reached, anew maybe: what stands there is the will of before. The station is heard from now on."""
        self._told = None
        if self._heard_ns is not None:
            self._heard_ns = now_ns  # nothing was listened to meanwhile

    def state(self, now_ns: int, stamp: str) -> Publication | None:
        """The state, where it is not as was told last, or was told long ago."""
        heard = self._heard_ns is not None and now_ns - self._heard_ns < HEARD_NS
        state = self._state(heard, None if heard else UNHEARD, "")
        if _essence(state) == self._told and now_ns - self._told_ns < AGAIN_NS:
            return None
        self._told, self._told_ns = _essence(state), now_ns
        return self._state_publication(msgspec.structs.replace(state, creation_time=stamp))

    def will(self, stamp: str) -> Publication:
        """What the broker says when the bridge is gone without a word; `stamp` is of the connection's begin."""
        return self._state_publication(self._state(False, GONE, stamp))

    def farewell(self, stamp: str) -> Publication:
        """What the bridge says when it ends in order."""
        return self._state_publication(self._state(False, ENDED, stamp))

    def _state(self, online: bool, text: str | None, stamp: str) -> State:
        status = self._status
        if status is None:
            said = "" if text is None else text
            return State(self._station, online, "", said, None, "", "", self._session, self.missed, stamp)
        return State(
            self._station,
            online,
            status.state,
            status.text if text is None else text,
            status.recipe_id,
            status.product_id,
            status.configuration_id,
            self._session,
            self.missed,
            stamp,
        )

    def _state_publication(self, state: State) -> Publication:
        return self._publication(TopicName.state, msgspec.json.encode(state))

    def _publication(self, name: TopicName, payload: bytes) -> Publication:
        return publication(self._prefix, self._station, name, payload)


def _essence(state: State) -> State:
    """What makes a state another one: a text that counts results is no news, one that names a fault is."""
    return state if state.state == StationState.Error else msgspec.structs.replace(state, text="")

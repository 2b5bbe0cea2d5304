"""THE topic table: what stands at a broker, and what each message holds. The bridge and docs/mqtt.md both read it."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from pipeline.result import SCHEMA_VERSION

BEGIN, END = "<!-- topics -->", "<!-- end of topics -->"


class TopicName(StrEnum):
    """The last level of each topic."""

    result = "result"
    state = "state"
    missed = "missed"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic below PREFIX/STATION/."""

    name: TopicName
    retained: bool
    payload: str
    when: str


TOPICS = (
    Topic(TopicName.result, False, "the result, schema v1 (docs/wire-format.md)", "each result, in order"),
    Topic(
        TopicName.state,
        True,
        "how the station is (below); the will says `online` false",
        "when it changes, when the broker is reached, and once a minute",
    ),
    Topic(
        TopicName.missed,
        False,
        "`station`, `session`, `first`, `last`: results that can be had no more",
        "instead of those results",
    ),
)


class State(msgspec.Struct, frozen=True):
    """What `state` holds.

    Attributes:
        online: the bridge lives and hears the station. False: nobody knows how the station is.
        state: of OPC 40100-1, as in the station's status; "" while it was not heard.
        missed: results that could be had no more since the bridge began.
    """

    station: str
    online: bool
    state: str
    text: str
    recipe_id: int | None
    product_id: str
    configuration_id: str
    session: int
    missed: int
    creation_time: str
    schema_version: int = SCHEMA_VERSION


class Missed(msgspec.Struct, frozen=True):
    """What `missed` holds: results `first` to `last` of a session; `last` is `first` - 1 where nobody knows how many."""

    station: str
    session: int
    first: int
    last: int
    creation_time: str
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to the broker, always with QoS 1."""

    topic: str
    payload: bytes
    retained: bool


def publication(prefix: str, station: str, name: TopicName, payload: bytes) -> Publication:
    """A message at the topic of this name."""
    retained = next(topic.retained for topic in TOPICS if topic.name is name)
    return Publication(f"{prefix}/{station}/{name}", payload, retained)


def page_table() -> str:
    """The table as Markdown, from BEGIN to END."""
    rows = [
        f"| `datumd/STATION/{topic.name}` | {'yes' if topic.retained else 'no'} | {topic.payload} | {topic.when} |"
        for topic in TOPICS
    ]
    return "\n".join([BEGIN, "| topic | retained | payload (JSON) | when |", "|---|---|---|---|", *rows, END])

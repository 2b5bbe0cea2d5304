"""What a client may ask of a station, and what it is told: wire v1, JSON over a ZeroMQ ROUTER socket.

A request is one JSON object with a `command`; the reply is one JSON object, for `replay` followed by one message part for
each result, the bytes that were published. docs/wire-format.md describes all of it for other languages.
"""

from typing import Annotated, Literal

import msgspec

PartId = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[\x20-\x7e]*\Z")]
RequestId = Annotated[str, msgspec.Meta(max_length=64)]
Who = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[\x20-\x7e]*\Z")]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Purpose = Literal["production", "master", "gauge", "setup"]
LARGEST_REQUEST_BYTES = 65_536
LARGEST_PAGE = 1000  # results in one reply


class Request(msgspec.Struct, frozen=True, tag_field="command", kw_only=True):
    """`id` comes back in the reply; a request that is sent again with the same id is not carried out twice.

    `who` asked the client for it: the audit trail names them behind the client.
    """

    id: RequestId = ""
    who: Who = ""


class Replay(Request, frozen=True, tag="replay"):
    """The results after (session, seq), in order, at most `limit`; from the oldest where both are 0."""

    session: Number = 0
    seq: Number = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PAGE)] = 500


class Trigger(Request, frozen=True, tag="trigger"):
    """Give the cameras a software trigger. The reply comes when it is journaled; the answer comes on the stream.

    `purpose` is what the part is there for; the answer bears it. What is not of production is no product's part.
    """

    part_id: PartId = ""
    purpose: Purpose = "production"


class Bind(Request, frozen=True, tag="bind"):
    """Part ids of triggers to come, by trigger number."""

    parts: Annotated[list[tuple[Number, PartId]], msgspec.Meta(max_length=1000)]


class Start(Request, frozen=True, tag="start"):
    """Inspect every trigger (ContinuousExecution)."""


class Stop(Request, frozen=True, tag="stop"):
    """Inspect software triggers alone (Ready); all others are answered `stopped`."""


class SelectRecipe(Request, frozen=True, tag="select_recipe"):
    """Inspect the parts that come from now on by this recipe."""

    number: Number


class ListRecipes(Request, frozen=True, tag="recipes"):
    """Which recipes there are."""


class AskStatus(Request, frozen=True, tag="status"):
    """The station's status, as it is published."""


class Resynchronise(Request, frozen=True, tag="resynchronise"):
    """The belt stands still: from here on the cameras' line counters, whatever they show, count the same triggers."""


class Setup(Request, frozen=True, tag="setup"):
    """An engineer sets the station up (`on`), or has done. Afterwards it goes on as before; `start` ends it, too.

    Meanwhile it is Initialized, not ready; the line's triggers are answered `stopped`, those of purpose `setup` are inspected.
    """

    on: bool


class Adjust(Request, frozen=True, tag="adjust"):
    """While the station is set up: set features of a running camera, or with None read them. They last until it connects anew."""

    camera: str
    features: Annotated[dict[str, bool | int | float | str | None], msgspec.Meta(max_length=32)]


class Renew(Request, frozen=True, tag="renew"):
    """While the station is set up: load all recipes anew."""


class Note(Request, frozen=True, tag="note"):
    """Write into the audit trail what was changed by other means, such as a recipe's file."""

    text: Annotated[str, msgspec.Meta(max_length=2000)]


Command = (
    Replay
    | Trigger
    | Bind
    | Start
    | Stop
    | SelectRecipe
    | ListRecipes
    | AskStatus
    | Resynchronise
    | Setup
    | Adjust
    | Renew
    | Note
)


class RecipeEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recipe of the station. `fault` says why it cannot be selected, "" where it can."""

    number: int
    name: str
    selected: bool
    configuration_id: str = ""
    fault: str = ""


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """Results `first` to `last` of a session that are no longer in the journal, or never were.

    `last` is `first` - 1 where a session has ended and nobody can say how many results there were after that and before those that
    are given next, if any. A subscription fills in `station`, as it may hear several; a reply leaves it out.
    """

    session: int
    first: int
    last: int
    station: str = ""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a request. `error` is "" where it was carried out, else one clear line.

    Attributes:
        trigger: number of the accepted software trigger (not the trigger number, which the camera gives).
        session, seq: replay: the last result that this reply covers; the next request starts here.
        more: replay: whether there is more in the journal now.
        expired: replay: what lies between and is gone.
        values: adjust: what the camera's features are now.
    """

    id: str = ""
    error: str = ""
    next_command: str = ""
    trigger: int = 0
    session: int = 0
    seq: int = 0
    more: bool = False
    expired: list[Gap] = []
    recipes: list[RecipeEntry] = []
    status: msgspec.Raw = msgspec.Raw(b"null")
    values: dict[str, bool | int | float | str] = {}


decode_request = msgspec.json.Decoder(Command).decode
decode_reply = msgspec.json.Decoder(Reply).decode
encode = msgspec.json.encode

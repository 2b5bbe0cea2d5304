"""What an operator may do to a station. Each deed is in the station's audit trail, with who did it."""

from typing import Annotated, Literal

import msgspec

from pipeline.client import Control
from pipeline.requests import PartId
from pipeline.runtime import Runtime
from pipeline.security import own_client_keys

TIMEOUT_S = 5.0


class Deed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for; `number` of a recipe, `part_id` of a part that is triggered."""

    what: Literal["start", "stop", "select_recipe", "trigger"]
    number: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 0
    part_id: PartId = ""


def do(runtime: Runtime, deed: Deed, name: str) -> dict[str, int]:
    """Do it, in the name of this person; returns what there is to tell.

    Raises:
        NoAnswer: the station did not answer.
        RequestRefused: it does not do it, and why.
    """
    keys = own_client_keys(runtime.station.security)
    with Control(runtime.control_endpoint, keys, TIMEOUT_S, who=f"web {name}".strip()) as control:
        match deed.what:
            case "start":
                control.start()
            case "stop":
                control.stop()
            case "select_recipe":
                control.select_recipe(deed.number)
            case "trigger":
                return {"trigger": control.trigger(deed.part_id)}
    return {}

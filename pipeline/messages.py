"""What the workers tell each other over the ledger's socket (msgpack). Messages are doorbells: frames stay in the ring.

A message may be lost, and may come twice, when the ledger is restarted. Each kind is harmless the second time; what must not
be lost is found again in the ring, in the journal, or by the hellos: every worker says its hello at its start, and again
whenever the ring's session has changed, which means that there is a new ledger. What a ledger of an earlier `session` sent is
void.
"""

import msgspec

from pipeline.loss import LossKind
from pipeline.recipe_masters import MastersSettings
from pipeline.requests import Command
from pipeline.result import Defect, Edge, Evaluation, Keypoint, Measurement, Reason, ResultState


class CameraHello(msgspec.Struct, frozen=True, tag="camera_hello"):
    """Grab: this camera's worker is up and owns no slot; CameraStatus and Counted follow where there is something to tell.

    Said once to each `session`. One that was meant for an earlier ledger, and waited in the socket, is void: it says nothing
    of what this ledger has granted since, and granting those slots anew would let two cameras write into one.
    """

    camera: str
    pid: int
    session: int


class CameraStatus(msgspec.Struct, frozen=True, tag="camera_status"):
    """Grab: the camera is connected and armed, or is not.

    `counts_triggers`: its frames carry trigger numbers. `baseline`: its line counter before the first frame since it was
    armed, None where it cannot be read and where nothing has happened but a new ledger.
    """

    camera: str
    up: bool
    text: str
    counts_triggers: bool = False
    is_simulated: bool = False
    baseline: int | None = None


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """Grab: a frame lies in this slot."""

    camera: str
    slot: int
    generation: int


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """Grab: the camera's line counter stands at `number`."""

    camera: str
    number: int


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """Grab: the camera or its transport lost frames; `number` is the trigger, where it is known."""

    camera: str
    kind: LossKind
    number: int | None
    count: int = 1


class Exhausted(msgspec.Struct, frozen=True, tag="exhausted"):
    """Grab: a folder or video has no more frames."""

    camera: str


class Fired(msgspec.Struct, frozen=True, tag="fired"):
    """Grab: the software trigger was given; the camera's counter then stood at `number`, None when it was not taken (`fault`)."""

    camera: str
    trigger: int
    number: int | None
    fault: str = ""


class LoadedRecipe(msgspec.Struct, frozen=True):
    """A recipe in the station's folder; `fault` says why it cannot be selected, "" where it can. `masters` are its own.

    `number` and `name` are -1 and the folder's name where its file cannot be read.
    """

    number: int
    name: str
    configuration_id: str
    fault: str = ""
    masters: MastersSettings | None = None


class Adjusted(msgspec.Struct, frozen=True, tag="adjusted"):
    """Grab: what became of Adjusting: the features' values now, and what went wrong ("" = nothing)."""

    ticket: int
    values: dict[str, bool | int | float | str]
    fault: str


class InferHello(msgspec.Struct, frozen=True, tag="infer_hello"):
    """Infer: all networks are loaded and qualified; this process reads no frame, and knows no part.

    To a new ledger, its answers that were not published follow as Inspected.
    """

    worker: str
    pid: int
    session: int
    backend: str
    recipes: list[LoadedRecipe]


class PartAnswer(msgspec.Struct, frozen=True):
    """The verdict on one part of a trigger, with all that a result says of it."""

    result_state: ResultState
    evaluation: Evaluation
    reasons: list[Reason]
    keypoints: list[Keypoint]
    measurements: list[Measurement]
    stages_ns: dict[str, int]
    regions: dict[str, tuple[float, float, float, float]]
    defects: list[Defect] = []
    edges: list[Edge] = []


class Inspected(msgspec.Struct, frozen=True, tag="inspected"):
    """Infer: the answers for the trigger that gave these frames, (slot, generation) each; one answer for each part found.

    `released` are those of them that were not released before. Infer keeps the answers until the `closed` words say that they
    are published.
    """

    worker: str
    frames: list[tuple[int, int]]
    answers: list[PartAnswer]
    released: list[tuple[int, int]]


class Released(msgspec.Struct, frozen=True, tag="released"):
    """Infer: these (slot, generation) are no longer read."""

    worker: str
    released: list[tuple[int, int]]


class EvidenceHello(msgspec.Struct, frozen=True, tag="evidence_hello"):
    """Evidence: the copier is up and reads no frame. `session` as in CameraHello."""

    pid: int
    session: int


class Copied(msgspec.Struct, frozen=True, tag="copied"):
    """Evidence: the frame is no longer read. `good`: it has been copied whole, and will be written."""

    slot: int
    generation: int
    good: bool


class Stored(msgspec.Struct, frozen=True, tag="stored"):
    """Evidence: what became of an image: written at `path`, or lost (`fault`)."""

    session: int
    seq: int
    view: str
    path: str
    fault: str = ""


class DiskReport(msgspec.Struct, frozen=True, tag="disk_report"):
    """Evidence, once a second: bytes and images in the folder, and what is wrong with it ("" = nothing)."""

    used_bytes: int
    images: int
    fault: str


class RequestsHello(msgspec.Struct, frozen=True, tag="requests_hello"):
    """Requests: the process that answers clients is up. `session` as in CameraHello."""

    pid: int
    session: int


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """Requests: a client's command. `peer` is who asks: the name of its key, or its address. `ticket` is returned in Told."""

    ticket: int
    peer: str
    command: Command


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Requests: so many messages of clients have been dropped since the last one of these: malformed, too large."""

    count: int


class Granted(msgspec.Struct, frozen=True, tag="granted"):
    """Ledger to grab: fill this slot next. It is meant for the process `pid`: what its forerunner was granted is void."""

    slot: int
    generation: int
    pid: int
    session: int


class Fire(msgspec.Struct, frozen=True, tag="fire"):
    """Ledger to grab: give the camera software trigger `trigger` (the book's own number for it), and answer Fired.

    `ticket` is the id of the request that asked for it: a camera to which pictures are sent knows by it which one is meant.
    """

    trigger: int
    pid: int
    session: int
    ticket: str = ""


class Adjusting(msgspec.Struct, frozen=True, tag="adjusting"):
    """Ledger to grab: set these features of the camera (None: only read), answer Adjusted."""

    ticket: int
    features: dict[str, bool | int | float | str | None]
    pid: int
    session: int


class Renewing(msgspec.Struct, frozen=True, tag="renewing"):
    """Ledger to infer: end, and load everything anew."""

    pid: int
    session: int


class Passed(msgspec.Struct, frozen=True, tag="passed"):
    """Ledger to grab: a part has passed, as is published: pulse the output, unless CLOCK_MONOTONIC is beyond `until_ns`.

    A message that is lost is a pulse that is missing, and the part is rejected; there is none that comes twice.
    """

    until_ns: int
    pid: int
    session: int


class Dispatched(msgspec.Struct, frozen=True, tag="dispatched"):
    """Ledger to infer: inspect this frame; `complete` when it is the last view of its part. Meant for the process `pid`."""

    part: int
    camera: str
    view: str
    slot: int
    generation: int
    complete: bool
    recipe: int
    pid: int
    session: int


class Abandoned(msgspec.Struct, frozen=True, tag="abandoned"):
    """Ledger to infer: the part has been answered otherwise; forget its views."""

    part: int
    session: int


class Copy(msgspec.Struct, frozen=True, tag="copy"):
    """Ledger to evidence: copy this frame, answer Copied, write it to `path` below the state folder, answer Stored.

    `result` is the published JSON, to be written beside the image.
    """

    slot: int
    generation: int
    seq: int
    view: str
    evaluation: Evaluation
    path: str
    result: bytes
    session: int


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Ledger to requests: the reply to `ticket`, as JSON of `pipeline.requests.Reply`."""

    ticket: int
    reply: bytes


ToLedger = (
    CameraHello
    | CameraStatus
    | Accepted
    | Counted
    | Lost
    | Exhausted
    | Fired
    | Adjusted
    | InferHello
    | Inspected
    | Released
    | EvidenceHello
    | Copied
    | Stored
    | DiskReport
    | RequestsHello
    | Asked
    | Refused
)
FromLedger = Granted | Fire | Adjusting | Passed | Dispatched | Abandoned | Renewing | Copy | Told

encode = msgspec.msgpack.Encoder().encode
decode_to_ledger = msgspec.msgpack.Decoder(ToLedger).decode
decode_from_ledger = msgspec.msgpack.Decoder(FromLedger).decode

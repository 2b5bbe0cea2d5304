"""What the workers tell each other over the ledger's socket (msgpack). Messages are doorbells: frames stay in the ring."""

import msgspec

from pipeline.loss import LossKind
from pipeline.result import Evaluation, Keypoint, Measurement, Reason, ResultState


class CameraHello(msgspec.Struct, frozen=True, tag="camera_hello"):
    """Grab: this camera's worker is up and owns no slot."""

    camera: str
    pid: int


class CameraStatus(msgspec.Struct, frozen=True, tag="camera_status"):
    """Grab: the camera is connected and armed, or is not.

    `counts_triggers`: its frames carry trigger numbers. `baseline`: its line counter before the first frame, None where
    it cannot be read.
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


class InferHello(msgspec.Struct, frozen=True, tag="infer_hello"):
    """Infer: networks are loaded and qualified; this process holds no frame."""

    worker: str
    pid: int
    recipe_number: int
    recipe_name: str
    configuration_id: str
    backend: str


class PartAnswer(msgspec.Struct, frozen=True):
    """The verdict on one part of a trigger, with all that a result says of it."""

    result_state: ResultState
    evaluation: Evaluation
    reasons: list[Reason]
    keypoints: list[Keypoint]
    measurements: list[Measurement]
    stages_ns: dict[str, int]
    regions: dict[str, tuple[float, float, float, float]]


class Inspected(msgspec.Struct, frozen=True, tag="inspected"):
    """Infer: the answers for part `part` of the book, one for each part found (none: the recipe's no_part answer is in it)."""

    worker: str
    part: int
    answers: list[PartAnswer]
    released: list[tuple[int, int]]


class Released(msgspec.Struct, frozen=True, tag="released"):
    """Infer: these (slot, generation) are no longer read."""

    worker: str
    released: list[tuple[int, int]]


class Granted(msgspec.Struct, frozen=True, tag="granted"):
    """Ledger to grab: fill this slot next. It is meant for the process `pid`: what its forerunner was granted is void."""

    slot: int
    generation: int
    pid: int


class Dispatched(msgspec.Struct, frozen=True, tag="dispatched"):
    """Ledger to infer: inspect this frame; `complete` when it is the last view of its part. Meant for the process `pid`."""

    part: int
    camera: str
    view: str
    slot: int
    generation: int
    complete: bool
    pid: int


class Abandoned(msgspec.Struct, frozen=True, tag="abandoned"):
    """Ledger to infer: the part has been answered otherwise; forget its views."""

    part: int


ToLedger = CameraHello | CameraStatus | Accepted | Counted | Lost | Exhausted | InferHello | Inspected | Released
FromLedger = Granted | Dispatched | Abandoned

encode = msgspec.msgpack.Encoder().encode
decode_to_ledger = msgspec.msgpack.Decoder(ToLedger).decode
decode_from_ledger = msgspec.msgpack.Decoder(FromLedger).decode

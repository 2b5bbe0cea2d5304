"""A result, schema v1: what is published, what is kept in the journal and what subscribers decode.

Field names follow OPC 40001-101 (Machine Vision, result transfer) in snake_case. Unknown fields are ignored by a reader, so
that v1 may grow; a field is never renamed or given another meaning.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

SCHEMA_VERSION = 1
_Place = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
_Length = Annotated[float, msgspec.Meta(gt=0.0, le=1e6)]
_Cells = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Nanoseconds = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # a larger number is no time, and no float either


class ResultState(StrEnum):
    """Whether an answer could be formed at all."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Evaluation(StrEnum):
    """The verdict on the part, in order of precedence."""

    NOT_OK = "NOT_OK"
    UNDEFINED = "UNDEFINED"
    NOT_DECIDABLE = "NOT_DECIDABLE"
    OK = "OK"


class Disposition(StrEnum):
    """What the line should do with the part."""

    PASS = "PASS"  # noqa: S105 - not a password
    REJECT = "REJECT"


class KeypointState(StrEnum):
    """Three outcomes of the visibility stage. Hidden keypoints carry no position."""

    visible = "visible"
    hidden = "hidden"
    unsure = "unsure"


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why the verdict is what it is: a stable code with its parameters; texts come from `reasons.<language>.toml`.

    Codes: `<measurement>.low`, `<measurement>.high` are written as code `low` or `high` with `name`; likewise `hidden`,
    `unsure` (keypoint `name` and `view`), `uncertain` (measurement `name`), `defect`, `defects` (zone `name`, "" for the
    whole part), `defects_untold`, `zone_unplaced` (zone `name`), and the loss kinds with `view`.
    """

    code: str
    name: str = ""
    view: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""


class Keypoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """One keypoint. `x`, `y` in sensor px (pixel centres at integers), None when hidden; `visibility` is a probability."""

    name: str
    view: str
    x: float | None
    y: float | None
    visibility: float
    state: KeypointState
    x_mm: float | None = None
    y_mm: float | None = None
    sigma_px: float | None = None


class Measurement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One measured quantity against its limits. `value` is None when it could not be measured."""

    name: str
    value: float | None
    unit: str
    nominal: float | None
    lower: float | None
    upper: float | None
    evaluation: Evaluation
    view: str = ""
    sigma: float | None = None


class DefectMask(msgspec.Struct, frozen=True):
    """A mask as lengths of runs: cells that are off, on, off …, row by row from the upper left (pipeline/run_length.py).

    `columns` times `rows` cells of one size cover the box `x`, `y`, `width`, `height` in sensor px, corner convention.
    """

    x: _Place
    y: _Place
    width: _Length
    height: _Length
    columns: _Cells
    rows: _Cells
    counts: list[Annotated[int, msgspec.Meta(ge=0)]]

    def __post_init__(self) -> None:
        """Refuse runs that are not those of so many cells."""
        if sum(self.counts) != self.columns * self.rows:
            raise ValueError(f"runs of {sum(self.counts)} cells, the mask has {self.columns} x {self.rows}")


class Defect(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something on the part that should not be there. Of which kind it is, is not said.

    `box` is x, y, width, height in sensor px, corner convention; `peak` x, y in sensor px, pixel centres at integers, of where
    the heatmap is highest, and its value there; `score` is from 0 to 1; `zones` are those of the recipe that it reaches into.
    """

    view: str
    area_px: float
    box: tuple[float, float, float, float]
    score: float
    peak: tuple[float, float, float]
    mask: DefectMask
    area_mm2: float | None = None
    zones: list[str] = []


class Edge(msgspec.Struct, frozen=True, omit_defaults=True):
    """An edge that the recipe names. `outline` are points along it in order, x and y in sensor px; none where it was not found."""

    name: str
    view: str
    outline: list[tuple[float, float]] = []


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one view's picture came from. `region` is x, y, width, height in sensor px."""

    view: str
    camera: str
    frame_id: int
    shot: str = ""
    exposure_us: float | None = None
    camera_ns: int | None = None
    received_time: str = ""
    region: tuple[float, float, float, float] | None = None
    image_uri: str = ""


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer. Identity on the wire: (station, session, seq). `trigger_number` and `part_index` name the part.

    `software_trigger` is the number that the reply to a `trigger` request gave, where such a request asked for this answer.
    """

    schema_version: int
    session: int
    seq: int
    station: str
    result_id: str
    trigger_number: int | None
    part_index: int
    part_count: int
    product_id: str
    recipe_id: int
    configuration_id: str
    is_simulated: bool
    result_state: ResultState
    result_evaluation: Evaluation
    disposition: Disposition
    reasons: list[Reason]
    creation_time: str
    answered_time: str
    views: list[View]
    keypoints: list[Keypoint]
    measurements: list[Measurement]
    stages_ns: dict[str, Nanoseconds]
    times: dict[str, Nanoseconds]
    part_id: str = ""
    job_id: str = ""
    purpose: str = "production"
    clock_state: str = "unsynchronised"
    encoder_count: int | None = None
    journaled: bool = False
    software_trigger: int | None = None
    defects: list[Defect] = []
    edges: list[Edge] = []


def encode(result: Result) -> bytes:
    """The bytes that are published: UTF-8 JSON, keys in the order of the schema."""
    return msgspec.json.encode(result)


def decode(payload: bytes) -> Result:
    """Read published bytes. Raises msgspec.ValidationError where a known field has another type."""
    return _decoder.decode(payload)


_decoder = msgspec.json.Decoder(Result)

"""The networks of a view: what the ONNX files say of themselves, and whether their tensors fit their place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np

from engines.engine import Engine, Inputs, Tensors
from engines.errors import EngineProblem, EngineRefused, EngineUnavailable
from engines.load import load_engine
from engines.spec import NetworkSpec, TensorSpec
from pipeline.errors import EngineError, NetworkError
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard

METADATA_KEY = "datumd"
_Size = Annotated[int, msgspec.Meta(ge=8, le=16384)]
_Place = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class NetworkCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="role"):
    """What is needed to decode a network: JSON in the ONNX file's metadata_props under the key `datumd`.

    Attributes:
        keypoints: names in the order of the network's outputs.
        large_wh: width and height in px of the large image, which every position is reached through.
        has_sigma: the network has an output `sigma`, a standard deviation for every coordinate it gives.
    """

    keypoints: list[str]
    large_wh: tuple[_Size, _Size]
    has_sigma: bool = False


class CoarseCard(NetworkCard, frozen=True, forbid_unknown_fields=True, tag_field="role", tag="coarse", kw_only=True):
    """The network of the small image. `large_wh` is `small_wh` times one power of two."""

    small_wh: tuple[_Size, _Size]

    def __post_init__(self) -> None:
        """Refuse sizes that halving cannot reach."""
        factor, rest = divmod(self.large_wh[0], self.small_wh[0])
        if rest or self.large_wh[1] != factor * self.small_wh[1] or factor < 1 or factor & (factor - 1):
            raise ValueError(f"large_wh {self.large_wh} is not small_wh {self.small_wh} times a power of two")

    def tensors(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """The inputs and outputs that such a network has."""
        return _of_image(self.small_wh, len(self.keypoints), self.has_sigma)


class PosedCard(NetworkCard, frozen=True, forbid_unknown_fields=True, tag_field="role", tag="posed", kw_only=True):
    """The second network of a cascade: its image is turned, moved and scaled so that the part lies as it does in `pose_px`.

    Attributes:
        image_wh: width and height in px of that image.
        pose_px: x, y of every keypoint of the mean shape in it.
    """

    image_wh: tuple[_Size, _Size]
    pose_px: list[tuple[_Place, _Place]]

    def __post_init__(self) -> None:
        """Refuse a pose of other keypoints."""
        if len(self.pose_px) != len(self.keypoints):
            raise ValueError(f"pose_px has {len(self.pose_px)} points for {len(self.keypoints)} keypoints")

    def tensors(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """The inputs and outputs that such a network has."""
        return _of_image(self.image_wh, len(self.keypoints), self.has_sigma)


class RefineCard(NetworkCard, frozen=True, forbid_unknown_fields=True, tag_field="role", tag="refine", kw_only=True):
    """The network of patches of the large image.

    Attributes:
        patch: width of a patch as the network sees it.
        spans_px: width in px of the large image that a patch covers, one for every pass, run in this order.
        pose: x, y of every keypoint of the mean shape, in any unit: patches are turned as the part is turned from it.
            None where patches are upright.
    """

    patch: _Size
    spans_px: Annotated[list[Annotated[float, msgspec.Meta(gt=0, le=16384)]], msgspec.Meta(min_length=1)]
    pose: list[tuple[_Place, _Place]] | None = None

    def __post_init__(self) -> None:
        """Refuse a pose of other keypoints."""
        if self.pose is not None and len(self.pose) != len(self.keypoints):
            raise ValueError(f"pose has {len(self.pose)} points for {len(self.keypoints)} keypoints")

    def tensors(self) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """The inputs and outputs that such a network has."""
        patches = _tensor("patches", np.uint8, self.patch, self.patch, 1)
        indices = _tensor("keypoint", np.int64), _tensor("span", np.int64)
        outputs = (_tensor("offset", np.float32, 2), _tensor("visibility", np.float32, 2))
        return (patches, *indices), (*outputs, *_sigma(self.has_sigma, 2))


KeypointCard = TypeVar("KeypointCard", CoarseCard, PosedCard, RefineCard)
Card = TypeVar("Card", CoarseCard, PosedCard, RefineCard, SegmentEncoderCard, SegmentDecoderCard)
AnyCard = CoarseCard | PosedCard | RefineCard | SegmentEncoderCard | SegmentDecoderCard


@dataclass(frozen=True, slots=True)
class Network(Generic[Card]):
    """A loaded network whose tensors were checked against its card."""

    path: Path
    card: Card
    engine: Engine

    def warm_up(self, batch: int) -> None:
        """As Engine.warm_up. Raises NetworkError where the network fails, EngineError where the backend has no memory for it."""
        with self._named():
            self.engine.warm_up(batch)

    def run(self, inputs: Inputs) -> Tensors:
        """As Engine.run, to whom the outputs belong. Raises NetworkError where the network fails."""
        with self._named():
            return self.engine.run(inputs)

    def blank_run(self) -> Callable[[], None]:
        """What runs the network on a batch of one of zeros, and drops what it says. It may be called again and again.

        After its first call nothing is made anew, unlike by warm_up. Raises NetworkError where the network fails.
        """
        blank = {tensor.name: np.zeros(tensor.sized(1), tensor.dtype) for tensor in self.engine.spec.inputs}

        def run() -> None:
            self.run(blank)

        return run

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable as problem:
            raise EngineError(problem.what, where=str(self.path), next_command=problem.next) from None
        except EngineRefused as problem:
            raise NetworkError(problem.what, where=str(self.path)) from None


CoarseNetwork = Network[CoarseCard]
PosedNetwork = Network[PosedCard]
RefineNetwork = Network[RefineCard]
SegmentEncoder = Network[SegmentEncoderCard]
SegmentDecoder = Network[SegmentDecoderCard]


def load_network(
    path: Path, role: type[Card], *, backend: str = "auto", threads: int = 1, plans: Path | None = None
) -> Network[Card]:
    """Load the network in the ONNX file `path` for its place in a view.

    Raises:
        NetworkError: no network, no card, a card of another role, or tensors that do not fit the card.
        EngineError: the backend is missing.
    """
    engine = _load(path, backend, threads, plans)
    try:
        card = read_card(engine.spec, role, path)
        inputs, outputs = card.tensors()
        _check(path, "input", engine.spec.inputs, inputs)
        _check(path, "output", engine.spec.outputs, outputs)
    except NetworkError:
        engine.close()
        raise
    return Network(path, card, engine)


def read_card(spec: NetworkSpec, role: type[Card], path: Path) -> Card:
    """The card in a network's metadata. Raises NetworkError, which names `path`, where it is missing or faulty."""
    text = spec.metadata.get(METADATA_KEY)
    if text is None:
        raise NetworkError(
            f"has no metadata {METADATA_KEY!r}, so it cannot be decoded",
            where=str(path),
            next_command="datumd train METHOD.toml --coco FILE --images DIR --out RECIPE",
        )
    try:
        return msgspec.json.decode(text, type=role)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        wanted = role.__struct_config__.tag
        raise NetworkError(f"metadata {METADATA_KEY!r} of a {wanted} network: {problem}", where=str(path)) from None


def write_card(card: AnyCard) -> str:
    """The metadata text of a card, for the exporter of a network."""
    return msgspec.json.encode(card).decode()


def _load(path: Path, backend: str, threads: int, plans: Path | None) -> Engine:
    try:
        return load_engine(path, backend=backend, threads=threads, plans=plans)
    except EngineUnavailable as problem:
        raise EngineError(problem.what, where=str(path), next_command=problem.next) from None
    except EngineProblem as problem:
        raise NetworkError(problem.what, where=str(path), next_command=problem.next) from None


def _check(path: Path, kind: str, found: tuple[TensorSpec, ...], expected: tuple[TensorSpec, ...]) -> None:
    by_name = {tensor.name: tensor for tensor in found}
    for tensor in expected:
        there = by_name.pop(tensor.name, None)
        if there is None:
            names = ", ".join(other.name for other in found) or "none"
            raise NetworkError(f"has no {kind} {tensor.name!r}, it has {names}", where=str(path), allowed=str(tensor))
        if there != tensor:
            raise NetworkError(f"{kind} is {there}", where=str(path), allowed=str(tensor))
    if by_name:
        extra = ", ".join(str(tensor) for tensor in by_name.values())
        raise NetworkError(f"unknown {kind} {extra}", where=str(path), allowed=", ".join(map(str, expected)))


def _of_image(
    wh: tuple[int, int], count: int, has_sigma: bool
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    image = _tensor("image", np.uint8, wh[1], wh[0], 1)
    outputs = (_tensor("xy", np.float32, count, 2), _tensor("visibility", np.float32, count, 2))
    return (image,), (*outputs, *_sigma(has_sigma, count, 2))


def _sigma(has_sigma: bool, *sizes: int) -> tuple[TensorSpec, ...]:
    return (_tensor("sigma", np.float32, *sizes),) if has_sigma else ()


def _tensor(name: str, dtype: type[np.generic], *sizes: int) -> TensorSpec:
    return TensorSpec(name, np.dtype(dtype), (None, *sizes))

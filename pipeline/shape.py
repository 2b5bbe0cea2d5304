"""The shape model of a view: where its keypoints lie to one another, in `VIEW/shape.json` of a recipe."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from pipeline import plain_file
from pipeline.errors import RecipeError

FILE_NAME = "shape.json"
LARGEST_BYTES = 10_000_000
_TRAIN = "datumd train METHOD.toml --coco FILE --images DIR --out RECIPE"
_Point = tuple[float, float]
_Deviation = Annotated[float, msgspec.Meta(ge=0.0)]


class ShapeModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mean shape and modes of variation, after Procrustes alignment (Cootes et al. 1995, active shape models).

    Attributes:
        keypoints: the K names, in the order of the networks' outputs.
        mean: (K, 2), centred, of root mean square distance 1 from the centre: the unit of all that follows.
        modes: (M, K, 2), orthonormal as vectors of 2 K numbers.
        deviations: (M,), standard deviation of each mode's coefficient.
        noise: (K,), standard deviation per axis of what the modes do not explain of each keypoint.
    """

    keypoints: list[str]
    mean: list[_Point]
    modes: list[list[_Point]]
    deviations: list[_Deviation]
    noise: list[_Deviation]

    def __post_init__(self) -> None:
        """Refuse tables of different sizes."""
        count = len(self.keypoints)
        if len(self.mean) != count or len(self.noise) != count or any(len(mode) != count for mode in self.modes):
            raise ValueError(f"mean, modes and noise need an entry for each of {count} keypoints")
        if len(self.deviations) != len(self.modes):
            raise ValueError(f"{len(self.modes)} modes need as many deviations, found {len(self.deviations)}")


def read_shape(path: Path, keypoints: Sequence[str]) -> ShapeModel | None:
    """Read a view's shape model; None where it has none. Raises RecipeError, also for other keypoints than the view's."""
    if not path.exists():
        return None
    try:
        model = msgspec.json.decode(plain_file.read(path, LARGEST_BYTES, RecipeError), type=ShapeModel)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise RecipeError(f"is no shape model: {problem}", where=str(path), next_command=_TRAIN) from None
    if model.keypoints != list(keypoints):
        found = ", ".join(model.keypoints)
        raise RecipeError(f"is of {found}", where=str(path), allowed=", ".join(keypoints), next_command=_TRAIN)
    return model


def write_shape(path: Path, model: ShapeModel) -> None:
    """Write a shape model so that read_shape gives it back."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n")

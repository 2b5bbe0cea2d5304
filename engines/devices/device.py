"""What every device offers: a place where images live, and the few operations on them."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray


class DeviceImage(Protocol):
    """Pixels in a device's memory, contiguous in their last two dimensions: on the CPU a NumPy array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, rows before columns."""

    def __getitem__(self, index: Any, /) -> Any:  # noqa: ANN401 - as wide as NumPy's
        """A view: of one image of several by its number, or of the first ones by a slice."""

    def reshape(self, *shape: int) -> Any:  # noqa: ANN401 - likewise
        """The same pixels under another shape."""


Image = TypeVar("Image", bound=DeviceImage)


class Device(Protocol[Image]):
    """The operations on grey images, uint8. Not thread-safe. Images are of this device but where it says so.

    A device may put its work off until a result is asked for, by `download` or by a network that runs on its images:
    memory that was handed to `upload` must keep its content until then.
    """

    def begin(self) -> None:
        """A frame begins: what was put off for an earlier one, and never asked for, is not wanted any more."""

    def empty(self, *shape: int) -> Image:
        """New memory of this shape, with anything in it."""

    def upload(self, image: NDArray[np.uint8]) -> Image:
        """An image (h, w) in ordinary memory, its rows not necessarily adjacent, as an image of this device.

        It lives until the next result is asked for.
        """

    def pin(self, memory: NDArray[np.uint8]) -> None:
        """Tell of memory, one-dimensional, that many images will be uploaded from, and that stays where it is."""

    def download(self, image: Image) -> NDArray[np.uint8]:
        """An image of this device in ordinary memory, contiguous; overwritten by the next download of this shape."""

    def batch(self, images: Sequence[Image]) -> Image:
        """(N, ...) of N images of one shape, N > 0; overwritten by the next batch of this shape of images."""

    def resize(self, source: Image, target: Image) -> None:
        """Fill `target` with the whole of `source`, area-correct, both (h, w).

        Halved by area while it is at least twice too large and even, the rest by one linear step; every step rounds to a
        grey level.
        """

    def pad(self, source: Image, target: Image, left: int, top: int) -> None:
        """Put `source` into `target` with its corner at (left, top); the rest repeats the nearest edge pixel."""

    def gather(
        self, image: Image, centres: NDArray[np.float64], span: float, patches: Image, angle_rad: float = 0.0
    ) -> None:
        """Cut square patches around sub-pixel centres.

        Args:
            image: (h, w).
            centres: (M, 2) x, y in px of the image, pixel centres at integers; the centre of the patch, (P - 1) / 2,
                falls on it exactly. In ordinary memory.
            span: width of the square that is cut, in px of the image. Over two image px to a patch px, the patch px
                is the mean over the area it covers.
            patches: (M, P, P), contiguous, filled; outside the image the edge repeats.
            angle_rad: direction of the patches' x axis in the image, from x towards y; they turn about their centres.

        Raises:
            ValueError: the patches are not contiguous.
        """

    def warp(self, image: Image, image_from_target: NDArray[np.float64], target: Image) -> None:
        """Fill `target` with what an affine map finds in `image`.

        The image is halved by area until one step, linear, shrinks it by less than two: free of the aliasing of one
        linear step over many pixels.

        Args:
            image: (h, w).
            image_from_target: (2, 3) or (3, 3), px to px, pixel centres at integers. In ordinary memory.
            target: (h, w), filled; outside the image the edge repeats.
        """


AnyDevice = Device[Any]

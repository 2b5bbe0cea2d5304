"""Images in a GPU's memory. Work is put off until a result is asked for, and then done at one go."""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engines.devices.cuda_driver import BLOCK_WH, CudaDriver, Memory
from engines.devices.cuda_image import CudaImage, Pool
from engines.devices.operation import ALIGNED_BYTES, Operation
from engines.errors import EngineRefused

log = logging.getLogger(__name__)

MOST_LEVELS = 3  # halvings of one launch
COMMAND_BYTES = 1 << 22  # records and points that wait together; a frame takes some kB, and only these are copied
PAGE_BYTES = 4096  # records go to the GPU in whole pages, so that a few more make no other graph
MOST_GRAPHS = 64


@dataclass(frozen=True, slots=True)
class Ending:
    """What follows the operations on images: a network, a download. Equal keys do the same with the same memory."""

    key: Hashable
    issue: Callable[[], None]


class CudaDevice:
    """See Device. One stream: what was put off, and a network that runs on its images, become one CUDA graph.

    What changes from frame to frame (sizes, maps, addresses, points) is in records that are copied along; the graph is the
    sequence of launches alone. It is captured when a sequence comes for the second time, and the least used are forgotten.
    """

    def __init__(self, driver: CudaDriver) -> None:
        """Images in the memory of the driver's GPU."""
        self.driver = driver
        self._records = driver.pinned(COMMAND_BYTES)
        self._buffer = self._records.data
        self._record_memory = driver.allocate(COMMAND_BYTES)
        self._used = 0
        self._launches: list[tuple[str, int, tuple[int, int, int]]] = []
        self._held: list[Memory] = []  # until the work on them is done
        self._pool = Pool(driver)
        self._graphs: OrderedDict[Hashable, Callable[[], None] | None] = OrderedDict()
        self._batches: dict[tuple[int, ...], CudaImage] = {}
        self._downloads: dict[tuple[int, ...], NDArray[np.uint8]] = {}

    def begin(self) -> None:
        """See Device. Copies that are under way end before the next ones into the same memory begin."""
        self._launches.clear()
        self._held.clear()
        self._used = 0
        self._pool.reset()

    def empty(self, *shape: int) -> CudaImage:
        """See Device."""
        memory = self.driver.allocate(max(1, math.prod(shape)))
        return CudaImage(memory, memory.address, shape)

    def pin(self, memory: NDArray[np.uint8]) -> None:
        """See Device. Where the driver will not have it, uploads are slower, no more."""
        try:
            self.driver.pin(memory)
        except EngineRefused as problem:
            log.warning("frames are copied by the processor on their way to the GPU: %s", problem)

    def upload(self, image: NDArray[np.uint8]) -> CudaImage:
        """See Device. The copy begins at once."""
        height, width = image.shape
        target = self._pool.take(height, width)
        self.driver.put_rows(target.address, image)
        return target

    def download(self, image: CudaImage) -> NDArray[np.uint8]:
        """See Device."""
        host = self._downloads.get(image.shape)
        if host is None:
            host = self._downloads[image.shape] = self.driver.pinned(image.count).reshape(image.shape)
        self._held.append(image.memory)
        self.finish(Ending(("download", image.address, image.shape), lambda: self.driver.fetch(host, image.address)))
        return host

    def batch(self, images: Sequence[CudaImage]) -> CudaImage:
        """See Device: of images that follow each other in memory a view."""
        first = images[0]
        shape = (len(images), *first.shape)
        if all(image.address == first.address + number * first.count for number, image in enumerate(images)):
            return CudaImage(first.memory, first.address, shape)
        kept = self._batches.get(first.shape)
        if kept is None or len(kept) < len(images):
            kept = self._batches[first.shape] = self.empty(*shape)
        for number, image in enumerate(images):
            self._copy(image.reshape(1, image.count), kept[number].reshape(1, image.count))
        return kept[: len(images)]

    def resize(self, source: CudaImage, target: CudaImage) -> None:
        """See Device."""
        levels = _levels(_height_width(source), _height_width(target))
        while levels:
            step = min(levels, MOST_LEVELS)
            levels -= step
            height, width = (size >> step for size in source.shape)
            is_last = not levels and (height, width) == target.shape
            half = target if is_last else self._pool.take(height, width)
            self._operate("halve", source, half, first=step)
            if is_last:
                return
            source = half
        if source.shape == target.shape:
            self._copy(source, target)
        else:
            self._operate("linear", source, target)

    def pad(self, source: CudaImage, target: CudaImage, left: int, top: int) -> None:
        """See Device."""
        self._operate("pad", source, target, first=left, second=top)

    def gather(
        self, image: CudaImage, centres: NDArray[np.float64], span: float, patches: CudaImage, angle_rad: float = 0.0
    ) -> None:
        """See Device."""
        count, size = patches.shape[:2]
        if not count:
            return
        oversampling = max(1, math.floor(span / size))
        wide = size * oversampling
        step = span / wide
        cos, sin = step * math.cos(angle_rad), step * math.sin(angle_rad)
        is_cut = step == 1.0 and angle_rad == 0.0
        to_corner = (wide - 1) / 2 * np.array([cos - sin, sin + cos])
        corners = np.empty((count, 2), np.float32)
        # The CPU rounds the centre before, or the corner after the difference, to single precision.
        np.subtract(centres.astype(np.float32) if is_cut else centres, to_corner, out=corners, casting="same_kind")
        self._operate(
            "gather",
            image,
            patches,
            first=oversampling,
            second=int(is_cut),
            source_from_target=(cos, -sin, 0.0, sin, cos, 0.0),
            corners=corners,
        )

    def warp(self, image: CudaImage, image_from_target: NDArray[np.float64], target: CudaImage) -> None:
        """See Device."""
        matrix = np.array(image_from_target[:2], np.float64)
        step = float(np.linalg.norm(matrix[:, :2], 2))  # the most that the map shrinks in any direction
        while step >= 2.0 and min(image.shape) > 1:
            half = self._pool.take(*((size + 1) // 2 for size in image.shape))
            self._operate("halve", image, half, first=1)
            image, step = half, step / 2.0
            matrix /= 2.0
            matrix[:, 2] -= 0.25  # x becomes (x + ½) / 2 - ½
        self._operate("warp", image, target, source_from_target=tuple(matrix.ravel().tolist()))

    def finish(self, ending: Ending | None = None) -> None:
        """Do what was put off, then `ending`, and wait until it is done. Raises EngineRefused where the GPU fails."""
        launches, copied = tuple(self._launches), -(-self._used // PAGE_BYTES) * PAGE_BYTES

        def work() -> None:
            base = self._record_memory.address
            if copied:
                self.driver.put(base, self._records[:copied])
            for kernel, offset, grid in launches:
                self.driver.launch(kernel, base + offset, grid)
            if ending is not None:
                ending.issue()

        try:
            self._replayed((launches, copied, ending and ending.key), work)()
            self.driver.wait()
        except BaseException:
            with suppress(
                EngineRefused
            ):  # what went wrong first is told; what is queued still reads records and images
                self.driver.wait()
            raise
        finally:
            self.begin()

    def _replayed(self, key: Hashable, work: Callable[[], None]) -> Callable[[], None]:
        """`work`, or from the second time on a graph of it."""
        if key not in self._graphs:
            self._graphs[key] = None  # the first time allocates and tunes what a capture may not
            if len(self._graphs) > MOST_GRAPHS:
                self._graphs.popitem(last=False)
            return work
        self._graphs.move_to_end(key)
        graph = self._graphs[key]
        if graph is None:
            try:
                graph = self.driver.capture(work)
            except EngineRefused as problem:
                log.warning("launched one by one, as no graph can be made of it: %s", problem)
                graph = work
            self._graphs[key] = graph
        return graph

    def _copy(self, source: CudaImage, target: CudaImage) -> None:
        self._operate("pad", source, target)

    def _operate(
        self,
        kernel: str,
        source: CudaImage,
        target: CudaImage,
        first: int = 0,
        second: int = 0,
        source_from_target: tuple[float, ...] | None = None,
        corners: NDArray[np.float32] | None = None,
    ) -> None:
        """Put one launch off: `target` is an image, or with `corners` as many images."""
        points = b"" if corners is None else corners.tobytes()
        taken = ALIGNED_BYTES + -(-len(points) // 16) * 16
        if self._used + taken > COMMAND_BYTES:
            raise EngineRefused(
                f"operations of more than {COMMAND_BYTES} bytes wait: too many parts or keypoints in a frame"
            )
        height, width = target.shape[-2:]
        offset = self._used
        at = offset + ALIGNED_BYTES
        operation = Operation(
            source.address,
            target.address,
            (source.shape[1], source.shape[0]),
            (width, height),
            first,
            second,
            self._record_memory.address + at,
        )
        if source_from_target is not None:
            operation = operation._replace(source_from_target=source_from_target)
        operation.write(self._buffer, offset)
        self._buffer[at : at + len(points)] = points
        self._used += taken
        self._held += (source.memory, target.memory)
        count = 1 if corners is None else len(corners)
        grid = (_blocks(width, BLOCK_WH[0]), _blocks(height, BLOCK_WH[1]), count)
        self._launches.append((kernel, offset, grid))


def _blocks(size: int, of: int) -> int:
    """As many blocks of threads as cover `size`, rounded up to 1, 2, 3, 4, 6, 8, 12, 16 and so on.

    Grids are in the keys of graphs, and the sides of a part that is looked for change from frame to frame. A thread outside
    of its image ends at once.
    """
    needed = -(-size // of)
    step = max(1, (1 << (needed - 1).bit_length()) // 4)
    return -(-needed // step) * step


def _height_width(image: CudaImage) -> tuple[int, int]:
    height, width = image.shape
    return height, width


def _levels(source_hw: tuple[int, int], target_hw: tuple[int, int]) -> int:
    """How often an image is halved before it is as large as the target, or less than twice as large, or odd."""
    levels = 0
    (source_h, source_w), (target_h, target_w) = source_hw, target_hw
    while source_h >= 2 * target_h and source_w >= 2 * target_w and source_h % 2 == 0 and source_w % 2 == 0:
        source_h, source_w, levels = source_h // 2, source_w // 2, levels + 1
    return levels


@cache
def cuda_device() -> CudaDevice:
    """The GPU of this process: all its networks and images share one stream. Raises EngineUnavailable where there is none."""
    from engines.devices.pycuda_driver import PyCudaDriver  # noqa: PLC0415 - only where a GPU is used

    return CudaDevice(PyCudaDriver())

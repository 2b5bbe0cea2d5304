"""What the CUDA device does with its driver: graphs, memory, the order of things. The driver is the host's."""

import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from engines.devices.cuda import MOST_GRAPHS, CudaDevice, Ending
from engines.devices.cuda_image import CudaImage
from engines.errors import EngineRefused
from tests.host_driver import HostDriver

pytestmark = pytest.mark.needs_debian("g++", program="g++")

RNG = np.random.default_rng(0)


@pytest.fixture
def driver() -> HostDriver:
    return HostDriver()


@pytest.fixture
def device(driver: HostDriver) -> CudaDevice:
    return CudaDevice(driver)


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width), np.uint8)


def test_a_sequence_that_comes_again_is_one_graph_for_any_sizes(driver: HostDriver, device: CudaDevice) -> None:
    target = device.empty(24, 32)
    for number, (height, width) in enumerate([(480, 640), (480, 640), (96, 128), (200, 300), (196, 292)]):
        image, expected = picture(height, width), np.empty((24, 32), np.uint8)
        CpuDevice().resize(image, expected)
        device.resize(device.upload(image), target)
        assert np.array_equal(device.download(target), expected), number
    # (480, 640) comes twice; (96, 128) is another sequence; the last two have as many blocks of threads in all.
    assert driver.captures == 2
    assert driver.done.count("put") == 5  # the records of each frame, in one copy


def test_a_part_that_wanders_and_changes_its_size_needs_few_graphs(driver: HostDriver, device: CudaDevice) -> None:
    rng = np.random.default_rng(1)
    large, small = device.empty(128, 128), device.empty(32, 32)
    frame, whole = picture(600, 800), device.empty(380, 380)
    for _ in range(60):
        side, left, top = int(rng.integers(260, 380)), int(rng.integers(-60, 400)), int(rng.integers(-60, 200))
        region = device.upload(frame[max(0, top) : top + side, max(0, left) : left + side])
        if left < 0 or top < 0:
            padded = CudaImage(whole.memory, whole.address, (side, side))
            device.pad(region, padded, max(0, -left), max(0, -top))
            region = padded
        device.resize(region, large)
        device.resize(large, small)
        device.download(small)
    assert 2 <= driver.captures <= 6  # halved before or not, padded before or not, of one part of a scale or the next


def test_a_frame_needs_no_new_memory(driver: HostDriver, device: CudaDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    large, small, patches = device.empty(64, 64), device.empty(16, 16), device.empty(3, 8, 8)

    def frame() -> None:
        device.resize(device.upload(picture(150, 150)), large)
        device.resize(large, small)
        device.download(device.batch([small]))
        device.gather(large, np.array([[20.0, 20.0], [30.0, 12.5], [63.0, 1.0]]), 12.0, patches, 0.3)
        device.download(patches)

    frame()
    frame()
    monkeypatch.setattr(driver, "allocate", None)
    monkeypatch.setattr(driver, "pinned", None)
    frame()


def test_images_after_another_are_a_batch_without_a_copy(driver: HostDriver, device: CudaDevice) -> None:
    pictures = device.upload(picture(12, 8)).reshape(3, 4, 8)
    batch = device.batch([pictures[0], pictures[1]])
    assert (batch.address, batch.shape) == (pictures.address, (2, 4, 8))
    apart = device.batch([pictures[2], pictures[0]])
    assert apart.address != pictures.address
    values = device.download(pictures).copy()
    assert np.array_equal(device.download(apart), np.stack([values[2], values[0]]))
    assert driver.done.count("pad") == 2


def test_an_image_is_seen_in_pieces_and_shapes(device: CudaDevice) -> None:
    values = picture(6, 4)
    image = device.upload(values)
    views = {0: image[2:4], 1: image[5], 2: image.reshape(3, 2, 4)[1], 3: image[4:2]}
    assert [view.shape for view in views.values()] == [(2, 4), (4,), (2, 4), (0, 4)]
    assert np.array_equal(device.download(views[0]), values[2:4])
    with pytest.raises(IndexError):
        image[6]
    with pytest.raises(IndexError):
        image[::2]
    with pytest.raises(ValueError, match="cannot be seen"):
        image.reshape(5, 5)


def test_pinned_memory_is_read_when_the_gpu_comes_to_it_and_other_memory_at_once(device: CudaDevice) -> None:
    ring, target = np.zeros(2 * 64, np.uint8), device.empty(8, 8)
    device.pin(ring)
    device.resize(device.upload(ring[:64].reshape(8, 8)), target)
    ring[:64] = 7
    assert (device.download(target) == 7).all()
    other = np.zeros((8, 8), np.uint8)
    device.resize(device.upload(other), target)
    other[:] = 7
    assert (device.download(target) == 0).all()


def test_rows_of_a_frame_that_are_not_adjacent(device: CudaDevice) -> None:
    frame = picture(50, 60)
    assert np.array_equal(device.download(device.upload(frame[10:30, 7:40])), frame[10:30, 7:40])


def test_what_nobody_asked_for_is_not_done_in_the_next_frame(driver: HostDriver, device: CudaDevice) -> None:
    target = device.empty(8, 8)
    for _ in range(100):
        device.begin()
        device.resize(device.upload(np.zeros((64, 64), np.uint8)), target)
    device.begin()
    device.resize(device.upload(np.full((64, 64), 9, np.uint8)), target)
    assert (device.download(target) == 9).all()
    assert driver.done.count("halve") == 1


def test_no_patches_are_nothing_to_do(driver: HostDriver, device: CudaDevice) -> None:
    image = device.upload(picture(9, 9))
    device.gather(image, np.empty((0, 2)), 4.0, device.empty(0, 4, 4))
    device.finish()
    assert "gather" not in driver.done


def test_only_so_many_graphs_are_kept(device: CudaDevice) -> None:
    image = device.upload(picture(4, 4))
    for _ in range(2):
        for count in range(1, MOST_GRAPHS + 10):
            device.download(CudaImage(image.memory, image.address, (1, count % 4 + 1)))
            device.gather(image, np.zeros((count, 2)), 4.0, device.empty(count, 4, 4))
            device.finish()
    assert len(device._graphs) <= MOST_GRAPHS


def test_after_an_error_nothing_is_left_that_would_read_what_comes_next(driver: HostDriver, device: CudaDevice) -> None:
    def fail() -> None:
        raise EngineRefused("the network failed")

    image, target = picture(16, 16), device.empty(8, 8)
    expected = np.empty((8, 8), np.uint8)
    CpuDevice().resize(image, expected)
    device.resize(device.upload(image), target)
    with pytest.raises(EngineRefused, match="the network failed"):
        device.finish(Ending("a network", fail))
    assert driver.done == ["put_rows", "put", "halve"]
    assert np.array_equal(device.download(target), expected)


class _Uncapturing(HostDriver):
    """A driver that makes no graphs, as one that is too old."""

    def capture(self, _: object) -> object:  # type: ignore[override]  # it never returns
        raise EngineRefused("not here")


def test_what_cannot_be_captured_is_launched_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    device = CudaDevice(_Uncapturing())
    image, target = picture(16, 16), device.empty(8, 8)
    for _ in range(3):
        device.resize(device.upload(image), target)
        found = device.download(target)
    expected = np.empty((8, 8), np.uint8)
    CpuDevice().resize(image, expected)
    assert np.array_equal(found, expected)
    assert [record.message for record in caplog.records] == [
        "launched one by one, as no graph can be made of it: not here"
    ]

"""The images of a whole daemon: those worth keeping are there, are the camera's own, and losing them loses nothing else."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import result as result_schema
from pipeline.evidence import record
from pipeline.evidence.buffers import MOST_BUFFERS
from pipeline.frame import PixelFormat
from pipeline.result import Evaluation, Result
from pipeline.status import Status
from simulator.child import LineProcess
from simulator.producer import cti_path
from tests.recipes import frame_with_part, make_recipe
from tests.stations import Heard, hear, hear_until, running, simulated_camera, write_station

PICTURES = 5
BAD_PICTURE = 3  # two dots are 5 px too far to the right
MEASURE = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = 2.0'
SAMPLE_OK = 4
HELD = MOST_BUFFERS  # what a copier that is killed may have in its hands

pytestmark = pytest.mark.time_limit_s(180)


class Bench:
    """A station with one camera that sees a folder of pictures, most of them good parts."""

    def __init__(self, folder: Path, name: str, ports: tuple[int, int]) -> None:
        self.folder, self.name, self.ports = folder, name, ports
        self.state = folder / "state"
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        noise = np.random.default_rng(1)
        for number in range(PICTURES):
            frame = frame_with_part()
            if number == BAD_PICTURE:
                frame[:, 128:] = frame_with_part(shift_px=(5.0, 0.0))[:, 128:]
            frame += noise.integers(0, 2, frame.shape, np.uint8)
            cv2.imwrite(str(self.pictures / f"{number}.png"), frame)
        make_recipe(folder / "recipes" / "part", ["top"], rest=MEASURE)

    def station(self, sample_ok: int = SAMPLE_OK) -> Path:
        rest = simulated_camera("top", 0, cti_path())
        rest += f'[archive]\nfolder = "{self.state}"\nsample_ok = {sample_ok}\n'
        rest += "[part]\ndeadline_ms = 10000\n[ring]\nslot_mb = 2\nqueue_depth = 16\n"  # a busy machine is no loss
        return write_station(self.folder, self.name, self.folder / "recipes", *self.ports, rest)

    def picture_of(self, trigger: int) -> bytes:
        """What the camera saw."""
        picture = cv2.imread(str(self.pictures / f"{(trigger - 1) % PICTURES}.png"), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        return picture.tobytes()


@pytest.fixture
def bench(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Bench:
    return Bench(run_dir, station_name, (free_port(), free_port()))


@pytest.fixture
def line(bench: Bench) -> Iterator[Callable[[int], LineProcess]]:
    lines: list[LineProcess] = []

    def start(triggers: int) -> LineProcess:
        options = ["--source", str(bench.pictures), "--rate-hz", "25", "--triggers", str(triggers)]
        lines.append(LineProcess(bench.folder, options))
        return lines[-1]

    yield start
    for entry in lines:
        entry.close()


def evidence_pid(status: Status | None) -> int:
    assert status is not None
    return next(process.pid for process in status.processes if process.name == "evidence")


def has_another_copier(status: Status, pid: int) -> bool:
    return any(
        process.name == "evidence" and process.pid != pid and process.state == "ready" for process in status.processes
    )


def promised(heard: Heard) -> dict[str, Result]:
    """Path of each image that a result names, and the result."""
    return {view.image_uri: result for result in heard.results for view in result.views if view.image_uri}


def assert_all_good_but_the_bad_ones(heard: Heard, triggers: int) -> None:
    assert heard.triggers() == dict.fromkeys(range(1, triggers + 1), 1)
    for result in heard.results:
        assert result.trigger_number is not None
        is_bad = (result.trigger_number - 1) % PICTURES == BAD_PICTURE
        assert result.result_evaluation is (Evaluation.NOT_OK if is_bad else Evaluation.OK), result.reasons


def assert_image_is_the_cameras(bench: Bench, uri: str, result: Result) -> None:
    frame, text = record.load(bench.state / uri)
    assert result.trigger_number is not None
    assert bytes(frame.payload) == bench.picture_of(result.trigger_number)
    assert (frame.info.pixel_format, frame.info.trigger_number) == (PixelFormat.Mono8, result.trigger_number)
    assert (frame.info.frame_id, frame.info.exposure_us) == (result.views[0].frame_id, result.views[0].exposure_us)
    assert result_schema.decode(bytes(text.result)) == result
    assert result.configuration_id


def test_bad_parts_and_a_sample_of_the_good_are_kept_as_the_camera_gave_them(
    bench: Bench, line: Callable[[int], LineProcess]
) -> None:
    cameras, heard = line(30), Heard()
    with running(bench.station(), bench.ports[0], cameras.environment) as (_, subscription):
        cameras.go()
        hear(subscription, heard, triggers=30)
        hear_until(subscription, heard, lambda status: status.evidence.stored == status.evidence.images == 12)
    assert_all_good_but_the_bad_ones(heard, 30)
    images = promised(heard)
    good = [result for result in heard.results if result.result_evaluation is Evaluation.OK]
    bad = [result for result in heard.results if result.result_evaluation is Evaluation.NOT_OK]
    kept = [result.seq for result in [*good[::SAMPLE_OK], *bad]]
    assert sorted(result.seq for result in images.values()) == sorted(kept)
    found = {str(path.relative_to(bench.state)) for path in bench.state.glob("images/*/*/*.png")}
    assert found == set(images)
    for uri, result in images.items():
        assert_image_is_the_cameras(bench, uri, result)
    assert heard.status is not None
    assert (heard.status.evidence.lost, heard.status.evidence.fault) == (0, "")


def test_a_copier_that_stands_still_and_is_killed_costs_images_and_nothing_else(
    bench: Bench, line: Callable[[int], LineProcess]
) -> None:
    triggers = 120
    cameras, heard = line(triggers), Heard()
    with running(bench.station(sample_ok=1), bench.ports[0], cameras.environment) as (_, subscription):
        cameras.go()
        hear(subscription, heard, triggers=10, quiet_s=0.0)
        hear_until(subscription, heard, lambda status: status.evidence.stored > 0)
        stopped = evidence_pid(heard.status)
        os.kill(stopped, signal.SIGSTOP)  # the supervisor kills it in the end
        hear(subscription, heard, triggers=80, quiet_s=0.0)
        cameras.pause()
        hear_until(subscription, heard, lambda status: has_another_copier(status, stopped))
        cameras.go()
        hear(subscription, heard, triggers=triggers)
        (last,) = (uri for uri, result in promised(heard).items() if result.trigger_number == triggers)
        hear_until(subscription, heard, lambda _: (bench.state / last).exists())
        hear_until(subscription, heard, lambda status: status.evidence.stored + status.evidence.lost >= triggers - HELD)
    assert_all_good_but_the_bad_ones(heard, triggers)
    assert heard.status is not None
    assert heard.status.evidence.lost > 0
    images = promised(heard)
    kept = [uri for uri in images if (bench.state / uri).exists()]
    assert len(kept) + heard.status.evidence.lost >= triggers - HELD
    for uri in kept:
        assert_image_is_the_cameras(bench, uri, images[uri])


def test_a_folder_that_is_gone_costs_images_and_nothing_else(bench: Bench, line: Callable[[int], LineProcess]) -> None:
    triggers = 110
    cameras, heard = line(triggers), Heard()
    with running(bench.station(), bench.ports[0], cameras.environment) as (daemon, subscription):
        cameras.go()
        hear_until(subscription, heard, lambda status: status.evidence.stored > 0)
        gone = bench.state / "gone"
        (bench.state / "images").rename(gone)
        (bench.state / "images").write_text("not a folder")
        hear_until(subscription, heard, lambda status: status.evidence.lost > 0 and bool(status.evidence.fault))
        assert heard.status is not None
        assert "cannot write images" in heard.status.evidence.fault
        shutil.rmtree(gone)
        (bench.state / "images").unlink()
        lost = heard.status.evidence.lost
        hear_until(subscription, heard, lambda status: not status.evidence.fault)
        hear(subscription, heard, triggers=triggers)
        assert "cannot write images" in daemon.words()
    assert_all_good_but_the_bad_ones(heard, triggers)
    assert heard.status.evidence.lost >= lost > 0
    images = promised(heard)
    kept = [uri for uri in images if (bench.state / uri).exists()]
    assert images[max(kept)].trigger_number == triggers - 1  # the last bad one
    for uri in kept:
        assert_image_is_the_cameras(bench, uri, images[uri])

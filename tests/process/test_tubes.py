"""Real photographs through the simulated GenICam camera: the daemon publishes the keypoints of every tube."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.result import KeypointState, Result
from pipeline.sealing import seal
from simulator.child import LineProcess
from simulator.producer import cti_path
from tests.stations import Heard, hear, running, simulated_camera, write_station

RECIPE = Path(__file__).parents[2] / "examples" / "photos" / "tubes"
Points = dict[str, tuple[float, float]]


def labels(folder: Path) -> dict[str, list[Points]]:
    """File name to the keypoints of each tube in px, pixel centres at integers, in the photo turned to lie as the line does."""
    coco = json.loads((folder / "annotations.json").read_text())
    names = coco["categories"][0]["keypoints"]
    photos = {image["id"]: image for image in coco["images"]}
    found: dict[str, list[Points]] = {photo["file_name"]: [] for photo in photos.values()}
    for annotation in coco["annotations"]:
        photo = photos[annotation["image_id"]]
        triples = zip(*[iter(annotation["keypoints"])] * 3, strict=True)
        places = {name: (x - 0.5, y - 0.5) for name, (x, y, _) in zip(names, triples, strict=True)}
        if photo["height"] > photo["width"]:  # a quarter clockwise
            places = {name: (photo["height"] - 1 - y, x) for name, (x, y) in places.items()}
        found[photo["file_name"]].append(places)
    return found


def miss(result: Result, tube: Points) -> float:
    """Largest distance of a published keypoint from its label, in lengths of the tube; infinite where one is not seen."""
    length = math.dist(tube["head"], tube["tail"])
    places = {point.name: point for point in result.keypoints if point.state is KeypointState.visible}
    return max(
        math.dist(tube[name], (places[name].x or 0.0, places[name].y or 0.0)) / length if name in places else math.inf
        for name in tube
    )


@pytest.mark.time_limit_s(240)
def test_keypoints_of_every_tube_are_published(
    shared_data: Path, run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    photos = shared_data / "tubes" / "images"
    files = sorted(path for path in photos.iterdir() if path.suffix == ".jpg")
    shutil.copytree(RECIPE, run_dir / "recipes" / "tubes")
    seal(run_dir / "recipes" / "tubes", {"top": files[:8]}, keep=2)
    port = free_port()
    ring = "[part]\ndeadline_ms = 3000\n[ring]\nslot_mb = 6.0\nqueue_depth = 16\n"
    station = write_station(
        run_dir, station_name, run_dir / "recipes", port, free_port(), ring + simulated_camera("top", 0, cti_path())
    )
    options = ["--source", str(photos), "--turn", "--triggers", str(len(files)), "--rate-hz", "6"]
    line = LineProcess(run_dir, options)
    heard = Heard()
    try:
        with running(station, port, line.environment) as (_, subscription):
            line.go()
            hear(subscription, heard, triggers=len(files), limit_s=120)
    finally:
        line.close()
    assert set(heard.triggers().values()) == {1}
    results: dict[str, list[Result]] = {file.name: [] for file in files}
    for result in heard.results:
        results[files[(result.trigger_number or 0) - 1].name].append(result)
    misses = [
        min((miss(result, tube) for result in results[name]), default=math.inf)
        for name, tubes in labels(shared_data / "tubes").items()
        for tube in tubes
    ]
    assert len(misses) == 185
    found = [value for value in misses if value < 0.1]
    assert len(found) >= 0.95 * len(misses), sorted(misses)[-8:]
    assert sorted(misses)[len(misses) // 2] < 0.02

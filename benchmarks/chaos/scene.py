"""What stands on the bench: two simulated cameras over a line with every fault, two small recipes, and the station's file."""

import shutil
import socket
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.dots.recipes import Region, dots_sensor_px, draw_part, make_recipe
from simulator.fault import FaultKind
from simulator.producer import cti_path

VIEWS = {"top": "SIM-0", "side": "SIM-1"}
SENSOR_WH = (96, 64)
REGION: Region = (16, 0, 64, 64)
NETWORK_WH = (64, 64)
RECIPES = {1: ("a", "b", "c", "d"), 2: ("e", "f", "g", "h")}  # the names say which recipe has inspected a part
SHIFTS_PX = tuple((x, y) for y in (-6.0, -2.0, 2.0, 6.0) for x in (-6.0, -2.0, 2.0, 6.0))  # one for each picture
SHIFT_LIMIT_PX = 1.0  # a quarter of the distance from one picture's part to that of another
DEADLINE_MS = 500

# Modest rates: on the way to 100,000 triggers each of them happens some ten to some hundred times.
FAULTS = {
    FaultKind.INCOMPLETE: "p=0.003",
    FaultKind.DROP: "p=0.003",
    FaultKind.IGNORED_EDGE: "p=0.002",
    FaultKind.EXTRA_EDGE: "p=0.002",
    FaultKind.DARK: "p=0.003",
    FaultKind.CORRUPT_NUMBER: "p=0.001",
    FaultKind.LOSE_DEVICE: "p=0.0002:seconds=1.0",
    FaultKind.HANG: "p=0.0001:seconds=3.0",
    FaultKind.LAST_EDGE_LOST: "",
}
# Once in each cycle of so many triggers: a camera comes back with other pictures and, when it is lost again, with its own; and
# one loses its power and with it its count, so that the belt is paused, the cameras are resynchronised, and the belt goes on.
CYCLE = 20_000
AT_TIMES = (
    (0.15, FaultKind.WRONG_FORMAT, 1),
    (0.55, FaultKind.WRONG_SIZE, 0),
    (0.80, FaultKind.POWER_LOSS, 1),
)
AWAY_S = 0.5
WRONG_FOR = 100  # triggers

CAMERA = """
[camera.{view}]
producer = "{producer}"
serial = "{serial}"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
features = {{ PixelFormat = "Mono8", TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }}
"""
STATION = """format = 1
station = "{station}"
recipes = "recipes"
recipe = 1
[part]
deadline_ms = {deadline_ms}
part_id = "plc"
[infer]
workers = 2
[ring]
slot_mb = 0.1
queue_depth = 8
[results]
bind = "tcp://127.0.0.1:{results}"
[control]
bind = "tcp://127.0.0.1:{control}"
[metrics]
bind = "127.0.0.1:{metrics}"
[archive]
folder = "state"
quota_gb = 0.02
{cameras}"""


def write_scene(folder: Path, station: str, ports: tuple[int, int, int]) -> Path:
    """Recipes, pictures and the station's file (returned) in `folder`; `ports` are of results, control and metrics."""
    for number, keypoints in RECIPES.items():
        make_recipe(
            folder / "recipes" / f"dots{number}",
            list(VIEWS),
            region=REGION,
            number=number,
            keypoints=keypoints,
            small_wh=NETWORK_WH,
            large_wh=NETWORK_WH,
        )
        shutil.rmtree(folder / "recipes" / f"dots{number}-frames")
    write_pictures(folder / "pictures")
    path = folder / "station.toml"
    cameras = [CAMERA.format(view=view, serial=serial, producer=cti_path()) for view, serial in VIEWS.items()]
    results, control, metrics = ports
    text = STATION.format(
        station=station,
        deadline_ms=DEADLINE_MS,
        results=results,
        control=control,
        metrics=metrics,
        cameras="".join(cameras),
    )
    path.write_text(text, encoding="utf-8")
    return path


def write_pictures(folder: Path) -> None:
    """Parts for the line, one in each place, as PNG files in a new folder."""
    folder.mkdir()
    for picture in range(len(SHIFTS_PX)):
        cv2.imwrite(str(folder / f"{picture:02d}.png"), _picture(picture))


def _picture(picture: int) -> NDArray[np.uint8]:
    image = np.full(SENSOR_WH[::-1], 10, np.uint8)
    draw_part(image, REGION, SHIFTS_PX[picture])
    return image


def first_dot_px(picture: int) -> tuple[float, float]:
    """Where the first keypoint of a picture lies, in sensor px; every view sees the same."""
    x, y = dots_sensor_px(REGION, SHIFTS_PX[picture])[0]
    return float(x), float(y)


def fault_options(triggers: int) -> list[str]:
    """The words of `python -m simulator.line` that switch every fault on, for a run of so many triggers."""
    plans = [f"{kind}:{setting}" if setting else str(kind) for kind, setting in FAULTS.items()]
    for kind, device in ((kind, device) for _, kind, device in AT_TIMES):
        for at in moments(kind, triggers):
            plans.append(f"{kind}:device={device}:at={at}:seconds={AWAY_S}")
            if kind is not FaultKind.POWER_LOSS:
                plans.append(f"{FaultKind.LOSE_DEVICE}:device={device}:at={at + WRONG_FOR}:seconds={AWAY_S}")
    return [word for plan in plans for word in ("--fault", plan)]


def moments(kind: FaultKind, triggers: int) -> list[int]:
    """The parts at which a fault of `AT_TIMES` strikes."""
    share = next(share for share, other, _ in AT_TIMES if other is kind)
    cycle = min(CYCLE, triggers)
    return [start + int(share * cycle) for start in range(0, triggers - cycle + 1, cycle)]


def free_ports() -> tuple[int, int, int]:
    """Three TCP ports of 127.0.0.1 that nobody listens on."""
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        first, second, third = (int(probe.getsockname()[1]) for probe in probes)
        return first, second, third
    finally:
        for probe in probes:
            probe.close()

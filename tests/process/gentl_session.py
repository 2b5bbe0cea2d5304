"""Sessions of a consumer: harvesters with the simulated cameras, in a process of its own (one Harvester per process).

``python -m tests.process.gentl_session NAME JSON`` runs the function NAME with the arguments of the JSON object and prints
one JSON object per line. Needs the environment variable DATUMD_SIM_LINE.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from genicam.genapi import GenericException as GenApiError
from genicam.gentl import Buffer, TimeoutException
from genicam.gentl import GenericException as GenTLError
from harvesters.core import Callback, Harvester, ImageAcquirer

from simulator.producer import cti_path

_PATIENCE_S = 20.0


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def harvester() -> Harvester:
    system = Harvester()
    system.add_file(str(cti_path()))
    system.update()
    return system


def opened(system: Harvester, serial: str, **features: object) -> ImageAcquirer:
    camera = system.create({"serial_number": serial})
    set_features(camera, **features)
    return camera


def set_features(camera: ImageAcquirer, **features: object) -> None:
    for name, value in features.items():
        getattr(camera.remote_device.node_map, name).value = value


LINE_TRIGGER = {"TriggerMode": "On", "TriggerSource": "Line1", "ChunkModeActive": True}
SOFTWARE_TRIGGER = {"TriggerMode": "On", "TriggerSource": "Software", "ChunkModeActive": True}


def facts(camera: ImageAcquirer, raw: Buffer) -> dict[str, object]:
    """What a frame says of itself, and the level of one of its pixels."""
    nodes = camera.remote_device.node_map
    return {
        "number": nodes.ChunkCounterValue.value,
        "frame_id": raw.frame_id,
        "chunk_frame_id": nodes.ChunkFrameID.value,
        "chunk_timestamp": nodes.ChunkTimestamp.value,
        "timestamp_ns": raw.timestamp_ns,
        "exposure_us": nodes.ChunkExposureTime.value,
        "level": raw.raw_buffer[100],
    }


def devices() -> None:
    system = harvester()
    say(serials=[info.property_dict["serial_number"] for info in system.device_info_list])
    camera = opened(system, "SIM-0")
    nodes = camera.remote_device.node_map
    names = [
        "DeviceVendorName",
        "DeviceModelName",
        "DeviceSerialNumber",
        "SensorWidth",
        "SensorHeight",
        "Width",
        "Height",
    ]
    names += [
        "PixelFormat",
        "PayloadSize",
        "ExposureTime",
        "Gain",
        "TriggerMode",
        "TriggerSource",
        "CounterEventSource",
    ]
    names += ["CounterValue", "LineStatus", "TLParamsLocked", "AcquisitionMode"]
    say(**{name: getattr(nodes, name).value for name in names})
    say(
        system=system._systems[0].node_map.TLID.value,  # harvesters shows it nowhere else
        device=camera.device.node_map.DeviceID.value,
        stream=camera.data_streams[0].node_map.StreamID.value,
    )
    camera.destroy()
    system.reset()


def grab(serial: str, frames: int, buffers: int = 8, patience_s: float = _PATIENCE_S, **features: object) -> None:
    """Print every frame as it comes; incomplete ones too."""
    system = harvester()
    camera = opened(system, serial, **(features or LINE_TRIGGER))
    camera.num_buffers = buffers
    incomplete = _Incomplete()
    camera.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, incomplete)
    say(counter=camera.remote_device.node_map.CounterValue.value)
    camera.start()
    until = time.monotonic() + patience_s
    seen = 0
    while seen < frames and time.monotonic() < until:
        raw = camera.try_fetch(timeout=0.2, is_raw=True)
        if raw is not None:
            say(**facts(camera, raw))
            raw.parent.queue_buffer(raw)
            seen += 1
            until = time.monotonic() + patience_s
    say(incomplete=incomplete.count, counter=camera.remote_device.node_map.CounterValue.value)
    camera.stop()
    camera.destroy()
    system.reset()


class _Incomplete(Callback):
    count = 0

    def emit(self, context: object) -> None:  # noqa: ARG002 - harvesters' signature
        self.count += 1


def shots(folder: str, shots: list[dict[str, object]]) -> None:
    """Set the features of each shot, trigger by software, save the frame's bytes as N.raw."""
    system = harvester()
    camera = opened(system, "SIM-0", **SOFTWARE_TRIGGER)
    nodes = camera.remote_device.node_map
    for number, features in enumerate(shots, start=1):
        set_features(camera, **features)
        camera.start()
        nodes.TriggerSoftware.execute()
        raw = camera.fetch(timeout=_PATIENCE_S, is_raw=True)
        nodes.ChunkCounterSelector.value = "Counter1"
        Path(folder, f"{number}.raw").write_bytes(bytes(raw.raw_buffer[: raw.size_filled]))
        say(
            number=nodes.ChunkCounterValue.value,
            exposure_us=nodes.ChunkExposureTime.value,
            read_back={name: getattr(nodes, name).value for name in features},
            width=raw.width,
            height=raw.height,
            x=raw.offset_x,
            y=raw.offset_y,
            pixel_format=raw.pixel_format,
        )
        raw.parent.queue_buffer(raw)
        camera.stop()
    camera.destroy()
    system.reset()


def hold_all(buffers: int, wait_s: float) -> None:
    """Keep every buffer for a while, then fetch one more frame."""
    system = harvester()
    camera = opened(system, "SIM-0", **LINE_TRIGGER)
    camera.num_buffers = buffers
    camera.start()
    held = [camera.fetch(timeout=_PATIENCE_S, is_raw=True) for _ in range(buffers)]
    say(held=[raw.frame_id for raw in held])
    until = time.monotonic() + wait_s
    while camera.data_streams[0].num_underrun < 3 and time.monotonic() < until:
        time.sleep(0.01)
    say(underrun=camera.data_streams[0].num_underrun)
    for raw in held:
        raw.parent.queue_buffer(raw)
    say(ready=True)
    say(**facts(camera, camera.fetch(timeout=_PATIENCE_S, is_raw=True)))
    camera.stop()
    camera.destroy()
    system.reset()


def lose_and_find(**settings_again: object) -> None:
    """Grab until the camera is gone, then open it again and grab one more frame."""
    system = harvester()
    camera = opened(system, "SIM-0", **LINE_TRIGGER)
    camera.start()
    say(**facts(camera, fetched := camera.fetch(timeout=_PATIENCE_S, is_raw=True)))
    fetched.parent.queue_buffer(fetched)
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            camera.fetch(timeout=0.1, is_raw=True)
        except TimeoutException:
            try:
                camera.remote_device.node_map.CounterValue.value  # noqa: B018 - a probe
            except (GenApiError, GenTLError) as error:
                say(lost=type(error).__name__)
                break
    _give_up(camera)
    serials: list[str] = []
    gone = False
    while "SIM-0" not in serials and time.monotonic() < until:
        system.update()
        serials = [info.property_dict["serial_number"] for info in system.device_info_list]
        gone = gone or "SIM-0" not in serials
        time.sleep(0.02)
    say(was_gone=gone)
    camera = opened(system, "SIM-0", **settings_again)
    camera.start()
    say(grabbing=True)
    say(**facts(camera, camera.fetch(timeout=_PATIENCE_S, is_raw=True)))
    camera.stop()
    camera.destroy()
    system.reset()


def _give_up(camera: ImageAcquirer) -> None:
    for _ in range(2):  # stop() raises on a lost camera and skips its cleaning up
        try:
            camera.destroy()
        except (GenApiError, GenTLError):
            continue


def wait_through(timeout_s: float) -> None:
    """One fetch with a timeout, and how long it took."""
    system = harvester()
    camera = opened(system, "SIM-0", **LINE_TRIGGER)
    camera.start()
    sys.stdin.readline()
    began = time.monotonic()
    got = camera.try_fetch(timeout=timeout_s, is_raw=True)
    say(seconds=time.monotonic() - began, frame=got is not None)
    camera.stop()
    camera.destroy()
    system.reset()


def open_only(serial: str) -> None:
    """Open a camera and hold it until standard input ends; or say why not."""
    system = harvester()
    try:
        camera = opened(system, serial)
    except GenTLError as error:
        say(refused=type(error).__name__)
        return
    say(opened=serial)
    sys.stdin.readline()
    camera.destroy()
    system.reset()


_SESSIONS: tuple[Callable[..., None], ...] = (
    devices, grab, shots, hold_all, lose_and_find, wait_through, open_only,
)  # fmt: skip

if __name__ == "__main__":
    {session.__name__: session for session in _SESSIONS}[sys.argv[1]](**json.loads(sys.argv[2]))

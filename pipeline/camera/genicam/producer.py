"""A GenTL producer (.cti file) and the devices that it shows."""

import logging
import mmap
import signal
import stat
import threading
from pathlib import Path
from types import TracebackType

from pipeline.camera.genicam.device import Device, DeviceLabel
from pipeline.camera.genicam.vendor import (
    VENDOR_ERRORS,
    Harvester,
    ParameterKey,
    ParameterSet,
    Untyped,
    gentl,
    log,
    or_none,
    quietly,
    text_of,
)
from pipeline.errors import CameraError

FIRST_BYTES = b"\x7fELF"
# Functions of GenTL without which the binding crashes instead of raising.
REQUIRED = [
    "GCInitLib",
    "GCCloseLib",
    "GCGetInfo",
    "GCReadPort",
    "GCWritePort",
    "GCGetNumPortURLs",
    "GCGetPortURLInfo",
    "GCRegisterEvent",
    "EventGetData",
    "TLOpen",
    "TLClose",
    "TLUpdateInterfaceList",
    "TLGetNumInterfaces",
    "TLGetInterfaceID",
    "TLOpenInterface",
    "IFUpdateDeviceList",
    "IFGetNumDevices",
    "IFGetDeviceID",
    "IFGetDeviceInfo",
    "IFOpenDevice",
    "IFClose",
    "DevGetPort",
    "DevGetNumDataStreams",
    "DevGetDataStreamID",
    "DevOpenDataStream",
    "DevClose",
    "DSAnnounceBuffer",
    "DSQueueBuffer",
    "DSFlushQueue",
    "DSStartAcquisition",
    "DSStopAcquisition",
    "DSRevokeBuffer",
    "DSGetBufferInfo",
    "DSGetInfo",
    "DSClose",
]


def list_devices(producer: Path) -> list[DeviceLabel]:
    """The devices that a producer shows now. Raises CameraError as `Producer` does."""
    with Producer(producer) as opened:
        return opened.labels


class Producer:
    """An open GenTL producer (.cti file). Use as a context manager, or `close` it."""

    def __init__(self, path: Path) -> None:
        """Load the producer and look for devices.

        Raises:
            CameraError: no such file, not a GenTL producer, or open already in this process.
        """
        self.path = path
        check_file(path)
        problems = _Problems()
        logger = logging.Logger("harvesters")  # of our own: harvesters keeps the logger it was given last
        logger.addHandler(problems)
        self._harvester = Harvester(config=ParameterSet({ParameterKey.LOGGER: logger}))
        self._harvester.add_file(str(path))
        self._harvester.update()
        self._infos = list(self._harvester.device_info_list)
        if problems.errors and not self._infos:
            self.close()
            raise _producer_error(path, problems.errors[0])
        self.labels = [_label(info) for info in self._infos]

    def open(self, serial: str, buffers: int) -> "Device":
        """Open the device of this serial number or GenTL id; "" = the only one.

        Raises:
            CameraError: as `find` does, or it is in use.
        """
        place = self.find(serial)
        label = self.labels[place]
        where = f"camera {label.serial or label.id} of {self.path}"
        before = signal.getsignal(signal.SIGINT)
        try:
            acquirer = self._harvester.create(self._infos[place])
        except (*VENDOR_ERRORS, AttributeError, IndexError, ValueError) as problem:
            raise CameraError(
                f"cannot be opened ({text_of(problem)})", where=where, allowed="a camera that nobody else holds open"
            ) from None
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, before)
        return Device(acquirer, label, where, buffers)

    def find(self, serial: str) -> int:
        """The place in `labels` of the device with this serial number or GenTL id; "" = the only one.

        Raises:
            CameraError: it is not there (tells which are), or several answer.
        """
        chosen = [place for place, label in enumerate(self.labels) if not serial or serial in (label.serial, label.id)]
        if len(chosen) == 1:
            return chosen[0]
        there = ", ".join(f"{label.serial or label.id} ({label.vendor} {label.model})" for label in self.labels)
        what = f"shows no camera with serial {serial}" if serial else f"shows {len(chosen)} cameras, name one by serial"
        raise CameraError(
            what if self.labels else "shows no camera at all",
            where=str(self.path),
            allowed=f"serial of {there}" if there else "",
            next_command=f"datumd cameras {self.path}",
        )

    def close(self) -> None:
        """Let go of the library and its devices. Never raises."""
        self._harvester.image_acquirers.clear()
        quietly(self._harvester.reset)

    def __enter__(self) -> "Producer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Problems(logging.Handler):
    """Keeps the exceptions that harvesters logs and swallows; the rest goes to our own log at level debug."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])
        log.debug("harvesters: %s", record.getMessage())


def _label(info: Untyped) -> DeviceLabel:
    id_, vendor, model, serial = (
        or_none(lambda: str(info.id_)),
        or_none(lambda: str(info.vendor)),
        or_none(lambda: str(info.model)),
        or_none(lambda: str(info.serial_number)),
    )
    return DeviceLabel(id_ or "", vendor or "", model or "", serial or "")


def check_file(path: Path) -> None:
    """Raise CameraError unless `path` is a shared library that names GenTL's functions; it is not loaded for that."""
    allowed = "a vendor's .cti file for this machine"
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait for ever
            raise CameraError("is no regular file", where=str(path), allowed=allowed)
        with path.open("rb") as file:
            if file.read(len(FIRST_BYTES)) != FIRST_BYTES:
                raise CameraError("is not a GenTL producer (not a shared library)", where=str(path), allowed=allowed)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
                missing = [name for name in REQUIRED if content.find(b"\0" + name.encode() + b"\0") < 0]
    except OSError as problem:
        raise CameraError(f"cannot be read ({problem.strerror})", where=str(path), allowed=allowed) from None
    if missing:
        what = f"is not a GenTL producer (it has no function {missing[0]})"
        raise CameraError(what, where=str(path), allowed=allowed)


def _producer_error(path: Path, problem: BaseException) -> CameraError:
    if isinstance(problem, gentl.ResourceInUseException):
        return CameraError(
            "is open already in this process", where=str(path), allowed="one user of a producer a process"
        )
    return CameraError(
        f"is not a GenTL producer that can be used ({text_of(problem)})",
        where=str(path),
        allowed="a vendor's .cti file with all libraries that it needs",
    )

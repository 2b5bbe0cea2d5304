"""The machine's clock, and PTP where cameras ask for it. `root` is where /proc, /sys and /dev are looked for."""

import ctypes
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.camera_settings import CameraSettings, GenicamSettings
from pipeline.doctor.finding import Finding, fine, look

ADJTIMEX_BYTES = 512  # longer than struct timex on any machine
MAXERROR_LONG = 3  # struct timex on 64 bits: modes, offset, freq, maxerror (us), esterror, status, …
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
SLOW_SOURCES = ("hpet", "acpi_pm", "jiffies")
PTP_FEATURES = ("PtpEnable", "GevIEEE1588")  # SFNC, now and before 2.0


def clocks(root: Path = Path("/")) -> Iterator[Finding]:
    """Whether something keeps the clock right, and whether it is quick to read."""
    state, error_us = _adjtimex()
    if state == TIME_ERROR:
        yield look(
            "clock",
            "nothing synchronises it: times in results drift from those of other machines",
            "apt-get install chrony, or timedatectl set-ntp true",
        )
    elif state >= 0:
        yield fine("clock", f"synchronised, at most {error_us / 1000:.1f} ms off as the kernel knows")
    else:
        yield look("clock", "the kernel does not tell whether it is synchronised", "chronyc tracking")
    source = text_of(root / "sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source in SLOW_SOURCES:
        yield look("clock source", f"{source}, which is slow to read", "take tsc: see clocksource= of the kernel")
    elif source:
        yield fine("clock source", source)


def ptp(cameras: Mapping[str, CameraSettings], root: Path = Path("/")) -> Iterator[Finding]:
    """Where a camera's features ask for PTP: what of it runs here. The grandmaster may be another machine, which is not seen."""
    wanting = [name for name, one in cameras.items() if isinstance(one, GenicamSettings) and _wants_ptp(one)]
    if not wanting:
        yield fine("PTP", "no camera asks for it")
        return
    whom = f"camera {', '.join(wanting)} asks for it"
    running = {text_of(path) for path in (root / "proc").glob("[0-9]*/comm")} & {"ptp4l", "phc2sys", "timemaster"}
    has_clock = any((root / "dev").glob("ptp[0-9]*"))
    if not running & {"ptp4l", "timemaster"}:
        yield look(
            "PTP",
            f"{whom}, and no ptp4l runs here: right where a switch or another machine is the grandmaster, which cannot be seen "
            "from here; then this machine's own clock follows it only if something else sees to that",
            "if this machine is to be the grandmaster, or to follow it: apt-get install linuxptp, then "
            "systemctl enable --now ptp4l@INTERFACE phc2sys@INTERFACE",
        )
    elif has_clock and not running & {"phc2sys", "timemaster"}:
        yield look(
            "PTP",
            f"{whom}; ptp4l runs, and no phc2sys: the network card's clock and the machine's go apart, unless ptp4l takes "
            "software time stamps",
            "systemctl enable --now phc2sys@INTERFACE",
        )
    else:
        yield fine("PTP", f"{whom}; {' and '.join(sorted(running))} run here")
    if not has_clock:
        yield look(
            "PTP clock",
            "no network card here has a clock of its own (/dev/ptp*): ptp4l here has software time stamps alone",
            "if times must agree to microseconds: a card with hardware time stamps (ethtool -T INTERFACE)",
        )


def text_of(path: Path) -> str:
    """The text of a small file of the kernel, "" where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _wants_ptp(settings: GenicamSettings) -> bool:
    features = settings.features | (settings.shots[0] if settings.shots else {})
    return any(features.get(name) is True for name in PTP_FEATURES)


def _adjtimex() -> tuple[int, int]:
    """State of the clock, -1 where it cannot be read, and its largest error in us. Nothing is changed."""
    buffer = ctypes.create_string_buffer(ADJTIMEX_BYTES)  # modes = 0: read only
    try:
        state = int(ctypes.CDLL(None).adjtimex(buffer))
    except (OSError, AttributeError):
        return -1, 0
    return state, ctypes.c_long.from_buffer(buffer, MAXERROR_LONG * ctypes.sizeof(ctypes.c_long)).value

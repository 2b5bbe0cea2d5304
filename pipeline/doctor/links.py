"""The links that pictures come over: network cards, the kernel's buffers for them, and USB. `root` is where /proc and /sys are."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.clocks import text_of
from pipeline.doctor.finding import Finding, fine, look

JUMBO = 9000  # bytes; a packet of 8 KiB goes through, an interrupt for each of 1.5 KiB does not keep up
SLOW_MBIT = 1000
LOST = ("rx_crc_errors", "rx_fifo_errors", "rx_missed_errors")
USB_MB = 16  # the kernel's default, less than two large pictures


def links(slot_bytes: int, root: Path = Path("/")) -> Iterator[Finding]:
    """Every wired card, for GigE Vision, and what USB3 Vision may take.

    Args:
        slot_bytes: of the largest picture, which may arrive in one go.
        root: as above.
    """
    cards = [card for card in sorted((root / "sys/class/net").glob("*")) if _is_wired(card)]
    if not cards:
        yield fine("camera link", "no wired network card here")
    for card in cards:
        yield _card(card)
    if cards:
        yield from _buffer(slot_bytes, root)
    yield from _usb(slot_bytes, root)


def _card(card: Path) -> Finding:
    name, speed, mtu = f"link {card.name}", _number(card / "speed"), _number(card / "mtu")
    if text_of(card / "operstate") != "up":
        return fine(name, "down; plug the cable if a camera is at it")
    lost = {counter: _number(card / "statistics" / counter) for counter in LOST}
    text = f"{speed} Mbit/s, MTU {mtu}" if speed > 0 else f"MTU {mtu}"
    if found := ", ".join(f"{counter} {count}" for counter, count in lost.items() if count > 0):
        return look(
            name, f"{text}, has lost packets: {found}", "another cable or port; ethtool -g: longer ring buffers"
        )
    if 0 < speed < SLOW_MBIT:
        return look(name, f"{text}: slow for pictures", "another cable or port: gigabit needs all four pairs")
    if 0 <= mtu < JUMBO:
        todo = f"if a GigE camera is at it: ip link set {card.name} mtu {JUMBO}, and GevSCPSPacketSize = 8000 in its features"
        return look(name, text, todo)
    return fine(name, text)


def _buffer(slot_bytes: int, root: Path) -> Iterator[Finding]:
    most = _number(root / "proc/sys/net/core/rmem_max")
    if 0 <= most < slot_bytes:
        yield look(
            "socket buffers",
            f"hold {most} bytes at most, a picture has up to {slot_bytes}",
            f"if a GigE camera is here: sysctl -w net.core.rmem_max={2 * slot_bytes}, and in /etc/sysctl.d to keep it",
        )
    elif most >= 0:
        yield fine("socket buffers", f"{most} bytes at most")


def _usb(slot_bytes: int, root: Path) -> Iterator[Finding]:
    file = "sys/module/usbcore/parameters/usbfs_memory_mb"
    room = _number(root / file)
    if 0 < room <= max(USB_MB, 2 * slot_bytes // 2**20):
        yield look("USB", f"{room} MB for all pictures under way", f"if a USB3 camera is here: echo 1000 > /{file}")
    elif room >= 0:
        yield fine("USB", f"{room or 'any number of'} MB for pictures under way")


def _is_wired(card: Path) -> bool:
    return (card / "device").exists() and not (card / "wireless").exists()


def _number(path: Path) -> int:
    """A number of the kernel's, -1 where it tells none."""
    try:
        return int(text_of(path))
    except ValueError:
        return -1

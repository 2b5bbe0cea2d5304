"""The readiness and watchdog protocol of systemd (sd_notify(3)): one datagram for each message.

Nothing here waits: where systemd is behind with reading, a message is not taken, and who sends it tries again later.
"""

import os
import socket


class Notifier:
    """Tells systemd what the daemon does; does nothing where it was not started by systemd."""

    def __init__(self, address: str | None) -> None:
        """`address` as systemd gives it in NOTIFY_SOCKET, None when it did not."""
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address

    @classmethod
    def from_environment(cls) -> "Notifier":
        """As systemd asks: the address is taken out, so that children do not speak for us."""
        return cls(os.environ.pop("NOTIFY_SOCKET", None))

    def ready(self) -> bool:
        """All processes have begun their work. Returns whether it was taken."""
        return self._send("READY=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`. Returns whether it was taken."""
        return self._send(f"STATUS={text}".replace("\n", " "))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """What systemd waits for may take so much longer, from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1e6:.0f}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> bool:
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.sendto(text.encode(), socket.MSG_DONTWAIT, self._address)
        except BlockingIOError:
            return False
        except OSError:
            return True  # nobody listens there, now or later: parts are inspected all the same
        return True

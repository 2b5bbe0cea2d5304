"""What systemd is told, and what happens when it does not listen."""

import socket
from pathlib import Path

from pipeline.supervisor.systemd import Notifier


def test_each_message_is_one_line_of_the_protocol(run_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(run_dir / "notify"))
        systemd.settimeout(5)
        notifier = Notifier(str(run_dir / "notify"))
        notifier.ready()
        notifier.status("two\nlines")
        notifier.alive()
        notifier.stopping()
        heard = [systemd.recv(4096).decode() for _ in range(4)]
    assert heard == ["READY=1", "STATUS=two lines", "WATCHDOG=1", "STOPPING=1"]


def test_a_systemd_that_does_not_listen_is_no_reason_to_stop(run_dir: Path) -> None:
    Notifier(str(run_dir / "nobody")).ready()
    Notifier(None).ready()

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
        notifier.extend(90.0)
        notifier.stopping()
        heard = [systemd.recv(4096).decode() for _ in range(5)]
    assert heard == ["READY=1", "STATUS=two lines", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=90000000", "STOPPING=1"]


def test_a_systemd_that_does_not_listen_is_no_reason_to_stop(run_dir: Path) -> None:
    assert Notifier(str(run_dir / "nobody")).ready()
    assert Notifier(None).ready()


def test_what_does_not_fit_is_not_taken_and_can_be_said_again(run_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(run_dir / "notify"))
        notifier = Notifier(str(run_dir / "notify"))
        limit = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text(encoding="ascii"))
        taken = 0
        while notifier.status(str(taken)):
            taken += 1
            assert taken <= 2 * limit + 2
        assert taken >= 1
        assert not notifier.ready()
        systemd.recv(4096)
        assert notifier.ready()

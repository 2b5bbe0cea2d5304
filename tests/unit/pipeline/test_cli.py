"""The command line itself."""

import subprocess
import sys


def test_streams_that_the_caller_closed_are_not_taken_by_the_next_file() -> None:
    code = (
        "import os, sys; from pipeline.cli import main; main(['schema']); sys.exit(os.open('/dev/zero', os.O_RDONLY))"
    )
    command = [sys.executable, "-c", code]
    closed = subprocess.run(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *command], check=False, timeout=60)
    assert closed.returncode == 3


def test_a_command_that_is_none_is_told_with_those_that_are() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pipeline", "inspct"], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 2
    assert "invalid choice: 'inspct'" in told.stderr
    assert "snapshot" in told.stderr

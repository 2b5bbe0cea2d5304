"""Where the simulated cameras' GenTL producer is, and how it is told which line it belongs to."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import CameraError

LINE_VARIABLE = "DATUMD_SIM_LINE"
"""Environment variable that names the line's state file: a GenTL producer is given no arguments."""
DEFAULT_STATE = Path("/dev/shm/datumd-sim-default")  # noqa: S108 - shared memory is where it has to be


def cti_path() -> Path:
    """The built producer, to be named as ``producer`` in a station.

    Raises:
        CameraError: it is not built, for want of a C compiler at installation.
    """
    path = Path(__file__).with_name("gentl") / "datumd_sim.cti"
    if not path.is_file():
        raise CameraError(
            "the simulated camera's GenTL producer is not built",
            where=str(path),
            next_command="apt-get install gcc libc6-dev, then python setup.py build_cti in the repository",
        )
    return path

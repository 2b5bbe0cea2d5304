"""What OpenVINO does beside running networks."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

LOOK = """
import sys
import engines.backends.openvino
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed; next: pip install '.[openvino]'")
def test_nobody_is_told_that_it_is_used(tmp_path: Path) -> None:
    """As it comes, importing it sends an event and leaves the number of this machine in the home folder."""
    child = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.stdout.strip() == "[]", child.stderr
    assert not list(tmp_path.iterdir())

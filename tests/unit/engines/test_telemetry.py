"""A daemon tells nobody what it does: libraries that would tell a server on the internet are kept from it."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

NETWORK = Path(__file__).parents[3] / "examples" / "bracket" / "top" / "coarse.onnx"
RUN = """
import sys
from pathlib import Path
import {module}
from engines.load import load_engine
load_engine(Path(sys.argv[1]), backend="{backend}").warm_up(1)
print([name for name in sys.modules if "telemetry" in name])
"""
OPENVINO = pytest.mark.skipif(find_spec("openvino") is None, reason="no openvino; next: pip install '.[openvino]'")


@pytest.mark.parametrize(
    ("module", "backend"),
    [
        ("engines.load", "onnxruntime"),
        ("calibration.int8", "onnxruntime"),  # imports it by itself
        pytest.param("engines.load", "openvino", marks=OPENVINO),
    ],
)
def test_nobody_is_told_that_a_library_is_used(tmp_path: Path, module: str, backend: str) -> None:
    """As they come, both leave a number of this machine in the home folder, and send it with an event."""
    ours = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    child = subprocess.run(
        [sys.executable, "-c", RUN.format(module=module, backend=backend), NETWORK],
        env={**ours, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert child.stdout.strip() == "[]", child.stderr
    assert not list(tmp_path.iterdir())

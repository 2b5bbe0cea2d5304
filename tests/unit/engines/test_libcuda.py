"""The driver's library: what is asked of it is there, and its absence is one line."""

import re
from pathlib import Path

import pytest

from engines.devices import libcuda
from engines.devices.cuda import cuda_device
from engines.errors import EngineUnavailable

HEADER = Path("/usr/local/cuda/include/cuda.h")


@pytest.mark.skipif(libcuda.missing() is None, reason="there is a GPU here")
def test_without_a_driver_one_line_says_so() -> None:
    assert "NVIDIA driver" in str(libcuda.missing())
    with pytest.raises(EngineUnavailable, match=r"NVIDIA driver.*next: install NVIDIA's driver"):
        cuda_device()


@pytest.mark.skipif(not HEADER.is_file(), reason=f"{HEADER} is absent; next: install the CUDA toolkit")
@pytest.mark.parametrize("name", libcuda.FUNCTIONS)
def test_each_function_takes_what_the_header_says(name: str) -> None:
    text = HEADER.read_text()
    macros = dict(re.findall(r"#\s*define\s+(cu\w+)\s+(?:__CUDA_API_P\w+\()?(cu\w+)", text))
    declared = next((macro for macro, exported in macros.items() if exported == name), name)
    found = re.search(rf"^CUresult CUDAAPI {declared}\(([^;]*)\);", text, re.MULTILINE)
    assert found, f"{declared} is not declared"
    arguments = [one.strip() for one in found.group(1).split(",")]
    assert len(arguments) == len(libcuda.FUNCTIONS[name])

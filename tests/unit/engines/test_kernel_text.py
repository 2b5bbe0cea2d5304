"""The kernels that ship are those of the source, and every GPU's compiler takes them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from engines.devices import compile as kernel_compiler
from engines.devices.kernel_text import COMMAND, NAMES, PTX, noted_hash, portable, ptx_text, source_hash

ARCHITECTURES = ("sm_75", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")


def test_the_shipped_kernels_were_made_from_the_source_beside_them() -> None:
    text = ptx_text()
    assert noted_hash(text) == source_hash(), f"kernels.cu was changed; next: {COMMAND}"
    assert all(f".visible .entry {name}(" in text for name in NAMES)
    assert "fma.rn.f32" not in text  # one rounding where the processor has two


def test_a_changed_source_would_be_noticed() -> None:
    assert noted_hash(ptx_text().replace("sha256 ", "sha256 0")) == ""
    assert noted_hash("") == ""


@pytest.mark.skipif(kernel_compiler.find_nvrtc() is None, reason="NVRTC is absent; next: pip install nvidia-cuda-nvrtc")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvrtc_compiles_the_source(architecture: str) -> None:
    assert kernel_compiler.nvrtc_compiled(architecture)[:4] == b"\x7fELF"


@pytest.mark.skipif(kernel_compiler.find_nvrtc() is None, reason="NVRTC is absent; next: pip install nvidia-cuda-nvrtc")
def test_the_shipped_kernels_are_what_nvrtc_makes_but_for_its_version() -> None:
    made = portable(kernel_compiler.nvrtc_compiled(kernel_compiler.OLDEST).decode())
    assert {line for line in made.splitlines() if ".entry" in line} == {
        line for line in ptx_text().splitlines() if ".entry" in line
    }


@pytest.mark.skipif(shutil.which("ptxas") is None, reason="ptxas is absent; next: install the CUDA toolkit")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_shipped_kernels_are_accepted(architecture: str, tmp_path: Path) -> None:
    words = ["ptxas", f"-arch={architecture}", "-o", tmp_path / "kernels.cubin", PTX]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")

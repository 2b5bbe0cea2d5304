"""The GenTL producer driven by a C program under sanitizers and valgrind, and with files that are no line."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.content import PatternContent
from simulator.line import Line
from simulator.producer import LINE_VARIABLE, cti_path
from tests.process.gentl_consumer import (
    ROOT,
    skip_without_producer,
    small,
    state_path,
)

DRIVER = Path(__file__).with_name("gentl_driver.c")

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    skip_without_producer()


@pytest.fixture
def state(session_id: str) -> Iterator[Path]:
    yield from state_path(session_id)


def compiled(target: Path, *flags: str) -> Path:
    command = [
        "cc",
        "-std=c11",
        "-D_GNU_SOURCE",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
        f"-I{ROOT}/simulator/gentl",
    ]
    subprocess.run([*command, *flags, str(DRIVER), "-o", str(target), "-ldl"], check=True, cwd=ROOT)
    return target


def sanitized_producer(target: Path, flags: str) -> Path:
    command = [sys.executable, "setup.py", "-q", "build_cti", "--output", str(target)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "CFLAGS": flags}, capture_output=True)
    return target


def drive(state: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, LINE_VARIABLE: str(state)}
    words = [str(word) for word in command]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)


@needs_compiler
def test_all_calls_are_clean_under_address_and_undefined_sanitizers(state: Path, tmp_path: Path) -> None:
    flags = "-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
    driver = compiled(tmp_path / "driver", *shlex.split(flags))
    producer = sanitized_producer(tmp_path / "sanitized.cti", flags)
    with Line(state, PatternContent(width=128, height=96)):
        done = drive(state, driver, producer, "walk")
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
def test_all_calls_are_clean_under_the_thread_sanitizer(state: Path, tmp_path: Path) -> None:
    flags = "-g -O1 -fsanitize=thread -Wno-error=tsan"
    driver = compiled(tmp_path / "driver", *shlex.split(flags))
    producer = sanitized_producer(tmp_path / "sanitized.cti", flags)
    with Line(state, PatternContent(width=128, height=96)):
        done = drive(state, driver, producer, "walk")
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer cannot run under this kernel's address randomisation")
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
@pytest.mark.needs_debian("valgrind", program="valgrind")
def test_all_calls_are_clean_under_valgrind(state: Path, tmp_path: Path) -> None:
    driver = compiled(tmp_path / "driver", "-g")
    with Line(state, PatternContent(width=128, height=96)):
        options = ["-q", "--error-exitcode=9", "--leak-check=full", "--fair-sched=yes"]
        done = drive(state, "valgrind", *options, driver, cti_path(), "walk")
    assert (done.returncode, done.stderr) == (0, "")


@needs_compiler
def test_a_state_file_that_is_none_shows_no_devices(state: Path, tmp_path: Path) -> None:
    driver = compiled(tmp_path / "driver", "-g")
    with Line(state, small()):
        sound = state.read_bytes()
    broken = tmp_path / "broken"
    for content in (b"", b"no line at all", bytes(8192), sound[:5000], sound[:-4096], patched(sound, 12, 200)):
        broken.write_bytes(content)
        done = drive(broken, driver, cti_path(), "devices")
        assert (done.returncode, done.stdout) == (0, "0\n")
    broken.write_bytes(sound)
    assert drive(broken, driver, cti_path(), "devices").stdout == "1\n"
    assert drive(tmp_path / "absent", driver, cti_path(), "devices").stdout == "0\n"


def patched(content: bytes, offset: int, value: int) -> bytes:
    """A header that claims another number of devices than there is room for."""
    return content[:offset] + value.to_bytes(4, "little") + content[offset + 4 :]

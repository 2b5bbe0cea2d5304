"""What every test may ask for, and the guards around every test: a time limit, and nothing left behind."""

import faulthandler
import gc
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import hypothesis
import pytest

# A busy machine is no defect of the code: the limit is that of the test as a whole.
hypothesis.settings.register_profile("datumd", deadline=None, print_blob=True)
hypothesis.settings.load_profile("datumd")

# A core each: three of these processes at a time have two of them, and threads that wait for each other busily help nobody.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DEFAULT_TIME_LIMIT_S = 120.0
# What comes first where several processes share the tests: whole stations, of which most wait; then what computes; at the
# end what is short, so that all end together.
FIRST_FOLDERS = (
    "tests/process/",
    "tests/unit/training/",
    "tests/unit/pipeline/workers/",
    "tests/unit/calibration/",
    "tests/unit/engines/",
)
SESSION_MARK = "DATUMD_TEST_SESSION"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-debian",
        action="store_true",
        help="fail, instead of skip, a test whose Debian package is absent",
    )
    parser.addoption(
        "--list-debian-packages",
        action="store_true",
        help="with --collect-only: print the Debian packages that the collected tests want",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of `FIRST_FOLDERS`; within a folder it stays as it is."""
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in FIRST_FOLDERS])


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.collect()
    gc.freeze()  # the modules of torch and transformers are millions of objects, looked at in vain each time
    if session.config.getoption("--list-debian-packages"):
        wanted = {mark.args[0] for item in session.items for mark in item.iter_markers("needs_debian")}
        print("".join(f"\ndebian-package: {package}" for package in sorted(wanted)))  # noqa: T201 - what was asked for


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs_debian"):
        package, program = mark.args[0], mark.kwargs.get("program")
        if not _is_installed(package, program):
            line = f"needs the Debian package {package}; next: apt-get install {package}"
            if item.config.getoption("--require-debian"):
                pytest.fail(line, pytrace=False)
            pytest.skip(line)


def _is_installed(package: str, program: str | None) -> bool:
    if program is not None:
        return shutil.which(program) is not None
    query = shutil.which("dpkg-query")
    if query is None:
        return False
    found = subprocess.run(
        [query, "--show", "--showformat=${db:Status-Status}", package], capture_output=True, text=True, check=False
    )
    return found.stdout == "installed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    mark = item.get_closest_marker("time_limit_s")
    limit_s = float(mark.args[0]) if mark else DEFAULT_TIME_LIMIT_S

    def fail(_signum: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback(file=sys.__stderr__)
        pytest.fail(f"took longer than its limit of {limit_s:g} s")

    previous = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session", autouse=True)
def session_id() -> Iterator[str]:
    """Marks every process that this run starts, and fails the run if one of them, or its frame ring, outlives it."""
    session = secrets.token_hex(4)
    os.environ[SESSION_MARK] = session
    yield session
    del os.environ[SESSION_MARK]
    deadline = time.monotonic() + 10.0
    while (strays := _marked_processes(session)) and time.monotonic() < deadline:
        time.sleep(0.05)
    rings = sorted(path.name for path in Path("/dev/shm").glob(f"datumd-test-{session}*"))  # noqa: S108 - rings live here
    assert not strays, f"processes left running by the tests: {strays}"
    assert not rings, f"frame rings left in /dev/shm by the tests: {rings}"


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder of the run's own: a station whose file names no folder keeps its journal there."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        yield folder


def _marked_processes(session: str) -> dict[int, str]:
    found = {}
    mark = f"{SESSION_MARK}={session}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if "multiprocessing.resource_tracker" not in command:  # Python's own; it ends with this process
                    found[int(folder.name)] = command
        except OSError:
            continue  # ended while we looked
    found.pop(os.getpid(), None)
    return found


@pytest.fixture
def station_name(session_id: str) -> str:
    """A station's name that no other run uses; its frame ring is looked for at the end of the run."""
    return f"test-{session_id}-{secrets.token_hex(3)}"


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives TCP ports of 127.0.0.1 that nobody listened on a moment ago, a different one at each call, and the next is free, too.

    A station answers requests at the port after that of its results.
    """
    given: set[int] = set()

    def give() -> int:
        while True:
            with socket.socket() as probe, socket.socket() as after:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
                try:
                    after.bind(("127.0.0.1", port + 1))
                except (OSError, OverflowError):  # taken, or there is none
                    continue
            if given.isdisjoint((port, port + 1)):
                given.update((port, port + 1))
                return port

    return give


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A folder with a short path: a unix socket's address holds no more than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="dt-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def shared_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real images that may lie beside the checkout; tests that want it are skipped without it."""
    folder = request.config.rootpath.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no image sets at {folder}")
    return folder

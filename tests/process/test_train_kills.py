"""A training that is killed in any of its stages, and resumed, ends with the files of one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.methods import CASCADE, FIRST, REFINE
from tests.unit.training.conftest import write_set

LIMIT_S = 220  # below that of the tests, so that what was said until then is told
METHODS = {"cascade": FIRST + CASCADE, "folds": FIRST + REFINE}


class Trainer:
    """Trainings of the methods into folders below one, as processes of their own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.process.warm_trainer"]
        self.folder = folder
        root = Path(__file__).parents[2]
        self._server = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._running: set[int] = set()

    def start(self, method: str, name: str, *more: str) -> tuple[int, Path]:
        """Begin one; its process id and where its lines go."""
        log = self.folder / f"{name}.log"
        log.write_text("")
        data = ["--coco", str(self.folder / "set/annotations.json"), "--images", str(self.folder / "set/images")]
        words = [str(self.folder / f"{method}.toml"), *data, "--out", str(self.folder / name), "--threads", "1", *more]
        process = self._asked("start", str(log), *words)
        self._running.add(process)
        return process, log

    def wait(self, process: int) -> int:
        """How it ended."""
        self._running.remove(process)
        return self._asked("wait", process)

    def close(self) -> None:
        """Kill those that are left."""
        for process in list(self._running):
            os.kill(process, signal.SIGKILL)
            self.wait(process)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(LIMIT_S)
        self._server.stdout.close()

    def _asked(self, *words: str | int) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(words) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """A small set, the methods, and what the tests of this file do with them one after the other."""
    folder = tmp_path_factory.mktemp("kills")
    write_set(folder / "set", 12)
    for name, method in METHODS.items():
        (folder / f"{name}.toml").write_text(method)
    trainer = Trainer(folder)
    yield trainer
    trainer.close()


def killed_at(trainer: Trainer, process: int, log: Path, line: str) -> None:
    """Kill a training once it has said a line that begins so."""
    until = time.monotonic() + LIMIT_S
    while not any(said.startswith(line) for said in log.read_text().splitlines()):
        assert Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z", log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    assert trainer.wait(process) == -signal.SIGKILL


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in a recipe's folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.time_limit_s(230)
@pytest.mark.parametrize(
    ("method", "line"),
    [
        pytest.param("cascade", "coarse 3/3", id="first network, at its end or in its export"),
        pytest.param("cascade", "posed 3/3", id="second network, at its end or in its export"),
        pytest.param("folds", "fold 2 of 2: coarse 3/3", id="second fold"),
        pytest.param("folds", "refine 3/3", id="refine network, at its end or in its export"),
    ],
)
def test_a_killed_training_leaves_no_recipe(trainer: Trainer, method: str, line: str) -> None:
    """Killed anew where an earlier kill of the same training was resumed."""
    killed_at(trainer, *trainer.start(method, f"{method}-killed", "--resume"), line)
    assert not (trainer.folder / f"{method}-killed").exists()


@pytest.mark.time_limit_s(230)
@pytest.mark.parametrize("name", ["killed", "whole"])
@pytest.mark.parametrize("method", METHODS)
def test_resumed_it_ends_and_so_does_one_that_was_never_killed(trainer: Trainer, method: str, name: str) -> None:
    process, log = trainer.start(method, f"{method}-{name}", "--resume")
    assert trainer.wait(process) == 0, log.read_text()
    found = files(trainer.folder / f"{method}-{name}")
    assert {"recipe.toml", "top/coarse.onnx", "top/sigma.toml", "top/visibility.toml"} <= set(found)
    assert ("goes on at step" in log.read_text()) == (name == "killed")


@pytest.mark.parametrize("method", METHODS)
def test_their_files_are_the_same(trainer: Trainer, method: str) -> None:
    assert files(trainer.folder / f"{method}-killed") == files(trainer.folder / f"{method}-whole") != {}

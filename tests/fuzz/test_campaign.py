"""The targets stand a short campaign; and a campaign finds what there is to find."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz import campaign
from tests.fuzz.__main__ import TARGETS
from tests.fuzz.target import Target

EXECUTIONS = 4000


def test_nothing_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--executions", str(EXECUTIONS), "--out", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{EXECUTIONS} executions, 0 findings" in ended.stdout


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_tells_its_corpus_apart(name: str) -> None:
    corpus = TARGETS[name].corpus()
    summaries = {TARGETS[name].execute(data) for data in corpus}
    assert len(summaries) > len(corpus) // 2, "most inputs of the corpus go the same way"


def target(execute: object) -> Target:
    """A target with the corpus of the station files, and a defect."""
    return Target("config", execute)  # type: ignore[arg-type]  # the tests' own may do anything


def test_an_exception_is_found_once_and_saved(tmp_path: Path) -> None:
    def execute(data: bytes) -> bool:
        if len(data) % 2:
            raise KeyError(len(data))
        return True

    outcome = campaign.run(target(execute), 200, 1)
    [(place, finding)] = outcome.findings.items()
    assert place.startswith("KeyError at test_campaign.py:")
    [path] = campaign.save(outcome, tmp_path)
    assert len(path.read_bytes()) % 2 == 1
    assert path.read_bytes() == finding.data


def test_an_input_that_takes_too_long_is_found() -> None:
    def execute(data: bytes) -> bool:
        until = time.process_time() + 60.0
        while data.endswith(b"\n") and time.process_time() < until:
            pass
        return True

    outcome = campaign.run(target(execute), 3, 1, limit_s=0.1)
    assert [place.partition(" ")[0] for place in outcome.findings] == ["TooLongError"]


def test_a_seed_gives_the_same_inputs_again() -> None:
    def inputs(seed: int) -> list[bytes]:
        fed: list[bytes] = []
        campaign.run(target(fed.append), 100, seed)
        return fed

    assert inputs(1) == inputs(1) != inputs(2)

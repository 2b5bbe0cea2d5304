"""Plans in the cache: found for their network and machine alone, whole or not at all."""

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from engines.errors import EngineRefused, EngineUnavailable
from engines.plan import Machine, PlanNote, Profile, find_plan, is_current, plan_path, write_plan

HERE = Machine("11.4.0", "580.65.06", "NVIDIA RTX 4000", "8.9")
NETWORK = hashlib.sha256(b"network").hexdigest()
PLAN = b"a plan"


def note(machine: Machine = HERE, plan: bytes = PLAN, network: str = NETWORK) -> PlanNote:
    return PlanNote(network, "fp16", machine, Profile(4, 64), hashlib.sha256(plan).hexdigest())


def test_what_was_written_is_found(tmp_path: Path) -> None:
    write_plan(tmp_path / "new" / "cache", PLAN, note())
    found = find_plan(tmp_path / "new" / "cache", NETWORK, HERE)
    assert (found.plan, found.note) == (PLAN, note())
    assert is_current(tmp_path / "new" / "cache", NETWORK, HERE, Profile(4, 64))
    assert not is_current(tmp_path / "new" / "cache", NETWORK, HERE, Profile(4, 128))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"tensorrt": "10.9.0"}, "tensorrt 10.9.0 where this is 11.4.0"),
        ({"driver": "570.1"}, "driver 570.1 where this is 580.65.06"),
        ({"gpu": "NVIDIA L4"}, "gpu NVIDIA L4 where this is NVIDIA RTX 4000"),
        ({"capability": "9.0"}, "capability 9.0 where this is 8.9"),
    ],
)
def test_a_plan_of_another_machine_is_stale(tmp_path: Path, changed: dict[str, str], told: str) -> None:
    write_plan(tmp_path, PLAN, note(replace(HERE, **changed)))
    with pytest.raises(EngineUnavailable, match=told):
        find_plan(tmp_path, NETWORK, HERE)
    write_plan(tmp_path, PLAN, note())
    assert len(list(tmp_path.iterdir())) == 2  # the stale one is gone
    assert find_plan(tmp_path, NETWORK, HERE).plan == PLAN


def test_without_a_plan_there_is_none(tmp_path: Path) -> None:
    for folder in (None, tmp_path, tmp_path / "missing"):
        with pytest.raises(EngineUnavailable, match="no plan of TensorRT for it"):
            find_plan(folder, NETWORK, HERE)


def test_a_network_whose_name_begins_alike_is_another_one(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN, note())
    twin = NETWORK[:16] + NETWORK[16:][::-1]
    with pytest.raises(EngineUnavailable, match="is of another one"):
        find_plan(tmp_path, twin, HERE)


def test_a_note_of_another_machine_under_this_name_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, PLAN, note())
    path.with_suffix(".json").write_text(note(replace(HERE, driver="1.0")).text())
    with pytest.raises(EngineUnavailable, match="is of another one"):
        find_plan(tmp_path, NETWORK, HERE)


@pytest.mark.parametrize("content", [b"", b"a plam", b"a plan and more"])
def test_a_plan_that_was_changed_is_refused(tmp_path: Path, content: bytes) -> None:
    write_plan(tmp_path, PLAN, note()).write_bytes(content)
    with pytest.raises(EngineUnavailable, match="not the one that was made"):
        find_plan(tmp_path, NETWORK, HERE)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 2}',
        '{"format": 1}',
        '{"format": 1, "machine": 3, "profile": {}}',
        "[" * 100_000,
    ],
)
def test_a_note_that_cannot_be_understood_is_none(tmp_path: Path, content: str) -> None:
    path = write_plan(tmp_path, PLAN, note())
    path.with_suffix(".json").write_text(content)
    with pytest.raises(EngineUnavailable, match=r"no plan of TensorRT for it$"):
        find_plan(tmp_path, NETWORK, HERE)


def test_a_kill_between_the_files_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    path = write_plan(tmp_path, PLAN, note())
    newer = b"a newer plan"
    path.write_bytes(newer)  # the plan is in its place, its note not yet
    with pytest.raises(EngineUnavailable, match="not the one that was made"):
        find_plan(tmp_path, NETWORK, HERE)
    path.with_suffix(".json").unlink()
    with pytest.raises(EngineUnavailable, match="no plan"):
        find_plan(tmp_path, NETWORK, HERE)
    write_plan(tmp_path, newer, note(plan=newer))
    assert find_plan(tmp_path, NETWORK, HERE).plan == newer


def test_what_a_killed_build_left_is_removed_and_what_another_one_writes_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, unfinished, older = (tmp_path / f".a.plan{end}.part" for end in (f".{dead.pid}", f".{os.getppid()}", ""))
    for path in (left, unfinished, older):
        path.write_bytes(b"half")
    path = write_plan(tmp_path, PLAN, note())
    assert sorted(tmp_path.iterdir()) == sorted([unfinished, path, path.with_suffix(".json")])


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineRefused, match=r"cannot be written \(.*file"):
        write_plan(tmp_path / "file", PLAN, note())


def test_a_plan_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    path = plan_path(tmp_path, NETWORK, HERE)
    path.mkdir(parents=True)
    path.with_suffix(".json").write_text(note().text())
    with pytest.raises(EngineUnavailable, match="cannot be read"):
        find_plan(tmp_path, NETWORK, HERE)

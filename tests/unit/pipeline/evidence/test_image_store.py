"""The folder of images: what is written, what is deleted, and what happens when the disk does not want."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import utc_ns
from pipeline.config import ArchiveSettings
from pipeline.evidence.disk_ring import SLICE
from pipeline.evidence.image_name import HOUR_NS, image_path, parse_path
from pipeline.evidence.image_store import ImageStore
from pipeline.evidence.tally import Amount
from pipeline.result import Evaluation

OK, NOT_OK, UNDEFINED = Evaluation.OK, Evaluation.NOT_OK, Evaluation.UNDEFINED
PNG, TEXT = b"p" * 8000, b"t" * 100
ONE = 8192 + 4096  # what an image and its text take on the disk
NOW_NS = utc_ns()
DAY_NS = 24 * HOUR_NS


def write(store: ImageStore, seq: int, evaluation: Evaluation = NOT_OK, utc: int = 0) -> str:
    """At one second after the other, unless `utc` says when."""
    path = image_path(1, seq, "top", utc or NOW_NS - HOUR_NS + seq * 1_000_000_000, evaluation)
    name = parse_path(path)
    assert name is not None
    return store.write(name, PNG, TEXT)


def settle(store: ImageStore) -> None:
    """As the writer's thread does while no image comes."""
    while store.step():
        pass


def kept(folder: Path) -> list[tuple[str, int]]:
    """Evaluation and seq of each image, the oldest first; each has its text, and nothing else lies about."""
    images = sorted(folder.glob("images/*/*/*.png"), key=lambda path: path.name)
    everything = {path for path in (folder / "images").rglob("*") if path.is_file()}
    assert everything == {*images, *(path.with_suffix(".json") for path in images)}
    return [(path.name.split("-")[1], int(path.name.split("-")[3])) for path in images]


def opened(folder: Path, **settings: object) -> ImageStore:
    store = ImageStore(folder, ArchiveSettings(**settings))  # type: ignore[arg-type]  # settings by name
    settle(store)
    return store


def quota(images: float) -> float:
    return images * ONE / 1e9


def test_image_and_text_lie_beside_each_other(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert write(store, 1) == ""
    (image,) = tmp_path.glob("images/*/*/*.png")
    assert image.read_bytes() == PNG
    assert image.with_suffix(".json").read_bytes() == TEXT
    assert store.total == Amount(1, ONE)
    assert store.fault == ""


def test_over_the_quota_ok_goes_before_all_others_and_the_oldest_first(tmp_path: Path) -> None:
    store = opened(tmp_path, quota_gb=quota(5))
    for seq, evaluation in enumerate([NOT_OK, OK, UNDEFINED, OK, NOT_OK, NOT_OK]):
        assert write(store, seq, evaluation) == ""
    assert kept(tmp_path) == [("NOT_OK", 0), ("UNDEFINED", 2), ("OK", 3), ("NOT_OK", 4), ("NOT_OK", 5)]
    assert write(store, 6) == ""
    assert write(store, 7) == ""
    assert kept(tmp_path) == [("UNDEFINED", 2), ("NOT_OK", 4), ("NOT_OK", 5), ("NOT_OK", 6), ("NOT_OK", 7)]
    assert store.total == Amount(5, 5 * ONE)


def test_an_ok_image_displaces_nothing_but_ok_images_and_its_loss_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path, quota_gb=quota(3))
    for seq in range(3):
        write(store, seq)
    assert "archive.quota_gb is too small: 3 images are kept before this one" in write(store, 3, OK)
    assert "quota_gb" in store.fault
    assert write(store, 4) == ""
    assert store.fault == ""
    assert kept(tmp_path) == [("NOT_OK", 1), ("NOT_OK", 2), ("NOT_OK", 4)]


def test_a_restart_counts_what_lies_there_from_names_alone(tmp_path: Path) -> None:
    first = opened(tmp_path, quota_gb=quota(9))
    for seq in range(9):
        write(first, seq, OK if seq % 2 else NOT_OK, NOW_NS - (9 - seq) * HOUR_NS)
    second = opened(tmp_path, quota_gb=quota(9))
    assert second.total == first.total == Amount(9, 9 * ONE)
    write(second, 9)
    assert ("OK", 1) not in kept(tmp_path)
    assert len(kept(tmp_path)) == 9
    smaller = opened(tmp_path, quota_gb=quota(5))
    assert kept(tmp_path) == [("NOT_OK", seq) for seq in (2, 4, 6, 8, 9)]
    assert smaller.total == Amount(5, 5 * ONE)
    opened(tmp_path, quota_gb=0.0)
    assert not list((tmp_path / "images").iterdir())


def test_images_written_while_the_folder_is_looked_at_are_counted_once(tmp_path: Path) -> None:
    write_many = opened(tmp_path)
    for seq in range(SLICE + 10):  # two files each: several slices an hour
        write(write_many, seq, utc=NOW_NS - 3 * HOUR_NS)
    store = ImageStore(tmp_path, ArchiveSettings())
    seq, more = 10_000, True
    while more:
        more = store.step()
        for back in (0, 3, 5):
            seq += 1
            assert write(store, seq, utc=NOW_NS - back * HOUR_NS) == ""
    settle(store)
    found = kept(tmp_path)
    assert store.total == Amount(len(found), len(found) * ONE)
    assert len(found) > SLICE + 10


def test_what_is_older_than_its_evaluation_is_kept_goes(tmp_path: Path) -> None:
    settings = {"keep_days": {OK: 1.0, NOT_OK: 10.0}}
    store = opened(tmp_path, **settings)
    ages_h = [0, 20, 30, 300]
    for seq, age_h in enumerate(ages_h):
        for evaluation in (OK, NOT_OK, UNDEFINED):
            write(store, seq, evaluation, NOW_NS - age_h * HOUR_NS)
    again = opened(tmp_path, **settings)
    assert {seq for evaluation, seq in kept(tmp_path) if evaluation == "OK"} == {0, 1}
    assert {seq for evaluation, seq in kept(tmp_path) if evaluation == "NOT_OK"} == {0, 1, 2}
    assert {seq for evaluation, seq in kept(tmp_path) if evaluation == "UNDEFINED"} == {0, 1, 2, 3}
    assert again.total.images == 9


def test_leftovers_of_a_crash_go_and_files_of_others_stay(tmp_path: Path) -> None:
    write(opened(tmp_path), 1)
    (image,) = tmp_path.glob("images/*/*/*.png")
    stem = image.name.replace("-1-top.png", "-2-top")
    leftovers = [image.with_name(stem + suffix) for suffix in (".png.part", ".json.part", ".png")]
    for path in leftovers:
        path.write_bytes(b"" if path.suffix == ".png" else b"half")
    foreign = [
        image.with_name("notes.txt"),
        image.with_name("x.png.part"),
        tmp_path / "images/readme",
        tmp_path / "a.png",
    ]
    for path in foreign:
        path.write_bytes(b"x" * 100)
    (tmp_path / "elsewhere").mkdir()
    image.with_name(stem + ".json").symlink_to(tmp_path / "elsewhere")
    store = opened(tmp_path, quota_gb=0.0)
    assert store.total == Amount()
    assert not any(path.exists() for path in leftovers)
    assert not image.exists()
    assert all(path.exists() for path in foreign)
    assert (tmp_path / "elsewhere").is_dir()
    assert store.fault == ""


def test_files_that_somebody_else_deletes_are_no_fault(tmp_path: Path) -> None:
    store = opened(tmp_path, quota_gb=quota(4))
    for seq in range(4):
        write(store, seq, utc=NOW_NS - (9 - seq) * HOUR_NS)
    for path in sorted(tmp_path.glob("images/*/*"))[:2]:
        shutil.rmtree(path)
    for seq in range(4, 8):
        assert write(store, seq) == ""
    assert store.fault == ""
    assert store.total == Amount(4, 4 * ONE)
    assert [seq for _, seq in kept(tmp_path)] == [4, 5, 6, 7]


def test_the_folder_is_made_again_where_it_was_removed(tmp_path: Path) -> None:
    store = opened(tmp_path, quota_gb=quota(3))
    for seq in range(3):
        write(store, seq)
    shutil.rmtree(tmp_path / "images")
    assert write(store, 3) == ""
    settle(store)
    assert kept(tmp_path) == [("NOT_OK", 3)]
    assert store.total == Amount(1, ONE)


def test_what_the_folder_should_lie_in_is_not_made_and_images_are_stored_again_when_it_is_back(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    store = opened(disk)
    shutil.rmtree(disk)
    assert "No such file" in write(store, 1)
    assert "cannot write images" in store.fault
    assert not disk.exists()
    disk.mkdir()
    assert write(store, 2) == ""
    assert store.fault == ""
    assert kept(disk) == [("NOT_OK", 2)]


def test_a_file_in_the_place_of_the_folder_costs_images_only(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(b"")
    store = opened(tmp_path)
    assert "cannot write images" in store.fault
    assert "cannot write images" in write(store, 1)
    (tmp_path / "images").unlink()
    assert write(store, 2) == ""
    assert store.fault == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("may not mount a file system here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def free_bytes(disk: Path) -> int:
    return os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize


def fill(disk: Path, *, leave_bytes: int) -> None:
    with (disk / "filler").open("ab", buffering=0) as filler:
        while (left := free_bytes(disk) - leave_bytes) > 0:
            filler.write(b"x" * min(left, 4096))


def test_a_full_disk_costs_ok_images_then_others_then_new_ones_and_recovers(small_disk: Path) -> None:
    store = opened(small_disk)
    for seq in range(200):  # three times what fits
        lost = write(store, seq, OK if seq % 2 else NOT_OK)
        assert lost == "" or (seq % 2 and "disk full" in lost)
    found = kept(small_disk)
    assert not any(evaluation == "OK" for evaluation, _ in found)
    assert found[-1] == ("NOT_OK", 198)
    assert found == [("NOT_OK", seq) for seq in range(found[0][1], 200, 2)]
    assert free_bytes(small_disk) >= 2**20 * 0.05  # the journal's
    fill(small_disk, leave_bytes=0)
    assert not opened(small_disk).fault  # images go, for the sake of the journal
    assert free_bytes(small_disk) >= 2**20 * 0.05
    assert not any(evaluation == "OK" for evaluation, _ in kept(small_disk))
    while kept(small_disk):  # whoever else fills the disk goes on
        fill(small_disk, leave_bytes=20_000)
        settle(store := opened(small_disk))
    fill(small_disk, leave_bytes=20_000)
    assert "disk full" in write(store, 300)
    assert "disk full" in store.fault
    (small_disk / "filler").unlink()
    assert write(store, 301) == ""
    assert store.fault == ""
    assert kept(small_disk) == [("NOT_OK", 301)]


def test_a_disk_without_a_byte_is_no_crash(small_disk: Path) -> None:
    store = opened(small_disk)
    fill(small_disk, leave_bytes=0)
    assert "disk full" in write(store, 1)
    assert "disk full" in opened(small_disk).fault
    (small_disk / "filler").unlink()
    assert write(store, 2) == ""


def test_what_cannot_be_deleted_is_told_and_younger_ones_go_instead(small_disk: Path) -> None:
    for back in (3, 2, 1):
        write(opened(small_disk), back, utc=NOW_NS - back * HOUR_NS)
    oldest = min(small_disk.glob("images/*/*"))
    subprocess.run(["mount", "--bind", oldest, oldest], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", oldest], check=True)
    store = opened(small_disk, quota_gb=quota(1))
    subprocess.run(["umount", oldest], check=True)
    hour = oldest.relative_to(small_disk / "images")
    assert store.fault == f"cannot delete old images: {hour}: Read-only file system"
    assert kept(small_disk) == [("NOT_OK", 3)]
    assert opened(small_disk, quota_gb=0.0).fault == ""
    assert kept(small_disk) == []

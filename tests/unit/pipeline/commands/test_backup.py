"""`datumd backup`, `restore` and `bundle`: a station comes back whole, and no secret goes out."""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.commands.bundle import LEFT_OUT, without_secrets
from tests.archives import Kept


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


def test_a_station_comes_back_with_its_verdicts(kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    backup, restored = tmp_path / "b.zip", tmp_path / "new" / "station.toml"
    assert main(["backup", str(kept.station), "-o", str(backup), "--images"]) == 0
    restored.parent.mkdir()
    (restored.parent / ".station.toml.restoring").write_text("of a restore that was killed")
    assert main(["restore", str(backup), str(restored)]) == 0
    capfd.readouterr()
    assert main(["export", str(kept.station)]) == 0
    before = capfd.readouterr().out
    assert main(["export", str(restored)]) == 0
    assert capfd.readouterr().out == before
    assert main(["why", kept.results[3].result_id, str(restored)]) == 0
    assert "again          reproduced bit for bit\n" in capfd.readouterr().out
    assert main(["restore", str(backup), str(tmp_path / "new" / "other.toml")]) == 2  # the same places
    assert "is there already" in capfd.readouterr().err


def test_the_journal_is_copied_where_the_backup_goes(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "small"))  # where a journal has no room
        assert main(["backup", str(kept.station), "-o", str(tmp_path / "b.zip")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]
    assert main(["backup", str(kept.station), "-o", str(tmp_path / "small" / "b.zip")]) == 2
    assert "there is no such folder" in capfd.readouterr().err


def test_a_damaged_backup_writes_nothing(kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole, damaged = tmp_path / "b.zip", tmp_path / "damaged.zip"
    assert main(["backup", str(kept.station), "-o", str(whole)]) == 0
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(damaged, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            other.writestr(name, content[:-1] if name.endswith("coarse.onnx") else content)
    new = tmp_path / "new"
    assert main(["restore", str(damaged), str(new / "station.toml")]) == 2
    assert "coarse.onnx is damaged" in capfd.readouterr().err
    assert not new.exists()
    assert main(["restore", str(kept.station), str(new / "station.toml")]) == 2
    assert "is no backup" in capfd.readouterr().err


def test_a_backup_leads_nowhere_else(kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    evil = tmp_path / "evil.zip"
    files = {"station.toml": kept.station.read_bytes(), "recipes/../../out": b"x"}
    manifest = {
        "format": 1,
        "station": "L3",
        "datumd": "1",
        "made": "",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    with zipfile.ZipFile(evil, "w") as archive:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
    assert main(["restore", str(evil), str(tmp_path / "new" / "station.toml")]) == 2
    assert "a path that stays in" in capfd.readouterr().err
    assert not list(tmp_path.rglob("out"))
    assert not (tmp_path / "new").exists()


def test_a_bundle_holds_no_secret(kept: Kept, tmp_path: Path) -> None:
    out = tmp_path / "support.zip"
    assert main(["bundle", str(kept.station), "-o", str(out)]) == 0
    with zipfile.ZipFile(out) as archive:
        names = set(archive.namelist())
        assert {"station.json", "machine.json", "results.jsonl", "recipes/part/recipe.toml", "runs.jsonl"} <= names
        assert len(archive.read("results.jsonl").splitlines()) == 5
        assert not [name for name in names if name.endswith((".onnx", ".png", ".key"))]


def test_a_bundle_that_finds_no_room_is_no_bundle(kept: Kept, tmp_path: Path) -> None:
    words = ["prlimit", "--fsize=1024", sys.executable, "-m", "pipeline"]
    out = tmp_path / "support.zip"
    done = subprocess.run(
        [*words, "bundle", str(kept.station), "-o", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"datumd: {out}: cannot be written (File too large)\n"
    assert not list(tmp_path.iterdir())


def test_there_is_no_bundle_of_no_station(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", str(tmp_path / "none.toml"), "-o", str(tmp_path / "support.zip")]) == 2
    assert "there is no such file" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_may_be_secret_is_left_out() -> None:
    table = {
        "mqtt": {"password": "p", "user": "u", "host": "tcp://me:pw@broker:1"},
        "security": {"key": "station.key", "clients": "clients"},
        "camera": {"top": {"token": "t", "keypoints": ["a"]}},
    }
    assert without_secrets(table) == {
        "mqtt": {"password": LEFT_OUT, "user": "u", "host": f"tcp://{LEFT_OUT}@broker:1"},
        "security": {"key": LEFT_OUT, "clients": "clients"},
        "camera": {"top": {"token": LEFT_OUT, "keypoints": ["a"]}},
    }


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("rtsp://u:p/w@cam/1", f"rtsp://{LEFT_OUT}@cam/1"),
        ("rtsp://u:p@ss@cam/1", f"rtsp://{LEFT_OUT}@cam/1"),
        ("http://cam/snap.cgi?usr=admin&pwd=1234", f"http://cam/snap.cgi?{LEFT_OUT}"),
        ("http://cam/1, then http://two/2", "http://cam/1, then http://two/2"),
    ],
)
def test_logins_and_queries_of_addresses_are_left_out(address: str, left: str) -> None:
    assert without_secrets({"source": address}) == {"source": left}


def test_a_link_is_told_not_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    linked = Kept(tmp_path / "kept")
    recipes = next(tmp_path.rglob("recipe.toml")).parent
    (recipes / "linked.onnx").symlink_to("coarse.onnx")
    assert main(["backup", str(linked.station), "-o", str(tmp_path / "b.zip")]) == 2
    assert "linked.onnx: is a link" in capfd.readouterr().err
    assert not (tmp_path / "b.zip").exists()


def test_a_restore_that_breaks_off_leaves_nothing_in_the_way(kept: Kept, tmp_path: Path) -> None:
    backup, longer, restored = tmp_path / "b.zip", tmp_path / "l.zip", tmp_path / "new" / "station.toml"
    assert main(["backup", str(kept.station), "-o", str(backup)]) == 0
    name = "recipes/zz/" + "n" * 300  # longer than any file system takes
    with zipfile.ZipFile(backup) as archive, zipfile.ZipFile(longer, "w") as other:
        for each in archive.namelist():
            if each != "manifest.json":
                other.writestr(each, archive.read(each))
        other.writestr(name, b"x")
        manifest = json.loads(archive.read("manifest.json"))
        manifest["files"][name] = hashlib.sha256(b"x").hexdigest()
        other.writestr("manifest.json", json.dumps(manifest))
    assert main(["restore", str(longer), str(restored)]) != 0
    assert not (tmp_path / "new").exists()
    (tmp_path / "new" / "recipes").mkdir(parents=True)  # somebody's own, empty
    assert main(["restore", str(longer), str(restored)]) != 0
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["recipes"]
    assert main(["restore", str(backup), str(restored)]) == 0

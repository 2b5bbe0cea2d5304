"""`datumd why`, `replay`, `try` and `upgrade` on an archive of a few parts; without a daemon."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.config import InferSettings
from pipeline.replay.archive import find_parts, pack
from pipeline.replay.difference import Tolerances, differences
from pipeline.replay.ray_pool import RayRerun, files_of, knock
from pipeline.replay.rerun import Job, Rerun
from pipeline.version import version
from tests.archives import Kept


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Parts of a recipe that was changed since."""
    made = Kept(tmp_path_factory.mktemp("kept"))
    made.change(9.0)
    return made


def test_why_tells_what_the_recipe_of_then_and_of_now_say(kept: Kept, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["why", kept.results[3].result_id, str(kept.station)]) == 0
    told = capfd.readouterr().out
    assert "verdict        NOT_OK REJECT: width.high" in told
    assert "again          reproduced bit for bit\n" in told
    assert re.search(r"^now +OK PASS", told, re.MULTILINE)
    assert re.search(r"^width +133\.\d+ +133\.\d+ +133\.\d+ +126 \.\. 130 px +NOT_OK$", told, re.MULTILINE)


def test_why_without_an_image_or_a_result_says_so(kept: Kept, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["why", kept.lost.result_id, str(kept.station)]) == 3
    assert "not tried: the image of view top was not kept" in capfd.readouterr().out
    assert main(["why", "1-1", str(kept.state)]) == 2
    assert "there is no result 1-1" in capfd.readouterr().err
    assert main(["why", "../../etc", str(kept.state)]) == 2
    assert "is no id of a result" in capfd.readouterr().err


@pytest.mark.parametrize(("option", "name"), [("--html", "taken"), ("--zip", "taken"), ("--zip", "no/folder.zip")])
def test_why_refuses_a_name_before_the_work(
    kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str, name: str
) -> None:
    (tmp_path / "taken").touch()
    assert main(["why", kept.results[3].result_id, str(kept.station), option, str(tmp_path / name)]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert "is there already" in told.err or "there is no such folder" in told.err


def test_why_doubts_a_text_that_is_not_what_was_published(
    kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = shutil.copytree(kept.state, tmp_path / "state")
    text = (state / kept.results[3].views[0].image_uri).with_suffix(".json")
    text.write_text(text.read_text().replace('"REJECT"', '"PASS"'))
    main(["why", kept.results[3].result_id, str(state)])
    assert "the text beside the image is not what the journal has" in capfd.readouterr().out


def test_replay_is_bit_for_bit_by_the_recipe_of_that_day(kept: Kept, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(kept.state), "--processes", "1"]) == 0
    assert "4 trigger(s) inspected again: 4 the same bit for bit" in capfd.readouterr().out
    assert main(["replay", str(kept.state), "--recipe", str(kept.recipe), "--processes", "1", "--most", "1"]) == 1
    assert "measurements.upper" in capfd.readouterr().out


def test_try_shows_what_flips(kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["try", str(kept.recipe), str(kept.state), "--processes", "1", "--out", str(tmp_path / "out")]
    assert main([*words, "--fail-on-flip"]) == 3
    told = capfd.readouterr().out
    assert re.search(r"^NOT_OK +OK +1  flips$", told, re.MULTILINE)
    assert re.search(r"^width +then +4 .* 119 \.\. 137 px$", told, re.MULTILINE)
    name = f"{kept.results[3].result_id}-1-top.jpg"
    assert (tmp_path / "out" / name).stat().st_size > 1000
    assert f"src='{name}'" in (tmp_path / "out" / "index.html").read_text()
    assert main(words) == 2  # there is something in it


def test_what_goes_to_a_cluster_is_all_that_is_needed(kept: Kept) -> None:
    job = Job(kept.recipe, InferSettings(backend="onnxruntime"))
    packed = [pack(part) for part in find_parts(kept.state)]
    actor = RayRerun(files_of(kept.recipe), job)
    assert actor.ready()[::2] == ("", version())
    here = Rerun(job)
    for there, part in zip(actor.inspect(packed), packed, strict=True):
        assert differences(there.now, here.outcome(part).now, Tolerances()) == []
    assert "is not sealed" in RayRerun({"recipe.toml": b""}, job).ready()[0]


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "[::1]:{}"])
def test_nobody_waits_for_a_cluster_that_is_not_there(free_port: Callable[[], int], address: str) -> None:
    with pytest.raises(OSError, match=r"refused|not available|Cannot assign|not supported"):
        knock(address.format(free_port()))


def test_upgrade_leaves_parts_of_a_changed_recipe_alone(kept: Kept, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "--check", str(kept.station), "--processes", "1"]) == 2
    told = capfd.readouterr()
    assert "4 trigger(s) of another recipe were left alone" in told.out
    assert "holds no kept part of the recipes that are installed now" in told.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["try", "RECIPE", "EMPTY"], "holds no images that a station kept"),
        (["try", "EMPTY", "STATE"], "the recipe is not sealed"),
        (["try", "RECIPE", "STATE", "--processes", "-1"], "--processes: is -1"),
        (["try", "RECIPE", "STATE", "--processes", "1", "--backend", "abacus"], "there is no backend 'abacus'"),
        (["try", "RECIPE", "STATE", "--out", "STATE/journal.db"], "is no folder"),
        (["replay", "EMPTY"], "holds no images that a station kept"),
        (["replay", "STATE/images", "--processes", "1"], "nothing was inspected"),
        (["replay", "STATE", "--parity", "--tolerance", "keypoints.xy=1"], "both say what may differ"),
        (["upgrade", "--check", "EMPTY/none.toml"], "none.toml"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    kept: Kept, tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    places = {"RECIPE": str(kept.recipe), "STATE": str(kept.state), "EMPTY": str(tmp_path)}
    named = [re.sub("RECIPE|STATE|EMPTY", lambda found: places[found[0]], word) for word in words]
    assert main(named) == 2
    told = capfd.readouterr().err
    assert expected in told
    assert len(told.splitlines()) == 1

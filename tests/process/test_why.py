"""`datumd why` after recipe changes and a restart: a verdict of an earlier session comes out again bit for bit."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import result as result_schema
from pipeline.evidence.recipe_store import RecipeStore
from pipeline.evidence.run_record import read_runs
from pipeline.result import Evaluation, Result
from pipeline.sealing import seal
from tests.journals import all_rows
from tests.recipes import frame_with_part, make_recipe
from tests.stations import Heard, hear_until, running, write_station

PICTURES = 3
MEASURE = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = {tolerance}'
FOLDER_CAMERA = '[camera.top]\ntype = "folder"\npath = "pictures"\nrate_hz = 10.0\n'

pytestmark = pytest.mark.time_limit_s(180)


def pictures(folder: Path) -> None:
    """Good parts with noise, but for the second: two of its dots are 5 px too far to the right."""
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(PICTURES):
        frame = frame_with_part()
        if number == 1:
            frame[:, 128:] = frame_with_part(shift_px=(5.0, 0.0))[:, 128:]
        frame += noise.integers(0, 3, frame.shape, np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), frame)


def inspected(station: Path, port: int) -> list[Result]:
    """What one run of the station says of the pictures, when all images that it keeps are on the disk."""
    with running(station, port) as (_, subscription):
        hear_until(subscription, Heard(), lambda status: status.evidence.stored == PICTURES)
    results = [result_schema.decode(payload) for _, _, payload in all_rows(station.parent / "state")]
    return [result for result in results if result.session == results[-1].session]


def change(recipe: Path, tolerance: float) -> None:
    """Another tolerance, sealed."""
    path = recipe / "recipe.toml"
    path.write_text(re.sub(r"tolerance = .*", f"tolerance = {tolerance}", path.read_text()))
    seal(recipe, {}, keep=1)


def why(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "why", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_verdict_of_an_earlier_session_comes_out_again(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    pictures(run_dir / "pictures")
    recipe = make_recipe(run_dir / "recipes" / "part", ["top"], rest=MEASURE.format(tolerance=2.0))
    port = free_port()
    rest = f'{FOLDER_CAMERA}[archive]\nfolder = "state"\nsample_ok = 1\n[part]\ndeadline_ms = 60000.0\n'
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), rest)
    first = inspected(station, port)
    assert [one.result_evaluation for one in first] == [Evaluation.OK, Evaluation.NOT_OK, Evaluation.OK]
    change(recipe, 1.0)
    change(recipe, 9.0)
    second = inspected(station, port)
    assert second[1].result_evaluation is Evaluation.OK
    assert second[1].session != first[1].session

    state = run_dir / "state"
    store = RecipeStore.of(state)
    assert store.has(first[1].configuration_id)
    assert store.has(second[1].configuration_id)
    assert [run.recipes[0].configuration_id for run in read_runs(store.folder)] == [
        first[1].configuration_id,
        second[1].configuration_id,
    ]

    told = why(first[1].result_id, str(station), "--html", str(run_dir / "w.html"), "--zip", str(run_dir / "w.zip"))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "again          reproduced bit for bit\n" in told.stdout
    assert re.search(r"^now +OK PASS: width .* by recipe part", told.stdout, re.MULTILINE)
    assert "result_evaluation: NOT_OK -> OK" in told.stdout
    assert "+tolerance = 9.0" in told.stdout
    assert (run_dir / "w.html").read_text().count("src='data:image/jpeg;base64,") == 2  # then, and now

    other = why(first[1].result_id, str(station), "--backend", "openvino")
    assert other.returncode == 0, other.stdout + other.stderr
    assert "again          reproduced on another backend within the parity limit" in other.stdout
    assert "networks: onnxruntime" in other.stdout

    none = why(
        first[1].result_id, str(station), "--backend", "tensorrt"
    )  # no driver, or no plan: nothing takes its place
    assert none.returncode != 0
    assert "reproduced bit for bit" not in none.stdout

    with zipfile.ZipFile(run_dir / "w.zip") as archive:  # opened again from the archive alone
        archive.extractall(run_dir / "elsewhere")
    (run_dir / "state").rename(run_dir / "gone")
    alone = why(first[1].result_id, str(run_dir / "elsewhere"), "--recipe", str(run_dir / "elsewhere" / "recipe"))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "the text beside its image" in alone.stdout
    assert "again          reproduced bit for bit\n" in alone.stdout

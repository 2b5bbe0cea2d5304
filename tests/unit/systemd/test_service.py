import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import load_station

SYSTEMD = Path(__file__).parents[3] / "systemd"
UNIT = SYSTEMD / "datumd@.service"
BUILD = SYSTEMD / "datumd-build@.service"


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.needs_debian("systemd", program="systemd-analyze")
@pytest.mark.parametrize("unit", [UNIT, BUILD], ids=["station", "build"])
def test_systemd_accepts_the_unit(tmp_path: Path, unit: Path) -> None:
    installed = tmp_path / unit.name
    # The command of the unit is not installed here: any program that exists stands for it.
    installed.write_text(unit.read_text().replace("/usr/lib/datumd/bin/datumd", sys.executable))
    result = run("systemd-analyze", "verify", "--man=no", installed)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.needs_debian("systemd", program="systemd-analyze")
def test_a_misspelt_line_would_be_noticed(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    installed.write_text(
        UNIT.read_text().replace("/usr/lib/datumd/bin/datumd", sys.executable) + "\n[Service]\nWatchdog=10\n"
    )
    assert "Watchdog" in run("systemd-analyze", "verify", "--man=no", installed).stderr


@pytest.mark.needs_debian("systemd", program="systemd-analyze")
@pytest.mark.parametrize("unit", [UNIT, BUILD], ids=["station", "build"])
def test_exposure_is_at_most_2(unit: Path) -> None:
    result = run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit)
    assert result.returncode == 0, result.stdout


@pytest.mark.needs_debian("systemd", program="systemd-sysusers")
def test_sysusers_accepts_the_user() -> None:
    result = run("systemd-sysusers", "--dry-run", SYSTEMD / "datumd.sysusers")
    assert result.returncode == 0, result.stderr


def test_the_example_station_is_valid() -> None:
    assert load_station(SYSTEMD / "station.toml").views == {"top": "top"}

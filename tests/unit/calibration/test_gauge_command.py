"""The command from a table to verdict, page and figures."""

from pathlib import Path

import pytest

from pipeline.cli import main
from tests.unit.calibration.gauge.examples import AIAG_GRR, AIAG_LINEARITY


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "aiag.csv"
    lines = ["part,loading,repeat,value,lower,upper"]
    for part, appraisers in enumerate(AIAG_GRR):
        for appraiser, trials in zip("ABC", appraisers, strict=True):
            lines += [f"{part + 1},{appraiser},{n + 1},{value},-4,4" for n, value in enumerate(trials)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_grr_says_what_it_found_and_writes_it(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, table = tmp_path / "s.html", tmp_path / "s.csv"
    assert main(["gauge", "grr", str(study), "--html", str(page), "--csv", str(table)]) == 3
    said = capsys.readouterr().out
    assert (
        "GRR is 27.86% of the total variation and 22.68% of the tolerance; 4 distinct categories: not good enough"
        in said
    )
    assert "<svg" in page.read_text()
    assert "value,GR&R by ANOVA,distinct categories,4" in table.read_text()
    assert main(["gauge", "grr", str(study), "--html", str(page)]) == 2, "nothing is overwritten"
    assert "--force" in capsys.readouterr().err


def test_other_studies(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gauge", "type1", str(study), "--part", "1", "--reference", "0.3"]) == 2
    assert "there are 9 readings" in capsys.readouterr().err
    assert main(["gauge", "capability", str(study), "--part", "1"]) == 0
    assert "Cpk" in capsys.readouterr().out
    sizes = tmp_path / "sizes.csv"
    rows = [f"{size},{value},{size}" for size, values in AIAG_LINEARITY.items() for value in values]
    sizes.write_text("part,value,reference\n" + "\n".join(rows) + "\n")
    assert main(["gauge", "linearity", str(sizes)]) == 3
    assert "bias = 0.736667 -0.131667 x size" in capsys.readouterr().out
    verdicts, truth = tmp_path / "v.csv", tmp_path / "t.csv"
    verdicts.write_text("part,verdict\n1,OK\n1,OK\n2,NOT_OK\n2,OK\n")
    truth.write_text("part,verdict\n1,OK\n2,NOT_OK\n")
    assert main(["gauge", "attribute", str(verdicts), "--truth", str(truth)]) == 3
    assert "misses 50.0% (1.3% to 98.7%), false alarms 0.0%" in capsys.readouterr().out


def test_what_is_not_there_is_told(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gauge", "grr", str(study), "--measurement", "pitch"]) == 2
    assert "there is no measurement 'pitch'; allowed: value" in capsys.readouterr().err

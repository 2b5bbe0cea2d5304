from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from training.method import load_method
from training.segment_method import load_sam_tiny_method, load_segment_method
from training.teach.teach_method import load_teach_method

METHODS = Path(__file__).parents[3] / "training" / "methods"
OTHERS = {
    "sam_tiny": load_sam_tiny_method,
    "prompted_sam": load_segment_method,
    "prompted_sam_tiles": load_segment_method,
    "teach": load_teach_method,
}


@pytest.mark.parametrize("path", sorted(METHODS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_methods_that_ship_can_be_read(path: Path) -> None:
    assert OTHERS.get(path.stem, load_method)(path).name == path.stem


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("steps = 12", "steps = 0", "coarse.steps: found 0; allowed: a whole number at least 1"),
        ("steps = 12", "stepps = 12", "coarse.stepps: unknown key"),
        ("patch = 16", "patch = 20", "refine.patch: found 20"),
        ("spans_px = [48.0, 24.0]", "spans_px = []", "refine.spans_px"),
        ("large_wh = [192, 160]", "large_wh = [288, 240]", "view.large_wh: [288, 240] is no power-of-two multiple"),
        ("large_wh = [192, 160]", "large_wh = [192, 192]", "view.large_wh: [192, 192] is no power-of-two multiple"),
        ("small_wh = [96, 80]", "small_wh = [96, 72]", "view.small_wh: [96, 72] does not fit the backbone"),
        ("fixed = [0, 0, 192, 160]", "", "needs exactly one of fixed, nests, blob"),
        ('backbone = "tiny"', 'backbone = "huge"', "coarse.backbone: found 'huge'"),
    ],
)
def test_a_method_that_cannot_work_is_refused(square_method: Path, old: str, new: str, says: str) -> None:
    text = square_method.read_text()
    assert old in text
    square_method.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as refused:
        load_method(square_method)
    assert says in str(refused.value)
    assert str(square_method) in str(refused.value)

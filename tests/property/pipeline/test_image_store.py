"""The folder of images against a plain list of what should lie in it."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import utc_ns
from pipeline.config import ArchiveSettings
from pipeline.evidence.image_name import HOUR_NS, image_path, parse_path
from pipeline.evidence.image_store import ImageStore
from pipeline.evidence.tally import Amount
from pipeline.result import Evaluation

ONE = 4096 + 4096
BEGAN_NS = utc_ns() - 48 * HOUR_NS
Step = tuple[Evaluation, int, bool]
STEPS = st.lists(st.tuples(st.sampled_from(Evaluation), st.integers(0, HOUR_NS), st.booleans()), max_size=25)


def opened(folder: Path, quota: int) -> ImageStore:
    store = ImageStore(folder, ArchiveSettings(quota_gb=quota * ONE / 1e9))
    while store.step():
        pass
    return store


def admit(kept: list[tuple[str, Evaluation]], new: tuple[str, Evaluation], quota: int) -> bool:
    """What the quota says: the oldest OK goes first, then, but not for an OK, the oldest other."""
    while len(kept) >= quota:
        oldest_ok = next((one for one in kept if one[1] is Evaluation.OK), None)
        if oldest_ok is None and (new[1] is Evaluation.OK or not kept):
            return False
        kept.remove(oldest_ok or kept[0])
    kept.append(new)
    return True


@settings(max_examples=60)
@given(STEPS, st.integers(0, 6))
def test_what_lies_there_is_what_the_quota_says_over_any_restarts(steps: list[Step], quota: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = opened(folder, quota)
        kept: list[tuple[str, Evaluation]] = []
        at_ns = BEGAN_NS
        for seq, (evaluation, after_ns, restart) in enumerate(steps):
            at_ns += after_ns + 1000
            path = image_path(1, seq, "top", at_ns, evaluation)
            image = parse_path(path)
            assert image is not None
            fault = store.write(image, b"p", b"t")
            assert admit(kept, (path, evaluation), quota) is (fault == "")
            if restart:
                store = opened(folder, quota)
            found = sorted(str(one.relative_to(folder)) for one in folder.glob("images/*/*/*.png"))
            assert found == [path for path, _ in kept]
            assert len(list(folder.glob("images/*/*/*.json"))) == len(kept)
            assert store.total == Amount(len(kept), len(kept) * ONE)
        assert len(list(folder.glob("images/*/*"))) <= max(1, len(kept))  # empty folders go

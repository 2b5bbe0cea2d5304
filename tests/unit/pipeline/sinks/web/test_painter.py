import time
from pathlib import Path

from pipeline.live_picture import PictureLine
from pipeline.result import Result
from pipeline.sinks.web.gallery import Gallery
from pipeline.sinks.web.painter import WAIT_S, Painter
from tests.results import result


def painter(folder: Path, told: list[str], *, is_watched: bool) -> Painter:
    """One whose every question is in vain: nobody copies frames."""

    def shown(one: Result, _pictures: object) -> None:
        told.append(f"large {one.result_id}")

    nobody = PictureLine(folder / "nobody.sock")
    return Painter(nobody, Gallery(), 0.0, lambda: is_watched, shown, lambda part: told.append(f"small {part}"))


def test_a_part_that_nobody_looks_at_is_waited_for_and_not_looked_for_again_and_again(tmp_path: Path) -> None:
    told: list[str] = []
    made = painter(tmp_path, told, is_watched=False)
    made.take(result(result_id="1-1"), is_rejected=True)
    made.turn()
    assert told == ["small 1-1"]
    begun = time.monotonic()
    made.turn()
    made.turn()
    assert time.monotonic() - begun > 1.9 * WAIT_S
    assert told == ["small 1-1"]


def test_whoever_begins_to_look_sees_the_newest_part(tmp_path: Path) -> None:
    told: list[str] = []
    made = painter(tmp_path, told, is_watched=True)
    for number in range(1, 7):
        made.take(result(result_id=f"1-{number}"), is_rejected=False)
    made.turn()
    assert told == ["large 1-6"]

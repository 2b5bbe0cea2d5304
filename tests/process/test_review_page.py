"""The pages of `datumd mark` and `datumd teach` in a real browser, used as a person does."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.chromium import Browser
from tests.marked_parts import WH, photograph, plate, points_at
from training.data import HIDDEN, MISSING, VISIBLE
from training.labels.coco import read_coco
from training.review.marked import read_marked
from training.review.page import mark_page, review_page
from training.review.taught import Taught, taught
from training.teach.proposal import Proposal

pytestmark = pytest.mark.needs_debian("chromium", program="chromium")
KEYS = ["hole", "tip"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as one:
        one.size(1400, 850)
        yield one


def drag(browser: Browser, start: list[float], end: list[float]) -> None:
    browser.mouse("mousePressed", *start)
    browser.mouse("mouseMoved", (start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    browser.mouse("mouseMoved", *end)
    browser.mouse("mouseReleased", *end)


def screen(browser: Browser, x: float, y: float) -> list[float]:
    """Px of the page where a px of the photograph is shown."""
    found = browser.run(
        f"(() => {{ const b = photo.canvas.getBoundingClientRect(), [x, y] = photo.toScreen({x}, {y});"
        " return [x + b.left, y + b.top]; })()"
    )
    return [float(value) for value in found]


def press(browser: Browser, key: str) -> None:
    browser.run(f"document.dispatchEvent(new KeyboardEvent('keydown', {{ key: {json.dumps(key)} }}))")


def click(browser: Browser, name: str) -> None:
    browser.run(f"document.getElementById({json.dumps(name)}).click()")


def saved(browser: Browser) -> str:
    """What the button downloads, and the name it is given."""
    browser.run("window.kept = []; download = (name, text) => window.kept.push(name, text)")
    click(browser, "save")
    name, text = browser.run("window.kept")
    return f"{name}\n{text}"


def part(folder: Path, number: int, sure: float, xy: list[list[float]]) -> Taught:
    image = folder / f"{number}.png"
    cv2.imwrite(str(image), photograph(plate(), number))
    return taught(image, WH, [Proposal("", np.array(at), sure, True, "told") for at in xy], number)


def test_proposals_are_accepted_rejected_and_put_right(browser: Browser, tmp_path: Path) -> None:
    found = [part(tmp_path, 1, 0.9, [[50, 60], [100, 90]]), part(tmp_path, 2, 0.6, [[40.5, 50.25], [200, 150]])]
    found += [part(tmp_path, 3, 0.8, [[70, 70], [90, 90]]), part(tmp_path, 4, 0.95, [[80, 60], [95, 100]])]
    page = tmp_path / "review.html"
    page.write_text(review_page(found, "plate", KEYS, tmp_path, least=0.85, pictures=3))
    browser.go(page.as_uri())
    browser.wait("photo.canvas.dataset.loaded")
    assert browser.run("[...document.querySelectorAll('#parts .name')].map((one) => one.textContent)") == [
        "2.png", "3.png", "1.png",
    ]  # fmt: skip
    drag(browser, screen(browser, 200, 150), screen(browser, 210, 130))  # of 2.png, the least certain
    press(browser, "ArrowRight")
    press(browser, "v")  # now hidden
    press(browser, "a")
    press(browser, "r")  # 3.png
    browser.run("document.querySelectorAll('#points .row')[1].click()")
    press(browser, "v")
    press(browser, "v")  # 1.png: tip is missing
    click(browser, "rest")  # 1.png and 4.png, which has no picture
    name, _, text = saved(browser).partition("\n")
    assert name == "accepted.json"
    (tmp_path / name).write_text(text)
    dataset = read_coco(tmp_path / name, tmp_path)
    assert (dataset.name, list(dataset.keypoints)) == ("plate", KEYS)
    first, second, last = dataset.parts
    assert [one.image.name for one in dataset.parts] == ["1.png", "2.png", "4.png"]
    assert first.state.tolist() == [VISIBLE, MISSING]
    assert second.state.tolist() == [VISIBLE, HIDDEN]
    assert second.xy_sensor_px[0].tolist() == [40.5, 50.25]  # not touched: to the digit
    assert second.xy_sensor_px[1] == pytest.approx([211, 130], abs=0.3)
    assert second.box[0] + second.box[2] >= 211
    assert last.xy_sensor_px.tolist() == [[80, 60], [95, 100]]
    assert not browser.told


def test_points_are_marked_by_clicks_where_they_are_seen(browser: Browser, tmp_path: Path) -> None:
    image = tmp_path / "first.png"
    cv2.imwrite(str(image), photograph(plate(), 0))
    page = tmp_path / "mark.html"
    page.write_text(mark_page(image, "plate", ["hole", "slot"]))
    browser.go(page.as_uri())
    browser.wait("photo.canvas.dataset.loaded")
    truth = points_at(plate())
    for x, y in truth[:2].tolist():
        place = screen(browser, x, y)
        browser.mouse("mousePressed", *place)
        browser.mouse("mouseReleased", *place)
    click(browser, "box")
    drag(browser, screen(browser, 60.5, 50.5), screen(browser, 260.5, 200.5))
    name, _, text = saved(browser).partition("\n")
    assert name == "points.json"
    (tmp_path / name).write_text(text)
    marked = read_marked(tmp_path / name, image, WH)
    assert (marked.names, marked.part) == (("hole", "slot"), "plate")
    assert marked.xy_px == pytest.approx(truth[:2], abs=0.3)
    assert marked.box == pytest.approx((61, 51, 200, 150), abs=0.5)
    click(browser, "nobox")
    browser.run("remove(0)")
    assert json.loads(saved(browser).partition("\n")[2])["points"] == [
        {"name": "slot", "x": pytest.approx(truth[1, 0], abs=0.3), "y": pytest.approx(truth[1, 1], abs=0.3)}
    ]
    assert not browser.told

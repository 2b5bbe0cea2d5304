"""The page of a whole station in a browser: frames, a rejected part, a camera that is killed, who may do what."""

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest

pytest.importorskip("starlette", reason="needs the extra web; next: pip install 'datumd[web]'")
pytest.importorskip("uvicorn", reason="needs the extra web; next: pip install 'datumd[web]'")

from pipeline.client import Subscription
from pipeline.errors import ConfigError
from pipeline.ledger.journal_reader import JournalReader
from pipeline.runtime import load_runtime, runtime_folder
from simulator.child import DaemonProcess
from tests.chromium import Browser
from tests.recipes import frame_with_part, make_recipe
from tests.stations import any_free_port, running, write_station

TOKENS = {role: f"{role}-token-of-a-test" for role in ("viewer", "operator", "engineer")}
MEASURED = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = 2.0\n'

pytestmark = [pytest.mark.needs_debian("chromium", program="chromium"), pytest.mark.time_limit_s(180)]


@dataclass(frozen=True)
class Scene:
    """A station that sees a good part and a bad one in turn, four a second."""

    url: str
    results: str
    folder: Path
    daemon: DaemonProcess

    def ask(self, method: str, path: str, role: str = "", content: object = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            given["Authorization"] = f"Bearer {TOKENS[role]}"
        connection.request(method, path, json.dumps(content) if content is not None else None, given)
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("web")
    make_recipe(folder / "recipes" / "dots", ["top"], rest=MEASURED)
    (folder / "images").mkdir()
    for name, shift_px in (("good", 0.0), ("wide", 5.0)):
        image = frame_with_part()
        image[:128, 128:] = frame_with_part(shift_px=(shift_px, 0.0))[:128, 128:]
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
    tokens = folder / "tokens"
    tokens.write_text("".join(f"{role} {role[:4]} {token}\n" for role, token in TOKENS.items()))
    tokens.chmod(0o600)
    port, results = any_free_port(), any_free_port()
    rest = (
        f'[camera.top]\ntype = "folder"\npath = "images"\nrate_hz = 4.0\nrepeat = true\n[part]\ndeadline_ms = 5000\n'
        f'[web]\nbind = "127.0.0.1:{port}"\ntokens = "tokens"\n'
    )
    station = write_station(folder, f"web{os.getpid()}", folder / "recipes", results, any_free_port(), rest)
    with running(station, results) as (daemon, _):
        made = Scene(f"http://127.0.0.1:{port}", f"tcp://127.0.0.1:{results}", folder, daemon)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if made.ask("GET", "/texts")[0] == 200:
                    break
            except ConnectionError:
                time.sleep(0.1)
        yield made
    with suppress(ConfigError):  # what a daemon that was killed leaves
        runtime = load_runtime(runtime_folder(f"web{os.getpid()}"))
        runtime.remove()
        runtime.ring_path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def browser(scene: Scene) -> Iterator[Browser]:
    with Browser() as made:
        made.size(1280, 900)
        made.go(f"{scene.url}/#token={TOKENS['viewer']}")
        made.wait("document.querySelector('figure img')")
        yield made


def test_pictures_come_and_change_and_a_rejected_part_opens_by_the_keyboard(browser: Browser) -> None:
    first = browser.run("document.querySelector('figure').dataset.shown")
    browser.wait(f"document.querySelector('figure').dataset.shown !== '{first}'")
    assert browser.run("document.querySelector('figure img').naturalWidth") == 256
    browser.wait("document.querySelectorAll('.overlay .keypoint.visible').length === 4")
    browser.wait("document.querySelector('#verdict.NOT_OK .word')?.textContent === 'Not OK'")
    browser.wait("document.querySelector('#verdict.OK .disposition')?.textContent === 'Pass'")
    browser.wait("document.querySelector('#rejected img')?.naturalWidth > 0")
    browser.run("document.querySelector('#rejected button').focus()")
    browser.key("Enter")
    browser.wait("document.querySelector('#part-body figure img')?.naturalWidth === 256")
    body = browser.run("document.querySelector('#part').textContent")
    for words in ("Not OK", "width", "132.9", "126.000 … 130.000", "coarse", "visible"):
        assert words in body, words
    opened = browser.run("document.querySelector('#part-body').dataset.part")
    browser.key("ArrowRight")
    browser.wait(f"document.querySelector('#part-body').dataset.part !== '{opened}'")
    browser.key("Escape")
    browser.wait("!document.querySelector('#part').open")
    assert browser.run("document.activeElement.dataset.part")
    assert browser.run("document.querySelector('#yield').textContent").endswith("%")
    assert faults(browser) == []


def test_edges_are_drawn_where_they_were_found_in_the_view_that_shows_them(browser: Browser) -> None:
    drawn = browser.run(
        """import("/page/overlay.js").then(({ overlay }) => overlay({ lines: {}, result: { edges: [
            { name: "rim", view: "top", outline: [[10, 10.5], [20, 12]] },
            { name: "other", view: "side", outline: [[1, 2], [3, 4]] },
            { name: "lost", view: "top" } ] } }, "top", [0, 0, 100, 100]).outerHTML)"""
    )
    assert drawn.count("<polyline") == 1
    assert 'points="10,10.5 20,12"' in drawn
    assert ">rim</text>" in drawn


def test_a_page_that_is_not_looked_at_listens_to_nothing(browser: Browser) -> None:
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    hide += "document.dispatchEvent(new Event('visibilitychange'))"
    browser.run(hide % "true")
    time.sleep(0.3)
    shown = browser.run("document.querySelector('figure').dataset.shown")
    time.sleep(1.0)
    assert browser.run("document.querySelector('figure').dataset.shown") == shown
    browser.run(hide % "false")
    browser.wait(f"document.querySelector('figure').dataset.shown !== '{shown}'")


@pytest.mark.parametrize("width", [390, 1920])
def test_the_sign_in_page_stands_in_one_column(scene: Scene, width: int) -> None:
    with Browser() as stranger:
        stranger.size(width, 900)
        stranger.go(f"{scene.url}/")
        box = "document.querySelector('{}').getBoundingClientRect()"
        title, form = box.format("#title"), box.format("#form")
        assert stranger.run(f"{title}.bottom <= {form}.top && {title}.left === {form}.left")
        assert stranger.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_killed_camera_shows_soon_and_recovers(scene: Scene, browser: Browser) -> None:
    browser.wait("document.querySelector('#camera-top.well')")
    before = browser.run("document.querySelectorAll('#incidents .bad').length")
    os.kill(pid_of(scene, "grab.top"), signal.SIGKILL)
    browser.wait(  # how soon, benchmarks.page measures: tests share the machine
        f"document.querySelector('#camera-top.bad') || document.querySelectorAll('#incidents .bad').length > {before}",
        10.0,
    )
    browser.wait("document.querySelector('#camera-top.well')")
    shown = browser.run("document.querySelector('figure').dataset.shown")
    browser.wait(f"document.querySelector('figure').dataset.shown !== '{shown}'")
    assert "grab.top" in browser.run("document.querySelector('#incidents').textContent")


def test_who_may_do_what_and_it_is_written_down_who_did(scene: Scene) -> None:
    stop = {"what": "stop"}
    assert scene.ask("GET", "/events")[0] == 401
    assert scene.ask("GET", "/part/1-1", "viewer")[0] == 404
    assert scene.ask("POST", "/do", "viewer", stop, X_Datumd="1")[0] == 403
    assert scene.ask("POST", "/do", "operator", stop)[0] == 403  # as a page of another site would ask
    assert scene.ask("POST", "/do", "operator", {"what": "format"}, X_Datumd="1")[0] == 400
    assert scene.ask("POST", "/do", "operator", {"what": "select_recipe", "number": 9}, X_Datumd="1")[0] == 409
    assert scene.ask("POST", "/do", "operator", "x" * 100_000, X_Datumd="1")[0] == 400
    assert scene.ask("GET", "/page/..%2Fapp.py")[0] == 404
    assert scene.ask("POST", "/login", "", {"token": "nobody's"}, X_Datumd="1")[0] == 401
    assert scene.ask("GET", "/login")[0] == 307  # to the page, which signs in whoever is not
    assert scene.ask("POST", "/do", "operator", stop, X_Datumd="1")[0] == 200
    assert scene.ask("POST", "/do", "engineer", {"what": "start"}, X_Datumd="1")[0] == 200
    reader = JournalReader.open(scene.folder / "state")
    written = [(entry.peer, entry.what) for entry in reader.audits(10)]
    assert ("local: web oper", "stop") in written
    assert ("local: web engi", "start") in written


def test_an_engineer_draws_a_region_that_the_running_recipe_then_uses(scene: Scene, browser: Browser) -> None:
    assert scene.ask("GET", "/setup/frame/top", "operator")[0] == 403
    browser.run("fetch('/logout', {method: 'POST', headers: {'x-datumd': '1'}})")
    browser.go(f"{scene.url}/setup#token={TOKENS['engineer']}")
    browser.wait("document.querySelector('#setup:not([hidden])')")
    browser.go(f"{scene.url}/setup")
    browser.wait(
        "document.querySelector('#aim img')?.naturalWidth === 256 && document.querySelector('#histogram rect')"
    )
    edit = {"what": "save", "number": 1, "edits": [{"path": ["measure", "width", "tolerance"], "value": 9.0}]}
    assert scene.ask("POST", "/setup/do", "engineer", edit, X_Datumd="1")[0] == 409  # it is not being set up yet
    browser.run("document.querySelector('#switch').click()")
    browser.wait("document.body.classList.contains('is-setup')")
    assert scene.ask("POST", "/do", "operator", {"what": "start"}, X_Datumd="1")[0] == 403
    adjust = {"what": "adjust", "camera": "top", "features": {"ExposureTime": 5.0}}
    assert b"no features" in scene.ask("POST", "/setup/do", "engineer", adjust, X_Datumd="1")[1]
    browser.run("document.querySelector('#draw-region').click()")
    box = "document.querySelector('#aim svg').getBoundingClientRect()"
    left, top, width, height = (browser.run(f"{box}.{side}") for side in ("left", "top", "width", "height"))
    browser.mouse("mousePressed", left + 0.02 * width, top + 0.02 * height)
    browser.mouse("mouseMoved", left + 0.97 * width, top + 0.98 * height)
    browser.mouse("mouseReleased", left + 0.97 * width, top + 0.98 * height)
    browser.wait("document.querySelector('#changes code')")
    drawn = [int(browser.run(f"document.querySelector('#region-{side}').value")) for side in "xywh"]
    assert all(abs(one - meant) <= 2 for one, meant in zip(drawn, (5, 5, 243, 246), strict=True))
    browser.run("document.querySelector('#save').click()")
    browser.wait("document.querySelector('#written').textContent.includes('fixed')")
    leave = scene.ask("POST", "/setup/do", "engineer", {"what": "leave"}, X_Datumd="1")
    assert (leave[0], b'"is_unsealed":true' in leave[1]) == (409, True)  # the station would not start with it
    browser.run("document.querySelector('#seal').click()")
    until = time.monotonic() + 30
    while b"a recipe is being sealed" not in leave[1] and time.monotonic() < until:
        leave = scene.ask("POST", "/setup/do", "engineer", {"what": "leave"}, X_Datumd="1")
    assert leave[0] == 409
    seal = {"what": "seal", "number": 1}
    assert b"something else is being done" in scene.ask("POST", "/setup/do", "engineer", seal, X_Datumd="1")[1]
    assert scene.ask("POST", "/do", "operator", {"what": "stop"}, X_Datumd="1")[0] == 200  # waits for no seal
    assert scene.ask("POST", "/setup/do", "engineer", {"what": "enter"}, X_Datumd="1")[0] == 200  # stop ends set-up
    browser.wait("document.querySelector('#written').textContent.includes('configuration')", 60)
    browser.run("document.querySelector('#switch').click()")
    browser.wait("!document.body.classList.contains('is-setup')")
    assert scene.ask("POST", "/do", "operator", {"what": "start"}, X_Datumd="1")[0] == 200
    with Subscription(scene.results, replay=False) as subscription:
        regions = (result.views[0].region for result in subscription.results(30.0) if result.keypoints)
        used = next(region for region in regions if region and region[0] != 0)
    assert used == pytest.approx(drawn, abs=4)  # it is as wide as the networks' images are
    audits = JournalReader.open(scene.folder / "state").audits(20)
    notes = " ".join(entry.after for entry in audits if entry.what == "note" and entry.peer == "local: web engi")
    assert f"view.top.locate.fixed = {drawn}" in notes
    assert faults(browser) == []


def test_a_station_that_is_gone_shows(scene: Scene, browser: Browser) -> None:
    browser.go(f"{scene.url}/")
    browser.wait("document.body.dataset.shown && document.querySelector('#banner').hidden")
    os.kill(scene.daemon.pid, signal.SIGKILL)
    browser.wait("!document.querySelector('#banner').hidden && document.body.classList.contains('stale')", 10.0)


def faults(browser: Browser) -> list[str]:
    """What the page's scripts did wrong; a picture that is not there yet, or no more, or for whom has logged out, is none."""
    return [words for words in browser.told if "(Not Found)" not in words and "(Unauthorized)" not in words]


def pid_of(scene: Scene, name: str) -> int:
    """The process of this daemon."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "worker" in words and name in words and words[words.index("--parent") + 1] == str(scene.daemon.pid):
            return int(folder.name)
    raise AssertionError(f"no process {name}")

"""Headless Chromium for tests, spoken to over two pipes (Chrome DevTools Protocol): nothing to install beside the browser."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LIMIT_S = 30.0


class Browser:
    """A browser with one page. Use as a context manager."""

    def __init__(self) -> None:
        program = shutil.which("chromium")
        assert program is not None, "needs the Debian package chromium"
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        ends = [*os.pipe(), *os.pipe()]
        to_browser, self._out, self._in, from_browser = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 64) for end in ends)
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio",
            "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--disable-sync", "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}",
        ]  # fmt: skip

        def place_pipes() -> None:
            os.dup2(to_browser, 3)
            os.dup2(from_browser, 4)

        self._child = subprocess.Popen(
            [program, *options, "about:blank"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=place_pipes,  # noqa: PLW1509 - nothing but two dup2
        )  # fmt: skip
        for descriptor in (to_browser, from_browser, *ends):  # until now they kept 3 and 4 from being anything else
            os.close(descriptor)
        self._received = b""
        self._number = 0
        self._session = ""
        self.told: list[str] = []  # errors of the page's scripts, and what it could not load
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def size(self, width: int, height: int, scale: float = 1.0, *, dark: bool = False, phone: bool = False) -> None:
        """What screen it has."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])

    def go(self, url: str) -> None:
        """Go there and wait until it is loaded. Where that takes long, once more, as whoever looks would press reload.

        On a busy machine one load in some hundred never ended; why is not known.
        """
        loaded = "document.readyState === 'complete' && location.href !== 'about:blank'"
        self._ask("Page.navigate", url=url)
        try:
            self.wait(loaded, LIMIT_S / 2)
        except AssertionError:
            self._ask("Page.navigate", url=url)
            self.wait(loaded)

    def run(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """The value of an expression (of what it promises)."""
        said = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise AssertionError(f"{script}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def wait(self, script: str, limit_s: float = LIMIT_S) -> float:
        """Until the expression is true; returns how long it took, in s."""
        begun = time.monotonic()
        while time.monotonic() - begun < limit_s:
            try:
                if self.run(f"Boolean({script})"):  # an element has no value that could be told
                    return time.monotonic() - begun
            except AssertionError as error:  # of a document that is being replaced
                if "context" not in str(error).lower():
                    raise
            time.sleep(0.02)
        raise AssertionError(f"after {limit_s} s not so: {script}; {self.told}")

    def key(self, name: str) -> None:
        """Press a key: Tab, Enter, Escape, ArrowRight …"""
        text = {"text": "\r"} if name == "Enter" else {}
        code = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37}[name]
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **text)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """mousePressed, mouseMoved or mouseReleased of the left button, in px of the page."""
        self._ask(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1, pointerType="mouse"
        )

    def picture(self, path: Path, kind: str = "png", quality: int = 80) -> None:
        """A picture of what is seen."""
        options: dict[str, object] = {} if kind == "png" else {"quality": quality}
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format=kind, **options)["data"]))

    def _ask(self, method: str, **values: object) -> dict[str, Any]:
        self._number += 1
        request: dict[str, object] = {"id": self._number, "method": method, "params": values}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._out, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            message = self._message(until)
            if message.get("id") == self._number:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)
        raise AssertionError(f"the browser does not answer {method}")

    def _note(self, message: dict[str, Any]) -> None:
        values = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.told.append(str(details.get("exception", {}).get("description", details["text"])))
        elif message.get("method") == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.told.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")

    def _message(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            if not select.select([self._in], [], [], max(0.0, until - time.monotonic()))[0]:
                return {}
            chunk = os.read(self._in, 1 << 20)
            assert chunk, "the browser has ended"
            self._received += chunk
        text, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def close(self) -> None:
        """End it, and all that it has started."""
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        os.close(self._out)
        os.close(self._in)
        self._profile.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

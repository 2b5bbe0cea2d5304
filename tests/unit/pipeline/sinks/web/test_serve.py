"""The server without a station behind it: who is let in, over HTTP and HTTPS."""

import http.client
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra web; next: pip install 'datumd[web]'")
pytest.importorskip("uvicorn", reason="needs the extra web; next: pip install 'datumd[web]'")

from pipeline.camera_settings import SyntheticSettings
from pipeline.config import Station
from pipeline.errors import AlreadyRunning, ConfigError
from pipeline.runtime import Runtime
from pipeline.sinks.web.access import Access, check_certificate
from pipeline.sinks.web.app import Page
from pipeline.sinks.web.board import Board
from pipeline.sinks.web.gallery import Gallery
from pipeline.sinks.web.hub import Hub
from pipeline.sinks.web.serve import served
from pipeline.sinks.web.setup import Workbench
from pipeline.web_settings import WebSettings

TOKEN = "anna-token-0123456"  # noqa: S105 - of a test


def page_of(folder: Path, settings: WebSettings) -> Page:
    station = Station(format=1, station="L3", recipes=str(folder), camera={"top": SyntheticSettings()}, web=settings)
    runtime = Runtime(station, str(folder), str(folder), [])
    hub, gallery = Hub(), Gallery()
    board = Board(hub, gallery, "en", {})
    access = Access(Path(settings.tokens) if settings.tokens else None)
    return Page(runtime, settings, access, hub, board, gallery, Workbench(runtime, board))


def answer(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


def test_without_tokens_a_browser_of_this_machine_may_look_and_a_page_of_another_name_may_not(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    page = page_of(tmp_path, WebSettings(bind=f"127.0.0.1:{port}"))
    with served(page):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        code, headers = answer(connection, "/", Host=f"localhost:{port}")
        assert code == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert answer(connection, "/", Host="rebound.example")[0] == 403
        assert answer(connection, "/setup/frame/top")[0] == 403
        assert answer(connection, "/picture/top/1")[0] == 404
        assert answer(connection, "/part/%C3%A9%00", Cookie="datumd=\u00e9|x")[0] == 404
        with pytest.raises(AlreadyRunning, match=r"web\.bind"), served(page):
            pass
        connection.close()


def test_who_asks_only_whether_he_may_listen_keeps_his_connection(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """A browser sends its next request over the connection of a HEAD: it would wait for the end of events for ever."""
    port = free_port()
    with served(page_of(tmp_path, WebSettings(bind=f"127.0.0.1:{port}"))):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("HEAD", "/events")
        response = connection.getresponse()
        response.read()
        assert response.status == 200
        assert answer(connection, "/texts")[0] == 200
        connection.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl; next: apt-get install openssl")
def test_with_a_certificate_it_speaks_https_and_one_that_does_not_fit_is_refused(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    certificate, key, tokens = tmp_path / "page.pem", tmp_path / "page.key", tmp_path / "tokens"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=l3",
         "-days", "2", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    tokens.write_text(f"viewer anna {TOKEN}\n")
    tokens.chmod(0o600)
    port = free_port()
    settings = WebSettings(f"127.0.0.1:{port}", str(tokens), str(certificate), str(key))
    check_certificate(settings)
    with pytest.raises(ConfigError, match="cannot be used"):
        check_certificate(WebSettings(certificate=str(key), key=str(certificate)))
    with served(page_of(tmp_path, settings)):
        trusting = ssl.create_default_context(cafile=str(certificate))
        trusting.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting)
        assert answer(connection, "/picture/top/1")[0] == 401
        assert answer(connection, "/picture/top/1", Authorization=f"Bearer {TOKEN}")[0] == 404
        connection.close()

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.sinks.web.access import ANYBODY, NOBODY, Access, Role, read_people
from pipeline.web_settings import WebSettings

PEOPLE = "# the line\nviewer wall wall-token-0123456\n\nengineer anna anna-token-0123456\n"


def tokens(folder: Path, text: str = PEOPLE, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_token_and_the_cookie_given_for_it_name_the_same_person(tmp_path: Path) -> None:
    access = Access(tokens(tmp_path))
    anna = access.by_token("anna-token-0123456")
    assert (anna.name, anna.role) == ("anna", Role.engineer)
    assert access.by_cookie(access.cookie(anna)) == anna
    assert "anna-token" not in access.cookie(anna)
    assert access.by_token("anna-token-012345") == access.by_cookie("") == access.by_cookie("anna|9|x|é") == NOBODY


def test_a_cookie_lies_about_no_name_and_no_time(tmp_path: Path) -> None:
    access = Access(tokens(tmp_path))
    name, until, seal = access.cookie(access.by_token("wall-token-0123456")).split("|")
    assert access.by_cookie(f"anna|{until}|{seal}") == NOBODY
    assert access.by_cookie(f"{name}|{int(until) + 1}|{seal}") == NOBODY
    assert access.by_cookie(f"{name}|1|{seal}") == NOBODY


def test_who_is_struck_off_is_out_at_once_and_a_broken_file_lets_nobody_in(tmp_path: Path) -> None:
    access = Access(tokens(tmp_path))
    cookie = access.cookie(access.by_token("wall-token-0123456"))
    assert access.by_cookie(cookie).role is Role.viewer
    tokens(tmp_path, "engineer anna anna-token-0123456\n")
    assert access.by_cookie(cookie) == NOBODY
    tokens(tmp_path, "engineer anna\n")
    assert access.by_token("anna-token-0123456") == NOBODY
    tokens(tmp_path, PEOPLE + " \n")
    assert access.by_cookie(cookie).role is Role.viewer


def test_without_tokens_whoever_comes_may_look_and_no_more() -> None:
    access = Access(None)
    assert access.by_cookie("anything") == ANYBODY
    assert ANYBODY.role is Role.viewer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("boss anna anna-token-0123456\n", "line 1"),
        ("viewer anna short\n", "16 at least"),
        ("viewer a aaaaaaaaaaaaaaaa\nviewer a bbbbbbbbbbbbbbbb\n", "twice"),
        ("viewer a aaaaaaaaaaaaaaaa\nviewer b aaaaaaaaaaaaaaaa\n", "twice"),
        ("# nobody\n", "nobody"),
        ("\xff\0\n", "line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_people(tokens(tmp_path, text))


def test_tokens_that_others_may_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="others may read"):
        Access(tokens(tmp_path, mode=0o640))


def test_beyond_the_loopback_tokens_and_a_certificate_are_needed() -> None:
    WebSettings(bind="127.0.0.1:80").check("station.toml")
    for settings in (WebSettings(bind="0.0.0.0:80"), WebSettings(bind="10.0.0.1:80", tokens="t")):
        with pytest.raises(ConfigError, match=r"web\.bind"):
            settings.check("station.toml")
    WebSettings(bind="10.0.0.1:443", tokens="t", certificate="c", key="k").check("station.toml")
    with pytest.raises(ConfigError, match=r"web\.key"):
        WebSettings(certificate="c").check("station.toml")


def test_what_is_advised_against_open_tokens_helps(tmp_path: Path) -> None:
    access = Access(tokens(tmp_path))
    path = tokens(tmp_path, PEOPLE + "\n", mode=0o644)
    assert access.by_token("anna-token-0123456") == NOBODY
    path.chmod(0o600)
    assert access.by_token("anna-token-0123456").name == "anna"

"""What the documents name exists: files, make targets and commands."""

import argparse
import importlib
import re
import tomllib
from pathlib import Path

import pytest

from pipeline.cli import OWN_COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def commands() -> set[str]:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["datumd.commands"]
    subparsers = argparse.ArgumentParser().add_subparsers()
    for module in OWN_COMMANDS:
        importlib.import_module(f"pipeline.commands.{module}").add_parser(subparsers)
    return {
        *subparsers.choices,
        *(name.rpartition(".")[2].removesuffix("_command").replace("_", "-") for name in points),
    }


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


def test_named_files_exist(document: Path) -> None:
    folders = "pipeline|engines|calibration|training|simulator|examples|systemd|monitoring|benchmarks|docs|tests"
    named = re.findall(rf"`((?:{folders})/[\w@./-]*)`", document.read_text())
    assert not [name for name in named if not (ROOT / name).exists()]


def code_of(document: Path) -> str:
    """The fenced blocks and the `inline` code of a document."""
    text = document.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", prose)])


def test_make_targets_exist(document: Path) -> None:
    assert set(re.findall(r"^make ([a-z-]+)", code_of(document), flags=re.MULTILINE)) <= TARGETS


def test_commands_exist(document: Path) -> None:
    assert set(re.findall(r"(?:^|bin/)datumd ([a-z][a-z-]*)", code_of(document), flags=re.MULTILINE)) <= commands()

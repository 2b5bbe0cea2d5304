"""The promises of pyproject.toml: what is shipped, under which names, and with which pins."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("pipeline", "engines", "calibration", "training", "simulator")


def packages_in(folder: str) -> set[str]:
    return {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / folder).rglob("__init__.py")}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_is_listed() -> None:
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == set().union(*map(packages_in, FOLDERS))


def test_every_folder_with_modules_is_a_package() -> None:
    modules = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    assert not {file.parent for file in modules if not (file.parent / "__init__.py").exists()}


def test_every_top_level_package_has_a_layer() -> None:
    top = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    contracts = PYPROJECT["tool"]["importlinter"]
    assert set(contracts["root_packages"]) == top
    layers = next(contract for contract in contracts["contracts"] if contract["id"] == "folders")["layers"]
    assert set(layers) == top


def test_no_other_distribution_provides_our_import_names() -> None:
    owners = metadata.packages_distributions()
    taken = {name: set(owners[name]) - {"datumd"} for name in FOLDERS if name in owners}
    assert taken, "datumd is not installed here; next: make setup"
    assert not {name: others for name, others in taken.items() if others}


def test_every_installed_requirement_is_pinned_as_installed() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    waiting = [*project["dependencies"], *extras["train"], *extras["dev"]]
    seen: dict[str, str] = {}
    while waiting:
        requirement = waiting.pop()
        name = canonical(re.match(r"[\w.-]+", requirement).group())  # type: ignore[union-attr]  # a name is always there
        if name in seen or "extra ==" in requirement:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # wanted on another platform only
        seen[name] = distribution.version.split("+")[0]
        waiting += distribution.requires or []
    assert len(seen) > len(project["dependencies"])
    assert {name: pins.get(name) for name in seen} == seen


def test_each_command_named_by_an_entry_point_is_a_module() -> None:
    for name, module in PYPROJECT["project"]["entry-points"]["datumd.commands"].items():
        assert name == module
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), f"{module} is missing"

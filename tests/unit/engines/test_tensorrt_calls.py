"""Every call of ours, and every name of the stand-in, is in the bindings of TensorRT 10 and 11."""

import ast
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from engines import build
from engines.backends import tensorrt
from tests import tensorrt_stand_in

SIGNATURES = Path(__file__).with_name("tensorrt_signatures.txt")
VERSIONS = ("10", "11")
# What our variables hold. A variable of the library's that is not named here is found by the count below.
CLASSES = {
    "builder": "Builder",
    "parser": "OnnxParser",
    "fault": "ParserError",
    "config": "IBuilderConfig",
    "batches": "IOptimizationProfile",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "_engine": "ICudaEngine",
    "_runtime": "Runtime",
    "Monitor": "IProgressMonitor",
}
MODULES = {"trt", "_trt", "library"}
OF_THE_MODULE = {
    "Logger", "Builder", "OnnxParser", "Runtime", "IProgressMonitor", "NetworkDefinitionCreationFlag", "BuilderFlag",
    "TensorIOMode", "ExecutionContextAllocationStrategy", "nptype", "__version__",
}  # fmt: skip


@cache
def signatures(version: str) -> dict[str, list[tuple[int, int] | None]]:
    """Name to how many arguments it takes at least and at most; None of a property or value."""
    found: dict[str, list[tuple[int, int] | None]] = {}
    for line in SIGNATURES.read_text().splitlines():
        if line.startswith("#"):
            continue
        text, versions = line.split("\t")
        if version not in versions.split():
            continue
        name, is_call, arguments = text.partition("(")
        names = [one for one in arguments.rstrip(")").split(", ") if one]
        range_ = (sum(not one.endswith("=") for one in names), len(names)) if is_call else None
        found.setdefault(name, []).append(range_)
    return found


def uses(module: ModuleType) -> list[tuple[str, int | None]]:
    """`Class.attribute` and the number of arguments of the call, None where it is not called."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    calls = {id(node.func): len(node.args) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        base = node.value
        name = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
        if name in CLASSES:
            found.append((f"{CLASSES[name]}.{node.attr}", calls.get(id(node))))
        elif isinstance(base, ast.Attribute) and ast.unparse(base.value).split(".")[-1] in MODULES:
            found.append((f"{base.attr}.{node.attr}", calls.get(id(node))))  # trt.BuilderFlag.TF32
        elif name in MODULES:
            found.append((node.attr, calls.get(id(node))))
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("module", "least"), [(tensorrt, 16), (build, 18)], ids=["tensorrt", "build"])
def test_each_call_is_in_the_bindings(module: ModuleType, least: int, version: str) -> None:
    known = signatures(version)
    everything = uses(module)
    found = [(name, arguments) for name, arguments in everything if name not in OF_THE_MODULE]
    found += [
        (f"{name}.__init__", arguments) for name, arguments in everything if f"{name}.__init__" in known and arguments
    ]
    assert len(set(found)) >= least
    for name, arguments in found:
        if name == "IProgressMonitor.__init__":
            continue  # called with self
        assert name in known, f"TensorRT {version} has no {name}"
        if arguments is not None:
            assert any(range_ and range_[0] <= arguments <= range_[1] for range_ in known[name]), f"{name}: {arguments}"


def test_a_call_that_is_gone_would_be_noticed() -> None:
    assert "IBuilderConfig.set_calibration_profile" not in signatures("11")
    assert "BuilderFlag.FP16" in signatures("10")
    assert "BuilderFlag.FP16" not in signatures("11")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_monitor_takes_what_the_library_gives(version: str) -> None:
    tree = ast.parse(Path(str(build.__file__)).read_text())
    (monitor,) = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Monitor")
    for method in monitor.body:
        assert isinstance(method, ast.FunctionDef)
        taken = len(method.args.args) - 1
        assert signatures(version)[f"IProgressMonitor.{method.name}"] == [(taken, taken)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("stand_in", "name"),
    [
        (tensorrt_stand_in._Builder, "Builder"),
        (tensorrt_stand_in._Config, "IBuilderConfig"),
        (tensorrt_stand_in._Profile, "IOptimizationProfile"),
        (tensorrt_stand_in._Engine, "ICudaEngine"),
        (tensorrt_stand_in._Context, "IExecutionContext"),
        (tensorrt_stand_in._Parser, "OnnxParser"),
    ],
)
def test_the_stand_in_offers_nothing_else(stand_in: type, name: str, version: str) -> None:
    methods = {method for method in vars(stand_in) if not method.startswith("_")}
    assert methods
    for method in methods:
        ranges = signatures(version).get(f"{name}.{method}")
        assert ranges, f"TensorRT {version} has no {name}.{method}"
        taken = getattr(stand_in, method).__code__.co_argcount - 1
        assert any(range_ and range_[0] <= taken <= range_[1] for range_ in ranges)

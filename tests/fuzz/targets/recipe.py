"""A recipe folder: recipe.toml, visibility.toml, recipe.lock and the network's card."""

import hashlib
import json
import random
from collections.abc import Hashable
from pathlib import Path

from engines.spec import NetworkSpec
from pipeline.errors import NetworkError, RecipeError
from pipeline.network import METADATA_KEY, CoarseCard, RefineCard, read_card
from pipeline.recipe import load_recipe
from pipeline.recipe_file import read_recipe_file
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from tests.fuzz import workspace
from tests.fuzz.mutation import vary_json, vary_toml
from tests.fuzz.target import Target, refused

SPLIT = b"\n#####\n"
FILES = ("recipe.toml", "top/visibility.toml", "recipe.lock", "card")


def execute(data: bytes) -> Hashable:
    """Load it sealed and unsealed, with the right hashes in the lock, so that what lies behind them is reached."""
    parts = (data.split(SPLIT, len(FILES) - 1) + [b""] * len(FILES))[: len(FILES)]
    folder = workspace.folder("recipe")
    (folder / "top").mkdir(exist_ok=True)
    (folder / "top/coarse.onnx").write_bytes(b"")
    for name, content in zip(FILES[:2], parts, strict=False):
        (folder / name).write_bytes(content)
    (folder / "recipe.lock").write_bytes(_with_hashes(parts[2], folder))
    return _loaded(folder, sealed=True), _loaded(folder, sealed=False), _written(folder), _card(parts[3])


def _loaded(folder: Path, *, sealed: bool) -> Hashable:
    try:
        recipe = load_recipe(folder, sealed=sealed)
    except RecipeError as error:
        return refused(error)
    return "good", len(recipe.views), len(recipe.file.measure), len(recipe.file.zone), recipe.warnings


def _written(folder: Path) -> Hashable:
    """recipe.toml alone, whatever views it has."""
    try:
        file = read_recipe_file(folder / "recipe.toml")
    except RecipeError as error:
        return refused(error)
    for view in file.view:
        assert (folder / view).resolve().parent == folder.resolve(), f"view {view!r} lies elsewhere"
    return "good", len(file.measure)


def _card(text: bytes) -> Hashable:
    found = []
    for role in (CoarseCard, RefineCard, SegmentEncoderCard, SegmentDecoderCard):
        spec = NetworkSpec((), (), "", {METADATA_KEY: text.decode("utf-8", "surrogateescape")})
        try:
            read_card(spec, role, Path("net.onnx")).tensors()
            found.append(("good",))
        except NetworkError as error:
            found.append(refused(error))
    return tuple(found)


def _with_hashes(text: bytes, folder: Path) -> bytes:
    try:
        lock = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(lock, dict) or not isinstance(lock.get("files"), dict):
        return text
    for name in (*FILES[:2], "top/coarse.onnx"):
        if name in lock["files"]:
            lock["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return json.dumps(lock).encode("utf-8", "surrogatepass")


def vary(data: bytes, rng: random.Random) -> bytes:
    """Vary one of the files."""
    parts = data.split(SPLIT)
    place = rng.randrange(len(parts))
    parts[place] = (vary_toml if place < 2 else vary_json)(parts[place], rng)
    return SPLIT.join(parts)


TARGET = Target("recipe", execute, vary)

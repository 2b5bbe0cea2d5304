"""A view of a recipe with other networks in place of its own, run as the station runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from engines.engine import Engine, Tensors
from engines.spec import NetworkSpec
from pipeline.inspector import Inspector
from pipeline.keypoint_stages import load_keypoint_stages
from pipeline.network import Card, Network, load_network
from pipeline.parity import REFERENCE
from pipeline.recipe import Recipe
from pipeline.stages.locate import make_locate
from pipeline.view_stages import ViewStages


def load_trial(
    recipe: Recipe, view: str, networks: Mapping[Path, Path], record: dict[Path, list[Tensors]] | None = None
) -> Inspector:
    """An inspector of one view.

    Args:
        recipe: whose view it is.
        view: its name.
        networks: the recipe's network to the file that is run instead; those that are not named stay.
        record: gets, for each of the recipe's networks, a copy of whatever it is asked.

    Raises:
        NetworkError: a file cannot be run, or does not fit its place.
    """

    def load(path: Path, role: type[Card]) -> Network[Card]:
        network = load_network(networks.get(path, path), role, backend=REFERENCE)
        if record is None:
            return network
        return replace(network, engine=_Recorder(network.engine, record.setdefault(path, [])))

    files = recipe.views[view]
    stages = load_keypoint_stages(files, files.settings.keypoints, load)
    return Inspector(recipe, {view: ViewStages(files, make_locate(files.settings.locate, view, stages.device), stages)})


class _Recorder:
    """An engine that keeps what it is asked."""

    def __init__(self, engine: Engine, kept: list[Tensors]) -> None:
        self._engine, self._kept = engine, kept

    @property
    def spec(self) -> NetworkSpec:
        return self._engine.spec

    @property
    def backend(self) -> str:
        return self._engine.backend

    def warm_up(self, batch: int) -> None:
        self._engine.warm_up(batch)

    def run(self, inputs: Tensors) -> Tensors:
        self._kept.append({name: array.copy() for name, array in inputs.items()})
        return self._engine.run(inputs)

    def close(self) -> None:
        self._engine.close()

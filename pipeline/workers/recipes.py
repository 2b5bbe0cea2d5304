"""Which recipe the station inspects by: loaded by every infer worker at its start, selected by number at a part boundary."""

from dataclasses import dataclass, field

import msgspec

from pipeline.ledger.journal import Journal
from pipeline.messages import LoadedRecipe
from pipeline.requests import RecipeEntry
from pipeline.selection import Selection, starting_recipe

SETTING = "recipe"


@dataclass(slots=True)
class Recipes:
    """The recipes that infer has, and the selected one, which outlives the daemon (see `selection`)."""

    journal: Journal
    configured: int | None
    loaded: dict[int, LoadedRecipe]
    selected: int = 0
    fault: str = ""

    def greet(self, recipes: list[LoadedRecipe]) -> None:
        """An infer worker has said what it has loaded."""
        self.loaded.clear()
        self.loaded.update((recipe.number, recipe) for recipe in recipes)
        if not self.selected:
            self.selected = starting_recipe(recipes, self.configured, self._remembered())
            
    def select(self, number: int) -> str:
        """Returns "" or why the number cannot be selected; the old one stays then, and the fault until a good selection."""
        recipe = self.loaded.get(number)
        if recipe is None:
            self.fault = f"there is no recipe {number}"
        elif recipe.fault:
            self.fault = f"recipe {number}: {recipe.fault}"
        else:
            self.fault = ""
            self.selected = number
            self.journal.set_setting(SETTING, msgspec.json.encode(Selection(number, self.configured)).decode())
        return self.fault

    def entries(self) -> list[RecipeEntry]:
        """All of them, by number."""
        return [
            RecipeEntry(number, recipe.name, number == self.selected, recipe.configuration_id, recipe.fault)
            for number, recipe in sorted(self.loaded.items())
        ]

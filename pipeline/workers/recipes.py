"""Which recipe the station inspects by: loaded by every infer worker at its start, selected by number at a part boundary."""

from dataclasses import dataclass

from pipeline import selection
from pipeline.ledger.journal import Journal
from pipeline.messages import LoadedRecipe
from pipeline.requests import RecipeEntry


@dataclass(slots=True)
class Recipes:
    """The recipes that infer has, and the selected one, which outlives the daemon (see `selection`).

    Attributes:
        configured: the station file's `recipe`.
        loaded: by number, as the last infer worker that said its hello told them.
        selected: 0 before the first hello.
        fault: why the last selection was refused; "" after a good one.
    """

    journal: Journal
    configured: int | None
    loaded: dict[int, LoadedRecipe]
    selected: int = 0
    fault: str = ""

    def greet(self, recipes: list[LoadedRecipe]) -> None:
        """An infer worker has said what it has loaded."""
        self.loaded.clear()
        self.loaded.update((recipe.number, recipe) for recipe in recipes)
        if self.selected:
            return
        kept = self.journal.setting(selection.SETTING)
        if selection.is_void(kept, self.configured):
            self.journal.set_setting(selection.SETTING, "")
        good = [recipe.number for recipe in recipes if not recipe.fault]
        wanted = selection.recipe_number(kept, self.configured)
        if wanted is not None and wanted not in good:
            self.fault = self._refusal(wanted)
            wanted = self.configured
        self.selected = wanted if wanted in good else good[0]

    def select(self, number: int) -> str:
        """Returns "" or why the number cannot be selected; the old one stays then, and the fault, until a good selection."""
        self.fault = self._refusal(number)
        if not self.fault:
            self.selected = number
            self.journal.set_setting(selection.SETTING, selection.remember(number, self.configured))
        return self.fault

    def entries(self) -> list[RecipeEntry]:
        """All of them, by number."""
        return [
            RecipeEntry(number, recipe.name, number == self.selected, recipe.configuration_id, recipe.fault)
            for number, recipe in sorted(self.loaded.items())
        ]

    def _refusal(self, number: int) -> str:
        recipe = self.loaded.get(number)
        if recipe is None:
            numbers = ", ".join(str(known) for known in sorted(self.loaded))
            return f"there is no recipe {number} (there are {numbers or 'none yet'})"
        return f"recipe {number} cannot be selected: {recipe.fault}" if recipe.fault else ""

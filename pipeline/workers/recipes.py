"""Which recipe the station inspects by: loaded by every infer worker at its start, selected by number at a part boundary."""

from collections.abc import Sequence

from pipeline import selection
from pipeline.ledger.journal import Journal
from pipeline.ledger.masters import Masters
from pipeline.ledger.purposes import Purposes
from pipeline.messages import LoadedRecipe
from pipeline.requests import RecipeEntry


class Recipes:
    """The recipes that infer has, and the selected one, which outlives the daemon (see `selection`).

    Attributes:
        loaded: by number, as the last infer worker that said its hello told them; empty before the first.
        selected: its number; it may be none that infer has, and its parts are then answered without a verdict.
    """

    def __init__(
        self, journal: Journal, configured: int | None, loaded: dict[int, LoadedRecipe], shifts: Sequence[str]
    ) -> None:
        """`configured` is the station file's `recipe`, `shifts` when they start; `loaded` is filled by the hellos."""
        self.loaded = loaded
        self._journal = journal
        self._configured = configured
        self._told: list[LoadedRecipe] = []
        self._refusal = ""
        self.purposes = Purposes(journal)
        self.masters = Masters(journal, journal.ring_id, shifts)
        kept = journal.setting(selection.SETTING)
        if selection.is_void(kept, configured):
            journal.set_setting(selection.SETTING, "")
        self.selected = selection.recipe_number(kept, configured) or 0

    @property
    def fault(self) -> str:
        """Why parts are not inspected by the recipe that is wanted: the selected one is none, or the last request was refused."""
        return self._refusal or (self._fault_of(self.selected) if self.loaded else "")

    @property
    def current(self) -> LoadedRecipe | None:
        """The selected one, where infer has it."""
        return self.loaded.get(self.selected)

    def greet(self, recipes: list[LoadedRecipe]) -> None:
        """An infer worker has said what it has loaded."""
        self._told = recipes
        self.loaded.clear()
        self.loaded.update((recipe.number, recipe) for recipe in recipes)

    def select(self, number: int) -> str:
        """Returns "" or why the number cannot be selected; the old one stays then, and the fault, until a good selection."""
        self._refusal = self._fault_of(number)
        if not self._refusal:
            if number != self.selected:
                self.masters.changed(self.loaded[number])
            self.selected = number
            self._journal.set_setting(selection.SETTING, selection.remember(number, self._configured))
        return self._refusal

    def entries(self) -> list[RecipeEntry]:
        """All of them, by number."""
        return [
            RecipeEntry(
                recipe.number,
                recipe.name,
                recipe is self.loaded.get(self.selected),
                recipe.configuration_id,
                recipe.fault,
            )
            for recipe in self._told
        ]

    def _fault_of(self, number: int) -> str:
        recipe = self.loaded.get(number)
        if recipe is None:
            numbers = ", ".join(str(known) for known in sorted(self.loaded) if known >= 0)
            return f"there is no recipe {number} (there are {numbers or 'none yet'})"
        return f"recipe {number} cannot be selected: {recipe.fault}" if recipe.fault else ""

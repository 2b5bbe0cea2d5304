"""Masters: which are due, what was found of them, and whether what they measure drifts. Kept in the journal."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from pipeline.ledger.drift import Chart
from pipeline.ledger.purposes import Settings
from pipeline.messages import LoadedRecipe
from pipeline.recipe_masters import MastersSettings
from pipeline.result import Evaluation, Result
from pipeline.result_text import reason_text
from pipeline.shift import shift_starts
from pipeline.status import MasterReport, MastersReport

SETTING = "masters"  # its name among the journal's settings
DUE = "masters_due"
CLOCK_NS = 60_000_000_000  # by so much a clock may be set back without masters being due


class Shown(msgspec.Struct):
    """What is known of the masters of one recipe.

    Attributes:
        configuration_id: of the recipe that they were inspected by.
        ring_id: of the daemon's run.
        passed: part id to when it was found to be what it is, UTC ns.
        failed: part id to what was found instead.
        charts: part id to a chart for each of its measurements.
    """

    configuration_id: str = ""
    ring_id: int = 0
    passed: dict[str, int] = {}
    failed: dict[str, str] = {}
    charts: dict[str, dict[str, Chart]] = {}


class Masters:
    """The masters of every recipe of the station; of recipes without any nothing is due."""

    def __init__(self, settings: Settings, ring_id: int, shifts: Sequence[str]) -> None:
        """Go on with what the last ledger knew. `ring_id` is another one after each start of the daemon; `shifts` "06:00"."""
        self._settings, self._ring_id, self._shifts = settings, ring_id, shifts
        try:
            self._shown = msgspec.json.decode(settings.setting(SETTING) or "{}", type=dict[int, Shown])
        except msgspec.DecodeError:
            self._shown = {}

    def changed(self, recipe: LoadedRecipe) -> None:
        """Another recipe than before is selected."""
        if recipe.masters is not None and "recipe_change" in recipe.masters.due:
            self._of(recipe).passed.clear()
            self._keep()

    def is_master(self, recipe: LoadedRecipe | None, part_id: str) -> bool:
        """Whether a part with this id is one of the recipe's masters."""
        return recipe is not None and recipe.masters is not None and part_id in recipe.masters.parts

    def observe(self, recipe: LoadedRecipe, result: Result, utc_ns: int) -> str:
        """A master was inspected. Returns how it is not what it must be; "" where it is."""
        masters = recipe.masters
        if masters is None or result.part_id not in masters.parts:
            return ""
        shown, part = self._of(recipe), result.part_id
        fault = _fault(masters, result)
        shown.passed.pop(part, None)
        shown.failed.pop(part, None)
        if fault:
            shown.failed[part] = fault
        else:
            shown.passed[part] = utc_ns
        if result.result_evaluation is Evaluation.OK and masters.drift and not fault:
            charts = shown.charts.setdefault(part, {})
            for one in result.measurements:
                if one.value is not None:
                    charts.setdefault(one.name, Chart()).add(one.value, one.sigma)
        self._keep()
        return fault

    def due(self, recipe: LoadedRecipe | None, utc_ns: int, *, in_grace: bool = False) -> list[str]:
        """Masters that must be inspected now; with `in_grace` only those without which nothing passes any more."""
        if recipe is None or recipe.masters is None:
            return []
        since = _since(recipe.masters, self._shifts, utc_ns, in_grace=in_grace)
        passed = self._of(recipe).passed
        until = utc_ns + CLOCK_NS  # what was shown after that was shown by another clock
        return [part for part in recipe.masters.parts if not since <= passed.get(part, -1) <= until]

    def fault(self, recipe: LoadedRecipe | None, utc_ns: int) -> str:
        """Why no part passes; "" where all masters are as they must be."""
        missing = self.due(recipe, utc_ns, in_grace=True)
        if recipe is None or not missing:
            return ""
        failed = self._of(recipe).failed
        told = [f"{part} ({failed[part]})" if part in failed else part for part in missing]
        return f"masters are due: {', '.join(told)} (next: datumd trigger --part-id ID, with the master in place)"

    def alarms(self, recipe: LoadedRecipe | None) -> list[str]:
        """What drifts, a line for each measurement."""
        if recipe is None or recipe.masters is None or not recipe.masters.drift:
            return []
        found = []
        for part, charts in self._of(recipe).charts.items():
            alarms = {name: chart.alarm(recipe.masters.drift) for name, chart in charts.items()}
            found += [f"{part} {name} {alarm}" for name, alarm in alarms.items() if alarm]
        return found

    def report(self, recipe: LoadedRecipe | None, utc_ns: int) -> MastersReport:
        """All of it, for the status."""
        if recipe is None or recipe.masters is None:
            return MastersReport()
        shown, due = self._of(recipe), self.due(recipe, utc_ns)
        parts = [
            MasterReport(part, expected, part in due, shown.failed.get(part, ""))
            for part, expected in recipe.masters.parts.items()
        ]
        return MastersReport(parts, self.alarms(recipe))

    def _of(self, recipe: LoadedRecipe) -> Shown:
        """What is known of this recipe's masters, less what holds no more."""
        shown = self._shown.setdefault(recipe.number, Shown(recipe.configuration_id, self._ring_id))
        due: Sequence[str] = recipe.masters.due if recipe.masters else ()
        if shown.configuration_id != recipe.configuration_id:
            if "recipe_change" in due:
                shown.passed.clear()
            shown.failed.clear()
            shown.charts.clear()  # other limits, other networks: what was measured before is not to be compared
        if shown.ring_id != self._ring_id and "restart" in due:
            shown.passed.clear()
        shown.configuration_id, shown.ring_id = recipe.configuration_id, self._ring_id
        return shown

    def _keep(self) -> None:
        self._settings.set_setting(SETTING, msgspec.json.encode(self._shown).decode())


def _fault(masters: MastersSettings, result: Result) -> str:
    """How a result is not what must be found; "" where it is."""
    evaluation, reason = masters.expected(result.part_id)
    if result.part_count != 1:
        return f"{result.part_count} parts in the picture"
    codes = [f"{one.name}.{one.code}" if one.name else one.code for one in result.reasons]
    if result.result_evaluation is evaluation and (not reason or reason in codes):
        return ""
    found = ", ".join(reason_text(one) for one in result.reasons)
    return (
        f"found {result.result_evaluation.value}{f' {found}' if found else ''}, must be {masters.parts[result.part_id]}"
    )


def _since(masters: MastersSettings, shifts: Sequence[str], utc_ns: int, *, in_grace: bool) -> int:
    """UTC ns from which on masters count: the start of the shift; in its first minutes, that of the one before."""
    if "shift" not in masters.due:
        return 0
    now = datetime.fromtimestamp(utc_ns / 1e9).astimezone()
    if in_grace:
        now -= timedelta(minutes=masters.grace_min)
    last = shift_starts(shifts, now)[-1]
    return int(last.timestamp() * 1e9)

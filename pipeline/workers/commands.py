"""What clients ask of the ledger: triggers, part ids, recipes, start and stop. Every change is written down, with who and when."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from pipeline.clock import monotonic_ns, utc_ns
from pipeline.ledger.actions import Action, Answer, Part
from pipeline.ledger.book import Book
from pipeline.ledger.journal import Journal
from pipeline.loss import LossKind
from pipeline.requests import (
    Adjust,
    AskStatus,
    Bind,
    Command,
    ListRecipes,
    Note,
    Renew,
    Replay,
    Reply,
    Resynchronise,
    SelectRecipe,
    Setup,
    Start,
    Stop,
    Trigger,
)
from pipeline.status import Status
from pipeline.workers.recipes import Recipes
from pipeline.workers.setup_desk import SETUP

RUNNING = "running"


@dataclass(slots=True)
class Commands:
    """Carries out what was asked; the reply comes with the actions that the book asks for, which are to be carried out first."""

    book: Book
    journal: Journal
    recipes: Recipes
    status: Callable[[], Status]
    unready: Callable[[], str]
    binds_part_ids: bool

    def carry_out(self, command: Command, peer: str) -> tuple[Reply, list[Action]]:  # noqa: PLR0911 - one for each kind
        """`peer` is who asks."""
        now = monotonic_ns()
        match command:
            case Trigger():
                return self._trigger(command, peer, now)
            case Bind():
                return Reply(command.id, *self._bind(command)), []
            case Start() | Stop():
                return Reply(command.id), self._run(isinstance(command, Start), peer, now)
            case SelectRecipe(number=number):
                before = self.recipes.selected
                error = self.recipes.select(number)
                if not error:
                    self.book.recipe = number
                self._audit(peer, "select_recipe", before, f"{number}{f' refused: {error}' if error else ''}")
                return Reply(command.id, error, "datumd recipe list" if error else ""), []
            case ListRecipes():
                return Reply(command.id, recipes=self.recipes.entries()), []
            case AskStatus():
                return Reply(command.id, status=msgspec.Raw(msgspec.json.encode(self.status()))), []
            case Resynchronise():
                actions = self.book.resynchronise(now)
                self._audit(peer, "resynchronise", "", "")
                return Reply(command.id), actions
            case Setup(on=on):
                return Reply(command.id), self._set_up(on, peer, now)
            case Replay() | Adjust() | Renew() | Note():
                return Reply(command.id, "is answered elsewhere"), []

    def resume(self) -> list[Action]:
        """A new ledger goes on as the last one was told to: before it opens any part."""
        is_stopped = self.journal.setting(RUNNING) == "no" or self.journal.setting(SETUP) == "yes"
        return self.book.set_running(running=False, now=monotonic_ns()) if is_stopped else []

    def restore(self) -> list[Action]:
        """Answers to the software triggers that the last ledger did not live to answer.

        Those that cameras had given a number to are parts of the book's again, which answers them.
        """
        now = monotonic_ns()
        actions: list[Action] = []
        numbered = {key for account in self.journal.accounts().values() for key in account.software.values()}
        for key, part_id in self.journal.software_open():
            if key in numbered:
                continue
            part = Part(-key, "", None, now, now, self.recipes.selected, key, part_id, ended=LossKind.daemon_restarted)
            actions.append(Answer(part, LossKind.daemon_restarted))
        return actions

    def _trigger(self, command: Trigger, peer: str, now: int) -> tuple[Reply, list[Action]]:
        known = self.journal.known_software(command.id, peer)  # asked again, of a ledger whose cameras are not up yet
        if known is not None:
            return Reply(command.id, trigger=known), []
        if self.journal.setting(SETUP) == "yes" and command.purpose != "setup":
            return Reply(command.id, "not triggered: the station is being set up", "datumd start"), []
        if fault := self.unready():
            return Reply(command.id, f"not triggered: {fault}", "datumd status"), []
        key = self.journal.software(command.id, peer, command.part_id, utc_ns())
        self.recipes.purposes.note(key, command.purpose)
        return Reply(command.id, trigger=key), self.book.fire(key, command.part_id, now, command.id)

    def _bind(self, command: Bind) -> tuple[str, str]:
        if not self.binds_part_ids:
            return "this station takes no part ids", 'set part.part_id = "plc" in the station file'
        error = self.book.bind(command.parts)
        if not error and not self.journal.commit([], [], self.book.accounts()):
            return "bound, but the journal cannot be written", ""
        return error, ""

    def _run(self, running: bool, peer: str, now: int) -> list[Action]:
        before, after = ("yes" if self.book.running else "no"), ("yes" if running else "no")
        self.journal.set_setting(RUNNING, after)
        self.journal.set_setting(SETUP, "")
        self._audit(peer, "start" if running else "stop", before, after)
        return self.book.set_running(running=running, now=now)

    def _set_up(self, on: bool, peer: str, now: int) -> list[Action]:
        before, after = self.journal.setting(SETUP) or "", "yes" if on else ""
        self.journal.set_setting(SETUP, after)
        self._audit(peer, "setup", before or "no", after or "no")
        return self.book.set_running(running=not on and self.journal.setting(RUNNING) != "no", now=now)

    def _audit(self, peer: str, what: str, before: object, after: object) -> None:
        self.journal.audit(utc_ns(), peer, what, str(before), str(after))

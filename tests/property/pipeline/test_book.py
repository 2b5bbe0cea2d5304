"""The book under any order of events, with a death of any process, the ledger's at any step, possible between any two."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.config import GRANTED_AHEAD, PARTS_AT_WORKER
from pipeline.ledger.book import BookSettings
from tests.property.pipeline.book_world import Process, World

DEADLINE_NS, HOLD_NS, LARGEST_STEP, LATE_NS = 60, 20, 40, 10
FAULTS = ["", "", "", "", "silent", "told", "unsaid"]  # silent: no frame, and nothing of it; unsaid: lost on its way


class Station(RuleBasedStateMachine):
    """A line, one or two cameras, two infer workers, a copier."""

    @initialize(
        cameras=st.integers(1, 2),
        joined=st.booleans(),
        depth=st.integers(1, 4),
        policy=st.sampled_from(["drop_oldest", "drop_latest"]),
        counts=st.booleans(),
        workers=st.integers(1, 2),
        start=st.sampled_from([0, 7, 500]),
        apart=st.sampled_from([0, 0, 0, 0, 150, -150]),
        spare=st.sampled_from([1, 2, None]),
    )
    def build(  # noqa: PLR0917 - what a station can be
        self,
        cameras: int,
        joined: bool,
        depth: int,
        policy: str,
        counts: bool,
        workers: int,
        start: int,
        apart: int,
        spare: int | None,
    ) -> None:
        """`spare`: slots that are not granted, None for as many as a station has; with few, a slot is soon granted anew."""
        views = {"a": "top", "b": "side"} if cameras == 2 else {"a": "top"}
        slots = len(views) * (GRANTED_AHEAD + depth + (PARTS_AT_WORKER + 1) * workers + 2)
        slots = slots if spare is None else len(views) * GRANTED_AHEAD + spare
        given = BookSettings(views, joined, DEADLINE_NS, depth, policy, slots, HOLD_NS, LARGEST_STEP, LATE_NS)
        self.counts = counts or joined
        is_apart = joined and cameras == 2 and apart != 0
        starts = {"a": start + 200, "b": start + 200 + (apart if is_apart else 0)}
        self.world = World(given, counts=self.counts, workers=workers, starts={name: starts[name] for name in views})
        self.world.aligned = not is_apart
        self.keys = 0
        self.is_corrupted = False
        self.everything_starts()
        for name in views:
            self.world.connect(name)
        self.rounds(1)

    # Who is alive

    def everything_starts(self) -> None:
        if self.world.book is None:
            self.world.new_ledger(None)
        for process in self.world.processes():
            if not process.is_alive:
                self.world.start_process(process)
        self.rounds(1)

    def rounds(self, count: int) -> None:
        for _ in range(count):
            for process in self.world.processes():
                for _ in range(4):
                    self.world.turn(process)
                    self.world.hear(process)
            self.world.hear_of_deaths()

    def process(self, number: int) -> Process:
        processes = self.world.processes()
        return processes[number % len(processes)]

    def camera(self, number: int) -> str:
        names = list(self.world.cameras)
        return names[number % len(names)]

    # The line

    @rule(first=st.sampled_from(FAULTS), second=st.sampled_from(FAULTS), camera=st.integers(0, 1))
    def part_passes(self, first: str, second: str, camera: int) -> None:
        names = list(self.world.cameras)
        faults = dict(zip(names, (first, second), strict=False))
        if not self.world.settings.joined:
            faults = {self.camera(camera): first}
        self.world.part_passes(faults)

    @precondition(lambda self: self.counts)
    @rule(camera=st.integers(0, 1), high=st.booleans(), by=st.integers(1, 1000))
    def part_passes_with_a_corrupt_number(self, camera: int, high: bool, by: int) -> None:
        name = self.camera(camera)
        counter = self.world.cameras[name].counter
        highest = max(one.counter for one in self.world.cameras.values())
        number = highest + 1_000_000 + by if high else max(0, counter - 60 - by)
        if self.is_corrupted or (high and not self.world.aligned):
            return  # one wrong number is borne, not two that agree
        self.is_corrupted = True
        faults = dict.fromkeys(self.world.cameras if self.world.settings.joined else [name], "")
        faults[name] = f"corrupt{number}"
        self.world.part_passes(faults)

    @precondition(lambda self: self.counts)
    @rule(count=st.sampled_from([LARGEST_STEP + 30, 600]), camera=st.integers(0, 1))
    def many_parts_pass_unseen(self, count: int, camera: int) -> None:
        """As when the line runs while nothing of the station is up."""
        names = list(self.world.cameras) if self.world.settings.joined else [self.camera(camera)]
        if all(self.world.cameras[name].is_on for name in names):
            for _ in range(count):
                self.world.part_passes(dict.fromkeys(names, "silent"))

    @rule(wait=st.integers(1, 40))
    def time_passes(self, wait: int) -> None:
        self.world.now += wait
        self.world.tick()

    # The workers

    @rule(number=st.integers(0, 9), keep=st.booleans())
    def worker_works(self, number: int, keep: bool) -> None:
        self.world.turn(self.process(number), keep=keep)

    @rule(number=st.integers(0, 9))
    def ledger_hears(self, number: int) -> None:
        self.world.hear(self.process(number))

    @rule()
    def all_work(self) -> None:
        self.rounds(1)

    @rule(camera=st.integers(0, 1))
    def counter_is_read(self, camera: int) -> None:
        self.world.poll(self.camera(camera))

    @rule(camera=st.integers(0, 1))
    def camera_connects(self, camera: int) -> None:
        self.world.connect(self.camera(camera))

    @rule(camera=st.integers(0, 1))
    def camera_disconnects(self, camera: int) -> None:
        grab = self.world.grabs[self.camera(camera)]
        grab.is_connected = False
        self.world.cameras[self.camera(camera)].buffer.clear()

    @rule(number=st.integers(0, 9))
    def worker_dies(self, number: int) -> None:
        self.world.kill(self.process(number))

    @rule(number=st.integers(0, 9))
    def worker_starts(self, number: int) -> None:
        process = self.process(number)
        if not process.is_alive:
            self.world.start_process(process)

    @rule()
    def deaths_are_noticed(self) -> None:
        self.world.hear_of_deaths()

    # The ledger and the daemon

    @rule(after=st.integers(0, 15))
    def ledger_will_die(self, after: int) -> None:
        if self.world.book is not None:
            self.world.fuse = after

    @rule()
    def ledger_dies(self) -> None:
        self.world.ledger_dies()

    @rule(kept=st.integers(0, 3), fuse=st.one_of(st.none(), st.integers(0, 10)))
    def new_ledger(self, kept: int, fuse: int | None) -> None:
        if self.world.book is None:
            for process in self.world.processes():
                self.world.lose_messages(process, kept)
            self.world.new_ledger(fuse)

    @rule()
    def daemon_restarts(self) -> None:
        self.world.kill_daemon()
        self.everything_starts()

    # Resets

    @precondition(lambda self: self.counts)
    @rule(camera=st.integers(0, 1), counted=st.integers(0, 2))
    def camera_loses_power(self, camera: int, counted: int) -> None:
        name = self.camera(camera)
        self.world.cameras[name].counter = counted
        self.world.cameras[name].buffer.clear()
        self.world.grabs[name].is_connected = False
        if self.world.settings.joined and len(self.world.cameras) > 1:
            self.world.aligned = False

    @precondition(lambda self: self.counts)
    @rule()
    def resynchronise(self) -> None:
        """The line stands still, and every camera is up: all is well afterwards."""
        self.quiet()
        assert self.world.book is not None
        self.world.bound.clear()
        self.world.carry_out(self.world.book.resynchronise(self.world.now))
        if self.world.book is not None and not self.world.aligned:
            (account,) = self.world.journal.accounts.values()
            self.world.begin["", account.count] = account.through
            self.world.aligned = True

    # Clients

    @rule()
    def software_trigger(self) -> None:
        if self.world.book is not None:
            self.keys += 1
            self.world.journal.software.add(self.keys)
            self.world.carry_out(self.world.book.fire(self.keys, f"S{self.keys}", self.world.now))

    @precondition(lambda self: self.counts and self.world.aligned)
    @rule(ahead=st.integers(-2, 5))
    def bind(self, ahead: int) -> None:
        book, journal = self.world.book, self.world.journal
        if book is None or len(journal.accounts) != 1:
            return
        ((name, account),) = journal.accounts.items()
        count, number = account.count, account.through + ahead
        if not book.bind([(number, f"P{count}.{number}")]):
            changed = book.accounts()
            if name in changed and changed[name].count == count:
                self.world.bound[count, number] = f"P{count}.{number}"
                journal.accounts.update(changed)

    @rule(number=st.integers(1, 3))
    def select_recipe(self, number: int) -> None:
        self.world.journal.recipe = number
        if self.world.book is not None:
            self.world.book.recipe = number

    @rule(running=st.booleans())
    def start_or_stop(self, running: bool) -> None:
        self.world.journal.running = running
        if self.world.book is not None:
            self.world.carry_out(self.world.book.set_running(running, self.world.now))

    # What must be true

    @invariant()
    def the_ledger_knows_when_to_wake(self) -> None:
        if hasattr(self, "world") and self.world.book is not None and self.world.book.open_parts():
            assert self.world.book.next_deadline_ns() is not None

    def quiet(self) -> None:
        """Everything lives, and goes on until nothing is left to do."""
        world = self.world
        world.fuse = None
        for _ in range(2):
            world.fuse = None
            self.everything_starts()
            for name in world.cameras:
                world.connect(name)
            self.rounds(3)
        for _ in range(12):
            for name in world.cameras:
                world.poll(name)
            self.rounds(2)
        for _ in range(200):
            due = world.book.next_deadline_ns() if world.book is not None else None
            if due is None:
                break
            world.now = max(world.now, due)
            world.tick()
            self.rounds(2)
        world.now += LATE_NS
        world.tick()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        self.start_or_stop(running=True)
        self.quiet()
        for _ in range(3 if self.counts else 1):  # numbers in doubt are cleared up by the next ones
            for name in world.cameras if not world.settings.joined else [""]:
                world.part_passes(dict.fromkeys([name] if name else world.cameras, ""))
            self.rounds(3)
            for name in world.cameras:
                world.poll(name)
        self.quiet()
        assert world.book is not None
        assert world.book.open_parts() == 0
        assert all(slot.closed == slot.granted for slot in world.slots if slot.accepted == slot.granted)
        assert set(world.published) == set(range(len(world.journal.rows))), "a result was not published"
        for name, grab in world.grabs.items():
            assert len(grab.grants) == GRANTED_AHEAD, f"{name} starves"
        self.every_trigger_is_answered()
        self.the_next_part_is_inspected()
        domains = 1 if world.settings.joined else len(world.cameras)
        assert all(1 <= world.software[key] <= domains for key in range(1, self.keys + 1)), world.software

    def the_next_part_is_inspected(self) -> None:
        """Whatever has happened: no worker has been forgotten, no camera."""
        world = self.world
        for name in world.cameras if not world.settings.joined else [""] if world.aligned else []:
            rows = len(world.journal.rows)
            world.part_passes(dict.fromkeys([name] if name else world.cameras, ""))
            self.rounds(3)
            assert [answer.loss for answer in world.journal.rows[rows:]] == [None]

    def every_trigger_is_answered(self) -> None:
        world = self.world
        if not self.counts or not self.world.aligned:
            return
        assert not world.book.mismatched  # type: ignore[union-attr]  # the machine has begun
        for name, account in world.journal.accounts.items():
            for camera in [name] if name else world.cameras:
                last = world.cameras[camera].counter + account.offsets.get(camera, 0)
                assert account.through == last, (name, account, world.cameras)
            for number in range(world.begin[name, account.count] + 1, account.through + 1):
                assert world.used[name, account.count, number] == 1, f"trigger {number} of {name!r} was not answered"


Station.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBook = Station.TestCase

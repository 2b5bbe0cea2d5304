"""The ledger worker among workers that the test plays, on a ring and a journal that outlive it."""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import zmq

from pipeline import messages, requests
from pipeline import result as result_schema
from pipeline.camera_settings import GenicamSettings, OutputSettings, SyntheticSettings
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.config import ArchiveSettings, ControlSettings, PartSettings, ResultsSettings, Station
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_rows import FrameKey, Row
from pipeline.loss import LossKind
from pipeline.messages import (
    Accepted,
    Adjusted,
    Adjusting,
    Asked,
    CameraHello,
    CameraStatus,
    Counted,
    Dispatched,
    Fire,
    Fired,
    FromLedger,
    Granted,
    InferHello,
    Inspected,
    LoadedRecipe,
    Lost,
    PartAnswer,
    Passed,
    Released,
    Renewing,
    RequestsHello,
    Told,
    ToLedger,
)
from pipeline.recipe_masters import MastersSettings
from pipeline.requests import Command, Reply
from pipeline.result import Evaluation, Keypoint, KeypointState, Result, ResultState
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout, SlotWord
from pipeline.ring.left_behind import left_behind
from pipeline.runtime import Runtime
from pipeline.vitals import Vitals
from pipeline.worker import WorkerContext
from pipeline.workers.ledger import LedgerWorker
from pipeline.workers.line import CHUNK_BYTES
from pipeline.workers.link import LedgerLink
from tests.results import result

PROCESSES = ["ledger", "requests", "evidence", "infer.0", "grab.top"]
LIMIT_S, LIMIT_MS = 10.0, 10_000
FOUND = PartAnswer(ResultState.COMPLETED, Evaluation.OK, [], [], [], {}, {})


@dataclass
class Bench:
    """Ring and state folder of a station with one camera, and lines that speak for its workers."""

    runtime: Runtime
    ring: FrameRing
    context: "zmq.Context[zmq.Socket[bytes]]"
    heard: set[tuple[int, int]] = field(default_factory=set)
    links: dict[str, LedgerLink] = field(default_factory=dict)
    unread: dict[str, deque[FromLedger]] = field(default_factory=dict)
    subscriber: "zmq.Socket[bytes]" = field(init=False)
    is_armed: bool = False

    @contextmanager
    def ledger(self, last_words: Callable[[], None] | None = None) -> Iterator[None]:
        """A ledger in a thread; at the end it is gone as if it had been killed: nothing is answered in passing.

        With `last_words` it ends in order, and this is what the workers do just before.
        """
        stop, is_bound, may_begin = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            worker = LedgerWorker(WorkerContext(self.runtime, "ledger", Vitals(self.runtime.vitals_path)))
            end = worker._end

            def end_after_last_words() -> None:
                if last_words is not None:
                    last_words()
                    end()

            worker._end = end_after_last_words  # type: ignore[method-assign]  # to look at its end
            is_bound.set()
            may_begin.wait()
            worker.run(stop)
            worker.close()

        thread = threading.Thread(target=work)
        session = self.ring.session
        thread.start()
        assert is_bound.wait(LIMIT_S)
        subscriber = self.context.socket(zmq.SUB)
        subscriber.subscribe(b"result/")
        subscriber.connect(self.runtime.results_endpoint)
        self.subscriber = subscriber
        try:
            time.sleep(0.2)  # a subscriber that is not connected yet hears nothing of the beginning
            may_begin.set()
            wait_until(lambda: self.ring.session != session)
            yield
        finally:
            stop.set()
            thread.join()
            subscriber.close(linger=0)
            for link in self.links.values():
                link.close()
            self.links.clear()

    def say(self, name: str, *said: ToLedger) -> None:
        """As the worker of this name."""
        if name not in self.links:
            self.links[name] = LedgerLink(self.runtime.ledger_path, name)
            self.unread[name] = deque()
        for message in said:
            self.links[name].send(message)

    def told(self, name: str) -> FromLedger:
        """The next message to the worker of this name."""
        assert not self.is_silent(name, LIMIT_S), f"nothing was told to {name}"
        return self.unread[name].popleft()

    def is_silent(self, name: str, seconds: float) -> bool:
        """Whether the worker of this name is told nothing for so long."""
        until = time.monotonic() + seconds
        while not self.unread[name] and (left_s := until - time.monotonic()) > 0.0:
            self.unread[name] += self.links[name].receive(left_s)
        return not self.unread[name]

    def results(self, count: int) -> list[Result]:
        """The next results of the stream that were not heard before; fails when one more comes within a moment."""
        socket = self.subscriber
        found: list[Result] = []
        while socket.poll(LIMIT_MS if len(found) < count else 300):
            one = result_schema.decode(socket.recv_multipart()[1])
            if (one.session, one.seq) not in self.heard:
                self.heard.add((one.session, one.seq))
                found.append(one)
        assert len(found) == count, found
        return found

    def hello(self, pid: int) -> Granted:
        """Camera, networks and requests come up; the first slot that the camera is granted."""
        session = self.ring.session
        recipes = [
            LoadedRecipe(1, "good", "c1"),
            LoadedRecipe(2, "other", "c2"),
            LoadedRecipe(3, "bad", "", "unsealed"),
        ]
        self.say("infer.0", InferHello("infer.0", pid, session, "cpu", recipes))
        self.say("requests", RequestsHello(pid, session))
        self.say("grab.top", CameraHello("top", pid, session))
        baseline = None if self.is_armed else 0
        self.say("grab.top", CameraStatus("top", up=True, text="a camera", counts_triggers=True, baseline=baseline))
        self.is_armed = True
        granted = self.told("grab.top")
        assert isinstance(granted, Granted)
        assert self.ring.word(granted.slot, SlotWord.granted_camera) == 0
        return granted

    def frame(self, granted: Granted, number: int, *, tell: bool = True) -> None:
        """The camera's frame of this trigger."""
        now = monotonic_ns()
        self.ring.accept(granted.slot, granted.generation, 0, frame_info(number, now))
        if tell:
            self.say("grab.top", Accepted("top", granted.slot, granted.generation))

    def ask(self, command: Command) -> Reply:
        """As the process that answers clients."""
        self.say("requests", Asked(5, "press4", command))
        told = self.told("requests")
        assert isinstance(told, Told)
        assert told.ticket == 5
        return requests.decode_reply(told.reply)


def frame_info(number: int, received_ns: int) -> FrameInfo:
    return FrameInfo(8, 8, PixelFormat.Mono8, number, number, None, None, received_ns, utc_ns())


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture
def bench(tmp_path: Path, run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[Bench]:
    station = Station(
        format=1,
        station=station_name,
        recipes="",
        recipe=1,
        camera={"top": SyntheticSettings()},
        part=PartSettings(deadline_ms=2000.0, part_id="plc"),
        results=ResultsSettings(f"tcp://127.0.0.1:{free_port()}"),
        control=ControlSettings(f"tcp://127.0.0.1:{free_port()}"),
        archive=ArchiveSettings(quota_gb=0.0),
    )
    runtime = Runtime(station, str(run_dir), str(tmp_path), PROCESSES)
    ring = FrameRing.create(runtime.ring_path, RingLayout(12, 4096, 1))
    Vitals(runtime.vitals_path, rows=len(PROCESSES)).close()
    context = zmq.Context[zmq.Socket[bytes]]()
    yield Bench(runtime, ring, context)
    context.term()
    ring.close(unlink=True)
    runtime.vitals_path.unlink()


@pytest.fixture
def pid() -> int:
    return os.getpid()


def test_a_frame_becomes_one_result_that_is_journaled_before_its_slot_is_closed(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
        bench.frame(granted, 1)
        order = bench.told("infer.0")
        assert isinstance(order, Dispatched)
        assert (order.slot, order.recipe, order.complete) == (granted.slot, 1, True)
        assert bench.ring.word(granted.slot, SlotWord.dispatched) == granted.generation
        key = (granted.slot, granted.generation)
        bench.say("infer.0", Inspected("infer.0", [key], [FOUND], [key]))
        (found,) = bench.results(1)
        assert (found.trigger_number, found.result_evaluation, found.product_id) == (1, Evaluation.OK, "good")
        assert found.journaled
        wait_until(lambda: bench.ring.word(granted.slot, SlotWord.closed) == granted.generation)


def test_what_infer_found_for_a_ledger_that_died_is_the_answer_of_the_next(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
        bench.frame(granted, 1)
        bench.told("infer.0")
    with bench.ledger():
        bench.hello(pid)
        assert isinstance(bench.told("infer.0"), Dispatched)  # the new one gives it out again
        key = (granted.slot, granted.generation)
        bench.say("infer.0", Inspected("infer.0", [key], [FOUND], [key]), Inspected("infer.0", [key], [FOUND], []))
        (found,) = bench.results(1)
        assert (found.trigger_number, found.result_evaluation) == (1, Evaluation.OK)


def test_a_frame_that_was_accepted_while_there_was_no_ledger_is_found(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
    bench.frame(granted, 1, tell=False)
    with bench.ledger():
        bench.hello(pid)
        order = bench.told("infer.0")
        assert isinstance(order, Dispatched)
        assert (order.slot, order.generation) == (granted.slot, granted.generation)


def test_an_answer_that_was_committed_and_not_published_is_published_as_it_was(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
    bench.frame(granted, 1, tell=False)
    journal = Journal.open(Path(bench.runtime.state_folder), bench.ring.ring_id, bench.ring.session, lambda _: 7.0)
    answer = result(session=journal.session, seq=1, trigger_number=1, product_id="as it was")
    row = Row(1, utc_ns(), answer.result_evaluation, 1, "", result_schema.encode(answer))
    assert journal.commit([row], [FrameKey(granted.slot, granted.generation, 1, 1)], journal.accounts())
    journal.close()
    with bench.ledger():
        assert {found.product_id for found in collect(bench, 1.0)} == {"as it was"}
        assert bench.ring.word(granted.slot, SlotWord.closed) == granted.generation
        bench.hello(pid)
        assert bench.is_silent("infer.0", 0.3), "a frame that is answered was given out"


def test_who_listened_to_the_last_ledger_hears_the_first_results_of_this_one(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.hello(pid)
        bench.say("grab.top", Counted("top", 1))
        (first,) = bench.results(1)
    with bench.ledger():
        late = bench.context.socket(zmq.SUB)
        late.subscribe(b"result/")
        bench.say("grab.top", CameraHello("top", pid, bench.ring.session))
        bench.say("grab.top", CameraStatus("top", up=True, text="", counts_triggers=True), Counted("top", 1))
        late.connect(bench.runtime.results_endpoint)
        assert late.poll(LIMIT_MS)
        assert result_schema.decode(late.recv_multipart()[1]) == first
        late.close(linger=0)


def collect(bench: Bench, seconds: float) -> list[Result]:
    """All that comes in this time; what was perhaps not published may be published twice."""
    socket, found = bench.subscriber, []
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if socket.poll(int(left * 1000)):
            found.append(result_schema.decode(socket.recv_multipart()[1]))
    return found


def test_frames_of_a_daemon_that_was_killed_are_answered_once_and_then_forgotten(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
        bench.frame(granted, 1)
        bench.told("infer.0")
    path, layout = bench.ring.path, bench.ring.layout
    bench.ring.close()
    bench.ring = FrameRing.create(path, layout)
    assert left_behind(path)
    for answers in (1, 0):
        with bench.ledger():
            found = bench.results(answers)
            assert [(one.trigger_number, one.reasons[0].code) for one in found] == [(1, "daemon_restarted")] * answers
            assert not left_behind(path)


def test_triggers_that_gave_no_frame_are_known_to_the_next_ledger(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.hello(pid)
        bench.say("grab.top", Counted("top", 2))
        bench.results(2)
    with bench.ledger():
        session = bench.ring.session
        bench.say("grab.top", CameraHello("top", pid, session))
        status = CameraStatus("top", up=True, text="a camera", counts_triggers=True)
        bench.say("grab.top", status, Counted("top", 3))
        (found,) = bench.results(1)
        assert found.trigger_number == 3


def test_a_hello_to_an_earlier_ledger_is_void(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.say("grab.top", CameraHello("top", pid, bench.ring.session - 1))
        bench.say("grab.top", CameraStatus("top", up=True, text="", counts_triggers=True, baseline=0))
        assert bench.is_silent("grab.top", 0.3)


def test_recipes_are_selected_by_number_and_remembered(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.hello(pid)
        assert bench.ask(requests.SelectRecipe(number=2)).error == ""
        assert "there is no recipe 9" in bench.ask(requests.SelectRecipe(number=9)).error
        assert "unsealed" in bench.ask(requests.SelectRecipe(number=3)).error
        status = msgspec.json.decode(bench.ask(requests.AskStatus()).status)
        assert (status["recipe_id"], status["state"]) == (2, "Error")
        assert "recipe 3 cannot be selected: unsealed" in status["text"]
        bench.ask(requests.SelectRecipe(number=2))
        assert "recipe" not in msgspec.json.decode(bench.ask(requests.AskStatus()).status)["text"]
    with bench.ledger():
        bench.hello(pid)
        recipes = bench.ask(requests.ListRecipes()).recipes
        assert [recipe.number for recipe in recipes if recipe.selected] == [2]
    journal = Journal.open(Path(bench.runtime.state_folder), 1, 1, lambda _: 7.0)
    audits = [(entry.peer, entry.what, entry.before, entry.after) for entry in journal.audits(10)]
    journal.close()
    assert ("press4", "select_recipe", "1", "2") in audits


def test_a_stopped_station_answers_the_line_so_and_stays_stopped(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.hello(pid)
        bench.ask(requests.Stop())
    with bench.ledger():
        granted = bench.hello(pid)
        bench.frame(granted, 1)
        (found,) = bench.results(1)
        assert [reason.code for reason in found.reasons] == ["stopped"]


def test_a_station_that_is_set_up_is_not_ready_and_stays_so_until_it_is_done(bench: Bench, pid: int) -> None:
    status = requests.AskStatus()
    with bench.ledger():
        bench.hello(pid)
        assert "not being set up" in bench.ask(requests.Adjust(camera="top", features={"Gain": 1.0})).error
        assert "not being set up" in bench.ask(requests.Renew()).error
        assert bench.ask(requests.Setup(on=True)).error == ""
    with bench.ledger():  # a new ledger goes on with it
        granted = bench.hello(pid)
        assert b'"state":"Initialized","text":"being set up' in bytes(bench.ask(status).status)
        assert "being set up" in bench.ask(requests.Trigger(part_id="A")).error
        bench.frame(granted, 1)
        (found,) = bench.results(1)
        assert [reason.code for reason in found.reasons] == ["stopped"]
        assert "allowed: ExposureTime" in bench.ask(requests.Adjust(camera="top", features={"Width": 8})).error
        assert "no camera side" in bench.ask(requests.Adjust(camera="side", features={})).error
        bench.say(
            "requests", Asked(9, "press4: web anna", requests.Adjust(id="a", camera="top", features={"Gain": 2.5}))
        )
        while not isinstance(order := bench.told("grab.top"), Adjusting):
            pass
        assert (order.features, order.pid) == ({"Gain": 2.5}, pid)
        bench.say("grab.top", Adjusted(order.ticket, {"Gain": 2.5}, ""))
        told = bench.told("requests")
        assert isinstance(told, Told)
        assert requests.decode_reply(told.reply).values == {"Gain": 2.5}
        bench.say("grab.top", Adjusted(order.ticket, {"Gain": 2.5}, ""))  # said again: of no account
        assert bench.ask(requests.Renew()).error == ""
        assert isinstance(bench.told("infer.0"), Renewing)
        assert bench.ask(requests.Note(text="a recipe was changed")).error == ""
        assert bench.ask(requests.Setup(on=False)).error == ""
        assert b"Initialized" not in bytes(bench.ask(status).status)
    journal = Journal.open(Path(bench.runtime.state_folder), 1, 1, lambda _: 7.0)
    audits = [(entry.peer, entry.what, entry.after) for entry in journal.audits(10)]
    journal.close()
    assert audits[-5:] == [
        ("press4", "setup", "yes"),
        ("press4: web anna", "adjust", "Gain = 2.5"),
        ("press4", "renew", ""),
        ("press4", "note", "a recipe was changed"),
        ("press4", "setup", "no"),
    ]


def test_a_frame_that_a_stopped_station_took_in_without_a_ledger_is_not_inspected(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
        bench.ask(requests.Stop())
    bench.frame(granted, 1, tell=False)
    with bench.ledger():
        bench.hello(pid)
        (found,) = bench.results(1)
        assert [reason.code for reason in found.reasons] == ["stopped"]


def test_part_ids_bind_by_trigger_number_across_a_ledger_that_dies(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.hello(pid)
        bench.say("grab.top", Counted("top", 1))
        bench.results(1)
        assert bench.ask(requests.Bind(parts=[(3, "C"), (2, "B")])).error == ""
    with bench.ledger():
        bench.hello(pid)
        bench.say("grab.top", Counted("top", 3))
        assert {found.trigger_number: found.part_id for found in bench.results(2)} == {2: "B", 3: "C"}


def test_no_part_passes_before_its_masters_were_shown(bench: Bench, pid: int) -> None:
    masters = MastersSettings(parts={"M-1": "OK"}, due=["recipe_change"])
    told = [LoadedRecipe(1, "good", "c1", masters=masters)]

    def inspect(number: int) -> Result:
        while not isinstance(granted := bench.told("grab.top"), Granted):
            pass
        bench.frame(granted, number)
        assert isinstance(bench.told("infer.0"), Dispatched)
        key = (granted.slot, granted.generation)
        bench.say("infer.0", Inspected("infer.0", [key], [FOUND], [key]))
        return bench.results(1)[0]

    def fault() -> str:
        status = msgspec.json.decode(bench.ask(requests.AskStatus()).status)
        return str(status["text"]) if status["state"] == "Error" else ""

    with bench.ledger():
        bench.hello(pid)
        bench.say("infer.0", InferHello("infer.0", pid, bench.ring.session, "cpu", told))
        assert bench.ask(requests.Bind(parts=[(2, "M-1")])).error == ""
        wait_until(lambda: "masters are due: M-1" in fault())
        found = inspect(1)
        assert (found.result_evaluation, found.disposition, found.purpose) == ("UNDEFINED", "REJECT", "production")
        assert [reason.code for reason in found.reasons] == ["masters_due"]
        assert (shown := inspect(2)).purpose == "master"
        assert shown.disposition == "PASS"
        assert inspect(3).disposition == "PASS"
        assert "masters" not in fault()
    with bench.ledger():
        bench.hello(pid)
        bench.say("infer.0", InferHello("infer.0", pid, bench.ring.session, "cpu", told))
        wait_until(lambda: bench.ask(requests.ListRecipes()).recipes != [])
        assert "masters" not in fault()


def test_a_software_trigger_is_refused_while_nothing_could_take_it(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.say("requests", RequestsHello(pid, bench.ring.session))
        assert "recipes are being loaded" in bench.ask(requests.Trigger(id="a")).error


def test_frames_are_given_to_a_worker_once_it_is_there_again(bench: Bench, pid: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with bench.ledger():
        granted = bench.hello(pid)
        session = bench.ring.session
        bench.say("infer.0", InferHello("infer.0", child.pid, session, "cpu", [LoadedRecipe(1, "good", "c1")]))
        time.sleep(0.2)
        bench.frame(granted, 1)
        assert isinstance(bench.told("infer.0"), Dispatched)
        child.kill()
        child.wait()
        time.sleep(0.2)
        bench.say("infer.0", InferHello("infer.0", pid, session, "cpu", [LoadedRecipe(1, "good", "c1")]))
        again = bench.told("infer.0")
        assert isinstance(again, Dispatched)
        assert (again.slot, again.pid) == (granted.slot, pid)
        key = (granted.slot, granted.generation)
        bench.say("infer.0", Released("infer.0", [key]))
        bench.say("infer.0", Inspected("infer.0", [key], [FOUND], []))
        assert bench.results(1)[0].result_evaluation is Evaluation.OK
    if child.stdin:
        child.stdin.close()


def test_a_word_of_a_worker_that_has_died_frees_no_slot_that_another_one_reads(bench: Bench, pid: int) -> None:
    with bench.ledger():
        granted = bench.hello(pid)
        bench.frame(granted, 1)
        assert isinstance(bench.told("infer.0"), Dispatched)
        key = (granted.slot, granted.generation)
        bench.say("infer.1", Released("infer.1", [key]))  # it had the frame before, and its last word came late
        assert bench.results(1)[0].reasons[0].code == "deadline"
        for number in range(2, 2 + 2 * bench.ring.layout.slots):
            order = bench.told("grab.top")
            assert isinstance(order, Granted)
            assert order.slot != granted.slot, "a slot was granted that infer.0 reads"
            bench.frame(order, number)


def test_a_software_trigger_is_answered_once_across_a_ledger_that_dies(bench: Bench, pid: int) -> None:
    Vitals(bench.runtime.vitals_path).begin(PROCESSES.index("grab.top"))
    with bench.ledger():
        granted = bench.hello(pid)
        wait_until(lambda: bench.ask(requests.Trigger(id="a", part_id="P", purpose="gauge")).trigger == 1)
        while not isinstance(fire := bench.told("grab.top"), Fire):
            pass
        bench.say("grab.top", Fired("top", fire.trigger, 1))
        bench.frame(granted, 1)
        assert isinstance(bench.told("infer.0"), Dispatched)
    with bench.ledger():
        bench.hello(pid)
        key = (granted.slot, granted.generation)
        bench.say("infer.0", Inspected("infer.0", [key], [FOUND], [key]))
        (found,) = bench.results(1)
        assert (found.software_trigger, found.trigger_number, found.part_id) == (1, 1, "P")
        assert (found.result_evaluation, found.purpose) == (Evaluation.OK, "gauge")


def test_a_software_trigger_that_is_asked_for_again_is_known_before_the_cameras_are(bench: Bench, pid: int) -> None:
    Vitals(bench.runtime.vitals_path).begin(PROCESSES.index("grab.top"))
    request = requests.Trigger(id="a", part_id="P")
    with bench.ledger():
        bench.hello(pid)
        wait_until(lambda: bench.ask(request).trigger == 1)
    with bench.ledger():
        bench.say("requests", RequestsHello(pid, bench.ring.session))
        again = bench.ask(request)
        assert (again.trigger, again.error) == (1, "")
        (found,) = bench.results(1)
        assert (found.software_trigger, found.reasons[0].code) == (1, "daemon_restarted")


def test_thousands_of_triggers_that_are_lost_at_once_hold_up_nothing_else(bench: Bench, pid: int) -> None:
    with bench.ledger():
        bench.hello(pid)
        bench.say("grab.top", Lost("top", LossKind.lost_transport, 1, 5000))
        assert bench.subscriber.poll(LIMIT_MS)
        status = msgspec.json.decode(bench.ask(requests.AskStatus()).status)
        assert status["open_parts"] > 0, "the client waited until all were answered"
        found = bench.results(5000)
    assert {one.trigger_number for one in found} == set(range(1, 5001))
    assert {reason.code for one in found for reason in one.reasons} == {"lost_transport"}


def test_a_long_answer_that_comes_at_the_very_end_is_heard_whole(bench: Bench, pid: int) -> None:
    granted: list[Granted] = []
    keypoints = [
        Keypoint(f"a hole with a long name, number {n}", "top", 1.5, 2.5, 0.5, KeypointState.visible)
        for n in range(1500)
    ]
    found = msgspec.structs.replace(FOUND, keypoints=keypoints)

    def last_words() -> None:
        key = (granted[0].slot, granted[0].generation)
        said = Inspected("infer.0", [key], [found], [key])
        assert len(messages.encode(said)) > 2 * CHUNK_BYTES
        bench.say("infer.0", said)
        assert not bench.links["infer.0"].has_unsent

    with bench.ledger(last_words):
        granted.append(bench.hello(pid))
        bench.frame(granted[0], 1)
        assert isinstance(bench.told("infer.0"), Dispatched)
    with bench.ledger():  # gives what is so young once more
        (told,) = bench.results(1)
        assert (told.trigger_number, told.result_evaluation) == (1, Evaluation.OK)


def test_the_camera_with_a_wire_is_told_of_parts_that_pass_and_of_no_other(bench: Bench, pid: int) -> None:
    camera = GenicamSettings("none.cti", output=OutputSettings())
    station = msgspec.structs.replace(bench.runtime.station, camera={"top": camera})
    bench.runtime = msgspec.structs.replace(bench.runtime, station=station)
    fault = msgspec.structs.replace(FOUND, evaluation=Evaluation.NOT_OK)
    with bench.ledger():
        granted, passed = bench.hello(pid), []
        for number, answers in enumerate(([FOUND], [fault], [FOUND, fault], [FOUND, FOUND]), 1):
            bench.frame(granted, number)
            order = bench.told("infer.0")
            assert isinstance(order, Dispatched)
            key = (order.slot, order.generation)
            bench.say("infer.0", Inspected("infer.0", [key], answers, [key]))
            assert len(bench.results(len(answers))) == len(answers)
            grants = []
            while not bench.is_silent("grab.top", 0.1):
                told = bench.told("grab.top")
                if isinstance(told, Passed):
                    assert (told.pid, told.session) == (pid, bench.ring.session)
                    assert 0 < told.until_ns - monotonic_ns() < 2 * 10**9
                    passed.append(number)
                elif isinstance(told, Granted):
                    grants.append(told)
            granted = grants[0]
        assert passed == [1, 4]

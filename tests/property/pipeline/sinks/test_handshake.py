"""Whatever the PLC writes, whenever answers come: no part passes without its own OK."""

from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.sinks.modbus.handshake import DEPTH, Handshake
from pipeline.sinks.modbus.signals import Answer, Cause, Inputs, Inspection, Take, Verdict

WINDOW = 50


@dataclass
class Asked:
    """What the world knows of an acquisition: when it was taken up, and whether the station has passed it in time."""

    trigger_number: int
    key: int
    since: int
    replied: bool = False
    passed_at: int | None = None


class HandshakeWorld(RuleBasedStateMachine):
    """A PLC that writes anything, and a station that answers when and what it likes."""

    @initialize(own_trigger=st.booleans())
    def begin(self, own_trigger: bool) -> None:
        self.own_trigger = own_trigger
        self.handshake = Handshake(WINDOW, own_trigger=own_trigger, silence_ns=200)
        self.now = self.seq = self.keys = 0
        self.asked: dict[int, Asked] = {}
        self.before: Inspection | None = None
        self.last_shown = 0
        self.overrun = False
        self.handshake.station(True, 1)

    @rule(word=st.integers(0, 31), number=st.integers(1, 4), beat=st.integers(0, 1))
    def plc_writes(self, word: int, number: int, beat: int) -> None:
        bits = [bool(word >> place & 1) for place in range(5)]
        self.write(Inputs(*bits, heartbeat=beat, recipe=1, trigger_number=number))

    @rule(number=st.integers(1, 4))
    def a_proper_trigger(self, number: int) -> None:
        self.write(Inputs(trigger_enable=True))
        self.write(Inputs(trigger_enable=True, trigger=True, trigger_number=number))

    @rule()
    def a_proper_acknowledgement(self) -> None:
        self.write(Inputs(trigger_enable=True))
        self.write(Inputs(trigger_enable=True, results_ack=True))
        self.write(Inputs(trigger_enable=True))

    def write(self, inputs: Inputs) -> None:
        before = self.handshake.outputs()
        for action in self.handshake.write(inputs, self.now):
            if isinstance(action, Take):
                self.keys += 1
                key = action.trigger_number if self.own_trigger else self.keys
                self.asked[action.acquisition] = Asked(action.trigger_number, key, self.now)
        after = self.handshake.outputs()
        if before.shown is not None and after.shown != before.shown:
            assert inputs.results_ack or after.error_code == Cause.plc_silent
            assert after.shown is None, "the next result is shown only when the acknowledgement is taken back"
        self.before = after.shown

    @rule(pick=st.integers(0, 3))
    def the_station_replies(self, pick: int) -> None:
        open_ones = [number for number, each in self.asked.items() if not each.replied]
        if open_ones:
            number = open_ones[pick % len(open_ones)]
            self.asked[number].replied = True
            self.handshake.triggered(number, self.asked[number].key, self.now)

    @rule(pick=st.integers(0, 3))
    def the_station_refuses(self, pick: int) -> None:
        open_ones = [number for number, each in self.asked.items() if not each.replied]
        if open_ones:
            number = open_ones[pick % len(open_ones)]
            self.asked[number].replied = True
            self.handshake.refused(number, Cause.refused, self.now)

    @rule(pick=st.integers(0, 9), verdict=st.sampled_from(Verdict), again=st.booleans())
    def the_station_answers(self, pick: int, verdict: Verdict, again: bool) -> None:
        if not self.asked:
            return
        asked = list(self.asked.values())[-1 - pick % len(self.asked)]
        if not again:
            self.seq += 1
        keys = (None, asked.key) if self.own_trigger else (asked.key, None)
        answer = Answer((1, self.seq), *keys, 0, 1, "", verdict, 1)
        if verdict is Verdict.PASS:
            for each in self.asked.values():
                if each.key == asked.key and self.now - each.since < WINDOW:
                    each.passed_at = self.now
        self.handshake.answer(answer, self.now)

    @rule(key=st.integers(100, 110))
    def somebody_elses_answer(self, key: int) -> None:
        self.seq += 1
        self.handshake.answer(Answer((1, self.seq), key, key, 0, 1, "", Verdict.PASS, 1), self.now)

    @rule(passed=st.integers(1, 60))
    def time_goes_on(self, passed: int) -> None:
        self.now += passed
        self.handshake.tick(self.now)

    @rule(can_inspect=st.booleans())
    def the_station_says_how_it_is(self, can_inspect: bool) -> None:
        self.handshake.station(can_inspect, 1)
        assert can_inspect or not self.handshake.outputs().trigger_ready

    @rule()
    def the_plc_reconnects(self) -> None:
        self.handshake.reset()
        seen = self.handshake.outputs()
        assert (seen.shown, seen.waiting, seen.belt) == (None, 0, ())
        assert not seen.trigger_ready
        self.asked = {number: replace(each, passed_at=None) for number, each in self.asked.items()}
        self.before = None

    @invariant()
    def nothing_passes_without_its_own_ok(self) -> None:
        seen = self.handshake.outputs()
        if seen.shown is not None:
            mine = self.asked[seen.shown.number]
            assert mine.trigger_number == seen.shown.asked.trigger_number
            assert seen.shown.verdict is not Verdict.PASS or mine.passed_at is not None
        for number, _, verdict in seen.belt:
            if verdict is Verdict.PASS:
                assert any(each.passed_at is not None and each.trigger_number == number for each in self.asked.values())

    @invariant()
    def one_result_stays_until_it_is_acknowledged(self) -> None:
        seen = self.handshake.outputs()
        if self.before is not None and seen.error_code != Cause.plc_silent:
            assert seen.shown == self.before
        if seen.shown is not None and seen.shown != self.before:
            assert seen.shown.number > self.last_shown, "each is shown once, in the order of the triggers"
            self.last_shown = seen.shown.number
        self.before = seen.shown
        assert seen.results_valid == (seen.shown is not None)

    @invariant()
    def at_most_eight_wait(self) -> None:
        assert self.handshake.outputs().waiting <= DEPTH


HandshakeWorld.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHandshake = HandshakeWorld.TestCase

"""Whatever a controller sends, whenever answers come: each trigger has one result, and none passes without its own OK."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sinks.lines.conversation import Conversation
from pipeline.sinks.modbus.signals import Answer, Cause, Take, Verdict

WINDOW = 50
IDS = st.sampled_from(["", "A", "B"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("trigger"), st.integers(0, 2), IDS),
        st.tuples(st.just("reply"), st.integers(0, 3), st.just("")),
        st.tuples(st.just("refuse"), st.integers(0, 3), st.just("")),
        st.tuples(st.just("pass"), st.integers(1, 12), IDS),
        st.tuples(st.just("fail"), st.integers(1, 12), IDS),
        st.tuples(st.just("wait"), st.integers(1, 60), st.just("")),
        st.tuples(st.just("anew"), st.integers(0, 0), st.just("")),
    ),
    max_size=40,
)


class World:
    """A controller, a station, and what each of them knows."""

    def __init__(self) -> None:
        self.now = self.seq = 0
        self.asked: Counter[int] = Counter()
        self.told: Counter[int] = Counter()
        self.taken: list[Take] = []
        self.keys: dict[int, Take] = {}
        self.passes: Counter[tuple[int, str]] = Counter()
        self.conversation = Conversation(WINDOW, self.say)
        self.conversation.station(True, 1)
        self.conversation.begin(0)

    def say(self, line: str) -> None:
        word, *fields = line.split(" ")
        if word == "RESULT":
            number = int(fields[0])
            self.told[number] += 1
            if fields[1] == "PASS":
                part_id = fields[5] if len(fields) > 5 else ""
                assert self.passes[number, part_id] > 0, line
                self.passes[number, part_id] -= 1

    def event(self, kind: str, number: int, text: str) -> None:
        match kind:
            case "trigger":
                self.asked[number] += 1
                for action in self.conversation.hear(f"TRIGGER {number} {text}".rstrip(), self.now):
                    assert isinstance(action, Take)
                    self.taken.append(action)
            case "reply" if self.taken:
                take = self.taken.pop(min(number, len(self.taken) - 1))
                key = len(self.keys) + 1
                self.keys[key] = take
                self.conversation.triggered(take.acquisition, key, self.now)
            case "refuse" if self.taken:
                take = self.taken.pop(min(number, len(self.taken) - 1))
                self.conversation.refused(take.acquisition, Cause.refused, self.now)
            case "pass" | "fail":
                self.answer(number, text, Verdict.PASS if kind == "pass" else Verdict.FAIL)
            case "wait":
                self.now += number
                self.conversation.tick(self.now)
            case "anew":
                self.asked, self.told = Counter(), Counter()
                self.passes.clear()
                self.taken.clear()
                self.conversation.begin(self.now)

    def answer(self, key: int, part_id: str, verdict: Verdict) -> None:
        self.seq += 1
        take = self.keys.get(key)
        if take is not None and verdict is Verdict.PASS and part_id == (take.part_id or part_id):
            self.passes[take.trigger_number, take.part_id] += 1
        answer = Answer((1, self.seq), key, None, 0, 1, part_id, verdict, 1)
        self.conversation.answer(answer, self.now)


@settings(max_examples=150)
@given(EVENTS)
def test_each_trigger_has_one_result_and_none_passes_without_its_own_ok(events: list[tuple[str, int, str]]) -> None:
    world = World()
    for event in events:
        world.event(*event)
    world.event("wait", WINDOW + 1, "")
    assert world.told == world.asked

"""What a result says of its part, its recipe and its loss."""

import pytest

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.actions import Answer, Part, ViewFrame
from pipeline.ledger.answers import Answering, Moment
from pipeline.ledger.masters import Masters
from pipeline.loss import LossKind
from pipeline.messages import LoadedRecipe, PartAnswer
from pipeline.recipe_masters import MastersSettings
from pipeline.requests import Purpose
from pipeline.result import Disposition, Evaluation, Reason, ResultState
from tests.unit.pipeline.ledger.test_masters import Kept

MOMENT = Moment(monotonic_ns=5_000_000_000, utc_ns=1_700_000_000_123_456_789)
SECOND_NS = 1_000_000_000


@pytest.fixture
def answering() -> Answering:
    return Answering(
        station="s",
        session=9,
        views={"a": "top", "b": "side"},
        passing=frozenset([Evaluation.OK]),
        shots={"a": "ring light"},
        recipes={1: LoadedRecipe(1, "first", "aa"), 2: LoadedRecipe(2, "second", "bb")},
    )


def part_of(recipe: int, *views: str) -> Part:
    part = Part(
        number=3, domain="", trigger_number=41, opened_ns=4 * SECOND_NS, deadline_ns=6 * SECOND_NS, recipe=recipe
    )
    for slot, view in enumerate(views):
        received = (4 * SECOND_NS + slot, MOMENT.utc_ns - SECOND_NS)
        info = FrameInfo(64, 48, PixelFormat.Mono8, 7, 41, None, None, *received)
        part.frames[view] = ViewFrame({"top": "a", "side": "b"}[view], slot, 12, info)
    part.part_id = "P-1"
    return part


def verdict(evaluation: Evaluation, **regions: tuple[float, float, float, float]) -> PartAnswer:
    return PartAnswer(ResultState.COMPLETED, evaluation, [], [], [], {}, regions)


@pytest.mark.parametrize(("recipe", "name", "configuration"), [(1, "first", "aa"), (2, "second", "bb"), (3, "", "")])
def test_a_result_names_the_recipe_of_its_part(
    answering: Answering, recipe: int, name: str, configuration: str
) -> None:
    found = [verdict(Evaluation.OK)]
    (result,) = answering.results(Answer(part_of(recipe, "top"), None), found, MOMENT, journaled=True, images={})
    assert (result.recipe_id, result.product_id, result.configuration_id) == (recipe, name, configuration)
    assert (result.part_id, result.trigger_number, result.disposition) == ("P-1", 41, Disposition.PASS)
    assert (result.creation_time, result.answered_time) == (
        "2023-11-14T22:13:19.123456Z",
        "2023-11-14T22:13:20.123456Z",
    )


def test_each_part_of_a_trigger_is_a_result_with_the_trigger_s_images(answering: Answering) -> None:
    found = [verdict(Evaluation.OK, top=(0, 0, 9, 9)), verdict(Evaluation.NOT_OK, top=(9, 0, 9, 9))]
    images = {"top": "images/9-1-top.png"}
    results = answering.results(Answer(part_of(1, "top", "side"), None), found, MOMENT, journaled=False, images=images)
    assert [(result.seq, result.result_id, result.part_index, result.part_count) for result in results] == [
        (1, "9-1", 0, 2),
        (2, "9-2", 1, 2),
    ]
    assert [[(view.view, view.shot, view.image_uri) for view in result.views] for result in results] == [
        [("top", "ring light", "images/9-1-top.png"), ("side", "", "")]
    ] * 2
    assert [result.views[0].region for result in results] == [(0, 0, 9, 9), (9, 0, 9, 9)]
    assert [result.disposition for result in results] == [Disposition.PASS, Disposition.REJECT]


@pytest.mark.parametrize("journaled", [False, True])
def test_a_result_says_whether_it_is_journaled(answering: Answering, journaled: bool) -> None:
    (result,) = answering.results(Answer(part_of(1), LossKind.stopped), [], MOMENT, journaled=journaled, images={})
    assert result.journaled is journaled


@pytest.mark.parametrize(
    ("loss", "lost_views", "reasons"),
    [
        (LossKind.deadline, {}, [Reason("deadline")]),
        (LossKind.not_triggered, {}, [Reason("not_triggered")]),
        (LossKind.view_missing, {"side": LossKind.lost_transport}, [Reason("lost_transport", view="side")]),
        (
            LossKind.trigger_mismatch,
            {"top": LossKind.incomplete, "side": LossKind.trigger_mismatch},
            [Reason("incomplete", view="top"), Reason("trigger_mismatch", view="side")],
        ),
    ],
)
def test_a_loss_is_a_result_with_the_reason_of_each_view(
    answering: Answering, loss: LossKind, lost_views: dict[str, LossKind], reasons: list[Reason]
) -> None:
    found = [verdict(Evaluation.OK)]  # of an earlier part
    (result,) = answering.results(Answer(part_of(2, "top"), loss, lost_views), found, MOMENT, journaled=True, images={})
    assert result.reasons == reasons
    assert (result.result_state, result.result_evaluation) == (ResultState.FAILED, Evaluation.UNDEFINED)
    assert (result.disposition, result.recipe_id, result.product_id) == (Disposition.REJECT, 2, "second")


def test_a_bad_master_that_looks_good_does_not_pass(answering: Answering) -> None:
    masters = MastersSettings(parts={"P-1": "NOT_OK span.high"})
    answering.recipes[1] = LoadedRecipe(1, "first", "aa", masters=masters)
    answering.masters = Masters(Kept(), 1, ["06:00"])
    found = [verdict(Evaluation.OK)]
    (result,) = answering.results(Answer(part_of(1, "top"), None), found, MOMENT, journaled=True, images={})
    assert (result.purpose, result.result_evaluation, result.disposition) == ("master", "OK", "REJECT")


class Told:
    """Every software trigger had this purpose."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose

    def of(self, _key: int | None) -> Purpose:
        return self.purpose


def test_a_master_that_nobody_knows_does_not_pass(answering: Answering) -> None:
    answering.recipes[1] = LoadedRecipe(
        1, "first", "aa", masters=MastersSettings(parts={"REF-BAD": "NOT_OK span.high"})
    )
    answering.masters = Masters(Kept(), 1, ["06:00"])
    answering.purposes = Told("master")  # type: ignore[assignment]  # has what is asked of it
    found = [verdict(Evaluation.OK)]
    (result,) = answering.results(Answer(part_of(1, "top"), None), found, MOMENT, journaled=True, images={})
    assert (result.purpose, result.disposition) == ("master", Disposition.REJECT)


def test_while_masters_are_due_nothing_passes_whatever_a_station_lets_pass(answering: Answering) -> None:
    answering.recipes[1] = LoadedRecipe(1, "first", "aa", masters=MastersSettings(parts={"REF": "OK"}))
    answering.masters = Masters(Kept(), 1, ["06:00"])
    answering.passing = frozenset(Evaluation)
    found = [verdict(Evaluation.OK)]
    (result,) = answering.results(Answer(part_of(1, "top"), None), found, MOMENT, journaled=True, images={})
    assert (result.reasons, result.disposition) == ([Reason("masters_due")], Disposition.REJECT)

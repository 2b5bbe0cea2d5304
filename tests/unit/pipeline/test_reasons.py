"""Every reason code has a text in every language."""

import string

import pytest

from pipeline.loss import LOSS_KINDS
from pipeline.reasons import LANGUAGES, ReasonTexts
from pipeline.result import Reason

CODES = {
    *LOSS_KINDS,
    *(
        "low",
        "high",
        "hidden",
        "unsure",
        "uncertain",
        "uncertain_at_limit",
        "edge_missing",
        "no_part",
        "part_count",
        "region_outside",
    ),
    *("defect", "defect_in_zone", "defects", "defects_in_zone", "defects_untold", "zone_unplaced"),
    *(
        "image_dark",
        "image_saturated",
        "image_blurred",
        "network_not_finite",
        "recipe_missing",
        "masters_due",
        "not_calibrated",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_text_with_known_parameters(language: str) -> None:
    texts = ReasonTexts(language).texts
    assert texts.keys() == CODES
    used = {name for text in texts.values() for _, name, _, _ in string.Formatter().parse(text) if name}
    assert used <= {"name", "view", "value", "limit", "unit"}


def test_texts_carry_the_parameters() -> None:
    high = Reason("high", name="pin_span", view="top", value=12.8123456, limit=12.78, unit="mm")
    assert ReasonTexts("en").text(high) == "pin_span is 12.812 mm, above 12.78 mm"
    assert ReasonTexts("de").text(high) == "pin_span ist 12.812 mm, über 12.78 mm"


def test_a_reason_that_names_a_zone_has_a_text_of_its_own() -> None:
    defect = Reason("defect", view="top", value=0.5, limit=0.1, unit="mm2")
    assert ReasonTexts("en").text(defect) == "a defect of 0.5 mm2 in view top, at most 0.1 mm2"
    seal = Reason("defect", name="seal", view="top", value=0.5, limit=0.1, unit="mm2")
    assert ReasonTexts("en").text(seal) == "a defect of 0.5 mm2 in zone seal, at most 0.1 mm2"
    assert (
        ReasonTexts("de").text(Reason("defects", view="top", value=3, limit=2))
        == "3 Fehler in Ansicht top, höchstens 2"
    )


def test_a_code_without_a_text_is_given_as_it_is() -> None:
    assert ReasonTexts("en").text(Reason("new_code", name="x", view="top")) == "new_code x top"
    assert ReasonTexts("en").text(Reason("low", name="x")) == "x is ?, below ?"

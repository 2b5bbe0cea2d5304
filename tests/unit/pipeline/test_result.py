"""Wire v1 does not change: golden bytes, unknown fields ignored, known fields typed."""

import json

import msgspec
import pytest

from pipeline import result as result_schema
from tests.results import RESULT

GOLDEN = (
    b'{"schema_version":1,"session":1700000000,"seq":7,"station":"L3-S20","result_id":"1700000000-7","trigger_number":41,'
    b'"part_index":0,"part_count":1,"product_id":"bracket","recipe_id":1,"configuration_id":"ab12","is_simulated":true,'
    b'"result_state":"COMPLETED","result_evaluation":"NOT_OK","disposition":"REJECT",'
    b'"reasons":[{"code":"high","name":"pin_span","value":12.81,"limit":12.78,"unit":"mm"}],'
    b'"creation_time":"2026-01-01T00:00:00.000000Z","answered_time":"2026-01-01T00:00:00.010000Z",'
    b'"views":[{"view":"top","camera":"top","frame_id":40,"region":[1.0,2.0,3.0,4.0]}],'
    b'"keypoints":[{"name":"pin_1","view":"top","x":10.25,"y":20.5,"visibility":0.99,"state":"visible"},'
    b'{"name":"pin_2","view":"top","x":null,"y":null,"visibility":0.01,"state":"hidden"}],'
    b'"measurements":[{"name":"pin_span","value":12.81,"unit":"mm","nominal":12.7,"lower":12.65,"upper":12.78,'
    b'"evaluation":"NOT_OK"}],"stages_ns":{"coarse":1500000,"refine":2200000},"times":{"received_to_answered_ns":9800000}}'
)


def test_a_result_has_the_bytes_of_wire_v1() -> None:
    assert result_schema.encode(RESULT) == GOLDEN
    assert result_schema.decode(GOLDEN) == RESULT


def test_a_reader_ignores_fields_it_does_not_know() -> None:
    grown = json.loads(GOLDEN) | {"added_in_a_later_version": {"x": 1}}
    assert result_schema.decode(json.dumps(grown).encode()) == RESULT


def test_a_known_field_of_another_type_is_refused() -> None:
    broken = json.loads(GOLDEN) | {"seq": "seven"}
    with pytest.raises(msgspec.ValidationError, match="seq"):
        result_schema.decode(json.dumps(broken).encode())


@pytest.mark.parametrize("field", ["stages_ns", "times"])
def test_a_time_that_no_clock_can_tell_is_refused(field: str) -> None:
    content = json.loads(GOLDEN)
    content[field]["received_to_answered_ns"] = 10**400
    with pytest.raises(msgspec.ValidationError, match=field):
        result_schema.decode(json.dumps(content).encode())

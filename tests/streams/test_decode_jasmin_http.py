"""The format `jasmin-http`: HTTP DLRs of level 1 to 3, and AMQP headers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from streams import settings
from streams.decode import Options, format_of
from streams.decode.times import zone_of
from streams.records import Malformed, Reason, Result, Status
from streams.source import Source

ID = "16fd2706-8baf-433b-82eb-8c7fada847da"
LEVEL_2 = {
    "id": ID, "level": "2", "message_status": "UNDELIV", "connector": "demo_cid", "id_smsc": "2567",
    "sub": "001", "dlvrd": "000", "subdate": "2607171400", "donedate": "2607171406", "err": "001",
    "text": "Hello",
}  # fmt: skip


def decode(fields: dict[str, Any] | str, zone: str = "") -> Any:
    text = fields if isinstance(fields, str) else urlencode(fields)
    decoder = format_of("jasmin-http").decoder(Options(zone_of(zone)))
    return decoder.decode_batch([text.encode()])[0]


def test_a_receipt_reads_the_same_as_form_query_and_json() -> None:
    for value in (LEVEL_2, "?" + urlencode(LEVEL_2), json.dumps({**LEVEL_2, "level": 2})):
        r = decode(value)
        assert (r.message_id, r.status, r.code, r.to) == (ID, "UNDELIV", "001", None)
        assert r.carrier == "connector:demo_cid"


def test_dates_are_times_where_the_zone_is_known() -> None:
    r = decode(LEVEL_2, "+02:00")
    assert (r.sent_time_ms, r.provider_time_ms) == (1_784_289_600_000, 1_784_289_960_000)
    r = decode(LEVEL_2)
    assert (r.sent_time_ms, r.provider_time_ms) == (None, None)


def test_a_receipt_may_be_done_before_it_was_submitted() -> None:
    r = decode({**LEVEL_2, "donedate": "2607171359"}, "UTC")
    assert r.provider_time_ms - r.sent_time_ms == -60_000


def test_labels_and_numbers_come_from_the_users_own_parameters() -> None:
    own = {"to": "12025550123", "from": "Acme", "carrier": "310-260", "region": "US", "traffic_class": "otp"}
    r = decode({**LEVEL_2, **own})
    assert (r.to, r.sender, r.carrier) == ("+12025550123", "Acme", "310-260")
    assert (r.region, r.traffic_class) == ("US", "otp")


@pytest.mark.parametrize(
    "connector, smsc_id",
    [
        ("2567", "2567"),
        ("1101c1-c9d03d-f000", "1101C1-C9D03D-F000"),
        ("0e999f21", "E999F21"),  # as Jasmin maps ids: upper case, no leading zeros
        ("9380935605053030457", f"{9380935605053030457:X}"),  # dlr_msgid = 1
        ("a1b2", "41394"),  # dlr_msgid = 2
    ],
)
def test_an_smsc_id_in_place_of_the_connector_names_no_connector(connector: str, smsc_id: str) -> None:
    assert decode({**LEVEL_2, "connector": connector, "id_smsc": smsc_id}).carrier is None


def test_an_accepted_submission_is_in_flight_and_has_no_code() -> None:
    r = decode({"id": ID, "level": 1, "message_status": "ESME_ROK", "connector": "demo_cid"})
    assert r.code is None
    assert format_of("jasmin-http").decoder().status(r.status) is Status.IN_FLIGHT


@pytest.mark.parametrize(
    "status, outcome_class, side, result",
    [
        ("ESME_RTHROTTLED", "throttled", "own", Result.OWN_SIDE),
        ("ESME_RINVSRCADR", "malformed", "own", Result.OWN_SIDE),
        ("ESME_RINVDSTADR", "destination", "number", Result.COUNTED),
        ("ESME_RSUBMITFAIL", "route", "route", Result.COUNTED),
        ("ESME_RNEWER", "unknown", "unknown", Result.COUNTED),
    ],
)
def test_a_refused_submission_never_left_and_has_the_side_of_its_command_status(
    status: str, outcome_class: str, side: str, result: Result
) -> None:
    r = decode({"id": ID, "level": 1, "message_status": status, "connector": "demo_cid"})
    kind = Source.of(settings.Source(name="s", format="jasmin-http")).kind(r.status, r.code, None, None)
    assert (kind.status, kind.key.outcome_class, kind.side) == (Status.FAILED, outcome_class, side)
    assert kind.result is result


def test_a_delivered_message_is_delivered_whatever_its_err() -> None:
    r = decode({**LEVEL_2, "message_status": "DELIVRD", "err": "001"})
    kind = Source.of(settings.Source(name="s", format="jasmin-http")).kind(r.status, r.code, None, None)
    assert kind.status is Status.DELIVERED


def test_nd_is_no_code_and_no_time() -> None:
    r = decode({**LEVEL_2, "err": "ND", "subdate": "ND", "donedate": "ND"}, "UTC")
    assert (r.code, r.sent_time_ms, r.provider_time_ms) == (None, None, None)


def test_the_headers_of_a_receipt_on_its_way_are_read() -> None:
    headers = {"type": "deliver_sm", "cid": "east", "dlr_id": "2567", "dlr_stat": "EXPIRED", "dlr_err": "059",
               "dlr_sdate": "2607171400", "dlr_ddate": "2607171406", "dlr_sub": "ND", "dlr_dlvrd": "ND",
               "dlr_text": ""}  # fmt: skip
    r = decode(json.dumps(headers), "+02:00")
    assert (r.message_id, r.status, r.code, r.carrier) == ("2567", "EXPIRED", "059", "connector:east")
    assert r.provider_time_ms == 1_784_289_960_000


def test_the_headers_of_a_receipt_for_an_smpp_client_have_the_numbers() -> None:
    headers = {"message-id": ID, "message_status": "ESME_RSUBMITFAIL", "err": 99, "source_addr": "Acme",
               "destination_addr": "12025550123", "sub_date": "2026-07-17 14:00:00.500000"}  # fmt: skip
    r = decode(json.dumps(headers), "+02:00")
    assert (r.message_id, r.code, r.to, r.sender) == (ID, "ESME_RSUBMITFAIL", "+12025550123", "Acme")
    assert r.sent_time_ms == 1_784_289_600_500


@pytest.mark.parametrize(
    "value, reason",
    [
        ({"id": ID, "level": "1"}, Reason.MISSING_FIELD),
        ({"message_status": "DELIVRD"}, Reason.MISSING_FIELD),
        ('{"id":["x"],"message_status":"DELIVRD"}', Reason.WRONG_TYPE),
        ('{"id":', Reason.NOT_JSON),
    ],
)
def test_what_is_no_dlr_says_why(value: dict[str, Any] | str, reason: Reason) -> None:
    r = decode(value)
    assert isinstance(r, Malformed) and r.reason is reason
